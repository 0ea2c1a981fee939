//! How far a model's density is from the truth.

use super::normaliser::{log_integral, log_ratios, on_grid};
use crate::data::density::{Density, log_densities};
use crate::energy::Energy;
use crate::quadrature::Quadrature;
use crate::tensors::Points;
use crate::train::Metric;
use crate::{Error, Rng};

/// The mean square error of the log-density over samples x_i of the truth,
///
/// 1/n Σ_i ( -U(x_i) - log Z - log p(x_i) )²,
///
/// with log Z from the same samples ([`super::log_z_from_samples`]), as the reference has it.
///
/// The points are `(n, D)`.
///
/// # Errors
/// If there is no point, or a tensor operation fails.
///
/// # Examples
/// ```
/// use energy_discrepancy::eval::log_density_mse;
/// use energy_discrepancy::prelude::*;
///
/// let p = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?;
/// let q = GaussianMixture::new(&[1.0], &[[0.1]], &[1.0])?;
/// let x = p.sample(5000, &mut rng(0))?;
/// assert!(log_density_mse(&p, &p, &x)? < 1e-12);
/// // log q - log p = 0.1 x + const, whose variance is 0.01.
/// assert!((log_density_mse(&q, &p, &x)? - 0.01).abs() < 0.001);
/// # Ok::<(), Error>(())
/// ```
pub fn log_density_mse(energy: &dyn Energy, truth: &dyn Density, x: &Points) -> Result<f64, Error> {
    let (ratios, log_z) = log_ratios(energy, truth, x)?;
    let squares = ratios.iter().map(|ratio| (ratio - log_z).powi(2));
    Ok(squares.sum::<f64>() / ratios.len() as f64)
}

/// [`log_density_mse`] over fresh samples, as a metric of a training run.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let truth = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?;
/// let net = Mlp::silu(&[1, 8, 1], 0)?;
/// let mut run = Trainer::new(net, EnergyDiscrepancy::with_std(1.0))
///     .steps(201)
///     .metric("mse", 100, LogDensityMse::new(truth.clone(), 1000))
///     .quiet();
/// let _ = run.fit(&truth)?;
/// assert_eq!(run.history().metric("mse").unwrap().steps, [0.0, 100.0, 200.0]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LogDensityMse<D> {
    truth: D,
    samples: usize,
}

impl<D> LogDensityMse<D> {
    /// Against this truth, over `samples` fresh points each time (the reference has 5000).
    pub fn new(truth: D, samples: usize) -> Self {
        Self { truth, samples }
    }
}

impl<D: Density> Metric for LogDensityMse<D> {
    fn evaluate(&mut self, energy: &dyn Energy, rng: &mut Rng) -> Result<f64, Error> {
        let x = self.truth.sample(self.samples, rng)?;
        log_density_mse(energy, &self.truth, &x)
    }
}

/// A model q ∝ exp(-U) beside the truth p, integrated on a grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// log ∫ exp(-U) dx over the grid's box.
    pub log_z: f64,
    /// The Kullback-Leibler divergence ∫ p log(p/q) dx, in nats.
    pub kl: f64,
    /// The total variation ½ ∫ |p - q| dx, from 0 to 1.
    pub total_variation: f64,
}

impl Comparison {
    /// Compares on the grid's box, outside of which neither should have mass.
    ///
    /// # Errors
    /// If the grid has another dimension, or a tensor operation fails.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::eval::Comparison;
    /// use energy_discrepancy::prelude::*;
    ///
    /// let p = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?;
    /// let q = GaussianMixture::new(&[1.0], &[[1.0]], &[1.0])?;
    /// let grid = Quadrature::interval(-9.0..10.0, 1001)?;
    /// let far = Comparison::on(&q, &p, &grid)?;
    /// assert!((far.kl - 0.5).abs() < 1e-6 && (far.total_variation - 0.3829).abs() < 1e-4);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn on(energy: &dyn Energy, truth: &dyn Density, grid: &Quadrature) -> Result<Self, Error> {
        let (model, truth) = (
            on_grid(energy, grid)?,
            log_densities(truth, &grid.points()?)?,
        );
        let log_z = log_integral(grid, &model);
        let (mut kl, mut total_variation) = (0.0, 0.0);
        for ((u, log_p), weight) in model.iter().zip(&truth).zip(grid.weights()) {
            let log_q = -u - log_z;
            let (q, p) = (log_q.exp(), log_p.exp());
            // Where p is 0 it contributes 0, whatever its logarithm. (Where it is no number, neither is kl.)
            if p != 0.0 {
                kl += weight * p * (log_p - log_q);
            }
            total_variation += 0.5 * weight * (p - q).abs();
        }
        Ok(Self {
            log_z,
            kl,
            total_variation,
        })
    }
}

/// The share of the model's mass that lies nearest to each of some centres, one after another.
///
/// # Errors
/// If the grid or a centre has another dimension than the energy, there is no centre, or a tensor
/// operation fails.
///
/// # Examples
/// ```
/// use energy_discrepancy::eval::mode_masses;
/// use energy_discrepancy::prelude::*;
///
/// let p = GaussianMixture::new(&[0.2, 0.8], &[[-5.0], [5.0]], &[1.0, 1.0])?;
/// let grid = Quadrature::interval(-15.0..15.0, 1000)?;
/// let masses = mode_masses(&p, &[[-5.0], [5.0]], &grid)?;
/// assert!((masses[0] - 0.2).abs() < 1e-6);
/// # Ok::<(), Error>(())
/// ```
pub fn mode_masses(
    energy: &dyn Energy,
    centres: &[impl AsRef<[f64]>],
    grid: &Quadrature,
) -> Result<Vec<f64>, Error> {
    let d = grid.dimension();
    if let Some(row) = centres
        .iter()
        .position(|c| c.as_ref().iter().any(|x| !x.is_finite()))
    {
        return Err(Error::Data(format!("centre {row} is not finite")));
    }
    let Some(wrong) = centres
        .iter()
        .map(|c| c.as_ref().len())
        .find(|len| *len != d)
    else {
        let energies = on_grid(energy, grid)?;
        let centres: Vec<&[f64]> = centres.iter().map(AsRef::as_ref).collect();
        return masses(&energies, &centres, grid);
    };
    Err(Error::shape(
        "a centre",
        (wrong,),
        format!("({d},), as the grid has"),
    ))
}

fn masses(energies: &[f64], centres: &[&[f64]], grid: &Quadrature) -> Result<Vec<f64>, Error> {
    let log_z = log_integral(grid, energies);
    let mut masses = vec![0.0; centres.len()];
    for ((x, weight), u) in grid.each().zip(energies) {
        let distance =
            |centre: &[f64]| -> f64 { centre.iter().zip(x).map(|(c, x)| (c - x).powi(2)).sum() };
        let distances = centres.iter().map(|centre| distance(centre)).enumerate();
        let Some((nearest, _)) = distances.min_by(|a, b| a.1.total_cmp(&b.1)) else {
            return Err(Error::shape("centres", (0,), "at least one"));
        };
        masses[nearest] += weight * (-u - log_z).exp();
    }
    Ok(masses)
}
