//! Energy discrepancy, the paper's loss.

use super::{Above, Gaussian, Loss, Perturbation};
use crate::energy::{Energy, GaussianMixture, Terms};
use crate::tensors::{Points, to_vec};
use crate::{Error, Rng, kernel};
use dfdx::shapes::HasShape;
use rayon::prelude::*;
use std::ops::Range;

/// So many points, at least, are the work of one thread.
const FEW: usize = 64;

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
/// The points are `(N, D)`; the loss is one number.
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
/// let x = p.sample(4096, &mut rng(0))?;
///
/// let mut loss = EnergyDiscrepancy::with_variance(32.0).particles(4).stabilisation(1.0);
/// // The same noise for both:
/// assert!(loss.evaluate(&p, &x, &mut rng(1))? < loss.evaluate(&q, &x, &mut rng(1))?);
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

impl EnergyDiscrepancy<Above> {
    /// Noise whose way back knows a reference density, of eight standard deviations in a range ([`Above`]): for data in more than
    /// a few dimensions, and such of which no one width is known to fit. With M = 4 and w = 1.
    ///
    /// # Errors
    /// As [`Above::new`].
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let x = toy::gaussians_8().sample(500, &mut rng(0))?;
    /// let mixture = GaussianMixture::fit(&x, 2, 0)?;
    /// let mut loss = EnergyDiscrepancy::above(&mixture, 0.3..3.0)?.particles(16);
    /// // The mixture itself is a constant above it: log (M + 1).
    /// assert!((loss.evaluate(&mixture, &x, &mut rng(1))? - 17f64.ln()).abs() < 1e-4);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn above(reference: &GaussianMixture, stds: Range<f64>) -> Result<Self, Error> {
        Ok(Self::with(Above::new(reference, stds)?))
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

    fn check(&self) -> Result<(), Error> {
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
        Ok(())
    }
}

