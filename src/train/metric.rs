//! What to watch while an energy is trained.

use crate::energy::Energy;
use crate::loss::Loss;
use crate::tensors::{Points, points, to_vec};
use crate::{Error, Rng};
use dfdx::shapes::HasShape;

/// A number to follow while an energy is trained. Closures are metrics; [`HeldOut`] is a loss as one.
///
/// # Examples
/// The mean energy of fresh data, after every tenth step:
/// ```
/// use energy_discrepancy::prelude::*;
///
/// fn data() -> Result<GaussianMixture, Error> {
///     GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])
/// }
/// let mean = |energy: &dyn Energy, rng: &mut Rng| {
///     let u = energy.energy(&data()?.sample(100, rng)?)?;
///     Ok(to_vec(&u).iter().map(|u| f64::from(*u)).sum::<f64>() / 100.0)
/// };
/// let mut run = Trainer::new(Mlp::silu(&[1, 8, 1], 0)?, EnergyDiscrepancy::with_std(1.0))
///     .steps(21)
///     .metric("mean energy", 10, mean)
///     .quiet();
/// let _ = run.fit(&data()?)?;
/// assert_eq!(run.history().metric("mean energy").unwrap().values.len(), 3);
/// # Ok::<(), Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no metric (what it is made of may be a `Result` that lacks its `?`)",
    label = "a closure is one with its types, `|energy: &dyn Energy, rng: &mut Rng|`, and by `.metric_fn` without; a loss is one by `HeldOut::new(loss, points)`"
)]
pub trait Metric {
    /// The number for this energy, with random numbers that training does not use.
    ///
    /// # Errors
    /// Whatever goes wrong, which ends the training.
    fn evaluate(&mut self, energy: &dyn Energy, rng: &mut Rng) -> Result<f64, Error>;
}

impl<F> Metric for F
where
    F: FnMut(&dyn Energy, &mut Rng) -> Result<f64, Error>,
{
    fn evaluate(&mut self, energy: &dyn Energy, rng: &mut Rng) -> Result<f64, Error> {
        self(energy, rng)
    }
}

/// A loss on points that training does not see, with fresh noise each time, as a metric of a training run.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let data = toy::gaussians_25();
/// let others = data.sample(1000, &mut rng(1))?;
/// let loss = EnergyDiscrepancy::with_std(1.0);
/// let mut run = Trainer::new(Mlp::softplus(&[2, 16, 1], 0)?, loss)
///     .steps(101)
///     .metric("held out", 50, HeldOut::new(loss, others))
///     .quiet();
/// let _ = run.fit(&data)?;
/// assert_eq!(run.history().metric("held out").unwrap().steps, [0.0, 50.0, 100.0]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct HeldOut<L> {
    loss: L,
    /// Plain numbers, which runs side by side can carry to their threads from any device.
    points: Vec<f32>,
    shape: (usize, usize),
}

impl<L> HeldOut<L> {
    /// The loss on these points, `(N, D)`.
    pub fn new(loss: L, points: Points) -> Self {
        Self {
            loss,
            points: to_vec(&points),
            shape: *points.shape(),
        }
    }
}

impl<L: Loss> Metric for HeldOut<L> {
    fn evaluate(&mut self, energy: &dyn Energy, rng: &mut Rng) -> Result<f64, Error> {
        let points = points(self.points.clone(), self.shape)?;
        self.loss.evaluate(energy, &points, rng)
    }
}
