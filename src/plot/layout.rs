//! Where the parts of a figure stand: its title, labels, charts and colour bar.

use super::area::{Area, Pixels, failed};
use super::draw::draw;
use super::embedded::Embedded;
use super::{Figure, text, theme};
use crate::Error;
use plotters::prelude::*;
use std::ops::Range;

/// Sizes in pixels of the final picture.
const TITLE: u32 = 32;
const COLUMN_LABELS: u32 = 24;
const SECOND_LINE: u32 = 17;
const ROW_LABELS: u32 = 28;
/// Around the frame of a bare chart, and above it where it has a title.
pub(crate) const BARE_MARGIN: u32 = 12;
pub(crate) const BARE_TITLE: u32 = 20;

/// The least size of a bare chart.
const LEAST: (u32, u32) = (60, 60);

/// A bitmap is drawn larger than it is saved, and must have room in memory.
const LARGEST: u64 = 24_000_000;

/// Sizes in pixels of the final picture.
pub(crate) struct Layout {
    pub whole: (u32, u32),
    chart: (u32, u32),
    /// The charts' left upper corner.
    corner: (u32, u32),
}

impl Layout {
    pub(crate) fn of(figure: &Figure) -> Result<Self, Error> {
        let (rows, columns) = check_charts(figure)?;
        for (labels, name, count) in [
            (&figure.row_labels, "row", rows),
            (&figure.column_labels, "column", columns),
        ] {
            if labels.as_ref().is_some_and(|all| all.len() != count) {
                let found = labels.iter().flatten().count();
                return Err(Error::Figure(format!(
                    "{found} {name} labels for {count} {name}s: give one for each {name}"
                )));
            }
        }
        let chart = check_size(figure, columns)?;
        let mut right = 0;
        if let Some(bar) = &figure.color_bar {
            bar.scale.check()?;
            right = bar.width();
        }
        let left = figure.row_labels.as_ref().map_or(0, |_| ROW_LABELS);
        let title = if figure.title.is_empty() { 0 } else { TITLE };
        let top = title + column_labels(figure);
        let whole = (
            left + columns as u32 * chart.0 + right,
            top + rows as u32 * chart.1,
        );
        if u64::from(whole.0) * u64::from(whole.1) > LARGEST {
            return Err(Error::Figure(format!(
                "{} x {} pixels in all: {LARGEST} at most, give the charts a smaller size",
                whole.0, whole.1
            )));
        }
        Ok(Self {
            whole,
            chart,
            corner: (left, top),
        })
    }

    /// Draws the figure, where `scale` pixels are one pixel of the final picture; pictures go where
    /// they are embedded.
    pub(crate) fn draw<DB: DrawingBackend>(
        &self,
        figure: &Figure,
        root: &Area<DB>,
        scale: f64,
        embedded: Option<&Embedded>,
    ) -> Result<(), Error> {
        let px = |size: u32| (f64::from(size) * scale).round() as i32;
        root.fill(&WHITE).map_err(failed)?;
        let (left, top) = (px(self.corner.0), px(self.corner.1));
        let (width, height) = (px(self.chart.0), px(self.chart.1));
        let mut planes: Vec<Vec<Pixels>> = Vec::new();
        for (i, row) in figure.rows.iter().enumerate() {
            let titled = row.iter().any(|chart| !chart.title.is_empty());
            let place = |j: usize| (left + j as i32 * width, top + i as i32 * height);
            let cell = |j| root.clone().shrink(place(j), (width, height));
            let charts = row.iter().enumerate();
            let drawn = charts.map(|(j, chart)| draw(chart, &cell(j), titled, scale, embedded));
            planes.push(drawn.collect::<Result<_, _>>()?);
        }

        let size = theme::LABEL * scale;
        for (i, label) in figure.row_labels.iter().flatten().enumerate() {
            let area = root
                .clone()
                .shrink((0, top + i as i32 * height), (left, height));
            let rows = span(planes[i].iter().map(|plane| &plane.1));
            let y = middle(&rows) - area.get_base_pixel().1;
            text::upwards(&area, label, size, (px(ROW_LABELS) - px(11), y))?;
        }
        let above = px(column_labels(figure));
        for (j, label) in figure.column_labels.iter().flatten().enumerate() {
            let place = (left + j as i32 * width, top - above);
            let area = root.clone().shrink(place, (width, above));
            let columns = span(planes.iter().map(|row| &row[j].0));
            let x = middle(&columns) - area.get_base_pixel().0;
            let (first, second) = label.split_once('\n').unwrap_or((label, ""));
            text::across(&area, first, size, (x, px(14)))?;
            if !second.is_empty() {
                let below = (x, px(14 + SECOND_LINE));
                text::across(&area, second, theme::TICK * scale, below)?;
            }
        }
        let all = || planes.iter().flatten();
        if !figure.title.is_empty() {
            let x = middle(&span(all().map(|plane| &plane.0)));
            text::across(root, &figure.title, theme::TITLE * scale, (x, px(18)))?;
        }
        if let Some(bar) = &figure.color_bar {
            let from = left + px(self.chart.0 * figure.rows[0].len() as u32);
            let (_, area) = root.split_horizontally(from);
            bar.draw(&area, span(all().map(|plane| &plane.1)), scale)?;
        }
        root.present().map_err(failed)
    }
}

