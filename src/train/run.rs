//! The training loop, compiled here whatever objective a cell brings.

use super::growth;
use super::history::{History, Recovery, Series};
use super::metric::Metric;
use super::objective::{Objective, TrainedNet};
use super::optimiser::Optimiser;
use super::schedule::{At, Schedule};
use super::stopped::Stopped;
use super::validation::{HELD_OUT, Validation};
use crate::checkpoint::{self, Checkpoint, Saved};
use crate::data::Data;
use crate::notebook::{Live, Progress};
use crate::tensors::{Points, all_finite};
use crate::{Error, Rng, rng};
use rand::seq::SliceRandom;
use serde_json::{Value, json};
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

const KIND: &str = "training run";

/// How much of a run is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visible {
    All,
    Bar,
    Nothing,
}

/// How long a run is, and by that how it goes through the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// So many batches, each drawn by itself.
    Steps(usize),
    /// So often through all points of a finite set.
    Epochs(usize),
}

/// A metric with its name and how often to take it.
pub(super) struct Watch {
    pub name: String,
    pub every: usize,
    pub metric: Box<dyn Metric + Send>,
}

/// Settings and state of a run: all but what it trains.
pub(super) struct Run {
    pub length: Length,
    /// Whether epochs take the points in their order, not shuffled.
    pub in_order: bool,
    pub batch: usize,
    pub optimisers: Vec<Box<dyn Optimiser>>,
    /// What the optimisers say of themselves before the first step.
    pub optimiser_settings: Vec<String>,
    pub schedule: Schedule,
    pub ema: f64,
    /// The largest norm of a gradient.
    pub clip: Option<f64>,
    /// How often the run may go back to good weights.
    pub recoveries: usize,
    pub validation: Option<Validation>,
    /// How many looks at the held-out loss the run waits for a better one.
    pub patience: Option<usize>,
    pub seed: u64,
    pub visible: Visible,
    /// Whether the objective is still to be checked.
    pub is_to_check: bool,
    pub checkpoints: Option<checkpoint::Schedule>,
    pub watches: Vec<Watch>,
    pub history: History,
    pub time: Duration,
    pub state: Option<State>,
}

/// What changes from step to step.
pub(super) struct State {
    pub step: usize,
    /// Steps that are in the optimisers' moments: fewer than all where the run has gone back.
    moved: usize,
    nets: Vec<Weights>,
    rng: Rng,
    metric_rng: Rng,
    /// The mean of |U| when it was looked at first.
    energy_at_start: Option<f64>,
    sane: Snapshot,
    best: Option<Best>,
    /// What the objective kept after the last complete step.
    kept: Vec<Vec<f32>>,
    /// Points of a finite set, and the order of the epoch under way.
    points: Option<usize>,
    order: Option<(usize, Vec<usize>)>,
}

/// A net's weights and their running mean, empty if it has none.
#[derive(Clone)]
struct Weights {
    values: Vec<f32>,
    mean: Vec<f32>,
}

/// Where the run was after some step: when the energies were last looked at, and had not grown without bound, or
/// when the held-out loss was least.
#[derive(Clone)]
struct Snapshot {
    step: usize,
    moved: usize,
    nets: Vec<Weights>,
    /// What each optimiser kept.
    moments: Vec<Vec<Vec<f32>>>,
}

/// The least held-out loss so far.
struct Best {
    loss: f64,
    at: Snapshot,
}

/// When a run leaves its loop, and who looks on.
#[derive(Clone, Copy)]
pub(super) struct Bounds<'a> {
    /// Asked before each step: whether to leave. The run can go on later.
    pub leaves: &'a dyn Fn() -> bool,
    /// Whether a bar and figures are shown.
    pub visible: Visible,
}

/// What is seen of a run while others advance.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub step: usize,
    pub steps: usize,
    pub says: String,
    /// Over steps.
    pub losses: Series,
    pub metric: Option<Series>,
    pub time: Duration,
}

