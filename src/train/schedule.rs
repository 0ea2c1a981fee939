//! How the learning rate changes over the steps.

use crate::Error;
use std::fmt;

/// Where a run is: what a learning rate may depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The step, counted from 0.
    pub step: usize,
    /// The epoch, counted from 0; 0 in runs whose length is given in steps.
    pub epoch: usize,
}

/// A factor for the learning rate in each step.
///
/// # Examples
/// ```
/// use energy_discrepancy::train::{At, Schedule};
///
/// let at = |step| At { step, epoch: 0 };
/// // From 0 to the rate in 100 steps, then down along half a cosine until step 1000.
/// let schedule = Schedule::warm_up(100).times(Schedule::cosine(1000));
/// assert!(schedule.factor(at(49)) > 0.49 && schedule.factor(at(1000)) == 0.0);
/// assert_eq!(Schedule::decay(0.5, 10).factor(at(25)), 0.25);
/// // Of one's own, with a name by which a checkpoint knows it:
/// let root = Schedule::of("1/√step", |at| 1.0 / (1.0 + at.step as f64).sqrt());
/// assert_eq!(root.factor(at(3)), 0.5);
/// ```
pub struct Schedule {
    name: String,
    factor: Box<dyn Fn(At) -> f64 + Send>,
    is_possible: bool,
}

impl Schedule {
    /// A function of the step, with a name by which a checkpoint knows it.
    pub fn of(name: impl Into<String>, factor: impl Fn(At) -> f64 + Send + 'static) -> Self {
        Self {
            name: name.into(),
            factor: Box::new(factor),
            is_possible: true,
        }
    }

    /// The same rate in all steps.
    pub fn constant() -> Self {
        Self::of("constant", |_| 1.0)
    }

    /// Times `factor` after every `every` steps: 0.5 halves it.
    pub fn decay(factor: f64, every: usize) -> Self {
        let name = format!("times {factor} every {every} steps");
        let schedule = Self::of(name, move |at| power(factor, at.step / every.max(1)));
        schedule.if_possible(factor > 0.0 && factor.is_finite() && every > 0)
    }

    /// Times `factor` after every epoch; 1 in runs whose length is given in steps.
    pub fn decay_by_epoch(factor: f64) -> Self {
        let name = format!("times {factor} every epoch");
        let schedule = Self::of(name, move |at| power(factor, at.epoch));
        schedule.if_possible(factor > 0.0 && factor.is_finite())
    }

    /// Down along half a cosine to 0 at step `steps`: (1 + cos(π k / steps))/2.
    pub fn cosine(steps: usize) -> Self {
        let schedule = Self::of(format!("cosine over {steps} steps"), move |at| {
            let share = (at.step as f64 / steps as f64).min(1.0);
            0.5 * (1.0 + (std::f64::consts::PI * share).cos())
        });
        schedule.if_possible(steps > 0)
    }

    /// Up along a straight line to the whole rate at step `steps`: (k + 1)/steps.
    pub fn warm_up(steps: usize) -> Self {
        let schedule = Self::of(format!("warm-up over {steps} steps"), move |at| {
            ((at.step + 1) as f64 / steps as f64).min(1.0)
        });
        schedule.if_possible(steps > 0)
    }

    /// Both at once.
    pub fn times(self, other: Self) -> Self {
        let name = format!("{}, {}", self.name, other.name);
        let is_possible = self.is_possible && other.is_possible;
        Self::of(name, move |at| self.factor(at) * other.factor(at)).if_possible(is_possible)
    }

    fn if_possible(self, is_possible: bool) -> Self {
        Self {
            is_possible,
            ..self
        }
    }

    /// # Errors
    /// If a factor is not positive, or a number of steps 0.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.is_possible {
            return Ok(());
        }
        let allowed = "positive factors, over 1 step at least";
        Err(Error::setting("schedule", &self.name, allowed))
    }

    /// The factor of one step.
    pub fn factor(&self, at: At) -> f64 {
        (self.factor)(at)
    }
}

fn power(factor: f64, times: usize) -> f64 {
    factor.powi(i32::try_from(times).unwrap_or(i32::MAX))
}

/// Its name.
impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
