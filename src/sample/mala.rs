//! Langevin steps with a Metropolis correction.

use super::{Langevin, Sampler, Step, langevin};
use crate::backend::{Backend, Number, read};
use crate::energy::{Energy, Points, Values, checked, for_each_backend};
use crate::{Error, Rng};
use dfdx::prelude::*;
use rand::RngExt;

/// The Metropolis-adjusted Langevin algorithm, whose stationary density is p exactly.
///
/// A Langevin step proposes x' ~ q(· | x) = N(x - h/2 ∇U(x), h I), which is accepted with
/// probability min(1, e^{U(x) - U(x')} q(x | x') / q(x' | x)), and x stays otherwise.
/// Acceptance near 0.57 mixes best in high dimensions (Roberts & Rosenthal, 1998).
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::dfdx::prelude::*;
///
/// let p = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?;
/// let start: Points = device()?.zeros_like(&(100, 1));
/// let chain = Mala::with_step_size(1.0).chain(&p, &start, 20, None, &mut rng(0))?;
/// assert!((0.5..1.0).contains(&chain.acceptance));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mala {
    proposal: Langevin,
}

/// The random numbers of one step.
#[derive(Clone, Debug)]
pub struct MalaNoise<E: Dtype = f32, Dev: Device<E> = AutoDevice> {
    /// ξ of the proposal, standard normal: `(B, D)`.
    pub proposal: Points<E, Dev>,
    /// Uniform numbers in [0, 1), which decide on acceptance: `(B,)`.
    pub decision: Values<f64, Cpu>,
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

    fn step_on<E: Number, Dev: Backend<E>>(
        &self,
        energy: &dyn Energy<E, Dev>,
        x: &Points<E, Dev>,
        noise: &MalaNoise<E, Dev>,
    ) -> Result<Step<E, Dev>, Error>
    where
        Langevin: Sampler<E, Dev, Noise = Points<E, Dev>>,
    {
        let h = self.proposal.check()?;
        let (b, d) = *x.shape();
        if noise.decision.shape().0 != b {
            let expected = format!("({b},), one number for each point");
            return Err(Error::shape("decision", noise.decision.shape(), expected));
        }
        let proposed = self.proposal.step(energy, x, &noise.proposal)?.x;
        let (here, there) = (
            checked::gradient(energy, x)?,
            checked::gradient(energy, &proposed)?,
        );
        let number = |values: Vec<E>| -> Vec<f64> {
            values
                .iter()
                .map(|value| value.to_f64().unwrap_or(f64::NAN))
                .collect()
        };
        let (energies, new_energies) = (number(read(&here.0)), number(read(&there.0)));
        if let Some(row) = energies.iter().position(|u| u.is_nan()) {
            // It would be refused whatever is proposed, for ever.
            return Err(Error::Chain(format!(
                "U from {} is not a number at point {row}, which therefore cannot move: begin elsewhere",
                energy.type_name()
            )));
        }
        let (old, new) = (number(read(x)), number(read(&proposed)));
        let (slope, new_slope) = (number(read(&here.1)), number(read(&there.1)));
        let (mut moved, proposed) = (read(x), read(&proposed));
        let mut accepted = 0;
        for (i, uniform) in read(&noise.decision).into_iter().enumerate() {
            let point = i * d..(i + 1) * d;
            // log q(to | from), up to a constant.
            let log_q = |to: &[f64], from: &[f64], slope: &[f64]| -> f64 {
                let each = to.iter().zip(from).zip(slope);
                let square = |((to, from), slope): ((&f64, &f64), &f64)| {
                    (to - from + 0.5 * h * slope).powi(2)
                };
                -each.map(square).sum::<f64>() / (2.0 * h)
            };
            let (x, y) = (&old[point.clone()], &new[point.clone()]);
            let back = log_q(x, y, &new_slope[point.clone()]);
            let forth = log_q(y, x, &slope[point.clone()]);
            // A proposal of infinite or undefined energy is refused.
            if uniform.ln() < energies[i] - new_energies[i] + back - forth {
                moved[point.clone()].copy_from_slice(&proposed[point]);
                accepted += 1;
            }
        }
        let moved = x.device().try_tensor_from_vec(moved, (b, d));
        Ok(Step {
            x: moved.map_err(Error::tensor)?,
            acceptance: if b == 0 {
                1.0
            } else {
                f64::from(accepted) / b as f64
            },
        })
    }
}

macro_rules! implement {
    ($E:ty, $Dev:ty) => {
        impl Sampler<$E, $Dev> for Mala {
            type Noise = MalaNoise<$E, $Dev>;

            fn draw(&self, x: &Points<$E, $Dev>, rng: &mut Rng) -> Result<Self::Noise, Error> {
                let proposal = langevin::draw(x, rng)?;
                let uniform = (0..x.shape().0).map(|_| rng.random()).collect();
                let decision = Cpu::default().try_tensor_from_vec(uniform, (x.shape().0,));
                Ok(MalaNoise {
                    proposal,
                    decision: decision.map_err(Error::tensor)?,
                })
            }

            fn step(
                &self,
                energy: &dyn Energy<$E, $Dev>,
                x: &Points<$E, $Dev>,
                noise: &Self::Noise,
            ) -> Result<Step<$E, $Dev>, Error> {
                self.step_on(energy, x, noise)
            }

            fn checks(&self) -> bool {
                self.proposal.is_checking()
            }
        }
    };
}
for_each_backend!(implement);
