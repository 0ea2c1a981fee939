//! Several runs that share the cores.

use super::objective::Objective;
use super::run::{Bounds, Run, View, Visible};
use super::{Series, Stopped, Training};
use crate::Error;
use crate::data::Data;
use crate::notebook::{Live, Progress, StopButton};
use crate::plot::{Chart, Color, Figure, Line};
use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Up to so many runs, each has words of its own beside the bar, and a name in the figure.
const FEW: usize = 4;

/// How long a run is trained before the one that is behind gets its turn.
const TURN: Duration = Duration::from_millis(500);

/// Trains several runs side by side, each on a core of its own as far as there are cores; with the
/// feature `cuda`, turn by turn on one thread.
///
/// All runs advance at the same pace, by the share of their steps that is done: half-way through
/// every one of them is half trained. Each ends with the same bits as if it were trained alone.
/// One bar and one figure with a curve for each run show where the work is: the last of the runs'
/// metrics if all take it, and the losses otherwise.
///
/// # Examples
/// Two seeds:
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let data = toy::gaussians_25();
/// let run = |seed| -> Result<_, Error> {
///     let net = Mlp::softplus(&[2, 16, 1], seed)?;
///     Ok(Trainer::new(net, EnergyDiscrepancy::with_std(1.0)).steps(20).seed(seed))
/// };
/// let mut runs = vec![run(0)?, run(1)?];
/// let labels = ["seed 0", "seed 1"];
/// // Another cell, which may be run again after Stop:
/// let ended = Sweep::new().runs(labels.into_iter().zip(&mut runs)).fit(&data)?;
/// assert!(ended.iter().all(|run| run.stopped == Stopped::AtEnd { steps: 20 }));
/// assert_eq!(runs[1].history().losses().len(), 20);
/// # Ok::<(), Error>(())
/// ```
#[must_use]
#[derive(Default)]
pub struct Sweep<'a> {
    runs: Vec<(String, Lane<'a>)>,
}

/// A run with what it trains.
struct Lane<'a> {
    objective: &'a mut dyn Objective,
    run: &'a mut Run,
}

impl<'a> Sweep<'a> {
    /// No run yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a [`Training`] of anything.
    pub fn run<O: Objective>(mut self, label: impl Into<String>, run: &'a mut Training<O>) -> Self {
        let Training { objective, run } = run;
        self.runs.push((label.into(), Lane { objective, run }));
        self
    }

    /// Adds several of one kind.
    pub fn runs<S: Into<String>, O: Objective + 'a>(
        self,
        runs: impl IntoIterator<Item = (S, &'a mut Training<O>)>,
    ) -> Self {
        runs.into_iter()
            .fold(self, |sweep, (label, run)| sweep.run(label, run))
    }

    /// Trains until every run has done its steps, met a loss that is not finite or energies that grow
    /// without bound, or the Stop button is pressed. Called again with the same runs, it goes on where they were.
    ///
    /// # Errors
    /// As [`Training::fit`], if any of the runs fails; the others then stop too, and can go on.
    pub fn fit(self, data: &dyn Data) -> Result<Ended, Error> {
        let schedules = self
            .runs
            .iter()
            .filter_map(|(_, lane)| lane.run.checkpoints.as_ref());
        let folders: Vec<&Path> = schedules
            .map(|schedule| schedule.folder.as_path())
            .collect();
        for (i, folder) in folders.iter().enumerate() {
            if folders[..i].contains(folder) {
                let allowed = "a folder of its own for each run";
                return Err(Error::setting("checkpoints", folder.display(), allowed));
            }
        }
        let board = Board::new(self.runs);
        train(board, data)
    }
}

