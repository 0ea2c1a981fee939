//! A run whose settings hold for tables, wide and narrow.

use super::Trainer;
use crate::Error;
use crate::data::Dataset;
use crate::energy::{GaussianMixture, Mlp, Tilted};
use crate::loss::{Above, EnergyDiscrepancy};
use std::ops::Range;

/// A mixture has at most so many components.
const COMPONENTS: usize = 5;
/// Of both hidden layers.
const WIDTH: usize = 128;
/// In units of the data's spread.
const STDS: Range<f64> = 0.3..3.0;
const PARTICLES: usize = 16;
const STEPS: usize = 5000;
const BATCH: usize = 128;

impl Trainer<Tilted<GaussianMixture, Mlp>, EnergyDiscrepancy<Above>> {
    /// A run with settings that hold for [whitened](Dataset::whitened) tables of two to thirty columns and a hundred rows or
    /// more:
    ///
    /// | what | setting | why |
    /// |---|---|---|
    /// | energy | U = -ln q(z) + f(z), q a [mixture](GaussianMixture::fit_best) of up to 5 components, but of no more parameters than there are rows, f a net of two layers of 128 with tanh that starts at 0 | few rows of many columns say little beyond the mixture, and that is kept where the held-out loss finds nothing better; a tilt by tanh is bounded, and makes no mode far away from all data |
    /// | noise | [above q](Above), s from 0.3 to 3, M = 16 | noise of one width leaves most of the space unseen from some ten columns on |
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
        let d = train.dimension();
        let parameters = 1 + d + d * (d + 1) / 2;
        let components = (train.len() / parameters).clamp(1, COMPONENTS);
        let mixture = GaussianMixture::fit_best(&train.points()?, components, seed)?;
        let net = Mlp::tanh(&[d, WIDTH, WIDTH, 1], seed)?;
        let loss = EnergyDiscrepancy::above(&mixture, STDS)?.particles(PARTICLES);
        let run = Trainer::new(Tilted::new(mixture, net.starting_at_zero()?), loss)
            .steps(STEPS)
            .seed(seed);
        let run = run.batch(BATCH.min(train.len())).ema_decay(0.99);
        Ok(run.clip_norm(10.0).recover(3))
    }
}