/// The height of the labels above the columns.
fn column_labels(figure: &Figure) -> u32 {
    match &figure.column_labels {
        None => 0,
        Some(labels) if labels.iter().any(|label| label.contains('\n')) => {
            COLUMN_LABELS + SECOND_LINE
        }
        Some(_) => COLUMN_LABELS,
    }
}

/// The number of rows and of columns.
fn check_charts(figure: &Figure) -> Result<(usize, usize), Error> {
    let columns = figure.rows.first().map_or(0, Vec::len);
    for (i, row) in figure.rows.iter().enumerate() {
        if row.len() != columns {
            return Err(Error::Figure(format!(
                "row {} of the grid has {} charts, but row 1 has {columns}: give all rows as many",
                i + 1,
                row.len()
            )));
        }
    }
    match figure.rows.len() * columns {
        0 => Err(Error::Figure("it holds no chart".into())),
        1..=64 => Ok((figure.rows.len(), columns)),
        all => Err(Error::Figure(format!(
            "{all} charts: 64 at most, draw several figures"
        ))),
    }
}

/// The size of each chart.
fn check_size(figure: &Figure, columns: usize) -> Result<(u32, u32), Error> {
    let bare = figure.rows.iter().flatten().all(|chart| chart.bare);
    let several = figure.rows.len() * columns > 1;
    let (width, height) = match (figure.size, natural_size(figure)?) {
        (Some(size), _) => size,
        (None, Some(size)) => size,
        (None, None) => match (bare, several) {
            (true, _) => (160, 180),
            (false, true) => (480, 360),
            (false, false) => (660, 410),
        },
    };
    let least = if bare { LEAST } else { (200, 150) };
    if !(least.0..=4000).contains(&width) || !(least.1..=4000).contains(&height) {
        return Err(Error::Figure(format!(
            "a chart of {width} x {height} pixels: {} x {} to 4000 x 4000",
            least.0, least.1
        )));
    }
    Ok((width, height))
}

/// The size at which images are sharp, if there are any: the largest of all.
fn natural_size(figure: &Figure) -> Result<Option<(u32, u32)>, Error> {
    let mut largest: Option<(u32, u32)> = None;
    for chart in figure.rows.iter().flatten() {
        let size = chart.picture.as_ref().map(|picture| picture.natural_size());
        if let Some((width, height)) = size.transpose()?.flatten() {
            let title = if chart.title.is_empty() {
                0
            } else {
                BARE_TITLE
            };
            let (width, height) = (width + BARE_MARGIN, height + BARE_MARGIN + title);
            let before = largest.unwrap_or(LEAST);
            largest = Some((width.max(before.0), height.max(before.1)));
        }
    }
    Ok(largest)
}

/// From the first pixel of all ranges to the last.
fn span<'a>(ranges: impl Iterator<Item = &'a Range<i32>>) -> Range<i32> {
    ranges
        .cloned()
        .reduce(|a, b| a.start.min(b.start)..a.end.max(b.end))
        .unwrap_or(0..0)
}

fn middle(range: &Range<i32>) -> i32 {
    (range.start + range.end) / 2
}
