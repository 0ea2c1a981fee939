//! A net above a density that is known.

use super::pull_back::{doubles, joined};
use super::{Along, Asks, Energy, Jets, Parameter, Parameters, Terms, checked};
use crate::Error;
use crate::tensors::{GradientTape, MaybeSend, Points, TapedPoints, TapedValues, Values, to_vec};
use dfdx::prelude::*;

/// U(x) = U_q(x) + f(x): a net f that tilts a density q ∝ exp(-U_q).
///
/// Where f = 0 it is q; far out, where a net grows linearly, U_q keeps exp(-U) integrable. With q a
/// [mixture fitted to the data](super::GaussianMixture::fit_best) and a net that starts at 0
/// ([`Mlp::starting_at_zero`](super::Mlp::starting_at_zero)) training begins at the mixture and learns what it lacks: what
/// many columns and few rows need. The net's parameters are trained; q stays as it is.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let x = toy::gaussians_8().sample(1000, &mut rng(0))?;
/// let mixture = GaussianMixture::fit(&x, 1, 0)?;
/// let net = Mlp::softplus(&[2, 64, 64, 1], 0)?.starting_at_zero()?;
/// let energy = Tilted::new(mixture.clone(), net);
/// assert_eq!(energy.energy(&x)?.as_vec(), mixture.energy(&x)?.as_vec());
///
/// let mut run = Trainer::new(energy, EnergyDiscrepancy::with_std(0.5)).steps(10).quiet();
/// let _ = run.fit(&toy::gaussians_8())?;
/// # Ok::<(), Error>(())
/// ```
/// With q = N(0, I) it is a [`LatentPrior`](super::LatentPrior), which is quicker.
#[derive(Clone, Debug)]
pub struct Tilted<Q, N> {
    base: Q,
    tilt: N,
}

impl<Q: Energy, N: Energy> Tilted<Q, N> {
    /// q and f.
    pub fn new(base: Q, tilt: N) -> Self {
        Self { base, tilt }
    }

    /// q.
    pub fn base(&self) -> &Q {
        &self.base
    }

    /// f.
    pub fn tilt(&self) -> &N {
        &self.tilt
    }

    /// What the loss asks of q: the numbers of all terms, `(T, width)`.
    fn numbers(&self, terms: &Terms) -> Result<Vec<f64>, Error> {
        let x = terms.points()?;
        Ok(match terms.asks() {
            Asks::Energies(_) => doubles(&to_vec(&checked::energies(&self.base, &x)?)),
            Asks::Jets | Asks::JetsAlong(..) => joined(&checked::jets(&self.base, &x, terms)?),
        })
    }
}

impl<Q: Energy, N: Energy> Energy for Tilted<Q, N> {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        let base = self.base.energy_taped(x.retaped::<GradientTape>())?;
        let tilt = self.tilt.energy_taped(x)?;
        tilt.try_add(base).map_err(Error::tensor)
    }

    fn energy(&self, x: &Points) -> Result<Values, Error> {
        let (base, tilt) = (self.base.energy(x)?, self.tilt.energy(x)?);
        base.try_add(tilt).map_err(Error::tensor)
    }

    fn gradient(&self, x: &Points) -> Result<(Values, Points), Error> {
        let (base, tilt) = (self.base.gradient(x)?, self.tilt.gradient(x)?);
        let energy = base.0.try_add(tilt.0).map_err(Error::tensor)?;
        Ok((energy, base.1.try_add(tilt.1).map_err(Error::tensor)?))
    }

    fn jets_taped(&self, x: &Points, along: Along) -> Result<Jets, Error> {
        let base = self.base.jets_taped(x, along)?;
        let tilt = self.tilt.jets_taped(x, along)?;
        Ok(Jets {
            energy: tilt.energy.try_add(base.energy).map_err(Error::tensor)?,
            slopes: tilt.slopes.try_add(base.slopes).map_err(Error::tensor)?,
            curvature: tilt
                .curvature
                .try_add(base.curvature)
                .map_err(Error::tensor)?,
            tape: tilt.tape,
        })
    }

    fn pull_back(&self, terms: &Terms, gradient: &mut [f32]) -> Result<Option<f64>, Error> {
        let numbers = self.numbers(terms)?;
        self.tilt.pull_back(&terms.above(&numbers)?, gradient)
    }

    fn value(&self, terms: &Terms) -> Result<Option<f64>, Error> {
        let numbers = self.numbers(terms)?;
        self.tilt.value(&terms.above(&numbers)?)
    }

    fn is_tested(&self) -> bool {
        self.base.is_tested() && self.tilt.is_tested()
    }
}

/// Those of the net.
impl<Q: MaybeSend, N: Parameters> Parameters for Tilted<Q, N> {
    fn parameters(&self) -> Vec<(&str, &dyn Parameter)> {
        self.tilt.parameters()
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut dyn Parameter)> {
        self.tilt.parameters_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::energy::{Expr, GaussianMixture, Mlp, Net};
    use crate::loss::{EnergyDiscrepancy, Loss, ScoreMatching};
    use crate::{normal_points, rng};

    /// |x|²/2 and a net: once as the sum of two, and once as one expression.
    fn both() -> (Tilted<GaussianMixture, Mlp>, Net) {
        let tilt = Mlp::softplus(&[2, 8, 8, 1], 0).unwrap();
        let normal = GaussianMixture::new(&[1.0], &[[0.0, 0.0]], &[1.0]).unwrap();
        let constant = (2.0 * std::f64::consts::PI).ln();
        let half = Expr::points(2).square().sum() * 0.5 + constant;
        let mut one = Net::new(tilt.expression() + half, 0).unwrap();
        one.set_flat_parameters(&tilt.flat_parameters()).unwrap();
        (Tilted::new(normal, tilt), one)
    }

    #[test]
    fn it_is_the_sum_of_both() {
        let (sum, one) = both();
        let x = normal_points(32, 2, &mut rng(0)).unwrap();
        let near = |a: &[f32], b: &[f32]| {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5)
        };
        assert!(near(
            &to_vec(&sum.energy(&x).unwrap()),
            &to_vec(&one.energy(&x).unwrap())
        ));
        let slopes = |energy: &dyn Energy| to_vec(&energy.gradient(&x).unwrap().1);
        assert!(near(&slopes(&sum), &slopes(&one)));
        sum.check(&x).unwrap();
        let losses: [&mut dyn Loss; 2] =
            [&mut EnergyDiscrepancy::with_std(0.5), &mut ScoreMatching];
        for loss in losses {
            let (a, slopes_a) = loss.gradient(&sum, &x, &mut rng(1)).unwrap();
            let (b, slopes_b) = loss.gradient(&one, &x, &mut rng(1)).unwrap();
            assert!(
                (a - b).abs() < 1e-5 && near(&slopes_a, &slopes_b),
                "{loss:?}: {a} {b}"
            );
            let taped = loss.evaluate(&sum, &x, &mut rng(1)).unwrap();
            assert!((taped - a).abs() < 1e-5, "{loss:?}");
        }
    }
}
