//! Functions of one number, and what they do to the features of a block.

use super::channels::{Channels, parts, parts_mut};
use super::math::{exp, ln_any, sigmoid, sin_cos_any, softplus, tanh};
use super::simd::{Kernel, Width};

/// A function of each feature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Function {
    /// ln(1 + e^z).
    Softplus,
    /// z σ(z).
    Silu,
    /// 1 / (1 + e^-z).
    Sigmoid,
    /// tanh z.
    Tanh,
    /// z, times the slope where z is not positive. PyTorch's slope is 0.01.
    LeakyRelu(f64),
    /// 1, or a number where z is not positive: the derivative of the one before.
    Step(f64),
    /// e^z.
    Exp,
    /// ln z.
    Ln,
    /// √z.
    Sqrt,
    /// sin z.
    Sin,
    /// cos z.
    Cos,
    /// z^n.
    Power(i32),
}

/// Calls the expression with the function as a constant of the language, so that the choice is outside of its loops.
macro_rules! with_function {
    ($function:expr, |$f:ident| $body:expr) => {
        match $function {
            Function::Softplus => {
                let $f = Function::Softplus;
                $body
            }
            Function::Silu => {
                let $f = Function::Silu;
                $body
            }
            Function::Sigmoid => {
                let $f = Function::Sigmoid;
                $body
            }
            Function::Tanh => {
                let $f = Function::Tanh;
                $body
            }
            Function::LeakyRelu(slope) => {
                let $f = Function::LeakyRelu(slope);
                $body
            }
            Function::Step(low) => {
                let $f = Function::Step(low);
                $body
            }
            Function::Exp => {
                let $f = Function::Exp;
                $body
            }
            Function::Ln => {
                let $f = Function::Ln;
                $body
            }
            Function::Sqrt => {
                let $f = Function::Sqrt;
                $body
            }
            Function::Sin => {
                let $f = Function::Sin;
                $body
            }
            Function::Cos => {
                let $f = Function::Cos;
                $body
            }
            Function::Power(2) => {
                let $f = Function::Power(2);
                $body
            }
            Function::Power(3) => {
                let $f = Function::Power(3);
                $body
            }
            Function::Power(4) => {
                let $f = Function::Power(4);
                $body
            }
            Function::Power(-1) => {
                let $f = Function::Power(-1);
                $body
            }
            Function::Power(n) => {
                let $f = Function::Power(n);
                $body
            }
        }
    };
}

impl Function {
    /// (f(z), f'(z)).
    #[inline(always)]
    fn pair<W: Width>(self, z: f32) -> (f32, f32) {
        match self {
            Self::Softplus => softplus::<W>(z),
            Self::Silu => {
                let (s, rest) = sigmoid::<W>(z);
                (z * s, W::multiply_add(z * rest, s, s))
            }
            Self::Sigmoid => {
                let (s, rest) = sigmoid::<W>(z);
                (s, s * rest)
            }
            Self::Tanh => tanh::<W>(z),
            _ => {
                let (f, seed) = self.seeded::<W>(z);
                (f, self.slopes::<W>(z, seed)[0])
            }
        }
    }

    /// (f(z), a number from which [`Self::slopes`] finds the derivatives).
    #[inline(always)]
    fn seeded<W: Width>(self, z: f32) -> (f32, f32) {
        match self {
            Self::Softplus => softplus::<W>(z),
            Self::Silu => {
                let s = sigmoid::<W>(z).0;
                (z * s, s)
            }
            Self::Sigmoid => {
                let s = sigmoid::<W>(z).0;
                (s, s)
            }
            Self::Tanh => {
                let t = tanh::<W>(z).0;
                (t, t)
            }
            // NaN stays NaN.
            Self::LeakyRelu(slope) => {
                let seed = if z > 0.0 { 1.0 } else { slope as f32 };
                (seed * z, seed)
            }
            Self::Step(low) => {
                let low = if z <= 0.0 { low as f32 } else { z };
                (if z > 0.0 { 1.0 } else { low }, 0.0)
            }
            Self::Exp => {
                let e = exp::<W>(z);
                (e, e)
            }
            Self::Ln => (ln_any::<W>(z), 1.0 / z),
            Self::Sqrt => {
                let root = z.sqrt();
                (root, root)
            }
            Self::Sin => {
                let (sin, cos) = sin_cos_any::<W>(z);
                (sin, cos)
            }
            Self::Cos => {
                let (sin, cos) = sin_cos_any::<W>(z);
                (cos, -sin)
            }
            Self::Power(n) => (power(z, n), 0.0),
        }
    }

