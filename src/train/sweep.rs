//! Several runs that share the cores.

use super::board::{Lane, Portable, View};
use super::fit::{Bounds, Fit, Run};
#[cfg(feature = "cuda")]
use super::in_turns::train;
#[cfg(not(feature = "cuda"))]
use super::side_by_side::train;
use super::{Learner, Stopped, Trainer};
use crate::Error;
use crate::backend::{Backend, Number};
use crate::data::Data;
use crate::loss::Loss;
use dfdx::prelude::*;
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// Trains several runs side by side, each on a core of its own as far as there are cores; with the
/// feature `cuda`, turn by turn on one thread.
///
/// All runs advance at the same pace, by the share of their steps that is done: half-way through
/// every one of them is half trained. Each ends with the same bits as if it were trained alone.
/// One bar and one figure with a curve for each run show where the work is: the last of the runs'
/// metrics if all take it, and the losses otherwise.
///
/// # Examples
/// Two seeds:
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let data = toy::gaussians_25();
/// let run = |seed| -> Result<_, Error> {
///     let net = Mlp::softplus(&[2, 16, 1], seed)?;
///     Ok(Trainer::new(net, EnergyDiscrepancy::with_std(1.0)).steps(20).seed(seed))
/// };
/// let mut runs = vec![run(0)?, run(1)?];
/// let labels = ["seed 0", "seed 1"];
/// // Another cell, which may be run again after Stop:
/// let ended = Sweep::new().runs(labels.into_iter().zip(&mut runs)).fit(&data)?;
/// assert!(ended.iter().all(|run| run.stopped == Stopped::AtEnd { steps: 20 }));
/// assert_eq!(runs[1].history().losses().len(), 20);
/// # Ok::<(), Error>(())
/// ```
#[must_use]
pub struct Sweep<'a, E: Number = f32, Dev: Backend<E> = AutoDevice> {
    runs: Vec<(String, &'a mut dyn SweepRun<E, Dev>)>,
}

impl<'a, E: Number, Dev: Backend<E>> Sweep<'a, E, Dev> {
    /// No run yet.
    pub fn new() -> Self {
        Self { runs: Vec::new() }
    }

    /// Adds a [`Trainer`], of any energy and loss.
    pub fn run<T: SweepRun<E, Dev>>(mut self, label: impl Into<String>, run: &'a mut T) -> Self {
        self.runs.push((label.into(), run));
        self
    }

    /// Adds several of one kind.
    pub fn runs<S: Into<String>, T: SweepRun<E, Dev> + 'a>(
        self,
        runs: impl IntoIterator<Item = (S, &'a mut T)>,
    ) -> Self {
        runs.into_iter()
            .fold(self, |sweep, (label, run)| sweep.run(label, run))
    }

    /// Trains until every run has done its steps, met a loss that is not finite or energies that grow
    /// without bound, or the Stop button is pressed. Called again with the same runs, it goes on where they were.
    ///
    /// # Errors
    /// As [`Trainer::fit`], if any of the runs fails; the others then stop too, and can go on.
    pub fn fit(self, data: &dyn Data<E, Dev>) -> Result<Ended, Error> {
        let folders = self.runs.iter().filter_map(|(_, run)| run.folder());
        let folders: Vec<&Path> = folders.collect();
        for (i, folder) in folders.iter().enumerate() {
            if folders[..i].contains(folder) {
                let allowed = "a folder of its own for each run";
                return Err(Error::setting("checkpoints", folder.display(), allowed));
            }
        }
        let lanes = self.runs.into_iter().map(|(label, run)| {
            let lane: Box<dyn Lane + '_> = Box::new(OnData { run, data });
            (label, lane)
        });
        train(lanes.collect())
    }
}

impl<E: Number, Dev: Backend<E>> Default for Sweep<'_, E, Dev> {
    fn default() -> Self {
        Self::new()
    }
}

/// How the runs of a [`Sweep`] ended. A cell that ends in it shows a line for each.
#[derive(Clone, PartialEq)]
pub struct Ended(pub(super) Vec<EndedRun>);

/// How one run of a [`Sweep`] ended.
#[derive(Clone, Debug, PartialEq)]
pub struct EndedRun {
    /// Its label.
    pub label: String,
    /// Why it ended.
    pub stopped: Stopped,
    /// How long it has been trained in all.
    pub time: Duration,
}

impl Ended {
    /// Each run, in the order in which they were added.
    pub fn iter(&self) -> std::slice::Iter<'_, EndedRun> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Ended {
    type Item = &'a EndedRun;
    type IntoIter = std::slice::Iter<'a, EndedRun>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.iter().map(|run| run.label.chars().count()).max();
        let width = width.unwrap_or(0);
        for (i, run) in self.iter().enumerate() {
            let end = if i + 1 < self.0.len() { "\n" } else { "" };
            let (label, seconds) = (&run.label, run.time.as_secs_f64());
            write!(f, "{label:<width$}  {} ({seconds:.1} s){end}", run.stopped)?;
        }
        Ok(())
    }
}

/// A run as a sweep sees it: a [`Trainer`] of any energy and loss.
pub trait SweepRun<E: Number, Dev: Backend<E>>: Portable {
    /// Trains until `leaves` says so.
    #[doc(hidden)]
    fn advance(
        &mut self,
        data: &dyn Data<E, Dev>,
        leaves: &dyn Fn() -> bool,
    ) -> Result<Stopped, Error>;

    /// Where the run is.
    #[doc(hidden)]
    fn view(&self) -> View;

    /// Where the run writes checkpoints.
    #[doc(hidden)]
    fn folder(&self) -> Option<&Path>;
}

impl<N, L, E, Dev> SweepRun<E, Dev> for Trainer<N, L, E, Dev>
where
    N: Learner<L, E, Dev> + Portable,
    L: Loss<E, Dev> + Portable,
    E: Number,
    Dev: Backend<E>,
    Run<E, Dev>: Fit<E, Dev> + Portable,
{
    fn advance(
        &mut self,
        data: &dyn Data<E, Dev>,
        leaves: &dyn Fn() -> bool,
    ) -> Result<Stopped, Error> {
        let _held = self.run.lock()?;
        let shown = false;
        let stopped = self.fit_within(data, Bounds { leaves, shown })?;
        // Not at the end of each turn: only where it is the run's.
        if !matches!(stopped, Stopped::ByUser { .. }) {
            self.last_checkpoint()?;
        }
        Ok(stopped)
    }

    fn view(&self) -> View {
        self.run.view()
    }

    fn folder(&self) -> Option<&Path> {
        Some(&self.run.checkpoints.as_ref()?.folder)
    }
}

/// A run with its data, and so without their types.
struct OnData<'a, E: Number, Dev: Backend<E>> {
    run: &'a mut dyn SweepRun<E, Dev>,
    data: &'a dyn Data<E, Dev>,
}

impl<E: Number, Dev: Backend<E>> Lane for OnData<'_, E, Dev> {
    fn advance(&mut self, leaves: &dyn Fn() -> bool) -> Result<Stopped, Error> {
        self.run.advance(self.data, leaves)
    }

    fn view(&self) -> View {
        self.run.view()
    }
}
