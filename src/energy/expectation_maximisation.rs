//! Gaussian mixtures fitted to points.

use super::mixture::GaussianMixture;
use crate::cholesky::{Cholesky, constant_column, moments};
use crate::log_sum_exp::log_sum_exp;
use crate::tensors::{Points, to_vec};
use crate::{Error, Rng, rng};
use dfdx::shapes::HasShape;
use rand::RngExt;
use rand::distr::{Distribution, weighted::WeightedIndex};
use rayon::prelude::*;

/// Starts, of which the best end counts.
const STARTS: usize = 4;
const ITERATIONS: usize = 200;
/// A start ends where an iteration adds less to the mean log-likelihood.
const TOLERANCE: f64 = 1e-5;
/// This share of the points' covariance is added to each component's.
const RIDGE: f64 = 0.01;
/// A component of fewer points keeps its mean and covariance.
const FEWEST: f64 = 1e-6;

impl GaussianMixture {
    /// The mixture of `components` Gaussians, with full covariances, under which these points, `(N, D)`, are likeliest: by
    /// expectation maximisation, the best of four starts.
    ///
    /// A hundredth of the points' own covariance is added to that of each component, so that none shrinks to a point; scales
    /// and directions of the columns make no difference.
    ///
    /// Source: Dempster, Laird, Rubin, *Maximum likelihood from incomplete data via the EM algorithm*, 1977; starts as in
    /// Arthur & Vassilvitskii, *k-means++*, 2007.
    ///
    /// # Errors
    /// If there are fewer points than components, no component, or a column is constant or depends on others.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let truth = GaussianMixture::new(&[0.3, 0.7], &[[-2.0, 0.0], [2.0, 1.0]], &[0.5, 1.0])?;
    /// let fitted = GaussianMixture::fit(&truth.sample(2000, &mut rng(0))?, 2, 0)?;
    /// let least = fitted.components().map(|(weight, ..)| weight).fold(1.0, f64::min);
    /// assert!((least - 0.3).abs() < 0.03);
    /// # Ok::<(), Error>(())
    /// ```
    /// scikit-learn equivalent: `GaussianMixture(components, n_init=4)`, but for what is added to the covariances.
    pub fn fit(x: &Points, components: usize, seed: u64) -> Result<Self, Error> {
        Ok(Whitened::of(x)?.fit(components, seed)?.1)
    }

    /// The same with 1 to `most` components: as many as have the least value of Bayes's information criterion,
    /// p ln N - 2 ln L, where p is the number of parameters and L the likelihood.
    ///
    /// Source: Schwarz, *Estimating the dimension of a model*, 1978.
    ///
    /// # Errors
    /// As [`GaussianMixture::fit`].
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let truth = GaussianMixture::new(&[0.3, 0.7], &[[-2.0, 0.0], [2.0, 1.0]], &[0.5, 1.0])?;
    /// let fitted = GaussianMixture::fit_best(&truth.sample(1000, &mut rng(0))?, 5, 0)?;
    /// assert_eq!(fitted.components().count(), 2);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn fit_best(x: &Points, most: usize, seed: u64) -> Result<Self, Error> {
        if most == 0 {
            return Err(Error::setting("most", most, "at least 1"));
        }
        let points = Whitened::of(x)?;
        let (n, d) = (points.count() as f64, points.dimension as f64);
        let mut best: Option<(f64, Self)> = None;
        for count in 1..=most.min(points.count()) {
            let (likelihood, mixture) = points.fit(count, seed)?;
            let parameters = count as f64 * (1.0 + d + d * (d + 1.0) / 2.0) - 1.0;
            let criterion = parameters * n.ln() - 2.0 * n * likelihood;
            if best.as_ref().is_none_or(|(least, _)| criterion < *least) {
                best = Some((criterion, mixture));
            }
        }
        // One component can always be fitted.
        best.map(|(_, mixture)| mixture)
            .ok_or_else(|| Error::setting("most", most, "at least 1"))
    }
}

/// Points with mean 0 and covariance I: z = L⁻¹ (x - m).
struct Whitened {
    rows: Vec<f64>,
    dimension: usize,
    mean: Vec<f64>,
    lower: Cholesky,
}

