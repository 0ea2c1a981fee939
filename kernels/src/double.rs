//! Elementary functions of one double, written as those of [`super::math`] are.

use super::simd::Width;
use std::f64::consts::LOG2_E;

/// Adding 1.5 2⁵² rounds to an integer, which is then in the low bits.
const ROUND: f64 = 6_755_399_441_055_744.0;
/// ln 2 = LN_2_HIGH + LN_2_LOW, the first with few enough bits that its multiples are exact.
const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

#[inline(always)]
pub(crate) fn multiply_add<W: Width>(a: f64, b: f64, c: f64) -> f64 {
    if W::FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// c_0 + c_1 x + c_2 x² + ...
#[inline(always)]
fn polynomial<W: Width, const N: usize>(x: f64, coefficients: [f64; N]) -> f64 {
    let mut sum = coefficients[N - 1];
    for i in (0..N - 1).rev() {
        sum = multiply_add::<W>(sum, x, coefficients[i]);
    }
    sum
}

/// e^x for x ≤ 0, and exactly 0 below -708. Relative error 4e-16. NaN stays.
#[inline(always)]
pub(crate) fn exp_negative<W: Width>(x: f64) -> f64 {
    let tiny = x < -708.0;
    let x = if tiny { -708.0 } else { x };
    // e^x = 2^n e^r with |r| ≤ ln 2 / 2; the series ends where its terms are below 4e-18.
    let shifted = multiply_add::<W>(x, LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = multiply_add::<W>(n, -LN_2_HIGH, x);
    let r = multiply_add::<W>(n, -LN_2_LOW, r);
    let tail = polynomial::<W, 12>(
        r,
        [
            1.0 / 2.0,
            1.0 / 6.0,
            1.0 / 24.0,
            1.0 / 120.0,
            1.0 / 720.0,
            1.0 / 5_040.0,
            1.0 / 40_320.0,
            1.0 / 362_880.0,
            1.0 / 3_628_800.0,
            1.0 / 39_916_800.0,
            1.0 / 479_001_600.0,
            1.0 / 6_227_020_800.0,
        ],
    );
    let power = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    let value = (multiply_add::<W>(tail * r, r, r) + 1.0) * power;
    if tiny { 0.0 } else { value }
}

/// ln x for x > 0, normal and finite (others give some number). Relative error 4e-16, or absolute 2e-16
/// near 1.
#[inline(always)]
pub(crate) fn ln<W: Width>(x: f64) -> f64 {
    const ROOT_OF_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    // x = 2^n m with √½ ≤ m < √2.
    let offset = x.to_bits().wrapping_sub(ROOT_OF_HALF);
    // The exponent as a float: it is put into the low bits of ROUND.
    let exponent = ((offset as i64) >> 52) as u64;
    let n = f64::from_bits(exponent.wrapping_add(ROUND.to_bits())) - ROUND;
    let m = f64::from_bits((offset & 0x000f_ffff_ffff_ffff).wrapping_add(ROOT_OF_HALF));
    // ln m = 2 atanh s, whose series ends where its terms are below 1e-17.
    let s = (m - 1.0) / (m + 1.0);
    let square = s * s;
    let tail = polynomial::<W, 10>(
        square,
        [
            2.0 / 3.0,
            2.0 / 5.0,
            2.0 / 7.0,
            2.0 / 9.0,
            2.0 / 11.0,
            2.0 / 13.0,
            2.0 / 15.0,
            2.0 / 17.0,
            2.0 / 19.0,
            2.0 / 21.0,
        ],
    );
    let small = multiply_add::<W>(n, LN_2_LOW, tail * square * s);
    multiply_add::<W>(n, LN_2_HIGH, 2.0 * s + small)
}

#[cfg(test)]
mod tests {
    use super::super::simd::{Kernel, Level};
    use super::*;

    struct Both<'a>(&'a [f64]);

    impl Kernel for Both<'_> {
        type Output = Vec<(f64, f64)>;

        #[inline(always)]
        fn run<W: Width>(self, _: W) -> Self::Output {
            let each = self.0.iter().map(|x| (exp_negative::<W>(*x), ln::<W>(-x)));
            each.collect()
        }
    }

    #[test]
    fn every_level_is_as_exact_as_doubles_are() {
        let x: Vec<f64> = (0..20_000)
            .map(|i| -10f64.powf(f64::from(i) * 5.9e-4 - 9.0))
            .chain([-0.0, -1.0, -708.5, -1e300, f64::NEG_INFINITY])
            .collect();
        for level in Level::available() {
            for (x, (exp, ln)) in x.iter().zip(level.run(Both(&x))) {
                let exact = if *x < -708.0 { 0.0 } else { x.exp() };
                assert!(
                    (exp - exact).abs() <= 5e-16 * exact,
                    "{} exp {x}",
                    level.name()
                );
                if x.is_normal() {
                    let exact = (-x).ln();
                    let error = (ln - exact).abs();
                    assert!(
                        error <= 5e-16 * exact.abs().max(1.0),
                        "{} ln {x}",
                        level.name()
                    );
                }
            }
            assert!(level.run(Both(&[f64::NAN]))[0].0.is_nan());
        }
    }
}
