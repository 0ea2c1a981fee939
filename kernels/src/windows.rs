//! Layers that are applied to each window over an image.
//!
//! The rows of a block lie side by side, so that a window is a list of rows of the image's matrix: nothing is copied
//! but for the gradient, where the smaller matrix is turned, and a large W, whose parts for one tap are put side by
//! side. W can be larger than the caches. It is then cut into parts that stay there while they meet all windows.

use super::graph::{DEPTH, PADDING, Windows};
use super::product::{Matrix, VECTORS, columns, with_height};
use super::program::Into;
use super::scratch::LINE;
use super::simd::{Kernel, Width};
use super::transpose::transpose;

/// Numbers of a W that stays in the nearest cache while windows change.
const SMALL: usize = 8 << 10;
/// Numbers of what meets a part of W: 256 KB.
const NEAR: usize = 64 << 10;
/// In so many columns, of which a large network's blocks have about as many.
const COLUMNS: usize = 32;
/// Numbers of the room that a step has for itself, at least.
const ROOM: usize = 64 << 10;
/// With fewer planes, or windows, the numbers of one window fill a tile better than the planes of one tap.
const FEW: usize = 4;

/// With more taps, tiles of planes have no room.
const MOST_TAPS: usize = ROOM / (64 * HIGHEST);
/// Rows of the highest tile.
const HIGHEST: usize = 12;

/// Numbers of the room that a step with these windows needs.
pub(crate) fn room(windows: &Windows) -> usize {
    ROOM.max(HIGHEST * windows.taps)
}

/// Out (`channels x windows`, each with a stride) from W (`channels x planes x taps`) times the numbers in each window.
pub(crate) struct Gather<'a> {
    pub(crate) windows: &'a Windows,
    pub(crate) planes: usize,
    pub(crate) columns: usize,
    pub(crate) stride: usize,
    pub(crate) weight: &'a [f32],
    /// Of each channel, stored in the first so many columns.
    pub(crate) bias: Option<(&'a [f32], usize)>,
    /// `planes x pixels`.
    pub(crate) image: &'a [f32],
    pub(crate) out: &'a mut [f32],
    /// `Scale` only where [`Windows::is_shallow`] says so.
    pub(crate) into: Into,
    /// Of [`room`] numbers.
    pub(crate) room: &'a mut [f32],
}

/// Cuts rows into tiles as equal as possible, and runs the code for each with its first row and its height.
macro_rules! for_each_tile {
    ($rows:expr, |$row:ident, $height:ident| $work:expr) => {
        let tiles = $rows.div_ceil(W::HEIGHT);
        let (height, higher) = ($rows / tiles.max(1), $rows % tiles.max(1));
        let mut $row = 0;
        for tile in 0..tiles {
            let $height = height + usize::from(tile < higher);
            $work;
            $row += $height;
        }
    };
}

/// Where a tile of a [`Gather`] is.
#[derive(Clone, Copy)]
struct Tile {
    channel: usize,
    window: usize,
    /// The planes that are added up.
    planes: (usize, usize),
}

impl Kernel for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Width>(mut self, width: W) {
        let (count, taps) = (self.windows.count(), self.windows.taps);
        let channels = self.out.len() / (count * self.stride);
        let most = match self.windows.is_shallow(self.planes) {
            true => self.planes,
            false => (DEPTH / taps).max(1),
        };
        let room = std::mem::take(&mut self.room);
        for first in (0..self.planes).step_by(most) {
            let planes = (first, self.planes.min(first + most));
            let depth = (planes.1 - planes.0) * taps;
            // A small W stays where it is, and a window's numbers do so for all channels.
            if channels * depth <= SMALL {
                for_each_tile!(channels, |channel, height| {
                    let room = &mut room[channel * depth..][..height * depth];
                    self.pack(width, channel, planes, room);
                });
                for window in 0..count {
                    for_each_tile!(channels, |channel, height| {
                        let at = Tile {
                            channel,
                            window,
                            planes,
                        };
                        let panel = &room[channel * depth..][..height * depth];
                        with_height!(height, self.tile::<W>(width, at, panel));
                    });
                }
                continue;
            }
            for_each_tile!(channels, |channel, height| {
                let panel = &mut room[..height * depth];
                self.pack(width, channel, planes, panel);
                for window in 0..count {
                    let at = Tile {
                        channel,
                        window,
                        planes,
                    };
                    with_height!(height, self.tile::<W>(width, at, panel));
                }
            });
        }
    }
}

