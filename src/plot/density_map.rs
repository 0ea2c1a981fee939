//! A density over the plane, as colour.

use super::area::Patch;
use super::color_scale::ColorScale;
use crate::Error;
use std::ops::Range;

/// A function on a square grid, shown as colour from dark (0) to bright: its largest value, or the
/// top of a [`ColorScale`].
///
/// # Examples
/// ```
/// use energy_discrepancy::plot::{Chart, DensityMap};
///
/// let at = |i: usize| -2.0 + i as f64 / 10.0;
/// let square = (0..41).flat_map(|i| (0..41).map(move |j| (at(i), at(j))));
/// let density: Vec<f64> = square.map(|(x, y)| (-0.5 * (x * x + y * y)).exp()).collect();
/// let chart = Chart::new("A Gaussian").density_map(DensityMap::square(-2.0..2.0, &density));
/// assert!(chart.figure().size(400, 400).png()?.len() > 1000);
/// # Ok::<(), energy_discrepancy::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct DensityMap {
    pub(crate) x: Range<f64>,
    pub(crate) y: Range<f64>,
    /// Whether a unit of x is as long as one of y.
    pub(crate) equal_units: bool,
    values: Vec<f64>,
    scale: Option<ColorScale>,
}

impl DensityMap {
    /// Values on the square's grid as [`crate::Quadrature::square`] orders its points: the second
    /// coordinate changes first.
    pub fn square(range: Range<f64>, values: &[f64]) -> Self {
        Self {
            equal_units: true,
            ..Self::rectangle(range.clone(), range, values)
        }
    }

    /// Values on a grid with as many points along x as along y, in the order of [`DensityMap::square`],
    /// where each axis has a unit of its own: the plane is then a square.
    pub fn rectangle(x: Range<f64>, y: Range<f64>, values: &[f64]) -> Self {
        Self {
            x,
            y,
            equal_units: false,
            values: values.to_vec(),
            scale: None,
        }
    }

    /// Which colour a value gets, so that several maps can share one scale. Without it, the scale
    /// goes up to the map's largest finite value.
    pub fn scale(mut self, scale: ColorScale) -> Self {
        self.scale = Some(scale);
        self
    }

    /// The number of grid points along a side.
    pub(crate) fn side(&self) -> Result<usize, Error> {
        let side = self.values.len().isqrt();
        if side < 2 || side * side != self.values.len() {
            let count = self.values.len();
            return Err(Error::Figure(format!(
                "a density map of {count} values: not a square"
            )));
        }
        for range in [&self.x, &self.y] {
            if !(range.start < range.end && (range.end - range.start).is_normal()) {
                return Err(Error::Figure(format!(
                    "a density map on {range:?}: no range"
                )));
            }
        }
        Ok(side)
    }

    /// Rectangles that together are the map, in the order to draw them, each with two corners in
    /// the plane's coordinates: first the whole square in the most frequent colour, then for each
    /// column the stretches of other colours.
    pub(crate) fn rectangles(&self) -> Result<Vec<Patch>, Error> {
        let side = self.side()?;
        let scale = self.scale.unwrap_or_else(|| self.own_scale());
        scale.check()?;
        let levels: Vec<u8> = self.values.iter().map(|v| scale.level(*v)).collect();
        let mut counts = [0usize; 256];
        for level in &levels {
            counts[usize::from(*level)] += 1;
        }
        let ground = (0..=u8::MAX).max_by_key(|level| counts[usize::from(*level)]);
        let ground = ground.unwrap_or(0);

        // Each point is the middle of its cell, cut off at the range's ends.
        let edge = |range: &Range<f64>, i: usize| {
            let step = (range.end - range.start) / (side - 1) as f64;
            (range.start + (i as f64 - 0.5) * step).clamp(range.start, range.end)
        };
        let whole = [(self.x.start, self.y.start), (self.x.end, self.y.end)];
        let mut rectangles = vec![(whole, ColorScale::color(ground))];
        for (i, column) in levels.chunks_exact(side).enumerate() {
            let mut from = 0;
            for stretch in column.chunk_by(|a, b| a == b) {
                let to = from + stretch.len();
                if stretch[0] != ground {
                    let corner = |i: usize, j: usize| (edge(&self.x, i), edge(&self.y, j));
                    let corners = [corner(i, from), corner(i + 1, to)];
                    rectangles.push((corners, ColorScale::color(stretch[0])));
                }
                from = to;
            }
        }
        Ok(rectangles)
    }

