//! The normalising constant in any dimension, by annealed importance sampling.

use crate::energy::Energy;
use crate::log_sum_exp::log_sum_exp;
use crate::notebook::{Progress, StopButton};
use crate::sample::{Hmc, Normal, State, Tempered, Whitened, half_square};
use crate::tensors::{Points, normal_points, points, to_vec};
use crate::{Error, Rng};
use dfdx::shapes::HasShape;
use rand::RngExt;

/// Chains of the pilot run that finds a step size for each temperature.
const PILOT: usize = 64;
/// Its steps at the first temperature, in which a size of any order is found.
const FIRST: usize = 30;
/// How steep the ladder of temperatures is in its middle.
const STEEPNESS: f64 = 4.0;

/// Annealed importance sampling: log Z = log ∫ exp(-U) dx in any dimension.
///
/// Chains go from a normal density q, with the mean and the covariance of some points, to p ∝ exp(-U) along
/// U_β = (1 - β) U_q + β U, with 0 = β_0 < ... < β_K = 1 close together near both ends, and one step of Hamiltonian Monte
/// Carlo at each. They move in z, where x = m + L z and q is standard normal, so that one step size suits all directions. A chain
/// weighs Π_k exp(-U_{β_k} + U_{β_{k-1}}) at the points where β changes; the mean weight is Z
/// ([`Annealing::forward`]), and its logarithm lies below log Z by and large. Chains the other way, which begin at points of
/// p, give 1/Z and lie above ([`Annealing::reverse`]). If the two agree, both are right.
///
/// # Cost
/// Of each chain one gradient of U at its start and, at each temperature, as many as a move has leapfrog steps: 2 K + 1, as it
/// is set up. Each way also begins with a pilot run of 64 chains, and 30 moves more, which finds the step sizes: they must not
/// depend on the chains that count. In D dimensions a gradient also takes two products with L, D² multiplications.
///
/// Stop ends a run with an error and discards it: weights count only at the last temperature.
///
/// Source: Neal, *Annealed importance sampling*, 2001; the two bounds: Grosse, Ghahramani, Adams, *Sandwiching the marginal
/// likelihood using bidirectional Monte Carlo*, 2015.
///
/// # Examples
/// A normal density without its constant, in ten dimensions:
/// ```
/// use energy_discrepancy::eval::Annealing;
/// use energy_discrepancy::prelude::*;
///
/// let energy = Net::new(Expr::points(10).square().sum() * 2.0, 0)?; // standard deviation 1/2
/// let data = points(normals(2000, &mut rng(0)).iter().map(|ξ| 0.5 * ξ).collect(), (200, 10))?;
/// let annealing = Annealing::around(&data)?.temperatures(100).chains(200);
/// let below = annealing.forward(&energy, &mut rng(1))?;
/// let above = annealing.reverse(&energy, &data, &mut rng(2))?;
/// let exact = 5.0 * (std::f64::consts::PI / 2.0).ln();
/// assert!((below.log_z - exact).abs() < 0.1 && (above.log_z - exact).abs() < 0.1);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Annealing {
    start: Normal,
    temperatures: usize,
    chains: usize,
    leapfrogs: usize,
}

/// An estimate of log Z.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogZ {
    /// log Z.
    pub log_z: f64,
    /// The standard error of log Z, as far as the chains' weights tell.
    pub standard_error: f64,
    /// How many chains of equal weight they are worth: (Σ w)²/Σ w².
    pub effective_size: f64,
}

impl Annealing {
    /// From the normal density with the mean and the covariance of these points, `(N, D)`: 1,000 temperatures, 500 chains, moves
    /// of two leapfrog steps. The fewer the points, the more its correlations are drawn towards 0.
    ///
    /// Source: Schäfer & Strimmer, *A shrinkage approach to large-scale covariance matrix estimation*, 2005.
    ///
    /// # Errors
    /// If there are fewer than two points, or a coordinate is constant.
    pub fn around(x: &Points) -> Result<Self, Error> {
        Ok(Self {
            start: Normal::fitted(x)?,
            temperatures: 1000,
            chains: 500,
            leapfrogs: 2,
        })
    }

    /// K, the steps from 0 to 1. More bring both estimates closer to the truth.
    pub fn temperatures(self, temperatures: usize) -> Self {
        Self {
            temperatures,
            ..self
        }
    }

    /// How many chains [`Annealing::forward`] takes.
    pub fn chains(self, chains: usize) -> Self {
        Self { chains, ..self }
    }

    /// Leapfrog steps of each move.
    pub fn leapfrogs(self, leapfrogs: usize) -> Self {
        Self { leapfrogs, ..self }
    }

    /// log Z from chains that begin at the normal density: below the truth, by and large.
    ///
    /// # Errors
    /// If a setting is 0, the energy has another dimension or fails, or Stop is pressed.
    pub fn forward(&self, energy: &dyn Energy, rng: &mut Rng) -> Result<LogZ, Error> {
        let (_, log_weights) = self.ends(energy, self.chains, rng)?;
        Ok(self.estimate(&log_weights, 1.0))
    }

