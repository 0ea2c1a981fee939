//! An energy and a loss, as what a run trains.

use super::{Adam, Objective, Optimiser, TrainedNet, Training, growth};
use crate::energy::{Energy, Trainable, check};
use crate::loss::Loss;
use crate::tensors::Points;
use crate::{Error, Rng};

/// An energy that is fitted by a loss, and the same with a running mean of the weights.
pub struct Fitting<N, L> {
    energy: N,
    ema: N,
    loss: L,
    /// What the loss says of itself before the first step.
    settings: String,
}

/// Fits an energy to data by a loss, with Adam, unless another optimiser is given, and a running mean of the
/// weights.
///
/// Everything is reproducible from the seed: the same seed gives the same bits on the same
/// machine, whatever the number of threads and whatever is watched.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let data = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?;
/// let net = Mlp::silu(&[1, 8, 8, 1], 0)?;
/// let mut run = Trainer::new(net, EnergyDiscrepancy::with_std(1.0))
///     .steps(200)
///     .batch(128)
///     .adam(1e-2)
///     .ema_decay(0.99)
///     .quiet();
/// // Another cell, which may be run again after Stop:
/// let stopped = run.fit(&data)?;
/// assert_eq!(stopped, Stopped::AtEnd { steps: 200 });
/// assert_eq!(run.history().losses().len(), 200);
/// let energies = run.ema().energy(&data.sample(5, &mut rng(1))?)?;
/// # Ok::<(), Error>(())
/// ```
/// One function for runs with different losses:
/// ```
/// use energy_discrepancy::prelude::*;
///
/// fn set_up(loss: Box<dyn Loss>) -> Result<Trainer<Mlp>, Error> {
///     let net = Mlp::softplus(&[2, 16, 1], 0)?;
///     Ok(Trainer::new(net, loss).steps(10).ema_decay(0.9))
/// }
///
/// let mut ed = set_up(Box::new(EnergyDiscrepancy::with_std(1.0)))?;
/// let mut sm = set_up(Box::new(ScoreMatching))?;
/// let runs = [("energy discrepancy", &mut ed), ("score matching", &mut sm)];
/// Sweep::new().runs(runs).fit(&toy::gaussians_8())?;
/// assert_eq!(sm.history().losses().len(), 10);
/// # Ok::<(), Error>(())
/// ```
pub type Trainer<N, L = Box<dyn Loss>> = Training<Fitting<N, L>>;

impl<N: Trainable + Clone, L: Loss> Training<Fitting<N, L>> {
    /// A run of 1000 steps of batches of 128, with Adam's rate 1e-3, no running mean, seed 0.
    pub fn new(energy: N, loss: L) -> Self {
        let settings = format!("{loss:?}");
        let ema = energy.clone();
        let fitting = Fitting {
            energy,
            ema,
            loss,
            settings,
        };
        Training::of(fitting, [Adam::new(1e-3)])
    }
}

impl<N, L> Training<Fitting<N, L>> {
    /// Adam with this learning rate and PyTorch's other settings.
    pub fn adam(self, learning_rate: f64) -> Self {
        self.optimiser(Adam::new(learning_rate))
    }

    /// Any optimiser: [`Adam`] with all its settings, [`Sgd`](super::Sgd), one of your own.
    pub fn optimiser(self, optimiser: impl Optimiser + 'static) -> Self {
        self.optimisers([optimiser])
    }

    /// The energy, with the weights of the last step.
    pub fn energy(&self) -> &N {
        &self.objective().energy
    }

    /// The energy with the running mean of the weights: the result. Of a run that is
    /// [validated](Training::validate) the mean is that at which the held-out loss was least, once
    /// [`fit`](Training::fit) has ended.
    pub fn ema(&self) -> &N {
        &self.objective().ema
    }
}

impl<N: Trainable, L: Loss> Objective for Fitting<N, L> {
    fn settings(&self) -> String {
        self.settings.clone()
    }

    fn series(&self) -> Vec<&'static str> {
        vec!["loss"]
    }

    fn nets(&mut self) -> Vec<TrainedNet<'_>> {
        let (net, mean) = (&mut self.energy, Some(&mut self.ema as _));
        vec![TrainedNet {
            name: "energy",
            net,
            mean,
        }]
    }

    fn losses(
        &mut self,
        x: &Points,
        rng: &mut Rng,
        gradients: &mut [Vec<f32>],
        _: &dyn Fn() -> bool,
    ) -> Result<Option<Vec<f64>>, Error> {
        let terms = self.loss.terms(&self.energy, x, rng)?;
        Ok(Some(vec![terms.gradient(&self.energy, &mut gradients[0])?]))
    }

    fn check(&mut self, x: &Points) -> Result<(), Error> {
        match self.energy.is_tested() {
            true => Ok(()),
            false => check::training(&mut self.energy, x),
        }
    }

    fn state(&mut self) -> Vec<(&'static str, &mut Vec<f32>)> {
        self.loss.state()
    }

    fn energy(&self) -> Option<&dyn Energy> {
        Some(&self.ema)
    }

    fn held_out(&mut self, x: &Points, rng: &mut Rng) -> Result<Option<f64>, Error> {
        let state = self.loss.state().into_iter();
        let kept: Vec<Vec<f32>> = state.map(|(_, list)| list.clone()).collect();
        let loss = self.loss.evaluate(&self.ema, x, rng);
        for ((_, list), kept) in self.loss.state().into_iter().zip(kept) {
            *list = kept;
        }
        loss.map(Some)
    }

    fn mean_size(&self, x: &Points) -> Result<Option<f64>, Error> {
        Ok(Some(growth::mean_size(&self.energy, x)?))
    }
}
