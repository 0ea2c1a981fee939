//! What to watch while an energy is trained.

use crate::energy::Energy;
use crate::{Error, Rng};
use dfdx::prelude::*;

/// A number to follow while an energy is trained. Closures are metrics.
///
/// # Examples
/// The mean energy of fresh data, after every tenth step:
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::dfdx::prelude::*;
///
/// fn data() -> Result<GaussianMixture, Error> {
///     GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])
/// }
/// let mean = |energy: &dyn Energy, rng: &mut Rng| {
///     let u = energy.energy(&data()?.sample(100, rng)?)?;
///     Ok(f64::from(u.mean().array()))
/// };
/// let mut run = Trainer::new(Mlp::silu(&[1, 8, 1], 0)?, EnergyDiscrepancy::with_std(1.0))
///     .steps(21)
///     .metric("mean energy", 10, mean)
///     .quiet();
/// let _ = run.fit(&data()?)?;
/// assert_eq!(run.history().metric("mean energy").unwrap().values.len(), 3);
/// # Ok::<(), Error>(())
/// ```
pub trait Metric<E: Dtype = f32, Dev: Device<E> = AutoDevice> {
    /// The number for this energy, with random numbers that training does not use.
    ///
    /// # Errors
    /// Whatever goes wrong, which ends the training.
    fn evaluate(&mut self, energy: &dyn Energy<E, Dev>, rng: &mut Rng) -> Result<f64, Error>;
}

impl<E: Dtype, Dev: Device<E>, F> Metric<E, Dev> for F
where
    F: FnMut(&dyn Energy<E, Dev>, &mut Rng) -> Result<f64, Error>,
{
    fn evaluate(&mut self, energy: &dyn Energy<E, Dev>, rng: &mut Rng) -> Result<f64, Error> {
        self(energy, rng)
    }
}
