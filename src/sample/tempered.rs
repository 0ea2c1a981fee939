//! What chains move along between a normal density and exp(-U).

use super::State;
use crate::Error;
use crate::cholesky::{Cholesky, constant_column, moments};
use crate::energy::{Energy, checked, closed_form};
use crate::tensors::{Points, TapedPoints, TapedValues, Values, from_vec, to_vec};
use dfdx::prelude::*;
use rayon::prelude::*;
use std::iter::repeat_n;

/// So many products, at least, are the work of one thread.
const FEW: usize = 1 << 14;
/// So many coordinates are summed at a time.
const WIDE: usize = 16;
/// The least share of the covariance that is without correlations: in a direction that the points do not have, the density
/// is a thousandth as wide as a coordinate.
const SHARE: f64 = 1e-6;

/// A normal density: x = m + L z, with z standard normal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Normal {
    mean: Vec<f64>,
    lower: Cholesky,
    /// L and Lᵀ, row after row, each filled up to a multiple of [`WIDE`].
    rows: Vec<f32>,
    columns: Vec<f32>,
}

impl Normal {
    /// With the mean and the covariance of some points, `(N, D)`, its correlations times 1 - λ: few points show correlations
    /// where there are none.
    ///
    /// λ = Σ Var(r_ij) / Σ r_ij² over the pairs of coordinates, where Var(r_ij) is what the points tell of the error of
    /// their correlation r_ij. Source: Schäfer & Strimmer, *A shrinkage approach to large-scale covariance matrix estimation*,
    /// 2005.
    pub(crate) fn fitted(x: &Points) -> Result<Self, Error> {
        let (count, d) = *x.shape();
        if count < 2 || d == 0 {
            let expected = "at least two points, of at least one coordinate";
            return Err(Error::shape("x", x.shape(), expected));
        }
        let rows: Vec<f64> = to_vec(x).into_iter().map(f64::from).collect();
        let (equal, n) = (vec![1.0; count], count as f64);
        let (mean, mut covariance) = moments(&rows, d, &equal);
        let variances = covariance.iter().step_by(d + 1);
        let stds: Vec<f64> = variances.map(|v| (v * n / (n - 1.0)).sqrt()).collect();
        let strange = |std: &f64| !(*std > 0.0 && std.is_finite());
        let constant = constant_column(&rows, d);
        if let Some(column) = constant.or_else(|| stds.iter().position(strange)) {
            let reason = format!(
                "coordinate {column} has a standard deviation of {}: a normal density needs one that is positive and finite",
                stds[column]
            );
            return Err(Error::Data(reason));
        }
        let scores = rows
            .iter()
            .enumerate()
            .map(|(i, x)| (x - mean[i % d]) / stds[i % d]);
        let squares: Vec<f64> = scores.map(|score| score * score).collect();
        // Their covariances and means make the means of the products' squares.
        let (means, fourth) = moments(&squares, d, &equal);
        let (mut doubt, mut total) = (0.0, 0.0);
        for i in 0..d {
            for j in 0..i {
                let r = covariance[i * d + j] / (stds[i] * stds[j]);
                doubt += (fourth[i * d + j] + means[i] * means[j] - r * r) / (n - 1.0);
                total += r * r;
            }
        }
        let lambda = if total > 0.0 { doubt / total } else { 1.0 };
        let lambda = lambda.clamp(SHARE.max(1.0 / (n * n)), 1.0);
        for (k, entry) in covariance.iter_mut().enumerate() {
            let (i, j) = (k / d, k % d);
            *entry *= if i == j { 1.0 } else { 1.0 - lambda } * n / (n - 1.0);
        }
        let lower = Cholesky::of(&covariance, d).map_err(|column| {
            Error::Data(format!(
                "coordinate {column} depends on those before it: leave it out"
            ))
        })?;
        let padding = d.next_multiple_of(WIDE) - d;
        let padded = |entry: &dyn Fn(usize, usize) -> f64| -> Vec<f32> {
            let row = |i| {
                (0..d)
                    .map(move |j| entry(i, j))
                    .chain(repeat_n(0.0, padding))
            };
            (0..d).flat_map(row).map(|entry| entry as f32).collect()
        };
        Ok(Self {
            rows: padded(&|i, j| lower.row(i)[j]),
            columns: padded(&|i, j| lower.row(j)[i]),
            mean,
            lower,
        })
    }

