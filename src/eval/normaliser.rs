//! The normalising constant Z = ∫ exp(-U) dx, in two ways.

use crate::Error;
use crate::data::density::{Density, log_densities};
use crate::energy::{Energy, checked};
use crate::log_sum_exp::log_sum_exp;
use crate::quadrature::Quadrature;
use crate::tensors::{Points, to_vec};
use dfdx::shapes::HasShape;

/// log Z = log ∫ exp(-U) dx over the grid's box, by quadrature.
///
/// # Errors
/// If the grid has another dimension than the energy, or a tensor operation fails.
///
/// # Examples
/// ```
/// use energy_discrepancy::eval::log_z;
/// use energy_discrepancy::prelude::*;
///
/// let p = GaussianMixture::new(&[1.0], &[[0.0, 0.0]], &[0.5])?; // normalised: log Z = 0
/// let grid = Quadrature::square(-4.0..4.0, 101)?;
/// assert!(log_z(&p, &grid)?.abs() < 1e-6);
/// # Ok::<(), Error>(())
/// ```
pub fn log_z(energy: &dyn Energy, grid: &Quadrature) -> Result<f64, Error> {
    let energies = on_grid(energy, grid)?;
    Ok(log_integral(grid, &energies))
}

/// The model's density exp(-U)/Z at each of the grid's points, Z integrated over its box.
///
/// # Errors
/// If the grid has another dimension than the energy, or a tensor operation fails.
///
/// # Examples
/// ```
/// use energy_discrepancy::eval::density_on;
/// use energy_discrepancy::prelude::*;
///
/// let p = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?;
/// let densities = density_on(&p, &Quadrature::interval(-8.0..8.0, 101)?)?;
/// let at_zero = 1.0 / (2.0 * std::f64::consts::PI).sqrt();
/// assert!((densities[50] - at_zero).abs() < 1e-6);
/// # Ok::<(), Error>(())
/// ```
pub fn density_on(energy: &dyn Energy, grid: &Quadrature) -> Result<Vec<f64>, Error> {
    let energies = on_grid(energy, grid)?;
    let log_z = log_integral(grid, &energies);
    Ok(energies.iter().map(|u| (-u - log_z).exp()).collect())
}

/// log Z by importance sampling: log 1/n Σ_i exp(-U(x_i)) / p(x_i), with x_i from p.
///
/// This is what the reference's notebooks use (there with 5000 for n, whatever n is). It is
/// blind to mass that the model puts where p has none, and then too small.
///
/// The points are `(n, D)`.
///
/// # Errors
/// If there is no point, or a tensor operation fails.
///
/// # Examples
/// ```
/// use energy_discrepancy::eval::log_z_from_samples;
/// use energy_discrepancy::prelude::*;
///
/// // Both are normalised, so that log Z is 0; the model is a little narrower.
/// let p = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?;
/// let q = GaussianMixture::new(&[1.0], &[[0.0]], &[0.9])?;
/// let x: Points = p.sample(5000, &mut rng(0))?;
/// assert!(log_z_from_samples(&q, &p, &x)?.abs() < 0.01);
/// # Ok::<(), Error>(())
/// ```
pub fn log_z_from_samples(
    energy: &dyn Energy,
    truth: &dyn Density,
    x: &Points,
) -> Result<f64, Error> {
    Ok(log_ratios(energy, truth, x)?.1)
}

/// -U(x_i) - log p(x_i) for each point, and the logarithm of the mean of their exponentials.
pub(super) fn log_ratios(
    energy: &dyn Energy,
    truth: &dyn Density,
    x: &Points,
) -> Result<(Vec<f64>, f64), Error> {
    if x.shape().0 == 0 {
        return Err(Error::shape("x", x.shape(), "at least one point"));
    }
    let (u, log_p) = (energies(energy, x)?, log_densities(truth, x)?);
    let ratios: Vec<f64> = u.iter().zip(&log_p).map(|(u, log_p)| -u - log_p).collect();
    let count = (ratios.len() as f64).ln();
    let log_mean = log_sum_exp(ratios.iter().copied()) - count;
    Ok((ratios, log_mean))
}

/// U at the grid's points.
pub(super) fn on_grid(energy: &dyn Energy, grid: &Quadrature) -> Result<Vec<f64>, Error> {
    energies(energy, &grid.points()?)
}

/// U at each point.
fn energies(energy: &dyn Energy, x: &Points) -> Result<Vec<f64>, Error> {
    let values = to_vec(&checked::energies(energy, x)?);
    Ok(values.into_iter().map(f64::from).collect())
}

pub(super) fn log_integral(grid: &Quadrature, energies: &[f64]) -> f64 {
    let terms = energies.iter().zip(grid.weights());
    log_sum_exp(terms.map(|(u, weight)| weight.ln() - u))
}
