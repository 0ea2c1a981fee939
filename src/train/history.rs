//! What happened in a run.

use super::validation::HELD_OUT;
use crate::notebook::Recorded;
use crate::plot::{Chart, Figure, Line};
use crate::table::{Table, number};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::fmt;

/// More points than this a line of the chart's width does not show.
const POINTS: usize = 300;

/// A run's losses, one or several of each step, and its metrics.
///
/// # Examples
/// ```
/// use energy_discrepancy::train::History;
/// use energy_discrepancy::notebook::Recorded;
///
/// let mut history = History::of(["loss"]);
/// history.push(&[1.0]);
/// history.push(&[f64::NAN]);
/// history.push_metric("mse", 0, 0.25);
/// assert_eq!(history.losses()[0], 1.0);
/// assert_eq!(history.metric("mse").unwrap().values, [0.25]);
/// // Not a number is null, so that every JSON reader can read it.
/// assert!(history.json().to_string().contains(r#""loss":[1.0,null]"#));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    losses: Vec<(String, Vec<f64>)>,
    metrics: Vec<Series>,
    /// Steps of an epoch, where the length is given in epochs.
    per_epoch: Option<usize>,
    recoveries: Vec<Recovery>,
}

/// Where a run went back to good weights: see [`Training::recover`](super::Training::recover).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recovery {
    /// The step, counted from 0, that could not be taken.
    pub step: usize,
    /// The number of steps after which the weights are those that the run went back to.
    pub kept: usize,
    /// What the learning rate is multiplied with from there on.
    pub rate: f64,
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "step {} could not be taken: back to the weights after {} steps, with {} of the learning rate",
            self.step, self.kept, self.rate
        )
    }
}

/// One metric at the steps where it was taken.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Series {
    /// The metric's name.
    pub name: String,
    /// The steps, counted from 0, after which it was taken.
    pub steps: Vec<f64>,
    /// Its values.
    pub values: Vec<f64>,
}

impl Series {
    /// Where it is least, the first such, and its value there.
    pub fn least(&self) -> Option<(f64, f64)> {
        let each = self.steps.iter().copied().zip(self.values.iter().copied());
        let finite = each.filter(|(_, value)| value.is_finite());
        finite.reduce(|least, other| if other.1 < least.1 { other } else { least })
    }
}

