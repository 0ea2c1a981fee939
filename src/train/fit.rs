//! The training loop, compiled here whatever energy and loss a cell brings.

use super::board::View;
use super::history::History;
use super::stopped::Stopped;
use super::{Adam, Ema, Metric, Optimiser};
use crate::backend::{Backend, Number, all_finite};
use crate::checkpoint::Schedule;
use crate::data::Data;
use crate::energy::{Points, Trainable, for_each_backend};
use crate::notebook::{Live, Progress};
use crate::plot::Figure;
use crate::{Error, Rng, rng};
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
        match self.watches.iter().find(|watch| watch.every == 0) {
            Some(watch) => {
                let value = format!("{} every 0 steps", watch.name);
                Err(Error::setting("metric", value, "every 1 step at least"))
            }
            None => Ok(()),
        }
    }

    fn start(&self, job: &mut dyn Job<E, Dev>) -> Result<State<E>, Error> {
        let parameters = job.energy().flat_parameters();
        let (rng, mut metric_rng) = (rng(self.seed), rng(self.seed));
        // Metrics have a stream of their own: what is watched changes nothing.
        metric_rng.set_stream(1);
        Ok(State {
            step: 0,
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
        let result = self.steps_from(&mut state, job, data, bounds);
        let shown = job.energy().set_flat_parameters(&state.parameters);
        let shown = shown.and_then(|()| job.ema().set_flat_parameters(&state.mean));
        // Whatever happened, the state is kept, and `fit` can be called again.
        self.state = Some(state);
        let stopped = result?;
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
        while state.step < self.steps {
            if (bounds.leaves)() {
                return Ok(self.end(seen, Stopped::ByUser { steps: state.step }));
            }
            let step = state.step;
            let x = data.sample(self.batch, &mut state.rng)?;
            let loss = job.gradient(&x, &mut state.rng, &mut gradient)?;
            if !(loss.is_finite() && all_finite(&gradient)) {
                return Ok(self.end(seen, Stopped::NonFinite { step, loss }));
            }
            let ema = Ema {
                decay: self.ema,
                values: &mut state.mean,
            };
            state
                .optimiser
                .step(&mut state.parameters, &gradient, Some(ema))?;
            job.energy().set_flat_parameters(&state.parameters)?;
            state.step += 1;
            self.history.push_loss(loss);
            if let Some((factor, every)) = self.decay
                && state.step.is_multiple_of(every)
            {
                let rate = state.optimiser.learning_rate() * factor;
                state.optimiser.set_learning_rate(rate)?;
            }
            self.measure(step, state, job)?;
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

    /// Takes the metrics whose turn it is, on the running means.
    fn measure(
        &mut self,
        step: usize,
        state: &mut State<E>,
        job: &mut dyn Job<E, Dev>,
    ) -> Result<(), Error> {
        let due = |watch: &Watch<E, Dev>| step.is_multiple_of(watch.every);
        if !self.watches.iter().any(due) {
            return Ok(());
        }
        let ema = job.ema();
        ema.set_flat_parameters(&state.mean)?;
        for watch in self.watches.iter_mut().filter(|watch| due(watch)) {
            let value = watch.metric.evaluate(&*ema, &mut state.metric_rng)?;
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
