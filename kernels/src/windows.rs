//! Layers that are applied to each window over an image.
//!
//! The rows of a block lie side by side, so that a window is a list of rows of the image's matrix: nothing is copied
//! but for the gradient, where the smaller matrix is turned.

use super::graph::Windows;
use super::product::{Matrix, VECTORS, columns, with_height};
use super::program::Into;
use super::simd::{Kernel, Width};
use super::transpose::transpose;

/// Out (`channels x windows`, each with a stride) from W (`channels x inputs`) times the numbers in each window.
pub(crate) struct Gather<'a> {
    pub(crate) windows: &'a Windows,
    pub(crate) channels: usize,
    pub(crate) columns: usize,
    pub(crate) stride: usize,
    pub(crate) weight: &'a [f32],
    /// Of each channel, stored in the first so many columns.
    pub(crate) bias: Option<(&'a [f32], usize)>,
    /// The image, and behind it a row of zeros for what lies in the padding.
    pub(crate) image: &'a [f32],
    pub(crate) out: &'a mut [f32],
    pub(crate) into: Into,
}

/// Of the tile's first row and column.
#[derive(Clone, Copy)]
struct At {
    window: usize,
    row: usize,
    column: usize,
}

/// Cuts rows into tiles as equal as possible, and calls the function for each.
macro_rules! for_each_tile {
    ($rows:expr, $at:ident, $call:ident, $this:ident, $width:ident) => {
        let tiles = $rows.div_ceil(W::HEIGHT);
        let (height, higher) = ($rows / tiles, $rows % tiles);
        let mut row = 0;
        for tile in 0..tiles {
            let height = height + usize::from(tile < higher);
            let at = At { row, ..$at };
            with_height!(height, $this.$call::<W>($width, at));
            row += height;
        }
    };
}

impl Kernel for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Width>(mut self, width: W) {
        for window in 0..self.windows.count() {
            for column in (0..self.columns).step_by(columns::<W>()) {
                let at = At {
                    window,
                    row: 0,
                    column,
                };
                for_each_tile!(self.channels, at, tile, self, width);
            }
        }
    }
}

impl Gather<'_> {
    #[inline(always)]
    fn tile<W: Width, const M: usize>(&mut self, width: W, at: At) {
        let inputs = self.windows.inputs;
        let places = &self.windows.places[at.window * inputs..][..inputs];
        let mut rows = [self.weight; M];
        for (m, row) in rows.iter_mut().enumerate() {
            *row = &self.weight[(at.row + m) * inputs..][..inputs];
        }
        let image = &self.image[at.column..];
        let mut sums = [[width.splat_f32s(0.0); VECTORS]; M];
        for (k, place) in places.iter().enumerate() {
            let right = &image[place * self.stride..][..columns::<W>()];
            let right = W::as_simd_f32s(right).0;
            for m in 0..M {
                let left = width.splat_f32s(rows[m][k]);
                for v in 0..VECTORS {
                    sums[m][v] = width.multiply_add_lanes(left, right[v], sums[m][v]);
                }
            }
        }
        let count = self.windows.count();
        for (m, sums) in sums.into_iter().enumerate() {
            let row = at.row + m;
            let start = (row * count + at.window) * self.stride + at.column;
            let out = &mut self.out[start..start + columns::<W>()];
            let bias = match self.bias {
                Some((bias, columns)) if at.column < columns => bias[row],
                _ => 0.0,
            };
            let bias = width.splat_f32s(bias);
            for (out, sum) in W::as_mut_simd_f32s(out).0.iter_mut().zip(sums) {
                *out = match self.into {
                    Into::Store => width.add_f32s(sum, bias),
                    Into::Add => width.add_f32s(*out, sum),
                    Into::Scale => width.mul_f32s(*out, sum),
                };
            }
        }
    }
}

/// Adds Wᵀ times the channels' numbers of each window to the numbers of the image in it: the reverse of [`Gather`].
pub(crate) struct Scatter<'a> {
    pub(crate) windows: &'a Windows,
    pub(crate) channels: usize,
    pub(crate) columns: usize,
    pub(crate) stride: usize,
    pub(crate) weight: &'a [f32],
    /// `channels x windows`.
    pub(crate) from: &'a [f32],
    /// The image, and behind it a row for what lies in the padding.
    pub(crate) image: &'a mut [f32],
}

impl Kernel for Scatter<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Width>(mut self, width: W) {
        for window in 0..self.windows.count() {
            for column in (0..self.columns).step_by(columns::<W>()) {
                let at = At {
                    window,
                    row: 0,
                    column,
                };
                for_each_tile!(self.windows.inputs, at, tile, self, width);
            }
        }
    }
}

