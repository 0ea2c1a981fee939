//! A generator and a prior that learn images together.

use super::decoder::{Decoder, reconstruction_gradient};
use super::{Generator, Posterior};
use crate::energy::{Energy, LatentPrior, Parameters, Trainable};
use crate::loss::{EnergyDiscrepancy, Loss};
use crate::plot::{Chart, Figure, ImageGrid};
use crate::sample::{Langevin, Sampler};
use crate::tensors::{Points, normal_points, to_vec};
use crate::train::{Adam, Objective, Schedule, TrainedNet, Training, growth};
use crate::{Error, Rng};
use dfdx::shapes::HasShape;
use std::ops::ControlFlow;

/// Every how many steps the images are drawn again, and how many.
const BETWEEN: usize = 200;
const IMAGES: usize = 12;

/// A decoder and a prior on its latent points that learn images together: what [`LatentEbm`] trains.
pub struct LatentModel<D = Generator, P = LatentPrior, L = EnergyDiscrepancy> {
    decoder: D,
    prior: P,
    ema: P,
    loss: L,
    /// What the loss says of itself before the first step.
    loss_settings: String,
    posterior_steps: usize,
    posterior_noise: f64,
    pixel_std: f64,
    prior_noise: f64,
    /// Of the images of the last step.
    latents: Option<Points>,
}

/// Trains a decoder and a prior on images.
///
/// For each batch of images x: latent points z are drawn from the posterior by Langevin steps from
/// N(0, I); the decoder takes an optimiser's step on |x - G(z)|², and the prior one on a loss of z, energy
/// discrepancy mostly.
///
/// The settings at the start are those of the paper's MNIST experiment: 30 epochs of batches of 256, Adam with
/// rates 1e-4 and 5e-5, both times 0.99 after each epoch, β = (0.5, 0.999), a running mean that keeps 0.999, 20
/// posterior steps with noise of 0.1, and σ = 0.3. Everything is reproducible from the seed.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let (generator, prior) = (Generator::new(8, 2, 0)?, LatentPrior::new(8, 16, 1)?);
/// let images = Images::new((28, 28), vec![127; 20 * 28 * 28], None)?;
/// let loss = EnergyDiscrepancy::with_std(0.5).particles(16);
/// let mut run = LatentEbm::new(generator, prior, loss).epochs(2).batch(8).quiet();
/// // Another cell, which may be run again after Stop:
/// assert_eq!(run.fit(&images)?, Stopped::AtEnd { steps: 6 });
/// assert_eq!(run.history().epochs("generator").len(), 2);
/// let z = run.sample_latents(4, 10, &mut rng(0))?;
/// assert_eq!(to_vec(&run.decoder().decode(&z)?).len(), 4 * 28 * 28);
/// # Ok::<(), Error>(())
/// ```
pub type LatentEbm<D = Generator, P = LatentPrior, L = EnergyDiscrepancy> =
    Training<LatentModel<D, P, L>>;

impl<D, P, L> Training<LatentModel<D, P, L>>
where
    D: Decoder + Parameters,
    P: Trainable + Clone,
    L: Loss,
{
    /// A run of 30 epochs with the settings above.
    pub fn new(decoder: D, prior: P, loss: L) -> Self {
        let model = LatentModel {
            decoder,
            ema: prior.clone(),
            prior,
            loss_settings: format!("{loss:?}"),
            loss,
            posterior_steps: 20,
            posterior_noise: 0.1,
            pixel_std: 0.3,
            prior_noise: 0.2,
            latents: None,
        };
        let adam = |rate| Adam::new(rate).betas(0.5, 0.999);
        Training::of(model, [adam(1e-4), adam(5e-5)])
            .epochs(30)
            .batch(256)
            .schedule(Schedule::decay_by_epoch(0.99))
            .ema_decay(0.999)
    }
}

impl<D, P, L> Training<LatentModel<D, P, L>> {
    /// Langevin steps to the posterior, the standard deviation of their noise, and σ, that of the
    /// noise of a pixel.
    pub fn posterior(mut self, steps: usize, noise_std: f64, pixel_std: f64) -> Self {
        let model = self.objective_mut();
        (
            model.posterior_steps,
            model.posterior_noise,
            model.pixel_std,
        ) = (steps, noise_std, pixel_std);
        self
    }

    /// The standard deviation of the noise of a Langevin step to the prior: 0.2 at the start.
    pub fn prior_noise_std(mut self, std: f64) -> Self {
        self.objective_mut().prior_noise = std;
        self
    }

    /// The decoder.
    pub fn decoder(&self) -> &D {
        &self.objective().decoder
    }