    /// `n` points of p, `(n, D)`: the ends of `n` chains as [`Annealing::forward`] takes them, drawn by their weights. Modes far
    /// apart get the mass that they have, to which no chain along p alone would ever come; a chain of more than its share of
    /// the weight is drawn several times.
    ///
    /// Source: Del Moral, Doucet, Jasra, *Sequential Monte Carlo samplers*, 2006; the draw is systematic (Kitagawa 1996).
    ///
    /// # Errors
    /// As [`Annealing::forward`].
    ///
    /// # Examples
    /// Two narrow modes, of which one has a tenth of the mass:
    /// ```
    /// use energy_discrepancy::eval::Annealing;
    /// use energy_discrepancy::prelude::*;
    ///
    /// let p = GaussianMixture::new(&[0.1, 0.9], &[[-5.0], [5.0]], &[0.5, 0.5])?;
    /// let annealing = Annealing::around(&p.sample(200, &mut rng(0))?)?.temperatures(100);
    /// let samples = annealing.sample(&p, 1000, &mut rng(1))?.as_vec();
    /// let left = samples.iter().filter(|x| **x < 0.0).count();
    /// assert!(left > 60 && left < 140);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn sample(&self, energy: &dyn Energy, n: usize, rng: &mut Rng) -> Result<Points, Error> {
        let (rows, log_weights) = self.ends(energy, n, rng)?;
        let d = self.start.dimension();
        let total = log_sum_exp(log_weights.iter().copied());
        if !total.is_finite() {
            let reason = format!(
                "the chains' weights add up to e^{total}: p has no mass, or infinite mass, there"
            );
            return Err(Error::Chain(reason));
        }
        let step = 1.0 / n as f64;
        let (mut mark, mut passed) = (rng.random::<f64>() * step, 0.0);
        let mut drawn = Vec::with_capacity(n * d);
        for (row, log_weight) in rows.chunks_exact(d).zip(&log_weights) {
            passed += (log_weight - total).exp();
            while mark < passed && drawn.len() < n * d {
                drawn.extend_from_slice(row);
                mark += step;
            }
        }
        // What rounding has left over.
        while drawn.len() < n * d {
            drawn.extend_from_slice(&rows[rows.len() - d..]);
        }
        points(drawn, (n, d))
    }

    /// Where so many chains end, row after row, and their weights relative to the normal density's.
    fn ends(
        &self,
        energy: &dyn Energy,
        chains: usize,
        rng: &mut Rng,
    ) -> Result<(Vec<f32>, Vec<f64>), Error> {
        let frozen = energy.frozen();
        let energy = &self.whitened(frozen.as_deref().unwrap_or(energy));
        let sizes = self.pilot(energy, chains, rng)?;
        let mut state = State::at(&normal_points(chains, self.start.dimension(), rng)?);
        let mut run = Run::new(energy, self.temperatures, chains);
        let ladder = self.ladder();
        for (k, size) in sizes.into_iter().enumerate() {
            run.weigh(&mut state, ladder[k + 1] - ladder[k])?;
            run.step(&mut state, (size, self.leapfrogs), ladder[k + 1], rng)?;
        }
        Ok((self.start.places(state.rows()), run.finish()))
    }

    /// log Z from chains that begin at points of p, `(N, D)`: above the truth, by and large. Points of the data take the
    /// place of those of p; then it is above only as far as p is right. Let them be others than those of [`Annealing::around`],
    /// which q knows already.
    ///
    /// # Errors
    /// As [`Annealing::forward`], or if the points have another dimension.
    pub fn reverse(&self, energy: &dyn Energy, x: &Points, rng: &mut Rng) -> Result<LogZ, Error> {
        let (rows, d) = *x.shape();
        if d != self.start.dimension() || rows == 0 {
            let expected = format!("(N, {}), at least one point", self.start.dimension());
            return Err(Error::shape("x", x.shape(), expected));
        }
        let frozen = energy.frozen();
        let energy = &self.whitened(frozen.as_deref().unwrap_or(energy));
        let sizes = self.pilot(energy, rows, rng)?;
        let mut state = State::at(&points(self.start.scores(&to_vec(x)), (rows, d))?);
        let mut run = Run::new(energy, self.temperatures, rows);
        let ladder = self.ladder();
        for (k, size) in sizes.into_iter().enumerate().rev() {
            run.step(&mut state, (size, self.leapfrogs), ladder[k + 1], rng)?;
            run.weigh(&mut state, ladder[k] - ladder[k + 1])?;
        }
        Ok(self.estimate(&run.finish(), -1.0))
    }

    /// U as an energy of z.
    fn whitened<'a>(&'a self, energy: &'a dyn Energy) -> Whitened<'a> {
        Whitened {
            energy,
            normal: &self.start,
        }
    }

    /// log Z from weights whose mean is Z (sign 1) or 1/Z (-1), relative to the normal density's.
    fn estimate(&self, log_weights: &[f64], sign: f64) -> LogZ {
        let relative = LogZ::of(log_weights, sign);
        LogZ {
            log_z: relative.log_z + self.start.log_volume(),
            ..relative
        }
    }

    /// β_0 to β_K, evenly spaced on a logistic curve.
    fn ladder(&self) -> Vec<f64> {
        let sigmoid = |t: f64| 1.0 / (1.0 + (-STEEPNESS * t).exp());
        let (low, high) = (sigmoid(-1.0), sigmoid(1.0));
        let count = self.temperatures as f64;
        let at = |k| (sigmoid(2.0 * f64::from(k) / count - 1.0) - low) / (high - low);
        (0..=self.temperatures as u32).map(at).collect()
    }

    /// A step size for each temperature, from a few chains along them.
    fn pilot(&self, energy: &dyn Energy, chains: usize, rng: &mut Rng) -> Result<Vec<f64>, Error> {
        let settings = [
            ("temperatures", self.temperatures),
            ("chains", chains),
            ("leapfrogs", self.leapfrogs),
        ];
        for (name, value) in settings {
            if value == 0 || value > 1 << 24 {
                return Err(Error::setting(name, value, "from 1 to 16,777,216"));
            }
        }
        let mut state = State::at(&normal_points(PILOT, self.start.dimension(), rng)?);
        let mut size = 1.0;
        let ladder = self.ladder();
        let mut run = Run::new(energy, FIRST + self.temperatures, PILOT);
        for beta in [ladder[1]; FIRST] {
            size = adapted(
                size,
                run.step(&mut state, (size, self.leapfrogs), beta, rng)?,
            );
        }
        let mut sizes = Vec::with_capacity(self.temperatures);
        for beta in &ladder[1..] {
            sizes.push(size);
            size = adapted(
                size,
                run.step(&mut state, (size, self.leapfrogs), *beta, rng)?,
            );
        }
        run.finish();
        Ok(sizes)
    }
}

