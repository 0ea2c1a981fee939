//! Gaussian mixtures in closed form.

use super::{Along, Energy, Jets, closed_form};
use crate::cholesky::Cholesky;
use crate::log_sum_exp::log_sum_exp;
use crate::tensors::{GradientTape, Points, TapedPoints, TapedValues, Values, from_f64, to_vec};
use crate::{Error, Rng};
use dfdx::prelude::*;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

/// A mixture of K Gaussians in D dimensions.
///
/// p(x) = Σ_k π_k N(x; μ_k, Σ_k), with energy U(x) = -log p(x), normalised; Σ_k = σ_k² I where it is made of standard
/// deviations. To some points: [`GaussianMixture::fit`], and a kernel density estimate, [`GaussianMixture::kde`].
///
/// # Examples
/// The density of Figure 1 of the paper, 0.2 N(-5, 1) + 0.8 N(5, 1):
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let p = GaussianMixture::new(&[0.2, 0.8], &[[-5.0], [5.0]], &[1.0, 1.0])?;
/// let at_the_large_mode = 0.8 / (2.0 * std::f64::consts::PI).sqrt();
/// assert!((p.log_density(&[5.0])? - at_the_large_mode.ln()).abs() < 1e-12);
///
/// let x: Points = p.sample(1000, &mut rng(0))?;
/// assert_eq!(p.energy(&x)?.as_vec().len(), 1000);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct GaussianMixture {
    weights: Vec<f64>,
    means: Vec<Vec<f64>>,
    spreads: Vec<Spread>,
    /// log π_k - ½ log det(2π Σ_k), what does not depend on x.
    log_scales: Vec<f64>,
}

/// How wide a component is.
#[derive(Clone, Debug, PartialEq)]
enum Spread {
    /// σ, of σ² I.
    Std(f64),
    /// Of Σ.
    Full(Cholesky),
}

impl Spread {
    /// (x - μ)ᵀ Σ⁻¹ (x - μ).
    fn squared(&self, x: &[f64], mean: &[f64]) -> f64 {
        match self {
            Spread::Std(std) => {
                let squared: f64 = mean.iter().zip(x).map(|(m, x)| (x - m).powi(2)).sum();
                squared / (std * std)
            }
            Spread::Full(cholesky) => square(&cholesky.solve(&difference(x, mean))),
        }
    }

    /// Σ⁻¹ (x - μ).
    fn pull(&self, x: &[f64], mean: &[f64]) -> Vec<f64> {
        match self {
            Spread::Std(std) => {
                let precision = 1.0 / (std * std);
                x.iter()
                    .zip(mean)
                    .map(|(x, m)| (x - m) * precision)
                    .collect()
            }
            Spread::Full(cholesky) => {
                cholesky.solve_transposed(&cholesky.solve(&difference(x, mean)))
            }
        }
    }

    /// vᵀ Σ⁻¹ v.
    fn precision_along(&self, v: &[f64]) -> f64 {
        match self {
            Spread::Std(std) => square(v) * (1.0 / (std * std)),
            Spread::Full(cholesky) => square(&cholesky.solve(v)),
        }
    }

    /// ½ ln det(2π Σ).
    fn log_volume(&self, dimension: usize) -> f64 {
        let half = 0.5 * dimension as f64;
        match self {
            Spread::Std(std) => half * (2.0 * std::f64::consts::PI * std * std).ln(),
            Spread::Full(cholesky) => {
                half * (2.0 * std::f64::consts::PI).ln()
                    + cholesky.diagonal().map(f64::ln).sum::<f64>()
            }
        }
    }

    /// The standard deviation of the first coordinate.
    fn first_std(&self) -> f64 {
        match self {
            Spread::Std(std) => *std,
            Spread::Full(cholesky) => cholesky.diagonal().next().unwrap_or(0.0),
        }
    }

    /// Σ, row after row.
    fn covariance(&self, dimension: usize) -> Vec<f64> {
        match self {
            Spread::Std(std) => {
                let entry =
                    |i: usize| std * std * f64::from(u8::from(i.is_multiple_of(dimension + 1)));
                (0..dimension * dimension).map(entry).collect()
            }
            Spread::Full(cholesky) => cholesky.product(),
        }
    }
}

fn difference(x: &[f64], mean: &[f64]) -> Vec<f64> {
    x.iter().zip(mean).map(|(x, m)| x - m).collect()
}

fn square(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum()
}