impl Gather<'_> {
    /// W of a tile's channels and of some planes, with the channels side by side.
    #[inline(always)]
    fn pack<W: Width>(&self, width: W, channel: usize, planes: (usize, usize), panel: &mut [f32]) {
        let taps = self.windows.taps;
        let inputs = self.planes * taps;
        let height = panel.len() / ((planes.1 - planes.0) * taps);
        let rows = Matrix {
            data: &self.weight[channel * inputs + planes.0 * taps..],
            stride: inputs,
        };
        transpose(width, rows, height, height, panel);
    }

    #[inline(always)]
    fn tile<W: Width, const M: usize>(&mut self, width: W, at: Tile, panel: &[f32]) {
        let (taps, pixels) = (self.windows.taps, self.windows.pixels);
        let (count, is_first) = (self.windows.count(), at.planes.0 == 0);
        let inside = &self.windows.of_windows[at.window][..];
        for column in (0..self.columns).step_by(columns::<W>()) {
            let mut sums = [[width.splat_f32s(0.0); VECTORS]; M];
            let planes = panel.chunks_exact(taps * M);
            for (plane, panel) in (at.planes.0..at.planes.1).zip(planes) {
                let image = &self.image[plane * pixels * self.stride + column..];
                for (tap, pixel) in inside {
                    let right = &image[pixel * self.stride..][..columns::<W>()];
                    let right = W::as_simd_f32s(right).0;
                    let left = &panel[tap * M..][..M];
                    for m in 0..M {
                        let left = width.splat_f32s(left[m]);
                        for v in 0..VECTORS {
                            sums[m][v] = width.multiply_add_lanes(left, right[v], sums[m][v]);
                        }
                    }
                }
            }
            for (m, sums) in sums.into_iter().enumerate() {
                let channel = at.channel + m;
                let start = (channel * count + at.window) * self.stride + column;
                let out = &mut self.out[start..start + columns::<W>()];
                let bias = match self.bias {
                    Some((bias, columns)) if column < columns => bias[channel],
                    _ => 0.0,
                };
                let bias = width.splat_f32s(bias);
                for (out, sum) in W::as_mut_simd_f32s(out).0.iter_mut().zip(sums) {
                    *out = match self.into {
                        Into::Store if is_first => width.add_f32s(sum, bias),
                        Into::Store | Into::Add => width.add_f32s(*out, sum),
                        Into::Scale => width.mul_f32s(*out, sum),
                    };
                }
            }
        }
    }
}

/// Adds Wᵀ times the channels' numbers of each window to the numbers of the image in it: the reverse of [`Gather`].
pub(crate) struct Scatter<'a> {
    pub(crate) windows: &'a Windows,
    pub(crate) columns: usize,
    pub(crate) stride: usize,
    pub(crate) weight: &'a [f32],
    pub(crate) planes: usize,
    /// `channels x windows`.
    pub(crate) from: &'a [f32],
    /// From the first of these features of the image on, which has `planes x pixels`.
    pub(crate) image: &'a mut [f32],
    pub(crate) first: usize,
    /// Of [`room`] numbers.
    pub(crate) room: &'a mut [f32],
}

/// The features of an image that one part of a [`Scatter`] must have together: a tile's rows are planes at one tap, or
/// the numbers in one window.
pub(crate) fn together(windows: &Windows, planes: usize) -> usize {
    let is_few = planes < FEW || windows.count() < FEW;
    match is_few || windows.taps > MOST_TAPS {
        true => 1,
        false => windows.pixels,
    }
}

