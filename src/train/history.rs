//! What happened in a run.

use crate::notebook::Recorded;
use crate::notebook::table::{Table, number};
use crate::plot::{Chart, Line};
use serde::Serialize;
use serde_json::{Value, json};

/// More points than this a line of the chart's width does not show.
const POINTS: usize = 300;

/// A run's losses and metrics.
///
/// # Examples
/// ```
/// use energy_discrepancy::train::History;
///
/// let mut history = History::default();
/// history.push_loss(1.0);
/// history.push_loss(f64::NAN);
/// history.push_metric("mse", 0, 0.25);
/// assert_eq!(history.metric("mse").unwrap().values, [0.25]);
/// // Not a number is null, so that every JSON reader can read it.
/// assert!(serde_json::to_string(&history)?.contains("[1.0,null]"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct History {
    losses: Vec<f64>,
    metrics: Vec<Series>,
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

impl History {
    /// Adds the loss of the next step.
    pub fn push_loss(&mut self, loss: f64) {
        self.losses.push(loss);
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

    /// The losses over the steps, as means of neighbours where there are many.
    pub fn chart(&self) -> Chart {
        let Series {
            steps,
            values: means,
            ..
        } = self.loss_curve();
        let size = self.losses.len().div_ceil(POINTS).max(1);
        let label = match size {
            1 => "loss".into(),
            size => format!("loss, mean of {size} steps"),
        };
        let chart = Chart::new("Training").x_label("step").y_label(label);
        // The first losses can be so large that nothing else would show.
        let later = means.iter().skip(means.len() / 20);
        let finite = later.copied().filter(|mean| mean.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), mean| {
            (low.min(mean), high.max(mean))
        });
        let chart = match low < high {
            true => chart.y_limits(low - 0.05 * (high - low), high + 0.05 * (high - low)),
            false => chart,
        };
        chart.line(Line::new(&steps, &means))
    }

    /// The losses as a curve of at most [`POINTS`] points.
    pub(super) fn loss_curve(&self) -> Series {
        let window = self.losses.len().div_ceil(POINTS);
        let (steps, values) = self.smoothed_losses(window);
        Series {
            name: "loss".into(),
            steps,
            values,
        }
    }

    /// The loss of each step.
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }

    /// The mean loss of each `window` steps, with the middle of the window: a curve to look at,
    /// where the single losses are noise.
    pub fn smoothed_losses(&self, window: usize) -> (Vec<f64>, Vec<f64>) {
        let window = window.max(1);
        let windows = self.losses.chunks(window).enumerate();
        let mean = |(index, losses): (usize, &[f64])| {
            let middle = (index * window) as f64 + 0.5 * (losses.len() as f64 - 1.0);
            (middle, losses.iter().sum::<f64>() / losses.len() as f64)
        };
        windows.map(mean).unzip()
    }

    /// A metric by its name.
    pub fn metric(&self, name: &str) -> Option<&Series> {
        self.metrics.iter().find(|series| series.name == name)
    }

    /// All metrics, in the order in which they first appeared.
    pub fn metrics(&self) -> &[Series] {
        &self.metrics
    }
}

impl Recorded for History {
    fn json(&self) -> Value {
        json!(self)
    }

    /// A row for each step; a metric has a field where it was taken.
    fn table(&self) -> Table {
        let names = self.metrics.iter().map(|series| series.name.as_str());
        let mut table = Table::new(["step", "loss"].into_iter().chain(names));
        let mut next = vec![0; self.metrics.len()];
        for (step, loss) in self.losses.iter().enumerate() {
            let mut row = vec![step.to_string(), number(*loss)];
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
        let mut history = History::default();
        for (step, loss) in [1.0, 3.0, f64::NAN].into_iter().enumerate() {
            history.push_loss(loss);
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
        let mut history = History::default();
        for loss in [1.0, 3.0, 5.0, 7.0, 10.0] {
            history.push_loss(loss);
        }
        let (steps, losses) = history.smoothed_losses(2);
        assert_eq!(steps, [0.5, 2.5, 4.0]);
        assert_eq!(losses, [2.0, 6.0, 10.0]);
    }
}
