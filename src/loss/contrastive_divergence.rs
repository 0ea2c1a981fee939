//! Contrastive divergence with Langevin chains.

use super::{Loss, TapedLoss, fused};
use crate::backend::{Backend, Number, read};
use crate::energy::{Energy, Points, checked, for_each_backend, scalar};
use crate::sample::{Langevin, Sampler};
use crate::{Error, Rng};
use dfdx::prelude::*;

/// Contrastive divergence: short Langevin chains x_i⁻ that start at the data x_i, and
///
/// L = 1/N Σ_i ( U(x_i) - U(x_i⁻) ) + α/N Σ_i ( U(x_i)² + U(x_i⁻)² ),
///
/// differentiated as if the chains did not depend on U. The regulariser keeps the energies
/// small. Chains of finite length make the loss biased: it has a plateau above the truth.
///
/// The points are `(N, D)`, the noise is `(N, D)` for each of K steps; the loss is one number.
///
/// Source: Hinton, Neural Computation 2002; the regulariser of Du & Mordatch, NeurIPS 2019. The
/// baseline of the paper's density experiments, with the settings of [`Default`]: K = 10 steps of
/// size h = 0.01, α = 0.3.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let net = Mlp::softplus(&[1, 8, 1], 0)?;
/// let x: Points = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?.sample(64, &mut rng(0))?;
/// let loss = ContrastiveDivergence::default().steps(20).step_size(0.1).regularisation(0.0);
/// let noise = loss.draw(&x, &mut rng(1))?;
/// assert!(loss.evaluate(&net, &x, &noise)?.is_finite());
/// # Ok::<(), Error>(())
/// ```
/// PyTorch equivalent: `u(x).mean() - u(x_neg).mean() + alpha * (u(x)**2 + u(x_neg)**2).mean()`
/// with `x_neg` detached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ContrastiveDivergence {
    steps: usize,
    step_size: f64,
    regularisation: f64,
}

impl Default for ContrastiveDivergence {
    fn default() -> Self {
        Self {
            steps: 10,
            step_size: 0.01,
            regularisation: 0.3,
        }
    }
}

impl ContrastiveDivergence {
    /// K, the number of Langevin steps.
    pub fn steps(self, steps: usize) -> Self {
        Self { steps, ..self }
    }

    /// h of x' = x - h/2 ∇U + √h ξ.
    pub fn step_size(self, h: f64) -> Self {
        Self {
            step_size: h,
            ..self
        }
    }

    /// α, the weight of the squared energies.
    pub fn regularisation(self, alpha: f64) -> Self {
        Self {
            regularisation: alpha,
            ..self
        }
    }

    fn check<E: Dtype, Dev: Device<E>>(&self, x: &Points<E, Dev>) -> Result<Langevin, Error> {
        if x.shape().0 == 0 {
            return Err(Error::shape("x", x.shape(), "at least one point"));
        }
        if self.steps == 0 {
            return Err(Error::setting("steps", 0, "at least 1"));
        }
        if !(self.regularisation >= 0.0 && self.regularisation.is_finite()) {
            let allowed = "finite and not negative";
            return Err(Error::setting(
                "regularisation",
                self.regularisation,
                allowed,
            ));
        }
        Ok(Langevin::with_step_size(self.step_size))
    }

    fn draw_on<E: Number, Dev: Backend<E>>(
        &self,
        x: &Points<E, Dev>,
        rng: &mut Rng,
    ) -> Result<Vec<Points<E, Dev>>, Error>
    where
        Langevin: Sampler<E, Dev, Noise = Points<E, Dev>>,
    {
        let langevin = self.check(x)?;
        (0..self.steps).map(|_| langevin.draw(x, rng)).collect()
    }

