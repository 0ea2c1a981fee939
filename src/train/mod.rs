//! Training: an energy, a loss and data, step by step, with the Stop button at hand.

mod adam;
mod fit;
mod history;
mod metric;
mod optimiser;
mod resume;
mod side_by_side;
mod stopped;
mod sweep;
mod trainer;

pub use adam::Adam;
pub use history::{History, Series};
pub use metric::Metric;
pub use optimiser::{Ema, Optimiser};
pub use stopped::Stopped;
pub use sweep::{Ended, EndedRun, Sweep, SweepRun};
pub use trainer::Trainer;