    /// D.
    pub(crate) fn dimension(&self) -> usize {
        self.mean.len()
    }

    /// log ∫ exp(-|z|²/2) dx.
    pub(crate) fn log_volume(&self) -> f64 {
        let half = 0.5 * (2.0 * std::f64::consts::PI).ln();
        self.lower.diagonal().map(|own| own.ln() + half).sum()
    }

    /// z = L⁻¹ (x - m) of each point, row after row.
    pub(crate) fn scores(&self, x: &[f32]) -> Vec<f32> {
        self.each(x, |row, into| {
            let from_mean: Vec<f64> = row
                .iter()
                .zip(&self.mean)
                .map(|(x, m)| f64::from(*x) - m)
                .collect();
            copy(&self.lower.solve(&from_mean), into);
        })
    }

    /// x of each z.
    pub(crate) fn places(&self, z: &[f32]) -> Vec<f32> {
        self.each(z, |z, into| {
            combine(z, &self.columns, into);
            let each = into.iter_mut().zip(&self.mean);
            each.for_each(|(x, mean)| *x = (mean + f64::from(*x)) as f32);
        })
    }

    /// Lᵀ v of each row: slopes in x as slopes in z.
    fn pulled(&self, slopes: &[f32]) -> Vec<f32> {
        self.each(slopes, |v, into| combine(v, &self.rows, into))
    }

    fn each(&self, rows: &[f32], write: impl Fn(&[f32], &mut [f32]) + Sync) -> Vec<f32> {
        let d = self.dimension();
        let mut results = vec![0.0; rows.len()];
        let each = rows
            .par_chunks_exact(d)
            .zip(results.par_chunks_exact_mut(d));
        each.with_min_len(FEW.div_ceil(d * d))
            .for_each(|(row, into)| write(row, into));
        results
    }
}

fn copy(from: &[f64], into: &mut [f32]) {
    into.iter_mut()
        .zip(from)
        .for_each(|(into, from)| *into = *from as f32);
}

/// The sum of the vectors, times their weights.
fn combine(weights: &[f32], vectors: &[f32], into: &mut [f32]) {
    let stride = into.len().next_multiple_of(WIDE);
    for (part, into) in into.chunks_mut(WIDE).enumerate() {
        // In registers.
        let mut sums = [0.0; WIDE];
        for (weight, vector) in weights.iter().zip(vectors.chunks_exact(stride)) {
            let vector = &vector[part * WIDE..][..WIDE];
            let each = sums.iter_mut().zip(vector);
            each.for_each(|(sum, v)| *sum += weight * v);
        }
        into.copy_from_slice(&sums[..into.len()]);
    }
}

/// U(m + L z), an energy of z.
pub(crate) struct Whitened<'a> {
    pub(crate) energy: &'a dyn Energy,
    pub(crate) normal: &'a Normal,
}

impl Energy for Whitened<'_> {
    fn energy_taped(&self, z: TapedPoints) -> Result<TapedValues, Error> {
        let (energies, slopes) = self.gradient(&z.retaped::<NoneTape>())?;
        closed_form::taped(z, energies, slopes)
    }

    fn gradient(&self, z: &Points) -> Result<(Values, Points), Error> {
        let x = from_vec(z.device(), self.normal.places(&to_vec(z)), *z.shape())?;
        let (energies, slopes) = checked::gradient(self.energy, &x)?;
        let slopes = self.normal.pulled(&to_vec(&slopes));
        Ok((energies, from_vec(z.device(), slopes, *z.shape())?))
    }

    fn type_name(&self) -> &'static str {
        self.energy.type_name()
    }
}

/// β U(z) + (1 - β) |z|²/2; U alone without β.
#[derive(Clone, Copy)]
pub(crate) struct Tempered<'a> {
    pub(crate) energy: &'a dyn Energy,
    pub(crate) beta: Option<f64>,
}

