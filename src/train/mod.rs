//! Training: an objective and data, step by step, with the Stop button at hand.

mod adam;
mod fitting;
mod for_table;
pub(crate) mod growth;
mod history;
mod metric;
mod objective;
mod optimiser;
mod run;
mod schedule;
mod stopped;
mod sweep;
mod training;
mod validation;

pub use adam::Adam;
pub use fitting::{Fitting, Trainer};
pub use history::{History, Recovery, Series};
pub use metric::{HeldOut, Metric};
pub use objective::{Objective, TrainedNet};
pub use optimiser::{Optimiser, Sgd};
pub use schedule::{At, Schedule};
pub use stopped::Stopped;
pub use sweep::{Ended, EndedRun, Sweep};
pub use training::Training;
