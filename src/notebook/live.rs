//! A figure that changes while a cell runs.

use super::display::Display;
use crate::Error;
use crate::plot::Figure;
use std::time::{Duration, Instant};

/// The least time between two drawings, and how many times longer than a drawing it is at least:
/// the work itself keeps 97% of the time.
const BETWEEN: Duration = Duration::from_millis(300);
const WORK_PER_DRAWING: u32 = 32;

/// A figure in place: drawn again every now and then while a loop runs, complete at its end.
///
/// Where outputs cannot be replaced (on evcxr without the kernel that `make setup` installs) only
/// the last figure is shown, and outside of notebooks none.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let (mut x, mut y) = (Vec::new(), Vec::new());
/// let mut live = Live::new();
/// for step in 0..100 {
///     x.push(step as f64);
///     y.push((step as f64 / 10.0).sin());
///     live.show(|| Chart::new("So far").line(Line::new(&x, &y)).figure())?;
/// }
/// live.finish(&Chart::new("All").line(Line::new(&x, &y)).figure())?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct Live {
    display: Display,
    next: Instant,
}

impl Live {
    /// Nothing is shown yet.
    pub fn new() -> Self {
        Self {
            display: Display::default(),
            next: Instant::now() + BETWEEN,
        }
    }

    /// Shows the figure in the place of the one before, if it is time for that.
    ///
    /// # Errors
    /// As [`Figure::png`].
    pub fn show(&mut self, figure: impl FnOnce() -> Figure) -> Result<(), Error> {
        let begun = Instant::now();
        if begun < self.next || !Display::is_live() {
            return Ok(());
        }
        let result = figure().show_in(&mut self.display);
        let cost = begun.elapsed();
        self.next = Instant::now() + BETWEEN.max(WORK_PER_DRAWING * cost);
        result
    }

    /// Shows the last figure.
    ///
    /// # Errors
    /// As [`Figure::png`].
    pub fn finish(mut self, figure: &Figure) -> Result<(), Error> {
        match Display::is_in_notebook() {
            true => figure.show_in(&mut self.display),
            false => Ok(()),
        }
    }
}

impl Default for Live {
    fn default() -> Self {
        Self::new()
    }
}
