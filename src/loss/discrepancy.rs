//! Energy discrepancy, the paper's loss.

use super::contrast::{Contrast, Core};
use super::{Gaussian, Loss, Perturbation, TapedLoss};
use crate::energy::{Energy, Points, for_each_backend};
use crate::{Error, Rng};

/// Energy discrepancy, with Gaussian perturbation unless another is given.
///
/// With y_i = x_i + √t ξ_i and x_ij = y_i + √t ξ'_ij, all ξ standard normal,
///
/// L = 1/N Σ_i log( w + Σ_{j=1..M} exp( U(x_i) - U(x_ij) ) ).
///
/// A constant energy has L = log(M + w). No gradient of U with respect to x and no Markov chain
/// is needed. For t → 0, L - log(M + 1) approaches t M/(M + 1) times score matching (w = 1); for
/// large t and M it approaches maximum likelihood. With w = 1 the minimum is unbiased for every
/// t and M.
///
/// The points are `(N, D)`, the noise is `(N, D)` and `(N, M, D)`; the loss is one number.
///
/// Source: Schröder et al., NeurIPS 2023, equation (6) and Theorem 1. The paper writes w/M for
/// this w and divides the sum by M, which moves L by log M and leaves its gradient.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let p = GaussianMixture::new(&[0.2, 0.8], &[[-5.0], [5.0]], &[1.0, 1.0])?;
/// let q = GaussianMixture::new(&[0.8, 0.2], &[[-5.0], [5.0]], &[1.0, 1.0])?;
/// let x: Points<f64> = p.sample(4096, &mut rng(0))?;
///
/// let loss = EnergyDiscrepancy::with_variance(32.0).particles(4).stabilisation(1.0);
/// let noise = loss.draw(&x, &mut rng(1))?;
/// assert!(loss.evaluate(&p, &x, &noise)? < loss.evaluate(&q, &x, &noise)?);
/// # Ok::<(), Error>(())
/// ```
/// PyTorch equivalent, with `u_x: (N, 1)` and `u_y: (N, M)`:
/// `torch.logsumexp(torch.cat([u_x - u_y, log_w.expand(N, 1)], 1), 1).mean()`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EnergyDiscrepancy<P = Gaussian> {
    perturbation: P,
    particles: usize,
    stabilisation: f64,
    scale: f64,
}

impl EnergyDiscrepancy {
    /// Noise of standard deviation s = √t, with M = 4 and w = 1.
    pub fn with_std(std: f64) -> Self {
        Self::with(Gaussian::with_std(std))
    }

    /// Noise of variance t = s², with M = 4 and w = 1.
    pub fn with_variance(t: f64) -> Self {
        Self::with(Gaussian::with_variance(t))
    }

    /// L/t in place of L, which keeps gradients of one size as t → 0. The reference's
    /// w-stabilisation notebook does so for t < 1.
    pub fn divided_by_variance(self) -> Self {
        Self {
            scale: 1.0 / self.perturbation.variance(),
            ..self
        }
    }
}

impl<P> EnergyDiscrepancy<P> {
    /// Any perturbation, with M = 4 and w = 1.
    pub fn with(perturbation: P) -> Self {
        Self {
            perturbation,
            particles: 4,
            stabilisation: 1.0,
            scale: 1.0,
        }
    }

    /// M, the number of particles x_ij for each data point.
    pub fn particles(self, m: usize) -> Self {
        Self {
            particles: m,
            ..self
        }
    }

    /// w, the constant in the logarithm. With 1 the minimum is unbiased for every M; with 0
    /// the loss has no lower bound.
    pub fn stabilisation(self, w: f64) -> Self {
        Self {
            stabilisation: w,
            ..self
        }
    }

    /// The settings that remain once the particles are there, checked.
    fn contrast(&self) -> Result<Contrast, Error> {
        if self.particles == 0 {
            return Err(Error::setting("particles", 0, "at least 1"));
        }
        if !(self.stabilisation >= 0.0 && self.stabilisation.is_finite()) {
            let allowed = "finite and not negative";
            return Err(Error::setting("stabilisation", self.stabilisation, allowed));
        }
        if !(self.scale > 0.0 && self.scale.is_finite()) {
            let allowed = "positive and finite: a variance too small to divide by";
            return Err(Error::setting("1/t", self.scale, allowed));
        }
        Ok(Contrast {
            particles: self.particles,
            stabilisation: self.stabilisation,
            scale: self.scale,
        })
    }
}

