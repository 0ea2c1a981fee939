//! Drawing a chart with plotters, on a bitmap or as SVG.

use super::axis::{Scale, Ticked};
use super::clip::clip;
use super::legend::Entries;
use super::stroke::{Stroke, stroke};
use super::theme::{self, Color, font};
use super::{Chart, DensityMap, Legend, Line};
use crate::Error;
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::prelude::*;
use plotters::style::Color as _;
use plotters::style::text_anchor::{HPos, Pos, VPos};

pub(crate) type Area<DB> = DrawingArea<DB, Shift>;

pub(crate) fn failed(error: impl std::fmt::Display) -> Error {
    Error::Figure(error.to_string())
}

/// Draws `chart` into `area`, where `scale` pixels are one pixel of the final picture.
pub(crate) fn draw<DB: DrawingBackend>(
    chart: &Chart,
    area: &Area<DB>,
    scale: f64,
) -> Result<(), Error> {
    let px = |size: f64| (size * scale).round() as i32;
    let entries = Entries::of(chart, area, scale);
    let top = if chart.title.is_empty() { 10.0 } else { 36.0 };
    let area = if chart.legend == Legend::Right && !entries.is_empty() {
        let width = area.dim_in_pixel().0 as i32;
        let (left, right) = area.split_horizontally(width - entries.width);
        entries.draw(&right, (px(4.0), px(top + 6.0)))?;
        left
    } else {
        area.clone()
    };
    if !chart.title.is_empty() {
        let style = font(theme::TITLE * scale).pos(Pos::new(HPos::Center, VPos::Center));
        let middle = (area.dim_in_pixel().0 as i32 + px(58.0)) / 2;
        let title = Text::new(chart.title.clone(), (middle, px(18.0)), style);
        area.draw(&title).map_err(failed)?;
    }
    let area = area.margin(px(top), px(8.0), px(8.0), px(16.0));
    let plane = draw_axes(chart, &area, scale)?;
    if let Some(map) = &chart.density_map {
        plane.draw_density(map)?;
    }
    for marker in &chart.verticals {
        plane.draw_vertical(*marker)?;
    }
    for (i, line) in chart.lines.iter().enumerate() {
        plane.draw_line(line, line.color_or(i))?;
    }
    entries.draw_inside(chart.legend, &plane.pixels)
}

/// Draws grid, axes and labels; what is left is the plane for the lines.
fn draw_axes<DB: DrawingBackend>(
    chart: &Chart,
    area: &Area<DB>,
    scale: f64,
) -> Result<Plane<DB>, Error> {
    let px = |size: f64| (size * scale).round() as i32;
    let text = |size: f64| font(size * scale);
    let (x, y) = chart.scales()?;
    let (width, height) = area.dim_in_pixel();
    let about = |pixels: u32, each: f64| (f64::from(pixels) / scale / each).max(2.0) as usize;
    let (x, y) = (
        x.with_ticks(about(width, 75.0)),
        y.with_ticks(about(height, 50.0)),
    );
    let label_width = |label: &str| {
        area.estimate_text_size(label, &text(theme::TICK))
            .map_or(0, |size| size.0)
    };
    let widest = y
        .ticks
        .iter()
        .map(|(_, label)| label_width(label))
        .max()
        .unwrap_or(0);
    let beside = if chart.y.label.is_empty() { 14.0 } else { 36.0 };
    let mut context = ChartBuilder::on(area)
        .x_label_area_size(px(46.0))
        .y_label_area_size(widest as i32 + px(beside))
        .build_cartesian_2d(x.clone(), y.clone())
        .map_err(failed)?;
    context
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(theme::GRID.stroke_width(px(0.8).max(1) as u32))
        .axis_style(BLACK.stroke_width(px(1.0) as u32))
        .set_all_tick_mark_size(px(4.0))
        .label_style(text(theme::TICK))
        .axis_desc_style(text(theme::LABEL))
        .x_desc(&chart.x.label)
        .y_desc(&chart.y.label)
        .draw()
        .map_err(failed)?;
    let area = context.plotting_area().clone();
    Ok(Plane {
        pixels: area.strip_coord_spec(),
        area,
        x: x.scale,
        y: y.scale,
        scale,
    })
}

/// The area between the axes.
struct Plane<DB: DrawingBackend> {
    area: DrawingArea<DB, Cartesian2d<Ticked, Ticked>>,
    pixels: Area<DB>,
    x: Scale,
    y: Scale,
    scale: f64,
}

impl<DB: DrawingBackend> Plane<DB> {
    fn pixel(&self, position: &(f64, f64)) -> (i32, i32) {
        let (x0, y0) = self.area.get_base_pixel();
        let (x, y) = self.area.map_coordinate(position);
        (x - x0, y - y0)
    }

    fn stroke(&self, points: &[(f64, f64)], how: Stroke, style: ShapeStyle) -> Result<(), Error> {
        let points = points.iter().map(|position| self.pixel(position));
        stroke(&self.pixels, points, how, style, self.scale)
    }

    fn draw_density(&self, map: &DensityMap) -> Result<(), Error> {
        let (low, high) = ((self.x.low, self.y.low), (self.x.high, self.y.high));
        for (corners, color) in map.cells()? {
            let corners = corners.map(|(x, y)| {
                let (x, y) = (self.x.position(x), self.y.position(y));
                self.pixel(&(x.clamp(low.0, high.0), y.clamp(low.1, high.1)))
            });
            let cell = Rectangle::new(corners, color.filled());
            self.pixels.draw(&cell).map_err(failed)?;
        }
        Ok(())
    }

    fn draw_vertical(&self, x: f64) -> Result<(), Error> {
        let x = self.x.position(x);
        if !(self.x.low..=self.x.high).contains(&x) {
            return Ok(());
        }
        let style = theme::MARKER.stroke_width((1.3 * self.scale).round() as u32);
        self.stroke(&[(x, self.y.low), (x, self.y.high)], Stroke::Dashed, style)
    }

    fn draw_line(&self, line: &Line, color: Color) -> Result<(), Error> {
        let points = line.x.iter().zip(&line.y);
        let positions = points.map(|(x, y)| (self.x.position(*x), self.y.position(*y)));
        let (low, high) = ((self.x.low, self.y.low), (self.x.high, self.y.high));
        if line.stroke == Stroke::Markers {
            let radius = (theme::DISC * line.width * self.scale).round() as i32;
            let inside =
                |p: &(f64, f64)| (low.0..=high.0).contains(&p.0) && (low.1..=high.1).contains(&p.1);
            for position in positions.filter(inside) {
                let disc = Circle::new(self.pixel(&position), radius, color.rgb().filled());
                self.pixels.draw(&disc).map_err(failed)?;
            }
            return Ok(());
        }
        let style = line_style(line, color, self.scale);
        for part in clip(positions, low, high) {
            self.stroke(&part, line.stroke, style)?;
        }
        Ok(())
    }
}

pub(crate) fn line_style(line: &Line, color: Color, scale: f64) -> ShapeStyle {
    let width = (theme::LINE_WIDTH * line.width * scale).round().max(1.0);
    color.rgb().stroke_width(width as u32)
}