impl Lane<'_> {
    /// Trains until `leaves` says so.
    fn advance(&mut self, data: &dyn Data, leaves: &dyn Fn() -> bool) -> Result<Stopped, Error> {
        let _held = self.run.lock()?;
        let visible = Visible::Nothing;
        let stopped = self
            .run
            .fit(self.objective, data, Bounds { leaves, visible })?;
        // Not at the end of each turn: only where it is the run's.
        if !matches!(stopped, Stopped::ByUser { .. }) {
            self.run.last_checkpoint(self.objective)?;
        }
        Ok(stopped)
    }
}

/// How the runs of a [`Sweep`] ended. A cell that ends in it shows a line for each.
#[derive(Clone, PartialEq)]
pub struct Ended(Vec<EndedRun>);

/// How one run of a [`Sweep`] ended.
#[derive(Clone, Debug, PartialEq)]
pub struct EndedRun {
    /// Its label.
    pub label: String,
    /// Why it ended.
    pub stopped: Stopped,
    /// How long it has been trained in all.
    pub time: Duration,
}

impl Ended {
    /// Each run, in the order in which they were added.
    pub fn iter(&self) -> std::slice::Iter<'_, EndedRun> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Ended {
    type Item = &'a EndedRun;
    type IntoIter = std::slice::Iter<'a, EndedRun>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.iter().map(|run| run.label.chars().count()).max();
        let width = width.unwrap_or(0);
        for (i, run) in self.iter().enumerate() {
            let end = if i + 1 < self.0.len() { "\n" } else { "" };
            let (label, seconds) = (&run.label, run.time.as_secs_f64());
            write!(f, "{label:<width$}  {} ({seconds:.1} s){end}", run.stopped)?;
        }
        Ok(())
    }
}

/// Trains all on one thread, turn by turn, always the one that is furthest behind: for a device that stays on
/// its thread.
#[cfg(feature = "cuda")]
fn train(mut board: Board<'_>, data: &dyn Data) -> Result<Ended, Error> {
    let stop = StopButton::watch();
    let (mut progress, mut live) = (Progress::new(board.done(), board.total()), Live::new());
    while let Some((index, mut lane)) = board.next() {
        let begun = Instant::now();
        let leaves = || stop.pressed() || begun.elapsed() > TURN;
        let result = lane.advance(data, &leaves);
        board.put_back(index, lane, result, stop.pressed());
        progress.at(board.done(), || board.says());
        // A picture that cannot be drawn is no reason to end the training.
        let _ = live.show(|| board.figure());
    }
    progress.finish(board.done(), &board.says());
    let _ = live.finish(&board.figure());
    board.ended()
}

#[cfg(not(feature = "cuda"))]
use side_by_side::train;

/// Runs on cores of their own.
#[cfg(not(feature = "cuda"))]
mod side_by_side {
    use super::{Board, Data, Duration, Ended, Error, Instant, Live, Progress, StopButton, TURN};
    use rayon::{ThreadPool, ThreadPoolBuilder};
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::sync::{Mutex, MutexGuard, PoisonError};
    use std::thread::{self, ScopedJoinHandle};

    /// How often the main thread looks whether something can be shown.
    const LOOK: Duration = Duration::from_millis(50);

    /// Trains all, as many at once as there are cores.
    pub(super) fn train(board: Board<'_>, data: &dyn Data) -> Result<Ended, Error> {
        let stop = StopButton::watch();
        let pools = pools(board.places.len())?;
        let (mut progress, mut live) = (Progress::new(board.done(), board.total()), Live::new());
        let board = Mutex::new(board);
        let panicked = thread::scope(|scope| {
            let (board, stop) = (&board, &stop);
            let workers = pools
                .iter()
                .map(|pool| scope.spawn(move || work(board, data, stop, pool)));
            let workers: Vec<_> = workers.collect();
            while !workers.iter().all(ScopedJoinHandle::is_finished) {
                thread::sleep(LOOK);
                // By itself, so that the lock is free again for the words.
                let done = lock(board).done();
                progress.at(done, || lock(board).says());
                // A picture that cannot be drawn is no reason to end the training.
                let _ = live.show(|| lock(board).figure());
            }
            let ends = workers.into_iter().map(ScopedJoinHandle::join);
            ends.filter_map(Result::err).next()
        });
        if let Some(panic) = panicked {
            resume_unwind(panic);
        }
        let board = board.into_inner().unwrap_or_else(PoisonError::into_inner);
        progress.finish(board.done(), &board.says());
        let _ = live.finish(&board.figure());
        board.ended()
    }

