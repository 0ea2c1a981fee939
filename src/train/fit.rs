//! The training loop, compiled here whatever energy and loss a cell brings.

use super::board::View;
use super::history::History;
use super::stopped::Stopped;
use super::{Adam, Ema, Metric, Optimiser, growth};
use crate::backend::{Backend, Number, all_finite};
use crate::checkpoint::Schedule;
use crate::data::Data;
use crate::energy::{Points, Trainable, check, for_each_backend};
use crate::notebook::{Live, Progress};
use crate::plot::Figure;
use crate::{Error, Rng, rng};
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

/// The energy and the loss of a run, as the loop sees them.
pub trait Job<E: Number, Dev: Backend<E>> {
    /// The loss on a batch; its gradient goes into the list.
    fn gradient(&self, x: &Points<E, Dev>, rng: &mut Rng, gradient: &mut [E])
    -> Result<f64, Error>;

    /// The energy under training.
    fn energy(&mut self) -> &mut dyn Trainable<E, Dev>;

    /// The energy with the running means of the weights.
    fn ema(&mut self) -> &mut dyn Trainable<E, Dev>;
}

/// A metric with its name and how often to take it.
pub struct Watch<E: Number, Dev: Backend<E>> {
    pub(super) name: String,
    pub(super) every: usize,
    pub(super) metric: Box<dyn Metric<E, Dev> + Send>,
}

/// Settings and state of a run: all but the energy and the loss.
pub struct Run<E: Number, Dev: Backend<E>> {
    pub(super) steps: usize,
    pub(super) batch: usize,
    pub(super) adam: Adam,
    pub(super) decay: Option<(f64, usize)>,
    pub(super) ema: f64,
    pub(super) seed: u64,
    pub(super) quiet: bool,
    /// Whether the energy's gradients are still to be held against its values.
    pub(super) is_to_check: bool,
    /// What the loss says of itself: by this a checkpoint knows it.
    pub(super) loss: String,
    pub(super) checkpoints: Option<Schedule>,
    pub(super) watches: Vec<Watch<E, Dev>>,
    pub(super) history: History,
    pub(super) time: Duration,
    pub(super) state: Option<State<E>>,
}

/// What changes from step to step.
pub struct State<E> {
    pub(super) step: usize,
    pub(super) parameters: Vec<E>,
    pub(super) mean: Vec<E>,
    pub(super) optimiser: Optimiser<E>,
    pub(super) rng: Rng,
    pub(super) metric_rng: Rng,
    /// The mean of |U| when it was looked at first.
    pub(super) energy_at_start: Option<f64>,
    pub(super) sane: Sane<E>,
}

/// Weights from when the energies were last looked at, and had not grown without bound.
pub struct Sane<E> {
    pub(super) step: usize,
    pub(super) parameters: Vec<E>,
    pub(super) mean: Vec<E>,
}

/// When a run leaves its loop, and who looks on.
#[derive(Clone, Copy)]
pub struct Bounds<'a> {
    /// Asked before each step: whether to leave. The run can go on later.
    pub(super) leaves: &'a dyn Fn() -> bool,
    /// Whether a bar and a curve are shown.
    pub(super) shown: bool,
}

/// The loop for every number type and device.
pub trait Fit<E: Number, Dev: Backend<E>> {
    fn fit(
        &mut self,
        job: &mut dyn Job<E, Dev>,
        data: &dyn Data<E, Dev>,
        bounds: Bounds,
    ) -> Result<Stopped, Error>;
}

impl<E: Number, Dev: Backend<E>> Run<E, Dev> {
    fn check(&self) -> Result<(), Error> {
        if self.batch == 0 {
            return Err(Error::setting("batch", 0, "at least 1"));
        }
        if !(0.0..=1.0).contains(&self.ema) {
            return Err(Error::setting("ema", self.ema, "a share kept, from 0 to 1"));
        }
        if let Some((factor, every)) = self.decay
            && (!(factor > 0.0 && factor.is_finite()) || every == 0)
        {
            let allowed = "a positive factor, every 1 step at least";
            let value = format!("{factor} every {every} steps");
            return Err(Error::setting("learning rate decay", value, allowed));
        }
        if let Some(schedule) = &self.checkpoints {
            schedule.check()?;
        }
        for (i, watch) in self.watches.iter().enumerate() {
            if watch.every == 0 {
                let value = format!("{} every 0 steps", watch.name);
                return Err(Error::setting("metric", value, "every 1 step at least"));
            }
            if self.watches[..i]
                .iter()
                .any(|other| other.name == watch.name)
            {
                let allowed = "a name of its own for each metric";
                return Err(Error::setting("metric", &watch.name, allowed));
            }
        }
        Ok(())
    }

