//! Energy, score and samples of a mixture as dfdx tensors.

use super::{Density, Energy, GaussianMixture, Points, Values, for_each_backend, scalar, tensor};
use crate::{Error, Rng};
use dfdx::prelude::*;

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
    fn points_of_another_dimension_are_an_error() {
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
