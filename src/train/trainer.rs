//! A training run, as a notebook sets it up.

use super::Stopped;
use super::adam::Adam;
use super::fit::{Bounds, Fit, Job, Run, Watch};
use super::history::History;
use super::metric::Metric;
use crate::backend::{Backend, Number};
use crate::checkpoint::Schedule;
use crate::data::Data;
use crate::energy::{Energy, Points, Trainable};
use crate::loss::{Behind, Loss};
use crate::notebook::StopButton;
use crate::{Error, Rng};
use dfdx::prelude::*;
use std::path::PathBuf;
use std::time::Duration;

/// Fits an energy to data by a loss, with Adam and a running mean of the weights.
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
pub struct Trainer<N, L, E: Number = f32, Dev: Backend<E> = AutoDevice> {
    pub(super) energy: N,
    pub(super) ema: N,
    loss: L,
    pub(super) run: Run<E, Dev>,
}

/// What a [`Trainer`] asks of an energy: what the loss does, [`Trainable`], and `Clone`, for the running mean.
/// One trait, so that what is missing is one error. Nothing to implement.
#[diagnostic::on_unimplemented(
    message = "`{Self}` lacks what this loss asks of an energy with named parameters (if it is a `Result`, add `?` where it is made)",
    label = "a `Result` lacks its `?`; an energy of your own lacks `Energy`, `Parameters` (two methods that list the fields to train) or `Clone`; exact score matching asks for `TwiceDifferentiable` too, which `Mlp` has"
)]
pub trait Learner<L: Loss<E, Dev>, E: Number = f32, Dev: Backend<E> = AutoDevice>:
    Trainable<E, Dev> + Behind<L::Of<'static>> + Clone
{
}

#[diagnostic::do_not_recommend]
impl<N, L, E, Dev> Learner<L, E, Dev> for N
where
    N: Trainable<E, Dev> + Behind<L::Of<'static>> + Clone,
    L: Loss<E, Dev>,
    E: Number,
    Dev: Backend<E>,
{
}

impl<N: Learner<L>, L: Loss> Trainer<N, L> {
    /// A run of 1000 steps of batches of 128, with Adam's rate 1e-3, no running mean, seed 0.
    pub fn new(energy: N, loss: L) -> Self {
        Self::on_backend(energy, loss)
    }
}

impl<N, L, E, Dev> Trainer<N, L, E, Dev>
where
    N: Learner<L, E, Dev>,
    L: Loss<E, Dev>,
    E: Number,
    Dev: Backend<E>,
{
    /// The same for an energy with another number type, or on another device than [`device`](crate::device).
    pub fn on_backend(energy: N, loss: L) -> Self {
        Self {
            ema: energy.clone(),
            energy,
            run: Run {
                steps: 1000,
                batch: 128,
                adam: Adam::new(1e-3),
                decay: None,
                ema: 0.0,
                seed: 0,
                quiet: false,
                is_to_check: true,
                loss: format!("{loss:?}"),
                checkpoints: None,
                watches: Vec::new(),
                history: History::default(),
                time: Duration::ZERO,
                state: None,
            },
            loss,
        }
    }
}

/// Settings and results. They ask nothing of the energy: what it lacks, `new` says, and once.
impl<N, L, E: Number, Dev: Backend<E>> Trainer<N, L, E, Dev> {
    /// The number of steps in all. Raised after a run, `fit` goes on to the new number.
    pub fn steps(mut self, steps: usize) -> Self {
        self.run.steps = steps;
        self
    }

    /// The number of points of each step.
    pub fn batch(mut self, batch: usize) -> Self {
        self.run.batch = batch;
        self
    }

    /// Adam with this learning rate and PyTorch's other settings.
    pub fn adam(self, learning_rate: f64) -> Self {
        self.optimiser(Adam::new(learning_rate))
    }

    /// Adam with all its settings.
    pub fn optimiser(mut self, adam: Adam) -> Self {
        self.run.adam = adam;
        self
    }

    /// Multiplies the learning rate by `factor` after every `every` steps.
    pub fn decay(mut self, factor: f64, every: usize) -> Self {
        self.run.decay = Some((factor, every));
        self
    }

    /// Keeps a running mean of the weights, of which each step keeps this share: 0.999, say. With
    /// 0, the default, it is the weights themselves.
    pub fn ema_decay(mut self, decay: f64) -> Self {
        self.run.ema = decay;
        self
    }

    /// The seed of batches and noise. (The net has its own.)
    pub fn seed(mut self, seed: u64) -> Self {
        self.run.seed = seed;
        self
    }

    /// Writes a checkpoint into the folder after every `every` steps and whenever [`Trainer::fit`]
    /// ends, each in the place of the one before: see [`Trainer::resume`].
    pub fn checkpoints(mut self, folder: impl Into<PathBuf>, every: usize) -> Self {
        let folder = folder.into();
        self.run.checkpoints = Some(Schedule { folder, every });
        self
    }

