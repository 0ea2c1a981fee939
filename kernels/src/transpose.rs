//! Transposed copies, eight by eight numbers at a time.

use super::product::Matrix;
use super::simd::{SQUARE, Width};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Kernel, Level};

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
