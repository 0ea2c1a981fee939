//! Gaussian mixtures in closed form.

use super::{Density, Energy, Points, Values, for_each_backend, scalar, tensor};
use crate::{Error, Rng};
use dfdx::prelude::*;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

/// A mixture of K isotropic Gaussians in D dimensions.
///
/// p(x) = Σ_k π_k N(x; μ_k, σ_k² I), with energy U(x) = -log p(x), normalised.
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
/// let x: Points<f64> = p.sample(1000, &mut rng(0))?;
/// assert_eq!(p.energy(&x)?.as_vec().len(), 1000);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct GaussianMixture {
    weights: Vec<f64>,
    means: Vec<Vec<f64>>,
    stds: Vec<f64>,
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
                format!("{dimension} coordinates, as the first mean has"),
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
        Ok(Self {
            weights: weights.iter().map(|p| p / total).collect(),
            means: means.iter().map(|mean| mean.as_ref().to_vec()).collect(),
            stds: stds.to_vec(),
        })
    }

    /// The dimension D.
    pub fn dimension(&self) -> usize {
        self.means[0].len()
    }

    /// The mixture convolved with N(0, t I): every variance σ_k² becomes σ_k² + t.
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
        let stds = self.stds.iter().map(|s| (s * s + t).sqrt()).collect();
        Ok(Self {
            stds,
            ..self.clone()
        })
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
        let terms = self.log_components(x);
        let largest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        largest
            + terms
                .iter()
                .map(|term| (term - largest).exp())
                .sum::<f64>()
                .ln()
    }

    /// The interval that holds all but about 1e-20 of a one-dimensional mixture, and the smallest
    /// standard deviation in it.
    pub(crate) fn support(&self) -> (f64, f64, f64) {
        let ends = self.means.iter().zip(&self.stds);
        let lowest = ends
            .clone()
            .map(|(m, s)| m[0] - 9.5 * s)
            .fold(f64::INFINITY, f64::min);
        let highest = ends
            .map(|(m, s)| m[0] + 9.5 * s)
            .fold(f64::NEG_INFINITY, f64::max);
        let narrowest = self.stds.iter().copied().fold(f64::INFINITY, f64::min);
        (lowest, highest, narrowest)
    }

    /// log π_k + log N(x; μ_k, σ_k² I) for each component.
    fn log_components(&self, x: &[f64]) -> Vec<f64> {
        let components = self.means.iter().zip(&self.stds).zip(self.log_scales());
        components
            .map(|((mean, std), log_scale)| {
                let squared: f64 = mean.iter().zip(x).map(|(m, x)| (x - m).powi(2)).sum();
                log_scale - 0.5 * squared / (std * std)
            })
            .collect()
    }

    /// log π_k - D/2 log(2π σ_k²), what does not depend on x.
    fn log_scales(&self) -> Vec<f64> {
        let half = 0.5 * self.dimension() as f64;
        let each = self.weights.iter().zip(&self.stds);
        each.map(|(p, s)| p.ln() - half * (2.0 * std::f64::consts::PI * s * s).ln())
            .collect()
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

/// What energy and score have in common, as tensors.
struct Components<E: Dtype, Dev: Device<E>> {
    /// x_b - μ_k, `(B, K, D)`.
    offsets: Tensor<(usize, usize, usize), E, Dev>,
    /// log π_k + log N(x_b; μ_k, σ_k² I), `(B, K)`.
    logs: Tensor<(usize, usize), E, Dev>,
    /// 1/σ_k², `(K,)`.
    precisions: Tensor<(usize,), E, Dev>,
}

impl GaussianMixture {
    fn components<E: Dtype, Dev: Device<E>>(
        &self,
        x: &Points<E, Dev>,
    ) -> Result<Components<E, Dev>, Error> {
        let (b, d) = *x.shape();
        let k = self.means.len();
        if d != self.dimension() {
            let expected = format!("(B, {}), as the mixture's means have", self.dimension());
            return Err(Error::shape("x", (b, d), expected));
        }
        let device = x.device();
        let means = tensor(device, self.means.iter().flatten().copied(), (k, d))?;
        let log_scales = tensor(device, self.log_scales().into_iter(), (k,))?;
        let precisions = tensor(device, self.stds.iter().map(|s| 1.0 / (s * s)), (k,))?;
        let build = || -> Result<_, Dev::Err> {
            let means = means.try_broadcast_like::<_, Axis<0>>(&(b, k, d))?;
            let offsets = x
                .clone()
                .try_broadcast_like::<_, Axis<1>>(&(b, k, d))?
                .try_sub(means)?;
            let squared = offsets.clone().try_square()?.try_sum::<_, Axis<2>>()?;
            let weight = precisions.clone().try_mul(scalar::<E>(-0.5))?;
            let logs = squared
                .try_mul(weight.try_broadcast_like::<_, Axis<0>>(&(b, k))?)?
                .try_add(log_scales.try_broadcast_like::<_, Axis<0>>(&(b, k))?)?;
            Ok((offsets, logs))
        };
        let (offsets, logs) = build().map_err(Error::tensor)?;
        Ok(Components {
            offsets,
            logs,
            precisions,
        })
    }

    /// U = -logsumexp_k (log π_k + log N(x; μ_k, σ_k² I)).
    fn energy_on<E: Dtype, Dev: Device<E>>(
        &self,
        x: &Points<E, Dev>,
    ) -> Result<Values<E, Dev>, Error> {
        let logs = self.components(x)?.logs;
        let negated = logs
            .try_logsumexp::<_, Axis<1>>()
            .and_then(|u| u.try_negate());
        negated.map_err(Error::tensor)
    }

    /// ∇ log p = Σ_k r_k(x) (μ_k - x)/σ_k², r_k the posterior probability of component k.
    fn score_on<E: Dtype, Dev: Device<E>>(
        &self,
        x: &Points<E, Dev>,
    ) -> Result<Points<E, Dev>, Error> {
        let Components {
            offsets,
            logs,
            precisions,
        } = self.components(x)?;
        let (b, k, d) = *offsets.shape();
        let build = || -> Result<_, Dev::Err> {
            let pull = precisions
                .try_negate()?
                .try_broadcast_like::<_, Axis<0>>(&(b, k))?;
            logs.try_softmax::<Axis<1>>()?
                .try_mul(pull)?
                .try_broadcast_like::<_, Axis<2>>(&(b, k, d))?
                .try_mul(offsets)?
                .try_sum::<_, Axis<1>>()
        };
        build().map_err(Error::tensor)
    }

    fn draw(&self, rng: &mut Rng) -> Vec<f64> {
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
        let std = self.stds[chosen];
        let noise = |mean: &f64| {
            let ξ: f64 = StandardNormal.sample(&mut *rng);
            mean + std * ξ
        };
        self.means[chosen].iter().map(noise).collect()
    }
}

macro_rules! implement {
    ($E:ty, $Dev:ty) => {
        impl Energy<$E, $Dev> for GaussianMixture {
            fn energy(&self, x: &Points<$E, $Dev>) -> Result<Values<$E, $Dev>, Error> {
                self.energy_on(x)
            }
        }

        impl Density<$E, $Dev> for GaussianMixture {
            fn score(&self, x: &Points<$E, $Dev>) -> Result<Points<$E, $Dev>, Error> {
                self.score_on(x)
            }

            fn sample(&self, n: usize, rng: &mut Rng) -> Result<Points<$E, $Dev>, Error> {
                let values: Vec<f64> = (0..n).flat_map(|_| self.draw(rng)).collect();
                tensor(
                    &<$Dev>::default(),
                    values.into_iter(),
                    (n, self.dimension()),
                )
            }
        }
    };
}
for_each_backend!(implement);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;

    fn two_modes() -> GaussianMixture {
        GaussianMixture::new(&[1.0, 3.0], &[[-1.0, 0.5], [2.0, 0.0]], &[0.7, 1.3]).unwrap()
    }

    #[test]
    fn tensor_energy_is_the_log_density() {
        let p = two_modes();
        let x: Points<f64> = p.sample(50, &mut rng(1)).unwrap();
        let u = p.energy(&x).unwrap().as_vec();
        for (point, u) in x.as_vec().chunks(2).zip(u) {
            assert!((u + p.log_density(point).unwrap()).abs() < 1e-12);
        }
    }

    #[test]
    fn score_is_the_gradient_of_the_log_density() {
        let p = two_modes();
        let x: Points<f64> = p.sample(20, &mut rng(2)).unwrap();
        let score = p.score(&x).unwrap().as_vec();
        let h = 1e-6;
        for (point, score) in x.as_vec().chunks(2).zip(score.chunks(2)) {
            for axis in 0..2 {
                let at = |offset: f64| {
                    let mut moved = point.to_vec();
                    moved[axis] += offset;
                    p.log_density(&moved).unwrap()
                };
                // Central differences err by about h² + ε/h = 1e-10.
                let slope = (at(h) - at(-h)) / (2.0 * h);
                assert!((score[axis] - slope).abs() < 1e-8);
            }
        }
    }

    #[test]
    fn samples_have_the_mixture_s_mean_and_variance() {
        let p = two_modes();
        let n = 40_000;
        let x: Points<f64> = p.sample(n, &mut rng(3)).unwrap();
        let first: Vec<f64> = x.as_vec().chunks(2).map(|point| point[0]).collect();
        let mean = first.iter().sum::<f64>() / n as f64;
        let variance = first.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64;
        // Mean .25(-1) + .75(2), variance from the components' means and variances. The standard
        // error of the mean is sqrt(3.08/n) = .009, that of the variance below .025: four of each.
        assert!((mean - 1.25).abs() < 0.036, "{mean}");
        assert!((variance - 3.0775).abs() < 0.1, "{variance}");
    }

    #[test]
    fn smoothing_adds_variance() {
        let p = two_modes().smoothed(0.51).unwrap();
        assert!((p.stds[0] - 1.0).abs() < 1e-12);
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
        let flat: Points<f32> = Cpu::default().zeros_like(&(4, 3));
        assert!(
            two_modes()
                .energy(&flat)
                .unwrap_err()
                .to_string()
                .contains("(4, 3)")
        );
    }
}
