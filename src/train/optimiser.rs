//! Adam at work, and the running mean of the weights.

use super::Adam;
use crate::backend::Number;
use crate::checkpoint::{Checkpoint, Saved};
use crate::energy::scalar;
use crate::{Error, kernel};

/// The running mean of the weights: after each step, ema ← d ema + (1 - d) θ.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::train::{Ema, Optimiser};
///
/// let mut adam = Optimiser::new(Adam::new(0.1), 1)?;
/// let (mut parameter, mut mean) = ([1.0_f64], [1.0]);
/// let ema = Ema { decay: 0.9, values: &mut mean };
/// adam.step(&mut parameter, &[5.0], Some(ema))?;
/// // The parameter went from 1 to 0.9, and its mean a tenth of the way.
/// assert!((parameter[0] - 0.9).abs() < 1e-8 && (mean[0] - 0.99).abs() < 1e-8);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct Ema<'a, E> {
    /// d, the share of the old mean that is kept.
    pub decay: f64,
    /// The mean, as long as the parameters.
    pub values: &'a mut [E],
}

/// Adam with what it remembers: both moments and the number of steps.
///
/// # Examples
/// A loop of one's own, for the minimum of (θ - 3)²:
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::train::Optimiser;
///
/// let mut adam = Optimiser::new(Adam::new(0.1), 1)?;
/// let mut θ = [0.0_f64];
/// for _ in 0..500 {
///     let gradient = [2.0 * (θ[0] - 3.0)];
///     adam.step(&mut θ, &gradient, None)?;
/// }
/// assert!((θ[0] - 3.0).abs() < 1e-3);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Optimiser<E = f32> {
    settings: Adam,
    first: Vec<E>,
    second: Vec<E>,
    steps: i32,
}

impl<E: Number> Optimiser<E> {
    /// Adam for `n` parameters, before its first step.
    ///
    /// # Errors
    /// If a setting is impossible.
    pub fn new(settings: Adam, n: usize) -> Result<Self, Error> {
        settings.check()?;
        Ok(Self {
            settings,
            first: vec![E::default(); n],
            second: vec![E::default(); n],
            steps: 0,
        })
    }

    /// Adds both moments and all that belongs to them to a checkpoint, under names that begin with this.
    pub(crate) fn save(&self, name: &str, checkpoint: &mut Checkpoint) {
        checkpoint.value(name, &(self.steps, self.settings.learning_rate));
        checkpoint.list(&format!("{name}.first"), &self.first);
        checkpoint.list(&format!("{name}.second"), &self.second);
    }

    /// Adam for `n` parameters as a checkpoint has it.
    ///
    /// # Errors
    /// If a setting is impossible, or the checkpoint holds no Adam of this name, or one of another length.
    pub(crate) fn restored(
        settings: Adam,
        n: usize,
        name: &str,
        saved: &Saved,
    ) -> Result<Self, Error> {
        let (steps, learning_rate) = saved.value(name)?;
        let mut optimiser = Self {
            settings,
            first: saved.list(&format!("{name}.first"), Some(n))?,
            second: saved.list(&format!("{name}.second"), Some(n))?,
            steps,
        };
        optimiser.set_learning_rate(learning_rate)?;
        Ok(optimiser)
    }

    /// The rate α that the next step has.
    pub fn learning_rate(&self) -> f64 {
        self.settings.learning_rate
    }

    /// Changes the rate from the next step on.
    ///
    /// # Errors
    /// If it is negative or not finite.
    pub fn set_learning_rate(&mut self, learning_rate: f64) -> Result<(), Error> {
        let settings = Adam {
            learning_rate,
            ..self.settings
        };
        settings.check()?;
        self.settings = settings;
        Ok(())
    }

    /// One step: changes the parameters, and then the running mean if there is one.
    ///
    /// # Errors
    /// If the lists differ in length, or the mean's decay is not in [0, 1].
    pub fn step(
        &mut self,
        parameters: &mut [E],
        gradient: &[E],
        ema: Option<Ema<'_, E>>,
    ) -> Result<(), Error> {
        let n = self.first.len();
        let means = ema.as_ref().map_or(n, |ema| ema.values.len());
        if (parameters.len(), gradient.len(), means) != (n, n, n) {
            let found = (parameters.len(), gradient.len(), means);
            let expected = format!("{n} parameters, gradients and means");
            return Err(Error::shape("the step", found, expected));
        }
        let decay = ema.as_ref().map_or(0.0, |ema| ema.decay);
        if !(0.0..=1.0).contains(&decay) {
            return Err(Error::setting("ema", decay, "a share kept, from 0 to 1"));
        }
        self.steps += 1;
        match ema {
            Some(Ema { values, .. }) => {
                if !self.fused(parameters, gradient, values, decay)? {
                    self.plain(parameters, gradient, Some(values), decay);
                }
            }
            None => self.plain(parameters, gradient, None, decay),
        }
        Ok(())
    }

    /// One pass over all lists, if they are single precision.
    fn fused(
        &mut self,
        parameters: &mut [E],
        gradient: &[E],
        mean: &mut [E],
        decay: f64,
    ) -> Result<bool, Error> {
        let moments = (
            E::single_mut(&mut self.first),
            E::single_mut(&mut self.second),
        );
        let lists = (
            E::single_mut(parameters),
            E::single(gradient),
            E::single_mut(mean),
        );
        let ((Some(first), Some(second)), (Some(parameters), Some(gradient), Some(average))) =
            (moments, lists)
        else {
            return Ok(false);
        };
        let settings = kernel::Adam {
            lr: self.settings.learning_rate,
            betas: self.settings.betas.into(),
            eps: self.settings.epsilon,
            weight_decay: self.settings.weight_decay,
            ema: decay,
        };
        let state = kernel::State {
            parameters,
            first,
            second,
            average,
        };
        settings.step(self.steps as u64, gradient, state)?;
        Ok(true)
    }

    /// The formula as it is written, for every number type.
    fn plain(&mut self, parameters: &mut [E], gradient: &[E], mean: Option<&mut [E]>, decay: f64) {
        let Adam {
            learning_rate,
            betas: (first, second),
            epsilon,
            weight_decay,
        } = self.settings;
        let size: E = scalar(learning_rate / (1.0 - first.powi(self.steps)));
        let inverse_root: E = scalar(1.0 / (1.0 - second.powi(self.steps)).sqrt());
        let (epsilon, weight_decay): (E, E) = (scalar(epsilon), scalar(weight_decay));
        let (keep_first, take_first) = shares::<E>(first);
        let (keep_second, take_second) = shares::<E>(second);
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((θ, g), (m, v)) in parameters.iter_mut().zip(gradient).zip(moments) {
            let g = *g + weight_decay * *θ;
            *m = keep_first * *m + take_first * g;
            *v = keep_second * *v + take_second * g * g;
            *θ -= size * *m / (v.sqrt() * inverse_root + epsilon);
        }
        if let Some(values) = mean {
            let (keep, take) = shares::<E>(decay);
            for (mean, θ) in values.iter_mut().zip(parameters) {
                *mean = keep * *mean + take * *θ;
            }
        }
    }
}

/// The share of an old mean that is kept, and that of the new value.
fn shares<E: Number>(kept: f64) -> (E, E) {
    (scalar(kept), scalar(1.0 - kept))
}
