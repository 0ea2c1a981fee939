//! A latent energy-based model in training, as a notebook sets it up.

use super::fit::State;
use super::shown::Visible;
use super::{Generator, LatentHistory};
use crate::checkpoint::Schedule;
use crate::energy::{LatentPrior, Points};
use crate::loss::EnergyDiscrepancy;
use crate::notebook::StopButton;
use crate::train::{Adam, Stopped};
use crate::{Error, Rng};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

/// A generator and a prior that learn images together.
///
/// For each batch of images x: latent points z are drawn from the posterior by Langevin steps from
/// N(0, I); the generator takes an Adam step on |x - G(z)|², and the prior one on the energy discrepancy
/// of z.
///
/// The settings at the start are those of the paper's MNIST experiment: batches of 256, Adam with
/// rates 1e-4 and 5e-5, both times 0.99 after each epoch, β = (0.5, 0.999), 20 posterior steps with
/// noise of 0.1, and σ = 0.3. Everything is reproducible from the seed.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::dfdx::prelude::*;
///
/// let (generator, prior) = (Generator::new(8, 2, 0)?, LatentPrior::new(8, 16, 1)?);
/// let images: Points = device()?.zeros_like(&(20, 28 * 28));
/// let loss = EnergyDiscrepancy::with_std(0.5).particles(16);
/// let mut run = LatentEbm::new(generator, prior, loss).epochs(2).batch(8).quiet();
/// // Another cell, which may be run again after Stop:
/// assert_eq!(run.fit(&images)?, Stopped::AtEnd { steps: 6 });
/// let z = run.sample_latents(4, 10, &mut rng(0))?;
/// assert_eq!(run.generator().decode(&z)?.shape(), &(4, 28 * 28));
/// # Ok::<(), Error>(())
/// ```
pub struct LatentEbm {
    pub(super) generator: Generator,
    pub(super) prior: LatentPrior,
    pub(super) ema: LatentPrior,
    pub(super) loss: EnergyDiscrepancy,
    pub(super) settings: Settings,
    pub(super) history: LatentHistory,
    pub(super) time: Duration,
    pub(super) state: Option<State>,
}

/// All that is set before the first iteration. What is skipped may differ from a checkpoint's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Settings {
    #[serde(skip)]
    pub epochs: usize,
    pub batch: usize,
    pub generator_adam: Adam,
    pub prior_adam: Adam,
    pub decay: f64,
    pub ema_decay: f64,
    pub posterior_steps: usize,
    pub posterior_noise: f64,
    pub pixel_std: f64,
    #[serde(skip)]
    pub prior_noise: f64,
    pub in_order: bool,
    pub seed: u64,
    #[serde(skip)]
    pub shown: Visible,
    #[serde(skip)]
    pub checkpoints: Option<Schedule>,
}

impl LatentEbm {
    /// A run of 30 epochs with the settings above.
    pub fn new(generator: Generator, prior: LatentPrior, loss: EnergyDiscrepancy) -> Self {
        Self {
            generator,
            ema: prior.clone(),
            prior,
            loss,
            settings: Settings {
                epochs: 30,
                batch: 256,
                generator_adam: Adam::new(1e-4).betas(0.5, 0.999),
                prior_adam: Adam::new(5e-5).betas(0.5, 0.999),
                decay: 0.99,
                ema_decay: 0.999,
                posterior_steps: 20,
                posterior_noise: 0.1,
                pixel_std: 0.3,
                prior_noise: 0.2,
                in_order: false,
                seed: 0,
                shown: Visible::All,
                checkpoints: None,
            },
            history: LatentHistory::default(),
            time: Duration::ZERO,
            state: None,
        }
    }