impl GaussianMixture {
    /// A mixture with weights π (normalised here), means μ and standard deviations σ, one each
    /// for every component.
    ///
    /// # Errors
    /// If there is no component, the three lists differ in length, the means in dimension, a
    /// weight is negative, a standard deviation is not positive, or a value is not finite.
    pub fn new<M: AsRef<[f64]>>(weights: &[f64], means: &[M], stds: &[f64]) -> Result<Self, Error> {
        let k = means.len();
        let dimension = means.first().map_or(0, |mean| mean.as_ref().len());
        if dimension == 0 {
            return Err(Error::shape(
                "means",
                (k, dimension),
                "at least one component and dimension",
            ));
        }
        for (what, found) in [("weights", weights.len()), ("stds", stds.len())] {
            if found != k {
                return Err(Error::shape(
                    what,
                    found,
                    format!("one for each of the {k} means"),
                ));
            }
        }
        if let Some(mean) = means.iter().find(|mean| mean.as_ref().len() != dimension) {
            let found = mean.as_ref().len();
            return Err(Error::shape(
                "a mean",
                found,
                format!("{dimension} coordinates, as the first mean has,"),
            ));
        }
        let all_means = means.iter().flat_map(|mean| mean.as_ref());
        check("mean", all_means.copied(), "finite", f64::is_finite)?;
        check("std", stds.iter().copied(), "positive and finite", |s| {
            s > 0.0 && s.is_finite()
        })?;
        check(
            "weight",
            weights.iter().copied(),
            "finite and not negative",
            |p| p >= 0.0 && p.is_finite(),
        )?;
        let total: f64 = weights.iter().sum();
        if total <= 0.0 || !total.is_finite() {
            return Err(Error::setting(
                "sum of the weights",
                total,
                "positive and finite",
            ));
        }
        Ok(Self::of(
            weights.iter().map(|p| p / total).collect(),
            means.iter().map(|mean| mean.as_ref().to_vec()).collect(),
            stds.iter().copied().map(Spread::Std).collect(),
        ))
    }

    /// N(0, I) in so many dimensions.
    ///
    /// # Errors
    /// If the dimension is 0.
    pub fn standard_normal(dimension: usize) -> Result<Self, Error> {
        Self::new(&[1.0], &[vec![0.0; dimension]], &[1.0])
    }

    /// Of what is known to be possible.
    fn of(weights: Vec<f64>, means: Vec<Vec<f64>>, spreads: Vec<Spread>) -> Self {
        let each = weights.iter().zip(&means).zip(&spreads);
        let scale = |((p, mean), spread): ((&f64, &Vec<f64>), &Spread)| {
            p.ln() - spread.log_volume(mean.len())
        };
        Self {
            log_scales: each.map(scale).collect(),
            weights,
            means,
            spreads,
        }
    }

    /// Components of the same weight and standard deviation, known to be possible.
    pub(crate) fn equal(means: Vec<Vec<f64>>, std: f64) -> Self {
        let k = means.len();
        Self::of(vec![1.0 / k as f64; k], means, vec![Spread::Std(std); k])
    }

    /// Components whose weights add up to 1, and with these covariances, known to be possible.
    pub(crate) fn of_covariances(components: Vec<(f64, Vec<f64>, Cholesky)>) -> Self {
        let (mut weights, mut means, mut spreads) = (Vec::new(), Vec::new(), Vec::new());
        for (weight, mean, covariance) in components {
            weights.push(weight);
            means.push(mean);
            spreads.push(Spread::Full(covariance));
        }
        Self::of(weights, means, spreads)
    }

    /// π, μ and Σ of each component; Σ is `(D, D)`, row after row.
    pub fn components(&self) -> impl Iterator<Item = (f64, &[f64], Vec<f64>)> {
        let each = self.weights.iter().zip(&self.means).zip(&self.spreads);
        each.map(|((weight, mean), spread)| {
            (*weight, mean.as_slice(), spread.covariance(mean.len()))
        })
    }

    /// The dimension D.
    pub fn dimension(&self) -> usize {
        self.means[0].len()
    }

