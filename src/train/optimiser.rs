//! How a step changes the parameters.

use crate::Error;
use std::fmt::Debug;

/// A rule by which parameters follow a gradient: [`Adam`](super::Adam), [`Sgd`], or one of your own.
///
/// `Debug` tells the settings, by which a checkpoint knows a run; the memory is what [`Optimiser::state`] lists.
///
/// # Examples
/// A loop of one's own, for the minimum of (θ - 3)²:
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let mut adam = Adam::new(0.1);
/// let mut θ = [0.0_f32];
/// for step in 1..=500 {
///     let gradient = [2.0 * (θ[0] - 3.0)];
///     adam.step(step, 1.0, &mut θ, &gradient)?;
/// }
/// assert!((θ[0] - 3.0).abs() < 1e-3);
/// # Ok::<(), Error>(())
/// ```
/// An optimiser of one's own, steps of the gradient's sign:
/// ```
/// use energy_discrepancy::prelude::*;
///
/// #[derive(Debug)]
/// struct SignDescent(f64);
///
/// impl Optimiser for SignDescent {
///     fn step(&mut self, _: usize, factor: f64, parameters: &mut [f32], gradient: &[f32]) -> Result<(), Error> {
///         let size = (factor * self.0) as f32;
///         for (θ, g) in parameters.iter_mut().zip(gradient) {
///             *θ -= size * g.signum();
///         }
///         Ok(())
///     }
/// }
///
/// let net = Mlp::softplus(&[2, 16, 1], 0)?;
/// let run = Trainer::new(net, EnergyDiscrepancy::with_std(1.0)).optimiser(SignDescent(1e-3));
/// let _ = run.steps(10).quiet().fit(&toy::gaussians_8())?;
/// # Ok::<(), Error>(())
/// ```
pub trait Optimiser: Debug + Send {
    /// Changes the parameters in step number `step`, counted from 1, by the loss's gradient; `factor` is what
    /// the schedule multiplies the learning rate with.
    ///
    /// # Errors
    /// If a setting is impossible, or the lists differ in length.
    fn step(
        &mut self,
        step: usize,
        factor: f64,
        parameters: &mut [f32],
        gradient: &[f32],
    ) -> Result<(), Error>;

    /// The lists of numbers that it keeps from step to step, each with a name: what a checkpoint holds.
    fn state(&mut self) -> Vec<(&'static str, &mut Vec<f32>)> {
        Vec::new()
    }
}

impl Optimiser for Box<dyn Optimiser> {
    fn step(
        &mut self,
        step: usize,
        factor: f64,
        parameters: &mut [f32],
        gradient: &[f32],
    ) -> Result<(), Error> {
        (**self).step(step, factor, parameters, gradient)
    }

    fn state(&mut self) -> Vec<(&'static str, &mut Vec<f32>)> {
        (**self).state()
    }
}

/// Stochastic gradient descent with momentum: b ← μ b + g, θ ← θ - α b.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::train::Sgd;
///
/// let (mut sgd, mut θ) = (Sgd::new(0.1).momentum(0.5), [1.0]);
/// sgd.step(1, 1.0, &mut θ, &[2.0])?; // b = 2
/// sgd.step(2, 1.0, &mut θ, &[0.0])?; // b = 1
/// assert!((θ[0] - 0.7).abs() < 1e-6);
/// # Ok::<(), Error>(())
/// ```
/// PyTorch equivalent: `torch.optim.SGD(params, lr=0.1, momentum=0.5)`.
#[derive(Clone, PartialEq)]
pub struct Sgd {
    learning_rate: f64,
    momentum: f64,
    mean: Vec<f32>,
}

impl Sgd {
    /// Steps of size α, without momentum.
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            momentum: 0.0,
            mean: Vec::new(),
        }
    }

    /// μ, the share of the old steps that is kept.
    pub fn momentum(self, momentum: f64) -> Self {
        Self { momentum, ..self }
    }
}

impl Debug for Sgd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sgd")
            .field("learning_rate", &self.learning_rate)
            .field("momentum", &self.momentum)
            .finish()
    }
}

impl Optimiser for Sgd {
    fn step(
        &mut self,
        _: usize,
        factor: f64,
        parameters: &mut [f32],
        gradient: &[f32],
    ) -> Result<(), Error> {
        let rate = rate(self.learning_rate, factor)?;
        if !(0.0..1.0).contains(&self.momentum) {
            return Err(Error::setting(
                "momentum",
                self.momentum,
                "at least 0 and below 1",
            ));
        }
        begin(&mut self.mean, parameters, gradient)?;
        let (size, momentum) = (rate as f32, self.momentum as f32);
        for ((θ, g), b) in parameters.iter_mut().zip(gradient).zip(&mut self.mean) {
            *b = momentum * *b + g;
            *θ -= size * *b;
        }
        Ok(())
    }

    fn state(&mut self) -> Vec<(&'static str, &mut Vec<f32>)> {
        vec![("momentum", &mut self.mean)]
    }
}

/// The rate of a step.
///
/// # Errors
/// If it is negative or not finite.
pub(super) fn rate(learning_rate: f64, factor: f64) -> Result<f64, Error> {
    let rate = learning_rate * factor;
    if rate >= 0.0 && rate.is_finite() {
        return Ok(rate);
    }
    Err(Error::setting(
        "learning rate",
        rate,
        "finite and not negative",
    ))
}

/// Makes a moment as long as the parameters at the first step.
///
/// # Errors
/// If the lists differ in length.
pub(super) fn begin(
    moment: &mut Vec<f32>,
    parameters: &[f32],
    gradient: &[f32],
) -> Result<(), Error> {
    let n = parameters.len();
    if moment.is_empty() {
        moment.resize(n, 0.0);
    }
    if (gradient.len(), moment.len()) != (n, n) {
        let expected = format!("{n} gradients and moments, as there are parameters,");
        return Err(Error::shape(
            "the step",
            (gradient.len(), moment.len()),
            expected,
        ));
    }
    Ok(())
}
