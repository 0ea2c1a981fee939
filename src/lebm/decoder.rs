//! What makes images of latent points.

use crate::Error;
use crate::energy::{Points, TapedPoints, Values};
use dfdx::prelude::*;

/// A map G from latent points z, `(B, L)`, to images, `(B, pixels)`, with values in [-1, 1].
///
/// [`super::Generator`] is one; to write another, in ordinary dfdx operations, its first method is enough.
///
/// # Examples
/// Images of two pixels, the same for both:
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::dfdx::prelude::*;
///
/// struct Doubled;
/// impl Decoder for Doubled {
///     fn decode_taped(&self, z: TapedPoints) -> Result<TapedPoints, Error> {
///         let (rows, _) = *z.shape();
///         let sum: TapedValues = z.tanh().sum::<_, Axis<1>>();
///         Ok(sum.broadcast_like::<_, Axis<1>>(&(rows, 2)))
///     }
/// }
/// let z: Points = device()?.zeros_like(&(3, 1));
/// let images: Points = device()?.ones_like(&(3, 2));
/// let (error, slope) = Doubled.squared_error(&z, &images)?;
/// assert_eq!((error.as_vec(), slope.as_vec()), (vec![2.0; 3], vec![-4.0; 3]));
/// # Ok::<(), Error>(())
/// ```
pub trait Decoder<E: Dtype = f32, Dev: Device<E> = AutoDevice> {
    /// G(z), recorded on the tape that the points bring.
    ///
    /// # Errors
    /// If the points have the wrong dimension, or a tensor operation fails.
    fn decode_taped(&self, z: TapedPoints<E, Dev>) -> Result<TapedPoints<E, Dev>, Error>;

    /// G(z).
    ///
    /// # Errors
    /// As [`Decoder::decode_taped`].
    fn decode(&self, z: &Points<E, Dev>) -> Result<Points<E, Dev>, Error> {
        Ok(self.decode_taped(z.leaky_trace())?.split_tape().0)
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
    fn squared_error(
        &self,
        z: &Points<E, Dev>,
        images: &Points<E, Dev>,
    ) -> Result<(Values<E, Dev>, Points<E, Dev>), Error> {
        let decoded = self.decode_taped(z.leaky_trace())?;
        check_images(images, decoded.shape())?;
        let run = || -> Result<_, Dev::Err> {
            let errors = decoded
                .try_sub(images.clone())?
                .try_square()?
                .try_sum::<_, Axis<1>>()?;
            let (errors, tape) = errors.split_tape();
            let sum: Tensor<Rank0, E, Dev, _> = errors.clone().put_tape(tape).try_sum()?;
            let mut gradients = sum.try_backward()?;
            gradients.try_alloc_for(z)?;
            Ok((errors, gradients.get(z)))
        };
        run().map_err(Error::tensor)
    }
}

/// Whether there is an image of the right size for each latent point.
pub(super) fn check_images<E: Dtype, Dev: Device<E>>(
    images: &Points<E, Dev>,
    decoded: &(usize, usize),
) -> Result<(), Error> {
    if images.shape() == decoded {
        return Ok(());
    }
    let expected = format!("{decoded:?}, as the images of these latent points have,");
    Err(Error::shape("the images", images.shape(), expected))
}
