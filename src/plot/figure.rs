//! One or several charts as a picture.

use super::area::{Area, Pixels, failed};
use super::bitmap::Bitmap;
use super::chart::Chart;
use super::color_bar::ColorBar;
use super::color_scale::ColorScale;
use super::draw::draw;
use super::embedded::Embedded;
use super::raster::{self, OVERSAMPLING};
use super::{text, theme};
use crate::{Error, file};
use plotters::prelude::*;
use std::ops::Range;
use std::path::Path;

/// Sizes in pixels of the final picture.
const TITLE: u32 = 32;
const COLUMN_LABELS: u32 = 24;
const SECOND_LINE: u32 = 17;
const ROW_LABELS: u32 = 28;
/// The least size of a bare chart.
const LEAST: (u32, u32) = (60, 60);

/// A bitmap is drawn larger than it is saved, and must have room in memory.
const LARGEST: u64 = 24_000_000;

/// One or several charts in rows and columns, as PNG, as SVG, or below a notebook cell.
///
/// # Examples
/// ```
/// use energy_discrepancy::plot::{Chart, Figure, Line};
///
/// let parabola = |power: i32| {
///     let x = [0.0, 1.0, 2.0, 3.0];
///     Chart::new(format!("x^{power}")).line(Line::new(&x, &x.map(|x: f64| x.powi(power))))
/// };
/// let figure = Figure::row([parabola(2), parabola(3)]);
/// assert!(figure.svg()?.starts_with("<svg"));
/// # Ok::<(), energy_discrepancy::Error>(())
/// ```
#[derive(Clone)]
pub struct Figure {
    rows: Vec<Vec<Chart>>,
    size: Option<(u32, u32)>,
    title: String,
    row_labels: Option<Vec<String>>,
    column_labels: Option<Vec<String>>,
    color_bar: Option<ColorBar>,
}

impl Figure {
    /// Charts side by side.
    pub fn row(charts: impl IntoIterator<Item = Chart>) -> Self {
        Self::grid([charts])
    }

    /// Charts in rows, each with as many charts as the others; 64 charts at most.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::plot::{Chart, ColorScale, DensityMap, Figure};
    ///
    /// let at = |i: usize| -2.0 + i as f64 / 10.0;
    /// let scale = ColorScale::up_to(1.0);
    /// let map = |x0: f64, precision: f64| {
    ///     let square = (0..41).flat_map(|i| (0..41).map(move |j| (at(i) - x0, at(j))));
    ///     let density = square.map(|(x, y)| (-0.5 * precision * (x * x + y * y)).exp());
    ///     DensityMap::square(-2.0..2.0, &density.collect::<Vec<_>>()).scale(scale)
    /// };
    /// let chart = |x0, precision| Chart::new("").bare().density_map(map(x0, precision));
    /// let rows = [1.0, 5.0].map(|precision| [-1.0, 0.0, 1.0].map(|x0| chart(x0, precision)));
    /// let figure = Figure::grid(rows)
    ///     .title("Gaussians")
    ///     .row_labels(["wide", "narrow"])
    ///     .column_labels(["left", "middle", "right"])
    ///     .color_bar(scale, "exp(-U)")
    ///     .size(150, 150);
    /// assert!(figure.svg()?.contains("narrow"));
    /// # Ok::<(), energy_discrepancy::Error>(())
    /// ```
    pub fn grid(rows: impl IntoIterator<Item = impl IntoIterator<Item = Chart>>) -> Self {
        Self {
            rows: rows
                .into_iter()
                .map(|row| row.into_iter().collect())
                .collect(),
            size: None,
            title: String::new(),
            row_labels: None,
            column_labels: None,
            color_bar: None,
        }
    }

    /// The size of each chart in pixels; labels and a colour bar come on top.
    pub fn size(mut self, width: u32, height: u32) -> Self {
        self.size = Some((width, height));
        self
    }

    /// A title above everything.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// What the rows are: one label for each, left of it.
    pub fn row_labels(mut self, labels: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.row_labels = Some(labels.into_iter().map(Into::into).collect());
        self
    }

    /// What the columns are: one label for each, above it. A line break begins a second, smaller line.
    pub fn column_labels(mut self, labels: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.column_labels = Some(labels.into_iter().map(Into::into).collect());
        self
    }

    /// A colour bar at the right that explains the maps with that scale; the label says what the
    /// colours are, and may be empty.
    pub fn color_bar(mut self, scale: ColorScale, label: impl Into<String>) -> Self {
        let label = label.into();
        self.color_bar = Some(ColorBar { scale, label });
        self
    }

    /// The figure as a PNG file's bytes.
    ///
    /// # Errors
    /// If a chart holds nothing that can be drawn, its limits are no range, or a line has not as
    /// many x as y; if rows or labels have not as many entries as they need; if a colour scale or
    /// a size is impossible.
    pub fn png(&self) -> Result<Vec<u8>, Error> {
        let layout = Layout::of(self)?;
        let (width, height) = layout.whole;
        let large = (width * OVERSAMPLING, height * OVERSAMPLING);
        let mut pixels = vec![255; 3 * large.0 as usize * large.1 as usize];
        let root = Bitmap::of(&mut pixels, large).into_drawing_area();
        layout.draw(self, &root, f64::from(OVERSAMPLING), None)?;
        drop(root);
        raster::encode(&raster::shrink(&pixels, large.0 as usize), width, height)
    }

    /// The figure as an SVG document: lines and words as such, density maps and images as PNG inside it.
    ///
    /// # Errors
    /// As [`Figure::png`].
    pub fn svg(&self) -> Result<String, Error> {
        let layout = Layout::of(self)?;
        let mut document = String::new();
        let (backend, pictures) = (
            SVGBackend::with_string(&mut document, layout.whole),
            Embedded::default(),
        );
        layout.draw(self, &backend.into_drawing_area(), 1.0, Some(&pictures))?;
        Ok(pictures.put_into(document))
    }

    /// Writes the figure to a file that ends in `.png` or `.svg`.
    ///
    /// # Errors
    /// As [`Figure::png`], if the file has another ending, or if it cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("png") => file::write(path, &self.png()?),
            Some("svg") => file::write(path, self.svg()?.as_bytes()),
            _ => Err(Error::write(path, "a figure's file ends in .png or .svg")),
        }
    }

    /// In a line of text.
    pub(crate) fn describe(&self) -> String {
        if !self.title.is_empty() {
            return format!("Figure: {}", self.title);
        }
        let charts = self.rows.iter().flatten();
        let titles: Vec<_> = charts.map(|chart| chart.title.as_str()).collect();
        format!("Figure: {}", titles.join(" | "))
    }
}

impl Chart {
    /// The chart as a figure of its own.
    pub fn figure(self) -> Figure {
        Figure::row([self])
    }
}

impl From<Chart> for Figure {
    fn from(chart: Chart) -> Self {
        chart.figure()
    }
}

/// Sizes in pixels of the final picture.
struct Layout {
    whole: (u32, u32),
    chart: (u32, u32),
    /// The charts' left upper corner.
    corner: (u32, u32),
}

impl Layout {
    fn of(figure: &Figure) -> Result<Self, Error> {
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
    fn draw<DB: DrawingBackend>(
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
                theme::BARE_TITLE
            };
            let (width, height) = (
                width + theme::BARE_MARGIN,
                height + theme::BARE_MARGIN + title,
            );
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
