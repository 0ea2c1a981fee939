//! Matrix products, the bulk of a network's arithmetic.

use super::simd::{Kernel, Level, Width};
use std::array::from_fn;

/// What becomes of a product's numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Then<'a> {
    /// They replace the output, with a number added to each of its rows.
    Bias(&'a [f32]),
    /// They replace the output.
    Store,
    /// They multiply the output.
    Scale,
    /// They are added to the output.
    Add,
}

/// A matrix in a slice: entry (i, j) at `i * stride + j`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrix<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) stride: usize,
}

/// C (`rows x columns`) from A B, with B `depth x columns`.
///
/// A is `rows x depth`, or `depth x rows` if `transposed`. C and B have unit stride along
/// their columns. A tile of C (up to 12 rows, two vectors of columns) stays in registers over the
/// whole depth: each step takes two vectors of B and broadcasts one number of A for every row.
/// Nothing is packed. The result of an entry does not depend on its place in a tile.
pub(crate) struct Product<'a> {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) depth: usize,
    pub(crate) left: Matrix<'a>,
    pub(crate) transposed: bool,
    pub(crate) right: Matrix<'a>,
    pub(crate) out: &'a mut [f32],
    pub(crate) out_stride: usize,
    pub(crate) then: Then<'a>,
}

/// Columns in a tile, in vectors.
const VECTORS: usize = 2;

impl Kernel for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Width>(mut self, width: W) {
        match self.depth {
            1 => return self.shallow::<W, 1>(),
            2 => return self.shallow::<W, 2>(),
            3 => return self.shallow::<W, 3>(),
            _ => {}
        }
        let tallest = if W::REGISTER_COUNT >= 32 { 12 } else { 6 };
        let tiles = self.rows.div_ceil(tallest);
        let mut column = 0;
        while column < self.columns {
            let mut row = 0;
            for tile in 0..tiles {
                // As equal as possible: a low tile has too few sums in flight.
                let next = self.rows * (tile + 1) / tiles;
                let at = At { row, column };
                match next - row {
                    1 => self.tile::<W, 1>(width, at),
                    2 => self.tile::<W, 2>(width, at),
                    3 => self.tile::<W, 3>(width, at),
                    4 => self.tile::<W, 4>(width, at),
                    5 => self.tile::<W, 5>(width, at),
                    6 => self.tile::<W, 6>(width, at),
                    height if W::REGISTER_COUNT >= 32 => match height {
                        7 => self.tile::<W, 7>(width, at),
                        8 => self.tile::<W, 8>(width, at),
                        9 => self.tile::<W, 9>(width, at),
                        10 => self.tile::<W, 10>(width, at),
                        11 => self.tile::<W, 11>(width, at),
                        _ => self.tile::<W, 12>(width, at),
                    },
                    _ => {}
                }
                row = next;
            }
            column += columns::<W>();
        }
    }
}

/// Columns in a tile. The matrix on the right must have a stride that is no smaller than the
/// number of columns rounded up to a multiple of this.
pub(crate) const fn columns<W: Width>() -> usize {
    VECTORS * W::F32_LANES
}

/// [`columns`] of a level.
pub(crate) fn columns_at(level: Level) -> usize {
    struct Columns;
    impl Kernel for Columns {
        type Output = usize;

        #[inline(always)]
        fn run<W: Width>(self, _: W) -> usize {
            columns::<W>()
        }
    }
    level.run(Columns)
}

#[derive(Clone, Copy)]
struct At {
    row: usize,
    column: usize,
}