impl Whitened {
    fn of(x: &Points) -> Result<Self, Error> {
        let (count, d) = *x.shape();
        if count == 0 || d == 0 {
            let expected = "at least one point and coordinate";
            return Err(Error::shape("x", x.shape(), expected));
        }
        let mut rows: Vec<f64> = to_vec(x).into_iter().map(f64::from).collect();
        if let Some(at) = rows.iter().position(|value| !value.is_finite()) {
            let (row, column) = (at / d, at % d);
            return Err(Error::Data(format!(
                "the value at [{row}, {column}] is {}: a mixture is fitted to finite points",
                rows[at]
            )));
        }
        if let Some(column) = constant_column(&rows, d) {
            return Err(Error::Data(format!(
                "column {column} (from 0) is {} everywhere: choose other columns",
                rows[column]
            )));
        }
        let (mean, covariance) = moments(&rows, d, &vec![1.0; count]);
        let lower = Cholesky::of(&covariance, d).map_err(|column| {
            Error::Data(format!(
                "column {column} (from 0) is a sum of multiples of those before it, or there are no more \
                 than {d} points: a mixture needs more points, or other columns"
            ))
        })?;
        for row in rows.chunks_exact_mut(d) {
            row.iter_mut().zip(&mean).for_each(|(x, mean)| *x -= mean);
            row.copy_from_slice(&lower.solve(row));
        }
        Ok(Self {
            rows,
            dimension: d,
            mean,
            lower,
        })
    }

    fn count(&self) -> usize {
        self.rows.len() / self.dimension
    }

    fn row(&self, i: usize) -> &[f64] {
        &self.rows[i * self.dimension..(i + 1) * self.dimension]
    }

    /// The mean log-likelihood of the whitened points, and the mixture of the points as they were.
    fn fit(&self, components: usize, seed: u64) -> Result<(f64, GaussianMixture), Error> {
        if components == 0 || components > self.count() {
            let allowed = "at least 1, and no more than there are points";
            return Err(Error::setting("components", components, allowed));
        }
        let mut rng = rng(seed);
        let mut best: Option<(f64, Vec<Component>)> = None;
        for _ in 0..if components == 1 { 1 } else { STARTS } {
            let ended = self.climb(self.start(components, &mut rng))?;
            if best.as_ref().is_none_or(|(most, _)| ended.0 > *most) {
                best = Some(ended);
            }
        }
        let (likelihood, components) = best.unwrap_or_default();
        let d = self.dimension;
        let back = |(weight, mean, covariance): Component| {
            let own: Vec<f64> = self.lower.times(&mean);
            let mean = own.iter().zip(&self.mean).map(|(a, b)| a + b).collect();
            // L Σ Lᵀ: L times each column, and then each row.
            let covariance = by_columns(&self.lower, &by_columns(&self.lower, &covariance, d), d);
            Ok((weight, mean, factor(&covariance, d)?))
        };
        let components = components.into_iter().map(back);
        let components = components.collect::<Result<Vec<_>, Error>>()?;
        Ok((likelihood, GaussianMixture::of_covariances(components)))
    }

    /// Covariances I around points that lie apart: each is drawn in proportion to its squared distance from those before.
    fn start(&self, components: usize, rng: &mut Rng) -> Vec<Component> {
        let mut centres = vec![rng.random_range(0..self.count())];
        let mut nearest = vec![f64::INFINITY; self.count()];
        while centres.len() < components {
            let last = self.row(centres[centres.len() - 1]);
            for (i, nearest) in nearest.iter_mut().enumerate() {
                let squares = self.row(i).iter().zip(last).map(|(a, b)| (a - b).powi(2));
                *nearest = nearest.min(squares.sum());
            }
            // Where all points are centres already, any will do.
            let drawn = WeightedIndex::new(&nearest).map(|weights| weights.sample(rng));
            centres.push(drawn.unwrap_or(centres[0]));
        }
        let identity = self.identity(1.0);
        let each = centres.into_iter();
        each.map(|i| {
            (
                1.0 / components as f64,
                self.row(i).to_vec(),
                identity.clone(),
            )
        })
        .collect()
    }

    fn identity(&self, scale: f64) -> Vec<f64> {
        let mut matrix = vec![0.0; self.dimension * self.dimension];
        let diagonal = matrix.iter_mut().step_by(self.dimension + 1);
        diagonal.for_each(|entry| *entry = scale);
        matrix
    }

    /// Iterations until the likelihood hardly grows.
    fn climb(&self, mut components: Vec<Component>) -> Result<(f64, Vec<Component>), Error> {
        let d = self.dimension;
        let mut before = f64::NEG_INFINITY;
        for _ in 0..ITERATIONS {
            let each = components.iter().cloned();
            let each =
                each.map(|(weight, mean, covariance)| Ok((weight, mean, factor(&covariance, d)?)));
            let mixture = each.collect::<Result<Vec<_>, Error>>()?;
            let mixture = GaussianMixture::of_covariances(mixture);
            // Of each point its log-likelihood, and how much of it is whose.
            let rows = self.rows.par_chunks_exact(d);
            let shares = rows.map(|row| {
                let logs = mixture.log_components(row);
                let total = log_sum_exp(logs.iter().copied());
                let shares: Vec<f64> = logs.iter().map(|log| (log - total).exp()).collect();
                (total, shares)
            });
            let shares: Vec<(f64, Vec<f64>)> = shares.collect();
            let totals = shares.iter().map(|(total, _)| total);
            let likelihood = totals.sum::<f64>() / self.count() as f64;
            if likelihood - before < TOLERANCE {
                return Ok((likelihood, components));
            }
            before = likelihood;
            components
                .par_iter_mut()
                .enumerate()
                .for_each(|(k, component)| {
                    let own: Vec<f64> = shares.iter().map(|(_, shares)| shares[k]).collect();
                    let total: f64 = own.iter().sum();
                    component.0 = total / self.count() as f64;
                    if total > FEWEST {
                        (component.1, component.2) = moments(&self.rows, d, &own);
                        let diagonal = component.2.iter_mut().step_by(d + 1);
                        diagonal.for_each(|entry| *entry += RIDGE);
                    }
                });
        }
        Ok((before, components))
    }
}

