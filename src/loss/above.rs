//! Noise whose way back knows a reference density.

use super::Perturbation;
use crate::cholesky::Cholesky;
use crate::energy::GaussianMixture;
use crate::tensors::normals;
use crate::{Error, Rng};
use rand::RngExt;
use std::fmt;
use std::ops::Range;

/// So many widths of noise lie in a range.
const WIDTHS: i32 = 8;

/// Gaussian noise whose way back knows a reference density p_0: y_i = x_i + s_i ξ_i, and x_ij is drawn from what is
/// proportional to p_0(x) q(y_i | x) in x. For each point s_i is one of eight widths, in equal ratios from the least to the most.
///
/// Energy discrepancy then takes U above that of p_0, and so has the same minimum, and the same value up to a constant, as
/// with points of `q(y_i | x)` alone, as far as M is large. But none of its points lies where p_0 has no mass. In many
/// dimensions noise of one width leads far away from all data, and what the energy does between there and the data stays
/// unseen. Narrow noise sees the density's fine structure, wide noise how much mass lies where.
///
/// Of a mixture p_0 = Σ_k π_k N(μ_k, Σ_k) the x_ij come from component k with a probability ∝ π_k N(y_i; μ_k, Σ_k + s² I), and then from
/// N(μ_k + G_k (y_i - μ_k), s² G_k), where G_k = Σ_k (Σ_k + s² I)⁻¹.
///
/// # Examples
/// Where a point of p_0 goes, it comes from: whatever s, the perturbed points are of p_0.
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::loss::Above;
///
/// let x = normals(4000, &mut rng(0));
/// let above = Above::new(&GaussianMixture::standard_normal(1)?, 0.3..3.0)?;
/// let groups = above.groups(&x, 1, 1, &mut rng(1))?;
/// let mean_square = groups.iter().skip(1).step_by(2).map(|x| x * x).sum::<f32>() / 4000.0;
/// assert!((mean_square - 1.0).abs() < 0.1);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Above {
    reference: GaussianMixture,
    stds: Range<f64>,
    widths: Vec<Width>,
}

/// Noise of one standard deviation.
#[derive(Clone, PartialEq)]
struct Width {
    std: f64,
    ways: Vec<Way>,
}

/// The way back to one component.
#[derive(Clone, PartialEq)]
struct Way {
    mean: Vec<f64>,
    /// Of Σ + s² I.
    forth: Cholesky,
    /// log π - ½ log det(Σ + s² I).
    log_scale: f64,
    /// G, row after row.
    gain: Vec<f64>,
    /// Of s² G.
    back: Cholesky,
}

impl Above {
    /// Above this density, with noise of standard deviations in this range.
    ///
    /// # Errors
    /// If a standard deviation is not positive and finite, the range is backwards, or so wide beside the density that rounding
    /// leaves nothing of it.
    pub fn new(reference: &GaussianMixture, stds: Range<f64>) -> Result<Self, Error> {
        let Range { start, end } = stds;
        if !(start > 0.0 && start <= end && end.is_finite()) {
            let allowed = "two standard deviations, positive, finite and the smaller one first";
            return Err(Error::setting("stds", format!("{start}..{end}"), allowed));
        }
        let widths = (0..WIDTHS).map(|k| {
            let std = start * (end / start).powf(f64::from(k) / f64::from(WIDTHS - 1));
            let ways = reference.components().map(|(weight, mean, covariance)| {
                Way::of(weight, mean, &covariance, std * std).ok_or_else(|| {
                    let allowed = "narrower noise, or a density that is not so narrow: rounding leaves nothing of it";
                    Error::setting("stds", format!("{start}..{end}"), allowed)
                })
            });
            let ways = ways.collect::<Result<Vec<Way>, Error>>()?;
            Ok(Width { std, ways })
        });
        Ok(Self {
            widths: widths.collect::<Result<_, Error>>()?,
            reference: reference.clone(),
            stds,
        })
    }
}

impl Way {
    fn of(weight: f64, mean: &[f64], covariance: &[f64], t: f64) -> Option<Self> {
        let d = mean.len();
        let mut sum = covariance.to_vec();
        sum.iter_mut().step_by(d + 1).for_each(|entry| *entry += t);
        let forth = Cholesky::of(&sum, d).ok()?;
        // G = I - s² (Σ + s² I)⁻¹, by columns, as it is symmetric.
        let mut gain = Vec::with_capacity(d * d);
        for i in 0..d {
            let mut unit = vec![0.0; d];
            unit[i] = 1.0;
            let column = forth.solve_transposed(&forth.solve(&unit));
            let entries = column.iter().zip(&unit);
            gain.extend(entries.map(|(inverse, unit)| unit - t * inverse));
        }
        let scaled: Vec<f64> = gain.iter().map(|g| t * g).collect();
        Some(Self {
            mean: mean.to_vec(),
            back: Cholesky::of(&scaled, d).ok()?,
            log_scale: weight.ln() - forth.diagonal().map(f64::ln).sum::<f64>(),
            forth,
            gain,
        })
    }

    fn off_mean(&self, y: &[f64]) -> Vec<f64> {
        y.iter().zip(&self.mean).map(|(y, m)| y - m).collect()
    }

