//! How far apart two sets of samples are.

use crate::Error;
use crate::kernel::sum_of_distances;
use crate::tensors::{Points, to_vec};
use dfdx::shapes::HasShape;
use rayon::prelude::*;

/// The energy distance of two sets of points, without bias:
///
/// D²(x, y) = 2 E|x - y| - E|x - x'| - E|y - y'|,
///
/// with means over all pairs, of different points within a set. It is 0 on average where both come from
/// one density, and positive otherwise; no net and no classifier is asked. Of images it compares pixels.
///
/// The points are `(N, D)` and `(M, D)`; the cost is that of all distances.
///
/// Source: Székely & Rizzo, *Energy statistics*, Journal of Statistical Planning and Inference 2013.
///
/// # Errors
/// If the dimensions differ, or a set has fewer than two points.
///
/// # Examples
/// ```
/// use energy_discrepancy::eval::energy_distance;
/// use energy_discrepancy::prelude::*;
///
/// let at = |mean: f64| GaussianMixture::new(&[1.0], &[[mean]], &[1.0]);
/// let x: Points = at(0.0)?.sample(2000, &mut rng(0))?;
/// let same: Points = at(0.0)?.sample(2000, &mut rng(1))?;
/// let other: Points = at(1.0)?.sample(2000, &mut rng(2))?;
/// assert!(energy_distance(&x, &same)?.abs() < 0.01);
/// // By the integral of 2 (F - G)², 0.5418.
/// assert!((energy_distance(&x, &other)? - 0.5418).abs() < 0.06);
/// # Ok::<(), Error>(())
/// ```
pub fn energy_distance(x: &Points, y: &Points) -> Result<f64, Error> {
    let (rows, dimension) = *x.shape();
    if y.shape().1 != dimension {
        let expected = format!("(M, {dimension}), as the other points have,");
        return Err(Error::shape("the second set", y.shape(), expected));
    }
    let others = y.shape().0;
    if rows.min(others) < 2 || dimension == 0 {
        let expected = "two sets of at least 2 points";
        return Err(Error::shape("a pair", (x.shape(), y.shape()), expected));
    }
    let (n, m) = (rows as f64, others as f64);
    let (x, y) = (to_vec(x), to_vec(y));
    let between = between(&x, &y, dimension) / (n * m);
    let within = within(&x, dimension) / (n * (n - 1.0)) + within(&y, dimension) / (m * (m - 1.0));
    Ok(2.0 * between - within)
}

/// Points of one set that are held against all of the other's at a time.
const BLOCK: usize = 32;

/// Σ |a - b| over all pairs of a point of `a` and one of `b`.
fn between(a: &[f32], b: &[f32], dimension: usize) -> f64 {
    let blocks = a.par_chunks(BLOCK * dimension);
    let sums = blocks.map(|block| sum_of_distances(block, b, dimension));
    // In the order of the blocks, so that the sum is the same for any number of threads.
    sums.collect::<Vec<f64>>().into_iter().sum()
}

/// Σ |a - a'| over all pairs of different points: each block against itself, and twice against those
/// behind it.
fn within(a: &[f32], dimension: usize) -> f64 {
    let blocks = a.par_chunks(BLOCK * dimension).enumerate();
    let sums = blocks.map(|(i, block)| {
        let behind = &a[i * BLOCK * dimension + block.len()..];
        sum_of_distances(block, block, dimension) + 2.0 * sum_of_distances(block, behind, dimension)
    });
    sums.collect::<Vec<f64>>().into_iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Data;
    use crate::device;
    use crate::energy::GaussianMixture;
    use crate::rng;
    use dfdx::prelude::*;

    #[test]
    fn few_points_by_hand() {
        let points = |values: Vec<f32>, shape| device().unwrap().tensor_from_vec(values, shape);
        let x: Points = points(vec![0.0, 0.0, 3.0, 4.0], (2, 2));
        let y: Points = points(vec![0.0, 4.0, 0.0, 4.0], (2, 2));
        // Between: (4 + 4 + 3 + 3)/4; within: 5 and 0.
        assert!((energy_distance(&x, &y).unwrap() - 2.0).abs() < 1e-6);
        let one: Points = points(vec![0.0, 4.0], (1, 2));
        assert!(
            energy_distance(&x, &one)
                .unwrap_err()
                .to_string()
                .contains("at least 2")
        );
        let long: Points = points(vec![0.0; 6], (2, 3));
        assert!(
            energy_distance(&x, &long)
                .unwrap_err()
                .to_string()
                .contains("(M, 2)")
        );
    }

    #[test]
    fn blocks_make_no_difference() {
        let normal = GaussianMixture::new(&[1.0], &[[0.0; 3]], &[1.0]).unwrap();
        let x: Points = normal.sample(2 * BLOCK + 5, &mut rng(0)).unwrap();
        let values = x.as_vec();
        let each = values.chunks(3).map(|a| sum_of_distances(a, &values, 3));
        let (expected, found) = (each.sum::<f64>(), within(&values, 3));
        assert!(
            (found - expected).abs() < 1e-6 * expected,
            "{found} {expected}"
        );
        assert!((between(&values, &values, 3) - expected).abs() < 1e-6 * expected);
    }
}
