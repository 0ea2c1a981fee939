//! Unadjusted Langevin steps.

use super::{Sampler, Step};
use crate::backend::{Backend, Number, read};
use crate::energy::{Energy, Points, checked, for_each_backend, scalar};
use crate::{Error, Rng};
use dfdx::prelude::*;

/// The unadjusted Langevin algorithm: x' = x - h/2 ∇U(x) + √h ξ, ξ standard normal.
///
/// Its stationary density differs from p by O(h); [`super::Mala`] corrects that.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::dfdx::prelude::*;
///
/// let p = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?;
/// let x: Points = device()?.ones_like(&(1, 1));
/// let still: Points = device()?.zeros_like(&(1, 1));
/// // ∇U(1) = 1, and no noise: 1 - 0.1/2.
/// let moved = Langevin::with_step_size(0.1).step(&p, &x, &still)?.x;
/// assert_eq!(moved.as_vec(), [0.95]);
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

    pub(super) fn is_checking(&self) -> bool {
        !self.unchecked
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

    fn step_on<E: Number, Dev: Backend<E>>(
        &self,
        energy: &dyn Energy<E, Dev>,
        x: &Points<E, Dev>,
        noise: &Points<E, Dev>,
    ) -> Result<Step<E, Dev>, Error> {
        let h = self.check()?;
        if noise.shape() != x.shape() {
            let expected = format!("{:?}, as the points have,", x.shape());
            return Err(Error::shape("noise", noise.shape(), expected));
        }
        let (_, slope) = checked::gradient(energy, x)?;
        let (half, root) = (scalar::<E>(-0.5 * h), scalar::<E>(h.sqrt()));
        let mut moved = read(x);
        for ((x, slope), noise) in moved.iter_mut().zip(read(&slope)).zip(read(noise)) {
            *x = *x + half * slope + root * noise;
        }
        let x = x.device().try_tensor_from_vec(moved, *x.shape());
        Ok(Step {
            x: x.map_err(Error::tensor)?,
            acceptance: 1.0,
        })
    }
}

/// Standard normal numbers, `(B, D)`.
pub(super) fn draw<E: Number, Dev: Backend<E>>(
    x: &Points<E, Dev>,
    rng: &mut Rng,
) -> Result<Points<E, Dev>, Error> {
    let noise = E::normals(x.shape().num_elements(), rng);
    let noise = x.device().try_tensor_from_vec(noise, *x.shape());
    noise.map_err(Error::tensor)
}

macro_rules! implement {
    ($E:ty, $Dev:ty) => {
        impl Sampler<$E, $Dev> for Langevin {
            /// ξ, `(B, D)`.
            type Noise = Points<$E, $Dev>;

            fn draw(&self, x: &Points<$E, $Dev>, rng: &mut Rng) -> Result<Self::Noise, Error> {
                draw(x, rng)
            }

            fn step(
                &self,
                energy: &dyn Energy<$E, $Dev>,
                x: &Points<$E, $Dev>,
                noise: &Self::Noise,
            ) -> Result<Step<$E, $Dev>, Error> {
                self.step_on(energy, x, noise)
            }

            fn checks(&self) -> bool {
                self.is_checking()
            }
        }
    };
}
for_each_backend!(implement);
