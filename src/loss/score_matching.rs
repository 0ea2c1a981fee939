//! Explicit score matching.

use super::{Loss, TapedLoss, fused};
use crate::backend::{Backend, Number, read};
use crate::energy::{Derivatives, Points, TwiceDifferentiable, checked, for_each_backend, scalar};
use crate::{Error, Rng, kernel};
use dfdx::prelude::*;

/// Score matching, with the Hessian's exact trace.
///
/// L = 1/N Σ_i ( ½ |∇U(x_i)|² - ΔU(x_i) ),
///
/// which is the Fisher divergence ½ E|∇ log p - ∇ log p_data|², less a constant of the data.
/// Derivatives are carried forward through the net: exact, without finite differences, and
/// without the double backward that dfdx does not have.
///
/// The points are `(N, D)`; the loss is one number, and uses no noise. The cost grows with D.
///
/// Source: Hyvärinen, JMLR 2005; equation (2) of Schröder et al., NeurIPS 2023.
///
/// # Examples
/// The loss of N(0, 1) on its own data is -½, the score's mean square:
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let p = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?;
/// let x: Points<f64> = p.sample(10_000, &mut rng(0))?;
/// let value = ScoreMatching.evaluate(&p, &x, &())?;
/// assert!((value + 0.5).abs() < 0.03);
/// # Ok::<(), Error>(())
/// ```
/// PyTorch equivalent: `torch.autograd.grad(u.sum(), x, create_graph=True)`, and once more for
/// each coordinate of the result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScoreMatching;

fn taped_on<E: Number, Dev: Backend<E>>(
    energy: &dyn TwiceDifferentiable<E, Dev>,
    x: &Points<E, Dev>,
) -> Result<TapedLoss<E, Dev>, Error> {
    if x.shape().0 == 0 {
        return Err(Error::shape("x", x.shape(), "at least one point"));
    }
    let Derivatives {
        gradient,
        curvature,
        tape,
    } = checked::derivatives(energy, x)?;
    let mean = || -> Result<_, Dev::Err> {
        let curvature = curvature.put_tape(tape);
        let half_square = gradient
            .leaky_trace()
            .try_square()?
            .try_mul(scalar::<E>(0.5))?;
        let sum = half_square.try_sub(curvature)?.try_sum::<Rank0, _>()?;
        sum.try_div(scalar::<E>(x.shape().0 as f64))
    };
    mean().map_err(Error::tensor)
}

fn fused_on<E: Number, Dev: Backend<E>>(
    energy: &dyn TwiceDifferentiable<E, Dev>,
    x: &Points<E, Dev>,
    gradient: &mut [E],
) -> Result<Option<f64>, Error> {
    if x.shape().0 == 0 {
        return Ok(None);
    }
    fused::on_network(energy, x, || Ok(read(x)), kernel::score_matching, gradient)
}

macro_rules! implement {
    ($E:ty, $Dev:ty) => {
        impl Loss<$E, $Dev> for ScoreMatching {
            type Of<'a> = dyn TwiceDifferentiable<$E, $Dev> + 'a;
            type Noise = ();

            fn draw(&self, _x: &Points<$E, $Dev>, _rng: &mut Rng) -> Result<(), Error> {
                Ok(())
            }

            fn taped_of(
                &self,
                energy: &Self::Of<'_>,
                x: &Points<$E, $Dev>,
                _noise: &(),
            ) -> Result<TapedLoss<$E, $Dev>, Error> {
                taped_on(energy, x)
            }

            fn fused_of(
                &self,
                energy: &Self::Of<'_>,
                x: &Points<$E, $Dev>,
                _noise: &Self::Noise,
                gradient: &mut [$E],
            ) -> Result<Option<f64>, Error> {
                fused_on(energy, x, gradient)
            }
        }
    };
}
for_each_backend!(implement);
