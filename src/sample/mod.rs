//! Samplers: Markov chains that move points towards p ∝ exp(-U).

mod hmc;
mod imputation;
mod langevin;
mod mala;
mod state;
mod tempered;

pub use hmc::Hmc;
pub use imputation::{Cell, Imputation, Imputed, Recovered};
pub use langevin::Langevin;
pub use mala::Mala;
pub use state::State;
pub(crate) use tempered::{Normal, Tempered, Whitened, half_square};

use crate::energy::{Energy, check};
use crate::notebook::{Progress, StopButton};
use crate::tensors::{Points, all_finite};
use crate::{Error, Rng};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

/// In a chain of so many steps a check is a small part of the work.
const LONG: usize = 50;

/// The energies, by their code, that were checked: short chains check each only once.
static CHECKED: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());

/// A Markov chain's transition, applied to every point of a batch on its own.
///
/// One method is to be written, a step. `Debug` tells one sampler from another with other settings: a
/// checkpoint of a run whose loss samples keeps what it says.
///
/// # Examples
/// 1000 chains to a standard normal density, of which every tenth state is kept:
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let p = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?;
/// let start = points(vec![0.0; 1000], (1000, 1))?;
/// let chain = Mala::with_step_size(0.5).chain(&p, &start, 50, Some(10), &mut rng(0))?;
/// assert_eq!(chain.kept.len(), 5);
/// assert!(chain.acceptance > 0.8);
/// # Ok::<(), Error>(())
/// ```
/// A sampler of one's own, a random walk of Metropolis's:
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::rand::RngExt;
/// use energy_discrepancy::sample::{Info, State};
///
/// #[derive(Debug)]
/// struct RandomWalk(f32);
///
/// impl Sampler for RandomWalk {
///     fn step(&self, energy: &dyn Energy, state: &mut State, rng: &mut Rng) -> Result<Info, Error> {
///         let noise = normals(state.rows().len(), rng);
///         let rows = state.rows().iter().zip(noise).map(|(x, ξ)| x + self.0 * ξ);
///         let mut proposed = state.clone();
///         proposed.go_to(rows.collect());
///         let (old, new) = (state.energies(energy)?.to_vec(), proposed.energies(energy)?);
///         let accepts = |(old, new): (&f32, &f32)| rng.random::<f32>().ln() < old - new;
///         let accepted: Vec<bool> = old.iter().zip(new).map(accepts).collect();
///         state.take_from(&proposed, &accepted);
///         let count = accepted.iter().filter(|accepted| **accepted).count();
///         Ok(Info { acceptance: count as f64 / accepted.len() as f64 })
///     }
/// }
///
/// let p = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?;
/// let start = points(vec![0.0; 1000], (1000, 1))?;
/// let chain = RandomWalk(1.0).chain(&p, &start, 50, None, &mut rng(0))?;
/// let variance = to_vec(&chain.last).iter().map(|x| x * x).sum::<f32>() / 1000.0;
/// assert!((variance - 1.0).abs() < 0.2);
/// # Ok::<(), Error>(())
/// ```
pub trait Sampler: Debug + Send + Sync {
    /// One step of every chain.
    ///
    /// # Errors
    /// If a setting is impossible, or the energy fails.
    fn step(&self, energy: &dyn Energy, state: &mut State, rng: &mut Rng) -> Result<Info, Error>;

    /// Whether [`Sampler::chain`] first holds the gradient of an energy of the user's own against its
    /// values, by [`Energy::check`] at the chain's start: in each chain of 50 steps or more, and in the first
    /// of its kind of energy.
    fn checks(&self) -> bool {
        true
    }

    /// The points after `steps` steps from `start`, without checks and without a word: for losses.
    ///
    /// # Errors
    /// As [`Sampler::step`].
    fn walk(
        &self,
        energy: &dyn Energy,
        start: &Points,
        steps: usize,
        rng: &mut Rng,
    ) -> Result<Points, Error> {
        let frozen = energy.frozen();
        let energy = frozen.as_deref().unwrap_or(energy);
        let mut state = State::at(start);
        for _ in 0..steps {
            self.step(energy, &mut state, rng)?;
        }
        state.x()
    }

