//! Matrix products, the bulk of a network's arithmetic.

use super::simd::{Kernel, Level, Width};

/// What becomes of a product's numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Then<'a> {
    /// They replace the output, with a number added to each of its rows in the first so many columns: all or whole
    /// tiles.
    Bias(&'a [f32], usize),
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

impl<'a> Matrix<'a> {
    /// The rows, each as long as the stride but perhaps the last. Slices' own chunks would cost a division each time,
    /// which a tile's few hundred cycles would feel.
    #[inline(always)]
    fn rows(self) -> impl Iterator<Item = &'a [f32]> {
        let mut rest = self.data;
        std::iter::from_fn(move || {
            let (row, after) = rest.split_at(self.stride.min(rest.len()));
            rest = after;
            (!row.is_empty()).then_some(row)
        })
    }
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
pub(crate) const VECTORS: usize = 2;

/// Calls a tile's function with its height as a constant of the language. Heights above 6 are compiled only
/// for levels that have such tiles.
macro_rules! with_height {
    ($height:expr, $this:ident.$tile:ident::<$($generic:ident),+>($($argument:expr),+)) => {
        match $height {
            1 => $this.$tile::<$($generic,)+ 1>($($argument),+),
            2 => $this.$tile::<$($generic,)+ 2>($($argument),+),
            3 => $this.$tile::<$($generic,)+ 3>($($argument),+),
            4 => $this.$tile::<$($generic,)+ 4>($($argument),+),
            5 => $this.$tile::<$($generic,)+ 5>($($argument),+),
            6 => $this.$tile::<$($generic,)+ 6>($($argument),+),
            _ if W::HEIGHT > 6 => match $height {
                7 => $this.$tile::<$($generic,)+ 7>($($argument),+),
                8 => $this.$tile::<$($generic,)+ 8>($($argument),+),
                9 => $this.$tile::<$($generic,)+ 9>($($argument),+),
                10 => $this.$tile::<$($generic,)+ 10>($($argument),+),
                11 => $this.$tile::<$($generic,)+ 11>($($argument),+),
                _ => $this.$tile::<$($generic,)+ 12>($($argument),+),
            },
            _ => {}
        }
    };
}
pub(crate) use with_height;

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
        let tiles = self.rows.div_ceil(W::HEIGHT);
        let (height, higher) = (self.rows / tiles, self.rows % tiles);
        let mut column = 0;
        while column < self.columns {
            let mut row = 0;
            for tile in 0..tiles {
                // As equal as possible: a low tile has too few sums in flight.
                let height = height + usize::from(tile < higher);
                let at = At { row, column };
                with_height!(height, self.tile::<W>(width, at));
                row += height;
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
                Then::Bias(bias, columns) if at.column < columns => bias[at.row + m],
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
                    Then::Bias(..) => width.add_f32s(sum, width.splat_f32s(bias)),
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

    #[inline(always)]
    fn sums<W: Width, const M: usize>(&self, width: W, at: At) -> [[W::f32s; VECTORS]; M] {
        let Matrix { data, stride } = self.left;
        let mut rows = [data; M];
        for (m, row) in rows.iter_mut().enumerate() {
            *row = &data[(at.row + m) * stride..][..self.depth];
        }
        let mut sums = [[width.splat_f32s(0.0); VECTORS]; M];
        let columns = at.column..at.column + columns::<W>();
        let right = self.right.rows();
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
        for (left, right) in self.left.rows().zip(self.right.rows()).take(self.depth) {
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

    /// The product if its depth is K.
    #[inline(always)]
    fn shallow<W: Width, const K: usize>(self) {
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
                Then::Bias(bias, biased) => {
                    let bias = bias[row];
                    for (c, out) in out.iter_mut().enumerate() {
                        *out = entry::<W, K>(factors, inner, c);
                    }
                    for out in out.iter_mut().take(biased) {
                        *out += bias;
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
