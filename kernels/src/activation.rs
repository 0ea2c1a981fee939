//! A network's activation function and its derivatives, over rows of a block.

use super::math::{sigmoid, softplus, tanh};
use super::simd::{Kernel, Width};

/// The function between two layers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// ln(1 + e^z).
    Softplus,
    /// z σ(z).
    Silu,
    /// z, times the slope where z is not positive. PyTorch's slope is 0.01.
    LeakyRelu(f64),
    /// tanh z.
    Tanh,
}

/// Replaces each z by f(z), and writes f'(z) beside it if there is a place for it.
///
/// `values` and `slopes` are `features x stride`; the first `columns` of each feature are done.
pub(crate) struct Activate<'a> {
    pub(crate) activation: Activation,
    pub(crate) values: &'a mut [f32],
    pub(crate) slopes: Option<&'a mut [f32]>,
    pub(crate) stride: usize,
    pub(crate) columns: usize,
}

impl Kernel for Activate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Width>(self, _: W) {
        match self.activation {
            Activation::Softplus => self.each(softplus::<W>),
            Activation::Silu => self.each(silu::<W>),
            Activation::LeakyRelu(slope) => {
                let slope = slope as f32;
                self.each(|z| {
                    if z > 0.0 {
                        (z, 1.0)
                    } else {
                        (slope * z, slope)
                    }
                });
            }
            Activation::Tanh => self.each(tanh::<W>),
        }
    }
}

/// (z σ(z), its derivative σ(z) (1 + z σ(-z))).
#[inline(always)]
fn silu<W: Width>(z: f32) -> (f32, f32) {
    let (s, rest) = sigmoid::<W>(z);
    (z * s, W::multiply_add(z * rest, s, s))
}

impl Activate<'_> {
    #[inline(always)]
    fn each(self, f: impl Fn(f32) -> (f32, f32)) {
        let values = self.values.chunks_exact_mut(self.stride);
        match self.slopes {
            None => {
                for values in values {
                    for z in &mut values[..self.columns] {
                        *z = f(*z).0;
                    }
                }
            }
            Some(slopes) => {
                for (values, slopes) in values.zip(slopes.chunks_exact_mut(self.stride)) {
                    let columns = values[..self.columns].iter_mut();
                    for (z, slope) in columns.zip(&mut slopes[..self.columns]) {
                        (*z, *slope) = f(*z);
                    }
                }
            }
        }
    }
}

impl Activation {
    /// (f(z), a number from which [`Self::slopes`] finds the derivatives without an exponential).
    #[inline(always)]
    pub(crate) fn seeded<W: Width>(self, z: f32) -> (f32, f32) {
        match self {
            Self::Softplus => softplus::<W>(z),
            Self::Silu => {
                let s = sigmoid::<W>(z).0;
                (z * s, s)
            }
            Self::LeakyRelu(_) if z > 0.0 => (z, 1.0),
            Self::LeakyRelu(slope) => (slope as f32 * z, slope as f32),
            Self::Tanh => {
                let t = tanh::<W>(z).0;
                (t, t)
            }
        }
    }

    /// f'(z), f''(z) and f'''(z) from z and its seed.
    #[inline(always)]
    pub(crate) fn slopes(self, z: f32, seed: f32) -> [f32; 3] {
        match self {
            Self::Softplus => {
                let second = seed * (1.0 - seed);
                [seed, second, second * (1.0 - 2.0 * seed)]
            }
            Self::Silu => {
                let first = seed * (1.0 - seed);
                let second = first * (1.0 - 2.0 * seed);
                let third = second * (1.0 - 2.0 * seed) - 2.0 * first * first;
                [
                    seed + z * first,
                    2.0 * first + z * second,
                    3.0 * second + z * third,
                ]
            }
            Self::LeakyRelu(_) => [seed, 0.0, 0.0],
            Self::Tanh => {
                let first = 1.0 - seed * seed;
                [
                    first,
                    -2.0 * seed * first,
                    first * (4.0 * seed * seed - 2.0 * first),
                ]
            }
        }
    }
}