impl Product<'_> {
    #[inline(always)]
    fn tile<W: Width, const M: usize>(&mut self, width: W, at: At) {
        let sums = if self.transposed {
            self.sums_transposed::<W, M>(width, at)
        } else {
            self.sums::<W, M>(width, at)
        };
        let lanes = W::F32_LANES;
        let end = self.columns.min(at.column + columns::<W>());
        for (m, sums) in sums.into_iter().enumerate() {
            let start = (at.row + m) * self.out_stride;
            let out = &mut self.out[start + at.column..start + end];
            let bias = match self.then {
                Then::Bias(bias) => bias[at.row + m],
                _ => 0.0,
            };
            for (out, sum) in out.chunks_mut(lanes).zip(sums) {
                let full = out.len() == lanes;
                let old = if full {
                    W::as_simd_f32s(out).0[0]
                } else {
                    width.partial_load_f32s(out)
                };
                let new = match self.then {
                    Then::Bias(_) => width.add_f32s(sum, width.splat_f32s(bias)),
                    Then::Store => sum,
                    Then::Scale => width.mul_f32s(sum, old),
                    Then::Add => width.add_f32s(sum, old),
                };
                if full {
                    W::as_mut_simd_f32s(out).0[0] = new;
                } else {
                    width.partial_store_f32s(out, new);
                }
            }
        }
    }

    /// A product of small depth: a tile would spend its time on loading and storing itself.
    #[inline(always)]
    fn shallow<W: Width, const K: usize>(self) {
        let Self {
            columns,
            left,
            right,
            ..
        } = self;
        let right: [&[f32]; K] = from_fn(|k| &right.data[k * right.stride..][..columns]);
        for (row, out) in self
            .out
            .chunks_mut(self.out_stride)
            .take(self.rows)
            .enumerate()
        {
            let out = &mut out[..columns];
            let left: [f32; K] = from_fn(|k| {
                let (i, j) = if self.transposed { (k, row) } else { (row, k) };
                left.data[i * left.stride + j]
            });
            match self.then {
                Then::Bias(bias) => {
                    let bias = bias[row];
                    for c in 0..columns {
                        out[c] = entry::<W, K>(left, right, c) + bias;
                    }
                }
                Then::Store => {
                    for c in 0..columns {
                        out[c] = entry::<W, K>(left, right, c);
                    }
                }
                Then::Scale => {
                    for c in 0..columns {
                        out[c] *= entry::<W, K>(left, right, c);
                    }
                }
                Then::Add => {
                    for c in 0..columns {
                        out[c] += entry::<W, K>(left, right, c);
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn sums<W: Width, const M: usize>(&self, width: W, at: At) -> [[W::f32s; VECTORS]; M] {
        let Matrix { data, stride } = self.left;
        let rows: [&[f32]; M] = from_fn(|m| &data[(at.row + m) * stride..][..self.depth]);
        let mut sums = [[width.splat_f32s(0.0); VECTORS]; M];
        let columns = at.column..at.column + columns::<W>();
        let right = self.right.data.chunks_exact(self.right.stride);
        for (k, right) in (0..self.depth).zip(right) {
            let right = W::as_simd_f32s(&right[columns.clone()]).0;
            for m in 0..M {
                let left = width.splat_f32s(rows[m][k]);
                for v in 0..VECTORS {
                    sums[m][v] = width.multiply_add_lanes(left, right[v], sums[m][v]);
                }
            }
        }
        sums
    }

    #[inline(always)]
    fn sums_transposed<W: Width, const M: usize>(
        &self,
        width: W,
        at: At,
    ) -> [[W::f32s; VECTORS]; M] {
        let mut sums = [[width.splat_f32s(0.0); VECTORS]; M];
        let columns = at.column..at.column + columns::<W>();
        let rows = at.row..at.row + M;
        let left = self.left.data.chunks_exact(self.left.stride);
        let right = self.right.data.chunks_exact(self.right.stride);
        for (left, right) in left.zip(right).take(self.depth) {
            let left = &left[rows.clone()];
            let right = W::as_simd_f32s(&right[columns.clone()]).0;
            for m in 0..M {
                let left = width.splat_f32s(left[m]);
                for v in 0..VECTORS {
                    sums[m][v] = width.multiply_add_lanes(left, right[v], sums[m][v]);
                }
            }
        }
        sums
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
