//! A training run, as a notebook sets it up.

use super::history::History;
use super::metric::Metric;
use super::objective::Objective;
use super::optimiser::Optimiser;
use super::run::{Bounds, Length, Run, Visible, Watch};
use super::schedule::Schedule;
use super::stopped::Stopped;
use super::validation::Validation;
use crate::data::Data;
use crate::energy::{Energy, weights};
use crate::notebook::StopButton;
use crate::tensors::Points;
use crate::{Error, Rng, checkpoint};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A run of training, of whatever it trains: [`Trainer`](super::Trainer) is one of an energy and a loss,
/// [`LatentEbm`](crate::lebm::LatentEbm) one of a latent model.
pub struct Training<O> {
    pub(super) objective: O,
    pub(super) run: Run,
}

/// Settings and results.
impl<O> Training<O> {
    /// A run of 1000 steps of batches of 128, seed 0, with an optimiser for each of the objective's nets.
    pub fn of<P: Optimiser + 'static>(
        objective: O,
        optimisers: impl IntoIterator<Item = P>,
    ) -> Self {
        let run = Run {
            length: Length::Steps(1000),
            in_order: false,
            batch: 128,
            optimisers: Vec::new(),
            optimiser_settings: Vec::new(),
            schedule: Schedule::constant(),
            ema: 0.0,
            clip: None,
            recoveries: 0,
            validation: None,
            patience: None,
            seed: 0,
            visible: Visible::All,
            is_to_check: true,
            checkpoints: None,
            watches: Vec::new(),
            history: History::default(),
            time: Duration::ZERO,
            state: None,
        };
        Self { objective, run }.optimisers(optimisers)
    }

    /// The number of steps in all; each has a batch of its own. Raised after a run, `fit` goes on to the new
    /// number.
    pub fn steps(mut self, steps: usize) -> Self {
        self.run.length = Length::Steps(steps);
        self
    }

    /// How often all points of a finite set are seen, each time in another order. An epoch's last batch may
    /// have fewer points. Raised after a run, `fit` goes on to the new number.
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.run.length = Length::Epochs(epochs);
        self
    }

    /// Takes the points in their order in each epoch, not shuffled.
    pub fn in_order(mut self) -> Self {
        self.run.in_order = true;
        self
    }

    /// The number of points of each step.
    pub fn batch(mut self, batch: usize) -> Self {
        self.run.batch = batch;
        self
    }

    /// An optimiser for each of the objective's nets.
    pub fn optimisers<P: Optimiser + 'static>(
        mut self,
        optimisers: impl IntoIterator<Item = P>,
    ) -> Self {
        let boxed = optimisers
            .into_iter()
            .map(|optimiser| Box::new(optimiser) as Box<dyn Optimiser>);
        self.run.optimisers = boxed.collect();
        let words = self
            .run
            .optimisers
            .iter()
            .map(|optimiser| format!("{optimiser:?}"));
        self.run.optimiser_settings = words.collect();
        self
    }

    /// How the learning rate changes over the steps.
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.run.schedule = schedule;
        self
    }

    /// Keeps a running mean of the weights, of which each step keeps this share: 0.999, say. With
    /// 0, the default, it is the weights themselves.
    pub fn ema_decay(mut self, decay: f64) -> Self {
        self.run.ema = decay;
        self
    }

    /// Shortens each net's gradient to this length (its Euclidean norm) where it is longer.
    ///
    /// PyTorch equivalent: `torch.nn.utils.clip_grad_norm_(net.parameters(), norm)`.
    pub fn clip_norm(mut self, norm: f64) -> Self {
        self.run.clip = Some(norm);
        self
    }

    /// Takes the loss on points that training does not see, `(N, D)`, after step 0 and every `every`-th from there,
    /// with the running mean of the weights, and keeps the weights at which it was least: they are the result
    /// ([`Trainer::ema`](super::Trainer::ema), [`Training::save`]) once [`Training::fit`] has ended, however it ends.
    /// The loss stands in the live curve beside the training's, and in the history as
    /// [`History::held_out`].
    ///
    /// It has the same noise whenever it is taken, and of few points the mean over several draws. What it takes
    /// changes nothing of the training.
    ///
    /// # Examples
    /// A wide net on 100 points, which it would learn by heart:
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let data = Dataset::from_points(&toy::gaussians_8().sample(125, &mut rng(0))?)?;
    /// let (train, held_out) = data.split(0.8, 0)?;
    /// let net = Mlp::softplus(&[2, 64, 64, 1], 0)?;
    /// let mut run = Trainer::new(net, EnergyDiscrepancy::with_std(0.5).particles(4))
    ///     .steps(3000)
    ///     .batch(100)
    ///     .adam(1e-2)
    ///     .validate(&held_out.points()?, 20)
    ///     .patience(10)
    ///     .quiet();
    /// let stopped = run.fit(&train)?;
    /// assert!(matches!(stopped, Stopped::Early { steps, best, .. } if steps < 3000 && best < steps));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn validate(mut self, held_out: &Points, every: usize) -> Self {
        self.run.validation = Some(Validation::on(held_out, every));
        self
    }

    /// Ends the run where the held-out loss has not been less than before for so many looks, with
    /// [`Stopped::Early`]. Raised after a run, `fit` goes on.
    pub fn patience(mut self, looks: usize) -> Self {
        self.run.patience = Some(looks);
        self
    }

    /// Where a loss or a gradient is not finite, or the energies grow without bound: back to the weights of the least
    /// held-out loss, or without [`Training::validate`] to those of the last look at the energies (every 20 steps), and
    /// on from there with half the learning rate, at most so many times. Each is said in a line and kept in
    /// [`History::recoveries`].
    pub fn recover(mut self, times: usize) -> Self {
        self.run.recoveries = times;
        self
    }

    /// The seed of batches and noise. (The nets have their own.)
    pub fn seed(mut self, seed: u64) -> Self {
        self.run.seed = seed;
        self
    }

    /// Writes a checkpoint into the folder after every `every` steps and whenever [`Training::fit`]
    /// ends, each in the place of the one before: see [`Training::resume`].
    pub fn checkpoints(mut self, folder: impl Into<PathBuf>, every: usize) -> Self {
        let folder = folder.into();
        self.run.checkpoints = Some(checkpoint::Schedule { folder, every });
        self
    }

    /// Leaves out the check of an energy of your own, by which the first [`Training::fit`] begins:
    /// [`Energy::check`] at 16 points of the first batch and
    /// [`Trainable::check_parameters`](crate::energy::Trainable::check_parameters) at 8. It draws none of the run's
    /// random numbers and leaves the weights as they are.
    pub fn unchecked(mut self) -> Self {
        self.run.is_to_check = false;
        self
    }

    /// Shows the bar alone, and no figures: for several runs below one cell.
    pub fn bar_only(mut self) -> Self {
        self.run.visible = Visible::Bar;
        self
    }

    /// Shows no progress.
    pub fn quiet(mut self) -> Self {
        self.run.visible = Visible::Nothing;
        self
    }

    /// Takes a metric of the running mean after step 0 and every `every`-th from there.
    pub fn metric(
        mut self,
        name: impl Into<String>,
        every: usize,
        metric: impl Metric + Send + 'static,
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
        F: FnMut(&dyn Energy, &mut Rng) -> Result<f64, Error> + Send + 'static,
    {
        self.metric(name, every, metric)
    }

    /// What is trained.
    pub fn objective(&self) -> &O {
        &self.objective
    }

    pub(crate) fn objective_mut(&mut self) -> &mut O {
        &mut self.objective
    }

    /// Losses and metrics so far.
    pub fn history(&self) -> &History {
        &self.run.history
    }

    /// The least held-out loss of a run that is [validated](Training::validate), and after how many steps it was taken.
    pub fn best(&self) -> Option<(usize, f64)> {
        self.run.best()
    }

    /// How long [`Training::fit`] has worked so far, in all its calls.
    pub fn time(&self) -> Duration {
        self.run.time
    }
}

