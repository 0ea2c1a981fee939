//! The generator in ordinary dfdx operations, on any device.

use super::generator::SLOPE;
use super::{Decoder, Generator};
use crate::Error;
use crate::energy::{Parameter, Parameters, Plain};
use crate::kernel::generator::Geometry;
use crate::tensors::{DeviceError, TapedPoints};
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
    counts: Vec<f32>,
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

impl Generator {
    /// One layer before its activation, on `(B · input pixels, in)`; gives `(B · output pixels, out)`.
    fn transposed_convolution<T: Tape<f32, AutoDevice>>(
        &self,
        index: usize,
        rows: usize,
        x: Tensor<(usize, usize), f32, AutoDevice, T>,
    ) -> Result<Tensor<(usize, usize), f32, AutoDevice, T>, DeviceError> {
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
        let places: Tensor<(usize, usize), usize, AutoDevice> =
            device.try_tensor_from_vec(places, (rows, count))?;
        let counts = fold.counts;
        let counts: Tensor<(usize,), f32, AutoDevice> =
            device.try_tensor_from_vec(counts, (count,))?;
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

    pub(super) fn plain_decode<T: Tape<f32, AutoDevice>>(
        &self,
        z: Tensor<(usize, usize), f32, AutoDevice, T>,
    ) -> Result<Tensor<(usize, usize), f32, AutoDevice, T>, Error> {
        self.check(z.shape())?;
        let rows = z.shape().0;
        let pixels = self.size().0 * self.size().1;
        let run = || -> Result<_, DeviceError> {
            let mut x = z;
            for index in 0..self.layers.len() {
                if index > 0 {
                    x = x.try_prelu(SLOPE as f32)?;
                }
                x = self.transposed_convolution(index, rows, x)?;
            }
            x.try_tanh()?.try_reshape_like(&(rows, pixels))
        };
        run().map_err(Error::tensor)
    }
}

impl Decoder for Plain<Generator> {
    fn latent(&self) -> usize {
        self.0.latent()
    }

    fn decode_taped(&self, z: TapedPoints) -> Result<TapedPoints, Error> {
        self.0.plain_decode(z)
    }

    fn size(&self) -> Option<(usize, usize)> {
        Some(self.0.size())
    }

    fn is_tested(&self) -> bool {
        true
    }
}

impl Parameters for Plain<Generator> {
    fn parameters(&self) -> Vec<(&str, &dyn Parameter)> {
        self.0.parameters()
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut dyn Parameter)> {
        self.0.parameters_mut()
    }
}

/// On a GPU these are the generator's own operations; on the CPU they are fused.
#[cfg(feature = "cuda")]
impl Decoder for Generator {
    fn latent(&self) -> usize {
        self.latent()
    }

    fn decode_taped(&self, z: TapedPoints) -> Result<TapedPoints, Error> {
        self.plain_decode(z)
    }

    fn size(&self) -> Option<(usize, usize)> {
        Some(self.size())
    }

    fn is_tested(&self) -> bool {
        true
    }
}