impl Run {
    fn check(&self) -> Result<(), Error> {
        if self.batch == 0 {
            return Err(Error::setting("batch", 0, "at least 1"));
        }
        if !(0.0..=1.0).contains(&self.ema) {
            return Err(Error::setting("ema", self.ema, "a share kept, from 0 to 1"));
        }
        if let Some(norm) = self.clip
            && !(norm > 0.0 && norm.is_finite())
        {
            return Err(Error::setting("clip_norm", norm, "positive and finite"));
        }
        self.schedule.check()?;
        match (&self.validation, self.patience) {
            (None, Some(looks)) => {
                let allowed =
                    "a run with `.validate(..)`: without, there is no held-out loss to wait for";
                return Err(Error::setting("patience", looks, allowed));
            }
            (_, Some(0)) => return Err(Error::setting("patience", 0, "at least 1")),
            (Some(validation), _) => validation.check()?,
            (None, None) => {}
        }
        if let Some(schedule) = &self.checkpoints {
            schedule.check()?;
        }
        for (i, watch) in self.watches.iter().enumerate() {
            if watch.every == 0 {
                let value = format!("{} every 0 steps", watch.name);
                return Err(Error::setting("metric", value, "every 1 step at least"));
            }
            let others = self.watches[..i].iter().map(|other| other.name.as_str());
            if others.chain([HELD_OUT]).any(|other| other == watch.name) {
                let allowed = "a name of its own for each metric";
                return Err(Error::setting("metric", &watch.name, allowed));
            }
        }
        Ok(())
    }

    /// Keeps other runs from the folder of the checkpoints, as long as what this returns lives.
    pub fn lock(&self) -> Result<Option<File>, Error> {
        match &self.checkpoints {
            Some(schedule) => schedule.lock(),
            None => Ok(None),
        }
    }

    fn start(
        &mut self,
        objective: &mut dyn Objective,
        points: Option<usize>,
    ) -> Result<State, Error> {
        let nets = objective.nets();
        if nets.len() != self.optimisers.len() {
            let expected = format!("one for each of the {} nets", nets.len());
            return Err(Error::shape(
                "the optimisers",
                self.optimisers.len(),
                expected,
            ));
        }
        let weights = nets.iter().map(|net| {
            let values = net.net.flat_parameters();
            let mean = net.mean.is_some().then(|| values.clone());
            Weights {
                mean: mean.unwrap_or_default(),
                values,
            }
        });
        let weights: Vec<Weights> = weights.collect();
        self.history = History::of(objective.series());
        let (rng, mut metric_rng) = (rng(self.seed), rng(self.seed));
        // Metrics have a stream of their own: what is watched changes nothing.
        metric_rng.set_stream(METRICS);
        let sane = self.snapshot((0, 0), &weights);
        Ok(State {
            step: 0,
            moved: 0,
            sane,
            best: None,
            nets: weights,
            energy_at_start: None,
            rng,
            metric_rng,
            kept: kept(objective),
            points,
            order: None,
        })
    }

    pub fn fit(
        &mut self,
        objective: &mut dyn Objective,
        data: &dyn Data,
        bounds: Bounds,
    ) -> Result<Stopped, Error> {
        self.check()?;
        let points = self.points_of(data)?;
        let mut state = match self.state.take() {
            Some(state) => state,
            None => self.start(objective, points)?,
        };
        if state.points != points {
            let expected = format!(
                "{} points, as those that the run began with",
                state.points.unwrap_or(0)
            );
            self.state = Some(state);
            return Err(Error::shape("the data set", points.unwrap_or(0), expected));
        }
        self.history
            .set_epochs(points.map(|points| points.div_ceil(self.batch)));
        // Whatever happens, a panic in an energy or a metric of a cell too, the state is kept, and `fit` can
        // be called again.
        let steps = || self.steps_from(&mut state, objective, data, bounds);
        let result = catch_unwind(AssertUnwindSafe(steps));
        let state = self.state.insert(state);
        let shown = show(objective, state).and_then(|()| show_best(objective, state));
        let stopped = result.unwrap_or_else(|panic| resume_unwind(panic))?;
        shown?;
        Ok(stopped)
    }

    /// The number of points of a finite set, if the run goes through all of them.
    fn points_of(&self, data: &dyn Data) -> Result<Option<usize>, Error> {
        let Length::Epochs(count) = self.length else {
            return Ok(None);
        };
        match data.count() {
            Some(0) => Err(Error::shape("the data set", 0, "at least one point")),
            Some(count) => Ok(Some(count)),
            None => Err(Error::setting(
                "epochs",
                count,
                "a number of `.steps(..)`: these data are no finite set",
            )),
        }
    }

