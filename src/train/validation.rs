//! The loss on points that training does not see.

use super::objective::Objective;
use crate::tensors::{Points, points, to_vec};
use crate::{Error, Rng, rng};
use dfdx::shapes::HasShape;

/// The name of its series in a run's history.
pub(super) const HELD_OUT: &str = "held-out loss";

/// Few points are taken several times, each time with noise of its own, until there are so many.
const ENOUGH: usize = 1024;

/// Which points, and how often the loss on them is taken.
pub(super) struct Validation {
    /// Plain numbers, which runs side by side can carry to their threads from any device.
    rows: Vec<f32>,
    dimension: usize,
    pub every: usize,
}

impl Validation {
    pub fn on(x: &Points, every: usize) -> Self {
        Self {
            rows: to_vec(x),
            dimension: x.shape().1,
            every,
        }
    }

    /// # Errors
    /// If there is nothing to take it on, or it is never taken.
    pub fn check(&self) -> Result<(), Error> {
        if self.rows.is_empty() {
            let found = (0, self.dimension);
            return Err(Error::shape("the held-out points", found, "at least one"));
        }
        match self.every {
            0 => Err(Error::setting(
                "validate",
                "every 0 steps",
                "every 1 step at least",
            )),
            _ => Ok(()),
        }
    }

    /// What a run that goes on from a checkpoint must share.
    pub fn words(&self) -> String {
        let points = self.rows.len() / self.dimension.max(1);
        format!("{points} points every {} steps", self.every)
    }

    /// The loss of the objective as it is now: with the same noise whenever it is taken, so that two of them differ by the
    /// weights alone.
    pub fn loss(&self, objective: &mut dyn Objective, seed: u64) -> Result<f64, Error> {
        let count = self.rows.len() / self.dimension.max(1);
        let times = ENOUGH.div_ceil(count.max(1));
        let x = points(self.rows.repeat(times), (count * times, self.dimension))?;
        let mut rng: Rng = rng(seed);
        rng.set_stream(STREAM);
        objective.held_out(&x, &mut rng)?.ok_or_else(|| {
            let allowed =
                "an objective that has a loss on held-out points, as an energy with a loss has";
            Error::setting("validate", self.words(), allowed)
        })
    }
}

/// Of the seed's random numbers: far from those of the batches, the metrics and the epochs.
const STREAM: u64 = u64::MAX;
