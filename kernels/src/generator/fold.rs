//! The last layer, whose taps stand in the channels' place.

use super::geometry::Geometry;
use crate::math::tanh;
use crate::simd::{Kernel, Width};

/// Pictures from the taps' contributions: tanh of the bias and all that reaches a pixel.
pub(super) struct Fold<'a> {
    pub(super) geometry: Geometry,
    pub(super) pairs: &'a [Vec<(usize, usize)>],
    pub(super) bias: f32,
    /// `image x block x pixel x tap in the block`.
    pub(super) taps: &'a [f32],
    pub(super) block: usize,
    /// `image x pixel`.
    pub(super) images: &'a mut [f32],
}

impl Kernel for Fold<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Width>(self, _: W) {
        let (input, output) = pixels(&self.geometry);
        let per_image = self.taps.len() * output / self.images.len();
        for (n, image) in self.images.chunks_exact_mut(output).enumerate() {
            image.fill(self.bias);
            for (tap, pairs) in self.pairs.iter().enumerate() {
                let start =
                    n * per_image + tap / self.block * input * self.block + tap % self.block;
                for (from, to) in pairs {
                    image[*to] += self.taps[start + from * self.block];
                }
            }
            for value in image {
                *value = tanh::<W>(*value).0;
            }
        }
    }
}

/// The way back: what the taps get of ∂L/∂(image), and what the bias.
pub(super) struct Unfold<'a> {
    pub(super) geometry: Geometry,
    pub(super) pairs: &'a [Vec<(usize, usize)>],
    pub(super) block: usize,
    pub(super) images: &'a [f32],
    /// ∂L/∂(image), of which ∂L/∂z is made in place.
    pub(super) cotangent: &'a mut [f32],
    pub(super) taps: &'a mut [f32],
}

impl Unfold<'_> {
    /// Returns ∂L/∂b.
    pub(super) fn run(self) -> f32 {
        let (input, output) = pixels(&self.geometry);
        let per_image = self.taps.len() * output / self.images.len();
        for (g, y) in self.cotangent.iter_mut().zip(self.images) {
            *g *= 1.0 - y * y;
        }
        self.taps.fill(0.0);
        for (n, g) in self.cotangent.chunks_exact(output).enumerate() {
            for (tap, pairs) in self.pairs.iter().enumerate() {
                let start =
                    n * per_image + tap / self.block * input * self.block + tap % self.block;
                for (from, to) in pairs {
                    self.taps[start + from * self.block] = g[*to];
                }
            }
        }
        self.cotangent.iter().sum()
    }
}

/// Of an image before and behind the layer.
fn pixels(geometry: &Geometry) -> (usize, usize) {
    let (height, width) = geometry.output().unwrap_or_default();
    (geometry.size.0 * geometry.size.1, height * width)
}
