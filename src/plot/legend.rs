//! A chart's legend: where it stands, and how it is drawn.

use super::draw::{Area, failed};
use super::plane::line_style;
use super::stroke::{Stroke, stroke};
use super::theme::{self, Color, font};
use super::{Chart, Line};
use crate::Error;
use plotters::prelude::*;
use plotters::style::Color as _;
use plotters::style::text_anchor::{HPos, Pos, VPos};

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

/// The labelled lines of a chart, and the room that their list takes.
pub(crate) struct Entries<'a> {
    rows: Vec<(&'a str, &'a Line, Color)>,
    scale: f64,
    pub width: i32,
    pub height: i32,
}

impl<'a> Entries<'a> {
    pub(crate) fn of<DB: DrawingBackend>(chart: &'a Chart, area: &Area<DB>, scale: f64) -> Self {
        let lines = chart.lines.iter().enumerate();
        let row =
            |(i, line): (usize, &'a Line)| Some((line.label.as_deref()?, line, line.color_or(i)));
        let rows: Vec<_> = lines.filter_map(row).collect();
        let style = font(theme::TICK * scale);
        let text_width = |label| {
            area.estimate_text_size(label, &style)
                .map_or(0, |size| size.0)
        };
        let widest = rows
            .iter()
            .map(|(label, ..)| text_width(label))
            .max()
            .unwrap_or(0);
        let px = |size: f64| (size * scale).round() as i32;
        // Labels longer than that are cut: the chart needs its room.
        let most = area.dim_in_pixel().0 as i32 / 2;
        Self {
            width: most.min(widest as i32 + px(SAMPLE + 22.0)),
            height: px(rows.len() as f64 * ROW + 8.0),
            rows,
            scale,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn px(&self, size: f64) -> i32 {
        (size * self.scale).round() as i32
    }

    /// Draws the list inside the axes' area, in the corner that `legend` names.
    pub(crate) fn draw_inside<DB: DrawingBackend>(
        &self,
        legend: Legend,
        area: &Area<DB>,
    ) -> Result<(), Error> {
        let (width, height) = area.dim_in_pixel();
        let (right, bottom) = (
            width as i32 - self.width - self.px(4.0),
            height as i32 - self.height - self.px(8.0),
        );
        let (left, top) = (self.px(8.0), self.px(4.0));
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
        let (from, to) = (left + self.px(6.0), left + self.px(6.0 + SAMPLE));
        for (i, (label, line, color)) in self.rows.iter().enumerate() {
            let middle = top + self.px(4.0 + ROW * (i as f64 + 0.5));
            if line.stroke == Stroke::Markers {
                let radius = self.px(theme::DISC * line.width);
                let disc = Circle::new(((from + to) / 2, middle), radius, color.rgb().filled());
                area.draw(&disc).map_err(failed)?;
            } else {
                let ends = [(from, middle), (to, middle)];
                let style = line_style(line, *color, self.scale);
                stroke(area, ends.into_iter(), line.stroke, style, self.scale)?;
            }
            let style = font(theme::TICK * self.scale).pos(Pos::new(HPos::Left, VPos::Center));
            let text = Text::new(*label, (to + self.px(7.0), middle), style);
            area.draw(&text).map_err(failed)?;
        }
        Ok(())
    }
}
