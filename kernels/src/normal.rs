//! Standard normal numbers in bulk.

use super::math::{ln, sin_cos};
use super::simd::{Kernel, Level, Width};
use pulp::Scalar128b;
use rand::Rng;
use rand_chacha::ChaCha12Rng;
use std::f32::consts::FRAC_PI_2;

/// Pairs of numbers that are made at a time.
const PAIRS: usize = 256;

/// Fills `out` with independent standard normal numbers.
///
/// Box and Muller's method: from integers u, v of 32 random bits,
/// √(-2 ln((u + ½) / 2³²)) times the cosine and the sine of 2π v / 2³². The largest number is
/// 6.66.
///
/// Only additions, multiplications, divisions and square roots, each rounded by itself, are used:
/// a generator gives the same bits with every level of vector instructions and on every machine. It is advanced by as
/// many 32-bit words as there are numbers, rounded up to an even count; numbers depend on how many
/// are asked for in one call.
pub fn fill_normal(rng: &mut ChaCha12Rng, out: &mut [f32]) {
    fill_at(Level::best(), rng, out);
}

fn fill_at(level: Level, rng: &mut ChaCha12Rng, out: &mut [f32]) {
    let mut bytes = [[0; 4]; 2 * PAIRS];
    for out in out.chunks_mut(2 * PAIRS) {
        let pairs = out.len().div_ceil(2);
        let bytes = &mut bytes[..2 * pairs];
        rng.fill_bytes(bytes.as_flattened_mut());
        let (radii, angles) = bytes.split_at(pairs);
        let (cosines, sines) = out.split_at_mut(pairs);
        level.run(BoxMuller {
            radii,
            angles,
            cosines,
            sines,
        });
    }
}

struct BoxMuller<'a> {
    radii: &'a [[u8; 4]],
    angles: &'a [[u8; 4]],
    cosines: &'a mut [f32],
    /// As long as the cosines, or shorter by one.
    sines: &'a mut [f32],
}

impl Kernel for BoxMuller<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Width>(self, _: W) {
        let (cosines, odd) = self.cosines.split_at_mut(self.sines.len());
        let bits = self.radii.iter().zip(self.angles);
        for ((u, v), (cosine, sine)) in bits.zip(cosines.iter_mut().zip(self.sines)) {
            (*cosine, *sine) = pair(*u, *v);
        }
        if let ([cosine], Some(u), Some(v)) = (odd, self.radii.last(), self.angles.last()) {
            *cosine = pair(*u, *v).0;
        }
    }
}

/// Two numbers from two times 32 bits, with nothing fused.
#[inline(always)]
fn pair(u: [u8; 4], v: [u8; 4]) -> (f32, f32) {
    type Unfused = Scalar128b;
    // Conversions of signed integers are quick: 31 bits for the radius. Rounding can give 1.
    let u = (u32::from_le_bytes(u) >> 1) as i32 as f32;
    let uniform = (u + 0.5) * (0.5_f32).powi(31);
    let radius = (-2.0 * ln::<Unfused>(uniform)).max(0.0).sqrt();
    // The two upper bits choose the quarter of the circle, the others the place in it.
    let v = u32::from_le_bytes(v);
    let place = (v << 2) as i32 as f32 * (FRAC_PI_2 * (0.5_f32).powi(32));
    let (sin, cos) = sin_cos::<Unfused>(place);
    let swap = v & (1 << 30) != 0;
    let (x, y) = if swap { (sin, cos) } else { (cos, sin) };
    let sign = v & (1 << 31);
    let negated = |x: f32| f32::from_bits(x.to_bits() ^ sign);
    (radius * negated(x), radius * negated(y))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn draw(level: Level, count: usize) -> Vec<f32> {
        let mut out = vec![f32::NAN; count];
        fill_at(level, &mut ChaCha12Rng::seed_from_u64(5), &mut out);
        out
    }

    #[test]
    fn every_level_gives_the_same_bits() {
        for count in [0, 1, 2, 3, 511, 512, 513, 5001] {
            let plain = draw(Level::available()[0], count);
            assert!(plain.iter().all(|x| x.is_finite()));
            for level in Level::available() {
                assert_eq!(draw(level, count), plain, "{}", level.name());
            }
        }
    }

    /// The normal distribution function, by Simpson's rule from 0.
    fn distribution(x: f64) -> f64 {
        let n = 400;
        let density = |i: usize| (-0.5 * (x * i as f64 / n as f64).powi(2)).exp();
        let weight = |i: usize| {
            if i == 0 || i == n {
                1.0
            } else {
                2.0 + 2.0 * (i % 2) as f64
            }
        };
        let sum: f64 = (0..=n).map(|i| weight(i) * density(i)).sum();
        0.5 + x / n as f64 / 3.0 * sum / (2.0 * std::f64::consts::PI).sqrt()
    }

    #[test]
    fn numbers_are_normal() {
        let n = 1 << 22;
        let mut x: Vec<f64> = draw(Level::best(), n).into_iter().map(f64::from).collect();
        let mean = |f: &dyn Fn(usize) -> f64| (0..n).map(f).sum::<f64>() / n as f64;
        let error = 4.5 / (n as f64).sqrt();
        assert!(mean(&|i| x[i]).abs() < error);
        assert!((mean(&|i| x[i].powi(2)) - 1.0).abs() < 2_f64.sqrt() * error);
        assert!(mean(&|i| x[i].powi(3)).abs() < 15_f64.sqrt() * error);
        assert!((mean(&|i| x[i].powi(4)) - 3.0).abs() < 96_f64.sqrt() * error);
        // A pair's numbers are independent, and so are neighbours.
        for lag in [1, PAIRS] {
            assert!(mean(&|i| x[i] * x[(i + lag) % n]).abs() < error);
            assert!(
                mean(&|i| (x[i] * x[(i + lag) % n]).powi(2) - 1.0).abs() < 8_f64.sqrt() * error
            );
        }
        x.sort_by(f64::total_cmp);
        // 4.2 million numbers reach beyond 4.7, and 2.7 are expected beyond 5.
        assert!(x[0] < -4.7 && x[n - 1] > 4.7 && x[0] > -6.7 && x[n - 1] < 6.7);
        let distance = |i: usize| (distribution(x[i]) - (i as f64 + 0.5) / n as f64).abs();
        let ks = (0..n).step_by(101).map(distance).fold(0.0, f64::max);
        assert!(ks < 1.95 / (n as f64).sqrt(), "{ks:e}");
    }

    #[test]
    fn tails_and_edges_are_finite() {
        for v in (0..=u32::MAX).step_by((1 << 24) - 1) {
            for (u, radius) in [(0, 6.66), (1, 6.66), (u32::MAX, 0.0), (1 << 31, 1.177)] {
                let (x, y) = pair(u32::to_le_bytes(u), v.to_le_bytes());
                assert!((x.hypot(y) - radius).abs() < 0.01, "{u} {v}: {x} {y}");
            }
        }
    }
}
