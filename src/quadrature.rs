//! Integration on an equidistant grid, in one or two dimensions.

use crate::Error;
use crate::tensors::{Points, points};
use std::ops::Range;

/// Points with weights, so that Σ_g w_g f(x_g) is ∫ f dx over a box.
///
/// The trapezoidal rule, which converges exponentially for smooth functions that vanish at the
/// box's edge. A density's features must be a few grid steps wide.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let grid = Quadrature::interval(-10.0..10.0, 201)?;
/// let integral: f64 = grid.integrate(|x| (-0.5 * x[0] * x[0]).exp());
/// assert!((integral - (2.0 * std::f64::consts::PI).sqrt()).abs() < 1e-12);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Quadrature {
    axes: Vec<(Range<f64>, usize)>,
    points: Vec<f64>,
    weights: Vec<f64>,
}

impl Quadrature {
    /// `n` points from the interval's start to its end.
    ///
    /// # Errors
    /// If the interval is empty or not finite, or there are fewer than 2 points or more than
    /// 2^24.
    pub fn interval(range: Range<f64>, n: usize) -> Result<Self, Error> {
        Self::on(vec![(range, n)])
    }

    /// `n` x `n` points in the square that has the range on both axes, row after row: the second
    /// coordinate changes first.
    ///
    /// # Errors
    /// If the range is empty or not finite, or there are fewer than 2 points a side or more than
    /// 2^12.
    pub fn square(range: Range<f64>, n: usize) -> Result<Self, Error> {
        Self::on(vec![(range.clone(), n), (range, n)])
    }

    fn on(axes: Vec<(Range<f64>, usize)>) -> Result<Self, Error> {
        let most = 1 << (24 / axes.len());
        let (mut points, mut weights) = (vec![Vec::new()], vec![1.0]);
        for (range, n) in &axes {
            let width = range.end - range.start;
            if !(width > 0.0 && width.is_finite()) {
                let allowed = "a start below its end, both finite";
                return Err(Error::setting("range", format!("{range:?}"), allowed));
            }
            if *n < 2 || *n > most {
                let allowed = "2 at least, and 2^24 at most in all";
                return Err(Error::setting("number of grid points", n, allowed));
            }
            let step = width / (*n as f64 - 1.0);
            let coordinates = (0..*n).map(|i| range.start + step * i as f64);
            points = extend(&points, coordinates, |point: &Vec<f64>, x| {
                point.iter().copied().chain([x]).collect()
            });
            let ends = |i: usize| {
                if i == 0 || i + 1 == *n {
                    0.5 * step
                } else {
                    step
                }
            };
            weights = extend(&weights, (0..*n).map(ends), |weight, h| weight * h);
        }
        Ok(Self {
            axes,
            points: points.into_iter().flatten().collect(),
            weights,
        })
    }

    /// The dimension D.
    pub fn dimension(&self) -> usize {
        self.axes.len()
    }

    /// The grid points as a batch, `(G, D)`.
    ///
    /// # Errors
    /// If the device has no memory left.
    pub fn points(&self) -> Result<Points, Error> {
        let shape = (self.weights.len(), self.dimension());
        points(self.points.iter().map(|x| *x as f32).collect(), shape)
    }

    /// w_g, one for each point.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Each point with its weight.
    pub fn each(&self) -> impl Iterator<Item = (&[f64], f64)> + Clone {
        let points = self.points.chunks_exact(self.dimension());
        points.zip(self.weights.iter().copied())
    }

    /// ∫ f dx over the box.
    pub fn integrate(&self, f: impl Fn(&[f64]) -> f64) -> f64 {
        self.each().map(|(x, weight)| weight * f(x)).sum()
    }
}

/// Each of `before` with each of `next`, the latter changing first.
fn extend<T, X: Clone>(
    before: &[T],
    next: impl Iterator<Item = X> + Clone,
    join: impl Fn(&T, X) -> T,
) -> Vec<T> {
    let join = &join;
    let each = before
        .iter()
        .flat_map(|old| next.clone().map(move |new| join(old, new)));
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dfdx::prelude::*;

    #[test]
    fn a_square_is_integrated_row_by_row() {
        let grid = Quadrature::square(-1.0..3.0, 5).unwrap();
        let points = grid.points().unwrap();
        assert_eq!(points.shape(), &(25, 2));
        assert_eq!(points.as_vec()[..6], [-1.0, -1.0, -1.0, 0.0, -1.0, 1.0]);
        // Exact for what is linear in each coordinate: ∫∫ (1 + x y) = 16 + 4 · 4.
        assert!((grid.integrate(|x| 1.0 + x[0] * x[1]) - 32.0).abs() < 1e-12);
    }

    #[test]
    fn impossible_grids_are_errors() {
        for grid in [
            Quadrature::interval(1.0..1.0, 5),
            Quadrature::interval(0.0..f64::INFINITY, 5),
            Quadrature::interval(0.0..1.0, 1),
            Quadrature::square(0.0..1.0, 5000),
        ] {
            assert!(grid.is_err());
        }
    }
}
