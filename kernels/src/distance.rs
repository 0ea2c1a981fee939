//! Distances of points, all pairs.

use super::simd::{Kernel, Level, Width};

/// Σ |a - b| over all pairs of a row of `a` and a row of `b`, both `rows x dimension`. Squares are added up
/// in f32, distances in f64.
pub fn sum_of_distances(a: &[f32], b: &[f32], dimension: usize) -> f64 {
    Level::best().run(Distances { a, b, dimension })
}

struct Distances<'a> {
    a: &'a [f32],
    b: &'a [f32],
    dimension: usize,
}

impl Kernel for Distances<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<W: Width>(self, width: W) -> f64 {
        let d = self.dimension;
        let mut sum = 0.0;
        // Two points of each set together: four sums in flight, and a load for each.
        for b in self.b.chunks(2 * d) {
            for a in self.a.chunks(2 * d) {
                if a.len() == 2 * d && b.len() == 2 * d {
                    let (a, b) = (a.split_at(d), b.split_at(d));
                    sum += pairs::<W, 2, 2>(width, [a.0, a.1], [b.0, b.1]);
                    continue;
                }
                for a in a.chunks(d) {
                    for b in b.chunks(d) {
                        sum += pairs::<W, 1, 1>(width, [a], [b]);
                    }
                }
            }
        }
        sum
    }
}

/// Σ |a - b| of all pairs of these rows.
#[inline(always)]
fn pairs<W: Width, const A: usize, const B: usize>(
    width: W,
    a: [&[f32]; A],
    b: [&[f32]; B],
) -> f64 {
    let (a, b) = (a.map(W::as_simd_f32s), b.map(W::as_simd_f32s));
    let mut sums = [[width.splat_f32s(0.0); B]; A];
    let vectors = a.first().map_or(0, |a| a.0.len());
    for v in 0..vectors {
        for i in 0..A {
            for j in 0..B {
                let difference = width.sub_f32s(a[i].0[v], b[j].0[v]);
                sums[i][j] = width.multiply_add_lanes(difference, difference, sums[i][j]);
            }
        }
    }
    let mut sum = 0.0;
    for i in 0..A {
        for j in 0..B {
            let rest = a[i].1.iter().zip(b[j].1).map(|(a, b)| (a - b) * (a - b));
            let square = width.reduce_sum_f32s(sums[i][j]) + rest.sum::<f32>();
            sum += f64::from(square.sqrt());
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha12Rng;

    #[test]
    fn every_level_has_the_sum_of_the_definition() {
        let mut rng = ChaCha12Rng::seed_from_u64(0);
        for (rows, others, dimension) in [(1, 1, 1), (2, 2, 8), (5, 4, 19), (7, 3, 784)] {
            let mut draw = |count: usize| -> Vec<f32> {
                (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
            };
            let (a, b) = (draw(rows * dimension), draw(others * dimension));
            let distance = |a: &[f32], b: &[f32]| {
                let squares = a.iter().zip(b);
                let squares = squares.map(|(a, b)| f64::from(a - b).powi(2));
                squares.sum::<f64>().sqrt()
            };
            let each = a.chunks(dimension);
            let each = each.flat_map(|a| b.chunks(dimension).map(move |b| distance(a, b)));
            let expected: f64 = each.sum();
            for level in Level::available() {
                let (a, b) = (&a, &b);
                let found = level.run(Distances { a, b, dimension });
                assert!(
                    (found - expected).abs() < 1e-6 * expected,
                    "{}",
                    level.name()
                );
            }
        }
    }
}
