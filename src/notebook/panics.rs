//! Panics: one line each, or the reason why Jupyter reports a cell as failed.

use super::output::Reader;
use std::fmt;
use std::panic::PanicHookInfo;
use std::sync::{Mutex, Once, PoisonError};

/// What a panic said, and where.
pub(crate) struct Panic {
    pub(crate) message: String,
    place: Option<String>,
}

impl Panic {
    fn new(panic: &PanicHookInfo) -> Self {
        // A cell's own file is evcxr's, with other line numbers than the cell.
        let place = panic.location().filter(|at| at.file() != "src/lib.rs");
        Self {
            message: panic.payload_as_str().unwrap_or("no message").to_owned(),
            place: place.map(|at| format!("{}:{}", at.file(), at.line())),
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

/// The panic that is about to end the cell, to be told as the cell's error.
static OF_THE_CELL: Mutex<Option<Panic>> = Mutex::new(None);

/// The last panic on another thread. A thread pool may hand it on to the cell's thread, where it
/// ends the cell without passing by the hook again.
static ELSEWHERE: Mutex<Option<Panic>> = Mutex::new(None);

fn replace(slot: &Mutex<Option<Panic>>, panic: Option<Panic>) -> Option<Panic> {
    let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::replace(&mut slot, panic)
}

/// The panic that ended the cell.
pub(crate) fn take() -> Option<Panic> {
    let elsewhere = replace(&ELSEWHERE, None);
    replace(&OF_THE_CELL, None).or(elsewhere)
}

/// Makes panics one line each from now on.
pub(crate) fn watch() {
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
    let relayed = matches!(Reader::get(), Reader::Relay(_));
    if relayed && on_main_thread() {
        // An earlier one that ended no cell: it was caught, or this one is about to abort.
        if let Some(earlier) = replace(&OF_THE_CELL, Some(panic)) {
            eprintln!("{earlier}");
        }
    } else {
        eprintln!("{panic}");
        replace(&ELSEWHERE, Some(panic));
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
        let message = "too far".into();
        let panic = Panic { message, place };
        assert_eq!(panic.to_string(), "panic: too far (src/lib.rs:3)");
    }

    #[test]
    fn a_spawned_thread_is_not_the_main_thread() {
        assert!(!std::thread::spawn(on_main_thread).join().unwrap());
    }
}
