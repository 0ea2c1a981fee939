//! Contrastive divergence, with chains of any sampler.

use super::{Loss, interleave};
use crate::energy::{Energy, Terms};
use crate::sample::{Langevin, Sampler};
use crate::tensors::{Points, to_vec};
use crate::{Error, Rng};
use dfdx::shapes::HasShape;

/// Contrastive divergence: short chains x_i⁻ that start at the data x_i, and
///
/// L = 1/N Σ_i ( U(x_i) - U(x_i⁻) ) + α/N Σ_i ( U(x_i)² + U(x_i⁻)² ),
///
/// differentiated as if the chains did not depend on U. The regulariser keeps the energies
/// small. Chains of finite length make the loss biased: it has a plateau above the truth.
///
/// The points are `(N, D)`; the loss is one number.
///
/// Source: Hinton, Neural Computation 2002; the regulariser of Du & Mordatch, NeurIPS 2019. The
/// baseline of the paper's density experiments, with the settings of [`Default`]: K = 10 Langevin steps of
/// size h = 0.01, α = 0.3.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let net = Mlp::softplus(&[1, 8, 1], 0)?;
/// let x = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?.sample(64, &mut rng(0))?;
/// let mut loss = ContrastiveDivergence::default().steps(20).step_size(0.1).regularisation(0.0);
/// assert!(loss.evaluate(&net, &x, &mut rng(1))?.is_finite());
/// let mut exact = ContrastiveDivergence::with(Mala::with_step_size(0.1)).steps(5);
/// assert!(exact.evaluate(&net, &x, &mut rng(1))?.is_finite());
/// # Ok::<(), Error>(())
/// ```
/// PyTorch equivalent: `u(x).mean() - u(x_neg).mean() + alpha * (u(x)**2 + u(x_neg)**2).mean()`
/// with `x_neg` detached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ContrastiveDivergence<S = Langevin> {
    sampler: S,
    steps: usize,
    regularisation: f64,
}

impl Default for ContrastiveDivergence {
    fn default() -> Self {
        Self::with(Langevin::with_step_size(0.01))
    }
}

impl ContrastiveDivergence {
    /// h of x' = x - h/2 ∇U + √h ξ.
    pub fn step_size(self, h: f64) -> Self {
        Self {
            sampler: Langevin::with_step_size(h),
            ..self
        }
    }
}

impl<S> ContrastiveDivergence<S> {
    /// Chains of any sampler, with K = 10 and α = 0.3.
    pub fn with(sampler: S) -> Self {
        Self {
            sampler,
            steps: 10,
            regularisation: 0.3,
        }
    }

    /// K, the number of steps of a chain.
    pub fn steps(self, steps: usize) -> Self {
        Self { steps, ..self }
    }

    /// α, the weight of the squared energies.
    pub fn regularisation(self, alpha: f64) -> Self {
        Self {
            regularisation: alpha,
            ..self
        }
    }
}

impl<S: Sampler> Loss for ContrastiveDivergence<S> {
    fn terms(
        &mut self,
        energy: &dyn Energy,
        x: &Points,
        rng: &mut Rng,
    ) -> Result<Terms<'_>, Error> {
        let ((n, d), alpha) = (*x.shape(), self.regularisation);
        if n == 0 {
            return Err(Error::shape("x", x.shape(), "at least one point"));
        }
        if self.steps == 0 {
            return Err(Error::setting("steps", 0, "at least 1"));
        }
        if !(alpha >= 0.0 && alpha.is_finite()) {
            let allowed = "finite and not negative";
            return Err(Error::setting("regularisation", alpha, allowed));
        }
        let ends = self.sampler.walk(energy, x, self.steps, rng)?;
        let pairs = interleave(&to_vec(x), &to_vec(&ends), 1, d);
        Terms::of_energies(pairs, d, 2, move |_, u, slope| {
            slope[0] = 1.0 + 2.0 * alpha * u[0];
            slope[1] = -1.0 + 2.0 * alpha * u[1];
            u[0] - u[1] + alpha * (u[0] * u[0] + u[1] * u[1])
        })
    }
}
