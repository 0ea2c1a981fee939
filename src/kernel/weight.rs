//! The gradient of one layer's parameters.

use super::product::{Matrix, Product, Then, columns};
use super::simd::{Kernel, Width};

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
            let inner = self.inner.data[first * self.inner.stride..].chunks(self.inner.stride);
            for (j, inner) in inner.take(count).enumerate() {
                for (to, from) in panel.chunks_exact_mut(tile).zip(inner) {
                    to[j] = *from;
                }
            }
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

/// Σ_r x_r.
#[inline(always)]
fn sum<W: Width>(width: W, x: &[f32]) -> f32 {
    let (x, rest) = W::as_simd_f32s(x);
    let mut lanes = width.splat_f32s(0.0);
    for x in x {
        lanes = width.add_f32s(lanes, *x);
    }
    lanes = width.add_f32s(lanes, width.partial_load_f32s(rest));
    width.reduce_sum_f32s(lanes)
}

/// Σ_r x_r y_r.
#[inline(always)]
fn dot<W: Width>(width: W, x: &[f32], y: &[f32]) -> f32 {
    let ((x, x_rest), (y, y_rest)) = (W::as_simd_f32s(x), W::as_simd_f32s(y));
    let rest = (
        width.partial_load_f32s(x_rest),
        width.partial_load_f32s(y_rest),
    );
    let mut lanes = width.mul_f32s(rest.0, rest.1);
    for (x, y) in x.iter().zip(y) {
        lanes = width.multiply_add_lanes(*x, *y, lanes);
    }
    width.reduce_sum_f32s(lanes)
}