macro_rules! implement {
    ($E:ty, $Dev:ty) => {
        impl<P: Perturbation<$E, $Dev>> Loss<$E, $Dev> for EnergyDiscrepancy<P> {
            type Of<'a> = dyn Energy<$E, $Dev> + 'a;
            type Noise = P::Noise;

            fn draw(&self, x: &Points<$E, $Dev>, rng: &mut Rng) -> Result<P::Noise, Error> {
                self.contrast()?;
                self.perturbation.draw(x, self.particles, rng)
            }

            fn taped_of(
                &self,
                energy: &Self::Of<'_>,
                x: &Points<$E, $Dev>,
                noise: &P::Noise,
            ) -> Result<TapedLoss<$E, $Dev>, Error> {
                let contrast = self.contrast()?;
                contrast.taped(energy, x, &self.perturbation.perturb(x, noise)?)
            }

            fn fused_of(
                &self,
                energy: &Self::Of<'_>,
                x: &Points<$E, $Dev>,
                noise: &P::Noise,
                gradient: &mut [$E],
            ) -> Result<Option<f64>, Error> {
                let contrast = self.contrast()?;
                let perturb = || self.perturbation.perturb(x, noise);
                let groups = || self.perturbation.groups(x, noise);
                contrast.fused(energy, x, &perturb, &groups, gradient)
            }
        }
    };
}
for_each_backend!(implement);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;
    use crate::energy::{TapedPoints, TapedValues};
    use crate::rng;
    use dfdx::prelude::*;

    struct Constant;
    impl Energy<f64> for Constant {
        fn energy_taped(&self, x: TapedPoints<f64>) -> Result<TapedValues<f64>, Error> {
            Ok(x.sum::<_, Axis<1>>() * 0.0 + 3.0)
        }
    }

    fn points() -> Points<f64> {
        device().unwrap().zeros_like(&(8, 2))
    }

    #[test]
    fn a_constant_energy_gives_log_of_m_plus_w() {
        for w in [0.0, 0.1, 1.0, 50.0] {
            let loss = EnergyDiscrepancy::with_std(1.0)
                .particles(5)
                .stabilisation(w);
            let noise = loss.draw(&points(), &mut rng(0)).unwrap();
            let value = loss.evaluate(&Constant, &points(), &noise).unwrap();
            assert!((value - (5.0 + w).ln()).abs() < 1e-12, "w = {w}: {value}");
        }
    }

    #[test]
    fn impossible_settings_are_errors() {
        let ok = EnergyDiscrepancy::with_variance(1.0);
        let bad = [
            (EnergyDiscrepancy::with_std(-1.0), "noise = -1"),
            (EnergyDiscrepancy::with_variance(-1.0), "noise = NaN"),
            (ok.particles(0), "particles = 0"),
            (ok.particles(usize::MAX), "N x M x D"),
            (ok.stabilisation(-0.5), "stabilisation = -0.5"),
        ];
        for (loss, message) in bad {
            let error = Loss::<f64>::draw(&loss, &points(), &mut rng(0)).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
        }
    }

    #[test]
    fn noise_of_another_batch_is_an_error() {
        let loss = EnergyDiscrepancy::with_variance(1.0);
        let noise = loss.draw(&points(), &mut rng(0)).unwrap();
        let error = loss
            .particles(3)
            .evaluate(&Constant, &points(), &noise)
            .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("(24, 2) for this batch and M = 3"),
            "{error}"
        );
    }

    #[test]
    fn a_batch_or_an_energy_of_the_wrong_size_is_an_error() {
        struct Single;
        impl Energy<f64> for Single {
            fn energy_taped(&self, x: TapedPoints<f64>) -> Result<TapedValues<f64>, Error> {
                Ok(x.device().zeros_like(&(1,)).retaped())
            }
        }
        let loss = EnergyDiscrepancy::with_variance(1.0);
        let message = |energy: &(dyn Energy<f64> + 'static), x: &Points<f64>| {
            let noise = loss.draw(x, &mut rng(0)).unwrap();
            loss.evaluate(energy, x, &noise).unwrap_err().to_string()
        };
        let none: Points<f64> = device().unwrap().zeros_like(&(0, 2));
        assert!(message(&Constant, &none).contains("at least one point"));
        assert!(message(&Single, &points()).contains("Single has shape (1,)"));
    }
}