    /// From 0 to the largest finite value.
    fn own_scale(&self) -> ColorScale {
        let finite = self.values.iter().copied().filter(|v| v.is_finite());
        let largest = finite.fold(0.0, f64::max);
        ColorScale::up_to(if largest > 0.0 { largest } else { 1.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::Chart;
    use plotters::prelude::RGBColor;

    /// The map's colours, one for each of the grid's points.
    fn colours(map: &DensityMap) -> Vec<RGBColor> {
        let (side, rectangles) = (map.side().unwrap(), map.rectangles().unwrap());
        let Range { start, end } = map.x;
        let at = |i: usize| start + (end - start) * (i as f64 + 0.25) / (side as f64 - 0.5);
        let over = |x: f64, y: f64| {
            let holds =
                |[a, b]: &[(f64, f64); 2]| (a.0..b.0).contains(&x) && (a.1..b.1).contains(&y);
            let last = rectangles.iter().rfind(|(corners, _)| holds(corners));
            last.unwrap().1
        };
        let points = (0..side).flat_map(|i| (0..side).map(move |j| (i, j)));
        points.map(|(i, j)| over(at(i), at(j))).collect()
    }

    #[test]
    fn what_is_no_number_is_dark_and_the_scale_can_be_shared() {
        let values = [0.0, f64::NAN, 1.0, f64::INFINITY];
        let (dark, bright) = (ColorScale::color(0), ColorScale::color(63));
        let map = DensityMap::square(0.0..1.0, &values);
        assert_eq!(colours(&map), [dark, dark, bright, bright]);
        let shared = map.scale(ColorScale::up_to(2.0));
        assert_eq!(colours(&shared)[2], ColorScale::color(32));
        let empty = DensityMap::square(0.0..1.0, &[0.0, -1.0, f64::NAN, f64::INFINITY]);
        assert_eq!(colours(&empty), [dark, dark, dark, bright]);
    }

    #[test]
    fn the_first_coordinate_runs_to_the_right() {
        let values = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 2.0];
        let map = DensityMap::square(0.0..2.0, &values);
        let rectangles = map.rectangles().unwrap();
        let corners: Vec<_> = rectangles.iter().map(|(corners, _)| *corners).collect();
        let (whole, middle) = ([(0.0, 0.0), (2.0, 2.0)], [(0.5, 0.5), (1.5, 2.0)]);
        assert_eq!(corners, [whole, middle, [(1.5, 1.5), (2.0, 2.0)]]);
        assert_eq!(rectangles[2].1, ColorScale::color(63));
    }

    #[test]
    fn impossible_maps_are_errors() {
        for map in [
            DensityMap::square(0.0..1.0, &[1.0, 2.0, 3.0]),
            DensityMap::square(1.0..1.0, &[1.0; 4]),
            DensityMap::square(0.0..5e-324, &[1.0; 4]),
            DensityMap::square(-1e308..1e308, &[1.0; 4]),
        ] {
            let error = Chart::new("").density_map(map).figure().png().unwrap_err();
            assert!(error.to_string().contains("a density map"), "{error}");
        }
        let map = DensityMap::square(0.0..1.0, &[1.0; 4]).scale(ColorScale::up_to(-1.0));
        let error = Chart::new("").density_map(map).figure().png().unwrap_err();
        assert!(error.to_string().contains("positive and finite"), "{error}");
    }
}
