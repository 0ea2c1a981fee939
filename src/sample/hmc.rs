//! Hamiltonian Monte Carlo.

use super::tempered::Tempered;
use super::{Info, Sampler, State};
use crate::energy::{Energy, check};
use crate::notebook::{Progress, StopButton};
use crate::tensors::{Points, normals};
use crate::{Error, Rng};
use rand::RngExt;

/// Hamiltonian Monte Carlo, whose stationary density is p exactly.
///
/// A point x gets a momentum p ~ N(0, I) and moves along the Hamiltonian H = U(x) + |p|²/2 by L leapfrog steps of size ε:
/// p ← p - ε/2 ∇U(x), x ← x + ε p, p ← p - ε/2 ∇U(x). Where it ends is accepted with probability
/// min(1, e^{H(before) - H(after)}), and x stays otherwise. A step costs L gradients and carries a point about ε L far;
/// acceptance near 0.8 is a good aim, which [`Hmc::warm_up`] reaches.
///
/// Source: Neal, *MCMC using Hamiltonian dynamics*, 2011.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let p = GaussianMixture::new(&[1.0], &[[0.0, 0.0]], &[1.0])?;
/// let start = points(vec![3.0; 200], (100, 2))?;
/// let chain = Hmc::with_step_size(0.3, 5).chain(&p, &start, 20, None, &mut rng(0))?;
/// assert!(chain.acceptance > 0.9);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hmc {
    step_size: f64,
    leapfrogs: usize,
    unchecked: bool,
}

/// The acceptance that [`Hmc::warm_up`] aims at.
const TARGET: f64 = 0.8;

impl Hmc {
    /// L leapfrog steps of size ε.
    pub fn with_step_size(epsilon: f64, leapfrogs: usize) -> Self {
        Self {
            step_size: epsilon,
            leapfrogs,
            unchecked: false,
        }
    }

    /// ε.
    pub fn step_size(&self) -> f64 {
        self.step_size
    }

    /// Leaves out the check of an energy of your own, by which [`Sampler::chain`] begins.
    pub fn unchecked(self) -> Self {
        Self {
            unchecked: true,
            ..self
        }
    }

