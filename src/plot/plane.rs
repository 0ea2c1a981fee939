//! The plane of a chart, and what is drawn on it.

use super::Line;
use super::axis::{Scale, Ticked};
use super::clip::clip;
use super::draw::{Area, failed};
use super::embedded::{Canvas, Embedded};
use super::picture::Picture;
use super::stroke::{Stroke, stroke};
use super::theme::{self, Color};
use crate::Error;
use plotters::coord::cartesian::Cartesian2d;
use plotters::prelude::*;
use plotters::style::Color as _;

/// The area between the axes, or in the frame.
pub(crate) struct Plane<DB: DrawingBackend> {
    area: DrawingArea<DB, Cartesian2d<Ticked, Ticked>>,
    pub pixels: Area<DB>,
    x: Scale,
    y: Scale,
    scale: f64,
}

impl<DB: DrawingBackend> Plane<DB> {
    pub(crate) fn of(context: &ChartContext<DB, Cartesian2d<Ticked, Ticked>>, scale: f64) -> Self {
        let area = context.plotting_area().clone();
        Self {
            pixels: area.strip_coord_spec(),
            x: area.as_coord_spec().x_spec().scale.clone(),
            y: area.as_coord_spec().y_spec().scale.clone(),
            area,
            scale,
        }
    }

    fn pixel(&self, position: &(f64, f64)) -> (i32, i32) {
        let (x0, y0) = self.area.get_base_pixel();
        let (x, y) = self.area.map_coordinate(position);
        (x - x0, y - y0)
    }

    fn stroke(&self, points: &[(f64, f64)], how: Stroke, style: ShapeStyle) -> Result<(), Error> {
        let points = points.iter().map(|position| self.pixel(position));
        stroke(&self.pixels, points, how, style, self.scale)
    }

    pub(crate) fn draw_picture(&self, picture: &Picture) -> Result<(), Error> {
        let (low, high) = ((self.x.low, self.y.low), (self.x.high, self.y.high));
        for (corners, color) in picture.patches()? {
            let [a, b] = corners.map(|(x, y)| {
                let (x, y) = (self.x.position(x), self.y.position(y));
                self.pixel(&(x.clamp(low.0, high.0), y.clamp(low.1, high.1)))
            });
            // A grid finer than the picture has cells without a pixel.
            if a.0 != b.0 && a.1 != b.1 {
                let rectangle = Rectangle::new([a, b], color.filled());
                self.pixels.draw(&rectangle).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Has the picture embedded in the plane's place.
    pub(crate) fn embed_picture(
        &self,
        picture: &Picture,
        embedded: &Embedded,
    ) -> Result<(), Error> {
        let (width, height) = self.pixels.dim_in_pixel();
        let mut canvas = Canvas::of(width, height);
        // Shares of the plane, since plotters' own pixels leave its last column and row free.
        let share = |(x, y)| {
            let right = self.x.position(x) - self.x.low;
            let down = self.y.high - self.y.position(y);
            (
                right / (self.x.high - self.x.low),
                down / (self.y.high - self.y.low),
            )
        };
        for (corners, color) in picture.patches()? {
            canvas.fill(corners.map(share), color);
        }
        let place = [(0, 0), (width as i32, height as i32)];
        let rectangle = Rectangle::new(place, embedded.add(&canvas)?.filled());
        self.pixels.draw(&rectangle).map_err(failed)
    }

    pub(crate) fn draw_vertical(&self, x: f64) -> Result<(), Error> {
        let x = self.x.position(x);
        if !(self.x.low..=self.x.high).contains(&x) {
            return Ok(());
        }
        let style = theme::MARKER.stroke_width((1.3 * self.scale).round() as u32);
        self.stroke(&[(x, self.y.low), (x, self.y.high)], Stroke::Dashed, style)
    }

    pub(crate) fn draw_band(&self, line: &Line, color: Color) -> Result<(), Error> {
        let Some((low, high)) = &line.band else {
            return Ok(());
        };
        let inside = |y: f64| self.y.position(y).clamp(self.y.low, self.y.high);
        let ends = low.iter().zip(high);
        let across = line.x.iter().zip(ends).map(|(x, (low, high))| {
            let x = self.x.position(*x);
            (x, inside(*low), inside(*high))
        });
        let across: Vec<_> = across.collect();
        let drawn = |&(x, low, high): &(f64, f64, f64)| {
            (self.x.low..=self.x.high).contains(&x) && !low.is_nan() && !high.is_nan()
        };
        for stretch in across.split(|point| !drawn(point)) {
            let below = stretch.iter().map(|(x, low, _)| (*x, *low));
            let above = stretch.iter().rev().map(|(x, _, high)| (*x, *high));
            let corners = below.chain(above).map(|position| self.pixel(&position));
            let corners: Vec<_> = corners.collect();
            if corners.len() > 2 {
                let area = Polygon::new(corners, color.rgb().mix(theme::BAND));
                self.pixels.draw(&area).map_err(failed)?;
            }
        }
        Ok(())
    }

    pub(crate) fn draw_line(&self, line: &Line, color: Color) -> Result<(), Error> {
        let points = line.x.iter().zip(&line.y);
        let positions = points.map(|(x, y)| (self.x.position(*x), self.y.position(*y)));
        let (low, high) = ((self.x.low, self.y.low), (self.x.high, self.y.high));
        if line.stroke == Stroke::Markers {
            let radius = (theme::DISC * line.width * self.scale).round().max(1.0) as i32;
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
