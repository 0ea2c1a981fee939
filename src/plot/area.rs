//! Where things are drawn: a part of a picture, on a bitmap or as SVG.

use super::theme;
use crate::Error;
use plotters::coord::Shift;
use plotters::prelude::*;
use std::ops::Range;

pub(crate) type Area<DB> = DrawingArea<DB, Shift>;

/// Columns and rows of pixels.
pub(crate) type Pixels = (Range<i32>, Range<i32>);

/// A rectangle of one colour, by its lower left and upper right corner in the plane's coordinates.
pub(crate) type Patch = ([(f64, f64); 2], RGBColor);

/// What plotters says when it cannot draw.
pub(crate) fn failed(error: impl std::fmt::Display) -> Error {
    Error::Figure(error.to_string())
}

/// A frame one pixel wide.
pub(crate) fn outline<DB: DrawingBackend>(
    area: &Area<DB>,
    [(left, top), (right, bottom)]: [(i32, i32); 2],
    scale: f64,
) -> Result<(), Error> {
    let wide = scale.round() as i32;
    let outside = [(left - wide, top - wide), (right + wide, bottom + wide)];
    for (corners, color) in [
        (outside, theme::MARKER),
        ([(left, top), (right, bottom)], WHITE),
    ] {
        area.draw(&Rectangle::new(corners, color.filled()))
            .map_err(failed)?;
    }
    Ok(())
}