/// π, μ and Σ.
type Component = (f64, Vec<f64>, Vec<f64>);

fn factor(covariance: &[f64], d: usize) -> Result<Cholesky, Error> {
    Cholesky::of(covariance, d).map_err(|column| {
        Error::Data(format!(
            "the covariance of a component lost column {column} (from 0) to rounding: standardise the points first"
        ))
    })
}

/// (L A)ᵀ, from each column of a symmetric A, or of such a result.
fn by_columns(lower: &Cholesky, matrix: &[f64], d: usize) -> Vec<f64> {
    let column = |j: usize| (0..d).map(|i| matrix[i * d + j]).collect::<Vec<f64>>();
    (0..d).flat_map(|j| lower.times(&column(j))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Data, Density};
    use crate::points;

    /// Two long, turned components.
    fn turned() -> GaussianMixture {
        let full = |covariance: [f64; 4]| Cholesky::of(&covariance, 2).unwrap();
        GaussianMixture::of_covariances(vec![
            (0.4, vec![-1.0, 2.0], full([1.0, 0.9, 0.9, 1.0])),
            (0.6, vec![3.0, 0.0], full([0.5, -0.6, -0.6, 1.0])),
        ])
    }

    #[test]
    fn a_fit_is_as_likely_as_the_truth() {
        let truth = turned();
        let (x, others) = (
            truth.sample(3000, &mut rng(0)).unwrap(),
            truth.sample(3000, &mut rng(1)).unwrap(),
        );
        let fitted = GaussianMixture::fit(&x, 2, 0).unwrap();
        let mean =
            |p: &GaussianMixture| p.log_densities(&others).unwrap().iter().sum::<f64>() / 3000.0;
        // The ridge costs some 0.01, as both components are thinner than all points.
        let (found, best) = (mean(&fitted), mean(&truth));
        assert!(
            found < best + 0.005 && found > best - 0.03,
            "{found} {best}"
        );
        assert_eq!(
            GaussianMixture::fit_best(&x, 4, 0)
                .unwrap()
                .components()
                .count(),
            2
        );
    }

    #[test]
    fn a_full_covariance_is_its_gradients_and_samples() {
        let truth = turned();
        let x = truth.sample(50_000, &mut rng(2)).unwrap();
        let (mean, covariance) = moments(
            &to_vec(&x).iter().map(|x| f64::from(*x)).collect::<Vec<_>>(),
            2,
            &vec![1.0; 50_000],
        );
        // By hand: 0.4 (-1, 2) + 0.6 (3, 0), and what the means' distance adds to the covariances.
        for (found, exact) in mean.iter().zip([1.4, 0.8]) {
            assert!((found - exact).abs() < 0.03, "{found} {exact}");
        }
        for (found, exact) in covariance.iter().zip([4.54, -1.92, -1.92, 1.96]) {
            assert!((found - exact).abs() < 0.08, "{found} {exact}");
        }
        crate::energy::Energy::check(&truth, &truth.sample(64, &mut rng(0)).unwrap()).unwrap();
    }

    #[test]
    fn a_constant_column_is_an_error_whatever_it_rounds_to() {
        // Its variance comes out as 1e-28.
        let rows = (0..100).flat_map(|i| [(i * i % 17) as f32, 5.1]);
        let x = points(rows.collect(), (100, 2)).unwrap();
        let error = GaussianMixture::fit(&x, 1, 0).unwrap_err().to_string();
        assert!(error.contains("column 1 (from 0) is 5.0999"), "{error}");
    }

    #[test]
    fn what_cannot_be_fitted_is_an_error() {
        let said = |rows: &[f32], d: usize, k: usize| {
            let x = points(rows.to_vec(), (rows.len() / d, d)).unwrap();
            GaussianMixture::fit(&x, k, 0).unwrap_err().to_string()
        };
        assert!(said(&[0.0, 1.0, 2.0], 1, 4).contains("components = 4"));
        assert!(said(&[0.0, 1.0, 2.0], 1, 0).contains("components = 0"));
        assert!(said(&[0.0, 5.0, 1.0, 5.0, 3.0, 5.0], 2, 1).contains("column 1"));
        assert!(said(&[0.0, f32::NAN], 1, 1).contains("[1, 0]"));
    }
}
