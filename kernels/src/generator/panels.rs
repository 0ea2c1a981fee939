//! Numbers in blocks of channels.

use super::stack::Stack;
use crate::lanes::each;
use crate::product::columns_at;
use crate::simd::Level;

/// Copies `rows x channels`, a pixel each, into blocks, 0 behind the last channel.
pub(super) fn load(rows: &[f32], channels: usize, block: usize, to: &mut [f32]) {
    let to = to.chunks_exact_mut(channels.next_multiple_of(block));
    for (row, to) in rows.chunks_exact(channels).zip(to) {
        to[..channels].copy_from_slice(row);
        to[channels..].fill(0.0);
    }
}

/// The inverse of [`load`].
pub(super) fn unload(from: &[f32], channels: usize, block: usize, rows: &mut [f32]) {
    let from = from.chunks_exact(channels.next_multiple_of(block));
    for (row, from) in rows.chunks_exact_mut(channels).zip(from) {
        row.copy_from_slice(&from[..channels]);
    }
}

/// A stack's weights as the products read them.
#[derive(Clone, Debug)]
pub struct Packed {
    pub(super) level: Level,
    pub(super) block: usize,
    pub(super) layers: Vec<PackedLayer>,
    /// The last layer's bias, which is added to the pictures.
    pub(super) last_bias: f32,
}

#[derive(Clone, Debug, Default)]
pub(super) struct PackedLayer {
    /// Blocks of `output block x tap x input block x input x output`.
    pub(super) forward: Vec<f32>,
    /// Blocks of `input block x tap x output block x output x input`.
    pub(super) reverse: Vec<f32>,
    /// b, 0 behind the last channel.
    pub(super) bias: Vec<f32>,
}

impl Packed {
    /// Packs parameters in the order W_1, b_1, W_2, ..., each W as PyTorch keeps it: `(in, out, k, k)`.
    ///
    /// # Panics
    /// If there are fewer than [`Stack::parameters`].
    pub fn new(stack: &Stack, parameters: &[f32]) -> Self {
        Self::at(Level::best(), stack, parameters)
    }

    pub(super) fn at(level: Level, stack: &Stack, parameters: &[f32]) -> Self {
        let block = columns_at(level);
        let mut layers = Vec::new();
        for layer in &stack.layers {
            let weight = &parameters[layer.offset..][..layer.weights()];
            let bias = &parameters[layer.offset + layer.weights()..][..layer.biases];
            let (inputs, outputs) = (layer.inputs.div_ceil(block), layer.outputs.div_ceil(block));
            let count = inputs * outputs * layer.taps * block * block;
            let mut packed = PackedLayer {
                forward: vec![0.0; count],
                reverse: vec![0.0; count],
                bias: vec![0.0; outputs * block],
            };
            let shape = Blocks {
                block,
                taps: layer.taps,
                channels: (layer.inputs, layer.outputs),
            };
            let forward = packed.forward.chunks_mut(count / outputs).enumerate();
            each(forward, |(n, to)| shape.fill(weight, n, false, to));
            let reverse = packed.reverse.chunks_mut(count / inputs).enumerate();
            each(reverse, |(n, to)| shape.fill(weight, n, true, to));
            packed.bias[..bias.len()].copy_from_slice(bias);
            layers.push(packed);
        }
        let last_bias = parameters.last().copied().unwrap_or(0.0);
        Self {
            level,
            block,
            layers,
            last_bias,
        }
    }
}

struct Blocks {
    block: usize,
    taps: usize,
    /// Of the input and of the output.
    channels: (usize, usize),
}

impl Blocks {
    /// W[i, o, tap] for the outputs of block n, or in `reverse` for its inputs.
    fn fill(&self, weight: &[f32], n: usize, reverse: bool, to: &mut [f32]) {
        let Self {
            block,
            taps,
            channels: (inputs, outputs),
        } = *self;
        let (rows, all) = match reverse {
            true => (outputs, inputs),
            false => (inputs, outputs),
        };
        let columns = n * block..all.min((n + 1) * block);
        let per_tap = rows.div_ceil(block) * block * block;
        for row in 0..rows {
            for (column, other) in columns.clone().enumerate() {
                let (i, o) = if reverse { (other, row) } else { (row, other) };
                let from = &weight[(i * outputs + o) * taps..][..taps];
                for (tap, value) in from.iter().enumerate() {
                    to[tap * per_tap + row * block + column] = *value;
                }
            }
        }
    }
}
