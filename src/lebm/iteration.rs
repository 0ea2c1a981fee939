//! One iteration of a latent model's training.

use super::Posterior;
use super::fit::State;
use super::model::{LatentEbm, Settings};
use crate::Error;
use crate::backend::all_finite;
use crate::energy::{Parameters, Points};
use crate::loss::Loss;
use crate::sample::{Langevin, Sampler};
use crate::train::{Ema, growth};
use dfdx::shapes::HasShape;

/// How an iteration ended.
pub(super) enum Outcome {
    Done {
        generator: f64,
        prior: f64,
        /// Latent points of the images.
        latents: Points,
    },
    Stopped,
    NonFinite(f64),
    /// The mean of |U| of the latent points grew without bound.
    Unbounded {
        energy: f64,
        loss: f64,
    },
}

impl LatentEbm {
    /// Draws from the posterior, and changes both nets.
    pub(super) fn iterate(&mut self, state: &mut State, batch: &Points) -> Result<Outcome, Error> {
        let Settings {
            posterior_steps,
            posterior_noise,
            pixel_std,
            ..
        } = self.settings;
        let start = self.prior.normal(batch.shape().0, &mut state.rng)?;
        let posterior = Posterior::new(&self.generator, &self.prior, batch, pixel_std)?;
        let langevin = Langevin::with_noise_std(posterior_noise);
        let chain = langevin.chain(&posterior, &start, posterior_steps, None, &mut state.rng);
        let chain = match chain {
            // Both nets are the crate's: their weights have grown, and the step is as it always was.
            Err(Error::Chain(_)) => return Ok(Outcome::NonFinite(f64::NAN)),
            chain => chain?,
        };
        if chain.steps < posterior_steps {
            return Ok(Outcome::Stopped);
        }
        let z = chain.last;
        let (generator, of_generator) = self.generator.reconstruction_gradient(&z, batch)?;
        let noise = self.loss.draw(&z, &mut state.rng)?;
        if state.step.is_multiple_of(growth::EVERY) {
            let energy = growth::mean_size(&self.prior, &z)?;
            let start = *state.energy_at_start.get_or_insert(energy);
            if growth::is_without_bound(start, energy) {
                return Ok(Outcome::Unbounded {
                    energy,
                    loss: generator,
                });
            }
            let sane = &mut state.sane;
            sane.step = state.step;
            sane.generator.clone_from(&state.generator);
            sane.prior.clone_from(&state.prior);
            sane.mean.clone_from(&state.mean);
        }
        let (prior, of_prior) = self.loss.gradient(&self.prior, &z, &noise)?;
        for (loss, slopes) in [(generator, &of_generator), (prior, &of_prior)] {
            if !(loss.is_finite() && all_finite(slopes)) {
                return Ok(Outcome::NonFinite(loss));
            }
        }
        let optimiser = &mut state.generator_optimiser;
        optimiser.step(&mut state.generator, &of_generator, None)?;
        let ema = Ema {
            decay: self.settings.ema_decay,
            values: &mut state.mean,
        };
        state
            .prior_optimiser
            .step(&mut state.prior, &of_prior, Some(ema))?;
        self.generator.set_flat_parameters(&state.generator)?;
        self.prior.set_flat_parameters(&state.prior)?;
        Ok(Outcome::Done {
            generator,
            prior,
            latents: z,
        })
    }
}
