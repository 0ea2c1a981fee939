//! One or several charts as a picture.

use super::bitmap::Bitmap;
use super::color_bar::ColorBar;
use super::embedded::Embedded;
use super::layout::Layout;
use super::raster::{self, OVERSAMPLING};
use super::{Chart, ColorScale};
use crate::Error;
use crate::notebook::{self, Display};
use plotters::prelude::*;
use std::path::Path;

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
    pub(crate) rows: Vec<Vec<Chart>>,
    pub(crate) size: Option<(u32, u32)>,
    pub(crate) title: String,
    pub(crate) row_labels: Option<Vec<String>>,
    pub(crate) column_labels: Option<Vec<String>>,
    pub(crate) color_bar: Option<ColorBar>,
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
        let write = |bytes: &[u8]| std::fs::write(path, bytes).map_err(|error| error.to_string());
        let result = match path.extension().and_then(|ending| ending.to_str()) {
            Some("png") => write(&self.png()?),
            Some("svg") => write(self.svg()?.as_bytes()),
            _ => Err("a figure's file ends in .png or .svg".to_owned()),
        };
        result.map_err(|reason| Error::Write {
            path: path.to_owned(),
            reason,
        })
    }

    /// Shows the figure below the notebook cell, at once: a cell can show several.
    ///
    /// evcxr alone, without the kernel that `make setup` installs, keeps only the last one of a
    /// cell and shows it when the cell has ended. Outside of notebooks a line of text is printed.
    ///
    /// # Errors
    /// As [`Figure::png`].
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    /// for power in [1, 2, 3] {
    ///     let x = [0.0, 1.0, 2.0, 3.0];
    ///     let line = Line::new(&x, &x.map(|x: f64| x.powi(power)));
    ///     Chart::new(format!("x^{power}")).line(line).figure().show()?;
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    pub fn show(&self) -> Result<(), Error> {
        self.show_in(&mut Display::default())
    }

    /// Shows the figure in the place of another.
    pub(crate) fn show_in(&self, display: &mut Display) -> Result<(), Error> {
        display.show_png(&self.png()?, &self.describe());
        Ok(())
    }

    /// Shows the figure below a notebook cell that ends in it; evcxr calls it.
    pub fn evcxr_display(&self) {
        if let Err(error) = self.show() {
            notebook::fail(&error);
        }
    }

    fn describe(&self) -> String {
        if !self.title.is_empty() {
            return format!("Figure: {}", self.title);
        }
        let charts = self.rows.iter().flatten();
        let titles: Vec<_> = charts.map(|chart| chart.title.as_str()).collect();
        format!("Figure: {}", titles.join(" | "))
    }
}

impl From<Chart> for Figure {
    fn from(chart: Chart) -> Self {
        chart.figure()
    }
}

impl std::fmt::Debug for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&notebook::debug_figure(&self.describe(), || self.png()))
    }
}