/// A step size that gives an acceptance between 0.6 and 0.9.
fn adapted(size: f64, acceptance: f64) -> f64 {
    match acceptance {
        a if a > 0.9 => 1.1 * size,
        a if a < 0.6 => 0.8 * size,
        _ => size,
    }
}

/// Chains on their way.
struct Run<'a> {
    energy: &'a dyn Energy,
    log_weights: Vec<f64>,
    stop: StopButton,
    progress: Progress,
    taken: usize,
}

impl<'a> Run<'a> {
    fn new(energy: &'a dyn Energy, steps: usize, chains: usize) -> Self {
        Self {
            energy,
            log_weights: vec![0.0; chains],
            stop: StopButton::watch(),
            progress: Progress::new(0, steps).only_if_long(),
            taken: 0,
        }
    }

    /// Multiplies the weights by what β's change makes of the density.
    fn weigh(&mut self, state: &mut State, change: f64) -> Result<(), Error> {
        let d = state.shape().1;
        let own = state.energies(self.energy)?.to_vec();
        let each = state.rows().chunks_exact(d).zip(own);
        for (log, (z, own)) in self.log_weights.iter_mut().zip(each) {
            *log += change * (half_square(z) - f64::from(own));
        }
        Ok(())
    }

    /// One move at β, by so many leapfrog steps of a size; returns the acceptance.
    fn step(
        &mut self,
        state: &mut State,
        (size, leapfrogs): (f64, usize),
        beta: f64,
        rng: &mut Rng,
    ) -> Result<f64, Error> {
        if self.stop.pressed() {
            let reason = "stopped before the last temperature, and weights count only there";
            return Err(Error::Chain(reason.into()));
        }
        let target = Tempered {
            energy: self.energy,
            beta: Some(beta),
        };
        let hmc = Hmc::with_step_size(size, leapfrogs);
        let info = hmc.random_move(target, state, rng)?;
        self.taken += 1;
        self.progress.at(self.taken, || format!("β = {beta:.3}"));
        Ok(info.acceptance)
    }

    /// The weights.
    fn finish(self) -> Vec<f64> {
        self.progress.finish(self.taken, "");
        self.log_weights
    }
}

impl LogZ {
    /// Of weights whose mean is Z (sign 1) or 1/Z (-1).
    fn of(log_weights: &[f64], sign: f64) -> Self {
        let n = log_weights.len() as f64;
        let log_mean = log_sum_exp(log_weights.iter().copied()) - n.ln();
        // Relative to the mean.
        let weights = log_weights.iter().map(|log| (log - log_mean).exp());
        let squares: f64 = weights.map(|w| w * w).sum();
        let variance = (squares / n - 1.0).max(0.0) * n / (n - 1.0).max(1.0);
        Self {
            log_z: sign * log_mean,
            standard_error: (variance / n).sqrt(),
            effective_size: n * n / squares,
        }
    }
}
