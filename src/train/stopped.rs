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
    /// The held-out loss has not fallen for as many looks as the run's patience. The result is the weights
    /// at which it was least.
    Early {
        /// The number of steps done in all.
        steps: usize,
        /// The number of steps after which the held-out loss was least.
        best: usize,
        /// The held-out loss there.
        loss: f64,
    },
    /// A loss or a gradient was infinite or not a number. The weights are those from before; the result of a run with
    /// held-out points is that of its best look.
    NonFinite {
        /// The step, counted from 0, that was not taken.
        step: usize,
        /// Its loss.
        loss: f64,
    },
    /// The energies grew without bound: the mean of |U| over a batch, looked at every 20 steps, or |loss|,
    /// came above 10⁶ (1 + what it was at the start). The weights are those of the last look before.
    Unbounded {
        /// The number of steps done in all.
        steps: usize,
        /// The mean of |U| over the last batch.
        energy: f64,
        /// Its loss.
        loss: f64,
        /// The number of steps after which the weights are those that the run has now.
        kept: usize,
    },
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stopped::AtEnd { steps: 0 } => {
                write!(f, "nothing to do: the run is set to 0 steps")
            }
            Stopped::AtEnd { steps } => write!(f, "finished after {steps} steps"),
            Stopped::ByUser { steps } => {
                write!(f, "stopped after {steps} steps; run `fit` again to go on")
            }
            Stopped::Early { steps, best, loss } => write!(
                f,
                "stopped after {steps} steps, as the held-out loss no longer falls: the result is the weights \
                 after {best} steps, where it was {loss:.4}"
            ),
            Stopped::NonFinite { step, loss } => write!(
                f,
                "stopped at step {step}, where the loss ({loss}) or its gradient is not finite; \
                 the weights are those from before it"
            ),
            Stopped::Unbounded {
                steps,
                energy,
                loss,
                kept,
            } => write!(
                f,
                "stopped after {steps} steps, where the energies grow without bound (mean |U| over a batch \
                 {energy:.1e}, loss {loss:.1e}): the weights are those after {kept} steps; a smaller rate, or \
                 a loss that holds the energies, may help"
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
