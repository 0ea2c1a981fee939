//! A chart's legend: where it stands, and how it is drawn.

use super::area::{Area, failed};
use super::line::Line;
use super::plane::line_style;
use super::stroke::{Stroke, stroke};
use super::text;
use super::theme::{self, Color};
use crate::Error;
use plotters::prelude::*;
use plotters::style::Color as _;

/// Where a chart's legend stands. Lines without a label are not listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Legend {
    /// Beside the chart, on its right: covers nothing.
    #[default]
    Right,
    /// Inside, top left.
    TopLeft,
    /// Inside, top right.
    TopRight,
    /// Inside, bottom left.
    BottomLeft,
    /// Inside, bottom right.
    BottomRight,
    /// None.
    Hidden,
}

const ROW: f64 = 21.0;
const SAMPLE: f64 = 26.0;

/// Around a label: the line's sample before it, and air.
const BESIDE: f64 = SAMPLE + 22.0;

/// The labelled lines of a chart.
pub(crate) struct Entries<'a> {
    all: Vec<(&'a str, &'a Line, Color)>,
    scale: f64,
}

/// The list of them in the room that there is.
pub(crate) struct List<'a> {
    entries: &'a Entries<'a>,
    /// As many of them as have room.
    listed: usize,
    rows: usize,
    column: i32,
    pub width: i32,
    pub height: i32,
}

impl<'a> Entries<'a> {
    pub(crate) fn of(lines: &'a [Line], scale: f64) -> Self {
        let lines = lines.iter().enumerate();
        let entry =
            |(i, line): (usize, &'a Line)| Some((line.label.as_deref()?, line, line.color_or(i)));
        Self {
            all: lines.filter_map(entry).collect(),
            scale,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    fn px(&self, size: f64) -> i32 {
        (size * self.scale).round() as i32
    }

    /// The list in this room: in one column, or in several where they leave a third of the width free.
    pub(crate) fn list(&'a self, (width, height): (i32, i32)) -> List<'a> {
        let text_width = |text: &str| text::width(text, theme::TICK * self.scale);
        let rows = (height - self.px(8.0)) / self.px(ROW);
        let (count, rows) = (self.all.len(), rows.max(1) as usize);
        let widths = self
            .all
            .iter()
            .map(|(label, ..)| text_width(label) + self.px(BESIDE));
        let rest = if count > rows {
            text_width(&more(count)) + self.px(14.0)
        } else {
            0
        };
        let column = widths.max().unwrap_or(0).max(rest).min(width);
        let most = (2 * width / 3 / column.max(1)).max(1) as usize;
        let columns = count.div_ceil(rows).min(most).max(1);
        let rows = rows.min(count.div_ceil(columns));
        // The last place says how many are left out.
        let listed = if count <= rows * columns {
            count
        } else {
            rows * columns - 1
        };
        List {
            entries: self,
            listed,
            rows,
            column,
            width: column * columns as i32,
            height: self.px(rows as f64 * ROW + 8.0),
        }
    }
}

impl List<'_> {
    /// Draws the list inside the axes' area, in the corner that `legend` names.
    pub(crate) fn draw_inside<DB: DrawingBackend>(
        &self,
        legend: Legend,
        area: &Area<DB>,
    ) -> Result<(), Error> {
        let (width, height) = area.dim_in_pixel();
        let (right, bottom) = (
            width as i32 - self.width - self.entries.px(4.0),
            height as i32 - self.height - self.entries.px(8.0),
        );
        let (left, top) = (self.entries.px(8.0), self.entries.px(4.0));
        let corner = match legend {
            Legend::TopLeft => (left, top),
            Legend::TopRight => (right, top),
            Legend::BottomLeft => (left, bottom),
            Legend::BottomRight => (right, bottom),
            Legend::Right | Legend::Hidden => return Ok(()),
        };
        let opposite = (corner.0 + self.width, corner.1 + self.height);
        let ground = Rectangle::new([corner, opposite], WHITE.mix(0.85).filled());
        area.draw(&ground).map_err(failed)?;
        self.draw(area, corner)
    }

    /// Draws the list with its top left corner there.
    pub(crate) fn draw<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        (left, top): (i32, i32),
    ) -> Result<(), Error> {
        let px = |size: f64| self.entries.px(size);
        let scale = self.entries.scale;
        let place = |i: usize| {
            let (column, row) = (i / self.rows, i % self.rows);
            let middle = top + px(4.0 + ROW * (row as f64 + 0.5));
            (left + px(6.0) + column as i32 * self.column, middle)
        };
        let room = self.column - px(BESIDE);
        let size = theme::TICK * scale;
        for (i, (label, line, color)) in self.entries.all[..self.listed].iter().enumerate() {
            let (from, middle) = place(i);
            let to = from + px(SAMPLE);
            if line.stroke == Stroke::Markers {
                let radius = px(theme::DISC * line.width);
                let disc = Circle::new(((from + to) / 2, middle), radius, color.rgb().filled());
                area.draw(&disc).map_err(failed)?;
            } else {
                let ends = [(from, middle), (to, middle)];
                let style = line_style(line, *color, scale);
                stroke(area, ends.into_iter(), line.stroke, style, scale)?;
            }
            text::from(area, label, size, (to + px(7.0), middle), room)?;
        }
        let rest = self.entries.all.len() - self.listed;
        if rest > 0 {
            text::from(
                area,
                &more(rest),
                size,
                place(self.listed),
                self.column - px(14.0),
            )?;
        }
        Ok(())
    }
}

/// What stands in the place of the lines that are not listed.
fn more(count: usize) -> String {
    format!("… and {count} more")
}