impl Scatter<'_> {
    #[inline(always)]
    fn tile<W: Width, const M: usize>(&mut self, width: W, at: At) {
        let (inputs, count) = (self.windows.inputs, self.windows.count());
        let mut sums = [[width.splat_f32s(0.0); VECTORS]; M];
        let from = &self.from[at.window * self.stride + at.column..];
        for channel in 0..self.channels {
            let left = &self.weight[channel * inputs + at.row..][..M];
            let right = &from[channel * count * self.stride..][..columns::<W>()];
            let right = W::as_simd_f32s(right).0;
            for m in 0..M {
                let left = width.splat_f32s(left[m]);
                for v in 0..VECTORS {
                    sums[m][v] = width.multiply_add_lanes(left, right[v], sums[m][v]);
                }
            }
        }
        let places = &self.windows.places[at.window * inputs + at.row..][..M];
        for (place, sums) in places.iter().zip(sums) {
            let start = place * self.stride + at.column;
            let out = &mut self.image[start..start + columns::<W>()];
            let out = W::as_mut_simd_f32s(out).0;
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = width.add_f32s(*out, sum);
            }
        }
    }
}

/// Adds Σ g[c, w] image[w, k] over windows w and columns to ∂L/∂W[c, k].
pub(crate) struct WindowGradient<'a> {
    pub(crate) windows: &'a Windows,
    pub(crate) channels: usize,
    pub(crate) depth: usize,
    pub(crate) stride: usize,
    /// g, `channels x windows`.
    pub(crate) outer: &'a [f32],
    /// The image, and behind it a row of zeros for what lies in the padding.
    pub(crate) image: &'a [f32],
    /// `channels x inputs`.
    pub(crate) weight: &'a mut [f32],
    /// Room for at least [`columns`] numbers times the depth.
    pub(crate) panel: &'a mut [f32],
}

impl Kernel for WindowGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Width>(mut self, width: W) {
        let (tile, count) = (columns::<W>(), self.windows.count());
        let panel = std::mem::take(&mut self.panel);
        let together = (panel.len() / (tile * self.depth)).clamp(1, count);
        for first in (0..self.channels).step_by(tile) {
            let channels = tile.min(self.channels - first);
            for start in (0..count).step_by(together) {
                let own = start..count.min(start + together);
                for (window, panel) in own.clone().zip(panel.chunks_exact_mut(tile * self.depth)) {
                    let outer = Matrix {
                        data: &self.outer[(first * count + window) * self.stride..],
                        stride: count * self.stride,
                    };
                    transpose(width, outer, channels, tile, panel);
                }
                let panel = &panel[..own.len() * tile * self.depth];
                let at = At {
                    window: start,
                    row: 0,
                    column: first,
                };
                self.rows::<W>(width, at, panel);
            }
        }
    }
}

impl WindowGradient<'_> {
    #[inline(always)]
    fn rows<W: Width>(&mut self, width: W, at: At, panel: &[f32]) {
        let rows = self.windows.inputs;
        let tiles = rows.div_ceil(W::HEIGHT);
        let (height, higher) = (rows / tiles, rows % tiles);
        let mut row = 0;
        for tile in 0..tiles {
            let height = height + usize::from(tile < higher);
            let at = At { row, ..at };
            with_height!(height, self.tile::<W>(width, at, panel));
            row += height;
        }
    }

    /// The sums for M numbers of a window and a tile of channels.
    #[inline(always)]
    fn tile<W: Width, const M: usize>(&mut self, width: W, at: At, panel: &[f32]) {
        let (inputs, tile) = (self.windows.inputs, columns::<W>());
        let mut sums = [[width.splat_f32s(0.0); VECTORS]; M];
        let places = self.windows.places.chunks_exact(inputs).skip(at.window);
        for (places, panel) in places.zip(panel.chunks_exact(tile * self.depth)) {
            let mut rows = [self.image; M];
            for (row, place) in rows.iter_mut().zip(&places[at.row..at.row + M]) {
                *row = &self.image[place * self.stride..][..self.depth];
            }
            for (c, right) in panel.chunks_exact(tile).enumerate().take(self.depth) {
                let right = W::as_simd_f32s(right).0;
                for m in 0..M {
                    let left = width.splat_f32s(rows[m][c]);
                    for v in 0..VECTORS {
                        sums[m][v] = width.multiply_add_lanes(left, right[v], sums[m][v]);
                    }
                }
            }
        }
        let lanes = W::F32_LANES;
        for (m, sums) in sums.into_iter().enumerate() {
            let mut out = [0.0; 64];
            for (out, sum) in out.chunks_exact_mut(lanes).zip(sums) {
                W::as_mut_simd_f32s(out).0[0] = sum;
            }
            let own = &mut self.weight[at.column * inputs + at.row + m..];
            let channels = tile.min(self.channels - at.column);
            for (weight, sum) in own.iter_mut().step_by(inputs).zip(&out[..channels]) {
                *weight += sum;
            }
        }
    }
}
