//! Drawing a chart with plotters, on a bitmap or as SVG: its title, axes or a thin frame, what is in its
//! plane, and its legend.

use super::area::{Area, Pixels, failed, outline};
use super::axis::Scale;
use super::chart::Chart;
use super::embedded::Embedded;
use super::legend::{Entries, Legend};
use super::picture::Picture;
use super::plane::Plane;
use super::theme::{self, font};
use super::{room, text};
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
    let entries = Entries::of(&chart.lines, scale);
    let beside = chart.legend == Legend::Right && !chart.bare && !entries.is_empty();
    let (width, height) = area.dim_in_pixel();
    let (width, height) = (width as i32, height as i32);
    // The axes keep half of the width, and what they need.
    let most = (width / 2).min(width - px(160.0)).max(0);
    let tall = height - above(titled, scale) - px(14.0);
    let beside = beside.then(|| entries.list((most, tall)));
    let room = beside.as_ref().map_or(0, |list| list.width);
    let (left, right) = area.split_horizontally(width - room);
    let plane = surround(chart, &left, titled, scale)?;
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

/// Draws the chart's title with axes or a frame; what is left is the plane.
fn surround<DB: DrawingBackend>(
    chart: &Chart,
    area: &Area<DB>,
    titled: bool,
    scale: f64,
) -> Result<Plane<DB>, Error> {
    let px = |size: f64| (size * scale).round() as i32;
    let (plane, size, above) = if chart.bare {
        (
            draw_bare(chart, area, titled, scale)?,
            theme::TICK + 1.0,
            11.0,
        )
    } else {
        (draw_axes(chart, area, titled, scale)?, theme::TITLE, 18.0)
    };
    if !chart.title.is_empty() {
        let (left, top) = area.get_base_pixel();
        let (columns, rows) = plane.pixels.get_pixel_range();
        // Titles of line charts stand at one place, however wide the labels of the y axis are.
        let middle = if chart.bare || chart.picture.is_some() {
            (columns.start + columns.end) / 2 - left
        } else {
            (area.dim_in_pixel().0 as i32 + px(58.0)) / 2
        };
        let middle = (middle, rows.start - top - px(above));
        text::across(area, &chart.title, size * scale, middle)?;
    }
    Ok(plane)
}

/// The room above axes.
fn above(titled: bool, scale: f64) -> i32 {
    let above = if titled { 36.0 } else { 10.0 };
    (above * scale).round() as i32
}

/// Draws a thin frame.
fn draw_bare<DB: DrawingBackend>(
    chart: &Chart,
    area: &Area<DB>,
    titled: bool,
    scale: f64,
) -> Result<Plane<DB>, Error> {
    let px = |size: f64| (size * scale).round() as i32;
    let (x, y) = chart.scales()?;
    let (width, height) = area.dim_in_pixel();
    let title = px(if titled {
        f64::from(theme::BARE_TITLE)
    } else {
        0.0
    });
    let (width, height) = (width as i32, height as i32 - title);
    let margin = px(f64::from(theme::BARE_MARGIN));
    let room = (width - margin, height - margin);
    let plane = plane_size(chart, (&x, &y), room, scale);
    let left = snapped((width - plane.0) / 2, scale);
    let top = snapped((height - plane.1) / 2, scale) + title;
    outline(area, [(left, top), (left + plane.0, top + plane.1)], scale)?;
    let area = area.clone().shrink((left, top), plane);
    let context = ChartBuilder::on(&area)
        .build_cartesian_2d(x.without_ticks(), y.without_ticks())
        .map_err(failed)?;
    Ok(Plane::of(&context, scale))
}

/// Draws grid, axes and labels.
fn draw_axes<DB: DrawingBackend>(
    chart: &Chart,
    area: &Area<DB>,
    titled: bool,
    scale: f64,
) -> Result<Plane<DB>, Error> {
    let px = |size: f64| (size * scale).round() as i32;
    let text = |size: f64| font(size * scale);
    let area = area.margin(above(titled, scale), px(8.0), px(8.0), px(16.0));
    let (x, y) = chart.scales()?;
    let (width, height) = area.dim_in_pixel();
    let (width, height) = (width as i32, height as i32);
    let about = |pixels: i32, each: f64| (f64::from(pixels) / scale / each).max(2.0) as usize;
    // The plane keeps half of the width at least.
    let air = px(if chart.y.label.is_empty() { 14.0 } else { 36.0 });
    let most = width / 2 - air;
    let below = px(46.0);
    let count = about(height, 50.0);
    let (mut y, widest) = room::upwards(y, count, (most, height - below), scale)?;
    let mut beside = widest + air;
    let mut count = about(width, 75.0);
    let mut area = area;
    if chart.picture.is_some() {
        let room = (width - beside, height - below);
        let plane = plane_size(chart, (&x, &y.scale), room, scale);
        // Equal axes have ticks at equal distances.
        count = about(plane.0.min(plane.1), 60.0);
        let widest;
        (y, widest) = room::upwards(y.scale, count, (most, plane.1), scale)?;
        beside = snapped(widest + px(1.0), scale) + air;
        let size = (plane.0 + beside, plane.1 + below);
        let left = snapped((width - size.0) / 2, scale).max(0);
        let top = snapped((height - size.1) / 2, scale).max(0);
        area = area.shrink((left, top), size);
    }
    let plane = (
        area.dim_in_pixel().0 as i32 - beside,
        area.dim_in_pixel().1 as i32 - below,
    );
    let x = room::across(x, count, (beside, plane.0), scale)?;
    // They stand at the middle of the plane, and may be a little longer.
    let x_label = text::cut(&chart.x.label, theme::LABEL * scale, plane.0 + px(28.0));
    let y_label = text::cut(&chart.y.label, theme::LABEL * scale, plane.1 + px(14.0));
    let mut context = ChartBuilder::on(&area)
        .x_label_area_size(below)
        .y_label_area_size(beside)
        .build_cartesian_2d(x, y)
        .map_err(failed)?;
    context
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(theme::GRID.stroke_width(px(0.8).max(1) as u32))
        .axis_style(BLACK.stroke_width(px(1.0) as u32))
        .set_all_tick_mark_size(px(4.0))
        .label_style(text(theme::TICK))
        .axis_desc_style(text(theme::LABEL))
        .x_desc(x_label)
        .y_desc(y_label)
        .draw()
        .map_err(failed)?;
    Ok(Plane::of(&context, scale))
}

/// The size of the plane in the room for it: all, or what gives a chart with a map equal axes.
fn plane_size(
    chart: &Chart,
    (x, y): (&Scale, &Scale),
    (width, height): (i32, i32),
    scale: f64,
) -> (i32, i32) {
    if chart.picture.is_none() {
        return (width, height);
    }
    let own_units = matches!(&chart.picture, Some(Picture::Map(map)) if !map.equal_units);
    let ratio = if x.log || y.log || own_units {
        1.0
    } else {
        // Limits that would make the plane a line are not followed that far.
        // Images know their own size.
        let ratio = (x.high - x.low) / (y.high - y.low);
        match &chart.picture {
            Some(Picture::Images(_)) => ratio,
            _ => ratio.clamp(0.25, 4.0),
        }
    };
    let (width, height) = (f64::from(width), f64::from(height));
    let size = |pixels: f64| snapped(pixels.round() as i32, scale).max(1);
    (
        size(width.min(height * ratio)),
        size(height.min(width / ratio)),
    )
}

/// Down to whole pixels of the final picture, so that edges are sharp.
fn snapped(pixels: i32, scale: f64) -> i32 {
    let whole = scale.round() as i32;
    pixels.div_euclid(whole) * whole
}