    /// Keeps other runs from the folder of the checkpoints, as long as what this returns lives.
    pub(super) fn lock(&self) -> Result<Option<File>, Error> {
        match &self.checkpoints {
            Some(schedule) => schedule.lock(),
            None => Ok(None),
        }
    }

    fn start(&self, job: &mut dyn Job<E, Dev>) -> Result<State<E>, Error> {
        let parameters = job.energy().flat_parameters();
        let (rng, mut metric_rng) = (rng(self.seed), rng(self.seed));
        // Metrics have a stream of their own: what is watched changes nothing.
        metric_rng.set_stream(1);
        let sane = Sane {
            step: 0,
            parameters: parameters.clone(),
            mean: parameters.clone(),
        };
        Ok(State {
            step: 0,
            sane,
            energy_at_start: None,
            mean: parameters.clone(),
            optimiser: Optimiser::new(self.adam, parameters.len())?,
            parameters,
            rng,
            metric_rng,
        })
    }

    fn fit_on(
        &mut self,
        job: &mut dyn Job<E, Dev>,
        data: &dyn Data<E, Dev>,
        bounds: Bounds,
    ) -> Result<Stopped, Error> {
        self.check()?;
        let mut state = match self.state.take() {
            Some(state) => state,
            None => self.start(job)?,
        };
        // Whatever happens, a panic in an energy or a metric of a cell too, the state is kept, and `fit` can
        // be called again.
        let steps = || self.steps_from(&mut state, job, data, bounds);
        let result = catch_unwind(AssertUnwindSafe(steps));
        let state = self.state.insert(state);
        let shown = job.energy().set_flat_parameters(&state.parameters);
        let shown = shown.and_then(|()| job.ema().set_flat_parameters(&state.mean));
        let stopped = result.unwrap_or_else(|panic| resume_unwind(panic))?;
        shown?;
        Ok(stopped)
    }

    fn steps_from(
        &mut self,
        state: &mut State<E>,
        job: &mut dyn Job<E, Dev>,
        data: &dyn Data<E, Dev>,
        bounds: Bounds,
    ) -> Result<Stopped, Error> {
        let mut gradient = vec![E::default(); state.parameters.len()];
        let mut seen = bounds
            .shown
            .then(|| (Progress::new(state.step, self.steps), Live::new()));
        let mut begun = Instant::now();
        // Those of the last step, if one of them failed.
        self.measure(state, job)?;
        while state.step < self.steps {
            if (bounds.leaves)() {
                return Ok(self.end(seen, Stopped::ByUser { steps: state.step }));
            }
            let step = state.step;
            // A step that fails is taken again with the same random numbers.
            let mut rng = state.rng.clone();
            let x = self.batch_of(data, &mut rng)?;
            if self.is_to_check && !job.energy().is_tested() {
                check::training(job.energy(), &x)?;
            }
            self.is_to_check = false;
            let loss = job.gradient(&x, &mut rng, &mut gradient)?;
            state.rng = rng;
            if !(loss.is_finite() && all_finite(&gradient)) {
                return Ok(self.end(seen, Stopped::NonFinite { step, loss }));
            }
            if let Some(energy) = self.growth(state, job, &x, loss)? {
                let steps = state.step;
                let kept = state.sane.step;
                state.parameters.clone_from(&state.sane.parameters);
                state.mean.clone_from(&state.sane.mean);
                let stopped = Stopped::Unbounded {
                    steps,
                    energy,
                    loss,
                    kept,
                };
                return Ok(self.end(seen, stopped));
            }
            let ema = Ema {
                decay: self.ema,
                values: &mut state.mean,
            };
            state
                .optimiser
                .step(&mut state.parameters, &gradient, Some(ema))?;
            state.step += 1;
            self.history.push_loss(loss);
            if let Some((factor, every)) = self.decay
                && state.step.is_multiple_of(every)
            {
                let rate = state.optimiser.learning_rate() * factor;
                state.optimiser.set_learning_rate(rate)?;
            }
            job.energy().set_flat_parameters(&state.parameters)?;
            self.measure(state, job)?;
            self.time += begun.elapsed();
            begun = Instant::now();
            if let Some(schedule) = &self.checkpoints
                && schedule.is_due(state.step)
            {
                self.write_checkpoint(&schedule.folder, state, &*job.energy())?;
            }
            if let Some((progress, live)) = &mut seen {
                progress.at(state.step, || self.says());
                // A picture that cannot be drawn is no reason to end the training.
                let _ = live.show(|| self.figure());
            }
        }
        Ok(self.end(seen, Stopped::AtEnd { steps: state.step }))
    }

