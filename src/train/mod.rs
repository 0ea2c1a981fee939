//! Training: an energy, a loss and data, step by step, with the Stop button at hand.

mod adam;
mod board;
mod fit;
pub(crate) mod growth;
mod history;
#[cfg(any(test, feature = "cuda"))]
mod in_turns;
mod metric;
mod optimiser;
mod resume;
#[cfg(not(feature = "cuda"))]
mod side_by_side;
mod stopped;
mod sweep;
mod trainer;

pub use adam::Adam;
pub use history::{History, Series};
pub use metric::{HeldOut, Metric};
pub use optimiser::{Ema, Optimiser};
pub use stopped::Stopped;
pub use sweep::{Ended, EndedRun, Sweep, SweepRun};
pub use trainer::{Learner, Trainer};
