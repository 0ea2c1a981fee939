//! The Stop button: a flag that long loops look at.

use super::panics;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

/// Set by an interrupt (the notebook's Stop button, Ctrl-C). The handler is installed with the
/// first loop that looks: before, an interrupt does what it did.
static PRESSED: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| {
    let flag = Arc::new(AtomicBool::new(false));
    // Fails only where the system refuses a handler; then Stop does what it did without us.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&flag));
    flag
});

static WATCHERS: AtomicUsize = AtomicUsize::new(0);

/// A stretch of work that the Stop button ends without losing anything.
///
/// A loop that asks [`StopButton::pressed`] at each step can leave early and keep what it has:
/// the kernel lives on, with the variables of this cell and of all earlier ones. While one
/// stretch of work contains another, both see the same press.
///
/// # Examples
/// ```
/// use evcxr_notebook::StopButton;
///
/// let stop = StopButton::watch();
/// let mut sum = 0;
/// for i in 0..1000 {
///     if stop.pressed() {
///         break;
///     }
///     sum += i;
/// }
/// assert_eq!(sum, 499_500);
/// ```
#[derive(Debug)]
pub struct StopButton(());

impl StopButton {
    /// Begins the stretch of work. A press from before it is forgotten.
    pub fn watch() -> Self {
        panics::watch_in_kernel();
        let pressed = &*PRESSED;
        if WATCHERS.fetch_add(1, Ordering::SeqCst) == 0 {
            pressed.store(false, Ordering::SeqCst);
        }
        Self(())
    }

    /// Whether Stop has been pressed since the outermost stretch of work began.
    pub fn pressed(&self) -> bool {
        PRESSED.load(Ordering::Relaxed)
    }
}

impl Drop for StopButton {
    fn drop(&mut self) {
        WATCHERS.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_press_ends_all_nested_work_and_is_then_forgotten() {
        let outer = StopButton::watch();
        assert!(!outer.pressed());
        signal_hook::low_level::raise(signal_hook::consts::SIGINT).unwrap();
        let inner = StopButton::watch();
        assert!(inner.pressed() && outer.pressed());
        drop(inner);
        assert!(outer.pressed());
        drop(outer);
        assert!(!StopButton::watch().pressed());
    }
}
