//! Matrix products of small depth, where a tile would spend its time on loading and storing itself.

use super::product::{Product, Then};
use super::simd::Width;

impl Product<'_> {
    /// The product if its depth is K.
    #[inline(always)]
    pub(crate) fn shallow<W: Width, const K: usize>(self) {
        let Self {
            columns,
            left,
            right,
            ..
        } = self;
        let mut inner = [right.data; K];
        for (k, row) in inner.iter_mut().enumerate() {
            *row = &right.data[k * right.stride..][..columns];
        }
        for (row, out) in self
            .out
            .chunks_mut(self.out_stride)
            .take(self.rows)
            .enumerate()
        {
            let out = &mut out[..columns];
            let mut factors = [0.0; K];
            for (k, factor) in factors.iter_mut().enumerate() {
                let (i, j) = if self.transposed { (k, row) } else { (row, k) };
                *factor = left.data[i * left.stride + j];
            }
            match self.then {
                Then::Bias(bias) => {
                    let bias = bias[row];
                    for (c, out) in out.iter_mut().enumerate() {
                        *out = entry::<W, K>(factors, inner, c) + bias;
                    }
                }
                Then::Store => {
                    for (c, out) in out.iter_mut().enumerate() {
                        *out = entry::<W, K>(factors, inner, c);
                    }
                }
                Then::Scale => {
                    for (c, out) in out.iter_mut().enumerate() {
                        *out *= entry::<W, K>(factors, inner, c);
                    }
                }
                Then::Add => {
                    for (c, out) in out.iter_mut().enumerate() {
                        *out += entry::<W, K>(factors, inner, c);
                    }
                }
            }
        }
    }
}

/// One number of a shallow product.
#[inline(always)]
fn entry<W: Width, const K: usize>(left: [f32; K], right: [&[f32]; K], column: usize) -> f32 {
    let mut sum = 0.0;
    for k in 0..K {
        sum = W::multiply_add(left[k], right[k][column], sum);
    }
    sum
}
