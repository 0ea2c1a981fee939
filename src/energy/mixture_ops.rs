//! Energy, derivatives and samples of a mixture as dfdx tensors.

use super::{
    Density, Derivatives, Energy, GaussianMixture, Points, TapedPoints, TapedValues,
    TwiceDifferentiable, Values, for_each_backend, scalar, tensor,
};
use crate::backend::Backend;
use crate::data::Data;
use crate::{Error, Rng};
use dfdx::prelude::*;

/// What energy and derivatives have in common, as tensors.
struct Components<E: Dtype, Dev: Device<E>, T> {
    /// log π_k + log N(x_b; μ_k, σ_k² I), `(B, K)`.
    logs: Tensor<(usize, usize), E, Dev, T>,
    /// x_b - μ_k, `(B, K, D)`.
    offsets: Tensor<(usize, usize, usize), E, Dev>,
    /// 1/σ_k², `(K,)`.
    precisions: Values<E, Dev>,
}

impl GaussianMixture {
    fn components<E: Dtype, Dev: Device<E>, T: dfdx::tensor::Tape<E, Dev>>(
        &self,
        x: Tensor<(usize, usize), E, Dev, T>,
    ) -> Result<Components<E, Dev, T>, Error> {
        let (b, d) = *x.shape();
        let k = self.means.len();
        if d != self.dimension() {
            let expected = format!("(B, {}), as the mixture's means have,", self.dimension());
            return Err(Error::shape("x", (b, d), expected));
        }
        let device = x.device().clone();
        let means = tensor(&device, self.means.iter().flatten().copied(), (k, d))?;
        let log_scales = tensor(&device, self.log_scales().into_iter(), (k,))?;
        let precisions = tensor(&device, self.stds.iter().map(|s| 1.0 / (s * s)), (k,))?;
        let build = || -> Result<_, Dev::Err> {
            let means: Tensor<_, E, Dev> = means.try_broadcast_like::<_, Axis<0>>(&(b, k, d))?;
            let offsets = x.try_broadcast_like::<_, Axis<1>>(&(b, k, d))?;
            let (offsets, tape) = offsets.try_sub(means)?.split_tape();
            let squared = offsets.clone().put_tape(tape).try_square()?;
            let weight = precisions.clone().try_mul(scalar::<E>(-0.5))?;
            let logs = squared
                .try_sum::<_, Axis<2>>()?
                .try_mul(weight.try_broadcast_like::<_, Axis<0>>(&(b, k))?)?
                .try_add(log_scales.try_broadcast_like::<_, Axis<0>>(&(b, k))?)?;
            Ok((logs, offsets))
        };
        let (logs, offsets) = build().map_err(Error::tensor)?;
        Ok(Components {
            logs,
            offsets,
            precisions,
        })
    }

    /// U = -logsumexp_k (log π_k + log N(x; μ_k, σ_k² I)).
    fn energy_on<E: Dtype, Dev: Device<E>, T: dfdx::tensor::Tape<E, Dev>>(
        &self,
        x: Tensor<(usize, usize), E, Dev, T>,
    ) -> Result<Tensor<(usize,), E, Dev, T>, Error> {
        let logs = self.components(x)?.logs;
        let log_density = logs.try_logsumexp::<_, Axis<1>>();
        log_density
            .and_then(|log| log.try_negate())
            .map_err(Error::tensor)
    }

    /// With the pulls a_k = (x - μ_k)/σ_k² and the posterior probabilities r_k of the components,
    /// ∂U/∂x_d = Σ_k r_k a_kd and
    /// ∂²U/∂x_d² = (Σ_k r_k a_kd)² + Σ_k r_k (1/σ_k² - a_kd²).
    fn derivatives_on<E: Dtype, Dev: Device<E>>(
        &self,
        x: &Points<E, Dev>,
    ) -> Result<(Values<E, Dev>, Points<E, Dev>, Points<E, Dev>), Error> {
        let Components {
            logs,
            offsets,
            precisions,
        } = self.components(x.clone())?;
        let shape = *offsets.shape();
        let (b, k, _) = shape;
        let build = || -> Result<_, Dev::Err> {
            let energy = logs.clone().try_logsumexp::<_, Axis<1>>()?.try_negate()?;
            let posterior = logs.try_softmax::<Axis<1>>()?;
            let posterior = posterior.try_broadcast_like::<_, Axis<2>>(&shape)?;
            let precision = precisions
                .try_broadcast_like::<_, Axis<0>>(&(b, k))?
                .try_broadcast_like::<_, Axis<2>>(&shape)?;
            let pulls = offsets.try_mul(precision.clone())?;
            let narrowing = precision.try_sub(pulls.clone().try_square()?)?;
            let gradient = pulls.try_mul(posterior.clone())?.try_sum::<_, Axis<1>>()?;
            let mean = narrowing.try_mul(posterior)?.try_sum::<_, Axis<1>>()?;
            let curvature = gradient.clone().try_square()?.try_add(mean)?;
            Ok((energy, gradient, curvature))
        };
        build().map_err(Error::tensor)
    }
}

macro_rules! implement {
    ($E:ty, $Dev:ty) => {
        impl Energy<$E, $Dev> for GaussianMixture {
            fn energy_taped(
                &self,
                x: TapedPoints<$E, $Dev>,
            ) -> Result<TapedValues<$E, $Dev>, Error> {
                self.energy_on(x)
            }

            fn energy(&self, x: &Points<$E, $Dev>) -> Result<Values<$E, $Dev>, Error> {
                self.energy_on(x.clone())
            }

            fn gradient(
                &self,
                x: &Points<$E, $Dev>,
            ) -> Result<(Values<$E, $Dev>, Points<$E, $Dev>), Error> {
                let (energy, gradient, _) = self.derivatives_on(x)?;
                Ok((energy, gradient))
            }

            fn is_tested(&self) -> bool {
                true
            }
        }

        impl TwiceDifferentiable<$E, $Dev> for GaussianMixture {
            fn derivatives_taped(
                &self,
                x: &Points<$E, $Dev>,
            ) -> Result<Derivatives<$E, $Dev>, Error> {
                let (_, gradient, curvature) = self.derivatives_on(x)?;
                let tape = OwnedTape::default();
                Ok(Derivatives {
                    gradient,
                    curvature,
                    tape,
                })
            }
        }

        impl Data<$E, $Dev> for GaussianMixture {
            fn dimension(&self) -> usize {
                GaussianMixture::dimension(self)
            }

            fn sample(&self, n: usize, rng: &mut Rng) -> Result<Points<$E, $Dev>, Error> {
                let values: Vec<f64> = (0..n).flat_map(|_| self.draw(rng)).collect();
                let shape = (n, self.dimension());
                tensor(&<$Dev as Backend<$E>>::shared()?, values.into_iter(), shape)
            }
        }

        impl Density<$E, $Dev> for GaussianMixture {}
    };
}
for_each_backend!(implement);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;
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
        let flat: Points<f32> = device().unwrap().zeros_like(&(4, 3));
        assert!(
            two_modes()
                .energy(&flat)
                .unwrap_err()
                .to_string()
                .contains("(4, 3)")
        );
    }
}
