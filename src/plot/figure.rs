//! One or several charts as a picture.

use super::raster::{self, OVERSAMPLING};
use super::{Chart, draw::draw};
use crate::Error;
use crate::notebook::{self, Display};
use plotters::prelude::*;
use std::path::Path;

/// One or several charts side by side, as PNG, as SVG, or below a notebook cell.
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
    charts: Vec<Chart>,
    size: (u32, u32),
}

impl Figure {
    /// Charts side by side.
    pub fn row(charts: impl IntoIterator<Item = Chart>) -> Self {
        let charts: Vec<Chart> = charts.into_iter().collect();
        let size = if charts.len() > 1 {
            (480, 360)
        } else {
            (660, 410)
        };
        Self { charts, size }
    }

    /// The size of each chart in pixels.
    pub fn size(mut self, width: u32, height: u32) -> Self {
        self.size = (width, height);
        self
    }

    /// The whole figure's size in pixels.
    fn whole(&self) -> Result<(u32, u32), Error> {
        let (width, height) = self.size;
        let all = self.charts.len() as u32;
        match self.charts.len() {
            0 => Err(Error::Figure("it holds no chart".into())),
            _ if !(200..=4000).contains(&width) || !(150..=4000).contains(&height) => {
                let size =
                    format!("a chart of {width} x {height} pixels: 200 x 150 to 4000 x 4000");
                Err(Error::Figure(size))
            }
            1..=16 => Ok((width * all, height)),
            _ => Err(Error::Figure(format!("{all} charts in a row: at most 16"))),
        }
    }

    /// The figure as a PNG file's bytes.
    ///
    /// # Errors
    /// If a chart holds nothing that can be drawn, its limits are no range, or a line has not as
    /// many x as y.
    pub fn png(&self) -> Result<Vec<u8>, Error> {
        let (width, height) = self.whole()?;
        let large = (width * OVERSAMPLING, height * OVERSAMPLING);
        let mut pixels = vec![255; 3 * large.0 as usize * large.1 as usize];
        let backend = BitMapBackend::with_buffer(&mut pixels, large);
        self.draw_on(backend, f64::from(OVERSAMPLING))?;
        raster::encode(&raster::shrink(&pixels, large.0 as usize), width, height)
    }

    /// The figure as an SVG document.
    ///
    /// # Errors
    /// As [`Figure::png`].
    pub fn svg(&self) -> Result<String, Error> {
        let mut document = String::new();
        self.draw_on(SVGBackend::with_string(&mut document, self.whole()?), 1.0)?;
        Ok(document)
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

    fn draw_on<DB: DrawingBackend>(&self, backend: DB, scale: f64) -> Result<(), Error> {
        let root = backend.into_drawing_area();
        root.fill(&WHITE)
            .map_err(|error| Error::Figure(error.to_string()))?;
        for (chart, area) in self
            .charts
            .iter()
            .zip(root.split_evenly((1, self.charts.len())))
        {
            draw(chart, &area, scale)?;
        }
        root.present()
            .map_err(|error| Error::Figure(error.to_string()))
    }

    fn describe(&self) -> String {
        let titles: Vec<_> = self
            .charts
            .iter()
            .map(|chart| chart.title.as_str())
            .collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::{Legend, Line};

    fn waves() -> Chart {
        let x: Vec<f64> = (0..200).map(|i| f64::from(i) / 20.0).collect();
        let wave = |k: i32| -> Vec<f64> { x.iter().map(|x| (x + f64::from(k)).sin()).collect() };
        let lines = (0..6).map(|k| Line::new(&x, &wave(k)).label(format!("wave {k}")));
        Chart::new("Waves")
            .x_label("x")
            .y_label("sin(x + k)")
            .lines(lines)
    }

    #[test]
    fn a_line_chart_is_small_and_always_the_same() {
        let png = waves().figure().png().unwrap();
        assert!(png.len() < 40_000, "{} bytes", png.len());
        assert_eq!(png, waves().figure().png().unwrap());
    }

    #[test]
    fn svg_holds_the_words() {
        let svg = Figure::row([waves(), waves()]).svg().unwrap();
        assert!(svg.contains("Waves") && svg.contains("wave 5") && svg.contains("sin(x + k)"));
        assert!(svg.contains(r#"width="960""#));
    }

    #[test]
    fn text_is_drawn_with_the_bundled_font() {
        // The same charts but for the title: what differs is its ink.
        let pixels = |title: &str| {
            let png = waves().title(title).figure().png().unwrap();
            let mut reader = png::Decoder::new(std::io::Cursor::new(png))
                .read_info()
                .unwrap();
            let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
            reader.next_frame(&mut pixels).unwrap();
            pixels
        };
        let (blank, greek, latin) = (pixels(" "), pixels("ρ ξ ∞ →"), pixels("a b c d"));
        let differing = |a: &[u8], b: &[u8]| a.iter().zip(b).filter(|(a, b)| a != b).count();
        assert!(differing(&blank, &greek) > 100 && differing(&greek, &latin) > 100);
    }

    #[test]
    fn extremes_are_drawn_or_refused_and_never_panic() {
        let long = "very ".repeat(500);
        let line = |y: &[f64]| Line::new(&(0..y.len()).map(|i| i as f64).collect::<Vec<_>>(), y);
        let small = |chart: Chart| chart.figure().size(200, 150);
        let charts = [
            Chart::new(&long)
                .x_label(&long)
                .y_label(&long)
                .line(line(&[0.0, 1.0]).label(&long)),
            Chart::new("").line(line(&[
                f64::NAN,
                1.0,
                f64::INFINITY,
                2.0,
                f64::NEG_INFINITY,
            ])),
            Chart::new("").line(line(&[1e300, -1e300, 5e-324])),
            Chart::new("").line(line(&[1e-300, 1e300]).dashed()).log_y(),
            Chart::new("")
                .line(line(&[1.0]).markers().width(20.0).label("a"))
                .legend(Legend::TopLeft),
            Chart::new("")
                .line(line(&[1.0, 1.0 + 1e-15]).dotted())
                .vertical(1e9),
        ];
        for (i, chart) in charts.into_iter().enumerate() {
            for figure in [chart.clone().figure(), small(chart)] {
                assert!(figure.png().is_ok() && figure.svg().is_ok(), "chart {i}");
            }
        }
        assert!(
            waves()
                .line(line(&[0.0]).width(1e9))
                .figure()
                .png()
                .is_err()
        );
        assert!(waves().x_limits(0.0, f64::INFINITY).figure().png().is_err());
    }

    #[test]
    fn what_cannot_be_drawn_says_why() {
        let error = |figure: Figure| figure.png().unwrap_err().to_string();
        assert!(error(Figure::row([])).contains("no chart"));
        assert!(error(waves().figure().size(10, 10)).contains("10 x 10 pixels"));
        assert!(error(Chart::new("empty").figure()).contains("no finite value on the x axis"));
        let path = std::env::temp_dir().join("figure.gif");
        let message = waves().figure().save(&path).unwrap_err().to_string();
        assert!(message.contains("ends in .png or .svg"), "{message}");
    }
}