    fn batch_of(&self, data: &dyn Data<E, Dev>, rng: &mut Rng) -> Result<Points<E, Dev>, Error> {
        data.sample(self.batch, rng).map_err(|error| match error {
            Error::Shape {
                what,
                found,
                expected,
            } => Error::Shape {
                what,
                found,
                expected: format!(
                    "{expected}, as the run's `.batch({})` asks for,",
                    self.batch
                ),
            },
            other => other,
        })
    }

    /// The mean of |U| over the batch if it, or the loss, has grown without bound.
    fn growth(
        &self,
        state: &mut State<E>,
        job: &mut dyn Job<E, Dev>,
        x: &Points<E, Dev>,
        loss: f64,
    ) -> Result<Option<f64>, Error> {
        let first = self.history.losses().first();
        let loss_has_grown = first.is_some_and(|first| growth::is_without_bound(*first, loss));
        if !(loss_has_grown || state.step.is_multiple_of(growth::EVERY)) {
            return Ok(None);
        }
        let energy = growth::mean_size(&*job.energy(), x)?;
        let start = *state.energy_at_start.get_or_insert(energy);
        if loss_has_grown || growth::is_without_bound(start, energy) {
            return Ok(Some(energy));
        }
        state.sane.step = state.step;
        state.sane.parameters.clone_from(&state.parameters);
        state.sane.mean.clone_from(&state.mean);
        Ok(None)
    }

    /// Takes the metrics of the last step that are due and not taken yet, on the running means.
    fn measure(&mut self, state: &mut State<E>, job: &mut dyn Job<E, Dev>) -> Result<(), Error> {
        let Some(step) = state.step.checked_sub(1) else {
            return Ok(());
        };
        let history = &self.history;
        let taken = |name: &str| history.metric(name)?.steps.last().copied();
        let due = |watch: &Watch<E, Dev>| {
            step.is_multiple_of(watch.every) && taken(&watch.name) != Some(step as f64)
        };
        let due: Vec<bool> = self.watches.iter().map(due).collect();
        if !due.contains(&true) {
            return Ok(());
        }
        let ema = job.ema();
        ema.set_flat_parameters(&state.mean)?;
        let watches = self.watches.iter_mut().zip(due);
        for (watch, _) in watches.filter(|(_, due)| *due) {
            let mut rng = state.metric_rng.clone();
            let value = watch.metric.evaluate(&*ema, &mut rng)?;
            state.metric_rng = rng;
            self.history.push_metric(&watch.name, step, value);
        }
        Ok(())
    }

    /// The last losses and metrics, for a line of progress.
    fn says(&self) -> String {
        let losses = self.history.losses();
        let recent = &losses[losses.len().saturating_sub(100)..];
        let mut line = match recent.len() {
            0 => String::new(),
            n => format!("loss {:.4}", recent.iter().sum::<f64>() / n as f64),
        };
        for series in self.history.metrics() {
            if let Some(value) = series.values.last() {
                line += &format!("   {} {value:.4}", series.name);
            }
        }
        line
    }

    /// What a sweep shows of the run.
    pub(super) fn view(&self) -> View {
        View {
            step: self.state.as_ref().map_or(0, |state| state.step),
            steps: self.steps,
            says: self.says(),
            losses: self.history.loss_curve(),
            metric: self.history.metrics().last().cloned(),
            time: self.time,
        }
    }

    /// A small figure of the losses.
    fn figure(&self) -> Figure {
        self.history.chart().figure().size(520, 230)
    }

    fn end(&self, seen: Option<(Progress, Live)>, stopped: Stopped) -> Stopped {
        if let Some((progress, live)) = seen {
            progress.finish(self.history.losses().len(), &self.says());
            let _ = live.finish(&self.figure());
        }
        stopped
    }
}

macro_rules! implement {
    ($E:ty, $Dev:ty) => {
        impl Fit<$E, $Dev> for Run<$E, $Dev> {
            fn fit(
                &mut self,
                job: &mut dyn Job<$E, $Dev>,
                data: &dyn Data<$E, $Dev>,
                bounds: Bounds,
            ) -> Result<Stopped, Error> {
                self.fit_on(job, data, bounds)
            }
        }
    };
}
for_each_backend!(implement);