    /// The cores, divided among as many runs as can have one.
    fn pools(runs: usize) -> Result<Vec<ThreadPool>, Error> {
        let cores = rayon::current_num_threads();
        let workers = cores.min(runs).max(1);
        let pool = |i: usize| {
            let threads = (i + 1) * cores / workers - i * cores / workers;
            let pool = ThreadPoolBuilder::new().num_threads(threads).build();
            pool.map_err(|error| Error::Threads(error.to_string()))
        };
        (0..workers).map(pool).collect()
    }

    /// One thread's work: turn by turn, the run that is furthest behind.
    fn work(board: &Mutex<Board<'_>>, data: &dyn Data, stop: &StopButton, pool: &ThreadPool) {
        loop {
            // A statement of its own, so that the lock is not held during the turn.
            let next = lock(board).next();
            let Some((index, mut lane)) = next else {
                return;
            };
            let begun = Instant::now();
            let leaves = || stop.pressed() || begun.elapsed() > TURN;
            let advance = || pool.install(|| lane.advance(data, &leaves));
            match catch_unwind(AssertUnwindSafe(advance)) {
                Ok(result) => lock(board).put_back(index, lane, result, stop.pressed()),
                Err(panic) => {
                    // The others end after this turn, and can go on as this one can.
                    lock(board).fail(Error::Threads("a run panicked".into()));
                    resume_unwind(panic);
                }
            }
        }
    }

    fn lock<'a, 'b>(board: &'a Mutex<Board<'b>>) -> MutexGuard<'a, Board<'b>> {
        board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run with its place: it is either here, or with the thread that trains it.
struct Place<'a> {
    label: String,
    lane: Option<Lane<'a>>,
    view: View,
    stopped: Option<Stopped>,
}

/// All runs, by those who train them and those who look on.
struct Board<'a> {
    places: Vec<Place<'a>>,
    error: Option<Error>,
}