    /// The mixture convolved with N(0, t I): every Σ_k becomes Σ_k + t I.
    ///
    /// # Errors
    /// If the variance t is negative or not finite.
    pub fn smoothed(&self, t: f64) -> Result<Self, Error> {
        if !(t >= 0.0 && t.is_finite()) {
            return Err(Error::setting(
                "t",
                t,
                "a variance: finite and not negative",
            ));
        }
        let d = self.dimension();
        let wider = |spread: &Spread| match spread {
            Spread::Std(std) => Ok(Spread::Std((std * std + t).sqrt())),
            Spread::Full(cholesky) => {
                let mut covariance = cholesky.product();
                covariance
                    .iter_mut()
                    .step_by(d + 1)
                    .for_each(|entry| *entry += t);
                let fails = |_| Error::setting("t", t, "what keeps the covariances finite");
                Ok(Spread::Full(Cholesky::of(&covariance, d).map_err(fails)?))
            }
        };
        let spreads = self
            .spreads
            .iter()
            .map(wider)
            .collect::<Result<_, Error>>()?;
        Ok(Self::of(self.weights.clone(), self.means.clone(), spreads))
    }

    /// log p at one point.
    ///
    /// # Errors
    /// If the point has another dimension than the mixture.
    pub fn log_density(&self, x: &[f64]) -> Result<f64, Error> {
        if x.len() != self.dimension() {
            return Err(Error::shape(
                "the point",
                x.len(),
                format!("{} coordinates", self.dimension()),
            ));
        }
        Ok(self.log_density_unchecked(x))
    }

    pub(crate) fn log_density_unchecked(&self, x: &[f64]) -> f64 {
        log_sum_exp(self.log_components(x).into_iter())
    }

    /// The interval that holds all but about 1e-20 of a one-dimensional mixture, and the smallest
    /// standard deviation in it.
    pub(crate) fn support(&self) -> (f64, f64, f64) {
        let stds = || self.spreads.iter().map(Spread::first_std);
        let ends = self.means.iter().zip(stds());
        let lowest = ends
            .clone()
            .map(|(m, s)| m[0] - 9.5 * s)
            .fold(f64::INFINITY, f64::min);
        let highest = ends
            .map(|(m, s)| m[0] + 9.5 * s)
            .fold(f64::NEG_INFINITY, f64::max);
        let narrowest = stds().fold(f64::INFINITY, f64::min);
        (lowest, highest, narrowest)
    }

    /// ∇U: with the pulls a_k = Σ_k⁻¹ (x - μ_k) and the posterior
    /// probabilities r_k of the components, ∇U = Σ_k r_k a_k.
    pub(crate) fn slopes(&self, x: &[f64]) -> Vec<f64> {
        let mut slopes = vec![0.0; x.len()];
        for (r, pull, _) in self.pulls(x) {
            slopes
                .iter_mut()
                .zip(pull)
                .for_each(|(slope, a)| *slope += r * a);
        }
        slopes
    }

    /// vᵀ (∇²U) v = (Σ_k r_k a_k · v)² + Σ_k r_k (vᵀ Σ_k⁻¹ v - (a_k · v)²).
    fn bend(&self, x: &[f64], v: &[f64]) -> f64 {
        let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
        let (mut slope, mut rest) = (0.0, 0.0);
        for (r, pull, spread) in self.pulls(x) {
            let along = dot(&pull, v);
            slope += r * along;
            rest += r * (spread.precision_along(v) - along * along);
        }
        slope * slope + rest
    }

    /// r_k, a_k and Σ_k of each component.
    fn pulls(&self, x: &[f64]) -> Vec<(f64, Vec<f64>, &Spread)> {
        let logs = self.log_components(x);
        let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = logs.iter().map(|log| (log - largest).exp()).sum();
        let components = logs.iter().zip(&self.means).zip(&self.spreads);
        let each = components.map(|((log, mean), spread)| {
            ((log - largest).exp() / total, spread.pull(x, mean), spread)
        });
        each.collect()
    }

    /// One point drawn from the mixture.
    pub(crate) fn draw(&self, rng: &mut Rng) -> Vec<f64> {
        let mut mass: f64 = rng.random();
        let mut chosen = 0;
        for (k, weight) in self.weights.iter().enumerate() {
            if *weight > 0.0 {
                chosen = k;
            }
            mass -= weight;
            if mass < 0.0 {
                break;
            }
        }
        let mean = &self.means[chosen];
        let noise: Vec<f64> = StandardNormal.sample_iter(rng).take(mean.len()).collect();
        let noise = match &self.spreads[chosen] {
            Spread::Std(std) => noise.into_iter().map(|ξ| std * ξ).collect(),
            Spread::Full(cholesky) => cholesky.times(&noise),
        };
        mean.iter().zip(noise).map(|(mean, ξ)| mean + ξ).collect()
    }

