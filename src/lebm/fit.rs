//! The two-step training of a latent model.

use super::LatentHistory;
use super::iteration::Outcome;
use super::model::{LatentEbm, Settings};
use super::shown::Shown;
use crate::backend::{device, read};
use crate::energy::{Parameters, Points};
use crate::train::{Optimiser, Stopped};
use crate::{Error, Rng, rng};
use dfdx::prelude::*;
use rand::seq::SliceRandom;
use std::time::Instant;

/// What changes from iteration to iteration.
pub struct State {
    pub(super) step: usize,
    /// How many images there are to learn.
    pub(super) images: usize,
    pub(super) generator: Vec<f32>,
    pub(super) prior: Vec<f32>,
    pub(super) mean: Vec<f32>,
    pub(super) generator_optimiser: Optimiser,
    pub(super) prior_optimiser: Optimiser,
    pub(super) rng: Rng,
    /// The mean of |U| of latent points when it was looked at first.
    pub(super) energy_at_start: Option<f64>,
    pub(super) sane: Sane,
}

/// Weights from when the energies were last looked at, and had not grown without bound.
pub struct Sane {
    pub(super) step: usize,
    pub(super) generator: Vec<f32>,
    pub(super) prior: Vec<f32>,
    pub(super) mean: Vec<f32>,
}

impl Settings {
    fn check(&self) -> Result<(), Error> {
        if self.batch == 0 {
            return Err(Error::setting("batch", 0, "at least 1"));
        }
        if !(0.0..=1.0).contains(&self.ema_decay) {
            return Err(Error::setting(
                "ema",
                self.ema_decay,
                "a share kept, from 0 to 1",
            ));
        }
        if !(self.decay > 0.0 && self.decay.is_finite()) {
            return Err(Error::setting(
                "learning rate decay",
                self.decay,
                "a positive factor",
            ));
        }
        if let Some(schedule) = &self.checkpoints {
            schedule.check()?;
        }
        Ok(())
    }

    /// The images of one iteration. Each epoch has an order of its own, which depends on the seed
    /// and the epoch alone.
    fn batch_of(&self, step: usize, count: usize) -> Vec<usize> {
        let per_epoch = count.div_ceil(self.batch);
        let (epoch, step) = (step / per_epoch, step % per_epoch);
        let mut order: Vec<usize> = (0..count).collect();
        if !self.in_order {
            let mut shuffling = rng(self.seed);
            // Stream 0 is the noise's.
            shuffling.set_stream(epoch as u64 + 1);
            order.shuffle(&mut shuffling);
        }
        order[step * self.batch..count.min((step + 1) * self.batch)].to_vec()
    }
}

impl LatentEbm {
    pub(super) fn fit_on(
        &mut self,
        images: &Points,
        leaves: &dyn Fn() -> bool,
    ) -> Result<Stopped, Error> {
        self.settings.check()?;
        let _held = match &self.settings.checkpoints {
            Some(schedule) => schedule.lock()?,
            None => None,
        };
        let (count, pixels) = *images.shape();
        let (height, width) = self.generator.size();
        if count == 0 || pixels != height * width {
            let expected = format!(
                "(N, {}) with N at least 1, as the generator's images",
                height * width
            );
            return Err(Error::shape("the images", images.shape(), expected));
        }
        let mut state = match self.state.take() {
            Some(state) => state,
            None => self.start(count)?,
        };
        if state.images != count {
            let expected = format!(
                "({}, {pixels}), as those that the run began with",
                state.images
            );
            self.state = Some(state);
            return Err(Error::shape("the images", images.shape(), expected));
        }
        let result = self.iterations_from(&mut state, images, leaves);
        let shown = self.generator.set_flat_parameters(&state.generator);
        let shown = shown.and_then(|()| self.prior.set_flat_parameters(&state.prior));
        let shown = shown.and_then(|()| self.ema.set_flat_parameters(&state.mean));
        // Whatever happened, the state is kept, and `fit` can be called again.
        self.state = Some(state);
        let stopped = result?;
        shown?;
        if let Some(schedule) = &self.settings.checkpoints {
            self.checkpoint(&schedule.folder)?;
        }
        Ok(stopped)
    }

