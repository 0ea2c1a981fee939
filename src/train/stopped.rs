//! How a call of `fit` ends.

use std::fmt;

/// Why a call of `fit` came to its end.
#[derive(Clone, Copy, PartialEq)]
#[must_use]
pub enum Stopped {
    /// All steps are done.
    AtEnd {
        /// The number of steps done in all.
        steps: usize,
    },
    /// The Stop button was pressed: `fit` goes on from here when it is called again.
    ByUser {
        /// The number of steps done in all.
        steps: usize,
    },
    /// A loss or a gradient was infinite or not a number. The weights are those from before.
    NonFinite {
        /// The step, counted from 0, that was not taken.
        step: usize,
        /// Its loss.
        loss: f64,
    },
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stopped::AtEnd { steps } => write!(f, "finished after {steps} steps"),
            Stopped::ByUser { steps } => {
                write!(f, "stopped after {steps} steps; run `fit` again to go on")
            }
            Stopped::NonFinite { step, loss } => write!(
                f,
                "stopped at step {step}, where the loss ({loss}) or its gradient is not finite; \
                 the weights are those from before it"
            ),
        }
    }
}

/// The same sentence, which a notebook cell then shows.
impl fmt::Debug for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
