//! One pair of axes with lines and a picture in it.

use super::axis::{Axis, Scale};
use super::density_map::DensityMap;
use super::image_grid::ImageGrid;
use super::legend::Legend;
use super::line::Line;
use super::picture::Picture;
use crate::Error;

/// A line chart: a description, drawn when a cell shows it or [`Figure`](super::Figure) is asked for it.
///
/// # Examples
/// ```
/// use energy_discrepancy::plot::{Chart, Line};
///
/// let x: Vec<f64> = (0..100).map(|i| i as f64 / 10.0).collect();
/// let y: Vec<f64> = x.iter().map(|x| x.sin()).collect();
/// let png = Chart::new("A wave")
///     .x_label("x")
///     .y_label("sin x")
///     .line(Line::new(&x, &y).label("sine"))
///     .vertical(std::f64::consts::PI)
///     .figure()
///     .png()?;
/// assert_eq!(&png[1..4], b"PNG");
/// # Ok::<(), energy_discrepancy::Error>(())
/// ```
#[derive(Clone)]
pub struct Chart {
    pub(crate) title: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) lines: Vec<Line>,
    pub(crate) picture: Option<Picture>,
    pub(crate) verticals: Vec<f64>,
    pub(crate) legend: Legend,
    pub(crate) bare: bool,
}

impl Chart {
    /// An empty chart; the title may be empty.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            x: Axis::default(),
            y: Axis::default(),
            lines: Vec::new(),
            picture: None,
            verticals: Vec::new(),
            legend: Legend::default(),
            bare: false,
        }
    }

    /// Another title; it may be empty.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// What the x axis shows.
    pub fn x_label(mut self, label: impl Into<String>) -> Self {
        self.x.label = label.into();
        self
    }

    /// What the y axis shows.
    pub fn y_label(mut self, label: impl Into<String>) -> Self {
        self.y.label = label.into();
        self
    }

    /// The x axis's ends; without them what the lines span.
    pub fn x_limits(mut self, low: f64, high: f64) -> Self {
        self.x.limits = Some((low, high));
        self
    }

    /// The y axis's ends; without them what the lines span.
    pub fn y_limits(mut self, low: f64, high: f64) -> Self {
        self.y.limits = Some((low, high));
        self
    }

    /// Makes the x axis logarithmic. Values that are not positive are left out.
    pub fn log_x(mut self) -> Self {
        self.x.log = true;
        self
    }

    /// Makes the y axis logarithmic. Values that are not positive are left out.
    pub fn log_y(mut self) -> Self {
        self.y.log = true;
        self
    }

    /// Adds a line.
    pub fn line(mut self, line: Line) -> Self {
        self.lines.push(line);
        self
    }

    /// Adds lines.
    pub fn lines(mut self, lines: impl IntoIterator<Item = Line>) -> Self {
        self.lines.extend(lines);
        self
    }

    /// Puts a density map under the lines. On a [`DensityMap::square`] the plane then has equal axes: as
    /// many pixels for a unit of x as for one of y.
    pub fn density_map(mut self, map: DensityMap) -> Self {
        self.picture = Some(Picture::Map(map));
        self
    }

    /// Puts images into the chart, which is then [bare](Chart::bare). Without a size of its own the figure
    /// is as large as whole pixels for each pixel of the images make it.
    pub fn images(mut self, images: ImageGrid) -> Self {
        self.picture = Some(Picture::Images(images));
        self.bare = true;
        self
    }

    /// Adds a dashed vertical marker.
    pub fn vertical(mut self, x: f64) -> Self {
        self.verticals.push(x);
        self
    }

    /// Where the legend stands.
    pub fn legend(mut self, legend: Legend) -> Self {
        self.legend = legend;
        self
    }

    /// Leaves out ticks, labels and a legend beside the chart: what remains is the plane in a thin
    /// frame below a smaller title, for maps in a [`Figure::grid`](super::Figure::grid).
    pub fn bare(mut self) -> Self {
        self.bare = true;
        self
    }

    pub(crate) fn scales(&self) -> Result<(Scale, Scale), Error> {
        for line in &self.lines {
            line.check()?;
        }
        let all = |of: fn(&Line) -> &Vec<f64>| {
            self.lines
                .iter()
                .flat_map(move |line| of(line).iter().copied())
        };
        let [across, up] = match &self.picture {
            Some(picture) => picture.ranges()?.map(|range| vec![range.start, range.end]),
            None => [Vec::new(), Vec::new()],
        };
        let x = all(|line| &line.x).chain(across);
        let x = self
            .x
            .scale("x", x.chain(self.verticals.iter().copied()), false)?;
        let padded = self.picture.is_none();
        let bands = self.lines.iter().filter_map(|line| line.band.as_ref());
        let bands = bands.flat_map(|(low, high)| low.iter().chain(high).copied());
        let y = all(|line| &line.y).chain(bands).chain(up);
        Ok((x, self.y.scale("y", y, padded)?))
    }
}