    fn start(&mut self, count: usize) -> Result<State, Error> {
        let (generator, prior) = (
            self.generator.flat_parameters(),
            self.prior.flat_parameters(),
        );
        self.history = LatentHistory::new(count.div_ceil(self.settings.batch));
        Ok(State {
            step: 0,
            images: count,
            generator_optimiser: Optimiser::new(self.settings.generator_adam, generator.len())?,
            prior_optimiser: Optimiser::new(self.settings.prior_adam, prior.len())?,
            mean: prior.clone(),
            energy_at_start: None,
            sane: Sane {
                step: 0,
                generator: generator.clone(),
                prior: prior.clone(),
                mean: prior.clone(),
            },
            generator,
            prior,
            rng: rng(self.settings.seed),
        })
    }

    fn iterations_from(
        &mut self,
        state: &mut State,
        images: &Points,
        leaves: &dyn Fn() -> bool,
    ) -> Result<Stopped, Error> {
        let count = images.shape().0;
        let per_epoch = count.div_ceil(self.settings.batch);
        let total = self.settings.epochs * per_epoch;
        let all = read(images);
        let mut shown = Shown::new(
            self.settings.shown,
            state.step,
            total,
            self.generator.size(),
        );
        let mut begun = Instant::now();
        while state.step < total {
            if leaves() {
                shown.finish(&self.history);
                return Ok(Stopped::ByUser { steps: state.step });
            }
            let batch = self.chosen(&all, &self.settings.batch_of(state.step, count))?;
            // An iteration that is left in its middle is taken again from its start.
            let before = state.rng.clone();
            let outcome = self.iterate(state, &batch);
            if outcome.is_err() {
                state.rng = before.clone();
            }
            let latents = match outcome? {
                Outcome::Done {
                    generator,
                    prior,
                    latents,
                } => {
                    self.history.push(generator, prior);
                    latents
                }
                Outcome::Stopped => {
                    state.rng = before;
                    shown.finish(&self.history);
                    return Ok(Stopped::ByUser { steps: state.step });
                }
                Outcome::NonFinite(loss) => {
                    let step = state.step;
                    shown.finish(&self.history);
                    return Ok(Stopped::NonFinite { step, loss });
                }
                Outcome::Unbounded { energy, loss } => {
                    state.generator.clone_from(&state.sane.generator);
                    state.prior.clone_from(&state.sane.prior);
                    state.mean.clone_from(&state.sane.mean);
                    shown.finish(&self.history);
                    return Ok(Stopped::Unbounded {
                        steps: state.step,
                        energy,
                        loss,
                        kept: state.sane.step,
                    });
                }
            };
            state.step += 1;
            if state.step.is_multiple_of(per_epoch) {
                for optimiser in [&mut state.generator_optimiser, &mut state.prior_optimiser] {
                    optimiser.set_learning_rate(optimiser.learning_rate() * self.settings.decay)?;
                }
            }
            self.time += begun.elapsed();
            begun = Instant::now();
            shown.after(
                state.step,
                &self.history,
                &self.generator,
                (&batch, &latents),
            );
            if let Some(schedule) = &self.settings.checkpoints
                && schedule.is_due(state.step)
            {
                self.write_checkpoint(&schedule.folder, state)?;
            }
        }
        shown.finish(&self.history);
        Ok(Stopped::AtEnd { steps: state.step })
    }

    /// Some of the images.
    fn chosen(&self, images: &[f32], chosen: &[usize]) -> Result<Points, Error> {
        let pixels = self.generator.size().0 * self.generator.size().1;
        let rows = chosen
            .iter()
            .flat_map(|i| &images[i * pixels..(i + 1) * pixels]);
        let points = device()?.try_tensor_from_vec(rows.copied().collect(), (chosen.len(), pixels));
        points.map_err(Error::tensor)
    }
}
