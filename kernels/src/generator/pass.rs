//! Through the layers and back, with some images.

use super::correlate::Correlate;
use super::fold::{Fold, Unfold};
use super::gather::{Gather, Slopes, Then};
use super::geometry::Class;
use super::panels::{Packed, load, unload};
use super::share::Share;
use super::stack::{Layer, Stack};
use crate::lanes::each;
use crate::scratch::with_scratch;

/// Some images on their way.
pub(super) struct Pass<'a> {
    stack: &'a Stack,
    packed: &'a Packed,
    images: usize,
    share: Share,
    /// Where the values before each layer begin, those behind the last one included.
    starts: Vec<usize>,
}

impl<'a> Pass<'a> {
    /// These images, shared out in this way.
    pub(super) fn new(stack: &'a Stack, packed: &'a Packed, images: usize, share: Share) -> Self {
        let blocks = |channels: usize| channels.div_ceil(packed.block) * packed.block * images;
        let mut starts = vec![0];
        let mut at = 0;
        for layer in &stack.layers {
            at += blocks(layer.inputs) * layer.pixels.0;
            starts.push(at);
        }
        if let Some(last) = stack.layers.last() {
            at += blocks(last.outputs) * last.pixels.1;
        }
        starts.push(at);
        Self {
            stack,
            packed,
            images,
            share,
            starts,
        }
    }

    /// How many numbers the values of all layers are.
    pub(super) fn values(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// Cuts a list of all values in two before those behind layer l, and keeps these.
    fn split<'v>(&self, values: &'v mut [f32], l: usize) -> (&'v [f32], &'v mut [f32]) {
        let (before, behind) = values[..self.starts[l + 2]].split_at_mut(self.starts[l + 1]);
        (&before[self.starts[l]..], behind)
    }

    /// From latent points to pictures.
    pub(super) fn forward(&self, z: &[f32], values: &mut [f32], images: &mut [f32]) {
        let Self { stack, packed, .. } = *self;
        load(
            z,
            stack.layers[0].inputs,
            packed.block,
            &mut values[..self.starts[1]],
        );
        for (l, (layer, weights)) in stack.layers.iter().zip(&packed.layers).enumerate() {
            let (source, target) = self.split(values, l);
            let is_last = l + 1 == stack.layers.len();
            let then = |n: usize| match is_last {
                true => Then::Store,
                false => Then::Activate(&weights.bias[n * packed.block..], stack.slope),
            };
            self.gather(
                layer,
                &layer.forward,
                layer.pixels,
                (source, target),
                &weights.forward,
                then,
            );
        }
        let taps = &values[self.starts[stack.layers.len()]..];
        let fold = Fold {
            geometry: stack.last,
            pairs: &stack.last_pairs,
            bias: packed.last_bias,
            taps,
            block: packed.block,
            images,
        };
        packed.level.run(fold);
    }