impl<O: Objective> Training<O> {
    /// Trains until all steps are done, the Stop button is pressed, a loss is not finite, or the energies
    /// grow without bound. Called again, it goes on where it was.
    ///
    /// # Errors
    /// If a setting is impossible, the data, the loss or a metric fails, an energy of your own has gradients
    /// that are not its slopes, another run writes checkpoints into this one's folder, or one cannot be
    /// written. The nets are then as the last complete step left them, and `fit` can be called again, which
    /// takes the step or the metric again that failed: after a panic in an energy or a metric too.
    pub fn fit(&mut self, data: &dyn Data) -> Result<Stopped, Error> {
        let _held = self.run.lock()?;
        let stop = StopButton::watch();
        let bounds = Bounds {
            leaves: &|| stop.pressed(),
            visible: self.run.visible,
        };
        let stopped = self.run.fit(&mut self.objective, data, bounds)?;
        self.run.last_checkpoint(&mut self.objective)?;
        Ok(stopped)
    }

    /// Writes the result to a safetensors file: the parameters of all nets under their names, with the running mean
    /// of the weights where a net has one. [`Parameters::load_weights`](crate::energy::Parameters::load_weights) reads it, and Python does.
    ///
    /// # Errors
    /// If the file cannot be written, or two nets have a parameter of one name. An old file of that name is then
    /// left as it was.
    pub fn save(&mut self, path: impl AsRef<Path>) -> Result<(), Error> {
        let nets = self.objective.nets();
        let results = nets
            .iter()
            .map(|net| net.mean.as_deref().unwrap_or(&*net.net));
        let parameters: Vec<_> = results.flat_map(|net| net.parameters()).collect();
        weights::save(path.as_ref(), &parameters)
    }

