//! Adam at work, and the running mean of the weights.

use super::Adam;
use crate::backend::Number;
use crate::energy::scalar;
use crate::{Error, kernel};

/// The running mean of the weights: after each step, ema ← d ema + (1 - d) θ.
#[derive(Debug)]
pub struct Ema<'a, E> {
    /// d, the share of the old mean that is kept.
    pub decay: f64,
    /// The mean, as long as the parameters.
    pub values: &'a mut [E],
}

/// Adam with what it remembers: both moments and the number of steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Optimiser<E = f32> {
    settings: Adam,
    first: Vec<E>,
    second: Vec<E>,
    steps: i32,
}

/// The numbers of one step.
#[derive(Clone, Copy)]
struct Scalars<E> {
    keep_first: E,
    take_first: E,
    keep_second: E,
    take_second: E,
    step_size: E,
    inverse_root: E,
    epsilon: E,
    weight_decay: E,
    keep_mean: E,
    take_mean: E,
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

    fn scalars(&self, decay: f64) -> Scalars<E> {
        let Adam {
            learning_rate,
            betas: (first, second),
            epsilon,
            weight_decay,
        } = self.settings;
        let size = learning_rate / (1.0 - first.powi(self.steps));
        let root = (1.0 - second.powi(self.steps)).sqrt();
        Scalars {
            keep_first: scalar(first),
            take_first: scalar(1.0 - first),
            keep_second: scalar(second),
            take_second: scalar(1.0 - second),
            step_size: scalar(size),
            inverse_root: scalar(1.0 / root),
            epsilon: scalar(epsilon),
            weight_decay: scalar(weight_decay),
            keep_mean: scalar(decay),
            take_mean: scalar(1.0 - decay),
        }
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

    fn plain(&mut self, parameters: &mut [E], gradient: &[E], mean: Option<&mut [E]>, decay: f64) {
        let k = self.scalars(decay);
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((θ, g), (m, v)) in parameters.iter_mut().zip(gradient).zip(moments) {
            let g = *g + k.weight_decay * *θ;
            *m = k.keep_first * *m + k.take_first * g;
            *v = k.keep_second * *v + k.take_second * g * g;
            *θ -= k.step_size * *m / (v.sqrt() * k.inverse_root + k.epsilon);
        }
        if let Some(values) = mean {
            for (mean, θ) in values.iter_mut().zip(parameters) {
                *mean = k.keep_mean * *mean + k.take_mean * *θ;
            }
        }
    }
}
