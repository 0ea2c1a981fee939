//! Where the runs of a sweep are, and what is seen of them.

use super::sweep::{Ended, EndedRun};
use super::{Series, Stopped};
use crate::Error;
use crate::plot::{Chart, Color, Figure, Line};
use std::time::Duration;

/// Up to so many runs, each has words of its own beside the bar, and a name in the figure.
const FEW: usize = 4;

/// What a run must be that a sweep trains: `Send`, because each core trains one. With the feature `cuda`
/// anything, because dfdx's GPU stays on its thread, and the runs take turns there.
#[cfg(not(feature = "cuda"))]
pub trait Portable: Send {}
#[cfg(not(feature = "cuda"))]
impl<T: Send + ?Sized> Portable for T {}
#[cfg(feature = "cuda")]
pub trait Portable {}
#[cfg(feature = "cuda")]
impl<T: ?Sized> Portable for T {}

/// How long a run is trained before the one that is behind gets its turn.
pub(super) const TURN: Duration = Duration::from_millis(500);

/// A run without its types.
pub trait Lane: Portable {
    /// Trains until `leaves` says so.
    fn advance(&mut self, leaves: &dyn Fn() -> bool) -> Result<Stopped, Error>;

    /// Where the run is.
    fn view(&self) -> View;
}

/// What can be seen of a run while others advance.
#[derive(Clone, Debug)]
pub struct View {
    pub(super) step: usize,
    pub(super) steps: usize,
    pub(super) says: String,
    /// Over steps.
    pub(super) losses: Series,
    pub(super) metric: Option<Series>,
    pub(super) time: Duration,
}

/// A run with its place: it is either here, or with the thread that trains it.
struct Place<'a> {
    label: String,
    lane: Option<Box<dyn Lane + 'a>>,
    view: View,
    stopped: Option<Stopped>,
}

/// All runs, by those who train them and those who look on.
pub(super) struct Board<'a> {
    places: Vec<Place<'a>>,
    error: Option<Error>,
}

impl<'a> Board<'a> {
    pub(super) fn new(lanes: Vec<(String, Box<dyn Lane + 'a>)>) -> Self {
        let places = lanes.into_iter().map(|(label, lane)| Place {
            label,
            view: lane.view(),
            lane: Some(lane),
            stopped: None,
        });
        Self {
            places: places.collect(),
            error: None,
        }
    }

    /// Takes the run that has done the least share of its steps, of those that nobody trains.
    pub(super) fn next(&mut self) -> Option<(usize, Box<dyn Lane + 'a>)> {
        if self.error.is_some() {
            return None;
        }
        let waiting = self.places.iter_mut().enumerate();
        let waiting = waiting.filter(|(_, place)| place.lane.is_some() && place.stopped.is_none());
        let (index, place) =
            waiting.min_by(|(_, a), (_, b)| a.view.share().total_cmp(&b.view.share()))?;
        Some((index, place.lane.take()?))
    }

    pub(super) fn put_back(
        &mut self,
        index: usize,
        lane: Box<dyn Lane + 'a>,
        result: Result<Stopped, Error>,
        pressed: bool,
    ) {
        let place = &mut self.places[index];
        place.view = lane.view();
        place.lane = Some(lane);
        match result {
            // Its turn is over; it gets another, unless it was the user.
            Ok(Stopped::ByUser { .. }) if !pressed => {}
            Ok(stopped) => place.stopped = Some(stopped),
            Err(error) => self.fail(error),
        }
    }

    /// No run gets another turn.
    pub(super) fn fail(&mut self, error: Error) {
        self.error = Some(error);
    }

    pub(super) fn done(&self) -> usize {
        self.places.iter().map(|place| place.view.step).sum()
    }

    pub(super) fn total(&self) -> usize {
        self.places.iter().map(|place| place.view.steps).sum()
    }

    /// The last losses and metrics of a few runs; of many, how many have ended and what their last
    /// values lie between.
    pub(super) fn says(&self) -> String {
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
    pub(super) fn figure(&self) -> Figure {
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

    pub(super) fn ended(self) -> Result<Ended, Error> {
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
