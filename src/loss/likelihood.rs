//! Maximum likelihood with an integrated normalising constant.

use super::{Loss, TapedLoss, fused};
use crate::backend::{Backend, Number, read};
use crate::energy::{Energy, Points, checked, for_each_backend, tensor};
use crate::quadrature::Quadrature;
use crate::{Error, Rng};
use dfdx::prelude::*;

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
/// let x: Points<f64> = p.sample(10_000, &mut rng(0))?;
/// let loss = MaximumLikelihood::on(Quadrature::interval(-8.0..8.0, 161)?);
/// let entropy = 0.5 * (2.0 * std::f64::consts::PI * std::f64::consts::E).ln();
/// assert!((loss.evaluate(&p, &x, &())? - entropy).abs() < 0.03);
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

    fn grid_points<E: Number, Dev: Backend<E>>(
        &self,
        x: &Points<E, Dev>,
    ) -> Result<Points<E, Dev>, Error> {
        let (n, d) = *x.shape();
        if n == 0 || d != self.grid.dimension() {
            let expected = format!(
                "(N, {}), as the grid has, with N > 0",
                self.grid.dimension()
            );
            return Err(Error::shape("x", (n, d), expected));
        }
        self.grid.points(x.device())
    }

    fn taped_on<E: Number, Dev: Backend<E>>(
        &self,
        energy: &dyn Energy<E, Dev>,
        x: &Points<E, Dev>,
    ) -> Result<TapedLoss<E, Dev>, Error> {
        let grid = self.grid_points(x)?;
        let log_weights = self.grid.weights().iter().map(|weight| weight.ln());
        let log_weights = tensor(x.device(), log_weights, (grid.shape().0,))?;
        let (at_data, at_grid) = (
            checked::energies_taped(energy, x)?,
            checked::energies_taped(energy, &grid)?,
        );
        let loss = || -> Result<_, Dev::Err> {
            let log_z = at_grid.try_negate()?.try_add(log_weights)?;
            at_data
                .try_mean()?
                .try_add(log_z.try_logsumexp::<Rank0, Axis<0>>()?)
        };
        loss().map_err(Error::tensor)
    }

    fn fused_on<E: Number, Dev: Backend<E>>(
        &self,
        energy: &dyn Energy<E, Dev>,
        x: &Points<E, Dev>,
        gradient: &mut [E],
    ) -> Result<Option<f64>, Error> {
        let grid = self.grid_points(x)?;
        let n = x.shape().0;
        let rows = || {
            let mut rows = read(x);
            rows.extend(read(&grid));
            Ok(rows)
        };
        let weights = self.grid.weights();
        // All energies are one group, because Z is one number.
        let contrast = |_, energies: &[f32], slopes: &mut [f32]| -> f64 {
            let (data, grid) = energies.split_at(n);
            let (of_data, of_grid) = slopes.split_at_mut(n);
            let least = grid.iter().copied().fold(f32::INFINITY, f32::min);
            let terms = || {
                grid.iter()
                    .zip(weights)
                    .map(|(u, w)| w * f64::from(least - u).exp())
            };
            let z: f64 = terms().sum();
            of_data.fill(1.0 / n as f32);
            for (slope, term) in of_grid.iter_mut().zip(terms()) {
                *slope = -(term / z) as f32;
            }
            let mean = data.iter().copied().map(f64::from).sum::<f64>() / n as f64;
            mean + z.ln() - f64::from(least)
        };
        fused::contrast(energy, x, n + weights.len(), rows, &contrast, gradient)
    }
}

macro_rules! implement {
    ($E:ty, $Dev:ty) => {
        impl Loss<$E, $Dev> for MaximumLikelihood {
            type Of<'a> = dyn Energy<$E, $Dev> + 'a;
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
                self.taped_on(energy, x)
            }

            fn fused_of(
                &self,
                energy: &Self::Of<'_>,
                x: &Points<$E, $Dev>,
                _noise: &Self::Noise,
                gradient: &mut [$E],
            ) -> Result<Option<f64>, Error> {
                self.fused_on(energy, x, gradient)
            }
        }
    };
}
for_each_backend!(implement);
