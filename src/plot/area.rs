//! Where things are drawn: a part of a picture, on a bitmap or as SVG.

use crate::Error;
use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use std::ops::Range;

pub(crate) type Area<DB> = DrawingArea<DB, Shift>;

/// Columns and rows of pixels.
pub(crate) type Pixels = (Range<i32>, Range<i32>);

/// What plotters says when it cannot draw.
pub(crate) fn failed(error: impl std::fmt::Display) -> Error {
    Error::Figure(error.to_string())
}
