//! Maximum likelihood with an integrated normalising constant.

use super::Loss;
use crate::energy::{Energy, Terms};
use crate::quadrature::Quadrature;
use crate::tensors::{Points, to_vec};
use crate::{Error, Rng};
use dfdx::shapes::HasShape;

/// The negative log-likelihood, with Z by quadrature: in one or two dimensions, where a grid can
/// be afforded, the loss that all others replace.
///
/// L = 1/N Σ_i U(x_i) + log Z, Z = Σ_g w_g exp(-U(x_g)) ≈ ∫ exp(-U) dx
///
/// over the grid's box, outside of which the model has no mass. At its minimum, the data's
/// density, it is the entropy.
///
/// The points are `(N, D)`; the loss is one number, and uses no noise.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let p = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?;
/// let x = p.sample(10_000, &mut rng(0))?;
/// let mut loss = MaximumLikelihood::on(Quadrature::interval(-8.0..8.0, 161)?);
/// let entropy = 0.5 * (2.0 * std::f64::consts::PI * std::f64::consts::E).ln();
/// assert!((loss.evaluate(&p, &x, &mut rng(1))? - entropy).abs() < 0.03);
/// # Ok::<(), Error>(())
/// ```
/// PyTorch equivalent: `u(x).mean() + torch.logsumexp(log_w - u(grid), 0)`.
#[derive(Clone, Debug, PartialEq)]
pub struct MaximumLikelihood {
    grid: Quadrature,
}

impl MaximumLikelihood {
    /// The likelihood of models on this grid's box.
    pub fn on(grid: Quadrature) -> Self {
        Self { grid }
    }
}

impl Loss for MaximumLikelihood {
    fn terms(&mut self, _: &dyn Energy, x: &Points, _: &mut Rng) -> Result<Terms<'_>, Error> {
        let (n, d) = *x.shape();
        if n == 0 || d != self.grid.dimension() {
            let expected = format!(
                "(N, {}), as the grid has, with N > 0",
                self.grid.dimension()
            );
            return Err(Error::shape("x", (n, d), expected));
        }
        let mut rows = to_vec(x);
        rows.extend(
            self.grid
                .each()
                .flat_map(|(x, _)| x.iter().map(|x| *x as f32)),
        );
        let weights = self.grid.weights();
        // All energies are one group, because Z is one number.
        Terms::of_energies(rows, d, n + weights.len(), move |_, energies, slopes| {
            let (data, grid) = energies.split_at(n);
            let (of_data, of_grid) = slopes.split_at_mut(n);
            let least = grid.iter().copied().fold(f64::INFINITY, f64::min);
            let mut z = 0.0;
            for ((slope, u), weight) in of_grid.iter_mut().zip(grid).zip(weights) {
                *slope = weight * (least - u).exp();
                z += *slope;
            }
            of_data.fill(1.0 / n as f64);
            of_grid.iter_mut().for_each(|slope| *slope /= -z);
            data.iter().sum::<f64>() / n as f64 + z.ln() - least
        })
    }
}
