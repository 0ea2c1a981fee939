//! A density over the plane, as colour.

use crate::Error;
use plotters::prelude::{ColorMap, RGBColor, ViridisRGB};
use std::ops::Range;

/// A function on a square grid, shown as colour from dark (0) to bright (the largest value).
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
    pub(crate) range: Range<f64>,
    values: Vec<f64>,
    brightest: Option<f64>,
}

impl DensityMap {
    /// Values on the square's grid as [`crate::Quadrature::square`] orders its points: the second
    /// coordinate changes first.
    pub fn square(range: Range<f64>, values: &[f64]) -> Self {
        Self {
            range,
            values: values.to_vec(),
            brightest: None,
        }
    }

    /// The value that gets the brightest colour, so that several maps can share one scale.
    pub fn brightest(mut self, value: f64) -> Self {
        self.brightest = Some(value);
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
        if !(self.range.start < self.range.end && (self.range.end - self.range.start).is_finite()) {
            return Err(Error::Figure(format!(
                "a density map on {:?}: no range",
                self.range
            )));
        }
        Ok(side)
    }

    /// The colour of each grid cell with its two corners, in the plane's coordinates.
    pub(crate) fn cells(&self) -> Result<Vec<([(f64, f64); 2], RGBColor)>, Error> {
        let side = self.side()?;
        let step = (self.range.end - self.range.start) / (side - 1) as f64;
        let largest = self
            .values
            .iter()
            .copied()
            .filter(|v| v.is_finite())
            .fold(0.0, f64::max);
        let brightest = self.brightest.unwrap_or(largest);
        // Each point is the middle of its cell, cut off at the range's ends.
        let edge = |i: usize| {
            let edge = self.range.start + (i as f64 - 0.5) * step;
            edge.clamp(self.range.start, self.range.end)
        };
        let cell = |(index, value): (usize, &f64)| {
            let (i, j) = (index / side, index % side);
            let corners = [(edge(i), edge(j)), (edge(i + 1), edge(j + 1))];
            let share = if brightest > 0.0 {
                value / brightest
            } else {
                0.0
            };
            // NaN, which nothing is above, is dark.
            let share = if share > 0.0 { share.min(1.0) } else { 0.0 };
            // 64 colours: more could not be told apart, and a picture may have 256.
            let share = (share * 63.0).round() / 63.0;
            (corners, ViridisRGB.get_color(share))
        };
        Ok(self.values.iter().enumerate().map(cell).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::Chart;

    #[test]
    fn what_is_no_number_is_dark_and_the_scale_can_be_shared() {
        let colours = |map: DensityMap| -> Vec<RGBColor> {
            map.cells()
                .unwrap()
                .into_iter()
                .map(|(_, colour)| colour)
                .collect()
        };
        let values = [0.0, f64::NAN, 1.0, f64::INFINITY];
        let (dark, bright) = (ViridisRGB.get_color(0.0), ViridisRGB.get_color(1.0));
        let alone = colours(DensityMap::square(0.0..1.0, &values));
        assert_eq!(alone, [dark, dark, bright, bright]);
        let shared = colours(DensityMap::square(0.0..1.0, &values).brightest(2.0));
        assert_eq!(shared[2], ViridisRGB.get_color(32.0 / 63.0));
    }

    #[test]
    fn the_first_coordinate_runs_to_the_right() {
        let cells = DensityMap::square(0.0..2.0, &[0.0; 9]).cells().unwrap();
        assert_eq!(cells[1].0, [(0.0, 0.5), (0.5, 1.5)]);
        assert_eq!(cells[8].0, [(1.5, 1.5), (2.0, 2.0)]);
    }

    #[test]
    fn impossible_maps_are_errors() {
        for map in [
            DensityMap::square(0.0..1.0, &[1.0, 2.0, 3.0]),
            DensityMap::square(1.0..1.0, &[1.0; 4]),
        ] {
            let error = Chart::new("").density_map(map).figure().png().unwrap_err();
            assert!(error.to_string().contains("a density map"), "{error}");
        }
    }
}
