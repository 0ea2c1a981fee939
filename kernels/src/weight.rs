//! The gradient of one layer's parameters.

use super::product::{Matrix, Product, Then, columns};
use super::simd::{Kernel, Width};
use super::transpose::transpose;

/// Adds ∂L/∂W = G Aᵀ and ∂L/∂b = G 1 of a layer z = W a + b to its gradient.
///
/// G = ∂L/∂z is `outputs x depth`, A `inputs x depth`; the bias takes the first `bias_depth`
/// columns of G only, as derivatives of z do not depend on it.
pub(crate) struct WeightGradient<'a> {
    pub(crate) outputs: usize,
    pub(crate) inputs: usize,
    pub(crate) depth: usize,
    pub(crate) bias_depth: usize,
    pub(crate) outer: Matrix<'a>,
    pub(crate) inner: Matrix<'a>,
    /// `outputs x inputs`.
    pub(crate) weight: &'a mut [f32],
    /// Empty where there is none.
    pub(crate) bias: &'a mut [f32],
    /// Room for [`columns`] numbers times the depth.
    pub(crate) panel: &'a mut [f32],
}

/// Up to so many inputs, sums along the rows of G and A beat tiles that are mostly empty.
const FEW: usize = 4;

impl Kernel for WeightGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Width>(self, width: W) {
        let outer = self.outer.data.chunks(self.outer.stride).take(self.outputs);
        for (bias, outer) in self.bias.iter_mut().zip(outer.clone()) {
            *bias += sum(width, &outer[..self.bias_depth]);
        }
        if self.inputs <= FEW || self.outputs == 1 {
            for (weight, outer) in self.weight.chunks_exact_mut(self.inputs).zip(outer) {
                let inner = self.inner.data.chunks(self.inner.stride);
                for (weight, inner) in weight.iter_mut().zip(inner) {
                    *weight += dot(width, &outer[..self.depth], &inner[..self.depth]);
                }
            }
            return;
        }
        let tile = columns::<W>();
        let panel = &mut self.panel[..tile * self.depth];
        for first in (0..self.inputs).step_by(tile) {
            let count = tile.min(self.inputs - first);
            let inner = &self.inner.data[first * self.inner.stride..];
            let inner = Matrix {
                data: inner,
                stride: self.inner.stride,
            };
            transpose(width, inner, count, tile, panel);
            let product = Product {
                rows: self.outputs,
                columns: count,
                depth: self.depth,
                left: self.outer,
                transposed: false,
                right: Matrix {
                    data: panel,
                    stride: tile,
                },
                out: &mut self.weight[first..],
                out_stride: self.inputs,
                then: Then::Add,
            };
            product.run(width);
        }
    }
}

/// Adds the sums of some rows, or of each `each` of them, to numbers.
pub(crate) struct RowSums<'a> {
    pub(crate) rows: &'a [f32],
    pub(crate) stride: usize,
    pub(crate) columns: usize,
    pub(crate) each: usize,
    pub(crate) to: &'a mut [f32],
}

impl Kernel for RowSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Width>(self, width: W) {
        let rows = self.rows.chunks_exact(self.each * self.stride);
        for (to, rows) in self.to.iter_mut().zip(rows) {
            for row in rows.chunks_exact(self.stride) {
                *to += sum(width, &row[..self.columns]);
            }
        }
    }
}

/// Sums in flight at once: one would wait for itself.
const CHAINS: usize = 4;

/// Σ_r x_r.
#[inline(always)]
fn sum<W: Width>(width: W, x: &[f32]) -> f32 {
    let (x, rest) = W::as_simd_f32s(x);
    let (x, single) = x.as_chunks::<CHAINS>();
    let mut chains = [width.splat_f32s(0.0); CHAINS];
    chains[0] = width.partial_load_f32s(rest);
    for x in x {
        for c in 0..CHAINS {
            chains[c] = width.add_f32s(chains[c], x[c]);
        }
    }
    for x in single {
        chains[0] = width.add_f32s(chains[0], *x);
    }
    total(width, chains)
}

/// Σ_r x_r y_r.
#[inline(always)]
fn dot<W: Width>(width: W, x: &[f32], y: &[f32]) -> f32 {
    let ((x, x_rest), (y, y_rest)) = (W::as_simd_f32s(x), W::as_simd_f32s(y));
    let ((x, x_single), (y, y_single)) = (x.as_chunks::<CHAINS>(), y.as_chunks::<CHAINS>());
    let mut chains = [width.splat_f32s(0.0); CHAINS];
    let rest = (
        width.partial_load_f32s(x_rest),
        width.partial_load_f32s(y_rest),
    );
    chains[0] = width.mul_f32s(rest.0, rest.1);
    for (x, y) in x.iter().zip(y) {
        for c in 0..CHAINS {
            chains[c] = width.multiply_add_lanes(x[c], y[c], chains[c]);
        }
    }
    for (x, y) in x_single.iter().zip(y_single) {
        chains[0] = width.multiply_add_lanes(*x, *y, chains[0]);
    }
    total(width, chains)
}

#[inline(always)]
fn total<W: Width>(width: W, [a, b, c, d]: [W::f32s; CHAINS]) -> f32 {
    width.reduce_sum_f32s(width.add_f32s(width.add_f32s(a, b), width.add_f32s(c, d)))
}
