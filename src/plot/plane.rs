//! The plane of a chart, and what is drawn on it.

use super::area::{Area, failed};
use super::axis::{Scale, Ticked};
use super::clip::clip;
use super::embedded::{Canvas, Embedded};
use super::line::Line;
use super::picture::Picture;
use super::stroke::{Stroke, stroke};
use super::theme::{self, Color};
use crate::Error;
use plotters::coord::cartesian::Cartesian2d;
use plotters::prelude::*;
use plotters::style::Color as _;
use std::collections::HashSet;

/// Lines of more points are thinned to those that make a difference, of which there may be as many.
const MANY: usize = 200_000;

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
        let mut across: Vec<_> = across.collect();
        let drawn = |&(x, low, high): &(f64, f64, f64)| {
            (self.x.low..=self.x.high).contains(&x) && !low.is_nan() && !high.is_nan()
        };
        if across.len() > MANY {
            across = self.thinned(across, |point| point.0, hull, drawn);
        }
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
        let inside = |p: &(f64, f64)| {
            (self.x.low..=self.x.high).contains(&p.0) && (self.y.low..=self.y.high).contains(&p.1)
        };
        let radius = (theme::DISC * line.width * self.scale).round().max(1.0) as i32;
        let disc = |pixel| {
            let disc = Circle::new(pixel, radius, color.rgb().filled());
            self.pixels.draw(&disc).map_err(failed)
        };
        if line.stroke == Stroke::Markers {
            let mut drawn = HashSet::new();
            let pixels = positions
                .filter(inside)
                .map(|position| self.pixel(&position));
            return pixels
                .filter(|pixel| drawn.insert(*pixel))
                .try_for_each(disc);
        }
        let mut positions: Vec<(f64, f64)> = positions.collect();
        let finite = |p: &(f64, f64)| p.0.is_finite() && p.1.is_finite();
        if positions.len() > MANY {
            let count = positions.len();
            positions = self.thinned(positions, |p| p.0, extremes, finite);
            if positions.len() > MANY {
                return Err(Error::Figure(format!(
                    "a line of {count} points to and fro would take minutes: draw markers, or fewer points"
                )));
            }
        }
        // What has no length would not be seen.
        for stretch in positions.split(|position| !finite(position)) {
            let Some(first) = stretch.first().filter(|first| inside(first)) else {
                continue;
            };
            let (x, y) = self.pixel(first);
            let most = self.scale as i32;
            let near = |at: (i32, i32)| (at.0 - x).abs() <= most && (at.1 - y).abs() <= most;
            if stretch
                .iter()
                .all(|position| inside(position) && near(self.pixel(position)))
            {
                disc((x, y))?;
            }
        }
        let style = line_style(line, color, self.scale);
        let (low, high) = ((self.x.low, self.y.low), (self.x.high, self.y.high));
        for part in clip(positions.into_iter(), low, high) {
            self.stroke(&part, line.stroke, style)?;
        }
        Ok(())
    }

    /// Of neighbours in one column of pixels only those that `keep` chooses. What lies left of the plane is
    /// one column, and so is what lies right of it; of neighbours that are not `drawn` one is kept.
    fn thinned<P: Copy>(
        &self,
        points: Vec<P>,
        x: impl Fn(&P) -> f64,
        keep: impl Fn(&[P]) -> Vec<P>,
        drawn: impl Fn(&P) -> bool,
    ) -> Vec<P> {
        let width = f64::from(self.pixels.dim_in_pixel().0);
        let column = |point: &P| {
            let share = (x(point) - self.x.low) / (self.x.high - self.x.low);
            (share * width).floor().clamp(-1.0, width)
        };
        let together = |a: &P, b: &P| match (drawn(a), drawn(b)) {
            (true, true) => column(a) == column(b),
            (a, b) => a == b,
        };
        let kept = |column: &[P]| match column.first() {
            Some(first) if !drawn(first) => vec![*first],
            _ => keep(column),
        };
        points.chunk_by(together).flat_map(kept).collect()
    }
}

/// The ends of a column of a band, each as low and as high as the band reaches there.
fn hull(column: &[(f64, f64, f64)]) -> Vec<(f64, f64, f64)> {
    let low = column
        .iter()
        .map(|(_, low, _)| *low)
        .fold(f64::INFINITY, f64::min);
    let high = column
        .iter()
        .map(|(.., high)| *high)
        .fold(f64::NEG_INFINITY, f64::max);
    match column {
        [(x, one, other)] => vec![(*x, *one, *other)],
        [first, .., last] => [first, last].map(|(x, ..)| (*x, low, high)).to_vec(),
        [] => Vec::new(),
    }
}

/// The first, the lowest, the highest and the last of points in a column, in their order.
fn extremes(column: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let by_height = |a: &(usize, f64), b: &(usize, f64)| a.1.total_cmp(&b.1);
    let heights = || column.iter().map(|point| point.1).enumerate();
    let ends = [0, column.len() - 1].map(Some);
    let extremes = [heights().min_by(by_height), heights().max_by(by_height)];
    let places = ends
        .into_iter()
        .chain(extremes.map(|found| found.map(|(place, _)| place)));
    let mut places: Vec<usize> = places.flatten().collect();
    places.sort_unstable();
    places.dedup();
    places.into_iter().map(|place| column[place]).collect()
}

pub(crate) fn line_style(line: &Line, color: Color, scale: f64) -> ShapeStyle {
    let width = (theme::LINE_WIDTH * line.width * scale).round().max(1.0);
    color.rgb().stroke_width(width as u32)
}