    /// The same sampler with a step size at which about 0.8 of all proposals are accepted, and the points after `steps` steps from `start`,
    /// `(B, D)`, in which it was found by dual averaging. With a bar if it takes long; Stop ends it early, with what it
    /// has.
    ///
    /// These steps do not leave p unchanged: samples are what comes after them.
    ///
    /// Source: Hoffman & Gelman, *The No-U-Turn Sampler*, JMLR 2014, algorithms 4 and 5.
    ///
    /// # Errors
    /// As [`Sampler::chain`].
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let p = GaussianMixture::new(&[1.0], &[[0.0, 0.0]], &[0.01])?; // a hundredth as wide as a first guess
    /// let start = points(vec![0.0; 200], (100, 2))?;
    /// let (hmc, warm) = Hmc::with_step_size(1.0, 5).warm_up(&p, &start, 100, &mut rng(0))?;
    /// assert!(hmc.step_size() < 0.1);
    /// let chain = hmc.chain(&p, &warm, 50, None, &mut rng(1))?;
    /// assert!(chain.acceptance > 0.7);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn warm_up(
        self,
        energy: &dyn Energy,
        start: &Points,
        steps: usize,
        rng: &mut Rng,
    ) -> Result<(Self, Points), Error> {
        if !self.unchecked && !energy.is_tested() {
            check::points(energy, start)?;
        }
        let stop = StopButton::watch();
        let mut progress = Progress::new(0, steps).only_if_long();
        let frozen = energy.frozen();
        let energy = frozen.as_deref().unwrap_or(energy);
        let mut state = State::at(start);
        let mut own = self.roughly(energy, &state, rng)?;
        let mut averaging = Averaging::new(own.step_size);
        let mut taken = 0;
        while taken < steps && !stop.pressed() {
            let info = own.step(energy, &mut state, rng)?;
            own.step_size = averaging.step(info.acceptance);
            taken += 1;
            progress.at(taken, || format!("step size {:.3}", own.step_size));
        }
        progress.finish(taken, "");
        if taken > 0 {
            own.step_size = averaging.mean();
        }
        Ok((own, state.x()?))
    }

    /// A size between those at which single leapfrog steps from here are mostly accepted and mostly refused.
    fn roughly(self, energy: &dyn Energy, state: &State, rng: &mut Rng) -> Result<Self, Error> {
        let mut own = self;
        let mut state = state.clone();
        state.energies(energy)?;
        let mut is_accepted = |step_size: f64| -> Result<bool, Error> {
            let single = Self {
                step_size,
                leapfrogs: 1,
                ..self
            };
            Ok(single.step(energy, &mut state.clone(), rng)?.acceptance > 0.5)
        };
        let grows = is_accepted(own.step_size)?;
        for _ in 0..50 {
            own.step_size *= if grows { 2.0 } else { 0.5 };
            if is_accepted(own.step_size)? != grows {
                break;
            }
        }
        Ok(own)
    }

    /// A step with given random numbers: momenta, standard normal, `(B, D)`, and numbers in [0, 1) that decide on
    /// acceptance, one for each point.
    ///
    /// # Errors
    /// If a setting is impossible, the random numbers do not fit, the energy fails, or U is not a number at a point, which
    /// therefore could never move.
    pub fn step_with(
        &self,
        energy: &dyn Energy,
        state: &mut State,
        momenta: &[f32],
        decisions: &[f64],
    ) -> Result<Info, Error> {
        let target = Tempered { energy, beta: None };
        self.move_along(target, state, momenta, decisions)
    }

    /// The same along any tempered energy.
    pub(crate) fn move_along(
        &self,
        target: Tempered,
        state: &mut State,
        momenta: &[f32],
        decisions: &[f64],
    ) -> Result<Info, Error> {
        self.check()?;
        let (b, d) = state.shape();
        if momenta.len() != state.rows().len() {
            let expected = format!("{} numbers, as the points have,", state.rows().len());
            return Err(Error::shape("momenta", momenta.len(), expected));
        }
        if decisions.len() != b {
            let expected = format!("({b},), one number for each point");
            return Err(Error::shape("decision", decisions.len(), expected));
        }
        super::check_movable(target.energy, state)?;
        let mut momenta = momenta.to_vec();
        let before = hamiltonians(target.energies(state)?, &momenta, d);
        let mut proposed = state.clone();
        let epsilon = self.step_size as f32;
        kick(&mut momenta, &target.slopes(&mut proposed)?, 0.5 * epsilon);
        for step in 1..=self.leapfrogs {
            let rows = proposed.rows().iter().zip(&momenta);
            let moved = rows.map(|(x, p)| x + epsilon * p).collect();
            proposed.go_to(moved);
            // Half of the next step's kick belongs to this one, but for the last.
            let share = if step == self.leapfrogs { 0.5 } else { 1.0 };
            let slopes = target.slopes(&mut proposed)?;
            kick(&mut momenta, &slopes, share * epsilon);
        }
        let after = hamiltonians(target.energies(&mut proposed)?, &momenta, d);
        let changes = before.iter().zip(&after).zip(decisions);
        // A proposal of infinite or undefined energy is refused.
        let accepts = changes.map(|((before, after), uniform)| uniform.ln() < before - after);
        let accepted: Vec<bool> = accepts.collect();
        state.take_from(&proposed, &accepted);
        // With few chains the mean probability says more than the share that was accepted.
        let probabilities = before.iter().zip(&after).map(|(before, after)| {
            let ratio = (before - after).exp();
            if ratio.is_nan() { 0.0 } else { ratio.min(1.0) }
        });
        let sum: f64 = probabilities.sum();
        Ok(Info {
            acceptance: if b == 0 { 1.0 } else { sum / b as f64 },
        })
    }

    /// With momenta and decisions drawn.
    pub(crate) fn random_move(
        &self,
        target: Tempered,
        state: &mut State,
        rng: &mut Rng,
    ) -> Result<Info, Error> {
        let momenta = normals(state.rows().len(), rng);
        let decisions: Vec<f64> = (0..state.shape().0).map(|_| rng.random()).collect();
        self.move_along(target, state, &momenta, &decisions)
    }

    fn check(&self) -> Result<(), Error> {
        if !(self.step_size > 0.0 && self.step_size.is_finite()) {
            let allowed = "positive and finite";
            return Err(Error::setting("step size", self.step_size, allowed));
        }
        if self.leapfrogs == 0 {
            return Err(Error::setting("leapfrog steps", 0, "at least 1"));
        }
        Ok(())
    }
}

impl Sampler for Hmc {
    fn step(&self, energy: &dyn Energy, state: &mut State, rng: &mut Rng) -> Result<Info, Error> {
        self.random_move(Tempered { energy, beta: None }, state, rng)
    }

    fn checks(&self) -> bool {
        !self.unchecked
    }
}

/// p - `by` ∇U.
fn kick(momenta: &mut [f32], slopes: &[f32], by: f32) {
    for (p, slope) in momenta.iter_mut().zip(slopes) {
        *p -= by * slope;
    }
}

/// U + |p|²/2 of each point.
fn hamiltonians(mut energies: Vec<f64>, momenta: &[f32], d: usize) -> Vec<f64> {
    for (u, p) in energies.iter_mut().zip(momenta.chunks_exact(d.max(1))) {
        *u += 0.5 * p.iter().map(|p| f64::from(*p).powi(2)).sum::<f64>();
    }
    energies
}

/// Dual averaging of log ε.
struct Averaging {
    /// What log ε is pulled towards: ten times the first guess, as small steps are the dear ones.
    towards: f64,
    steps: f64,
    /// The mean of what acceptance lacks.
    lack: f64,
    log_mean: f64,
}

impl Averaging {
    fn new(step_size: f64) -> Self {
        Self {
            towards: (10.0 * step_size).ln(),
            steps: 0.0,
            lack: 0.0,
            log_mean: 0.0,
        }
    }

    /// The next ε after a step of this acceptance. The constants are those of the source.
    fn step(&mut self, acceptance: f64) -> f64 {
        let (gamma, first, kappa) = (0.05, 10.0, 0.75);
        self.steps += 1.0;
        let share = 1.0 / (self.steps + first);
        self.lack = (1.0 - share) * self.lack + share * (TARGET - acceptance);
        let log = self.towards - self.steps.sqrt() / gamma * self.lack;
        let share = self.steps.powf(-kappa);
        self.log_mean = share * log + (1.0 - share) * self.log_mean;
        log.exp()
    }

    fn mean(&self) -> f64 {
        self.log_mean.exp()
    }
}
