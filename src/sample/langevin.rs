//! Unadjusted Langevin steps.

use super::{Info, Sampler, State};
use crate::energy::Energy;
use crate::tensors::normals;
use crate::{Error, Rng};

/// The unadjusted Langevin algorithm: x' = x - h/2 ∇U(x) + √h ξ, ξ standard normal.
///
/// Its stationary density differs from p by O(h); [`super::Mala`] corrects that.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::sample::State;
///
/// let p = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?;
/// let mut state = State::at(&points(vec![1.0], (1, 1))?);
/// // ∇U(1) = 1, and no noise: 1 - 0.1/2.
/// Langevin::with_step_size(0.1).step_with(&p, &mut state, &[0.0])?;
/// assert_eq!(state.rows(), [0.95]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Langevin {
    step_size: f64,
    unchecked: bool,
}

impl Langevin {
    /// Steps of size h, the variance of their noise.
    pub fn with_step_size(h: f64) -> Self {
        Self {
            step_size: h,
            unchecked: false,
        }
    }

    /// Steps whose noise has standard deviation ε: h = ε².
    pub fn with_noise_std(epsilon: f64) -> Self {
        // With its sign, so that what is no standard deviation is no step size either.
        Self::with_step_size(epsilon * epsilon.abs())
    }

    /// Leaves out the check of an energy of your own, by which [`Sampler::chain`] begins.
    pub fn unchecked(self) -> Self {
        Self {
            unchecked: true,
            ..self
        }
    }

    pub(super) fn check(&self) -> Result<f64, Error> {
        if self.step_size > 0.0 && self.step_size.is_finite() {
            return Ok(self.step_size);
        }
        Err(Error::setting(
            "step size",
            self.step_size,
            "positive and finite",
        ))
    }

    /// A step with given standard normal numbers ξ, `(B, D)`.
    ///
    /// # Errors
    /// If the step size is impossible, the noise does not fit, or the energy fails.
    pub fn step_with(
        &self,
        energy: &dyn Energy,
        state: &mut State,
        noise: &[f32],
    ) -> Result<(), Error> {
        let h = self.check()?;
        if noise.len() != state.rows().len() {
            let expected = format!("{} numbers, as the points have,", state.rows().len());
            return Err(Error::shape("noise", noise.len(), expected));
        }
        let (half, root) = ((-0.5 * h) as f32, h.sqrt() as f32);
        let mut moved = state.rows().to_vec();
        for ((x, slope), noise) in moved.iter_mut().zip(state.slopes(energy)?).zip(noise) {
            *x = *x + half * slope + root * noise;
        }
        state.go_to(moved);
        Ok(())
    }
}

impl Sampler for Langevin {
    fn step(&self, energy: &dyn Energy, state: &mut State, rng: &mut Rng) -> Result<Info, Error> {
        let noise = normals(state.rows().len(), rng);
        self.step_with(energy, state, &noise)?;
        Ok(Info { acceptance: 1.0 })
    }

    fn checks(&self) -> bool {
        !self.unchecked
    }
}