    /// `steps` steps from `start`, keeping every `keep`-th state and the last, with a bar if it takes long.
    /// The Stop button ends the chain early, with what it has.
    ///
    /// # Errors
    /// As [`Sampler::chain_watched`].
    fn chain(
        &self,
        energy: &dyn Energy,
        start: &Points,
        steps: usize,
        keep: Option<usize>,
        rng: &mut Rng,
    ) -> Result<Chain, Error> {
        let stop = StopButton::watch();
        let mut progress = Progress::new(0, steps).only_if_long();
        let chain = self.chain_watched(energy, start, steps, keep, rng, &mut |chain| {
            progress.at(chain.steps, || {
                format!("accepted {:.1}%", 100.0 * chain.acceptance)
            });
            match stop.pressed() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        let steps = chain.as_ref().map_or(0, |chain| chain.steps);
        progress.finish(steps, "");
        chain
    }

    /// The same without a bar: `watcher` sees the chain after each step, and may end it.
    ///
    /// # Errors
    /// As [`Sampler::step`], if every 0th state is to be kept, an energy of the user's own has a gradient that
    /// is not its slope (`unchecked()` of the sampler leaves that check out), or a point is not
    /// finite, at the start or on the way.
    fn chain_watched(
        &self,
        energy: &dyn Energy,
        start: &Points,
        steps: usize,
        keep: Option<usize>,
        rng: &mut Rng,
        watcher: &mut dyn FnMut(&Chain) -> ControlFlow<()>,
    ) -> Result<Chain, Error> {
        if keep == Some(0) {
            return Err(Error::setting(
                "keep",
                0,
                "at least 1: every how manieth state to keep",
            ));
        }
        if steps > 0 && self.checks() && !energy.is_tested() {
            check_once(energy, start, steps)?;
        }
        let frozen = energy.frozen();
        let energy = frozen.as_deref().unwrap_or(energy);
        let mut state = State::at(start);
        if !all_finite(state.rows()) {
            return Err(Error::Chain("a point of its start is not finite".into()));
        }
        let mut chain = Chain {
            last: start.clone(),
            kept: Vec::new(),
            acceptance: 1.0,
            steps: 0,
        };
        let mut accepted = 0.0;
        while chain.steps < steps {
            accepted += self.step(energy, &mut state, rng)?.acceptance;
            chain.steps += 1;
            if !all_finite(state.rows()) {
                return Err(Error::Chain(format!(
                    "in step {} a point left all finite numbers: the step size is too large for this energy, \
                     or U falls without bound, so that exp(-U) has no integral",
                    chain.steps
                )));
            }
            chain.acceptance = accepted / chain.steps as f64;
            if keep.is_some_and(|keep| chain.steps.is_multiple_of(keep)) {
                chain.kept.push(state.x()?);
            }
            if watcher(&chain).is_break() {
                break;
            }
        }
        chain.last = state.x()?;
        Ok(chain)
    }
}

/// Holds an energy's gradient against its values, in short chains only if its code is new.
fn check_once(energy: &dyn Energy, start: &Points, steps: usize) -> Result<(), Error> {
    let checked = || CHECKED.lock().unwrap_or_else(PoisonError::into_inner);
    let code = energy.code();
    // A statement of its own: the check must not hold the lock.
    let is_new = !checked().contains(&code);
    if is_new || steps >= LONG {
        check::points(energy, start)?;
        checked().insert(code);
    }
    Ok(())
}

/// # Errors
/// If U is not a number at a point: whatever is proposed would be refused, for ever.
fn check_movable(energy: &dyn Energy, state: &mut State) -> Result<(), Error> {
    let row = state.energies(energy)?.iter().position(|u| u.is_nan());
    row.map_or(Ok(()), |row| {
        Err(Error::Chain(format!(
            "U from {} is not a number at point {row}, which therefore cannot move: begin elsewhere",
            energy.type_name()
        )))
    })
}

impl<S: Sampler + ?Sized> Sampler for Box<S> {
    fn step(&self, energy: &dyn Energy, state: &mut State, rng: &mut Rng) -> Result<Info, Error> {
        (**self).step(energy, state, rng)
    }

    fn checks(&self) -> bool {
        (**self).checks()
    }
}

/// What there is to say of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Info {
    /// The share of points that moved, or its mean probability: 1 for samplers that accept every proposal.
    pub acceptance: f64,
}

/// What a chain went through.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let p = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?;
/// let start = points(vec![0.0; 100], (100, 1))?;
/// let langevin = Langevin::with_step_size(0.1);
/// let chain = langevin.chain(&p, &start, 30, Some(10), &mut rng(0))?;
/// assert_eq!((chain.steps, chain.acceptance), (30, 1.0));
/// assert_eq!(chain.kept.len(), 3);
/// assert_eq!(chain.kept[2].as_vec(), chain.last.as_vec());
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Chain {
    /// The last state, `(B, D)`; a watcher sees the start there, as long as the chain goes on.
    pub last: Points,
    /// The states that were to be kept, in order.
    pub kept: Vec<Points>,
    /// The mean share of proposals that were accepted.
    pub acceptance: f64,
    /// The number of steps taken: fewer than asked for after Stop.
    pub steps: usize,
}
