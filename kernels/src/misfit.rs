//! What callers can do wrong.

use std::fmt;

/// Slices whose lengths do not fit each other, or a network that they do not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} has shape {found}, but {expected} is needed")]
pub struct Misfit {
    /// What was passed.
    pub what: String,
    /// Its shape.
    pub found: String,
    /// The shape that fits.
    pub expected: String,
}

impl Misfit {
    pub(crate) fn new(
        what: impl Into<String>,
        found: impl fmt::Debug,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            what: what.into(),
            found: format!("{found:?}"),
            expected: expected.into(),
        }
    }
}
