//! One block of rows that carries its derivatives through a network, and back.

use super::block::{load, odd_lines};
use super::formula::Scaled;
use super::jet::{Bend, Channels, Unbend};
use super::network::Network;
use super::product::{Matrix, Then, columns_at};
use super::weight::WeightGradient;

/// How a number of rows is cut into blocks of jets for one network.
///
/// A block's memory is `x | z_1 | a_1 | seeds_1 | z_2 | ... | top | room | panel`: matrices of jets,
/// one feature after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JetBlocks {
    /// Rows in each block but the last.
    pub(crate) rows: usize,
    channels: Channels,
    tile: usize,
    /// Numbers in one block's memory.
    pub(crate) len: usize,
}

/// Numbers in a block: 512 KB.
const CACHE: usize = 128 << 10;
/// Columns of all channels. More gain nothing where a network is narrow.
const MOST_COLUMNS: usize = 1024;

impl JetBlocks {
    /// Blocks for so many rows and directions of each, of equal size as nearly as possible.
    pub(crate) fn new(network: &Network, directions: usize, rows: usize) -> Self {
        let rows = rows.max(1);
        let tile = columns_at(network.level);
        let d = network.dimension();
        let channels = directions + 2;
        let features = channels * (d + 2 * network.units() + 1) + network.units();
        let most = (CACHE / features).min(MOST_COLUMNS / channels).max(tile);
        let most = most - most % tile;
        let columns = rows.div_ceil(rows.div_ceil(most)).next_multiple_of(tile);
        let stride = odd_lines(channels * columns);
        let jets = (d + 2 * network.units() + 1) * stride + network.units() * columns;
        let len = jets + 3 * columns + tile * channels * columns;
        Self {
            rows: columns,
            channels: Channels {
                directions,
                columns,
                stride,
            },
            tile,
            len,
        }
    }
}

/// A block of jets at work.
pub(crate) struct JetBlock<'a> {
    network: &'a Network<'a>,
    rows: usize,
    channels: Channels,
    data: &'a mut [f32],
}

impl<'a> JetBlock<'a> {
    /// A block for `rows` rows in memory of [`JetBlocks::len`] numbers.
    pub(crate) fn new(
        network: &'a Network<'a>,
        blocks: JetBlocks,
        rows: usize,
        data: &'a mut [f32],
    ) -> Self {
        let columns = rows.next_multiple_of(blocks.tile);
        let channels = Channels {
            columns,
            ..blocks.channels
        };
        Self {
            network,
            rows,
            channels,
            data,
        }
    }

    /// Numbers before the top.
    fn jets(&self) -> usize {
        let units = self.network.units();
        let features = self.network.dimension() + 2 * units;
        features * self.channels.stride + units * self.channels.columns
    }

    /// Computes the jet of U at each row of `x` along the directions, or without any the coordinates.
    pub(crate) fn forward(&mut self, x: &[f32], along: Option<&[f32]>) {
        let jets = self.jets();
        let Self {
            network, channels, ..
        } = *self;
        let Channels {
            directions,
            columns,
            stride,
        } = channels;
        let (data, top) = self.data.split_at_mut(jets);
        let (top, room) = top.split_at_mut(stride);
        let d = network.dimension();
        let (input, mut rest) = data.split_at_mut(d * stride);
        load(x, d, columns, stride, input);
        for (i, input) in input.chunks_exact_mut(stride).enumerate() {
            input[columns..].fill(0.0);
            match along {
                None => input[(1 + i) * columns..][..columns].fill(1.0),
                Some(along) => {
                    for (row, along) in along.chunks_exact(directions * d).enumerate() {
                        for (k, v) in along.chunks_exact(d).enumerate() {
                            input[(1 + k) * columns + row] = v[i];
                        }
                    }
                }
            }
        }
        let mut input: &[f32] = input;
        for layer in network.hidden() {
            let (before, after) = rest.split_at_mut(layer.outputs * stride);
            let (bent, after) = after.split_at_mut(layer.outputs * stride);
            let (seeds, after) = after.split_at_mut(layer.outputs * columns);
            let product = layer.forward(
                Matrix {
                    data: input,
                    stride,
                },
                channels.all(),
                &mut *before,
                Then::Store,
            );
            network.level.run(product);
            network.level.run(Bend {
                activation: network.activation,
                channels,
                bias: layer.bias,
                before,
                after: bent,
                seeds,
                room,
            });
            (input, rest) = (bent, after);
        }
        if let Some(layer) = network.layers.last() {
            let input = Matrix {
                data: input,
                stride,
            };
            let product = layer.forward(input, channels.all(), &mut *top, Then::Store);
            network.level.run(product);
            for energy in &mut top[..columns] {
                *energy += layer.bias[0];
            }
        }
    }

    /// The formula's values at the rows, whose first has the number `first`, from their jets; the loss's
    /// derivatives take the place of the jets.
    pub(crate) fn evaluate(&mut self, formula: Scaled, first: usize) -> f64 {
        let (at, rows) = (self.jets(), self.rows);
        let (parts, columns) = (self.channels.directions + 2, self.channels.columns);
        let top = &mut self.data[at..][..parts * columns];
        let mut jets = vec![0.0; 2 * rows * parts];
        let (jets, slopes) = jets.split_at_mut(rows * parts);
        for (row, jet) in jets.chunks_exact_mut(parts).enumerate() {
            for (part, number) in jet.iter_mut().enumerate() {
                *number = top[part * columns + row];
            }
        }
        let loss = super::formula::evaluate(formula, first, jets, slopes);
        top.fill(0.0);
        for (row, slopes) in slopes.chunks_exact(parts).enumerate() {
            for (part, slope) in slopes.iter().enumerate() {
                top[part * columns + row] = *slope;
            }
        }
        loss
    }

    /// Adds ∂L/∂θ to `gradient`. Needs a forward pass and [`JetBlock::evaluate`], which it uses up.
    pub(crate) fn backward(&mut self, gradient: &mut [f32]) {
        let mut at = self.jets();
        let Self {
            network, channels, ..
        } = *self;
        let Channels {
            columns, stride, ..
        } = channels;
        let (data, room) = self.data.split_at_mut(at + stride);
        let (room, panel) = room.split_at_mut(3 * columns);
        for (l, layer) in network.layers.iter().enumerate().rev() {
            // `at` is where the loss's derivatives with respect to this layer's output begin.
            let (before, outer) = data.split_at_mut(at);
            let outer = Matrix {
                data: outer,
                stride,
            };
            let start = if l > 0 {
                at - layer.inputs * (2 * stride + columns)
            } else {
                0
            };
            let (jets, inner) =
                before[start..].split_at_mut(if l > 0 { layer.inputs * stride } else { 0 });
            let (weight, bias) = layer.split(gradient);
            network.level.run(WeightGradient {
                outputs: layer.outputs,
                inputs: layer.inputs,
                depth: channels.all(),
                bias_depth: columns,
                outer,
                inner: Matrix {
                    data: inner,
                    stride,
                },
                weight,
                bias,
                panel: &mut *panel,
            });
            if l == 0 {
                break;
            }
            let (inner, seeds) = inner.split_at_mut(layer.inputs * stride);
            let product = layer.reverse(outer, channels.all(), &mut *inner, Then::Store);
            network.level.run(product);
            network.level.run(Unbend {
                activation: network.activation,
                channels,
                before: jets,
                after: inner,
                seeds,
                room,
            });
            at = start;
        }
    }
}