    /// Leaves out the check of an energy of your own, by which the first [`Trainer::fit`] begins:
    /// [`Energy::check`](crate::energy::Energy::check) at 16 points of the first batch and
    /// [`Trainable::check_parameters`] at 8. It draws none of the run's random numbers and leaves the weights as
    /// they are.
    pub fn unchecked(mut self) -> Self {
        self.run.is_to_check = false;
        self
    }

    /// Prints no progress.
    pub fn quiet(mut self) -> Self {
        self.run.quiet = true;
        self
    }

    /// Takes a metric of the running mean after step 0 and every `every`-th from there.
    pub fn metric(
        mut self,
        name: impl Into<String>,
        every: usize,
        metric: impl Metric<E, Dev> + Send + 'static,
    ) -> Self {
        self.run.watches.push(Watch {
            name: name.into(),
            every,
            metric: Box::new(metric),
        });
        self
    }

    /// Takes a metric that is a closure, whose types need not be written.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let run = Trainer::new(Mlp::silu(&[2, 8, 1], 0)?, EnergyDiscrepancy::with_std(1.0));
    /// let mut run = run.steps(3).quiet().metric_fn("largest U", 1, |energy, rng| {
    ///     let u = energy.energy(&toy::gaussians_25().sample(9, rng)?)?.as_vec();
    ///     Ok(u.into_iter().fold(f32::NEG_INFINITY, f32::max).into())
    /// });
    /// # Ok::<(), Error>(())
    /// ```
    pub fn metric_fn<F>(self, name: impl Into<String>, every: usize, metric: F) -> Self
    where
        F: FnMut(&dyn Energy<E, Dev>, &mut Rng) -> Result<f64, Error> + Send + 'static,
    {
        self.metric(name, every, metric)
    }

    /// Trains until all steps are done, the Stop button is pressed, a loss is not finite, or the energies
    /// grow without bound. Called again, it goes on where it was.
    ///
    /// # Errors
    /// If a setting is impossible, the data, the loss or a metric fails, an energy of your own has gradients
    /// that are not its slopes, another run writes checkpoints into this one's folder, or one cannot be
    /// written. The energy is then as the last complete step left it, and `fit` can be called again, which
    /// takes the step or the metric again that failed: after a panic in an energy or a metric too.
    pub fn fit(&mut self, data: &dyn Data<E, Dev>) -> Result<Stopped, Error>
    where
        N: Learner<L, E, Dev>,
        L: Loss<E, Dev>,
        Run<E, Dev>: Fit<E, Dev>,
    {
        let _held = self.run.lock()?;
        let stop = StopButton::watch();
        let bounds = Bounds {
            leaves: &|| stop.pressed(),
            shown: !self.run.quiet,
        };
        let stopped = self.fit_within(data, bounds)?;
        self.last_checkpoint()?;
        Ok(stopped)
    }

    /// The energy, with the weights of the last step.
    pub fn energy(&self) -> &N {
        &self.energy
    }

    /// The energy with the running mean of the weights: the result.
    pub fn ema(&self) -> &N {
        &self.ema
    }

    /// Losses and metrics so far.
    pub fn history(&self) -> &History {
        &self.run.history
    }

    /// How long [`Trainer::fit`] has worked so far, in all its calls.
    pub fn time(&self) -> Duration {
        self.run.time
    }
}

impl<N, L, E, Dev> Trainer<N, L, E, Dev>
where
    N: Learner<L, E, Dev>,
    L: Loss<E, Dev>,
    E: Number,
    Dev: Backend<E>,
    Run<E, Dev>: Fit<E, Dev>,
{
    pub(super) fn fit_within(
        &mut self,
        data: &dyn Data<E, Dev>,
        bounds: Bounds,
    ) -> Result<Stopped, Error> {
        let mut pair = Pair {
            energy: &mut self.energy,
            ema: &mut self.ema,
            loss: &self.loss,
        };
        self.run.fit(&mut pair, data, bounds)
    }
}

/// Energy and loss behind one trait, for the loop.
struct Pair<'a, N, L> {
    energy: &'a mut N,
    ema: &'a mut N,
    loss: &'a L,
}

impl<N, L, E, Dev> Job<E, Dev> for Pair<'_, N, L>
where
    E: Number,
    Dev: Backend<E>,
    L: Loss<E, Dev>,
    N: Trainable<E, Dev> + Behind<L::Of<'static>>,
{
    fn gradient(
        &self,
        x: &Points<E, Dev>,
        rng: &mut Rng,
        gradient: &mut [E],
    ) -> Result<f64, Error> {
        let noise = self.loss.draw(x, rng)?;
        let parameters = self.energy.parameters();
        let energy = Behind::<L::Of<'static>>::behind(&*self.energy);
        self.loss
            .gradient_of(energy, &parameters, x, &noise, gradient)
    }

    fn energy(&mut self) -> &mut dyn Trainable<E, Dev> {
        self.energy
    }

    fn ema(&mut self) -> &mut dyn Trainable<E, Dev> {
        self.ema
    }
}