    /// The number of steps in all.
    fn total(&self, points: Option<usize>) -> usize {
        match (self.length, points) {
            (Length::Steps(steps), _) => steps,
            (Length::Epochs(count), points) => {
                count * points.unwrap_or(0).div_ceil(self.batch.max(1))
            }
        }
    }

    fn steps_from(
        &mut self,
        state: &mut State,
        objective: &mut dyn Objective,
        data: &dyn Data,
        bounds: Bounds,
    ) -> Result<Stopped, Error> {
        let mut gradients: Vec<Vec<f32>> = state
            .nets
            .iter()
            .map(|net| vec![0.0; net.values.len()])
            .collect();
        let total = self.total(state.points);
        let mut shown = Shown::new(bounds.visible, state.step, total);
        let mut begun = Instant::now();
        // Those of the last step, if one of them failed.
        self.measure(state, objective)?;
        while state.step < total {
            if let Some(stopped) = self.no_longer_falls(state) {
                return Ok(self.end(shown, objective, stopped));
            }
            if (bounds.leaves)() {
                return Ok(self.end(shown, objective, Stopped::ByUser { steps: state.step }));
            }
            let step = state.step;
            // A step that fails is taken again with the same random numbers.
            let mut rng = state.rng.clone();
            let x = self.batch_of(state, data, &mut rng)?;
            if self.is_to_check {
                objective.check(&x)?;
                self.is_to_check = false;
            }
            let losses = objective.losses(&x, &mut rng, &mut gradients, bounds.leaves);
            let losses = match losses {
                Ok(Some(losses)) => losses,
                Ok(None) => {
                    restore(objective, &state.kept);
                    return Ok(self.end(shown, objective, Stopped::ByUser { steps: step }));
                }
                Err(error) => {
                    restore(objective, &state.kept);
                    return Err(error);
                }
            };
            let names = objective.series();
            if losses.is_empty() || losses.len() != names.len() {
                restore(objective, &state.kept);
                let expected = format!("one for each of {names:?}");
                return Err(Error::shape("the losses", losses.len(), expected));
            }
            state.rng = rng;
            let wrong = losses
                .iter()
                .zip(&gradients)
                .find(|(loss, slopes)| !(loss.is_finite() && all_finite(slopes)));
            if let Some((loss, _)) = wrong {
                let loss = *loss;
                if self.goes_back(state, objective, bounds.visible)? {
                    continue;
                }
                return Ok(self.end(shown, objective, Stopped::NonFinite { step, loss }));
            }
            if let Some(energy) = self.growth(state, objective, &x, &losses)? {
                if self.goes_back(state, objective, bounds.visible)? {
                    continue;
                }
                let kept = state.sane.step;
                state.nets.clone_from(&state.sane.nets);
                let stopped = Stopped::Unbounded {
                    steps: step,
                    energy,
                    loss: losses[0],
                    kept,
                };
                return Ok(self.end(shown, objective, stopped));
            }
            if let Some(norm) = self.clip {
                gradients.iter_mut().for_each(|slopes| clip(slopes, norm));
            }
            let per_epoch = state.points.map(|points| points.div_ceil(self.batch));
            let epoch = per_epoch.map_or(0, |per_epoch| step / per_epoch);
            let factor = self.schedule.factor(At { step, epoch }) * self.rate();
            for ((net, gradient), optimiser) in state
                .nets
                .iter_mut()
                .zip(&gradients)
                .zip(&mut self.optimisers)
            {
                optimiser.step(state.moved + 1, factor, &mut net.values, gradient)?;
                let (kept, taken) = (self.ema as f32, (1.0 - self.ema) as f32);
                for (mean, value) in net.mean.iter_mut().zip(&net.values) {
                    *mean = kept * *mean + taken * value;
                }
            }
            state.step += 1;
            state.moved += 1;
            state.kept = kept(objective);
            self.history.push(&losses);
            for (net, weights) in objective.nets().iter_mut().zip(&state.nets) {
                net.net.set_flat_parameters(&weights.values)?;
            }
            self.measure(state, objective)?;
            self.time += begun.elapsed();
            begun = Instant::now();
            if let Some(schedule) = &self.checkpoints
                && schedule.is_due(state.step)
            {
                let folder = schedule.folder.clone();
                self.write_checkpoint(&folder, state, objective)?;
            }
            shown.after(state.step, &self.history, objective, &x);
        }
        Ok(self.end(shown, objective, Stopped::AtEnd { steps: state.step }))
    }

