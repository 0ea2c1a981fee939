//! The Fisher divergence, score matching's objective, between two known densities.

use crate::Error;
use crate::data::density::{Density, scores};
use crate::tensors::Points;
use dfdx::shapes::HasShape;

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
/// let x = p.sample(100, &mut rng(0))?;
/// assert!((fisher_divergence(&p, &q, &x)? - 0.5).abs() < 1e-12);
/// # Ok::<(), Error>(())
/// ```
pub fn fisher_divergence(
    truth: &dyn Density,
    model: &dyn Density,
    x: &Points,
) -> Result<f64, Error> {
    let n = x.shape().0;
    if n == 0 {
        return Err(Error::shape("x", x.shape(), "at least one point"));
    }
    let (p, q) = (scores(truth, x)?, scores(model, x)?);
    let squares = p.iter().zip(&q).map(|(p, q)| (q - p).powi(2));
    Ok(squares.sum::<f64>() / (2.0 * n as f64))
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
        let none: Points = device().unwrap().zeros_like(&(0, 1));
        let error = fisher_divergence(&p, &p, &none).unwrap_err();
        assert!(error.to_string().contains("at least one point"), "{error}");
    }
}