/// The channels that are added up, of one window in some columns.
#[derive(Clone, Copy)]
struct Part {
    channels: (usize, usize),
    window: usize,
    column: usize,
}

impl Kernel for Scatter<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Width>(mut self, width: W) {
        let (count, taps) = (self.windows.count(), self.windows.taps);
        let channels = self.from.len() / (count * self.stride);
        if together(self.windows, self.planes) == 1 {
            return self.by_windows(width, channels);
        }
        let planes = self.image.len() / (self.windows.pixels * self.stride);
        let room = std::mem::take(&mut self.room);
        // Not of the columns: how rows are cut into blocks, which threads may change, must not change a sum.
        let most = (NEAR / (count * COLUMNS)).clamp(16, ROOM / (2 * HIGHEST * taps));
        // As many tiles as there is room for: W is read in longer pieces.
        let tiles = (ROOM / ((most * W::HEIGHT + LINE) * taps)).max(1);
        for first in (0..channels).step_by(most) {
            let channels = (first, channels.min(first + most));
            for start in (0..planes).step_by(tiles * W::HEIGHT) {
                let group = (planes - start).min(tiles * W::HEIGHT);
                // Some more, so that taps do not all fall into the same few sets of the cache.
                let own = (channels.1 - channels.0) * group + LINE;
                self.pack(start, group, channels, &mut room[..own * taps]);
                for_each_tile!(group, |plane, height| {
                    for tap in 0..taps {
                        let left = Matrix {
                            data: &room[tap * own + plane..(tap + 1) * own],
                            stride: group,
                        };
                        for (window, pixel) in &self.windows.of_taps[tap] {
                            for column in (0..self.columns).step_by(columns::<W>()) {
                                let part = Part {
                                    channels,
                                    window: *window,
                                    column,
                                };
                                let place = (start + plane, *pixel);
                                with_height!(
                                    height,
                                    self.plane_tile::<W>(width, left, part, place)
                                );
                            }
                        }
                    }
                });
            }
        }
    }
}

impl Scatter<'_> {
    /// W of some planes and channels, `tap x channel x plane`.
    #[inline(always)]
    fn pack(&self, plane: usize, count: usize, channels: (usize, usize), room: &mut [f32]) {
        let (taps, inputs) = (self.windows.taps, self.planes * self.windows.taps);
        let plane = self.first / self.windows.pixels + plane;
        let own = room.len() / taps;
        for channel in channels.0..channels.1 {
            let weight = &self.weight[channel * inputs + plane * taps..][..count * taps];
            let room = &mut room[(channel - channels.0) * count..];
            for (m, weight) in weight.chunks_exact(taps).enumerate() {
                for (tap, weight) in weight.iter().enumerate() {
                    room[tap * own + m] = *weight;
                }
            }
        }
    }

    /// Window by window, the numbers in it as a tile's rows.
    #[inline(always)]
    fn by_windows<W: Width>(mut self, width: W, channels: usize) {
        for window in 0..self.windows.count() {
            for column in (0..self.columns).step_by(columns::<W>()) {
                let part = Part {
                    channels: (0, channels),
                    window,
                    column,
                };
                for_each_tile!(self.planes * self.windows.taps, |row, height| {
                    with_height!(height, self.window_tile::<W>(width, part, row));
                });
            }
        }
    }

    #[inline(always)]
    fn window_tile<W: Width, const M: usize>(&mut self, width: W, part: Part, row: usize) {
        let places: [usize; M] = self.windows.features(part.window, row);
        let own = self.first..self.first + self.image.len() / self.stride;
        if !places.iter().any(|place| own.contains(place)) {
            return;
        }
        let left = Matrix {
            data: &self.weight[row..],
            stride: self.planes * self.windows.taps,
        };
        let sums = self.sums::<W, M>(width, left, part);
        for (place, sums) in places.into_iter().zip(sums) {
            if own.contains(&place) {
                self.add(width, place - self.first, part.column, sums);
            }
        }
    }

    #[inline(always)]
    fn plane_tile<W: Width, const M: usize>(
        &mut self,
        width: W,
        left: Matrix,
        part: Part,
        (plane, pixel): (usize, usize),
    ) {
        let sums = self.sums::<W, M>(width, left, part);
        for (m, sums) in sums.into_iter().enumerate() {
            let place = (plane + m) * self.windows.pixels + pixel;
            self.add(width, place, part.column, sums);
        }
    }

    #[inline(always)]
    fn sums<W: Width, const M: usize>(
        &self,
        width: W,
        left: Matrix,
        part: Part,
    ) -> [[W::f32s; VECTORS]; M] {
        let step = self.windows.count() * self.stride;
        let mut sums = [[width.splat_f32s(0.0); VECTORS]; M];
        let from = &self.from[part.window * self.stride + part.column..];
        for channel in part.channels.0..part.channels.1 {
            let left = &left.data[(channel - part.channels.0) * left.stride..][..M];
            let right = &from[channel * step..][..columns::<W>()];
            let right = W::as_simd_f32s(right).0;
            for m in 0..M {
                let left = width.splat_f32s(left[m]);
                for v in 0..VECTORS {
                    sums[m][v] = width.multiply_add_lanes(left, right[v], sums[m][v]);
                }
            }
        }
        sums
    }

    #[inline(always)]
    fn add<W: Width>(&mut self, width: W, place: usize, column: usize, sums: [W::f32s; VECTORS]) {
        let start = place * self.stride + column;
        let out = &mut self.image[start..start + columns::<W>()];
        let out = W::as_mut_simd_f32s(out).0;
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = width.add_f32s(*out, sum);
        }
    }
}

