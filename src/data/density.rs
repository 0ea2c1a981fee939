//! Energies whose normalising constant is known.

use super::source::{Data, drawn};
use crate::energy::{Energy, GaussianMixture, closed_form};
use crate::tensors::{Points, to_vec};
use crate::{Error, Rng};
use dfdx::shapes::HasShape;

/// An energy whose density is known in full, U(x) = -log p(x) with ∫ p = 1, and that can be
/// drawn from.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let p = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?;
/// let x = points(vec![2.0], (1, 1))?;
/// assert_eq!(p.scores(&x)?, [-2.0]);
/// let at_zero = -0.5 * (2.0 * std::f64::consts::PI).ln();
/// assert!((p.log_densities(&x)?[0] - (at_zero - 2.0)).abs() < 1e-12);
/// # Ok::<(), Error>(())
/// ```
pub trait Density: Energy + Data {
    /// log p at each point, `(B, D)` to B numbers: -U unless there is something more exact.
    ///
    /// # Errors
    /// If the points have the wrong dimension, or a tensor operation fails.
    fn log_densities(&self, x: &Points) -> Result<Vec<f64>, Error> {
        let energies = to_vec(&self.energy(x)?);
        Ok(energies.into_iter().map(|u| -f64::from(u)).collect())
    }

    /// The score ∇ log p at each point, `(B, D)` to B D numbers, row after row: -∇U unless there is something
    /// more exact.
    ///
    /// # Errors
    /// If the points have the wrong dimension, or a tensor operation fails.
    fn scores(&self, x: &Points) -> Result<Vec<f64>, Error> {
        let slopes = to_vec(&self.gradient(x)?.1);
        Ok(slopes.into_iter().map(|slope| -f64::from(slope)).collect())
    }
}

/// The same with what `density` returned held against the number of points: anybody may have written it.
pub(crate) fn log_densities(density: &dyn Density, x: &Points) -> Result<Vec<f64>, Error> {
    let found = density.log_densities(x)?;
    check("log p", density, found.len(), x.shape().0)?;
    Ok(found)
}

/// The same of the scores.
pub(crate) fn scores(density: &dyn Density, x: &Points) -> Result<Vec<f64>, Error> {
    let found = density.scores(x)?;
    check("∇ log p", density, found.len(), x.shape().0 * x.shape().1)?;
    Ok(found)
}

fn check(what: &str, density: &dyn Density, found: usize, expected: usize) -> Result<(), Error> {
    if found == expected {
        return Ok(());
    }
    let what = format!("{what} from {}", density.type_name());
    let expected = format!("({expected},), as many as the points have,");
    Err(Error::shape(what, (found,), expected))
}

impl Data for GaussianMixture {
    fn dimension(&self) -> usize {
        GaussianMixture::dimension(self)
    }

    fn sample(&self, n: usize, rng: &mut Rng) -> Result<Points, Error> {
        drawn(n, GaussianMixture::dimension(self), || self.draw(rng))
    }
}

impl Density for GaussianMixture {
    fn log_densities(&self, x: &Points) -> Result<Vec<f64>, Error> {
        let rows = closed_form::rows("the mixture", GaussianMixture::dimension(self), x)?;
        Ok(rows.iter().map(|x| self.log_density_unchecked(x)).collect())
    }

    fn scores(&self, x: &Points) -> Result<Vec<f64>, Error> {
        let rows = closed_form::rows("the mixture", GaussianMixture::dimension(self), x)?;
        let scores = rows.iter().map(|x| self.slopes(x));
        Ok(scores
            .flat_map(|slopes| slopes.into_iter().map(|slope| -slope))
            .collect())
    }
}
