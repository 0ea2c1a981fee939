//! Checkpoints of a training run.

use super::fit::{Fit, Run, Sane, State};
use super::{Learner, Optimiser, Series, Trainer};
use crate::Error;
use crate::backend::{Backend, Number};
use crate::checkpoint::{Checkpoint, Saved};
use crate::energy::Parameters;
use crate::loss::Loss;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

const KIND: &str = "trainer";

impl<N, L, E, Dev> Trainer<N, L, E, Dev>
where
    N: Learner<L, E, Dev>,
    L: Loss<E, Dev>,
    E: Number,
    Dev: Backend<E>,
    Run<E, Dev>: Fit<E, Dev>,
{
    /// Writes the result, the energy with the running mean of the weights, to a safetensors file: that of
    /// [`Trainer::ema`], by [`Parameters::save_weights`].
    ///
    /// # Errors
    /// If the file cannot be written. An old file of that name is then left as it was.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        self.ema.save_weights(path)
    }

    /// Writes a checkpoint into the folder, in the place of an older one: weights, Adam's moments, the
    /// running mean, the random states, the step, the history, and the settings. If the program is killed
    /// meanwhile, the older one is still there.
    ///
    /// # Errors
    /// If [`Trainer::fit`] was not called yet, or the file cannot be written.
    pub fn checkpoint(&self, folder: impl AsRef<Path>) -> Result<(), Error> {
        let folder = folder.as_ref();
        match &self.run.state {
            Some(state) => self.run.write_checkpoint(folder, state, &self.energy),
            None => Err(Error::write(
                folder,
                "the run has not begun: call `fit` first",
            )),
        }
    }

    /// Takes the place where a checkpoint was written: [`Trainer::fit`] then goes on from there and, on the
    /// same data, gives the same bits as a run that was never ended. Returns the number of steps done.
    ///
    /// The run is set up as the one that wrote it; only the number of steps may differ, what is shown,
    /// and where checkpoints go. Losses are compared by what `Debug` says of them, metrics by their names.
    ///
    /// # Errors
    /// If there is no checkpoint in the folder, it is damaged, or its parameters or settings differ from
    /// this run's. The run is then as it was.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let data = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?;
    /// let set_up = || -> Result<Trainer<Mlp, EnergyDiscrepancy>, Error> {
    ///     let net = Mlp::silu(&[1, 8, 1], 0)?;
    ///     Ok(Trainer::new(net, EnergyDiscrepancy::with_std(1.0)).quiet())
    /// };
    /// # let temporary = tempfile::tempdir().unwrap();
    /// # let folder = temporary.path();
    /// let mut run = set_up()?.steps(20).checkpoints(folder, 1000);
    /// let _ = run.fit(&data)?;
    /// // In another process, perhaps after a power cut:
    /// let mut again = set_up()?.steps(50);
    /// assert_eq!(again.resume(folder)?, 20);
    /// assert_eq!(again.fit(&data)?, Stopped::AtEnd { steps: 50 });
    /// # Ok::<(), Error>(())
    /// ```
    pub fn resume(&mut self, folder: impl AsRef<Path>) -> Result<usize, Error> {
        let saved = Saved::read(folder.as_ref(), KIND, &self.run.identity())?;
        let parameters = saved.parameters("energy", &self.energy)?;
        let state = State {
            step: saved.value("step")?,
            mean: saved.parameters("ema", &self.ema)?,
            optimiser: Optimiser::restored(self.run.adam, parameters.len(), "adam", &saved)?,
            rng: saved.value("rng")?,
            metric_rng: saved.value("metric_rng")?,
            energy_at_start: saved.value("energy_at_start")?,
            sane: Sane {
                step: saved.value("step")?,
                parameters: parameters.clone(),
                mean: saved.parameters("ema", &self.ema)?,
            },
            parameters,
        };
        let time: Duration = saved.value("time")?;
        let mut history = super::History::default();
        for loss in saved.list::<f64>("history.loss", Some(state.step))? {
            history.push_loss(loss);
        }
        let names: Vec<String> = saved.value("metrics")?;
        for name in names {
            let of = |what: &str| saved.list(&format!("history.{name}.{what}"), None);
            let (steps, values) = (of("steps")?, of("values")?);
            history.push_series(Series {
                name,
                steps,
                values,
            });
        }
        // From here on nothing fails: the lists have the energies' lengths.
        self.energy.set_flat_parameters(&state.parameters)?;
        self.ema.set_flat_parameters(&state.mean)?;
        (self.run.history, self.run.time) = (history, time);
        Ok(self.run.state.insert(state).step)
    }

    /// Where the run writes checkpoints, after its last step.
    pub(super) fn last_checkpoint(&self) -> Result<(), Error> {
        match &self.run.checkpoints {
            Some(schedule) => self.checkpoint(&schedule.folder),
            None => Ok(()),
        }
    }
}

impl<E: Number, Dev: Backend<E>> Run<E, Dev> {
    pub(super) fn write_checkpoint(
        &self,
        folder: &Path,
        state: &State<E>,
        energy: &dyn Parameters<E, Dev>,
    ) -> Result<(), Error> {
        let mut checkpoint = Checkpoint::new(KIND, self.identity());
        checkpoint.value("step", &state.step);
        checkpoint.value("rng", &state.rng);
        checkpoint.value("metric_rng", &state.metric_rng);
        checkpoint.value("energy_at_start", &state.energy_at_start);
        checkpoint.value("time", &self.time);
        checkpoint.parameters("energy", energy, &state.parameters);
        checkpoint.parameters("ema", energy, &state.mean);
        state.optimiser.save("adam", &mut checkpoint);
        checkpoint.list("history.loss", self.history.losses());
        let metrics = self.history.metrics();
        let names: Vec<&str> = metrics.iter().map(|series| series.name.as_str()).collect();
        checkpoint.value("metrics", &names);
        for series in metrics {
            let name = |what: &str| format!("history.{}.{what}", series.name);
            checkpoint.list(&name("steps"), &series.steps);
            checkpoint.list(&name("values"), &series.values);
        }
        checkpoint.write(folder)
    }

    /// What a run must share with another to go on from its checkpoint.
    fn identity(&self) -> Value {
        let metrics = self.watches.iter();
        let metrics = metrics.map(|watch| format!("{} every {} steps", watch.name, watch.every));
        json!({
            "batch": self.batch,
            "adam": self.adam,
            "decay": self.decay,
            "ema_decay": self.ema,
            "seed": self.seed,
            "loss": self.loss,
            "metrics": metrics.collect::<Vec<_>>(),
        })
    }
}