    fn batch_of(&self, state: &mut State, data: &dyn Data, rng: &mut Rng) -> Result<Points, Error> {
        if let (Length::Epochs(_), Some(points)) = (self.length, state.points) {
            return data.points_at(self.rows_of(state, points));
        }
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

    /// Which points the next step takes. Each epoch has an order of its own, which depends on the seed
    /// and the epoch alone.
    fn rows_of<'a>(&self, state: &'a mut State, points: usize) -> &'a [usize] {
        let per_epoch = points.div_ceil(self.batch);
        let (epoch, step) = (state.step / per_epoch, state.step % per_epoch);
        if state.order.as_ref().map(|(of, _)| *of) != Some(epoch) {
            let mut order: Vec<usize> = (0..points).collect();
            if !self.in_order {
                let mut shuffling = rng(self.seed);
                shuffling.set_stream(FIRST_EPOCH + epoch as u64);
                order.shuffle(&mut shuffling);
            }
            state.order = Some((epoch, order));
        }
        let order = state.order.as_ref().map_or(&[][..], |(_, order)| order);
        &order[step * self.batch..points.min((step + 1) * self.batch)]
    }

    /// The mean of |U| over the batch if it, or a loss, has grown without bound.
    fn growth(
        &mut self,
        state: &mut State,
        objective: &mut dyn Objective,
        x: &Points,
        losses: &[f64],
    ) -> Result<Option<f64>, Error> {
        let first = self.history.losses().first();
        let loss_has_grown = first.is_some_and(|first| growth::is_without_bound(*first, losses[0]));
        if !(loss_has_grown || state.step.is_multiple_of(growth::EVERY)) {
            return Ok(None);
        }
        let energy = objective.mean_size(x)?;
        let size = energy.unwrap_or(0.0);
        let start = *state.energy_at_start.get_or_insert(size);
        if loss_has_grown || growth::is_without_bound(start, size) {
            return Ok(Some(size));
        }
        state.sane = self.snapshot((state.step, state.moved), &state.nets);
        Ok(None)
    }

    fn snapshot(&mut self, (step, moved): (usize, usize), nets: &[Weights]) -> Snapshot {
        Snapshot {
            step,
            moved,
            nets: nets.to_vec(),
            moments: self.optimisers.iter_mut().map(moments).collect(),
        }
    }

    /// What the learning rate is multiplied with after the run's recoveries.
    fn rate(&self) -> f64 {
        self.history
            .recoveries()
            .last()
            .map_or(1.0, |last| last.rate)
    }

    /// Back to the best weights, or those of the last look at the energies, with half the rate; false if the run has
    /// done so as often as it may.
    fn goes_back(
        &mut self,
        state: &mut State,
        objective: &mut dyn Objective,
        visible: Visible,
    ) -> Result<bool, Error> {
        if self.history.recoveries().len() >= self.recoveries {
            return Ok(false);
        }
        if let Some(best) = &state.best {
            state.sane = best.at.clone();
        }
        let good = &state.sane;
        let recovery = Recovery {
            step: state.step,
            kept: good.step,
            rate: 0.5 * self.rate(),
        };
        state.nets.clone_from(&good.nets);
        state.moved = good.moved;
        for (optimiser, kept) in self.optimisers.iter_mut().zip(&good.moments) {
            set_moments(optimiser, kept);
        }
        restore(objective, &state.kept);
        show(objective, state)?;
        if visible != Visible::Nothing {
            crate::println!("{recovery}");
        }
        self.history.push_recovery(recovery);
        Ok(true)
    }

    /// Whether the run has waited for a better held-out loss as long as it was to.
    fn no_longer_falls(&self, state: &State) -> Option<Stopped> {
        let patience = self.patience?;
        let best = state.best.as_ref()?;
        let looks = self.history.held_out()?.steps.iter();
        // A look after step k, counted from 0, is one after k + 1 steps.
        let since = looks.filter(|step| **step >= best.at.step as f64).count();
        (since >= patience).then_some(Stopped::Early {
            steps: state.step,
            best: best.at.step,
            loss: best.loss,
        })
    }

    /// Takes the metrics of the last step that are due and not taken yet, on the running means.
    fn measure(&mut self, state: &mut State, objective: &mut dyn Objective) -> Result<(), Error> {
        let Some(step) = state.step.checked_sub(1) else {
            return Ok(());
        };
        let history = &self.history;
        let taken = |name: &str| history.metric(name)?.steps.last().copied();
        let due = |watch: &Watch| {
            step.is_multiple_of(watch.every) && taken(&watch.name) != Some(step as f64)
        };
        let due: Vec<bool> = self.watches.iter().map(due).collect();
        let validation = self.validation.as_ref();
        let validation = validation.filter(|validation| {
            step.is_multiple_of(validation.every) && taken(HELD_OUT) != Some(step as f64)
        });
        if validation.is_none() && !due.contains(&true) {
            return Ok(());
        }
        show_means(objective, state)?;
        if let Some(validation) = validation {
            let loss = validation.loss(objective, self.seed)?;
            let is_least = state.best.as_ref().is_none_or(|best| loss < best.loss);
            if is_least && loss.is_finite() {
                let at = self.snapshot((state.step, state.moved), &state.nets);
                state.best = Some(Best { loss, at });
            }
            self.history.push_metric(HELD_OUT, step, loss);
        }
        if !due.contains(&true) {
            return Ok(());
        }
        let Some(energy) = objective.energy() else {
            return Err(Error::setting(
                "metric",
                &self.watches[0].name,
                "an objective that has an energy",
            ));
        };
        let watches = self.watches.iter_mut().zip(due);
        for (watch, _) in watches.filter(|(_, due)| *due) {
            let mut rng = state.metric_rng.clone();
            let value = watch.metric.evaluate(energy, &mut rng)?;
            state.metric_rng = rng;
            self.history.push_metric(&watch.name, step, value);
        }
        Ok(())
    }

    /// After how many steps the held-out loss was least, and that loss.
    pub fn best(&self) -> Option<(usize, f64)> {
        let best = self.state.as_ref()?.best.as_ref()?;
        Some((best.at.step, best.loss))
    }

    /// What a sweep shows of the run.
    pub fn view(&self) -> View {
        let state = self.state.as_ref();
        View {
            step: state.map_or(0, |state| state.step),
            steps: self.total(state.and_then(|state| state.points)),
            says: self.history.says(),
            losses: self.history.loss_curve(),
            metric: self.history.metrics().last().cloned(),
            time: self.time,
        }
    }

    fn end(&self, shown: Shown, objective: &dyn Objective, stopped: Stopped) -> Stopped {
        shown.finish(&self.history, objective);
        stopped
    }

    /// Writes a checkpoint where the run writes them, after its last step.
    pub fn last_checkpoint(&mut self, objective: &mut dyn Objective) -> Result<(), Error> {
        match &self.checkpoints {
            Some(schedule) => self.checkpoint(&schedule.folder.clone(), objective),
            None => Ok(()),
        }
    }

    pub fn checkpoint(
        &mut self,
        folder: &Path,
        objective: &mut dyn Objective,
    ) -> Result<(), Error> {
        let Some(state) = self.state.take() else {
            return Err(Error::write(
                folder,
                "the run has not begun: call `fit` first",
            ));
        };
        let written = self.write_checkpoint(folder, &state, objective);
        self.state = Some(state);
        written
    }

    fn write_checkpoint(
        &mut self,
        folder: &Path,
        state: &State,
        objective: &mut dyn Objective,
    ) -> Result<(), Error> {
        let mut checkpoint = Checkpoint::new(KIND, self.identity(objective));
        checkpoint.value("step", &state.step);
        checkpoint.value("moved", &state.moved);
        checkpoint.value("points", &state.points);
        checkpoint.value("rng", &state.rng);
        checkpoint.value("metric_rng", &state.metric_rng);
        checkpoint.value("energy_at_start", &state.energy_at_start);
        checkpoint.value("time", &self.time);
        let nets = objective.nets();
        for ((net, weights), optimiser) in nets.iter().zip(&state.nets).zip(&mut self.optimisers) {
            checkpoint.parameters(net.name, net.net, &weights.values);
            if net.mean.is_some() {
                checkpoint.parameters(&format!("{}.ema", net.name), net.net, &weights.mean);
            }
            for (name, list) in optimiser.state() {
                checkpoint.list(&format!("{}.optimiser.{name}", net.name), list);
            }
        }
        checkpoint.value("recoveries", &self.history.recoveries());
        self.write_snapshot(&mut checkpoint, "sane", &state.sane, objective);
        checkpoint.value("best_loss", &state.best.as_ref().map(|best| best.loss));
        if let Some(best) = &state.best {
            self.write_snapshot(&mut checkpoint, "best", &best.at, objective);
        }
        for (name, list) in objective.state() {
            checkpoint.list(&format!("state.{name}"), list);
        }
        for (name, losses) in self.history.all_losses() {
            checkpoint.list(&format!("history.{name}"), losses);
        }
        let metrics = self.history.metrics();
        let names: Vec<&str> = metrics.iter().map(|series| series.name.as_str()).collect();
        checkpoint.value("metrics", &names);
        for series in metrics {
            let name = |what: &str| format!("metric.{}.{what}", series.name);
            checkpoint.list(&name("steps"), &series.steps);
            checkpoint.list(&name("values"), &series.values);
        }
        checkpoint.write(folder)
    }

    fn write_snapshot(
        &mut self,
        checkpoint: &mut Checkpoint,
        which: &str,
        snapshot: &Snapshot,
        objective: &mut dyn Objective,
    ) {
        checkpoint.value(&format!("{which}_step"), &snapshot.step);
        checkpoint.value(&format!("{which}_moved"), &snapshot.moved);
        for (net, weights) in objective.nets().iter().zip(&snapshot.nets) {
            let prefix = format!("{}.{which}", net.name);
            checkpoint.parameters(&prefix, net.net, &weights.values);
            if net.mean.is_some() {
                checkpoint.parameters(&format!("{prefix}.ema"), net.net, &weights.mean);
            }
        }
        let nets = objective.nets();
        let each = nets.iter().zip(&mut self.optimisers).zip(&snapshot.moments);
        for ((net, optimiser), moments) in each {
            for ((name, _), values) in optimiser.state().iter().zip(moments) {
                checkpoint.list(&format!("{}.{which}.optimiser.{name}", net.name), values);
            }
        }
    }

    fn read_snapshot(
        &mut self,
        saved: &Saved,
        which: &str,
        objective: &mut dyn Objective,
    ) -> Result<Snapshot, Error> {
        let (mut weights, mut moments) = (Vec::new(), Vec::new());
        for (net, optimiser) in objective.nets().iter().zip(&mut self.optimisers) {
            let prefix = format!("{}.{which}", net.name);
            weights.push(read_weights(saved, &prefix, net)?);
            let lists = optimiser.state().into_iter();
            let lists =
                lists.map(|(name, _)| saved.list(&format!("{prefix}.optimiser.{name}"), None));
            moments.push(lists.collect::<Result<Vec<Vec<f32>>, Error>>()?);
        }
        Ok(Snapshot {
            step: saved.value(&format!("{which}_step"))?,
            moved: saved.value(&format!("{which}_moved"))?,
            nets: weights,
            moments,
        })
    }

    /// Takes the place where a checkpoint was written. Nothing is changed where this fails.
    pub fn resume(&mut self, folder: &Path, objective: &mut dyn Objective) -> Result<usize, Error> {
        let saved = Saved::read(folder, KIND, &self.identity(objective))?;
        let step: usize = saved.value("step")?;
        let nets: Vec<Weights> = {
            let nets = objective.nets();
            let weights = nets.iter().map(|net| read_weights(&saved, net.name, net));
            weights.collect::<Result<_, Error>>()?
        };
        let names: Vec<&str> = objective.nets().iter().map(|net| net.name).collect();
        let mut moments = Vec::new();
        for ((name, weights), optimiser) in names.iter().zip(&nets).zip(&mut self.optimisers) {
            let lists = optimiser.state().into_iter();
            let lists = lists.map(|(list, _)| {
                let name = format!("{name}.optimiser.{list}");
                let values: Vec<f32> = saved.list(&name, None)?;
                match values.len() == weights.values.len() || values.is_empty() {
                    true => Ok(values),
                    false => saved.list(&name, Some(weights.values.len())),
                }
            });
            moments.push(lists.collect::<Result<Vec<_>, Error>>()?);
        }
        let lists = objective.state().into_iter();
        let lists = lists.map(|(name, _)| saved.list(&format!("state.{name}"), None));
        let kept = lists.collect::<Result<Vec<Vec<f32>>, Error>>()?;
        let mut history = History::of(objective.series());
        let losses = objective.series().into_iter();
        let losses = losses.map(|name| saved.list::<f64>(&format!("history.{name}"), Some(step)));
        let losses = losses.collect::<Result<Vec<_>, Error>>()?;
        for step in 0..step {
            let own: Vec<f64> = losses.iter().map(|losses| losses[step]).collect();
            history.push(&own);
        }
        let names: Vec<String> = saved.value("metrics")?;
        for name in names {
            let of = |what: &str| saved.list(&format!("metric.{name}.{what}"), None);
            let (steps, values) = (of("steps")?, of("values")?);
            history.push_series(Series {
                name,
                steps,
                values,
            });
        }
        let recoveries: Vec<Recovery> = saved.value("recoveries")?;
        recoveries
            .into_iter()
            .for_each(|recovery| history.push_recovery(recovery));
        let sane = self.read_snapshot(&saved, "sane", objective)?;
        let best = match saved.value::<Option<f64>>("best_loss")? {
            Some(loss) => {
                let at = self.read_snapshot(&saved, "best", objective)?;
                Some(Best { loss, at })
            }
            None => None,
        };
        let state = State {
            step,
            moved: saved.value("moved")?,
            sane,
            best,
            nets,
            rng: saved.value("rng")?,
            metric_rng: saved.value("metric_rng")?,
            energy_at_start: saved.value("energy_at_start")?,
            kept,
            points: saved.value("points")?,
            order: None,
        };
        let time: Duration = saved.value("time")?;
        // From here on nothing fails: the lists have the nets' lengths.
        for (optimiser, moments) in self.optimisers.iter_mut().zip(moments) {
            for ((_, list), values) in optimiser.state().into_iter().zip(moments) {
                *list = values;
            }
        }
        restore(objective, &state.kept);
        show(objective, &state)?;
        show_best(objective, &state)?;
        history.set_epochs(
            state
                .points
                .map(|points| points.div_ceil(self.batch.max(1))),
        );
        (self.history, self.time) = (history, time);
        Ok(self.state.insert(state).step)
    }

    /// What a run must share with another to go on from its checkpoint.
    fn identity(&self, objective: &dyn Objective) -> Value {
        let metrics = self.watches.iter();
        let metrics = metrics.map(|watch| format!("{} every {} steps", watch.name, watch.every));
        json!({
            "objective": objective.settings(),
            "batch": self.batch,
            "batches": match (self.length, self.in_order) {
                (Length::Steps(_), _) => "drawn",
                (Length::Epochs(_), false) => "shuffled epochs",
                (Length::Epochs(_), true) => "epochs in order",
            },
            "optimiser": self.optimiser_settings.join(" and "),
            "learning_rate": format!("{:?}", self.schedule),
            "ema_decay": self.ema,
            "clip_norm": self.clip,
            "recoveries": self.recoveries,
            "validation": self.validation.as_ref().map(Validation::words),
            "seed": self.seed,
            "metrics": metrics.collect::<Vec<_>>(),
        })
    }
}

