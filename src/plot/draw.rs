//! Drawing a chart with plotters, on a bitmap or as SVG.

use super::area::{Area, Pixels};
use super::embedded::Embedded;
use super::legend::Entries;
use super::{Chart, Legend, frame};
use crate::Error;
use plotters::prelude::*;

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
    let entries = Entries::of(chart, scale);
    let beside = chart.legend == Legend::Right && !chart.bare && !entries.is_empty();
    let (width, height) = area.dim_in_pixel();
    let (width, height) = (width as i32, height as i32);
    // The axes keep half of the width, and what they need.
    let most = (width / 2).min(width - px(160.0)).max(0);
    let tall = height - frame::above(titled, scale) - px(14.0);
    let beside = beside.then(|| entries.list((most, tall)));
    let room = beside.as_ref().map_or(0, |list| list.width);
    let (left, right) = area.split_horizontally(width - room);
    let plane = frame::draw(chart, &left, titled, scale)?;
    let (columns, rows) = plane.pixels.get_pixel_range();
    if let Some(list) = beside {
        let top = rows.start - right.get_pixel_range().1.start + px(6.0);
        list.draw(&right, (px(4.0), top.min(height - list.height)))?;
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
    if !entries.is_empty() {
        let (width, height) = plane.pixels.dim_in_pixel();
        let room = (width as i32 - px(12.0), height as i32 - px(12.0));
        entries
            .list(room)
            .draw_inside(chart.legend, &plane.pixels)?;
    }
    Ok((columns, rows))
}