    /// f'(z), f''(z) and f'''(z) from z and its seed.
    #[inline(always)]
    fn slopes<W: Width>(self, z: f32, seed: f32) -> [f32; 3] {
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
            Self::Sigmoid => {
                let first = seed * (1.0 - seed);
                let second = first * (1.0 - 2.0 * seed);
                [
                    first,
                    second,
                    second * (1.0 - 2.0 * seed) - 2.0 * first * first,
                ]
            }
            Self::Tanh => {
                let first = 1.0 - seed * seed;
                [
                    first,
                    -2.0 * seed * first,
                    first * (4.0 * seed * seed - 2.0 * first),
                ]
            }
            Self::LeakyRelu(_) => [seed, 0.0, 0.0],
            Self::Step(_) => [0.0; 3],
            Self::Exp => [seed; 3],
            Self::Ln => [seed, -seed * seed, 2.0 * seed * seed * seed],
            Self::Sqrt => {
                let r = 1.0 / seed;
                let first = 0.5 * r;
                let second = -0.5 * first * r * r;
                [first, second, -1.5 * second * r * r]
            }
            // The seed is f'.
            Self::Sin => {
                let sin = sin_cos_any::<W>(z).0;
                [seed, -sin, -seed]
            }
            Self::Cos => {
                let cos = sin_cos_any::<W>(z).1;
                [seed, -cos, -seed]
            }
            Self::Power(n) => {
                let mut by = 1.0;
                let mut slopes = [0.0; 3];
                for (k, slope) in slopes.iter_mut().enumerate() {
                    let exponent = n.wrapping_sub(k as i32);
                    by *= exponent as f32;
                    // 0 times a power of 0 would be no number.
                    if by != 0.0 {
                        *slope = by * power(z, exponent.wrapping_sub(1));
                    }
                }
                slopes
            }
        }
    }
}

/// z^n by squaring; with an n that the compiler knows, a few products.
#[inline(always)]
fn power(z: f32, n: i32) -> f32 {
    match n {
        -1 => return 1.0 / z,
        0 => return 1.0,
        1 => return z,
        2 => return z * z,
        3 => return z * z * z,
        4 => return (z * z) * (z * z),
        _ => {}
    }
    z.powi(n)
}

/// Replaces each z by f(z).
pub(crate) struct Apply<'a> {
    pub(crate) function: Function,
    pub(crate) channels: Channels,
    /// `features x stride`.
    pub(crate) values: &'a mut [f32],
}

impl Kernel for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Width>(self, _: W) {
        with_function!(self.function, |f| {
            for values in self.values.chunks_exact_mut(self.channels.stride) {
                for z in &mut values[..self.channels.columns] {
                    *z = f.pair::<W>(*z).0;
                }
            }
        });
    }
}

/// Writes f(z), and leaves f'(z) in the place of each z.
pub(crate) struct Bend<'a> {
    pub(crate) function: Function,
    pub(crate) channels: Channels,
    /// `features x stride`.
    pub(crate) before: &'a mut [f32],
    pub(crate) after: &'a mut [f32],
}

impl Kernel for Bend<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Width>(self, _: W) {
        let Channels {
            columns, stride, ..
        } = self.channels;
        with_function!(self.function, |f| {
            let before = self.before.chunks_exact_mut(stride);
            for (before, after) in before.zip(self.after.chunks_exact_mut(stride)) {
                let before = &mut before[..columns];
                for (z, value) in before.iter_mut().zip(&mut after[..columns]) {
                    (*value, *z) = f.pair::<W>(*z);
                }
            }
        });
    }
}