/// Streams of the seed's random numbers: 0 is that of batches and noise.
const METRICS: u64 = 1;
const FIRST_EPOCH: u64 = 2;

fn read_weights(saved: &Saved, prefix: &str, net: &TrainedNet) -> Result<Weights, Error> {
    let values = saved.parameters(prefix, net.net)?;
    let mean = match net.mean {
        Some(_) => saved.parameters(&format!("{prefix}.ema"), net.net)?,
        None => Vec::new(),
    };
    Ok(Weights { values, mean })
}

/// Makes a gradient as long as `norm` if it is longer.
fn clip(gradient: &mut [f32], norm: f64) {
    let square: f64 = gradient.iter().map(|slope| f64::from(*slope).powi(2)).sum();
    let length = square.sqrt();
    if length > norm {
        let factor = (norm / length) as f32;
        gradient.iter_mut().for_each(|slope| *slope *= factor);
    }
}

/// What an optimiser keeps.
fn moments(optimiser: &mut Box<dyn Optimiser>) -> Vec<Vec<f32>> {
    optimiser
        .state()
        .into_iter()
        .map(|(_, list)| list.clone())
        .collect()
}

fn set_moments(optimiser: &mut Box<dyn Optimiser>, kept: &[Vec<f32>]) {
    for ((_, list), kept) in optimiser.state().into_iter().zip(kept) {
        list.clone_from(kept);
    }
}

