//! Elementwise steps of the derivatives that are carried through a network.
//!
//! A jet has D + 2 channels: a value z, its derivatives p_1, ..., p_D along the input's
//! coordinates, and its Laplacian q. A feature's channels lie one after the other.

use super::activation::Activation;
use super::simd::{Kernel, Width};

/// Where the channels of a matrix of jets (`features x stride`) lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Channels {
    /// D.
    pub(crate) directions: usize,
    /// Columns in each channel, one for each row of points.
    pub(crate) columns: usize,
    pub(crate) stride: usize,
}

impl Channels {
    /// Columns of all channels.
    pub(crate) fn all(&self) -> usize {
        (self.directions + 2) * self.columns
    }

    /// One feature's channels: its value, its derivatives and its Laplacian.
    #[inline(always)]
    fn split<'a>(&self, feature: &'a mut [f32]) -> [&'a mut [f32]; 3] {
        let (value, rest) = feature.split_at_mut(self.columns);
        let (derivatives, rest) = rest.split_at_mut(self.directions * self.columns);
        [value, derivatives, &mut rest[..self.columns]]
    }
}

/// The jets of f(z): value f, derivatives f' p_d, Laplacian f' q + f'' Σ_d p_d².
pub(crate) struct Bend<'a> {
    pub(crate) activation: Activation,
    pub(crate) channels: Channels,
    /// Added to each feature's value first.
    pub(crate) bias: &'a [f32],
    /// The jets of z.
    pub(crate) before: &'a mut [f32],
    /// The jets of f(z), to be written.
    pub(crate) after: &'a mut [f32],
    /// `features x columns`, to be written: saves [`Unbend`] the exponentials.
    pub(crate) seeds: &'a mut [f32],
    /// Room for `3 x columns`.
    pub(crate) room: &'a mut [f32],
}

impl Kernel for Bend<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Width>(self, _: W) {
        // One loop for each function, with the choice outside of it.
        match self.activation {
            Activation::Softplus => self.each::<W>(Activation::Softplus),
            Activation::Silu => self.each::<W>(Activation::Silu),
            Activation::LeakyRelu(slope) => self.each::<W>(Activation::LeakyRelu(slope)),
            Activation::Tanh => self.each::<W>(Activation::Tanh),
        }
    }
}

impl Bend<'_> {
    #[inline(always)]
    fn each<W: Width>(self, f: Activation) {
        let Self { channels, .. } = self;
        let n = channels.columns;
        let [first, second, squares] = thirds(self.room, n);
        let features = self.before.chunks_exact_mut(channels.stride);
        let features = features.zip(self.after.chunks_exact_mut(channels.stride));
        let features = features.zip(self.seeds.chunks_exact_mut(n)).zip(self.bias);
        for (((before, after), seeds), bias) in features {
            let [z, p, q] = channels.split(before);
            let [value, derivatives, laplacian] = channels.split(after);
            for r in 0..n {
                z[r] += bias;
                (value[r], seeds[r]) = f.seeded::<W>(z[r]);
                [first[r], second[r], _] = f.slopes(z[r], seeds[r]);
            }
            squares.fill(0.0);
            for (p, derivatives) in p.chunks_exact(n).zip(derivatives.chunks_exact_mut(n)) {
                for r in 0..n {
                    derivatives[r] = first[r] * p[r];
                    squares[r] = W::multiply_add(p[r], p[r], squares[r]);
                }
            }
            for r in 0..n {
                laplacian[r] = W::multiply_add(first[r], q[r], second[r] * squares[r]);
            }
        }
    }
}

/// The reverse of [`Bend`]: from the loss's derivatives with respect to f(z)'s jets, g_z, g_p and
/// g_q, to those with respect to z's.
///
/// value: g_z f' + f'' Σ_d g_p p_d + g_q (f'' q + f''' Σ_d p_d²);
/// derivatives: g_p f' + 2 g_q f'' p_d; Laplacian: g_q f'.
pub(crate) struct Unbend<'a> {
    pub(crate) activation: Activation,
    pub(crate) channels: Channels,
    /// The jets of z, to be overwritten by the result.
    pub(crate) before: &'a mut [f32],
    /// The derivatives with respect to f(z)'s jets.
    pub(crate) after: &'a mut [f32],
    /// What [`Bend`] wrote.
    pub(crate) seeds: &'a [f32],
    /// Room for `3 x columns`.
    pub(crate) room: &'a mut [f32],
}

impl Kernel for Unbend<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Width>(self, _: W) {
        match self.activation {
            Activation::Softplus => self.each::<W>(Activation::Softplus),
            Activation::Silu => self.each::<W>(Activation::Silu),
            Activation::LeakyRelu(slope) => self.each::<W>(Activation::LeakyRelu(slope)),
            Activation::Tanh => self.each::<W>(Activation::Tanh),
        }
    }
}

impl Unbend<'_> {
    #[inline(always)]
    fn each<W: Width>(self, f: Activation) {
        let Self { channels, .. } = self;
        let n = channels.columns;
        let [value, products, squares] = thirds(self.room, n);
        let features = self.before.chunks_exact_mut(channels.stride);
        let features = features.zip(self.after.chunks_exact_mut(channels.stride));
        for ((before, after), seeds) in features.zip(self.seeds.chunks_exact(n)) {
            let [z, p, q] = channels.split(before);
            let [g_z, g_p, g_q] = channels.split(after);
            products.fill(0.0);
            squares.fill(0.0);
            for (p, g_p) in p.chunks_exact(n).zip(g_p.chunks_exact(n)) {
                for r in 0..n {
                    products[r] = W::multiply_add(g_p[r], p[r], products[r]);
                    squares[r] = W::multiply_add(p[r], p[r], squares[r]);
                }
            }
            for r in 0..n {
                let [first, second, third] = f.slopes(z[r], seeds[r]);
                let bent = W::multiply_add(second, q[r], third * squares[r]);
                let steep = W::multiply_add(g_z[r], first, second * products[r]);
                value[r] = W::multiply_add(g_q[r], bent, steep);
                q[r] = g_q[r] * first;
                products[r] = first;
                squares[r] = 2.0 * g_q[r] * second;
            }
            for (p, g_p) in p.chunks_exact_mut(n).zip(g_p.chunks_exact(n)) {
                for r in 0..n {
                    p[r] = W::multiply_add(squares[r], p[r], g_p[r] * products[r]);
                }
            }
            z.copy_from_slice(value);
        }
    }
}

/// Three slices of n numbers.
#[inline(always)]
fn thirds(room: &mut [f32], n: usize) -> [&mut [f32]; 3] {
    let (a, rest) = room.split_at_mut(n);
    let (b, rest) = rest.split_at_mut(n);
    [a, b, &mut rest[..n]]
}
