//! Explicit score matching.

use super::Loss;
use crate::energy::{Energy, Terms};
use crate::tensors::{Points, to_vec};
use crate::{Error, Rng};
use dfdx::shapes::HasShape;

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
/// let x = p.sample(10_000, &mut rng(0))?;
/// let value = ScoreMatching.evaluate(&p, &x, &mut rng(1))?;
/// assert!((value + 0.5).abs() < 0.03);
/// # Ok::<(), Error>(())
/// ```
/// PyTorch equivalent: `torch.autograd.grad(u.sum(), x, create_graph=True)`, and once more for
/// each coordinate of the result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScoreMatching;

impl Loss for ScoreMatching {
    fn terms(&mut self, _: &dyn Energy, x: &Points, _: &mut Rng) -> Result<Terms<'_>, Error> {
        if x.shape().0 == 0 {
            return Err(Error::shape("x", x.shape(), "at least one point"));
        }
        let d = x.shape().1;
        Terms::of_jets(to_vec(x), d, move |_, jet, slopes| {
            slopes.fill(0.0);
            slopes[1..=d].copy_from_slice(&jet[1..=d]);
            slopes[d + 1] = -1.0;
            0.5 * jet[1..=d].iter().map(|g| g * g).sum::<f64>() - jet[d + 1]
        })
    }
}