/// What the objective keeps from step to step.
fn kept(objective: &mut dyn Objective) -> Vec<Vec<f32>> {
    objective
        .state()
        .into_iter()
        .map(|(_, list)| list.clone())
        .collect()
}

fn restore(objective: &mut dyn Objective, kept: &[Vec<f32>]) {
    for ((_, list), kept) in objective.state().into_iter().zip(kept) {
        list.clone_from(kept);
    }
}

/// Gives the nets the state's weights, and the running means theirs.
fn show(objective: &mut dyn Objective, state: &State) -> Result<(), Error> {
    for (net, weights) in objective.nets().iter_mut().zip(&state.nets) {
        net.net.set_flat_parameters(&weights.values)?;
    }
    show_means(objective, state)
}

/// Gives the running means the weights at which the held-out loss was least.
fn show_best(objective: &mut dyn Objective, state: &State) -> Result<(), Error> {
    let Some(best) = &state.best else {
        return Ok(());
    };
    for (net, weights) in objective.nets().into_iter().zip(&best.at.nets) {
        if let Some(mean) = net.mean {
            mean.set_flat_parameters(&weights.mean)?;
        }
    }
    Ok(())
}

fn show_means(objective: &mut dyn Objective, state: &State) -> Result<(), Error> {
    for (net, weights) in objective.nets().into_iter().zip(&state.nets) {
        if let Some(mean) = net.mean {
            mean.set_flat_parameters(&weights.mean)?;
        }
    }
    Ok(())
}