/// Adds Σ g[c, w] image[w, k] over windows w and columns to ∂L/∂W[c, k].
pub(crate) struct WindowGradient<'a> {
    pub(crate) windows: &'a Windows,
    pub(crate) planes: usize,
    pub(crate) depth: usize,
    pub(crate) stride: usize,
    /// g, `channels x windows`.
    pub(crate) outer: &'a [f32],
    /// `planes x pixels`.
    pub(crate) image: &'a [f32],
    /// `channels x planes x taps`.
    pub(crate) weight: &'a mut [f32],
    /// Of [`WindowGradient::room`] numbers.
    pub(crate) room: &'a mut [f32],
}

/// A tile of W's gradient: rows are numbers of a window, columns channels.
#[derive(Clone, Copy)]
struct Corner {
    /// The first plane, or number in a window.
    row: usize,
    channel: usize,
    /// The windows in question.
    windows: (usize, usize),
}

impl Kernel for WindowGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Width>(mut self, width: W) {
        let (tile, count, taps) = (columns::<W>(), self.windows.count(), self.windows.taps);
        let channels = self.weight.len() / (self.planes * taps);
        let (zeros, panel) = std::mem::take(&mut self.room).split_at_mut(self.depth);
        zeros.fill(0.0);
        let together = (panel.len() / (tile * self.depth)).clamp(1, count);
        for channel in (0..channels).step_by(tile) {
            let own = tile.min(channels - channel);
            for start in (0..count).step_by(together) {
                let windows = (start, count.min(start + together));
                let parts = panel.chunks_exact_mut(tile * self.depth);
                for (window, panel) in (windows.0..windows.1).zip(parts) {
                    let outer = Matrix {
                        data: &self.outer[(channel * count + window) * self.stride..],
                        stride: count * self.stride,
                    };
                    transpose(width, outer, own, tile, panel);
                }
                let at = Corner {
                    row: 0,
                    channel,
                    windows,
                };
                if self.planes < FEW {
                    for_each_tile!(self.planes * taps, |row, height| {
                        let at = Corner { row, ..at };
                        with_height!(height, self.window_tile::<W>(width, at, panel, zeros));
                    });
                } else {
                    for_each_tile!(self.planes, |row, height| {
                        let at = Corner { row, ..at };
                        for tap in 0..taps {
                            with_height!(height, self.plane_tile::<W>(width, at, panel, tap));
                        }
                    });
                }
            }
        }
    }
}