    /// Writes a checkpoint into the folder, in the place of an older one: weights, running means, what the
    /// optimisers and the objective keep, the random states, the step, the history, and the settings. If the
    /// program is killed meanwhile, the older one is still there.
    ///
    /// # Errors
    /// If [`Training::fit`] was not called yet, or the file cannot be written.
    pub fn checkpoint(&mut self, folder: impl AsRef<Path>) -> Result<(), Error> {
        self.run.checkpoint(folder.as_ref(), &mut self.objective)
    }

    /// Takes the place where a checkpoint was written: [`Training::fit`] then goes on from there and, on the
    /// same data, gives the same bits as a run that was never ended. Returns the number of steps done.
    ///
    /// The run is set up as the one that wrote it; only its length and patience may differ, what is
    /// shown, and where checkpoints go. Losses and optimisers are compared by what `Debug` says of them, metrics and
    /// schedules by their names.
    ///
    /// # Errors
    /// If there is no checkpoint in the folder, it is damaged, or its parameters or settings differ from
    /// this run's. The run is then as it was.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let data = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?;
    /// let set_up = || -> Result<Trainer<Mlp, EnergyDiscrepancy>, Error> {
    ///     let net = Mlp::silu(&[1, 8, 1], 0)?;
    ///     Ok(Trainer::new(net, EnergyDiscrepancy::with_std(1.0)).quiet())
    /// };
    /// # let temporary = tempfile::tempdir().unwrap();
    /// # let folder = temporary.path();
    /// let mut run = set_up()?.steps(20).checkpoints(folder, 1000);
    /// let _ = run.fit(&data)?;
    /// // In another process, perhaps after a power cut:
    /// let mut again = set_up()?.steps(50);
    /// assert_eq!(again.resume(folder)?, 20);
    /// assert_eq!(again.fit(&data)?, Stopped::AtEnd { steps: 50 });
    /// # Ok::<(), Error>(())
    /// ```
    pub fn resume(&mut self, folder: impl AsRef<Path>) -> Result<usize, Error> {
        self.run.resume(folder.as_ref(), &mut self.objective)
    }
}
