//! What happened while a latent model was trained.

use crate::notebook::Recorded;
use crate::notebook::table::{Table, number};
use crate::plot::{Chart, Figure, Line};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// More points than this a line of the chart's width does not show.
const POINTS: usize = 300;

/// Both losses of every iteration.
///
/// # Examples
/// ```
/// use energy_discrepancy::lebm::LatentHistory;
///
/// let mut history = LatentHistory::new(2);
/// for loss in [5.0, 3.0, 2.0, 1.0] {
///     history.push(loss, 0.1);
/// }
/// assert_eq!(history.generator_epochs(), [4.0, 1.5]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LatentHistory {
    per_epoch: usize,
    generator: Vec<f64>,
    prior: Vec<f64>,
}

impl LatentHistory {
    /// An empty history of a run with so many iterations an epoch.
    pub fn new(per_epoch: usize) -> Self {
        Self {
            per_epoch,
            ..Self::default()
        }
    }

    /// Adds the losses of the next iteration.
    pub fn push(&mut self, generator: f64, prior: f64) {
        self.generator.push(generator);
        self.prior.push(prior);
    }

    /// The squared error per image of each iteration.
    pub fn generator(&self) -> &[f64] {
        &self.generator
    }

    /// The energy discrepancy of the prior in each iteration.
    pub fn prior(&self) -> &[f64] {
        &self.prior
    }

    /// The squared error per image, as means over epochs; the last epoch may be under way.
    pub fn generator_epochs(&self) -> Vec<f64> {
        self.epochs(&self.generator)
    }

    /// The prior's loss, as means over epochs; the last epoch may be under way.
    pub fn prior_epochs(&self) -> Vec<f64> {
        self.epochs(&self.prior)
    }

    fn epochs(&self, losses: &[f64]) -> Vec<f64> {
        let epochs = losses.chunks(self.per_epoch.max(1));
        epochs.map(mean).collect()
    }

    /// The epoch of an iteration, both counted from 0.
    pub(super) fn epoch_of(&self, iteration: usize) -> usize {
        iteration / self.per_epoch.max(1)
    }

    /// Both losses over the iterations, as means of neighbours where there are many.
    pub fn figure(&self) -> Figure {
        let window = self.generator.len().div_ceil(POINTS).max(1);
        let chart = |title: &str, label: &str, losses: &[f64]| {
            let windows = losses.chunks(window).enumerate();
            let points = windows.map(|(i, losses)| {
                let middle = (i * window) as f64 + 0.5 * (losses.len() as f64 - 1.0);
                (middle, mean(losses))
            });
            let (x, y): (Vec<f64>, Vec<f64>) = points.unzip();
            let chart = Chart::new(title).x_label("iteration").y_label(label);
            chart.line(Line::new(&x, &y))
        };
        Figure::row([
            chart("Generator", "squared error per image", &self.generator).log_y(),
            chart("Prior", "energy discrepancy", &self.prior),
        ])
    }
}

impl Recorded for LatentHistory {
    fn json(&self) -> Value {
        json!(self)
    }

    /// A row for each iteration.
    fn table(&self) -> Table {
        let mut table = Table::new(["iteration", "generator", "prior"]);
        for (i, (generator, prior)) in self.generator.iter().zip(&self.prior).enumerate() {
            table.push(vec![i.to_string(), number(*generator), number(*prior)]);
        }
        table
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