impl History {
    /// No step yet, of losses with these names.
    pub fn of<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        let losses = names.into_iter().map(|name| (name.into(), Vec::new()));
        Self {
            losses: losses.collect(),
            ..Self::default()
        }
    }

    /// Adds the losses of the next step, one for each name.
    pub fn push(&mut self, losses: &[f64]) {
        for ((_, list), loss) in self.losses.iter_mut().zip(losses) {
            list.push(*loss);
        }
    }

    /// Adds a metric's value after a step, counted from 0.
    pub fn push_metric(&mut self, name: &str, step: usize, value: f64) {
        let known = self.metrics.iter().position(|series| series.name == name);
        let index = known.unwrap_or_else(|| {
            self.metrics.push(Series {
                name: name.into(),
                ..Series::default()
            });
            self.metrics.len() - 1
        });
        self.metrics[index].steps.push(step as f64);
        self.metrics[index].values.push(value);
    }

    /// Adds a metric with all that it was so far.
    pub(super) fn push_series(&mut self, series: Series) {
        self.metrics.push(series);
    }

    pub(super) fn push_recovery(&mut self, recovery: Recovery) {
        self.recoveries.push(recovery);
    }

    /// Where the run went back to good weights, in their order.
    pub fn recoveries(&self) -> &[Recovery] {
        &self.recoveries
    }

    /// The held-out loss of a run that is [validated](super::Training::validate).
    pub fn held_out(&self) -> Option<&Series> {
        self.metric(HELD_OUT)
    }

    pub(super) fn set_epochs(&mut self, per_epoch: Option<usize>) {
        self.per_epoch = per_epoch;
    }

    /// The loss of each step; of several the first.
    pub fn losses(&self) -> &[f64] {
        self.losses.first().map_or(&[], |(_, losses)| losses)
    }

    /// The losses of this name, of each step.
    pub fn series(&self, name: &str) -> Option<&[f64]> {
        let (_, losses) = self.losses.iter().find(|(own, _)| own == name)?;
        Some(losses)
    }

    /// All losses with their names.
    pub fn all_losses(&self) -> impl Iterator<Item = (&str, &[f64])> {
        self.losses
            .iter()
            .map(|(name, losses)| (name.as_str(), losses.as_slice()))
    }

    /// The losses of this name as means over epochs, the last of which may be under way; none in runs whose
    /// length is given in steps.
    pub fn epochs(&self, name: &str) -> Vec<f64> {
        let (Some(per_epoch), Some(losses)) = (self.per_epoch, self.series(name)) else {
            return Vec::new();
        };
        losses.chunks(per_epoch.max(1)).map(mean).collect()
    }

    /// The mean loss of each `window` steps, with the middle of the window: a curve to look at,
    /// where the single losses are noise.
    pub fn smoothed_losses(&self, window: usize) -> (Vec<f64>, Vec<f64>) {
        smoothed(self.losses(), window)
    }

    /// A metric by its name.
    pub fn metric(&self, name: &str) -> Option<&Series> {
        self.metrics.iter().find(|series| series.name == name)
    }

    /// All metrics, in the order in which they first appeared.
    pub fn metrics(&self) -> &[Series] {
        &self.metrics
    }

    /// The last losses and metrics in words.
    pub(super) fn says(&self) -> String {
        let mut words = Vec::new();
        let steps = self.losses().len();
        if let Some(per_epoch) = self.per_epoch.filter(|_| steps > 0) {
            words.push(format!("epoch {}", (steps - 1) / per_epoch.max(1) + 1));
        }
        for (name, losses) in self.all_losses().filter(|_| steps > 0) {
            let recent = &losses[losses.len().saturating_sub(100)..];
            words.push(format!("{name} {:.4}", mean(recent)));
        }
        for series in &self.metrics {
            if let Some(value) = series.values.last() {
                words.push(format!("{} {value:.4}", series.name));
            }
        }
        words.join("   ")
    }

    /// The losses over the steps, as means of neighbours where there are many, and the held-out loss with a
    /// marker where it is least.
    pub fn chart(&self) -> Chart {
        match self.losses.first() {
            Some((name, losses)) => chart("Training", name, losses, self.held_out()),
            None => Chart::new("Training"),
        }
    }

    /// A chart for each of the losses, side by side.
    pub fn figure(&self) -> Figure {
        match self.losses.len() {
            0 | 1 => self.chart().figure().size(520, 230),
            _ => Figure::row(
                self.losses
                    .iter()
                    .map(|(name, losses)| chart(name, name, losses, None)),
            )
            .size(420, 230),
        }
    }

    /// The losses as a curve of at most [`POINTS`] points.
    pub(super) fn loss_curve(&self) -> Series {
        let (steps, values) = self.smoothed_losses(self.losses().len().div_ceil(POINTS));
        let name = self.losses.first().map(|(name, _)| name.clone());
        Series {
            name: name.unwrap_or_default(),
            steps,
            values,
        }
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn smoothed(losses: &[f64], window: usize) -> (Vec<f64>, Vec<f64>) {
    let window = window.max(1);
    let windows = losses.chunks(window).enumerate();
    let point = |(index, losses): (usize, &[f64])| {
        let middle = (index * window) as f64 + 0.5 * (losses.len() as f64 - 1.0);
        (middle, mean(losses))
    };
    windows.map(point).unzip()
}

fn chart(title: &str, name: &str, losses: &[f64], held_out: Option<&Series>) -> Chart {
    let size = losses.len().div_ceil(POINTS).max(1);
    let (steps, means) = smoothed(losses, size);
    let label = match size {
        1 => name.to_owned(),
        size => format!("{name}, mean of {size} steps"),
    };
    let chart = Chart::new(title).x_label("step").y_label(label);
    // The first losses can be so large that nothing else would show.
    let later = means.iter().skip(means.len() / 20);
    let others = held_out.map_or(&[][..], |series| &series.values);
    let later = later.chain(others.iter().skip(others.len() / 20));
    let finite = later.copied().filter(|mean| mean.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), mean| {
        (low.min(mean), high.max(mean))
    });
    let chart = match low < high {
        true => chart.y_limits(low - 0.05 * (high - low), high + 0.05 * (high - low)),
        false => chart,
    };
    let line = Line::new(&steps, &means);
    let Some(held_out) = held_out else {
        return chart.line(line);
    };
    let chart = chart.line(line.label("training"));
    let chart = chart.line(Line::new(&held_out.steps, &held_out.values).label("held out"));
    match held_out.least() {
        Some((step, _)) => chart.vertical(step),
        None => chart,
    }
}

impl Recorded for History {
    /// Each loss by its name, and the metrics.
    fn json(&self) -> Value {
        let mut record: Map<String, Value> = Map::new();
        for (name, losses) in self.all_losses() {
            record.insert(name.to_owned(), json!(losses));
        }
        record.insert("metrics".to_owned(), json!(self.metrics));
        if !self.recoveries.is_empty() {
            record.insert("recoveries".to_owned(), json!(self.recoveries));
        }
        Value::Object(record)
    }

    /// A row for each step; a metric has a field where it was taken.
    fn table(&self) -> Table {
        let names = self.metrics.iter().map(|series| series.name.as_str());
        let losses = self.losses.iter().map(|(name, _)| name.as_str());
        let mut table = Table::new(["step"].into_iter().chain(losses).chain(names));
        let mut next = vec![0; self.metrics.len()];
        for step in 0..self.losses().len() {
            let mut row = vec![step.to_string()];
            row.extend(self.losses.iter().map(|(_, losses)| number(losses[step])));
            for (series, next) in self.metrics.iter().zip(&mut next) {
                let is_taken = series.steps.get(*next) == Some(&(step as f64));
                row.push(match is_taken {
                    true => number(series.values[*next]),
                    false => String::new(),
                });
                *next += usize::from(is_taken);
            }
            table.push(row);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_metric_where_it_was_taken() {
        let mut history = History::of(["loss"]);
        for (step, loss) in [1.0, 3.0, f64::NAN].into_iter().enumerate() {
            history.push(&[loss]);
            if step != 1 {
                history.push_metric("mse", step, 0.5);
            }
        }
        assert_eq!(
            history.table().csv(),
            "step,loss,mse\n0,1,0.5\n1,3,\n2,,0.5\n"
        );
    }

    #[test]
    fn losses_are_averaged_in_windows() {
        let mut history = History::of(["loss"]);
        for loss in [1.0, 3.0, 5.0, 7.0, 10.0] {
            history.push(&[loss]);
        }
        let (steps, losses) = history.smoothed_losses(2);
        assert_eq!(steps, [0.5, 2.5, 4.0]);
        assert_eq!(losses, [2.0, 6.0, 10.0]);
    }
}
