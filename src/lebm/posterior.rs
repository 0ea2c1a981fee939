//! Where the latent points of given images are.

use super::Decoder;
use super::decoder::check_images;
use crate::Error;
use crate::energy::Energy;
use crate::tensors::{DeviceError, Points, TapedPoints, TapedValues, Values};
use dfdx::prelude::*;

/// The energy of latent points z given images x: U(z | x) = |x - G(z)|²/(2 σ²) + U(z).
///
/// Each row of z belongs to the image of the same row: as many chains as images.
///
/// # Examples
/// 20 steps of Langevin's, as the paper's MNIST experiment takes for each batch:
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let (generator, prior) = (Generator::new(16, 4, 0)?, LatentPrior::new(16, 24, 1)?);
/// let images = points(vec![0.0; 5 * 784], (5, 784))?;
/// let posterior = Posterior::new(&generator, &prior, &images, 0.3)?;
/// let start = normal_points(5, 16, &mut rng(1))?;
/// let langevin = Langevin::with_noise_std(0.1);
/// let z = langevin.chain(&posterior, &start, 20, None, &mut rng(0))?.last;
/// assert_eq!(generator.decode(&z)?.shape(), images.shape());
/// # Ok::<(), Error>(())
/// ```
pub struct Posterior<'a> {
    decoder: &'a dyn Decoder,
    prior: &'a dyn Energy,
    images: &'a Points,
    /// 1/(2 σ²).
    precision: f64,
}

impl<'a> Posterior<'a> {
    /// The posterior of these images, `(B, pixels)`, with noise of standard deviation σ on each pixel.
    ///
    /// # Errors
    /// If σ is not positive, or so small that 1/(2 σ²) is infinite.
    pub fn new(
        decoder: &'a dyn Decoder,
        prior: &'a dyn Energy,
        images: &'a Points,
        std: f64,
    ) -> Result<Self, Error> {
        let precision = 0.5 / (std * std);
        if !(std > 0.0 && precision > 0.0 && precision.is_finite()) {
            return Err(Error::setting("σ", std, "positive and finite"));
        }
        Ok(Self {
            decoder,
            prior,
            images,
            precision,
        })
    }
}

impl Energy for Posterior<'_> {
    fn energy_taped(&self, z: TapedPoints) -> Result<TapedValues, Error> {
        let (z, tape) = z.split_tape();
        let images = self.decoder.decode_taped(z.clone().put_tape(tape))?;
        check_images(self.images, images.shape())?;
        let errors = || {
            let squares = images.try_sub(self.images.clone())?.try_square()?;
            squares
                .try_sum::<_, Axis<1>>()?
                .try_mul(self.precision as f32)
        };
        let (errors, tape) = errors().map_err(Error::tensor)?.split_tape();
        let prior = self.prior.energy_taped(z.put_tape(tape))?;
        prior.try_add(errors).map_err(Error::tensor)
    }

    /// Of what may be wrong in it.
    fn type_name(&self) -> &'static str {
        match self.decoder.is_tested() {
            true => self.prior.type_name(),
            false => self.decoder.type_name(),
        }
    }

    fn is_tested(&self) -> bool {
        self.decoder.is_tested() && self.prior.is_tested()
    }

    fn gradient(&self, z: &Points) -> Result<(Values, Points), Error> {
        let (errors, of_errors) = self.decoder.squared_error(z, self.images)?;
        let (prior, of_prior) = self.prior.gradient(z)?;
        let precision = self.precision as f32;
        let sum = || -> Result<_, DeviceError> {
            Ok((
                errors.try_mul(precision)?.try_add(prior)?,
                of_errors.try_mul(precision)?.try_add(of_prior)?,
            ))
        };
        sum().map_err(Error::tensor)
    }
}