/// A bar, the losses, and the objective's picture.
struct Shown {
    progress: Option<Progress>,
    figures: Option<Figures>,
}

struct Figures {
    losses: Live,
    picture: Option<(Live, crate::plot::Figure)>,
}

impl Shown {
    /// Of a run of `total` steps, of which `first` were done before.
    fn new(visible: Visible, first: usize, total: usize) -> Self {
        let figures = || Figures {
            losses: Live::new(),
            picture: None,
        };
        Self {
            progress: (visible != Visible::Nothing).then(|| Progress::new(first, total)),
            figures: (visible == Visible::All).then(figures),
        }
    }

    fn after(&mut self, step: usize, history: &History, objective: &dyn Objective, x: &Points) {
        if let Some(progress) = &mut self.progress {
            progress.at(step, || history.says());
        }
        let Some(figures) = &mut self.figures else {
            return;
        };
        // A picture that cannot be drawn is no reason to end the training.
        let _ = figures.losses.show(|| objective.figure(history));
        if let Some(picture) = objective.picture(step, x) {
            let (live, last) = figures
                .picture
                .get_or_insert_with(|| (Live::new(), picture.clone()));
            let _ = live.show(|| picture.clone());
            *last = picture;
        }
    }

    /// At the end, whatever it is.
    fn finish(self, history: &History, objective: &dyn Objective) {
        if let Some(progress) = self.progress {
            progress.finish(history.losses().len(), &history.says());
        }
        let Some(figures) = self.figures else {
            return;
        };
        let _ = figures.losses.finish(&objective.figure(history));
        if let Some((live, picture)) = figures.picture {
            let _ = live.finish(&picture);
        }
    }
}
