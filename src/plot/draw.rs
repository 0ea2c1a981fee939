//! Drawing a chart with plotters, on a bitmap or as SVG.

use super::embedded::Embedded;
use super::legend::Entries;
use super::{Chart, Legend, frame};
use crate::Error;
use plotters::coord::Shift;
use plotters::prelude::*;
use std::ops::Range;

pub(crate) type Area<DB> = DrawingArea<DB, Shift>;

/// Columns and rows of pixels.
pub(crate) type Pixels = (Range<i32>, Range<i32>);

pub(crate) fn failed(error: impl std::fmt::Display) -> Error {
    Error::Figure(error.to_string())
}

/// Draws `chart` into `area`, where `scale` pixels are one pixel of the final picture, with room
/// for a title where it is `titled`. Says where its plane lies.
pub(crate) fn draw<DB: DrawingBackend>(
    chart: &Chart,
    area: &Area<DB>,
    titled: bool,
    scale: f64,
    embedded: Option<&Embedded>,
) -> Result<Pixels, Error> {
    let px = |size: f64| (size * scale).round() as i32;
    let entries = Entries::of(chart, area, scale);
    let listed = chart.legend == Legend::Right && !chart.bare && !entries.is_empty();
    let room = if listed { entries.width } else { 0 };
    let (left, right) = area.split_horizontally(area.dim_in_pixel().0 as i32 - room);
    let plane = frame::draw(chart, &left, titled, scale)?;
    let (columns, rows) = plane.pixels.get_pixel_range();
    if listed {
        let top = rows.start - right.get_pixel_range().1.start;
        entries.draw(&right, (px(4.0), top + px(6.0)))?;
    }
    if let Some(picture) = &chart.picture {
        match embedded {
            Some(embedded) => plane.embed_picture(picture, embedded)?,
            None => plane.draw_picture(picture)?,
        }
    }
    for marker in &chart.verticals {
        plane.draw_vertical(*marker)?;
    }
    for (i, line) in chart.lines.iter().enumerate() {
        plane.draw_band(line, line.color_or(i))?;
    }
    for (i, line) in chart.lines.iter().enumerate() {
        plane.draw_line(line, line.color_or(i))?;
    }
    entries.draw_inside(chart.legend, &plane.pixels)?;
    Ok((columns, rows))
}