impl<'a> Board<'a> {
    fn new(lanes: Vec<(String, Lane<'a>)>) -> Self {
        let places = lanes.into_iter().map(|(label, lane)| Place {
            label,
            view: lane.run.view(),
            lane: Some(lane),
            stopped: None,
        });
        Self {
            places: places.collect(),
            error: None,
        }
    }

    /// Takes the run that has done the least share of its steps, of those that nobody trains.
    fn next(&mut self) -> Option<(usize, Lane<'a>)> {
        if self.error.is_some() {
            return None;
        }
        let waiting = self.places.iter_mut().enumerate();
        let waiting = waiting.filter(|(_, place)| place.lane.is_some() && place.stopped.is_none());
        let (index, place) =
            waiting.min_by(|(_, a), (_, b)| a.view.share().total_cmp(&b.view.share()))?;
        Some((index, place.lane.take()?))
    }

    fn put_back(
        &mut self,
        index: usize,
        lane: Lane<'a>,
        result: Result<Stopped, Error>,
        pressed: bool,
    ) {
        let place = &mut self.places[index];
        place.view = lane.run.view();
        place.lane = Some(lane);
        match result {
            // Its turn is over; it gets another, unless it was the user.
            Ok(Stopped::ByUser { .. }) if !pressed => {}
            Ok(stopped) => place.stopped = Some(stopped),
            Err(error) => self.fail(error),
        }
    }

    /// No run gets another turn.
    fn fail(&mut self, error: Error) {
        self.error = Some(error);
    }

    fn done(&self) -> usize {
        self.places.iter().map(|place| place.view.step).sum()
    }

    fn total(&self) -> usize {
        self.places.iter().map(|place| place.view.steps).sum()
    }

    /// The last losses and metrics of a few runs; of many, how many have ended and what their last
    /// values lie between.
    fn says(&self) -> String {
        let ended = self.places.iter().filter(|p| p.stopped.is_some()).count();
        match self.places.len() {
            ..=FEW => {
                let words = self
                    .places
                    .iter()
                    .map(|p| format!("{}: {}", p.label, p.view.says));
                words.collect::<Vec<_>>().join("   ")
            }
            count => format!("{count} runs side by side, {ended} ended{}", self.span()),
        }
    }

    /// From the lowest to the highest last value, as far as there are any.
    fn span(&self) -> String {
        let curves = self.curves();
        let last = curves
            .iter()
            .filter_map(|curve| curve.values.last().copied());
        let mut last: Vec<f64> = last.filter(|value| !value.is_nan()).collect();
        last.sort_by(f64::total_cmp);
        match (curves.first(), &last[..]) {
            (Some(curve), [low, .., high]) => {
                let short = |value: &f64| match value.abs() {
                    ..1e4 => format!("{value:.3}"),
                    _ => format!("{value:.0e}"),
                };
                format!(", {} {} to {}", curve.name, short(low), short(high))
            }
            _ => String::new(),
        }
    }

    /// The runs' last metric, if it is the same one for all, or else their losses.
    fn curves(&self) -> Vec<&Series> {
        let places = self.places.iter();
        let metrics: Option<Vec<&Series>> =
            places.clone().map(|p| p.view.metric.as_ref()).collect();
        metrics
            .filter(|all| all.windows(2).all(|two| two[0].name == two[1].name))
            .unwrap_or_else(|| places.map(|place| &place.view.losses).collect())
    }

    /// A small figure with a curve for each run.
    fn figure(&self) -> Figure {
        let curves = self.curves();
        let name = curves.first().map_or("", |curve| &curve.name);
        let chart = Chart::new("Training")
            .x_label("share of the steps in %")
            .y_label(name);
        let chart = match (name, typical(&curves)) {
            ("loss", Some((low, high))) => chart.y_limits(low, high),
            ("loss", None) => chart,
            _ => chart.log_y(),
        };
        let colors = match curves.len() {
            ..=FEW => None,
            count => Some(Color::ramp(count)),
        };
        let lines = self
            .places
            .iter()
            .zip(&curves)
            .enumerate()
            .map(|(i, (place, curve))| {
                let share = |step: &f64| 100.0 * step / place.view.steps as f64;
                let line = Line::new(
                    &curve.steps.iter().map(share).collect::<Vec<_>>(),
                    &curve.values,
                );
                match &colors {
                    None => line.label(&place.label),
                    Some(colors) => line.color(colors[i]),
                }
            });
        chart.lines(lines).figure().size(620, 260)
    }

    fn ended(self) -> Result<Ended, Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let run = |place: Place| EndedRun {
            stopped: place.stopped.unwrap_or(Stopped::ByUser {
                steps: place.view.step,
            }),
            label: place.label,
            time: place.view.time,
        };
        Ok(Ended(self.places.into_iter().map(run).collect()))
    }
}

impl View {
    /// The share of the steps that is done.
    fn share(&self) -> f64 {
        self.step as f64 / self.steps.max(1) as f64
    }
}

/// What nearly all values after the first few lie in: one run that goes astray must not hide the
/// others.
fn typical(curves: &[&Series]) -> Option<(f64, f64)> {
    let later = curves.iter().flat_map(|curve| {
        let skipped = curve.values.len() / 20;
        curve.values[skipped..].iter().copied()
    });
    let mut values: Vec<f64> = later.filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let (low, high) = (
        values.get(values.len() / 20)?,
        values.get(values.len() * 19 / 20)?,
    );
    let margin = 0.1 * (high - low);
    (low < high).then_some((low - margin, high + margin))
}
