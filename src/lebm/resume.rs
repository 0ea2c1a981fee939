//! Checkpoints of a latent model in training.

use super::fit::{Sane, State};
use super::{LatentEbm, LatentHistory};
use crate::Error;
use crate::checkpoint::{Checkpoint, Saved};
use crate::energy::Parameters;
use crate::train::Optimiser;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

const KIND: &str = "latent model";

impl LatentEbm {
    /// Writes a checkpoint into the folder, in the place of an older one: weights, both Adams' moments,
    /// the running mean, the random state, the iteration, both histories, and the settings. If the program
    /// is killed meanwhile, the older one is still there.
    ///
    /// # Errors
    /// If [`LatentEbm::fit`] was not called yet, or the file cannot be written.
    pub fn checkpoint(&self, folder: impl AsRef<Path>) -> Result<(), Error> {
        match &self.state {
            Some(state) => self.write_checkpoint(folder.as_ref(), state),
            None => Err(Error::write(
                folder.as_ref(),
                "the run has not begun: call `fit` first",
            )),
        }
    }

    /// Takes the place where a checkpoint was written: [`LatentEbm::fit`] then goes on from there and gives
    /// the same bits as a run that was never ended. Returns the number of iterations done.
    ///
    /// The run is set up as the one that wrote it; only the number of epochs may differ, what is shown,
    /// and where checkpoints go.
    ///
    /// # Errors
    /// If there is no checkpoint in the folder, it is damaged, or its nets or settings differ from this
    /// run's. The run is then as it was.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    /// use energy_discrepancy::dfdx::prelude::*;
    ///
    /// let set_up = || -> Result<LatentEbm, Error> {
    ///     let (generator, prior) = (Generator::new(8, 2, 0)?, LatentPrior::new(8, 16, 1)?);
    ///     let loss = EnergyDiscrepancy::with_std(0.5).particles(16);
    ///     Ok(LatentEbm::new(generator, prior, loss).batch(4).quiet())
    /// };
    /// let images: Points = device()?.zeros_like(&(8, 28 * 28));
    /// # let temporary = tempfile::tempdir().unwrap();
    /// # let folder = temporary.path();
    /// let mut run = set_up()?.epochs(1).checkpoints(folder, 500);
    /// assert_eq!(run.fit(&images)?, Stopped::AtEnd { steps: 2 });
    /// // In another process, perhaps after a power cut:
    /// let mut again = set_up()?.epochs(2);
    /// assert_eq!(again.resume(folder)?, 2);
    /// assert_eq!(again.fit(&images)?, Stopped::AtEnd { steps: 4 });
    /// # Ok::<(), Error>(())
    /// ```
    pub fn resume(&mut self, folder: impl AsRef<Path>) -> Result<usize, Error> {
        let saved = Saved::read(folder.as_ref(), KIND, &self.identity())?;
        let generator = saved.parameters("generator", &self.generator)?;
        let prior = saved.parameters("prior", &self.prior)?;
        let state = State {
            step: saved.value("step")?,
            images: saved.value("images")?,
            mean: saved.parameters("ema", &self.ema)?,
            generator_optimiser: Optimiser::restored(
                self.settings.generator_adam,
                generator.len(),
                "generator.adam",
                &saved,
            )?,
            prior_optimiser: Optimiser::restored(
                self.settings.prior_adam,
                prior.len(),
                "prior.adam",
                &saved,
            )?,
            rng: saved.value("rng")?,
            energy_at_start: saved.value("energy_at_start")?,
            sane: Sane {
                step: saved.value("step")?,
                generator: generator.clone(),
                prior: prior.clone(),
                mean: saved.parameters("ema", &self.ema)?,
            },
            generator,
            prior,
        };
        let time: Duration = saved.value("time")?;
        let mut history = LatentHistory::new(state.images.div_ceil(self.settings.batch.max(1)));
        let losses = saved.list::<f64>("history.generator", Some(state.step))?;
        for (generator, prior) in losses
            .into_iter()
            .zip(saved.list("history.prior", Some(state.step))?)
        {
            history.push(generator, prior);
        }
        // From here on nothing fails: the lists have the nets' lengths.
        self.generator.set_flat_parameters(&state.generator)?;
        self.prior.set_flat_parameters(&state.prior)?;
        self.ema.set_flat_parameters(&state.mean)?;
        (self.history, self.time) = (history, time);
        Ok(self.state.insert(state).step)
    }