    /// One job for every block of target channels, and where these are few for some images each.
    fn gather<'v>(
        &self,
        layer: &Layer,
        classes: &[Class],
        (source_pixels, target_pixels): (usize, usize),
        (source, target): (&[f32], &mut [f32]),
        weights: &[f32],
        then: impl Fn(usize) -> Then<'v> + Sync,
    ) {
        let per_block = target_pixels * self.packed.block;
        let blocks = target.len() / (self.images * per_block);
        let parts = match self.share.by_channels {
            true => (2 * rayon::current_num_threads()).div_ceil(blocks),
            false => 1,
        };
        let together = self.images.div_ceil(parts);
        let mut jobs: Vec<Vec<&mut [f32]>> = Vec::new();
        jobs.resize_with(blocks * self.images.div_ceil(together), Vec::new);
        for (i, target) in target.chunks_exact_mut(per_block).enumerate() {
            jobs[i / blocks / together * blocks + i % blocks].push(target);
        }
        let work = |(job, target): (usize, Vec<&mut [f32]>)| {
            let n = job % blocks;
            self.packed.level.run(Gather {
                classes,
                source,
                source_pixels,
                source_image: source.len() / self.images,
                first: job / blocks * together,
                weights: &weights[weights.len() / blocks * n..][..weights.len() / blocks],
                taps: layer.taps,
                target,
                then: then(n),
            });
        };
        let jobs = jobs.into_iter().enumerate();
        match self.share.by_channels {
            true => each(jobs, work),
            false => jobs.for_each(work),
        }
    }

    /// From ∂L/∂(image) to the gradients, of all that is wanted.
    pub(super) fn backward(
        &self,
        (images, of_images): (&[f32], &mut [f32]),
        values: &[f32],
        slopes: &mut [f32],
        of_z: Option<&mut [f32]>,
        mut parameters: Option<&mut [f32]>,
    ) {
        let Self { stack, packed, .. } = *self;
        let count = stack.layers.len();
        let unfold = Unfold {
            geometry: stack.last,
            pairs: &stack.last_pairs,
            block: packed.block,
            images,
            cotangent: of_images,
            taps: &mut slopes[self.starts[count]..],
        };
        let of_bias = unfold.run();
        if let (Some(parameters), Some(last)) = (&mut parameters, stack.layers.last()) {
            parameters[last.offset + last.weights()] += of_bias;
        }
        for (l, (layer, weights)) in stack.layers.iter().zip(&packed.layers).enumerate().rev() {
            let input = &values[self.starts[l]..self.starts[l + 1]];
            let (before, outer) = slopes[..self.starts[l + 2]].split_at_mut(self.starts[l + 1]);
            if let Some(parameters) = parameters.as_deref_mut() {
                let own = &mut parameters[layer.offset..][..layer.weights() + layer.biases];
                let (weight, bias) = own.split_at_mut(layer.weights());
                self.correlate(layer, input, outer, weight);
                if l + 1 < count {
                    self.sum(layer, outer, bias);
                }
            }
            if l == 0 && of_z.is_none() {
                return;
            }
            let then = |n: usize| match l {
                0 => Then::Store,
                _ => Then::Scale(Slopes {
                    values: input,
                    start: n * packed.block * layer.pixels.0,
                    stride: input.len() / self.images,
                    slope: stack.slope,
                }),
            };
            let pixels = (layer.pixels.1, layer.pixels.0);
            let inner = &mut before[self.starts[l]..];
            self.gather(
                layer,
                &layer.reverse,
                pixels,
                (outer, inner),
                &weights.reverse,
                then,
            );
        }
        if let Some(of_z) = of_z {
            unload(
                &slopes[..self.starts[1]],
                stack.layers[0].inputs,
                packed.block,
                of_z,
            );
        }
    }

    fn correlate(&self, layer: &Layer, input: &[f32], outer: &[f32], weight: &mut [f32]) {
        let block = self.packed.block;
        let jobs = weight.chunks_mut(block * layer.outputs * layer.taps);
        each(jobs.enumerate(), |(n, weight)| {
            with_scratch(block * block * layer.taps, |room| {
                self.packed.level.run(Correlate {
                    pairs: &layer.pairs,
                    images: self.images,
                    pixels: layer.pixels,
                    input: (
                        &input[n * block * layer.pixels.0..],
                        input.len() / self.images,
                    ),
                    outer: (outer, outer.len() / self.images),
                    outputs: layer.outputs,
                    weight,
                    room,
                });
            });
        });
    }

    /// Adds ∂L/∂b, the sum of ∂L/∂z over all pixels.
    fn sum(&self, layer: &Layer, outer: &[f32], bias: &mut [f32]) {
        let block = self.packed.block;
        for image in outer.chunks_exact(outer.len() / self.images) {
            let blocks = image.chunks_exact(layer.pixels.1 * block);
            for (bias, outer) in bias.chunks_mut(block).zip(blocks) {
                for pixel in outer.chunks_exact(block) {
                    bias.iter_mut().zip(pixel).for_each(|(bias, g)| *bias += g);
                }
            }
        }
    }
}
