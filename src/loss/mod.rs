//! Losses: functions of an energy and a batch of data, small where the energy fits the data.

mod discrepancy;
mod score_matching;

pub use discrepancy::{EnergyDiscrepancy, Noise};
pub use score_matching::fisher_divergence;

use crate::energy::{Energy, Points};
use crate::{Error, Rng};
use dfdx::prelude::*;

/// A loss that needs noise beside the data.
pub trait Loss<E: Dtype = f32, Dev: Device<E> = Cpu> {
    /// The noise that one evaluation needs.
    type Noise;

    /// Draws the noise for one evaluation at `x`.
    ///
    /// # Errors
    /// If the loss's settings are impossible, or a tensor operation fails.
    fn draw(&self, x: &Points<E, Dev>, rng: &mut Rng) -> Result<Self::Noise, Error>;

    /// The loss of `energy` on the batch `x` with the given noise.
    ///
    /// # Errors
    /// If the loss's settings are impossible, the noise does not fit the batch, or the energy
    /// fails.
    fn evaluate(
        &self,
        energy: &dyn Energy<E, Dev>,
        x: &Points<E, Dev>,
        noise: &Self::Noise,
    ) -> Result<f64, Error>;
}
