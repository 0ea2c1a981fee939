//! How far apart two sets of samples are.

use crate::Error;
use crate::backend::read;
use crate::energy::Points;
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
    let (x, y) = (read(x), read(y));
    let between = sum_of_distances(&x, &y, dimension) / (n * m);
    let within = sum_of_distances(&x, &x, dimension) / (n * (n - 1.0))
        + sum_of_distances(&y, &y, dimension) / (m * (m - 1.0));
    Ok(2.0 * between - within)
}

/// Σ |a - b| over all pairs.
fn sum_of_distances(a: &[f32], b: &[f32], dimension: usize) -> f64 {
    let row = |a: &[f32]| -> f64 {
        let others = b.chunks_exact(dimension);
        others
            .map(|b| f64::from(squared_distance(a, b).sqrt()))
            .sum()
    };
    // In the order of the rows, so that the sum is the same for any number of threads.
    let rows: Vec<f64> = a.par_chunks_exact(dimension).map(row).collect();
    rows.into_iter().sum()
}

/// |a - b|², in sums beside each other, which the compiler makes vectors of.
fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    let ((a, rest_a), (b, rest_b)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += (a - b) * (a - b);
        }
    }
    let rest = rest_a.iter().zip(rest_b).map(|(a, b)| (a - b) * (a - b));
    sums.into_iter().chain(rest).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dfdx::prelude::*;

    #[test]
    fn few_points_by_hand() {
        let points = |values: Vec<f32>, shape| Cpu::default().tensor_from_vec(values, shape);
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
    fn the_rest_of_a_row_counts() {
        let mut a = vec![0.0_f32; 19];
        a[18] = 2.0;
        a[3] = 1.0;
        assert_eq!(squared_distance(&a, &[0.0; 19]), 5.0);
    }
}
