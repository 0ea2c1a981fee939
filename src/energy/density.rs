//! Energies whose normalising constant is known.

use super::{Energy, Points, Values};
use crate::Error;
use crate::data::Data;
use dfdx::prelude::*;

/// An energy whose density is known in full, U(x) = -log p(x) with ∫ p = 1, and that can be
/// drawn from.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::dfdx::prelude::*;
///
/// let p = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?;
/// let x: Points<f64> = device()?.tensor_from_vec(vec![2.0], (1, 1));
/// assert_eq!(p.score(&x)?.as_vec(), [-2.0]);
/// let at_zero = -0.5 * (2.0 * std::f64::consts::PI).ln();
/// assert!((p.log_densities(&x)?.as_vec()[0] - (at_zero - 2.0)).abs() < 1e-12);
/// # Ok::<(), Error>(())
/// ```
pub trait Density<E: Dtype = f32, Dev: Device<E> = AutoDevice>:
    Energy<E, Dev> + Data<E, Dev>
{
    /// log p = -U at each point: `(B, D)` to `(B,)`.
    ///
    /// # Errors
    /// If the points have the wrong dimension, or a tensor operation fails.
    fn log_densities(&self, x: &Points<E, Dev>) -> Result<Values<E, Dev>, Error> {
        self.energy(x)?.try_negate().map_err(Error::tensor)
    }

    /// The score ∇ log p = -∇U at each point: `(B, D)` to `(B, D)`.
    ///
    /// # Errors
    /// If the points have the wrong dimension, or a tensor operation fails.
    fn score(&self, x: &Points<E, Dev>) -> Result<Points<E, Dev>, Error> {
        self.gradient(x)?.1.try_negate().map_err(Error::tensor)
    }
}
