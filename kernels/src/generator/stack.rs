//! The layers of a generator.

use super::geometry::{Class, Geometry};
use crate::Misfit;

/// Transposed convolutions, one after the other; the last has one output channel.
#[derive(Clone, Debug)]
pub struct Stack {
    pub(super) layers: Vec<Layer>,
    /// The slope of leaky ReLU.
    pub(super) slope: f32,
    /// The last layer's window, and which pixels it joins.
    pub(super) last: Geometry,
    pub(super) last_pairs: Vec<Vec<(usize, usize)>>,
    parameters: usize,
}

/// One layer as the products see it. In the last one the taps are the outputs.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) taps: usize,
    /// Pixels of an image before and behind the layer.
    pub(super) pixels: (usize, usize),
    pub(super) forward: Vec<Class>,
    pub(super) reverse: Vec<Class>,
    pub(super) pairs: Vec<Vec<(usize, usize)>>,
    pub(super) biases: usize,
    /// Where W begins among all parameters.
    pub(super) offset: usize,
}

impl Layer {
    pub(super) fn weights(&self) -> usize {
        self.inputs * self.outputs * self.taps
    }
}

impl Stack {
    /// Layers with these channels, the input's first and 1 last, and these windows.
    ///
    /// # Errors
    /// If there are not as many windows as layers, a number of channels is 0 or the last is not 1, or
    /// an image before a layer is not what the layer before makes.
    pub fn new(channels: &[usize], windows: &[Geometry], slope: f32) -> Result<Self, Misfit> {
        let fits = windows
            .windows(2)
            .all(|pair| pair[0].output() == Some(pair[1].size));
        let channels_fit = channels.len() == windows.len() + 1
            && !channels.contains(&0)
            && channels.last() == Some(&1);
        let last = windows.last().copied();
        let (Some(last), true, true) = (last.filter(|w| w.output().is_some()), fits, channels_fit)
        else {
            let expected = "a window for each layer, and one channel at the end";
            return Err(Misfit::new("the generator", (channels, windows), expected));
        };
        let mut layers = Vec::new();
        let mut offset = 0;
        for (pair, window) in channels.windows(2).zip(windows) {
            let is_last = layers.len() + 1 == windows.len();
            let (seen, outputs) = match is_last {
                true => (through(window.size), pair[1] * window.taps()),
                false => (*window, pair[1]),
            };
            let area = |size: (usize, usize)| size.0 * size.1;
            let layer = Layer {
                inputs: pair[0],
                outputs,
                taps: seen.taps(),
                pixels: (area(seen.size), area(seen.output().unwrap_or_default())),
                forward: seen.forward(),
                reverse: seen.reverse(),
                pairs: seen.pairs(),
                biases: pair[1],
                offset,
            };
            offset += layer.weights() + layer.biases;
            layers.push(layer);
        }
        Ok(Self {
            layers,
            slope,
            last,
            last_pairs: last.pairs(),
            parameters: offset,
        })
    }

    /// How many parameters there are.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// Channels of the input.
    pub fn latent(&self) -> usize {
        self.layers[0].inputs * self.layers[0].pixels.0
    }

    /// Pixels of a picture.
    pub fn pixels(&self) -> usize {
        let (height, width) = self.last.output().unwrap_or_default();
        height * width
    }
}

/// A window that takes each pixel to itself.
fn through(size: (usize, usize)) -> Geometry {
    Geometry {
        size,
        kernel: 1,
        stride: 1,
        padding: 0,
    }
}
