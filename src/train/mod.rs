//! Training: an energy, a loss and data, step by step, with the Stop button at hand.

mod adam;
mod fit;
mod history;
mod trainer;

pub use adam::{Adam, Ema, Optimiser};
pub use fit::{Metric, Stopped};
pub use history::{History, Series};
pub use trainer::Trainer;
