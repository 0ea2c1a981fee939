//! Panics: one line each, or the reason why Jupyter reports a cell as failed.

use super::output::Reader;
use std::fmt;
use std::panic::PanicHookInfo;
use std::sync::{Mutex, Once, PoisonError};

/// What a panic said, and where.
pub(crate) struct Panic {
    pub(crate) message: String,
    place: Option<String>,
    cell: usize,
    is_told: bool,
}

impl Panic {
    fn new(panic: &PanicHookInfo) -> Self {
        // A cell's own file is evcxr's, with other line numbers than the cell.
        let place = panic.location().filter(|at| at.file() != "src/lib.rs");
        Self {
            message: panic.payload_as_str().unwrap_or("no message").to_owned(),
            place: place.map(|at| format!("{}:{}", at.file(), at.line())),
            cell: running_cell(),
            is_told: false,
        }
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panic: {}", self.message)?;
        match &self.place {
            Some(place) => write!(f, " ({place})"),
            None => Ok(()),
        }
    }
}

/// The last panic. One on another thread counts: a thread pool may hand it on to the cell's thread,
/// where it ends the cell without passing by the hook again.
static LAST: Mutex<Option<Panic>> = Mutex::new(None);

fn replace(panic: Option<Panic>) -> Option<Panic> {
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::replace(&mut last, panic)
}

/// The panic that ended the cell. Not one that an earlier cell has caught.
pub(crate) fn take() -> Option<Panic> {
    replace(None).filter(|panic| panic.cell == running_cell())
}

/// evcxr's number of the running cell, by the library that it has loaded last; 0 elsewhere.
fn running_cell() -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let libraries = maps
        .lines()
        .filter_map(|line| line.rsplit_once("/libcode_"));
    let numbers = libraries.filter_map(|(_, name)| name.strip_suffix(".so")?.parse().ok());
    numbers.max().unwrap_or(0)
}

/// Makes panics one line each from now on.
pub fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| std::panic::set_hook(Box::new(|panic| tell(Panic::new(panic)))));
}

/// The same, but only in a kernel: a program's own way with panics is not changed. Whatever a
/// cell may call first does this, since Stop can give the next cell a new process.
pub(crate) fn watch_in_kernel() {
    if !matches!(Reader::get(), Reader::Terminal) {
        watch();
    }
}

fn tell(panic: Panic) {
    let mut panic = panic;
    panic.is_told = !matches!(Reader::get(), Reader::Relay(_)) || !on_main_thread();
    if panic.is_told {
        eprintln!("{panic}");
    }
    // An earlier one of this cell that did not end it: it was caught, or this one is about to abort.
    let cell = panic.cell;
    let earlier = replace(Some(panic)).filter(|earlier| !earlier.is_told && earlier.cell == cell);
    if let Some(earlier) = earlier {
        eprintln!("{earlier}");
    }
}

/// Whether this is the process's first thread, where evcxr runs the cells.
fn on_main_thread() -> bool {
    // evcxr brings a standard library of its own, so that ours does not know the name of the
    // thread that was there before it was loaded. Linux does: its link is PID/task/PID.
    let link = std::fs::read_link("/proc/thread-self").unwrap_or_default();
    let mut parts = link.iter();
    let (process, thread) = (parts.next(), parts.nth(1));
    process.is_some() && process == thread || std::thread::current().name() == Some("main")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_one_line() {
        let place = Some("src/lib.rs:3".into());
        let panic = Panic {
            message: "too far".into(),
            place,
            cell: 0,
            is_told: false,
        };
        assert_eq!(panic.to_string(), "panic: too far (src/lib.rs:3)");
    }

    #[test]
    fn a_spawned_thread_is_not_the_main_thread() {
        assert!(!std::thread::spawn(on_main_thread).join().unwrap());
    }
}
