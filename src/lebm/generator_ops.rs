//! The generator in ordinary dfdx operations, on any device.

use super::decoder::check_images;
use super::generator::SLOPE;
use super::{Decoder, Generator};
use crate::Error;
use crate::backend::{Backend, Number};
use crate::energy::{
    Parameter, Parameters, Plain, Points, TapedPoints, backward, for_each_backend,
    for_each_plain_backend, scalar,
};
use crate::kernel::generator::Geometry;
use dfdx::prelude::*;
use dfdx::tensor::Tape;

/// Where the sums of a transposed convolution come from: for each output pixel and channel a fixed
/// number of products, some of which count for nothing.
struct Fold {
    /// Products for each number of the output.
    terms: usize,
    /// The product's place in an image's `input pixel x output channel x tap`.
    places: Vec<usize>,
    /// 1 where the product counts.
    counts: Vec<f64>,
}

impl Fold {
    /// For an output of `pixel x channel` if the channels are last, or else `channel x pixel`.
    fn new(window: &Geometry, channels: usize) -> Self {
        let taps = window.taps();
        let (height, width) = window.output().unwrap_or_default();
        let mut reached = vec![Vec::new(); height * width];
        for (tap, pairs) in window.pairs().iter().enumerate() {
            for (from, to) in pairs {
                reached[*to].push((*from, tap));
            }
        }
        let terms = reached.iter().map(Vec::len).max().unwrap_or(0);
        let (mut places, mut counts) = (Vec::new(), Vec::new());
        for reached in &reached {
            for channel in 0..channels {
                for term in 0..terms {
                    let place = reached
                        .get(term)
                        .map(|(from, tap)| (from * channels + channel) * taps + tap);
                    places.push(place.unwrap_or(0));
                    counts.push(if place.is_some() { 1.0 } else { 0.0 });
                }
            }
        }
        Self {
            terms,
            places,
            counts,
        }
    }
}

impl<E: Number, Dev: Backend<E>> Generator<E, Dev> {
    /// One layer before its activation, on `(B · input pixels, in)`; gives `(B · output pixels, out)`.
    fn transposed_convolution<T: Tape<E, Dev>>(
        &self,
        index: usize,
        rows: usize,
        x: Tensor<(usize, usize), E, Dev, T>,
    ) -> Result<Tensor<(usize, usize), E, Dev, T>, Dev::Err> {
        let (layer, window) = (&self.layers[index], &self.windows[index]);
        let (inputs, outputs, k, _) = *layer.weight.shape();
        let weight = layer
            .weight
            .retaped::<T>()
            .try_reshape_like(&(inputs, outputs * k * k))?;
        let products = x.try_matmul(weight)?;
        let per_image = window.size.0 * window.size.1 * outputs * k * k;
        let products = products.try_reshape_like(&(rows, per_image))?;

        let fold = Fold::new(window, outputs);
        let count = fold.places.len();
        let device = products.device().clone();
        // The same places for each image.
        let places = fold.places.repeat(rows);
        let places: Tensor<(usize, usize), usize, Dev> =
            device.try_tensor_from_vec(places, (rows, count))?;
        let counts = fold.counts.into_iter().map(scalar).collect();
        let counts: Tensor<(usize,), E, Dev> = device.try_tensor_from_vec(counts, (count,))?;
        let counts = counts.try_broadcast_like::<_, Axis<0>>(&(rows, count))?;
        let gathered = products.try_gather(places)?.try_mul(counts)?;
        let all = count / fold.terms * rows;
        let summed = gathered
            .try_reshape_like(&(all, fold.terms))?
            .try_sum::<_, Axis<1>>()?;
        let shape = (all / outputs, outputs);
        let bias = layer
            .bias
            .retaped::<T>()
            .try_broadcast_like::<_, Axis<0>>(&shape)?;
        summed.try_reshape_like(&shape)?.try_add(bias)
    }

