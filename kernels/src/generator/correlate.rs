//! The gradient of a layer's weights.

use crate::product::{columns, with_height};
use crate::simd::{Kernel, Width};

/// Adds ∂L/∂W[i, o, tap] = Σ x[pixel, i] g[reached pixel, o] for one block of inputs i.
pub(super) struct Correlate<'a> {
    /// For each tap the pairs of an input pixel and the output pixel that it reaches.
    pub(super) pairs: &'a [Vec<(usize, usize)>],
    pub(super) images: usize,
    /// Pixels of one image: of the input, of the output.
    pub(super) pixels: (usize, usize),
    /// `image x block x pixel x channel in the block`: the layer's input from the block in question
    /// on, and how far the next image is.
    pub(super) input: (&'a [f32], usize),
    /// ∂L/∂z at the layer's output, ordered in the same way.
    pub(super) outer: (&'a [f32], usize),
    pub(super) outputs: usize,
    /// `inputs of the block x outputs x tap`.
    pub(super) weight: &'a mut [f32],
    /// Room for a block's square times the taps.
    pub(super) room: &'a mut [f32],
}

impl Kernel for Correlate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Width>(mut self, width: W) {
        let (block, taps) = (columns::<W>(), self.pairs.len());
        let inputs = self.weight.len() / (self.outputs * taps);
        let tiles = inputs.div_ceil(W::HEIGHT);
        let (height, higher) = (inputs / tiles, inputs % tiles);
        for first in (0..self.outputs).step_by(block) {
            let outer = &self.outer.0[first * self.pixels.1..];
            for tap in 0..taps {
                let mut row = 0;
                for tile in 0..tiles {
                    let height = height + usize::from(tile < higher);
                    let at = At { row, tap };
                    with_height!(height, self.tile::<W>(width, outer, at));
                    row += height;
                }
            }
            let count = block.min(self.outputs - first);
            let rows = self.weight.chunks_exact_mut(self.outputs * taps);
            for (weight, room) in rows.zip(self.room.chunks_exact(taps * block)) {
                let weight = &mut weight[first * taps..(first + count) * taps];
                for (column, weight) in weight.chunks_exact_mut(taps).enumerate() {
                    for (tap, weight) in weight.iter_mut().enumerate() {
                        *weight += room[tap * block + column];
                    }
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
struct At {
    row: usize,
    tap: usize,
}

impl Correlate<'_> {
    /// The sums for M inputs and one block of outputs, into the room.
    #[inline(always)]
    fn tile<W: Width, const M: usize>(&mut self, width: W, outer: &[f32], at: At) {
        let block = columns::<W>();
        let mut sums = [[width.splat_f32s(0.0); 2]; M];
        for image in 0..self.images {
            let input = &self.input.0[image * self.input.1..][..self.pixels.0 * block];
            let outer = &outer[image * self.outer.1..][..self.pixels.1 * block];
            for (from, to) in &self.pairs[at.tap] {
                let left = &input[from * block + at.row..][..M];
                let right = W::as_simd_f32s(&outer[to * block..(to + 1) * block]).0;
                for m in 0..M {
                    let left = width.splat_f32s(left[m]);
                    sums[m][0] = width.multiply_add_lanes(left, right[0], sums[m][0]);
                    sums[m][1] = width.multiply_add_lanes(left, right[1], sums[m][1]);
                }
            }
        }
        let taps = self.pairs.len();
        for (m, sums) in sums.into_iter().enumerate() {
            let start = ((at.row + m) * taps + at.tap) * block;
            let room = &mut self.room[start..start + block];
            W::as_mut_simd_f32s(room).0.copy_from_slice(&sums);
        }
    }
}
