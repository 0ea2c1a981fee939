//! Straight lines between latent points.

use crate::Error;
use crate::backend::{Backend, Number, read};
use crate::energy::{Points, tensor};
use dfdx::prelude::*;

/// Points on the straight lines between pairs of latent points: for each pair (i, j) the `count` points
///
/// z_i + k/(count - 1) · (z_j - z_i), k = 0, ..., count - 1,
///
/// one pair after the other, `(B, L)` to `(pairs · count, L)`. Both ends are among them.
///
/// # Errors
/// If there is no pair, a pair names a row that is not there, `count` is below 2, or the device has no
/// memory left.
///
/// # Examples
/// ```
/// use energy_discrepancy::lebm::interpolate;
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::dfdx::prelude::*;
///
/// let z: Points = Cpu::default().tensor_from_vec(vec![0.0, 0.0, 2.0, 4.0], (2, 2));
/// let line = interpolate(&z, &[(0, 1)], 3)?;
/// assert_eq!(line.as_vec(), [0.0, 0.0, 1.0, 2.0, 2.0, 4.0]);
/// # Ok::<(), Error>(())
/// ```
pub fn interpolate<E: Number, Dev: Backend<E>>(
    latents: &Points<E, Dev>,
    pairs: &[(usize, usize)],
    count: usize,
) -> Result<Points<E, Dev>, Error> {
    let (rows, dimension) = *latents.shape();
    if pairs.is_empty() {
        return Err(Error::setting("pairs", "[]", "at least one pair"));
    }
    if count < 2 {
        return Err(Error::setting("count", count, "2 or more, for both ends"));
    }
    if let Some(pair) = pairs.iter().find(|(i, j)| *i.max(j) >= rows) {
        let expected = format!(
            "more than {} rows for the pair {pair:?}",
            pair.0.max(pair.1)
        );
        return Err(Error::shape("latents", (rows, dimension), expected));
    }
    let number = |z: &E| z.to_f64().unwrap_or(f64::NAN);
    let values: Vec<f64> = read(latents).iter().map(number).collect();
    let row = |i: usize| &values[i * dimension..(i + 1) * dimension];
    let mut points = Vec::with_capacity(pairs.len() * count * dimension);
    for (i, j) in pairs {
        for k in 0..count {
            let share = k as f64 / (count - 1) as f64;
            let ends = row(*i).iter().zip(row(*j));
            points.extend(ends.map(|(a, b)| (1.0 - share) * a + share * b));
        }
    }
    let shape = (pairs.len() * count, dimension);
    tensor(latents.device(), points.into_iter(), shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_follow_each_other_and_what_is_impossible_is_named() {
        let z: Points<f64> = Cpu::default().tensor_from_vec(vec![1.0, 3.0, -1.0], (3, 1));
        let lines = interpolate(&z, &[(2, 1), (0, 0)], 3).unwrap();
        assert_eq!(lines.as_vec(), [-1.0, 1.0, 3.0, 1.0, 1.0, 1.0]);
        let error = |pairs: &[(usize, usize)], count| {
            interpolate(&z, pairs, count).unwrap_err().to_string()
        };
        assert!(error(&[(0, 3)], 2).contains("the pair (0, 3)"));
        assert!(error(&[(0, 1)], 1).contains("count = 1"));
        assert!(error(&[], 2).contains("pairs"));
    }
}
