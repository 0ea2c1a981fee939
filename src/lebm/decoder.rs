//! What makes images of latent points.

use crate::Error;
use crate::energy::{Parameter, Parameters};
use crate::tensors::{DeviceError, Points, TapedPoints, Values, number};
use dfdx::prelude::*;

/// A map G from latent points z, `(B, L)`, to images, `(B, pixels)`, with values in [-1, 1].
///
/// [`super::Generator`] is one, made of any expression; to write another, in ordinary dfdx operations, its first two
/// methods are enough. With [`Parameters`] beside it, [`super::LatentEbm`] trains it.
///
/// # Examples
/// Images of two pixels, the same for both:
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::dfdx::prelude::*;
///
/// struct Doubled;
/// impl Decoder for Doubled {
///     fn latent(&self) -> usize {
///         1
///     }
///     fn decode_taped(&self, z: TapedPoints) -> Result<TapedPoints, Error> {
///         let (rows, _) = *z.shape();
///         let sum: TapedValues = z.tanh().sum::<_, Axis<1>>();
///         Ok(sum.broadcast_like::<_, Axis<1>>(&(rows, 2)))
///     }
/// }
/// let (z, images) = (points(vec![0.0; 3], (3, 1))?, points(vec![1.0; 6], (3, 2))?);
/// let (error, slope) = Doubled.squared_error(&z, &images)?;
/// assert_eq!((error.as_vec(), slope.as_vec()), (vec![2.0; 3], vec![-4.0; 3]));
/// # Ok::<(), Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no decoder (if it is a `Result`, add `?` where it is made)",
    label = "a `Result` lacks its `?`; a type of your own implements `Decoder`, and `Parameters` to be trained"
)]
pub trait Decoder {
    /// L, the dimension of latent points.
    fn latent(&self) -> usize;

    /// G(z), recorded on the tape that the points bring.
    ///
    /// # Errors
    /// If the points have the wrong dimension, or a tensor operation fails.
    fn decode_taped(&self, z: TapedPoints) -> Result<TapedPoints, Error>;

    /// G(z).
    ///
    /// # Errors
    /// As [`Decoder::decode_taped`].
    fn decode(&self, z: &Points) -> Result<Points, Error> {
        Ok(self.decode_taped(z.leaky_trace())?.split_tape().0)
    }

    /// Height and width of the images, by which they are drawn while a run goes on.
    fn size(&self) -> Option<(usize, usize)> {
        None
    }

    /// The mean over the images of |x - G(z)|² and its gradient in the parameters, by a quicker way than the
    /// tape, if this decoder knows one. The gradient is one list in the order of
    /// [`Parameters::parameters`], and is overwritten.
    ///
    /// # Errors
    /// As [`Decoder::squared_error`], or if there is no image.
    fn pull_back(
        &self,
        _z: &Points,
        _images: &Points,
        _gradient: &mut [f32],
    ) -> Result<Option<f64>, Error> {
        Ok(None)
    }

    /// The decoder's type, for messages.
    #[doc(hidden)]
    fn type_name(&self) -> &'static str {
        std::any::type_name::<Self>()
    }

    /// Whether the crate's own tests hold the gradients against the values.
    #[doc(hidden)]
    fn is_tested(&self) -> bool {
        false
    }

    /// |x - G(z)|² of each image x, `(B,)`, and its gradient with respect to z, `(B, L)`.
    ///
    /// # Errors
    /// As [`Decoder::decode_taped`], or if the images have another shape than G(z).
    fn squared_error(&self, z: &Points, images: &Points) -> Result<(Values, Points), Error> {
        let decoded = self.decode_taped(z.leaky_trace())?;
        check_images(images, decoded.shape())?;
        let run = || -> Result<_, DeviceError> {
            let errors = decoded
                .try_sub(images.clone())?
                .try_square()?
                .try_sum::<_, Axis<1>>()?;
            let (errors, tape) = errors.split_tape();
            let sum: Tensor<Rank0, f32, AutoDevice, _> = errors.clone().put_tape(tape).try_sum()?;
            let mut gradients = sum.try_backward()?;
            gradients.try_alloc_for(z)?;
            Ok((errors, gradients.get(z)))
        };
        run().map_err(Error::tensor)
    }
}

/// The mean over the images of |x - G(z)|²; its gradient in the parameters, one list in the order of
/// [`Parameters::parameters`], replaces what the list holds.
///
/// # Errors
/// If the latent points or the images have the wrong shape, or there are none.
///
/// # Examples
/// ```
/// use energy_discrepancy::lebm::reconstruction_gradient;
/// use energy_discrepancy::prelude::*;
///
/// let generator = Generator::new(8, 2, 0)?;
/// let (z, grey) = (points(vec![0.0; 24], (3, 8))?, points(vec![0.0; 3 * 784], (3, 784))?);
/// let mut gradient = vec![0.0; generator.flat_parameters().len()];
/// assert!(reconstruction_gradient(&generator, &z, &grey, &mut gradient)? > 0.0);
/// assert!(gradient.iter().any(|slope| *slope != 0.0));
/// # Ok::<(), Error>(())
/// ```
pub fn reconstruction_gradient<D: Decoder + Parameters + ?Sized>(
    decoder: &D,
    z: &Points,
    images: &Points,
    gradient: &mut [f32],
) -> Result<f64, Error> {
    let rows = z.shape().0;
    if rows == 0 {
        return Err(Error::setting("images", 0, "at least 1"));
    }
    if let Some(mean) = decoder.pull_back(z, images, gradient)? {
        return Ok(mean);
    }
    by_tape(
        decoder.decode_taped(z.leaky_trace())?,
        &decoder.parameters(),
        images,
        gradient,
    )
}

fn by_tape(
    decoded: TapedPoints,
    parameters: &[(&str, &dyn Parameter)],
    images: &Points,
    gradient: &mut [f32],
) -> Result<f64, Error> {
    check_images(images, decoded.shape())?;
    let rows = decoded.shape().0 as f32;
    let error = || {
        decoded
            .try_sub(images.clone())?
            .try_square()?
            .try_sum()?
            .try_div(rows)
    };
    let (mean, tape) = error().map_err(Error::tensor)?.split_tape();
    crate::energy::backward(mean.clone().put_tape(tape), parameters, gradient)?;
    Ok(number(&mean))
}

/// Whether there is an image of the right size for each latent point.
pub(super) fn check_images(images: &Points, decoded: &(usize, usize)) -> Result<(), Error> {
    if images.shape() == decoded {
        return Ok(());
    }
    let expected = format!("{decoded:?}, as the images of these latent points have,");
    Err(Error::shape("the images", images.shape(), expected))
}