impl Tempered<'_> {
    /// At each point.
    pub(super) fn energies(&self, state: &mut State) -> Result<Vec<f64>, Error> {
        let d = state.shape().1.max(1);
        let mut energies: Vec<f64> = state
            .energies(self.energy)?
            .iter()
            .copied()
            .map(f64::from)
            .collect();
        if let Some(beta) = self.beta {
            for (own, z) in energies.iter_mut().zip(state.rows().chunks_exact(d)) {
                *own = beta * *own + (1.0 - beta) * half_square(z);
            }
        }
        Ok(energies)
    }

    /// Its slopes at each point.
    pub(super) fn slopes(&self, state: &mut State) -> Result<Vec<f32>, Error> {
        let mut slopes = state.slopes(self.energy)?.to_vec();
        if let Some(beta) = self.beta {
            let (own, base) = (beta as f32, (1.0 - beta) as f32);
            for (slope, z) in slopes.iter_mut().zip(state.rows()) {
                *slope = own * *slope + base * z;
            }
        }
        Ok(slopes)
    }
}

/// |z|²/2.
pub(crate) fn half_square(z: &[f32]) -> f64 {
    0.5 * z.iter().map(|z| f64::from(*z).powi(2)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Data;
    use crate::energy::GaussianMixture;
    use crate::rng;
    use crate::tensors::{normal_points, normals, points};

    /// How far two lists are apart at most.
    fn apart(a: &[f32], b: &[f32]) -> f32 {
        let each = a.iter().zip(b).map(|(a, b)| (a - b).abs());
        each.fold(0.0, f32::max)
    }

    #[test]
    fn many_points_keep_their_correlations_and_few_lose_them() {
        // Two coordinates with a correlation of 0.8.
        let rows = normals(20_000, &mut rng(0));
        let pairs = rows.chunks_exact(2);
        let tied: Vec<f32> = pairs
            .flat_map(|z| [z[0], 0.8 * z[0] + 0.6 * z[1]])
            .collect();
        let off_diagonal = |values: &[f32], count: usize| {
            let x = points(values[..2 * count].to_vec(), (count, 2)).unwrap();
            Normal::fitted(&x).unwrap().lower.product()[1]
        };
        assert!((off_diagonal(&tied, 10_000) - 0.8).abs() < 0.03);
        // Where there are none, the points' own is all doubt.
        let x = normal_points(20, 30, &mut rng(1)).unwrap();
        let covariance = Normal::fitted(&x).unwrap().lower.product();
        let others = (0..900)
            .filter(|k| k / 30 != k % 30)
            .map(|k| covariance[k].abs());
        assert!(others.fold(0.0, f64::max) < 0.15);
    }

    #[test]
    fn columns_that_are_copies_leave_a_density() {
        let rows = normals(100, &mut rng(2));
        let twice = rows.iter().flat_map(|z| [*z, *z]).collect();
        let normal = Normal::fitted(&points(twice, (100, 2)).unwrap()).unwrap();
        assert!(normal.log_volume().is_finite());
        let two = points(vec![0.0, 0.0, 1.0, 1.0], (2, 2)).unwrap();
        assert!(Normal::fitted(&two).unwrap().log_volume().is_finite());
    }

    #[test]
    fn points_come_back_and_slopes_are_those_of_z() {
        let p =
            GaussianMixture::new(&[0.4, 0.6], &[[0.0, 1.0, 2.0], [1.0; 3]], &[1.0, 0.5]).unwrap();
        let x = p.sample(50, &mut rng(3)).unwrap();
        let normal = Normal::fitted(&x).unwrap();
        let z = normal.scores(&to_vec(&x));
        assert!(apart(&normal.places(&z), &to_vec(&x)) < 1e-5);
        let energy = Whitened {
            energy: &p,
            normal: &normal,
        };
        let z = points(z, (50, 3)).unwrap();
        assert_eq!(
            to_vec(&energy.gradient(&z).unwrap().0),
            to_vec(&energy.energy(&z).unwrap())
        );
        energy.check(&z).unwrap();
    }
}
