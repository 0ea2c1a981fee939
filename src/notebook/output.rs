//! Where a cell's output goes.

use super::relay::Relay;
use std::io::Write;
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

/// Prints a line.
pub(crate) fn line(text: &str) {
    match Reader::get() {
        Reader::Relay(_) | Reader::Evcxr => write(&format!("{text}\n")),
        // Tests capture this one.
        Reader::Terminal => println!("{text}"),
    }
}

/// One write to stdout, so that nothing comes between its lines.
pub(crate) fn write(text: &str) {
    let mut stdout = std::io::stdout().lock();
    // A front end that has gone is no reason to end the user's process.
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}