    pub(super) fn plain_decode<T: Tape<E, Dev>>(
        &self,
        z: Tensor<(usize, usize), E, Dev, T>,
    ) -> Result<Tensor<(usize, usize), E, Dev, T>, Error> {
        self.check(z.shape())?;
        let rows = z.shape().0;
        let pixels = self.size().0 * self.size().1;
        let run = || -> Result<_, Dev::Err> {
            let mut x = z;
            for index in 0..self.layers.len() {
                if index > 0 {
                    x = x.try_prelu(scalar::<E>(SLOPE))?;
                }
                x = self.transposed_convolution(index, rows, x)?;
            }
            x.try_tanh()?.try_reshape_like(&(rows, pixels))
        };
        run().map_err(Error::tensor)
    }

    fn plain_reconstruction_gradient(
        &self,
        z: &Points<E, Dev>,
        images: &Points<E, Dev>,
    ) -> Result<(f64, Vec<E>), Error> {
        let rows = z.shape().0;
        if rows == 0 {
            return Err(Error::setting("images", 0, "at least 1"));
        }
        let decoded = self.plain_decode(z.leaky_trace())?;
        check_images(images, decoded.shape())?;
        let error = || -> Result<_, Dev::Err> {
            let squares = decoded.try_sub(images.clone())?.try_square()?;
            squares.try_sum()?.try_div(scalar::<E>(rows as f64))
        };
        let error = error().map_err(Error::tensor)?;
        let mut gradient = vec![E::default(); self.stack.parameters()];
        let mean = backward(error, &self.named_parameters(), &mut gradient)?;
        Ok((mean, gradient))
    }
}

macro_rules! implement {
    ($E:ty, $Dev:ty) => {
        impl Decoder<$E, $Dev> for Plain<Generator<$E, $Dev>> {
            fn decode_taped(
                &self,
                z: TapedPoints<$E, $Dev>,
            ) -> Result<TapedPoints<$E, $Dev>, Error> {
                self.0.plain_decode(z)
            }

            fn is_tested(&self) -> bool {
                true
            }
        }

        impl Plain<Generator<$E, $Dev>> {
            /// As [`Generator::reconstruction_gradient`], in ordinary operations.
            ///
            /// # Errors
            /// As there.
            pub fn reconstruction_gradient(
                &self,
                z: &Points<$E, $Dev>,
                images: &Points<$E, $Dev>,
            ) -> Result<(f64, Vec<$E>), Error> {
                self.0.plain_reconstruction_gradient(z, images)
            }
        }

        impl Parameters<$E, $Dev> for Plain<Generator<$E, $Dev>> {
            fn parameters(&self) -> Vec<(String, &dyn Parameter<$E, $Dev>)> {
                self.0.named_parameters()
            }

            fn parameters_mut(&mut self) -> Vec<(String, &mut dyn Parameter<$E, $Dev>)> {
                self.0.named_parameters_mut()
            }
        }

        impl Parameters<$E, $Dev> for Generator<$E, $Dev> {
            fn parameters(&self) -> Vec<(String, &dyn Parameter<$E, $Dev>)> {
                self.named_parameters()
            }

            fn parameters_mut(&mut self) -> Vec<(String, &mut dyn Parameter<$E, $Dev>)> {
                self.named_parameters_mut()
            }
        }
    };
}
for_each_backend!(implement);

/// The generator's own operations, but for single precision on a CPU, where they are fused.
macro_rules! plain {
    ($E:ty, $Dev:ty) => {
        impl Decoder<$E, $Dev> for Generator<$E, $Dev> {
            fn decode_taped(
                &self,
                z: TapedPoints<$E, $Dev>,
            ) -> Result<TapedPoints<$E, $Dev>, Error> {
                self.plain_decode(z)
            }

            fn is_tested(&self) -> bool {
                true
            }
        }

        impl Generator<$E, $Dev> {
            /// The mean over the images of |x - G(z)|², and its gradient with respect to all parameters in
            /// one list, in the order of [`crate::energy::Parameters::parameters`].
            ///
            /// # Errors
            /// If the latent points or the images have the wrong shape, or there are none.
            pub fn reconstruction_gradient(
                &self,
                z: &Points<$E, $Dev>,
                images: &Points<$E, $Dev>,
            ) -> Result<(f64, Vec<$E>), Error> {
                self.plain_reconstruction_gradient(z, images)
            }
        }
    };
}
for_each_plain_backend!(plain);
