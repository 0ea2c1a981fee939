//! Samplers: Markov chains that move points towards p ∝ exp(-U).

mod langevin;
mod mala;

pub use langevin::Langevin;
pub use mala::{Mala, MalaNoise};

use crate::backend::{Backend, Number, all_finite, read};
use crate::energy::{Energy, Points, check};
use crate::notebook::{Progress, StopButton};
use crate::{Error, Rng};
use dfdx::prelude::*;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// In a chain of so many steps a check is a small part of the work.
const LONG: usize = 50;

/// The energies, by their code, that were checked: short chains check each only once.
static CHECKED: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());

/// A Markov chain's transition, applied to every point of a batch on its own.
///
/// # Examples
/// 1000 chains to a standard normal density, of which every tenth state is kept:
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::dfdx::prelude::*;
///
/// let p = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?;
/// let start: Points = device()?.zeros_like(&(1000, 1));
/// let chain = Mala::with_step_size(0.5).chain(&p, &start, 50, Some(10), &mut rng(0))?;
/// assert_eq!(chain.kept.len(), 5);
/// assert!(chain.acceptance > 0.8);
/// # Ok::<(), Error>(())
/// ```
pub trait Sampler<E: Number = f32, Dev: Backend<E> = AutoDevice> {
    /// The random numbers of one step.
    type Noise;

    /// Draws the random numbers for one step from `x`.
    ///
    /// # Errors
    /// If a setting is impossible, or a tensor operation fails.
    fn draw(&self, x: &Points<E, Dev>, rng: &mut Rng) -> Result<Self::Noise, Error>;

    /// One step from `x`, `(B, D)`, with given random numbers.
    ///
    /// # Errors
    /// If the noise does not fit, the energy fails, or a tensor operation fails.
    fn step(
        &self,
        energy: &dyn Energy<E, Dev>,
        x: &Points<E, Dev>,
        noise: &Self::Noise,
    ) -> Result<Step<E, Dev>, Error>;

    /// Whether [`Sampler::chain`] first holds the gradient of an energy of the user's own against its
    /// values, by [`Energy::check`] at the chain's start: in each chain of 50 steps or more, and in the first
    /// of its kind of energy.
    fn checks(&self) -> bool {
        true
    }

    /// `steps` steps from `start`, keeping every `keep`-th state and the last. The Stop button
    /// ends the chain early, with what it has.
    ///
    /// # Errors
    /// As [`Sampler::step`], if every 0th state is to be kept, an energy of the user's own has a gradient that
    /// is not its slope (`unchecked()` of the sampler leaves that check out), or a point is not
    /// finite, at the start or on the way.
    fn chain(
        &self,
        energy: &dyn Energy<E, Dev>,
        start: &Points<E, Dev>,
        steps: usize,
        keep: Option<usize>,
        rng: &mut Rng,
    ) -> Result<Chain<E, Dev>, Error> {
        if keep == Some(0) {
            return Err(Error::setting(
                "keep",
                0,
                "at least 1: every how manieth state to keep",
            ));
        }
        if steps > 0 && self.checks() && !energy.is_tested() {
            let code = energy.code();
            let is_new = !CHECKED
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .contains(&code);
            if is_new || steps >= LONG {
                check::points(energy, start)?;
                CHECKED
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(code);
            }
        }
        let frozen = energy.frozen();
        let energy = frozen.as_deref().unwrap_or(energy);
        if !all_finite(&read(start)) {
            return Err(Error::Chain("a point of its start is not finite".into()));
        }
        let stop = StopButton::watch();
        let mut chain = Chain {
            last: start.clone(),
            kept: Vec::new(),
            acceptance: 1.0,
            steps: 0,
        };
        let mut accepted = 0.0;
        let mut progress = Progress::new(0, steps).only_if_long();
        while chain.steps < steps && !stop.pressed() {
            let noise = self.draw(&chain.last, rng)?;
            let step = self.step(energy, &chain.last, &noise)?;
            accepted += step.acceptance;
            chain.last = step.x;
            chain.steps += 1;
            if !all_finite(&read(&chain.last)) {
                progress.finish(chain.steps, "");
                return Err(Error::Chain(format!(
                    "in step {} a point left all finite numbers: the step size is too large for this energy, \
                     or U falls without bound, so that exp(-U) has no integral",
                    chain.steps
                )));
            }
            chain.acceptance = accepted / chain.steps as f64;
            if keep.is_some_and(|keep| chain.steps.is_multiple_of(keep)) {
                chain.kept.push(chain.last.clone());
            }
            progress.at(chain.steps, || {
                format!("accepted {:.1}%", 100.0 * chain.acceptance)
            });
        }
        progress.finish(chain.steps, "");
        Ok(chain)
    }
}

/// Where one step led.
///
/// # Examples
/// A point whose proposal is refused stays where it is:
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::dfdx::prelude::*;
///
/// let p = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?;
/// let x: Points = device()?.zeros_like(&(100, 1));
/// let mala = Mala::with_step_size(1.0);
/// let step = mala.step(&p, &x, &mala.draw(&x, &mut rng(0))?)?;
/// let moved = step.x.as_vec().iter().filter(|x| **x != 0.0).count();
/// assert_eq!(step.acceptance, moved as f64 / 100.0);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Step<E: Dtype = f32, Dev: Device<E> = AutoDevice> {
    /// The new points, `(B, D)`.
    pub x: Points<E, Dev>,
    /// The share of points that moved: 1 for samplers that accept every proposal.
    pub acceptance: f64,
}

/// What a chain went through.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::dfdx::prelude::*;
///
/// let p = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?;
/// let start: Points = device()?.zeros_like(&(100, 1));
/// let langevin = Langevin::with_step_size(0.1);
/// let chain = langevin.chain(&p, &start, 30, Some(10), &mut rng(0))?;
/// assert_eq!((chain.steps, chain.acceptance), (30, 1.0));
/// assert_eq!(chain.kept.len(), 3);
/// assert_eq!(chain.kept[2].as_vec(), chain.last.as_vec());
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Chain<E: Dtype = f32, Dev: Device<E> = AutoDevice> {
    /// The last state, `(B, D)`.
    pub last: Points<E, Dev>,
    /// The states that were to be kept, in order.
    pub kept: Vec<Points<E, Dev>>,
    /// The mean share of proposals that were accepted.
    pub acceptance: f64,
    /// The number of steps taken: fewer than asked for after Stop.
    pub steps: usize,
}
