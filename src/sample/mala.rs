//! Langevin steps with a Metropolis correction.

use super::{Info, Langevin, Sampler, State};
use crate::energy::Energy;
use crate::tensors::normals;
use crate::{Error, Rng};
use rand::RngExt;

/// The Metropolis-adjusted Langevin algorithm, whose stationary density is p exactly.
///
/// A Langevin step proposes x' ~ q(· | x) = N(x - h/2 ∇U(x), h I), which is accepted with
/// probability min(1, e^{U(x) - U(x')} q(x | x') / q(x' | x)), and x stays otherwise. A step costs one
/// gradient, that of the proposals: what is known of x stays known.
/// Acceptance near 0.57 mixes best in high dimensions (Roberts & Rosenthal, 1998).
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let p = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?;
/// let start = points(vec![0.0; 100], (100, 1))?;
/// let chain = Mala::with_step_size(1.0).chain(&p, &start, 20, None, &mut rng(0))?;
/// assert!((0.5..1.0).contains(&chain.acceptance));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mala {
    proposal: Langevin,
}

impl Mala {
    /// Proposals with steps of size h, the variance of their noise.
    pub fn with_step_size(h: f64) -> Self {
        Self {
            proposal: Langevin::with_step_size(h),
        }
    }

    /// Leaves out the check of an energy of your own, by which [`Sampler::chain`] begins.
    pub fn unchecked(self) -> Self {
        Self {
            proposal: self.proposal.unchecked(),
        }
    }

    /// A step with given random numbers: the proposal's ξ, standard normal, `(B, D)`, and numbers in [0, 1) that
    /// decide on acceptance, one for each point.
    ///
    /// # Errors
    /// If the step size is impossible, the random numbers do not fit, the energy fails, or U is not a number
    /// at a point, which therefore could never move.
    pub fn step_with(
        &self,
        energy: &dyn Energy,
        state: &mut State,
        noise: &[f32],
        decisions: &[f64],
    ) -> Result<Info, Error> {
        let (h, (b, d)) = (self.proposal.check()?, state.shape());
        if decisions.len() != b {
            let expected = format!("({b},), one number for each point");
            return Err(Error::shape("decision", decisions.len(), expected));
        }
        super::check_movable(energy, state)?;
        let mut proposed = state.clone();
        self.proposal.step_with(energy, &mut proposed, noise)?;
        let (u, slopes) = (
            state.energies(energy)?.to_vec(),
            state.slopes(energy)?.to_vec(),
        );
        let (new_u, new_slopes) = (
            proposed.energies(energy)?.to_vec(),
            proposed.slopes(energy)?.to_vec(),
        );
        // U(from) - log q(to | from), up to a constant.
        let leave = |u: f32, from: &[f32], to: &[f32], slope: &[f32]| -> f64 {
            let each = to.iter().zip(from).zip(slope);
            let squares = each.map(|((to, from), slope)| {
                (f64::from(*to) - f64::from(*from) + 0.5 * h * f64::from(*slope)).powi(2)
            });
            f64::from(u) + squares.sum::<f64>() / (2.0 * h)
        };
        let accepts = |(i, uniform): (usize, &f64)| {
            let point = i * d..(i + 1) * d;
            let (x, y) = (
                &state.rows()[point.clone()],
                &proposed.rows()[point.clone()],
            );
            let forth = leave(u[i], x, y, &slopes[point.clone()]);
            let back = leave(new_u[i], y, x, &new_slopes[point]);
            // A proposal of infinite or undefined energy is refused.
            uniform.ln() < forth - back
        };
        let accepted: Vec<bool> = decisions.iter().enumerate().map(accepts).collect();
        state.take_from(&proposed, &accepted);
        let share = accepted.iter().filter(|accepted| **accepted).count() as f64 / b.max(1) as f64;
        Ok(Info {
            acceptance: if b == 0 { 1.0 } else { share },
        })
    }
}

impl Sampler for Mala {
    fn step(&self, energy: &dyn Energy, state: &mut State, rng: &mut Rng) -> Result<Info, Error> {
        let noise = normals(state.rows().len(), rng);
        let decisions: Vec<f64> = (0..state.shape().0).map(|_| rng.random()).collect();
        self.step_with(energy, state, &noise, &decisions)
    }

    fn checks(&self) -> bool {
        self.proposal.checks()
    }
}
