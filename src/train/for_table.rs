//! A run whose settings hold for tables, wide and narrow.

use super::Trainer;
use crate::Error;
use crate::data::Dataset;
use crate::energy::{LatentPrior, Mlp};
use crate::loss::{AboveNormal, EnergyDiscrepancy};
use std::ops::Range;

/// Of both hidden layers.
const WIDTH: usize = 64;
/// In units of the data's spread.
const STDS: Range<f64> = 0.3..3.0;
const PARTICLES: usize = 16;
const STEPS: usize = 5000;
const BATCH: usize = 128;

impl Trainer<LatentPrior, EnergyDiscrepancy<AboveNormal>> {
    /// A run with settings that hold for [whitened](Dataset::whitened) tables of two to thirty columns and a hundred rows or
    /// more:
    ///
    /// | what | setting | why |
    /// |---|---|---|
    /// | energy | U = \|z\|²/2 + f(z), f a net of two layers of 64 that starts at 0 | training begins at the normal density with the data's means and covariances, and no direction is without bound |
    /// | noise | [above N(0, I)](AboveNormal), s from 0.3 to 3, M = 16 | noise of one width leaves most of the space unseen from some ten columns on |
    /// | steps | 5,000 of 128 rows, Adam's rate 1e-3, mean 0.99 | most runs end early |
    /// | safety | gradients clipped at 10, three [recoveries](super::Training::recover) | |
    ///
    /// All of it can be changed by the methods that follow. Give it [`validate`](super::Training::validate) and
    /// [`patience`](super::Training::patience): without them it learns a small table by heart.
    ///
    /// # Errors
    /// If the set is not whitened.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let data = Dataset::from_points(&toy::gaussians_8().sample(400, &mut rng(0))?)?;
    /// let (train, held_out) = data.split(0.8, 0)?;
    /// let train = train.whitened()?;
    /// let held_out = held_out.scaled_like(&train)?.points()?;
    /// let mut run = Trainer::for_table(&train, 0)?.steps(100).validate(&held_out, 50).patience(10).quiet();
    /// let _ = run.fit(&train)?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn for_table(train: &Dataset, seed: u64) -> Result<Self, Error> {
        if !train.is_whitened() {
            let reason = "the set is not whitened: call `whitened()` on it first";
            return Err(Error::Data(reason.to_owned()));
        }
        let net = Mlp::softplus(&[train.dimension(), WIDTH, WIDTH, 1], seed)?;
        let energy = LatentPrior::tilted_by(net.starting_at_zero()?)?;
        let loss = EnergyDiscrepancy::above_normal(STDS).particles(PARTICLES);
        let run = Trainer::new(energy, loss).steps(STEPS).seed(seed);
        let run = run.batch(BATCH.min(train.len())).ema_decay(0.99);
        Ok(run.clip_norm(10.0).recover(3))
    }
}
