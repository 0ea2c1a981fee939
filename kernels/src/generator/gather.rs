//! Products of gathered pixels with a layer's weights.

use super::geometry::Class;
use crate::product::{columns, with_height};
use crate::simd::{Kernel, Width};

/// One block of target channels of some images: each pixel the sum over its taps of W[tap]ᵀ times the
/// source pixel.
pub(super) struct Gather<'a> {
    pub(super) classes: &'a [Class],
    /// `image x source block x pixel x channel in the block`.
    pub(super) source: &'a [f32],
    /// Source pixels of one image.
    pub(super) source_pixels: usize,
    /// Numbers of one image in the source.
    pub(super) source_image: usize,
    /// The first image.
    pub(super) first: usize,
    /// `tap x source block x source channel x target channel`.
    pub(super) weights: &'a [f32],
    pub(super) taps: usize,
    /// For each image `pixel x channel in the block`.
    pub(super) target: Vec<&'a mut [f32]>,
    pub(super) then: Then<'a>,
}

/// What becomes of a sum.
#[derive(Clone, Copy)]
pub(super) enum Then<'a> {
    /// It is stored.
    Store,
    /// A bias is added, and leaky ReLU of this slope taken.
    Activate(&'a [f32], f32),
    /// It is multiplied by the derivative of leaky ReLU.
    Scale(Slopes<'a>),
}

/// Values that went through leaky ReLU, ordered as the target and all its blocks.
#[derive(Clone, Copy)]
pub(super) struct Slopes<'a> {
    pub(super) values: &'a [f32],
    /// Where this block of the image 0 begins, and how far the next image is.
    pub(super) start: usize,
    pub(super) stride: usize,
    pub(super) slope: f32,
}

impl Kernel for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Width>(self, width: W) {
        // The block's width as a constant of the language: with slices the compiler spills sums.
        match columns::<W>() {
            8 => self.blocks::<W, 8>(width),
            16 => self.blocks::<W, 16>(width),
            _ => self.blocks::<W, 32>(width),
        }
    }
}

impl Gather<'_> {
    #[inline(always)]
    fn blocks<W: Width, const B: usize>(mut self, width: W) {
        let images = self.target.len();
        let classes = self.classes;
        for class in classes {
            let rows = images * class.targets.len();
            // A row less than in a plain product: each row has a source of its own, and sums that do
            // not stay in registers cost more than the row gains.
            let tiles = rows.div_ceil(W::HEIGHT - 1);
            let (height, higher) = (rows / tiles.max(1), rows % tiles.max(1));
            let mut row = 0;
            for tile in 0..tiles {
                let height = height + usize::from(tile < higher);
                with_height!(height, self.tile::<W, B>(width, class, row));
                row += height;
            }
        }
    }

    #[inline(always)]
    fn tile<W: Width, const B: usize, const M: usize>(
        &mut self,
        width: W,
        class: &Class,
        row: usize,
    ) {
        let (members, taps) = (class.targets.len(), class.taps.len());
        // The image and the member of each row; to divide for each would take as long as a tile.
        let (mut places, mut next) = ([(0, 0); M], (row / members, row % members));
        let (mut sources, mut starts) = ([[].as_slice(); M], [0; M]);
        for m in 0..M {
            places[m] = next;
            sources[m] = &class.sources[next.1 * taps..][..taps];
            starts[m] = (self.first + next.0) * self.source_image;
            next.1 += 1;
            if next.1 == members {
                next = (next.0 + 1, 0);
            }
        }
        let mut sums = [[width.splat_f32s(0.0); 2]; M];
        let per_tap = self.weights.len() / self.taps;
        for (t, tap) in class.taps.iter().enumerate() {
            let weights = &self.weights[tap * per_tap..][..per_tap];
            let mut rows = [[].as_slice(); M];
            for m in 0..M {
                rows[m] = &self.source[starts[m]..][..self.source_image];
                rows[m] = &rows[m][sources[m][t] * B..];
            }
            let step = self.source_pixels * B;
            for (n, weights) in weights
                .as_chunks::<B>()
                .0
                .as_chunks::<B>()
                .0
                .iter()
                .enumerate()
            {
                let mut left = [&[0.0; B]; M];
                for m in 0..M {
                    if let Some(block) = rows[m][n * step..].first_chunk() {
                        left[m] = block;
                    }
                }
                for k in 0..B {
                    let right = W::as_simd_f32s(&weights[k]).0;
                    for m in 0..M {
                        let left = width.splat_f32s(left[m][k]);
                        sums[m][0] = width.multiply_add_lanes(left, right[0], sums[m][0]);
                        sums[m][1] = width.multiply_add_lanes(left, right[1], sums[m][1]);
                    }
                }
            }
        }
        for ((image, member), sums) in places.into_iter().zip(sums) {
            let at = class.targets[member] * B;
            let out = &mut self.target[image][at..at + B];
            W::as_mut_simd_f32s(out).0.copy_from_slice(&sums);
            match self.then {
                Then::Store => {}
                Then::Activate(bias, slope) => {
                    for (y, b) in out.iter_mut().zip(bias) {
                        let z = *y + b;
                        *y = if z > 0.0 { z } else { slope * z };
                    }
                }
                Then::Scale(of) => {
                    let start = of.start + (self.first + image) * of.stride + at;
                    for (g, y) in out.iter_mut().zip(&of.values[start..start + B]) {
                        *g *= if *y > 0.0 { 1.0 } else { of.slope };
                    }
                }
            }
        }
    }
}
