//! What a run trains.

use super::History;
use crate::energy::{Energy, Parameters};
use crate::plot::Figure;
use crate::tensors::{MaybeSend, Points};
use crate::{Error, Rng};

/// What a run trains: its nets, and the losses and gradients of one step.
///
/// An energy with a loss is one ([`Fitting`](super::Fitting)), a latent model another
/// ([`LatentModel`](crate::lebm::LatentModel)); [`Training::of`](super::Training::of) trains one of your own. Steps,
/// batches, optimisers, running means, metrics, checkpoints and what is shown are the same for all.
///
/// # Examples
/// The mean of the data, by least squares:
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::dfdx::prelude::*;
/// use energy_discrepancy::train::{TrainedNet, Objective, Training};
///
/// struct Mean(Tensor<(usize,), f32, AutoDevice>);
/// impl Parameters for Mean {
///     fn parameters(&self) -> Vec<(&str, &dyn Parameter)> {
///         vec![("mean", &self.0)]
///     }
///     fn parameters_mut(&mut self) -> Vec<(&str, &mut dyn Parameter)> {
///         vec![("mean", &mut self.0)]
///     }
/// }
///
/// struct LeastSquares(Mean);
/// impl Objective for LeastSquares {
///     fn settings(&self) -> String {
///         "least squares".into()
///     }
///     fn series(&self) -> Vec<&'static str> {
///         vec!["squared error"]
///     }
///     fn nets(&mut self) -> Vec<TrainedNet<'_>> {
///         vec![TrainedNet { name: "mean", net: &mut self.0, mean: None }]
///     }
///     fn losses(
///         &mut self, x: &Points, _: &mut Rng, gradients: &mut [Vec<f32>], _: &dyn Fn() -> bool,
///     ) -> Result<Option<Vec<f64>>, Error> {
///         let (mean, rows) = (self.0.0.as_vec(), to_vec(x));
///         gradients[0].fill(0.0);
///         let mut loss = 0.0;
///         for (i, x) in rows.iter().enumerate() {
///             let error = mean[i % mean.len()] - x;
///             gradients[0][i % mean.len()] += 2.0 * error / rows.len() as f32;
///             loss += f64::from(error * error) / rows.len() as f64;
///         }
///         Ok(Some(vec![loss]))
///     }
/// }
///
/// let start = Mean(device()?.zeros_like(&(1,)));
/// let mut run = Training::of(LeastSquares(start), [Adam::new(0.05)]).steps(300).batch(256).quiet();
/// let _ = run.fit(&GaussianMixture::new(&[1.0], &[[2.0]], &[0.5])?)?;
/// assert!((run.objective().0.0.as_vec()[0] - 2.0).abs() < 0.1);
/// # Ok::<(), Error>(())
/// ```
pub trait Objective: MaybeSend {
    /// The settings in words: a checkpoint is only for a run that says the same before its first step.
    fn settings(&self) -> String;

    /// A name for each loss of a step.
    fn series(&self) -> Vec<&'static str>;

    /// The nets under training, in a fixed order.
    fn nets(&mut self) -> Vec<TrainedNet<'_>>;

    /// The losses of a step on the batch `x`, `(N, D)`, one for each name; the gradient of each net's own in its
    /// parameters goes into its list. None if `stops` said so before it was done: the step is then taken again.
    ///
    /// # Errors
    /// Whatever goes wrong, which ends the training.
    fn losses(
        &mut self,
        x: &Points,
        rng: &mut Rng,
        gradients: &mut [Vec<f32>],
        stops: &dyn Fn() -> bool,
    ) -> Result<Option<Vec<f64>>, Error>;

    /// What is looked at before the first step: gradients of an energy of the user's own, say.
    ///
    /// # Errors
    /// If something is wrong with the objective.
    fn check(&mut self, _x: &Points) -> Result<(), Error> {
        Ok(())
    }

    /// The lists of numbers that it keeps from step to step, each with a name: what a checkpoint holds beside
    /// the nets.
    fn state(&mut self) -> Vec<(&'static str, &mut Vec<f32>)> {
        Vec::new()
    }

    /// The energy that metrics see: with running means, if there are any.
    fn energy(&self) -> Option<&dyn Energy> {
        None
    }

    /// The loss on points that training does not see, `(N, D)`, with running means, if there are any: what
    /// [`Training::validate`](super::Training::validate) takes. It leaves behind what the loss kept before.
    ///
    /// # Errors
    /// If the loss fails.
    fn held_out(&mut self, _x: &Points, _rng: &mut Rng) -> Result<Option<f64>, Error> {
        Ok(None)
    }

    /// The mean of |U| over the last step's points, which a run ends by if it grows without bound.
    ///
    /// # Errors
    /// If the energy fails.
    fn mean_size(&self, _x: &Points) -> Result<Option<f64>, Error> {
        Ok(None)
    }

    /// The figure of the losses so far.
    fn figure(&self, history: &History) -> Figure {
        history.figure()
    }

    /// A picture after `step` steps, the last on the batch `x`, if there is a new one.
    fn picture(&self, _step: usize, _x: &Points) -> Option<Figure> {
        None
    }
}

/// A net under training.
pub struct TrainedNet<'a> {
    /// By which a checkpoint names it.
    pub name: &'static str,
    /// The net.
    pub net: &'a mut dyn Parameters,
    /// The same net with the running mean of the weights, if it has one.
    pub mean: Option<&'a mut dyn Parameters>,
}
