//! A picture that changes while a cell runs.

use super::display::Display;
use std::time::{Duration, Instant};

/// The least time between two drawings, and how many times longer than a drawing it is at least:
/// the work itself keeps 97% of the time.
const BETWEEN: Duration = Duration::from_millis(300);
const WORK_PER_DRAWING: u32 = 32;

/// What can be shown below a cell as a picture: a figure of whatever library.
///
/// # Examples
/// ```
/// use evcxr_notebook::{Display, Picture};
///
/// /// What another library has drawn already.
/// struct Drawn(Vec<u8>);
///
/// impl Picture for Drawn {
///     type Error = std::convert::Infallible;
///     fn png(&self) -> Result<Vec<u8>, Self::Error> {
///         Ok(self.0.clone())
///     }
///     fn describe(&self) -> String {
///         "a picture".into()
///     }
/// }
///
/// Drawn(Vec::new()).show_in(&mut Display::default())?;
/// # Ok::<(), std::convert::Infallible>(())
/// ```
pub trait Picture {
    /// Why it could not be drawn.
    type Error;

    /// The picture as PNG.
    ///
    /// # Errors
    /// If it cannot be drawn.
    fn png(&self) -> Result<Vec<u8>, Self::Error>;

    /// A line of text for readers that show no pictures.
    fn describe(&self) -> String;

    /// Shows it below the cell, in the place of what the display showed before.
    ///
    /// # Errors
    /// If it cannot be drawn.
    fn show_in(&self, display: &mut Display) -> Result<(), Self::Error> {
        display.show_png(&self.png()?, &self.describe());
        Ok(())
    }
}

/// A picture in place: drawn again every now and then while a loop runs, complete at its end.
///
/// Where outputs cannot be replaced (on evcxr without the relay) only
/// the last picture is shown, and outside of notebooks none.
///
/// # Examples
/// ```
/// use evcxr_notebook::{Live, Picture};
///
/// struct Mine(Vec<f64>);
///
/// impl Picture for Mine {
///     type Error = std::io::Error;
///     fn png(&self) -> std::io::Result<Vec<u8>> {
///         // Draw self.0 here, by the library that you like.
/// #       Ok(Vec::new())
///     }
///     fn describe(&self) -> String {
///         format!("a chart of {} points", self.0.len())
///     }
/// }
///
/// let (mut points, mut live) = (Vec::new(), Live::new());
/// for step in 0..100 {
///     points.push(f64::from(step).sin());
///     live.show(|| Mine(points.clone()))?;
/// }
/// live.finish(&Mine(points))?;
/// # Ok::<(), std::io::Error>(())
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

    /// Shows the picture in the place of the one before, if it is time for that.
    ///
    /// # Errors
    /// As [`Picture::png`].
    pub fn show<P: Picture>(&mut self, picture: impl FnOnce() -> P) -> Result<(), P::Error> {
        let begun = Instant::now();
        if begun < self.next || !Display::is_live() {
            return Ok(());
        }
        let result = picture().show_in(&mut self.display);
        let cost = begun.elapsed();
        self.next = Instant::now() + BETWEEN.max(WORK_PER_DRAWING * cost);
        result
    }

    /// Shows the last picture.
    ///
    /// # Errors
    /// As [`Picture::png`].
    pub fn finish<P: Picture>(mut self, picture: &P) -> Result<(), P::Error> {
        match Display::is_in_notebook() {
            true => picture.show_in(&mut self.display),
            false => Ok(()),
        }
    }
}

impl Default for Live {
    fn default() -> Self {
        Self::new()
    }
}