/// The jets of f(z): value f, slopes f' p_k, bend f' q + f'' Σ_k p_k².
pub(crate) struct BendJets<'a> {
    pub(crate) function: Function,
    pub(crate) channels: Channels,
    /// The jets of z; the seed that is written behind each saves [`UnbendJets`] an exponential.
    pub(crate) before: &'a mut [f32],
    /// The jets of f(z), to be written.
    pub(crate) after: &'a mut [f32],
    /// Room for `3 x columns`.
    pub(crate) room: &'a mut [f32],
}

impl Kernel for BendJets<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Width>(self, _: W) {
        let Self {
            function,
            channels,
            before,
            after,
            room,
        } = self;
        let n = channels.columns;
        let [first, second, squares] = thirds(room, n);
        with_function!(function, |f| {
            let features = before.chunks_exact_mut(channels.stride);
            for (before, after) in features.zip(after.chunks_exact_mut(channels.stride)) {
                let (z, p, q, seeds) = channels.split_mut(before);
                let (value, slopes, bend, _) = channels.split_mut(after);
                for r in 0..n {
                    (value[r], seeds[r]) = f.seeded::<W>(z[r]);
                    [first[r], second[r], _] = f.slopes::<W>(z[r], seeds[r]);
                }
                squares.fill(0.0);
                for (p, slopes) in parts(p, n).zip(parts_mut(slopes, n)) {
                    for r in 0..n {
                        slopes[r] = first[r] * p[r];
                        squares[r] = W::multiply_add(p[r], p[r], squares[r]);
                    }
                }
                for r in 0..n {
                    bend[r] = W::multiply_add(first[r], q[r], second[r] * squares[r]);
                }
            }
        });
    }
}

/// The reverse of [`BendJets`]: from the loss's derivatives with respect to f(z)'s jets, g_z, g_p and g_q, to those
/// with respect to z's, which replace the jets of z.
///
/// value: g_z f' + f'' Σ_k g_p p_k + g_q (f'' q + f''' Σ_k p_k²); slopes: g_p f' + 2 g_q f'' p_k; bend: g_q f'.
pub(crate) struct UnbendJets<'a> {
    pub(crate) function: Function,
    pub(crate) channels: Channels,
    pub(crate) before: &'a mut [f32],
    /// The derivatives with respect to f(z)'s jets.
    pub(crate) outer: &'a [f32],
    /// Room for `3 x columns`.
    pub(crate) room: &'a mut [f32],
}

impl Kernel for UnbendJets<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Width>(self, _: W) {
        let Self {
            function,
            channels,
            before,
            outer,
            room,
        } = self;
        let n = channels.columns;
        let [steep, products, squares] = thirds(room, n);
        with_function!(function, |f| {
            let features = before.chunks_exact_mut(channels.stride);
            for (before, outer) in features.zip(outer.chunks_exact(channels.stride)) {
                let (z, p, q, seeds) = channels.split_mut(before);
                let (g_z, g_p, g_q) = channels.split(outer);
                products.fill(0.0);
                squares.fill(0.0);
                for (p, g_p) in parts(p, n).zip(parts(g_p, n)) {
                    for r in 0..n {
                        products[r] = W::multiply_add(g_p[r], p[r], products[r]);
                        squares[r] = W::multiply_add(p[r], p[r], squares[r]);
                    }
                }
                for r in 0..n {
                    let [first, second, third] = f.slopes::<W>(z[r], seeds[r]);
                    let bent = W::multiply_add(second, q[r], third * squares[r]);
                    let value = W::multiply_add(g_z[r], first, second * products[r]);
                    z[r] = W::multiply_add(g_q[r], bent, value);
                    q[r] = g_q[r] * first;
                    steep[r] = first;
                    squares[r] = 2.0 * g_q[r] * second;
                }
                for (p, g_p) in parts_mut(p, n).zip(parts(g_p, n)) {
                    for r in 0..n {
                        p[r] = W::multiply_add(squares[r], p[r], g_p[r] * steep[r]);
                    }
                }
            }
        });
    }
}

/// Three slices of n numbers.
#[inline(always)]
fn thirds(room: &mut [f32], n: usize) -> [&mut [f32]; 3] {
    let (a, rest) = room.split_at_mut(n);
    let (b, rest) = rest.split_at_mut(n);
    [a, b, &mut rest[..n]]
}
