//! Adam.

use super::optimiser::{Optimiser, begin, rate};
use crate::{Error, kernel};
use std::fmt;

/// Adam, by PyTorch's formula.
///
/// m ← β₁ m + (1 - β₁) g, v ← β₂ v + (1 - β₂) g², and at step k, with rate α,
///
/// θ ← θ - α/(1 - β₁ᵏ) · m / ( √v/√(1 - β₂ᵏ) + ε ).
///
/// Source: Kingma & Ba, ICLR 2015.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let mut adam = Adam::new(1e-3).betas(0.5, 0.999);
/// let mut parameters = [1.0, 1.0];
/// adam.step(1, 1.0, &mut parameters, &[10.0, -0.1])?;
/// // The first step has the size of the rate, whatever the gradient's.
/// assert!((parameters[0] - 0.999).abs() < 1e-6 && (parameters[1] - 1.001).abs() < 1e-6);
/// # Ok::<(), Error>(())
/// ```
/// PyTorch equivalent: `torch.optim.Adam(params, lr=1e-3, betas=(0.5, 0.999))`.
#[derive(Clone, PartialEq)]
pub struct Adam {
    learning_rate: f64,
    betas: (f64, f64),
    epsilon: f64,
    weight_decay: f64,
    /// m and v.
    moments: [Vec<f32>; 2],
}

impl Adam {
    /// Steps of size α, with β = (0.9, 0.999), ε = 1e-8 and no weight decay.
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            betas: (0.9, 0.999),
            epsilon: 1e-8,
            weight_decay: 0.0,
            moments: [Vec::new(), Vec::new()],
        }
    }

    /// β₁ and β₂, the shares of the old means that are kept.
    pub fn betas(self, first: f64, second: f64) -> Self {
        Self {
            betas: (first, second),
            ..self
        }
    }

    /// ε, beside √v.
    pub fn epsilon(self, epsilon: f64) -> Self {
        Self { epsilon, ..self }
    }

    /// λ: λ θ is added to the gradient, as PyTorch's Adam does (and AdamW does not).
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        Self {
            weight_decay,
            ..self
        }
    }

    fn check(&self) -> Result<(), Error> {
        let not_negative = |value: f64| value >= 0.0 && value.is_finite();
        let share = |value: f64| (0.0..1.0).contains(&value);
        let settings = [
            (
                "learning rate",
                self.learning_rate,
                not_negative(self.learning_rate),
            ),
            ("epsilon", self.epsilon, not_negative(self.epsilon)),
            (
                "weight decay",
                self.weight_decay,
                not_negative(self.weight_decay),
            ),
        ];
        for (name, value, allowed) in settings {
            if !allowed {
                return Err(Error::setting(name, value, "finite and not negative"));
            }
        }
        for (name, beta) in [("first beta", self.betas.0), ("second beta", self.betas.1)] {
            if !share(beta) {
                return Err(Error::setting(name, beta, "at least 0 and below 1"));
            }
        }
        Ok(())
    }
}

/// The settings, without the moments.
impl fmt::Debug for Adam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adam")
            .field("learning_rate", &self.learning_rate)
            .field("betas", &self.betas)
            .field("epsilon", &self.epsilon)
            .field("weight_decay", &self.weight_decay)
            .finish()
    }
}

impl Optimiser for Adam {
    fn step(
        &mut self,
        step: usize,
        factor: f64,
        parameters: &mut [f32],
        gradient: &[f32],
    ) -> Result<(), Error> {
        self.check()?;
        let settings = kernel::Adam {
            lr: rate(self.learning_rate, factor)?,
            betas: self.betas.into(),
            eps: self.epsilon,
            weight_decay: self.weight_decay,
        };
        let [first, second] = &mut self.moments;
        begin(first, parameters, gradient)?;
        begin(second, parameters, gradient)?;
        let state = kernel::State {
            parameters,
            first,
            second,
        };
        Ok(settings.step(step as u64, gradient, state)?)
    }

    fn state(&mut self) -> Vec<(&'static str, &mut Vec<f32>)> {
        let [first, second] = &mut self.moments;
        vec![("first", first), ("second", second)]
    }
}