impl<P: Perturbation> Loss for EnergyDiscrepancy<P> {
    fn terms(&mut self, _: &dyn Energy, x: &Points, rng: &mut Rng) -> Result<Terms<'_>, Error> {
        self.check()?;
        let ((n, d), m) = (*x.shape(), self.particles);
        if n * d == 0 {
            return Err(Error::shape("x", (n, d), "at least one point"));
        }
        if (n as u128) * (m as u128) * (d as u128) > 1 << 32 {
            let allowed = "fewer: N x M x D is the number of noise values, 2^32 at most";
            return Err(Error::setting("particles", m, allowed));
        }
        let groups = self.perturbation.groups(&to_vec(x), d, m, rng)?;
        if groups.len() != n * (1 + m) * d {
            let expected = format!("{} values for this batch and M = {m}", n * (1 + m) * d);
            return Err(Error::shape("the perturbed points", groups.len(), expected));
        }
        let discrepancy = kernel::Discrepancy {
            particles: m,
            stabilisation: self.stabilisation,
            scale: self.scale,
        };
        let rows = groups.par_chunks_exact(d).with_min_len(FEW);
        let reference = rows.map(|row| self.perturbation.reference(row));
        let Some(reference) = reference.collect::<Option<Vec<f64>>>() else {
            return Terms::of_energies_together(groups, d, 1 + m, move |_, u, slopes| {
                discrepancy.evaluate(u, slopes)
            });
        };
        Terms::of_energies_together(groups, d, 1 + m, move |first, u, slopes| {
            let below = &reference[first * (1 + m)..];
            let above: Vec<f64> = u.iter().zip(below).map(|(u, below)| u - below).collect();
            discrepancy.evaluate(&above, slopes)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Data;
    use crate::device;
    use crate::rng;
    use crate::tensors::{TapedPoints, TapedValues};
    use dfdx::prelude::*;

    struct Constant;
    impl Energy for Constant {
        fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
            Ok(x.sum::<_, Axis<1>>() * 0.0 + 3.0)
        }
    }

    fn points() -> Points {
        device().unwrap().zeros_like(&(8, 2))
    }

    #[test]
    fn a_constant_energy_gives_log_of_m_plus_w() {
        for w in [0.0, 0.1, 1.0, 50.0] {
            let mut loss = EnergyDiscrepancy::with_std(1.0)
                .particles(5)
                .stabilisation(w);
            let value = loss.evaluate(&Constant, &points(), &mut rng(0)).unwrap();
            assert!((value - (5.0 + w).ln()).abs() < 1e-12, "w = {w}: {value}");
        }
    }

    #[test]
    fn above_a_reference_the_same_differences_are_seen() {
        // Two energies, by noise of s = 1 with and without the reference: the values differ by a constant.
        let truth = GaussianMixture::new(&[1.0], &[[0.5]], &[0.8]).unwrap();
        let other = GaussianMixture::new(&[0.5, 0.5], &[[-0.5], [1.0]], &[0.7, 0.6]).unwrap();
        let x = truth.sample(4000, &mut rng(0)).unwrap();
        let difference = |loss: &mut dyn Loss| {
            let mut value =
                |energy: &GaussianMixture| loss.evaluate(energy, &x, &mut rng(1)).unwrap();
            value(&other) - value(&truth)
        };
        // Without w, and with many particles, both are the energy discrepancy but for errors of 1/M.
        let flat = difference(
            &mut EnergyDiscrepancy::with_std(1.0)
                .particles(500)
                .stabilisation(0.0),
        );
        let normal = GaussianMixture::standard_normal(1).unwrap();
        let normal = EnergyDiscrepancy::above(&normal, 1.0..1.0)
            .unwrap()
            .particles(500);
        let above = difference(&mut normal.stabilisation(0.0));
        assert!(flat > 0.05 && (flat - above).abs() < 0.01, "{flat} {above}");
    }

    #[test]
    fn the_reference_itself_is_a_constant_above_it() {
        let normal = GaussianMixture::new(&[1.0], &[[0.0, 0.0]], &[1.0]).unwrap();
        let x = normal.sample(64, &mut rng(0)).unwrap();
        let mut loss = EnergyDiscrepancy::above(&normal, 0.3..3.0)
            .unwrap()
            .particles(5);
        let value = loss.evaluate(&normal, &x, &mut rng(1)).unwrap();
        assert!((value - 6f64.ln()).abs() < 1e-5, "{value}");
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
        for (mut loss, message) in bad {
            let error = loss.terms(&Constant, &points(), &mut rng(0)).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
        }
    }

    #[test]
    fn a_batch_an_energy_or_a_perturbation_of_the_wrong_size_is_an_error() {
        struct Single;
        impl Energy for Single {
            fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
                Ok(x.device().zeros_like(&(1,)).retaped())
            }
        }
        #[derive(Debug)]
        struct Short;
        impl Perturbation for Short {
            fn perturb(&self, _: &[f32], _: &mut [f32], _: &mut Rng) -> Result<(), Error> {
                Ok(())
            }

            fn groups(
                &self,
                x: &[f32],
                _: usize,
                _: usize,
                _: &mut Rng,
            ) -> Result<Vec<f32>, Error> {
                Ok(x.to_vec())
            }
        }
        let mut loss = EnergyDiscrepancy::with_variance(1.0);
        let none: Points = device().unwrap().zeros_like(&(0, 2));
        let mut message = |energy: &dyn Energy, x: &Points| {
            loss.evaluate(energy, x, &mut rng(0))
                .unwrap_err()
                .to_string()
        };
        assert!(message(&Constant, &none).contains("at least one point"));
        assert!(message(&Single, &points()).contains("Single has shape (1,)"));
        let error = EnergyDiscrepancy::with(Short).evaluate(&Constant, &points(), &mut rng(0));
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("80 values for this batch and M = 4")
        );
    }
}