    /// How often all images are seen. Raised after a run, `fit` goes on to the new number.
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.settings.epochs = epochs;
        self
    }

    /// The number of images of each iteration; an epoch's last one may have fewer.
    pub fn batch(mut self, batch: usize) -> Self {
        self.settings.batch = batch;
        self
    }

    /// Adam's settings for the generator and for the prior.
    pub fn optimisers(mut self, generator: Adam, prior: Adam) -> Self {
        self.settings.generator_adam = generator;
        self.settings.prior_adam = prior;
        self
    }

    /// Multiplies both learning rates by this after each epoch.
    pub fn decay(mut self, factor: f64) -> Self {
        self.settings.decay = factor;
        self
    }

    /// The share of the running mean of the prior's weights that each iteration keeps.
    pub fn ema_decay(mut self, decay: f64) -> Self {
        self.settings.ema_decay = decay;
        self
    }

    /// Langevin steps to the posterior, the standard deviation of their noise, and σ, that of the
    /// noise of a pixel.
    pub fn posterior(mut self, steps: usize, noise_std: f64, pixel_std: f64) -> Self {
        self.settings.posterior_steps = steps;
        self.settings.posterior_noise = noise_std;
        self.settings.pixel_std = pixel_std;
        self
    }

    /// The standard deviation of the noise of a Langevin step to the prior: 0.2 at the start.
    pub fn prior_noise_std(mut self, std: f64) -> Self {
        self.settings.prior_noise = std;
        self
    }

    /// Takes the images in their order in each epoch, not shuffled.
    pub fn in_order(mut self) -> Self {
        self.settings.in_order = true;
        self
    }

    /// The seed of batches and noise. (The nets have their own.)
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }

    /// Writes a checkpoint into the folder after every `every` iterations and whenever
    /// [`LatentEbm::fit`] ends, each in the place of the one before: see [`LatentEbm::resume`].
    pub fn checkpoints(mut self, folder: impl Into<PathBuf>, every: usize) -> Self {
        let folder = folder.into();
        self.settings.checkpoints = Some(Schedule { folder, every });
        self
    }

    /// Shows the bar alone, and no figures: for several runs below one cell.
    pub fn bar_only(mut self) -> Self {
        self.settings.shown = Visible::Bar;
        self
    }

    /// Shows no progress.
    pub fn quiet(mut self) -> Self {
        self.settings.shown = Visible::Nothing;
        self
    }

    /// Trains on images, `(N, pixels)` with values in [-1, 1], until all epochs are done, the Stop
    /// button is pressed, a loss is not finite, or the prior's energies grow without bound. Called again, it
    /// goes on where it was.
    ///
    /// # Errors
    /// If a setting is impossible, another run writes checkpoints into this one's folder, the images do not fit the generator or are not as many as those that
    /// the run began with, or a checkpoint cannot be written. The model is then as the last complete
    /// iteration left it, and `fit` can be called again.
    pub fn fit(&mut self, images: &Points) -> Result<Stopped, Error> {
        let stop = StopButton::watch();
        self.fit_on(images, &|| stop.pressed())
    }

    /// `n` latent points after so many Langevin steps from N(0, I) to the prior, with the weights of
    /// the last iteration. The Stop button ends the chain early.
    ///
    /// # Errors
    /// If a setting is impossible.
    pub fn sample_latents(&self, n: usize, steps: usize, rng: &mut Rng) -> Result<Points, Error> {
        use crate::sample::{Langevin, Sampler};
        let start = self.prior.normal(n, rng)?;
        let langevin = Langevin::with_noise_std(self.settings.prior_noise);
        Ok(langevin.chain(&self.prior, &start, steps, None, rng)?.last)
    }

    /// The generator.
    pub fn generator(&self) -> &Generator {
        &self.generator
    }

    /// The prior, with the weights of the last iteration.
    pub fn prior(&self) -> &LatentPrior {
        &self.prior
    }

    /// The prior with the running mean of the weights.
    pub fn ema(&self) -> &LatentPrior {
        &self.ema
    }

    /// Both losses so far.
    pub fn history(&self) -> &LatentHistory {
        &self.history
    }

    /// How long [`LatentEbm::fit`] has worked so far, in all its calls.
    pub fn time(&self) -> Duration {
        self.time
    }
}
