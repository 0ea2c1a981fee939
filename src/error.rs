//! The one error type of the crate.

use std::fmt;
use std::path::{Path, PathBuf};

/// What went wrong, where, and what to change.
///
/// `Debug` prints the same sentence as `Display`, so that a notebook cell which ends in a
/// `Result` shows the message and not the names of fields.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting has a value that the equation does not allow.
    #[error("{name} = {value} is not possible: {allowed}")]
    Setting {
        /// The setting's name, as the caller wrote it.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// What would be accepted.
        allowed: &'static str,
    },
    /// Two things that belong together have different sizes.
    #[error("{what} has shape {found}, but {expected} is needed")]
    Shape {
        /// What was passed.
        what: String,
        /// Its shape.
        found: String,
        /// The shape that fits.
        expected: String,
    },
    /// An energy's gradients are not the slopes of its values.
    #[error("the energy {energy}: {reason}")]
    Energy {
        /// The energy's type.
        energy: String,
        /// What is wrong, and what it mostly comes from.
        reason: String,
    },
    /// A chain left all that numbers can say.
    #[error("the chain ran away: {0}")]
    Chain(String),
    /// A tensor operation failed, for want of memory for example.
    #[error("tensor operation failed: {0}")]
    Tensor(String),
    /// The system started no more threads.
    #[error("no thread could be started: {0}")]
    Threads(String),
    /// A figure could not be drawn.
    #[error("the figure cannot be drawn: {0}")]
    Figure(String),
    /// A data set cannot be made, selected from or rescaled like this.
    #[error("the data do not fit: {0}")]
    Data(String),
    /// A file could not be read, or holds something else than expected.
    #[error("cannot read {}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// A file could not be written.
    #[error("cannot write {}: {reason}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system, or the crate, says about it.
        reason: String,
    },
    /// A notebook's figures fell outside of what it claims.
    #[error("{0}")]
    Claims(evcxr_notebook::FailedClaims),
}

impl Error {
    /// A setting with a value that is not possible, and what is allowed.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::Error;
    /// let error = Error::setting("ε", 1.5, "a probability");
    /// assert_eq!(error.to_string(), "ε = 1.5 is not possible: a probability");
    /// ```
    pub fn setting(name: &'static str, value: impl ToString, allowed: &'static str) -> Self {
        Error::Setting {
            name,
            value: value.to_string(),
            allowed,
        }
    }

    /// A file that cannot be read, and why.
    pub fn read(path: &Path, reason: impl fmt::Display) -> Self {
        Error::Read {
            path: path.into(),
            reason: reason.to_string(),
        }
    }

    /// A file that cannot be written, and why.
    pub fn write(path: &Path, reason: impl fmt::Display) -> Self {
        Error::Write {
            path: path.into(),
            reason: reason.to_string(),
        }
    }

    /// A tensor operation that failed: `map_err(Error::tensor)`.
    pub fn tensor(error: impl fmt::Display) -> Self {
        Error::Tensor(error.to_string())
    }

    /// Something with another shape than it must have.
    pub fn shape(
        what: impl Into<String>,
        found: impl fmt::Debug,
        expected: impl Into<String>,
    ) -> Self {
        Error::Shape {
            what: what.into(),
            found: format!("{found:?}"),
            expected: expected.into(),
        }
    }
}

/// It may hold text of others.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        evcxr_notebook::debug_text(self, f)
    }
}

impl From<evcxr_notebook::FailedClaims> for Error {
    fn from(failed: evcxr_notebook::FailedClaims) -> Self {
        Error::Claims(failed)
    }
}

impl From<crate::kernel::Misfit> for Error {
    fn from(misfit: crate::kernel::Misfit) -> Self {
        Error::Shape {
            what: misfit.what,
            found: misfit.found,
            expected: misfit.expected,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_shows_its_message() {
        let result: Result<(), _> = Err(Error::setting("std", -1.0, "positive and finite"));
        assert_eq!(
            format!("{result:?}"),
            "Err(std = -1 is not possible: positive and finite)"
        );
    }
}