    /// x_i⁻, the chains' ends.
    fn negatives<E: Number, Dev: Backend<E>>(
        &self,
        energy: &dyn Energy<E, Dev>,
        x: &Points<E, Dev>,
        noise: &[Points<E, Dev>],
    ) -> Result<Points<E, Dev>, Error>
    where
        Langevin: Sampler<E, Dev, Noise = Points<E, Dev>>,
    {
        let langevin = self.check(x)?;
        if noise.len() != self.steps {
            let expected = format!("{} steps, as the chain has,", self.steps);
            return Err(Error::shape("noise", noise.len(), expected));
        }
        let frozen = energy.frozen();
        let energy = frozen.as_deref().unwrap_or(energy);
        let mut end = x.clone();
        for noise in noise {
            end = langevin.step(energy, &end, noise)?.x;
        }
        Ok(end)
    }

    fn taped_on<E: Number, Dev: Backend<E>>(
        &self,
        energy: &dyn Energy<E, Dev>,
        x: &Points<E, Dev>,
        noise: &[Points<E, Dev>],
    ) -> Result<TapedLoss<E, Dev>, Error>
    where
        Langevin: Sampler<E, Dev, Noise = Points<E, Dev>>,
    {
        let negatives = self.negatives(energy, x, noise)?;
        let (positive, negative) = (
            checked::energies_taped(energy, x)?,
            checked::energies_taped(energy, &negatives)?,
        );
        let mean = || -> Result<_, Dev::Err> {
            let (plus, tape) = positive.split_tape();
            let (minus, minus_tape) = negative.split_tape();
            let difference = plus
                .clone()
                .put_tape(tape)
                .try_sub(minus.clone().put_tape(minus_tape))?;
            let square = plus.leaky_trace().try_square()?;
            let square = square.try_add(minus.leaky_trace().try_square()?)?;
            let square = square.try_mul(scalar::<E>(self.regularisation))?;
            difference.try_add(square)?.try_mean()
        };
        mean().map_err(Error::tensor)
    }

    fn fused_on<E: Number, Dev: Backend<E>>(
        &self,
        energy: &dyn Energy<E, Dev>,
        x: &Points<E, Dev>,
        noise: &[Points<E, Dev>],
        gradient: &mut [E],
    ) -> Result<Option<f64>, Error>
    where
        Langevin: Sampler<E, Dev, Noise = Points<E, Dev>>,
    {
        let (n, d) = *x.shape();
        let rows = || {
            let negatives = self.negatives(energy, x, noise)?;
            Ok(fused::interleave(&read(x), &read(&negatives), 1, d))
        };
        let (alpha, scale) = (self.regularisation, 1.0 / n as f64);
        let contrast = |_, energies: &[f32], slopes: &mut [f32]| -> f64 {
            let signs = [1.0, -1.0].into_iter().cycle();
            let each = energies.iter().zip(slopes).zip(signs);
            let terms = each.map(|((u, slope), sign)| {
                let u = f64::from(*u);
                *slope = (scale * (sign + 2.0 * alpha * u)) as f32;
                scale * (sign * u + alpha * u * u)
            });
            terms.sum()
        };
        fused::contrast(energy, x, 2, rows, &contrast, gradient)
    }
}

macro_rules! implement {
    ($E:ty, $Dev:ty) => {
        impl Loss<$E, $Dev> for ContrastiveDivergence {
            type Of<'a> = dyn Energy<$E, $Dev> + 'a;
            /// ξ of each step, `(N, D)`.
            type Noise = Vec<Points<$E, $Dev>>;

            fn draw(&self, x: &Points<$E, $Dev>, rng: &mut Rng) -> Result<Self::Noise, Error> {
                self.draw_on(x, rng)
            }

            fn taped_of(
                &self,
                energy: &Self::Of<'_>,
                x: &Points<$E, $Dev>,
                noise: &Self::Noise,
            ) -> Result<TapedLoss<$E, $Dev>, Error> {
                self.taped_on(energy, x, noise)
            }

            fn fused_of(
                &self,
                energy: &Self::Of<'_>,
                x: &Points<$E, $Dev>,
                noise: &Self::Noise,
                gradient: &mut [$E],
            ) -> Result<Option<f64>, Error> {
                self.fused_on(energy, x, noise, gradient)
            }
        }
    };
}
for_each_backend!(implement);
