//! One line of a chart.

use super::stroke::Stroke;
use super::theme::Color;
use crate::Error;

/// A line through points, solid unless said otherwise.
///
/// # Examples
/// ```
/// use energy_discrepancy::plot::{Color, Line};
/// let x = [0.0, 1.0, 2.0];
/// let y = [0.0, 1.0, 4.0];
/// let line = Line::new(&x, &y).label("x²").dashed().color(Color::GREY);
/// ```
#[derive(Clone, Debug)]
pub struct Line {
    pub(crate) x: Vec<f64>,
    pub(crate) y: Vec<f64>,
    pub(crate) label: Option<String>,
    pub(crate) color: Option<Color>,
    pub(crate) width: f64,
    pub(crate) stroke: Stroke,
    pub(crate) band: Option<(Vec<f64>, Vec<f64>)>,
}

impl Line {
    /// A line through the points (x_i, y_i). A point that is not finite leaves a gap; one without
    /// neighbours is a disc. Of more than 200,000 points those are drawn that make a difference.
    ///
    /// A figure with a line that has not as many x as y, or more than 200,000 points that make a difference,
    /// is an error when it is drawn.
    pub fn new(x: &[f64], y: &[f64]) -> Self {
        Self {
            x: x.to_vec(),
            y: y.to_vec(),
            label: None,
            color: None,
            width: 1.0,
            stroke: Stroke::Solid,
            band: None,
        }
    }

    /// How often values lie where, as a density: steps over `bins` equal bins from the least value to the most, of area 1.
    ///
    /// # Errors
    /// If there is no bin, or no two different finite values.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let line = Line::histogram(&[0.0, 0.1, 0.2, 1.0], 2)?.label("data");
    /// let chart = Chart::new("Three of four lie in the left half").line(line);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn histogram(values: &[f64], bins: usize) -> Result<Self, Error> {
        if bins == 0 {
            return Err(Error::setting("bins", 0, "at least 1"));
        }
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let step = (high - low) / bins as f64;
        if !(step.is_normal() && step > 0.0) || values.iter().any(|value| value.is_nan()) {
            let reason = format!(
                "a histogram of {} values from {low} to {high}",
                values.len()
            );
            return Err(Error::Figure(reason));
        }
        let mut counts = vec![0.0; bins];
        for value in values {
            counts[(((value - low) / step) as usize).min(bins - 1)] += 1.0;
        }
        let area = values.len() as f64 * step;
        let edges = (0..=bins).map(|bin| low + bin as f64 * step);
        let x: Vec<f64> = edges.flat_map(|edge| [edge; 2]).collect();
        let inner = counts.iter().flat_map(|count| [count / area; 2]);
        let y: Vec<f64> = std::iter::once(0.0).chain(inner).chain([0.0]).collect();
        let floor = vec![0.0; y.len()];
        Ok(Self::new(&x, &y).band(&floor, &y))
    }

    /// A pale area of the line's colour between two curves over the same x, below all lines: for
    /// example the range over seeds. A point that is not a number leaves a gap.
    pub fn band(mut self, low: &[f64], high: &[f64]) -> Self {
        self.band = Some((low.to_vec(), high.to_vec()));
        self
    }

    /// Its name in the legend; without one it is not listed.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Its colour; without one the palette's next.
    pub fn color(mut self, color: Color) -> Self {
        self.color = Some(color);
        self
    }

    /// Its width as a multiple of the usual one.
    pub fn width(mut self, width: f64) -> Self {
        self.width = width;
        self
    }

    /// Dashes.
    pub fn dashed(mut self) -> Self {
        self.stroke = Stroke::Dashed;
        self
    }

    /// Dots.
    pub fn dotted(mut self) -> Self {
        self.stroke = Stroke::Dotted;
        self
    }

    /// A disc at each point and no line.
    pub fn markers(mut self) -> Self {
        self.stroke = Stroke::Markers;
        self
    }

    /// Its own colour, or the palette's i-th.
    pub(crate) fn color_or(&self, i: usize) -> Color {
        self.color.unwrap_or(Color::of_line(i))
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.x.len() != self.y.len() {
            let found = (self.x.len(), self.y.len());
            return Err(Error::shape("a line's (x, y)", found, "as many x as y"));
        }
        if let Some((low, high)) = &self.band {
            let found = (self.x.len(), low.len(), high.len());
            if found.1 != found.0 || found.2 != found.0 {
                let allowed = "as many ends as x";
                return Err(Error::shape("a line's (x, band's ends)", found, allowed));
            }
        }
        if !(self.width > 0.0 && self.width <= 20.0) {
            return Err(Error::setting(
                "width",
                self.width,
                "positive, and at most 20",
            ));
        }
        Ok(())
    }
}
