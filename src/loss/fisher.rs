//! The Fisher divergence, score matching's objective, between two known densities.

use crate::Error;
use crate::energy::{Density, Points, checked};

/// The Fisher divergence of `model` from `truth`, estimated on samples x_i of the truth.
///
/// 1/(2N) Σ_i |∇ log q(x_i) - ∇ log p(x_i)|²
///
/// Where p has well separated modes the scores differ only between them, where no sample falls:
/// the estimate is then far too small, and [`crate::eval::Population::fisher_divergence`] gives
/// the truth.
///
/// The points are `(N, D)`; the result is one number.
///
/// # Errors
/// If there is no point, the points have the wrong dimension, or a tensor operation fails.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// // N(1, 1) from N(0, 1): the scores differ by 1 everywhere.
/// let p = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?;
/// let q = GaussianMixture::new(&[1.0], &[[1.0]], &[1.0])?;
/// let x: Points<f64> = p.sample(100, &mut rng(0))?;
/// assert!((fisher_divergence(&p, &q, &x)? - 0.5).abs() < 1e-12);
/// # Ok::<(), Error>(())
/// ```
pub fn fisher_divergence(
    truth: &dyn Density<f64>,
    model: &dyn Density<f64>,
    x: &Points<f64>,
) -> Result<f64, Error> {
    use dfdx::prelude::*;
    if x.shape().0 == 0 {
        return Err(Error::shape("x", x.shape(), "at least one point"));
    }
    let (p, q) = (checked::score(truth, x)?, checked::score(model, x)?);
    let squares = q.try_sub(p).and_then(|difference| difference.try_square());
    let sum = squares.and_then(|squares| squares.try_sum::<Rank0, _>());
    Ok(sum.map_err(Error::tensor)?.array() / (2.0 * x.shape().0 as f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;
    use crate::energy::GaussianMixture;
    use dfdx::prelude::*;

    #[test]
    fn an_empty_batch_is_an_error() {
        let p = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0]).unwrap();
        let none: Points<f64> = device().unwrap().zeros_like(&(0, 1));
        let error = fisher_divergence(&p, &p, &none).unwrap_err();
        assert!(error.to_string().contains("at least one point"), "{error}");
    }
}
