//! One block of rows: forward through a network, and back.

use super::activation::Activate;
use super::network::Network;
use super::product::{Matrix, Then, columns_at};
use super::scratch::LINE;
use super::weight::WeightGradient;

/// How a number of rows is cut into blocks for one network.
///
/// A block's memory is `x | a_1 | f'_1 | a_2 | f'_2 | ... | ∂L/∂U | panel`, each part a matrix with
/// one feature after the other and `stride` rows in each. All but the panel should fit into the
/// second-level cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocks {
    /// Rows in each block but the last.
    pub(crate) rows: usize,
    pub(crate) stride: usize,
    tile: usize,
    /// Numbers in one block's memory.
    pub(crate) len: usize,
}

/// Numbers in a block: 512 KB.
const CACHE: usize = 128 << 10;
/// More rows than that gain nothing where a network is narrow.
const MOST_ROWS: usize = 1024;

impl Blocks {
    /// Blocks for so many rows, of equal size as nearly as possible.
    pub(crate) fn new(network: &Network, rows: usize) -> Self {
        let rows = rows.max(1);
        let tile = columns_at(network.level);
        let features = network.dimension() + 2 * network.units() + 1;
        let most = (CACHE / features).clamp(tile, MOST_ROWS);
        let most = most - most % tile;
        let rows = rows.div_ceil(rows.div_ceil(most)).next_multiple_of(tile);
        let stride = odd_lines(rows);
        Self {
            rows,
            stride,
            tile,
            len: stride * features + tile * rows,
        }
    }

    /// How many blocks hold so many rows.
    pub(crate) fn count(&self, rows: usize) -> usize {
        rows.div_ceil(self.rows)
    }
}

/// A stride of at least `count` that is an odd number of cache lines, so that the rows of a matrix
/// do not all fall into the same few sets of the cache.
pub(crate) fn odd_lines(count: usize) -> usize {
    (count.div_ceil(LINE) | 1) * LINE
}

/// Copies `rows x D` points into a matrix with one coordinate after the other, 0 behind the rows.
pub(crate) fn load(x: &[f32], dimension: usize, columns: usize, stride: usize, to: &mut [f32]) {
    for (d, to) in to.chunks_mut(stride).take(dimension).enumerate() {
        let (to, behind) = to[..columns].split_at_mut(x.len() / dimension);
        for (to, x) in to.iter_mut().zip(x.chunks_exact(dimension)) {
            *to = x[d];
        }
        behind.fill(0.0);
    }
}

/// The inverse of [`load`].
pub(crate) fn unload(from: &[f32], stride: usize, dimension: usize, x: &mut [f32]) {
    for (d, from) in from.chunks(stride).take(dimension).enumerate() {
        for (x, from) in x.chunks_exact_mut(dimension).zip(from) {
            x[d] = *from;
        }
    }
}

/// A block at work.
pub(crate) struct Block<'a> {
    network: &'a Network<'a>,
    /// Columns in use, a multiple of the tile.
    columns: usize,
    rows: usize,
    stride: usize,
    data: &'a mut [f32],
}

impl<'a> Block<'a> {
    /// A block for `rows` rows in memory of [`Blocks::len`] numbers.
    pub(crate) fn new(
        network: &'a Network<'a>,
        blocks: Blocks,
        rows: usize,
        data: &'a mut [f32],
    ) -> Self {
        let columns = rows.next_multiple_of(blocks.tile);
        Self {
            network,
            columns,
            rows,
            stride: blocks.stride,
            data,
        }
    }

    /// Computes U of each row of `x`, and keeps the activations, and their slopes if asked to.
    pub(crate) fn forward(&mut self, x: &[f32], slopes: bool, energies: &mut [f32]) {
        let Self {
            network,
            columns,
            stride,
            ..
        } = *self;
        let (input, mut rest) = self.data.split_at_mut(network.dimension() * stride);
        load(x, network.dimension(), columns, stride, input);
        let mut input: &[f32] = input;
        for layer in network.hidden() {
            let (values, after) = rest.split_at_mut(layer.outputs * stride);
            let (slope, after) = after.split_at_mut(layer.outputs * stride);
            let before = Matrix {
                data: input,
                stride,
            };
            let product = layer.forward(before, columns, &mut *values, Then::Bias(layer.bias));
            network.level.run(product);
            network.level.run(Activate {
                activation: network.activation,
                values,
                slopes: slopes.then_some(slope),
                stride,
                columns,
            });
            (input, rest) = (values, after);
        }
        if let Some(layer) = network.layers.last() {
            let out = &mut energies[..self.rows];
            let input = Matrix {
                data: input,
                stride,
            };
            network
                .level
                .run(layer.forward(input, self.rows, out, Then::Bias(layer.bias)));
        }
    }

    /// From ∂L/∂U of each row, adds ∂L/∂θ to `gradient` and writes ∂L/∂x to `input_gradient`,
    /// each if it is wanted. Needs a forward pass with slopes, which it uses up.
    ///
    /// G_L = ∂L/∂U, G_l = (W_{l+1}ᵀ G_{l+1}) ∘ f'_l, ∂L/∂W_l = G_l a_{l-1}ᵀ, ∂L/∂x = W_1ᵀ G_1.
    /// G_l takes the place of f'_l.
    pub(crate) fn backward(
        &mut self,
        cotangent: &[f32],
        mut gradient: Option<&mut [f32]>,
        input_gradient: Option<&mut [f32]>,
    ) {
        let Self {
            network,
            columns,
            stride,
            rows,
            ..
        } = *self;
        let dimension = network.dimension();
        let mut at = (dimension + 2 * network.units()) * stride;
        let (data, panel) = self.data.split_at_mut(at + stride);
        let (top, behind) = data[at..][..columns].split_at_mut(rows);
        top.copy_from_slice(&cotangent[..rows]);
        behind.fill(0.0);
        for (l, layer) in network.layers.iter().enumerate().rev() {
            // `at` is where G_l begins.
            let (before, outer) = data.split_at_mut(at);
            let outer = Matrix {
                data: outer,
                stride,
            };
            let own = if l + 1 < network.layers.len() {
                layer.outputs
            } else {
                0
            };
            let before_own = at - own * stride;
            let slope = before_own - layer.inputs * stride;
            let input = if l > 0 {
                slope - layer.inputs * stride
            } else {
                0
            };
            if let Some(gradient) = gradient.as_deref_mut() {
                let (weight, bias) = layer.split(gradient);
                network.level.run(WeightGradient {
                    outputs: layer.outputs,
                    inputs: layer.inputs,
                    depth: rows,
                    bias_depth: rows,
                    outer,
                    inner: Matrix {
                        data: &before[input..],
                        stride,
                    },
                    weight,
                    bias,
                    panel,
                });
            }
            if l == 0 && input_gradient.is_none() {
                break;
            }
            let then = if l > 0 { Then::Scale } else { Then::Store };
            let product = layer.reverse(outer, columns, &mut before[slope..], then);
            network.level.run(product);
            at = slope;
        }
        if let Some(x) = input_gradient {
            unload(self.data, stride, dimension, x);
        }
    }
}