    /// log π N(y; μ, Σ + s² I), but for what all components have.
    fn log_share(&self, y: &[f64]) -> f64 {
        let scores = self.forth.solve(&self.off_mean(y));
        self.log_scale - 0.5 * scores.iter().map(|z| z * z).sum::<f64>()
    }

    /// μ + G (y - μ).
    fn centre(&self, y: &[f64]) -> Vec<f64> {
        let off_mean = self.off_mean(y);
        let rows = self.gain.chunks_exact(y.len()).zip(&self.mean);
        let entry = |(row, mean): (&[f64], &f64)| {
            mean + row.iter().zip(&off_mean).map(|(g, y)| g * y).sum::<f64>()
        };
        rows.map(entry).collect()
    }
}

impl Perturbation for Above {
    fn perturb(&self, x: &[f32], particles: &mut [f32], rng: &mut Rng) -> Result<(), Error> {
        let d = self.reference.dimension();
        if x.len() != d {
            let expected = format!("{d} coordinates, as the reference density has,");
            return Err(Error::shape("a point", x.len(), expected));
        }
        let Width { std, ways } = &self.widths[rng.random_range(0..self.widths.len())];
        let noise = normals(d, rng);
        let y = x
            .iter()
            .zip(noise)
            .map(|(x, ξ)| f64::from(*x) + std * f64::from(ξ));
        let y: Vec<f64> = y.collect();
        let logs: Vec<f64> = ways.iter().map(|way| way.log_share(&y)).collect();
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let shares: Vec<f64> = logs.iter().map(|log| (log - most).exp()).collect();
        let total: f64 = shares.iter().sum();
        let mut centres: Vec<Option<Vec<f64>>> = vec![None; ways.len()];
        for particle in particles.chunks_exact_mut(d) {
            let mut rest = if ways.len() > 1 {
                total * rng.random::<f64>()
            } else {
                0.0
            };
            let mut k = 0;
            while k + 1 < ways.len() && rest >= shares[k] {
                rest -= shares[k];
                k += 1;
            }
            let centre = centres[k].get_or_insert_with(|| ways[k].centre(&y));
            let noise: Vec<f64> = normals(d, rng).into_iter().map(f64::from).collect();
            let moved = ways[k].back.times(&noise);
            for (value, (centre, moved)) in particle.iter_mut().zip(centre.iter().zip(moved)) {
                *value = (centre + moved) as f32;
            }
        }
        Ok(())
    }

    fn reference(&self, x: &[f32]) -> Option<f64> {
        let x: Vec<f64> = x.iter().copied().map(f64::from).collect();
        Some(-self.reference.log_density_unchecked(&x))
    }
}

/// Its settings: what a checkpoint knows it by.
impl fmt::Debug for Above {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Range { start, end } = self.stds;
        write!(f, "noise of {start} to {end} above {:?}", self.reference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cholesky::moments;
    use crate::data::Data;
    use crate::{points, rng};

    #[test]
    fn points_of_the_reference_come_back_to_it() {
        // Two components of which one is long and turned, by way of a fit.
        let noise = normals(4000, &mut rng(0));
        let rows = noise.chunks(2).enumerate().flat_map(|(i, ξ)| match i % 4 {
            0 => [4.0 + 0.3 * ξ[0], 0.3 * ξ[1]],
            _ => [ξ[0], ξ[0] + 0.2 * ξ[1]],
        });
        let x = points(rows.collect(), (2000, 2)).unwrap();
        let reference = GaussianMixture::fit(&x, 2, 0).unwrap();
        let above = Above::new(&reference, 0.5..0.5).unwrap();
        let own = reference.sample(20_000, &mut rng(1)).unwrap();
        let groups = above
            .groups(&crate::to_vec(&own), 2, 1, &mut rng(2))
            .unwrap();
        let numbers = |first: usize| -> Vec<f64> {
            let pairs = groups.chunks_exact(4);
            pairs
                .flat_map(|pair| pair[first..first + 2].to_vec())
                .map(f64::from)
                .collect()
        };
        let ones = vec![1.0; 20_000];
        let (before, after) = (
            moments(&numbers(0), 2, &ones),
            moments(&numbers(2), 2, &ones),
        );
        for (a, b) in before
            .0
            .iter()
            .chain(&before.1)
            .zip(after.0.iter().chain(&after.1))
        {
            assert!((a - b).abs() < 0.08, "{before:?} {after:?}");
        }
        // They are not the same points.
        assert!(groups.chunks_exact(4).all(|pair| pair[0] != pair[2]));
    }

    #[test]
    fn what_cannot_be_is_an_error() {
        let normal = GaussianMixture::standard_normal(2).unwrap();
        let said = |stds| Above::new(&normal, stds).unwrap_err().to_string();
        assert!(said(2.0..1.0).contains("stds = 2..1"));
        assert!(said(0.0..1.0).contains("stds = 0..1"));
        let above = Above::new(&normal, 0.3..3.0).unwrap();
        let error = above.groups(&[0.0; 3], 3, 1, &mut rng(0)).unwrap_err();
        assert!(error.to_string().contains("2 coordinates"));
    }
}
