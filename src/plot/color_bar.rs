//! The colour bar of a figure.

use super::area::{Area, failed, outline};
use super::color_scale::ColorScale;
use super::text;
use super::theme::{self, font};
use crate::Error;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::ops::Range;

/// Sizes in pixels of the final picture.
const GAP: f64 = 12.0;
const BAR: f64 = 16.0;
const TICK: f64 = 4.0;
const MARGIN: f64 = 10.0;
const TALLEST: f64 = 300.0;
/// The most ticks; there is one for each 45 pixels.
const TICKS: usize = 6;

/// A scale's colours from bottom to top, with ticks and a label.
#[derive(Clone)]
pub(crate) struct ColorBar {
    pub scale: ColorScale,
    pub label: String,
}

impl ColorBar {
    /// The room that the bar takes with its labels, in pixels of the final picture.
    pub(crate) fn width(&self) -> u32 {
        let ticks = (2..=TICKS).flat_map(|count| self.scale.ticks(count));
        let widths = ticks.map(|(_, label)| text::width(&label, theme::TICK));
        let label = if self.label.is_empty() { 0.0 } else { 26.0 };
        let rest = GAP + BAR + 2.0 * TICK + label + MARGIN;
        widths.max().unwrap_or(0) as u32 + rest.ceil() as u32
    }

    /// Draws the bar into `area`, on the height of the planes in `rows`.
    pub(crate) fn draw<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        rows: Range<i32>,
        scale: f64,
    ) -> Result<(), Error> {
        let px = |size: f64| (size * scale).round() as i32;
        let height = (rows.end - rows.start).min(px(TALLEST));
        let middle = (rows.start + rows.end) / 2 - area.get_base_pixel().1;
        let (left, right) = (px(GAP), px(GAP + BAR));
        let bottom = middle + height / 2;
        let at = |position: f64| bottom - (position * f64::from(height)).round() as i32;
        outline(area, [(left, at(1.0)), (right, bottom)], scale)?;
        let colors = ColorScale::colors();
        let all = colors.len() as f64;
        for (i, color) in colors.enumerate() {
            let (low, high) = (at(i as f64 / all), at((i + 1) as f64 / all));
            let band = Rectangle::new([(left, high), (right, low)], color.filled());
            area.draw(&band).map_err(failed)?;
        }
        let count = f64::from(height) / scale / 45.0;
        let style = font(theme::TICK * scale).pos(Pos::new(HPos::Left, VPos::Center));
        for (position, label) in self.scale.ticks((count as usize).clamp(2, TICKS)) {
            let y = at(position);
            // The tick is as thick as the frame, and ends where the frame does.
            let from = (right, (y - px(0.5)).min(bottom));
            let to = (right + px(1.0 + TICK), from.1 + px(1.0));
            let tick = Rectangle::new([from, to], theme::MARKER.filled());
            area.draw(&tick).map_err(failed)?;
            let place = (to.0 + px(TICK), y);
            area.draw(&Text::new(label, place, style.clone()))
                .map_err(failed)?;
        }
        let x = area.dim_in_pixel().0 as i32 - px(MARGIN + theme::LABEL / 2.0);
        text::upwards(area, &self.label, theme::LABEL * scale, (x, middle))
    }
}
