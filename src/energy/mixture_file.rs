//! Mixtures to and from files.

use super::mixture::GaussianMixture;
use crate::cholesky::Cholesky;
use crate::{Error, doubles};
use std::path::Path;

const NAMES: [&str; 3] = ["weights", "means", "covariances"];

impl GaussianMixture {
    /// Writes the mixture to a safetensors file in double precision: `weights` `(K,)`, `means` `(K, D)`, `covariances`
    /// `(K, D, D)`. [`GaussianMixture::read`] reads it, and Python does.
    ///
    /// # Errors
    /// If the file cannot be written. An old file of that name is then left as it was.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// # let temporary = tempfile::tempdir().unwrap();
    /// # let folder = temporary.path();
    /// let mixture = GaussianMixture::fit(&toy::gaussians_8().sample(500, &mut rng(0))?, 3, 0)?;
    /// mixture.save(folder.join("mixture.safetensors"))?;
    /// let again = GaussianMixture::read(folder.join("mixture.safetensors"))?;
    /// assert!((again.log_density(&[1.0, 0.0])? - mixture.log_density(&[1.0, 0.0])?).abs() < 1e-9);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let (mut weights, mut means, mut covariances) = (Vec::new(), Vec::new(), Vec::new());
        for (weight, mean, covariance) in self.components() {
            weights.push(weight);
            means.extend_from_slice(mean);
            covariances.extend(covariance);
        }
        let (k, d) = (weights.len(), self.dimension());
        let [first, second, third] = NAMES;
        let lists = [
            (first, vec![k], weights),
            (second, vec![k, d], means),
            (third, vec![k, d, d], covariances),
        ];
        doubles::save(path.as_ref(), &lists)
    }

    /// Reads what [`GaussianMixture::save`] has written.
    ///
    /// # Errors
    /// If the file cannot be read, or holds no such lists, or the numbers are no mixture's.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let [(_, weights), (sizes, means), (_, covariances)] = doubles::load(path, NAMES)?;
        let (k, d) = match sizes[..] {
            [k, d] if k > 0 && d > 0 => (k, d),
            _ => (0, 0),
        };
        if k == 0 || (weights.len(), covariances.len()) != (k, k * d * d) {
            let found = (weights.len(), sizes, covariances.len());
            let reason =
                format!("weights, means and covariances of shapes that do not fit: {found:?}");
            return Err(Error::read(path, reason));
        }
        let rows = means.chunks_exact(d).zip(covariances.chunks_exact(d * d));
        let each = weights.into_iter().zip(rows).enumerate();
        let each = each.map(|(k, (weight, (mean, covariance)))| {
            let near = |i: usize| {
                let (a, b) = (covariance[i], covariance[i % d * d + i / d]);
                (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
            };
            let is_symmetric = (0..d * d).all(near);
            let is_finite = mean.iter().all(|mean| mean.is_finite());
            let is_possible = weight >= 0.0 && is_finite && is_symmetric;
            match Cholesky::of(covariance, d) {
                Ok(cholesky) if is_possible => Ok((weight, mean.to_vec(), cholesky)),
                _ => {
                    let reason =
                        format!("component {k} (from 0) is no normal density with a weight");
                    Err(Error::read(path, reason))
                }
            }
        });
        let each = each.collect::<Result<Vec<_>, Error>>()?;
        let total: f64 = each.iter().map(|(weight, ..)| weight).sum();
        match (total - 1.0).abs() < 1e-6 {
            true => Ok(Self::of_covariances(each)),
            false => Err(Error::read(
                path,
                format!("its weights add up to {total}, not to 1"),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_mixture_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let said = |lists: &[(&str, Vec<usize>, Vec<f64>)]| {
            doubles::save(&path, lists).unwrap();
            GaussianMixture::read(&path).unwrap_err().to_string()
        };
        let list = |name, sizes: &[usize], values: &[f64]| (name, sizes.to_vec(), values.to_vec());
        let [weights, means, covariances] = NAMES;
        assert!(said(&[list(weights, &[1], &[1.0])]).contains("it holds no means"));
        let all = |weight: f64, covariance: f64| {
            [
                list(weights, &[1], &[weight]),
                list(means, &[1, 1], &[0.0]),
                list(covariances, &[1, 1, 1], &[covariance]),
            ]
        };
        assert!(said(&all(1.0, -1.0)).contains("component 0"));
        assert!(said(&all(0.5, 1.0)).contains("add up to 0.5"));
        let mut short = all(1.0, 1.0);
        short[2] = list(covariances, &[2], &[1.0, 1.0]);
        assert!(said(&short).contains("do not fit"));
        std::fs::write(&path, "x").unwrap();
        let cut = GaussianMixture::read(&path).unwrap_err().to_string();
        assert!(cut.contains("not a complete safetensors file"));
    }
}
