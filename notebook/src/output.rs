//! Where a cell's output goes.

use super::relay::Relay;
use super::stdout::{OF_EVCXR, quoted, write};
use std::fmt;
use std::sync::LazyLock;

/// Who reads what this process prints.
#[derive(Clone, Copy)]
pub(crate) enum Reader {
    /// Jupyter, through the relay: outputs appear at once, and can be replaced.
    Relay(&'static Relay),
    /// evcxr alone: whole lines, and one figure for each cell, at its end.
    Evcxr,
    /// A person at a terminal, a test, a file.
    Terminal,
}

impl Reader {
    /// Who it is, as the environment says.
    pub(crate) fn get() -> Self {
        // Set by evcxr for the process that runs the cells.
        static EVCXR: LazyLock<bool> =
            LazyLock::new(|| std::env::var_os("EVCXR_IS_RUNTIME").is_some());
        match Relay::get() {
            Some(relay) => Self::Relay(relay),
            None if *EVCXR => Self::Evcxr,
            None => Self::Terminal,
        }
    }
}

/// Lines from this length on can come late (see [`Relay::close`]).
const LONG: usize = 32_000;

/// Prints a line. Whatever it says, it is text: evcxr would take a line of a file for the end of the
/// cell, or for the beginning of a page.
pub(crate) fn line(text: &str) {
    match Reader::get() {
        Reader::Relay(relay) if text.contains(OF_EVCXR) => relay.print(&format!("{text}\n")),
        Reader::Relay(relay) => {
            write(&format!("{text}\n"));
            if text.len() > LONG {
                relay.close();
            }
        }
        Reader::Evcxr => write(&format!("{}\n", quoted(text))),
        // Tests capture this one.
        Reader::Terminal => println!("{text}"),
    }
}

/// What an error's `Debug` writes: its sentence, as text. It may hold words of others with their line ends, and
/// evcxr prints it as it is.
///
/// # Examples
/// ```
/// use std::fmt;
///
/// struct NoColumn(String);
///
/// impl fmt::Debug for NoColumn {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         evcxr_notebook::debug_text(&format_args!("there is no column {:?}", self.0), f)
///     }
/// }
///
/// assert_eq!(format!("{:?}", NoColumn("age".into())), r#"there is no column "age""#);
/// ```
pub fn debug_text(text: &dyn fmt::Display, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match Reader::get() {
        Reader::Relay(_) | Reader::Evcxr => f.write_str(&quoted(&text.to_string())),
        Reader::Terminal => write!(f, "{text}"),
    }
}
