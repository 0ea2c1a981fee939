//! Losses: functions of an energy and a batch of data, small where the energy fits the data.
//!
//! | loss | asks of the energy | random numbers |
//! |---|---|---|
//! | [`EnergyDiscrepancy`] | U | of the perturbation |
//! | [`ContrastiveDivergence`] | U, and ∇U for the chains | of the sampler |
//! | [`MaximumLikelihood`] | U | none |
//! | [`ScoreMatching`] | ∇U and ΔU | none |

mod above;
mod contrastive_divergence;
mod energy_discrepancy;
mod maximum_likelihood;
mod perturbation;
mod score_matching;

pub use crate::energy::{TapedLoss, Terms};
pub use above::Above;
pub use contrastive_divergence::ContrastiveDivergence;
pub use energy_discrepancy::EnergyDiscrepancy;
pub use maximum_likelihood::MaximumLikelihood;
pub use perturbation::{Gaussian, Perturbation};
pub use score_matching::ScoreMatching;

use crate::energy::{Energy, Trainable};
use crate::tensors::Points;
use crate::{Error, Rng};
use std::fmt::Debug;

/// A function of an energy and a batch of data.
///
/// One method is to be written: what the loss asks of the energy for this batch, and its formula on these
/// numbers. `Debug` tells one loss from another with other settings: a checkpoint keeps what it says
/// before the first step.
///
/// # Examples
/// The gradient of a loss with respect to a net's parameters, in one list:
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let net = Mlp::softplus(&[1, 8, 1], 0)?;
/// let x = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?.sample(64, &mut rng(0))?;
///
/// let mut loss = EnergyDiscrepancy::with_std(1.0);
/// let (value, gradient) = loss.gradient(&net, &x, &mut rng(1))?;
/// assert!((value - loss.evaluate(&net, &x, &mut rng(1))?).abs() < 1e-6);
/// assert_eq!(gradient.len(), net.flat_parameters().len());
/// # Ok::<(), Error>(())
/// ```
/// A loss of one's own, noise-contrastive estimation against N(0, I) (Gutmann & Hyvärinen, AISTATS 2010). A
/// classifier of data and noise with the log-odds -U(x) - log q(x):
/// ```
/// use energy_discrepancy::prelude::*;
///
/// #[derive(Debug)]
/// struct NoiseContrastive;
///
/// impl Loss for NoiseContrastive {
///     fn terms(&mut self, _: &dyn Energy, x: &Points, rng: &mut Rng) -> Result<Terms<'_>, Error> {
///         let (data, d) = (to_vec(x), x.shape().1);
///         let noise = to_vec(&normal_points(x.shape().0, d, rng)?);
///         let log_q = |row: &[f32]| -> f64 {
///             let square: f32 = row.iter().map(|x| x * x).sum();
///             -0.5 * (f64::from(square) + d as f64 * std::f64::consts::TAU.ln())
///         };
///         let pairs = data.chunks(d).zip(noise.chunks(d));
///         let log_qs: Vec<_> = pairs.clone().map(|(x, y)| [log_q(x), log_q(y)]).collect();
///         let rows = pairs.flat_map(|(x, y)| [x, y].concat()).collect();
///         Terms::of_energies(rows, d, 2, move |i, u, slope| {
///             // log(1 + e^-a) for data and log(1 + e^a) for noise, with a = -U - log q.
///             let [of_data, of_noise] = log_qs[i];
///             let (a, b) = (u[0] + of_data, -u[1] - of_noise);
///             let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
///             slope.copy_from_slice(&[sigmoid(a), -sigmoid(b)]);
///             a.max(0.0) + (-a.abs()).exp().ln_1p() + b.max(0.0) + (-b.abs()).exp().ln_1p()
///         })
///     }
/// }
///
/// let net = Mlp::softplus(&[2, 16, 1], 0)?;
/// let mut run = Trainer::new(net, NoiseContrastive).steps(10).quiet();
/// let _ = run.fit(&toy::gaussians_8())?;
/// # Ok::<(), Error>(())
/// ```
pub trait Loss: Debug + Send {
    /// What the loss asks of an energy for the batch `x`, `(N, D)`, and its formula on these numbers.
    ///
    /// The energy is there for losses that sample from it.
    ///
    /// # Errors
    /// If the loss's settings are impossible, the batch does not fit, or the energy fails.
    fn terms(&mut self, energy: &dyn Energy, x: &Points, rng: &mut Rng)
    -> Result<Terms<'_>, Error>;

    /// The lists of numbers that the loss keeps from step to step, chains for example, each with a name:
    /// what a checkpoint holds of it.
    fn state(&mut self) -> Vec<(&'static str, &mut Vec<f32>)> {
        Vec::new()
    }

    /// The loss of `energy` on the batch `x`, `(N, D)`.
    ///
    /// # Errors
    /// As [`Loss::terms`].
    fn evaluate(&mut self, energy: &dyn Energy, x: &Points, rng: &mut Rng) -> Result<f64, Error> {
        self.terms(energy, x, rng)?.value(energy)
    }

    /// The loss, and its gradient with respect to the energy's parameters in one list.
    ///
    /// # Errors
    /// As [`Loss::terms`].
    fn gradient(
        &mut self,
        energy: &dyn Trainable,
        x: &Points,
        rng: &mut Rng,
    ) -> Result<(f64, Vec<f32>), Error> {
        let parameters = energy.parameters();
        let count = parameters
            .iter()
            .map(|(_, parameter)| parameter.len())
            .sum();
        let mut gradient = vec![0.0; count];
        let value = self
            .terms(energy, x, rng)?
            .gradient(energy, &mut gradient)?;
        Ok((value, gradient))
    }

    /// The loss on dfdx's tape, so that further terms may be added before the backward pass.
    ///
    /// # Errors
    /// As [`Loss::terms`].
    fn taped(
        &mut self,
        energy: &dyn Energy,
        x: &Points,
        rng: &mut Rng,
    ) -> Result<TapedLoss, Error> {
        self.terms(energy, x, rng)?.taped(energy)
    }
}

impl<L: Loss + ?Sized> Loss for Box<L> {
    fn terms(
        &mut self,
        energy: &dyn Energy,
        x: &Points,
        rng: &mut Rng,
    ) -> Result<Terms<'_>, Error> {
        (**self).terms(energy, x, rng)
    }

    fn state(&mut self) -> Vec<(&'static str, &mut Vec<f32>)> {
        (**self).state()
    }
}

/// Each row of `first` followed by `count` rows of `second`, of D values each.
fn interleave(first: &[f32], second: &[f32], count: usize, d: usize) -> Vec<f32> {
    let mut rows = Vec::with_capacity(first.len() + second.len());
    for (first, second) in first.chunks_exact(d).zip(second.chunks_exact(count * d)) {
        rows.extend_from_slice(first);
        rows.extend_from_slice(second);
    }
    rows
}