    /// The prior, with the weights of the last step.
    pub fn prior(&self) -> &P {
        &self.objective().prior
    }

    /// The prior with the running mean of the weights.
    pub fn ema(&self) -> &P {
        &self.objective().ema
    }

    /// `n` latent points after so many Langevin steps from N(0, I) to the prior, with the weights of
    /// the last step. The Stop button ends the chain early.
    ///
    /// # Errors
    /// If a setting is impossible.
    pub fn sample_latents(&self, n: usize, steps: usize, rng: &mut Rng) -> Result<Points, Error>
    where
        D: Decoder,
        P: Energy,
    {
        let start = normal_points(n, self.decoder().latent(), rng)?;
        let langevin = Langevin::with_noise_std(self.objective().prior_noise);
        Ok(langevin.chain(self.prior(), &start, steps, None, rng)?.last)
    }
}

impl<D, P, L> Objective for LatentModel<D, P, L>
where
    D: Decoder + Parameters,
    P: Trainable,
    L: Loss,
{
    fn settings(&self) -> String {
        format!(
            "{} posterior steps with noise of {}, σ = {}, {}",
            self.posterior_steps, self.posterior_noise, self.pixel_std, self.loss_settings
        )
    }

    fn series(&self) -> Vec<&'static str> {
        vec!["generator", "prior"]
    }

    fn nets(&mut self) -> Vec<TrainedNet<'_>> {
        let (net, mean) = (&mut self.prior, Some(&mut self.ema as _));
        vec![
            TrainedNet {
                name: "generator",
                net: &mut self.decoder,
                mean: None,
            },
            TrainedNet {
                name: "prior",
                net,
                mean,
            },
        ]
    }

    /// The squared error per image, and the prior's loss.
    fn losses(
        &mut self,
        x: &Points,
        rng: &mut Rng,
        gradients: &mut [Vec<f32>],
        stops: &dyn Fn() -> bool,
    ) -> Result<Option<Vec<f64>>, Error> {
        let start = normal_points(x.shape().0, self.decoder.latent(), rng)?;
        let frozen = self.prior.frozen();
        let prior: &dyn Energy = frozen.as_deref().unwrap_or(&self.prior);
        let posterior = Posterior::new(&self.decoder, prior, x, self.pixel_std)?;
        let langevin = Langevin::with_noise_std(self.posterior_noise);
        let mut watcher = |_: &_| match stops() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let chain = langevin.chain_watched(
            &posterior,
            &start,
            self.posterior_steps,
            None,
            rng,
            &mut watcher,
        );
        let chain = match chain {
            // The weights have grown, and the step is as it always was.
            Err(Error::Chain(_)) => return Ok(Some(vec![f64::NAN, f64::NAN])),
            chain => chain?,
        };
        if chain.steps < self.posterior_steps {
            return Ok(None);
        }
        let [of_decoder, of_prior] = gradients else {
            return Err(Error::shape("the gradients", gradients.len(), "two lists"));
        };
        let z = chain.last;
        let error = reconstruction_gradient(&self.decoder, &z, x, of_decoder)?;
        let prior = self
            .loss
            .terms(&self.prior, &z, rng)?
            .gradient(&self.prior, of_prior)?;
        self.latents = Some(z);
        Ok(Some(vec![error, prior]))
    }

    fn state(&mut self) -> Vec<(&'static str, &mut Vec<f32>)> {
        self.loss.state()
    }

    fn energy(&self) -> Option<&dyn Energy> {
        Some(&self.ema)
    }

    /// Of the latent points.
    fn mean_size(&self, _: &Points) -> Result<Option<f64>, Error> {
        match &self.latents {
            Some(z) => Ok(Some(growth::mean_size(&self.prior, z)?)),
            None => Ok(None),
        }
    }

    /// The first images in one row, and below each what the decoder makes of its latent point.
    fn picture(&self, step: usize, x: &Points) -> Option<Figure> {
        if !(step.is_multiple_of(BETWEEN) || step == 1) {
            return None;
        }
        let (size, z) = (self.decoder.size()?, self.latents.as_ref()?);
        let (images, decoded) = (to_vec(x), to_vec(&self.decoder.decode(z).ok()?));
        let pixels = size.0 * size.1;
        let some = (x.shape().0.min(IMAGES) * pixels)
            .min(images.len())
            .min(decoded.len());
        let grid = ImageGrid::new(&[&images[..some], &decoded[..some]].concat(), size)
            .columns(some / pixels.max(1));
        let title = format!("Images and their reconstructions, step {step}");
        Some(Chart::new(title).images(grid).figure())
    }
}
