//! Transposed copies, eight by eight numbers at a time.

use super::product::Matrix;
use super::simd::Width;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::__m256;

/// Edge of the squares that are transposed in registers.
pub(crate) const SQUARE: usize = 8;
/// Eight rows of eight numbers.
pub(crate) type Square = [[f32; SQUARE]; SQUARE];

/// Writes the first `count` rows of a matrix into the columns of `to`, which has `tile` columns and
/// as many rows as are to be taken from each row.
#[inline(always)]
pub(crate) fn transpose<W: Width>(
    width: W,
    from: Matrix,
    count: usize,
    tile: usize,
    to: &mut [f32],
) {
    let depth = to.len() / tile;
    let whole = count.min(tile) / SQUARE * SQUARE;
    for j in (0..whole).step_by(SQUARE) {
        let mut rows = [from.data; SQUARE];
        for (i, row) in rows.iter_mut().enumerate() {
            *row = &from.data[(j + i) * from.stride..][..depth];
        }
        for (r, to) in to.chunks_mut(tile * SQUARE).enumerate() {
            let r = r * SQUARE;
            if depth - r < SQUARE {
                for (r, to) in (r..depth).zip(to.chunks_exact_mut(tile)) {
                    for i in 0..SQUARE {
                        to[j + i] = rows[i][r];
                    }
                }
                break;
            }
            let mut square = [[0.0; SQUARE]; SQUARE];
            for i in 0..SQUARE {
                square[i].copy_from_slice(&rows[i][r..r + SQUARE]);
            }
            square = width.transpose(square);
            for i in 0..SQUARE {
                to[i * tile + j..][..SQUARE].copy_from_slice(&square[i]);
            }
        }
    }
    for j in whole..count.min(tile) {
        for (to, from) in to.chunks_exact_mut(tile).zip(&from.data[j * from.stride..]) {
            to[j] = *from;
        }
    }
}

/// The transpose where no instructions are known for it.
#[inline(always)]
pub(crate) fn plain(square: Square) -> Square {
    let mut out = square;
    for (i, row) in out.iter_mut().enumerate() {
        for (j, value) in row.iter_mut().enumerate() {
            *value = square[j][i];
        }
    }
    out
}

/// The transpose with AVX: pairs of numbers, pairs of pairs, then halves of registers.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn avx(v3: pulp::x86::V3, square: Square) -> Square {
    let avx = v3.avx;
    let [a, b, c, d, e, f, g, h]: [__m256; SQUARE] = pulp::cast(square);
    let (upper, lower) = (quarters(v3, [a, b, c, d]), quarters(v3, [e, f, g, h]));
    let mut out = [a; SQUARE];
    for i in 0..SQUARE / 2 {
        out[i] = avx._mm256_permute2f128_ps::<0x20>(upper[i], lower[i]);
        out[i + SQUARE / 2] = avx._mm256_permute2f128_ps::<0x31>(upper[i], lower[i]);
    }
    pulp::cast(out)
}

/// Transposes the left four columns of four rows, and beside them the right four.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn quarters(v3: pulp::x86::V3, [a, b, c, d]: [__m256; 4]) -> [__m256; 4] {
    let avx = v3.avx;
    let (low, high) = (avx._mm256_unpacklo_ps(a, b), avx._mm256_unpackhi_ps(a, b));
    let (next, last) = (avx._mm256_unpacklo_ps(c, d), avx._mm256_unpackhi_ps(c, d));
    [
        avx._mm256_shuffle_ps::<0x44>(low, next),
        avx._mm256_shuffle_ps::<0xee>(low, next),
        avx._mm256_shuffle_ps::<0x44>(high, last),
        avx._mm256_shuffle_ps::<0xee>(high, last),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::simd::{Kernel, Level};

    struct Transpose<'a>(&'a [f32], usize, usize, &'a mut [f32]);

    impl Kernel for Transpose<'_> {
        type Output = ();

        #[inline(always)]
        fn run<W: Width>(self, width: W) {
            let from = Matrix {
                data: self.0,
                stride: self.1,
            };
            transpose(width, from, self.2, 16, self.3);
        }
    }

    #[test]
    fn every_level_transposes() {
        let from: Vec<f32> = (0..20 * 21).map(|i| i as f32).collect();
        for level in Level::available() {
            for (count, depth) in [(16, 16), (20, 21), (3, 9), (11, 7), (8, 8), (1, 1)] {
                let mut to = vec![-1.0; 16 * depth];
                level.run(Transpose(&from, 21, count, &mut to));
                for (i, value) in to.iter().enumerate() {
                    let (r, j) = (i / 16, i % 16);
                    let expected = if j < count { from[j * 21 + r] } else { -1.0 };
                    assert_eq!(*value, expected, "{} {count} {depth}", level.name());
                }
            }
        }
    }
}