    /// log π_k + log N(x; μ_k, Σ_k) for each component.
    pub(crate) fn log_components(&self, x: &[f64]) -> Vec<f64> {
        let components = self.means.iter().zip(&self.spreads).zip(&self.log_scales);
        components
            .map(|((mean, spread), log_scale)| log_scale - 0.5 * spread.squared(x, mean))
            .collect()
    }
}

impl Energy for GaussianMixture {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        let (energies, slopes) = self.gradient(&x.retaped::<NoneTape>())?;
        closed_form::taped(x, energies, slopes)
    }

    fn energy(&self, x: &Points) -> Result<Values, Error> {
        let rows = closed_form::rows("the mixture", self.dimension(), x)?;
        closed_form::energies(x, &rows, |x| -self.log_density_unchecked(x))
    }

    fn gradient(&self, x: &Points) -> Result<(Values, Points), Error> {
        let rows = closed_form::rows("the mixture", self.dimension(), x)?;
        let energies = closed_form::energies(x, &rows, |x| -self.log_density_unchecked(x))?;
        Ok((energies, closed_form::slopes(x, &rows, |x| self.slopes(x))?))
    }

    fn jets_taped(&self, x: &Points, along: Along) -> Result<Jets, Error> {
        let (energy, gradient) = self.gradient(x)?;
        let rows = closed_form::rows("the mixture", self.dimension(), x)?;
        let d = self.dimension();
        let count = match along {
            Along::Coordinates => d,
            Along::Directions(directions) => directions.shape().1,
        };
        let directions: Vec<f64> = match along {
            Along::Coordinates => rows
                .iter()
                .flat_map(|_| (0..d * d).map(|i| f64::from(u8::from(i % (d + 1) == 0))))
                .collect(),
            Along::Directions(directions) => {
                to_vec(directions).into_iter().map(f64::from).collect()
            }
        };
        let each = || rows.iter().zip(directions.chunks_exact(count * d));
        let slopes = each().flat_map(|(x, directions)| {
            let slopes = self.slopes(x);
            let along = |v: &[f64]| slopes.iter().zip(v).map(|(s, v)| s * v).sum();
            directions.chunks_exact(d).map(along).collect::<Vec<f64>>()
        });
        let curvature =
            each().map(|(x, directions)| directions.chunks_exact(d).map(|v| self.bend(x, v)).sum());
        Ok(Jets {
            energy,
            slopes: match along {
                Along::Coordinates => gradient,
                Along::Directions(_) => from_f64(x.device(), slopes, (rows.len(), count))?,
            },
            curvature: from_f64(x.device(), curvature, (rows.len(),))?,
            tape: GradientTape::default(),
        })
    }

    fn is_tested(&self) -> bool {
        true
    }
}

fn check(
    name: &'static str,
    mut values: impl Iterator<Item = f64>,
    allowed: &'static str,
    accept: impl Fn(f64) -> bool,
) -> Result<(), Error> {
    match values.find(|value| !accept(*value)) {
        Some(value) => Err(Error::setting(name, value, allowed)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_modes() -> GaussianMixture {
        GaussianMixture::new(&[1.0, 3.0], &[[-1.0, 0.5], [2.0, 0.0]], &[0.7, 1.3]).unwrap()
    }

    #[test]
    fn smoothing_adds_variance() {
        let p = two_modes().smoothed(0.51).unwrap();
        assert!((p.spreads[0].first_std() - 1.0).abs() < 1e-12);
        assert!(two_modes().smoothed(-1.0).is_err());
    }

    #[test]
    fn impossible_mixtures_are_errors() {
        let new = |weights: &[f64], means: &[[f64; 1]], stds: &[f64]| {
            GaussianMixture::new(weights, means, stds)
                .unwrap_err()
                .to_string()
        };
        let one = [[0.0]];
        assert!(new(&[1.0, 1.0], &one, &[1.0]).contains("weights has shape 2"));
        assert!(new(&[1.0], &one, &[0.0]).contains("std = 0"));
        assert!(new(&[-1.0], &one, &[1.0]).contains("weight = -1"));
        assert!(new(&[0.0], &one, &[1.0]).contains("sum of the weights"));
        assert!(new(&[1.0], &[[f64::NAN]], &[1.0]).contains("mean = NaN"));
        assert!(new(&[], &[], &[]).contains("at least one"));
        let ragged = GaussianMixture::new(&[1.0, 1.0], &[vec![0.0], vec![0.0, 1.0]], &[1.0, 1.0]);
        assert!(
            ragged
                .unwrap_err()
                .to_string()
                .contains("a mean has shape 2")
        );
    }
}
