//! How likely points are under a model.

use super::annealing::LogZ;
use crate::Error;
use crate::data::density::{Density, log_densities};
use crate::energy::{Energy, checked};
use crate::tensors::{Points, to_vec};
use dfdx::shapes::HasShape;
use std::fmt;

/// A negative log-likelihood in nats per point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nats {
    /// -1/N Σ_i log p(x_i).
    pub mean: f64,
    /// Its standard error: that of a mean over these points, and that of log Z.
    pub standard_error: f64,
}

impl fmt::Display for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} ± {:.3}", self.mean, self.standard_error)
    }
}

impl Nats {
    /// In other units of the points: [`Dataset::log_volume`](crate::data::Dataset::log_volume) of the set that they come from
    /// makes them nats in the units of its file.
    pub fn plus(self, log_volume: f64) -> Self {
        Self {
            mean: self.mean + log_volume,
            ..self
        }
    }
}

/// The negative log-likelihood of points, `(N, D)`, under p = exp(-U)/Z, in nats per point: mean U + log Z.
///
/// log Z is an estimate ([`Annealing`](super::Annealing)); its error is part of the result's.
///
/// # Errors
/// If there are fewer than two points, or the energy fails.
///
/// # Examples
/// ```
/// use energy_discrepancy::eval::{Annealing, nll, nll_of};
/// use energy_discrepancy::prelude::*;
///
/// let p = GaussianMixture::new(&[1.0], &[[0.0, 0.0, 0.0]], &[1.0])?;
/// let x = p.sample(1000, &mut rng(0))?;
/// // The entropy, 3/2 ln(2πe).
/// let exact = 1.5 * (2.0 * std::f64::consts::PI * std::f64::consts::E).ln();
/// assert!((nll_of(&p, &x)?.mean - exact).abs() < 0.1);
///
/// let energy = Net::new(Expr::points(3).square().sum() * 0.5, 0)?; // the same without its constant
/// let log_z = Annealing::around(&x)?.temperatures(50).forward(&energy, &mut rng(1))?;
/// assert!((nll(&energy, &log_z, &x)?.mean - exact).abs() < 0.1);
/// # Ok::<(), Error>(())
/// ```
pub fn nll(energy: &dyn Energy, log_z: &LogZ, x: &Points) -> Result<Nats, Error> {
    let energies = to_vec(&checked::energies(energy, x)?);
    let nats = mean_of(energies.into_iter().map(f64::from).collect(), x)?;
    Ok(Nats {
        mean: nats.mean + log_z.log_z,
        standard_error: nats.standard_error.hypot(log_z.standard_error),
    })
}

/// The same under a density that is known, as a mixture or a kernel density estimate.
///
/// # Errors
/// As [`nll`].
pub fn nll_of(density: &dyn Density, x: &Points) -> Result<Nats, Error> {
    let logs = log_densities(density, x)?;
    mean_of(logs.into_iter().map(|log| -log).collect(), x)
}

fn mean_of(values: Vec<f64>, x: &Points) -> Result<Nats, Error> {
    let n = values.len() as f64;
    if values.len() < 2 {
        return Err(Error::shape("x", x.shape(), "at least two points"));
    }
    let mean = values.iter().sum::<f64>() / n;
    let square: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let standard_error = match mean.is_infinite() {
        true => f64::INFINITY,
        false => (square / (n - 1.0) / n).sqrt(),
    };
    Ok(Nats {
        mean,
        standard_error,
    })
}