    pub(super) fn write_checkpoint(&self, folder: &Path, state: &State) -> Result<(), Error> {
        let mut checkpoint = Checkpoint::new(KIND, self.identity());
        checkpoint.value("step", &state.step);
        checkpoint.value("images", &state.images);
        checkpoint.value("rng", &state.rng);
        checkpoint.value("energy_at_start", &state.energy_at_start);
        checkpoint.value("time", &self.time);
        checkpoint.parameters("generator", &self.generator, &state.generator);
        checkpoint.parameters("prior", &self.prior, &state.prior);
        checkpoint.parameters("ema", &self.ema, &state.mean);
        state
            .generator_optimiser
            .save("generator.adam", &mut checkpoint);
        state.prior_optimiser.save("prior.adam", &mut checkpoint);
        checkpoint.list("history.generator", self.history.generator());
        checkpoint.list("history.prior", self.history.prior());
        checkpoint.write(folder)
    }

    /// What a run must share with another to go on from its checkpoint.
    fn identity(&self) -> Value {
        let mut identity = json!(self.settings);
        identity["loss"] = json!(format!("{:?}", self.loss));
        identity["activation"] = json!(format!("{:?}", self.prior.net().activation()));
        identity
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::energy::{LatentPrior, Points};
    use crate::lebm::Generator;
    use crate::loss::EnergyDiscrepancy;
    use crate::rng;
    use crate::train::Stopped;
    use std::cell::Cell;

    fn run() -> LatentEbm {
        let (generator, prior) = (Generator::for_side(8, 4, 2, 0), LatentPrior::new(4, 12, 0));
        let loss = EnergyDiscrepancy::with_std(0.5).particles(4);
        let run = LatentEbm::new(generator.unwrap(), prior.unwrap(), loss);
        run.posterior(3, 0.1, 0.3)
            .decay(0.9)
            .batch(8)
            .epochs(3)
            .quiet()
    }

    /// 20 images of 8 x 8 pixels.
    fn images() -> Points {
        let noise = LatentPrior::new(64, 1, 0).unwrap();
        noise.normal(20, &mut rng(1)).unwrap()
    }

    /// All that a run has learned and recorded, as bits.
    fn all(run: &LatentEbm) -> Vec<u64> {
        let state = run.state.as_ref().unwrap();
        let lists = [&state.generator, &state.prior, &state.mean];
        let shown = [
            run.generator.flat_parameters(),
            run.prior.flat_parameters(),
            run.ema.flat_parameters(),
        ];
        let lists = lists.into_iter().chain(&shown).flatten();
        let losses = run.history.generator().iter().chain(run.history.prior());
        let lists = lists.map(|value| u64::from(value.to_bits()));
        lists.chain(losses.map(|loss| loss.to_bits())).collect()
    }

    #[test]
    fn a_run_that_is_resumed_ends_with_the_same_bits() {
        // Three iterations an epoch.
        let images = images();
        let mut whole = run();
        assert_eq!(whole.fit(&images).unwrap(), Stopped::AtEnd { steps: 9 });
        // Between two epochs, within one, and before the first iteration.
        for steps in [3, 4, 0] {
            let folder = tempfile::tempdir().unwrap();
            let mut first = run();
            let asked = Cell::new(0);
            let leaves = || asked.replace(asked.get() + 1) == steps;
            let stopped = first.fit_on(&images, &leaves).unwrap();
            assert_eq!(stopped, Stopped::ByUser { steps });
            first.checkpoint(folder.path()).unwrap();
            let mut again = run();
            assert_eq!(again.resume(folder.path()).unwrap(), steps);
            assert_eq!(all(&again), all(&first));
            assert_eq!(again.time(), first.time());
            assert_eq!(again.fit(&images).unwrap(), Stopped::AtEnd { steps: 9 });
            assert_eq!(all(&again), all(&whole));
        }
    }

    #[test]
    fn the_checkpoint_on_the_way_is_the_newest_after_a_crash() {
        let images = images();
        let folder = tempfile::tempdir().unwrap();
        let mut killed = run().checkpoints(folder.path(), 2);
        let asked = Cell::new(0);
        // A panic stands for the kill: nothing is written after it.
        let leaves = || {
            assert!(asked.replace(asked.get() + 1) < 5, "killed");
            false
        };
        let fit = std::panic::AssertUnwindSafe(|| killed.fit_on(&images, &leaves));
        assert!(std::panic::catch_unwind(fit).is_err());
        assert_eq!(run().resume(folder.path()).unwrap(), 4);
    }
}
