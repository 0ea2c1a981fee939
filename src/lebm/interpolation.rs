//! Straight lines between latent points.

use crate::Error;
use crate::tensors::{Points, points, to_vec};
use dfdx::shapes::HasShape;

/// Points on one line.
const MOST: usize = 10_000;

/// Points on the straight lines between pairs of latent points: for each pair (i, j) the `count` points
///
/// z_i + k/(count - 1) · (z_j - z_i), k = 0, ..., count - 1,
///
/// one pair after the other, `(B, L)` to `(pairs · count, L)`. Both ends are among them.
///
/// # Errors
/// If there is no pair, a pair names a row that is not there, `count` is below 2 or above 10,000, or there
/// is no memory left.
///
/// # Examples
/// ```
/// use energy_discrepancy::lebm::interpolate;
/// use energy_discrepancy::prelude::*;
///
/// let z = points(vec![0.0, 0.0, 2.0, 4.0], (2, 2))?;
/// let line = interpolate(&z, &[(0, 1)], 3)?;
/// assert_eq!(line.as_vec(), [0.0, 0.0, 1.0, 2.0, 2.0, 4.0]);
/// # Ok::<(), Error>(())
/// ```
pub fn interpolate(
    latents: &Points,
    pairs: &[(usize, usize)],
    count: usize,
) -> Result<Points, Error> {
    let (count_of_rows, dimension) = *latents.shape();
    if pairs.is_empty() {
        return Err(Error::setting("pairs", "[]", "at least one pair"));
    }
    if !(2..=MOST).contains(&count) {
        return Err(Error::setting(
            "count",
            count,
            "from 2, for both ends, to 10,000",
        ));
    }
    if let Some((i, j)) = pairs.iter().find(|(i, j)| *i.max(j) >= count_of_rows) {
        let expected = format!("more than {} rows for the pair ({i}, {j})", i.max(j));
        return Err(Error::shape(
            "latents",
            (count_of_rows, dimension),
            expected,
        ));
    }
    let values = to_vec(latents);
    let row = |i: usize| &values[i * dimension..(i + 1) * dimension];
    let mut rows = Vec::new();
    for (i, j) in pairs {
        for k in 0..count {
            let share = k as f32 / (count - 1) as f32;
            let ends = row(*i).iter().zip(row(*j));
            rows.extend(ends.map(|(a, b)| (1.0 - share) * a + share * b));
        }
    }
    points(rows, (pairs.len() * count, dimension))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_follow_each_other_and_what_is_impossible_is_named() {
        let z = points(vec![1.0, 3.0, -1.0], (3, 1)).unwrap();
        let lines = interpolate(&z, &[(2, 1), (0, 0)], 3).unwrap();
        assert_eq!(lines.as_vec(), [-1.0, 1.0, 3.0, 1.0, 1.0, 1.0]);
        let error = |pairs: &[(usize, usize)], count| {
            interpolate(&z, pairs, count).unwrap_err().to_string()
        };
        assert!(error(&[(0, 3)], 2).contains("the pair (0, 3)"));
        for count in [0, 1, usize::MAX] {
            assert!(error(&[(0, 1)], count).contains(&format!("count = {count}")));
        }
        assert!(error(&[], 2).contains("pairs"));
    }
}