impl WindowGradient<'_> {
    /// Numbers of room for tiles of so many columns.
    pub(crate) fn room(tile: usize, depth: usize) -> usize {
        depth + ROOM.max(tile * depth)
    }

    /// Rows are numbers of a window.
    #[inline(always)]
    fn window_tile<W: Width, const M: usize>(
        &mut self,
        width: W,
        at: Corner,
        panel: &[f32],
        zeros: &[f32],
    ) {
        let mut sums = [[width.splat_f32s(0.0); VECTORS]; M];
        for window in at.windows.0..at.windows.1 {
            let places: [usize; M] = self.windows.features(window, at.row);
            let mut rows = [zeros; M];
            for (row, place) in rows.iter_mut().zip(places) {
                if place != PADDING {
                    *row = &self.image[place * self.stride..][..self.depth];
                }
            }
            self.multiply(width, rows, panel, window - at.windows.0, &mut sums);
        }
        self.add(width, at.channel, at.row, 1, sums);
    }

    /// Rows are planes, at one tap.
    #[inline(always)]
    fn plane_tile<W: Width, const M: usize>(
        &mut self,
        width: W,
        at: Corner,
        panel: &[f32],
        tap: usize,
    ) {
        let (taps, pixels) = (self.windows.taps, self.windows.pixels);
        let pairs = &self.windows.of_taps[tap][..];
        let first = pairs.partition_point(|(window, _)| *window < at.windows.0);
        let end = pairs.partition_point(|(window, _)| *window < at.windows.1);
        let mut sums = [[width.splat_f32s(0.0); VECTORS]; M];
        for (window, pixel) in &pairs[first..end] {
            let mut rows = [self.image; M];
            for (m, row) in rows.iter_mut().enumerate() {
                let place = (at.row + m) * pixels + pixel;
                *row = &self.image[place * self.stride..][..self.depth];
            }
            self.multiply(width, rows, panel, window - at.windows.0, &mut sums);
        }
        self.add(width, at.channel, at.row * taps + tap, taps, sums);
    }

    /// Adds what one window gives.
    #[inline(always)]
    fn multiply<W: Width, const M: usize>(
        &self,
        width: W,
        rows: [&[f32]; M],
        panel: &[f32],
        window: usize,
        sums: &mut [[W::f32s; VECTORS]; M],
    ) {
        let size = columns::<W>() * self.depth;
        let panel = panel[window * size..][..size].chunks_exact(columns::<W>());
        let mut own = *sums;
        for (c, right) in panel.enumerate().take(self.depth) {
            let right = W::as_simd_f32s(right).0;
            for m in 0..M {
                let left = width.splat_f32s(rows[m][c]);
                for v in 0..VECTORS {
                    own[m][v] = width.multiply_add_lanes(left, right[v], own[m][v]);
                }
            }
        }
        *sums = own;
    }

    /// Adds a tile whose rows begin at this number of a window and are so far apart.
    #[inline(always)]
    fn add<W: Width, const M: usize>(
        &mut self,
        _: W,
        channel: usize,
        first: usize,
        step: usize,
        sums: [[W::f32s; VECTORS]; M],
    ) {
        let inputs = self.planes * self.windows.taps;
        let mut numbers = [[0.0; 64]; M];
        for (numbers, sums) in numbers.iter_mut().zip(sums) {
            for (numbers, sum) in numbers.chunks_exact_mut(W::F32_LANES).zip(sums) {
                W::as_mut_simd_f32s(numbers).0[0] = sum;
            }
        }
        let weights = self.weight[channel * inputs..].chunks_exact_mut(inputs);
        for (c, weight) in weights.enumerate().take(columns::<W>()) {
            for (m, numbers) in numbers.iter().enumerate() {
                weight[first + m * step] += numbers[c];
            }
        }
    }
}
