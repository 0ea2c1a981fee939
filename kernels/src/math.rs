//! Elementary functions of one number, written so that a loop over them is vectorised.
//!
//! No branch, no table, no conversion between integers and floats: the compiler turns each loop
//! into straight vector code for every level. `W` says how to multiply and add; with a width that
//! does not fuse, a function gives the same bits on every machine.

use super::simd::Width;
use std::f32::consts::LOG2_E;

/// Adding 1.5 2²³ rounds to an integer, which is then in the low bits.
const ROUND: f32 = 12_582_912.0;
/// ln 2 = LN_2_HIGH + LN_2_LOW, the first with few enough bits that its multiples are exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// c_0 + c_1 x + c_2 x² + ...
#[inline(always)]
fn polynomial<W: Width, const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = 0.0;
    for i in (0..N).rev() {
        sum = if i == N - 1 {
            coefficients[i]
        } else {
            W::multiply_add(sum, x, coefficients[i])
        };
    }
    sum
}

/// Where e^x counts as 0: below 8e-20. No sum of activations sees that little, and products of several, back
/// through the layers, would come below the smallest normal number, for which processors take many times as long.
const TINY: f32 = -44.0;

/// e^x for x ≤ 0, and exactly 0 below [`TINY`]. Relative error 2e-7.
#[inline(always)]
fn exp_negative<W: Width>(x: f32) -> f32 {
    let tiny = x < TINY;
    let x = if tiny { TINY } else { x };
    // e^x = 2^n e^r with |r| ≤ ln 2 / 2.
    let shifted = W::multiply_add(x, LOG2_E, ROUND);
    let rest = exp_rest::<W>(x, shifted - ROUND);
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    let value = rest * power;
    if tiny { 0.0 } else { value }
}

/// Below, where e^x is hardly a normal number any more, it counts as 0; above, it is infinite.
const LEAST: f32 = -86.9;
const MOST: f32 = 88.722_84;

/// e^x. Relative error 2e-7.
#[inline(always)]
pub(crate) fn exp<W: Width>(x: f32) -> f32 {
    let inside = if x < LEAST { LEAST } else { x };
    let inside = if inside > MOST { MOST } else { inside };
    let shifted = W::multiply_add(inside, LOG2_E, ROUND);
    let n = shifted - ROUND;
    let value = exp_rest::<W>(inside, n);
    // 2^n as a product, as 2^128 is no number.
    let power = f32::from_bits(shifted.to_bits().wrapping_add(126) << 23);
    let value = value * power * 2.0;
    let value = if x < LEAST { 0.0 } else { value };
    if x > MOST { f32::INFINITY } else { value }
}

/// e^(x - n ln 2), where the difference is at most ln 2 / 2.
#[inline(always)]
fn exp_rest<W: Width>(x: f32, n: f32) -> f32 {
    let r = W::multiply_add(n, -LN_2_HIGH, x);
    let r = W::multiply_add(n, -LN_2_LOW, r);
    let tail = polynomial::<W, 5>(
        r,
        [
            0.5,
            1.666_657_6e-1,
            4.166_655_6e-2,
            8.363_179e-3,
            1.392_618_4e-3,
        ],
    );
    W::multiply_add(tail * r, r, r) + 1.0
}

/// ln(1 + e) for e in [0, 1]. Relative error 2e-7.
#[inline(always)]
pub(crate) fn ln_1p_unit<W: Width>(e: f32) -> f32 {
    e * polynomial::<W, 9>(
        e,
        [
            9.999_999_4e-1,
            -4.999_944_6e-1,
            3.331_812e-1,
            -2.483_539_9e-1,
            1.907_688_1e-1,
            -1.360_224_8e-1,
            7.751_609e-2,
            -2.907_406_5e-2,
            5.126_102_4e-3,
        ],
    )
}

/// ln x for x > 0, normal and finite (others give some number). Relative error 2e-7, or absolute
/// 1e-7 near 1.
#[inline(always)]
pub(crate) fn ln<W: Width>(x: f32) -> f32 {
    // x = 2^n (1 + f) with √½ ≤ 1 + f < √2.
    let bits = x.to_bits();
    let offset = bits.wrapping_sub(0x3f35_04f3);
    // The exponent as a float: it is put into the low bits of ROUND.
    let exponent = ((offset as i32) >> 23) as u32;
    let n = f32::from_bits(exponent.wrapping_add(ROUND.to_bits())) - ROUND;
    let f = f32::from_bits((offset & 0x007f_ffff).wrapping_add(0x3f35_04f3)) - 1.0;
    let tail = polynomial::<W, 8>(
        f,
        [
            3.333_333e-1,
            -2.500_030_7e-1,
            2.000_104_5e-1,
            -1.664_128_2e-1,
            1.421_449_3e-1,
            -1.299_818_8e-1,
            1.262_234_7e-1,
            -7.902_768e-2,
        ],
    );
    let square = f * f;
    let small = W::multiply_add(n, LN_2_LOW, tail * f * square);
    let small = W::multiply_add(square, -0.5, small);
    W::multiply_add(n, LN_2_HIGH, f + small)
}

/// ln x for every x: -∞ at 0, and NaN below.
#[inline(always)]
pub(crate) fn ln_any<W: Width>(x: f32) -> f32 {
    let tiny = x < f32::MIN_POSITIVE;
    let value = ln::<W>(if tiny { x * 16_777_216.0 } else { x });
    let value = if tiny { value - 16.635_532 } else { value };
    let value = if x == 0.0 { f32::NEG_INFINITY } else { value };
    let value = if x == f32::INFINITY { x } else { value };
    if x >= 0.0 { value } else { f32::NAN }
}

/// (sin x, cos x). Error 2e-7 up to |x| = 1e6, where the spacing of numbers is a sixteenth.
#[inline(always)]
pub(crate) fn sin_cos_any<W: Width>(x: f32) -> (f32, f32) {
    /// As [`ROUND`], in double precision.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let wide = f64::from(x);
    let shifted = wide * std::f64::consts::FRAC_2_PI + ROUND;
    let turns = shifted - ROUND;
    let rest = (wide - turns * std::f64::consts::FRAC_PI_2) as f32;
    let quarter = shifted.to_bits() as u32;
    let (sin, cos) = sin_cos::<W>(rest);
    let is_odd = quarter & 1 == 1;
    let (one, other) = if is_odd { (cos, sin) } else { (sin, cos) };
    // The signs' bits: sin turns in the quarters 2 and 3, cos in 1 and 2.
    let sin_sign = (quarter & 2) << 30;
    let cos_sign = (quarter.wrapping_add(1) & 2) << 30;
    let sin = f32::from_bits(one.to_bits() ^ sin_sign);
    (sin, f32::from_bits(other.to_bits() ^ cos_sign))
}

/// (sin a, cos a) for |a| ≤ π/4. Error 1e-7.
#[inline(always)]
pub(crate) fn sin_cos<W: Width>(a: f32) -> (f32, f32) {
    let s = a * a;
    let sin = polynomial::<W, 3>(s, [-1.666_666_4e-1, 8.332_748e-3, -1.958_789e-4]);
    let cos = polynomial::<W, 3>(s, [4.166_666_4e-2, -1.388_830_2e-3, 2.454_794e-5]);
    let cos = W::multiply_add(cos * s, s, W::multiply_add(s, -0.5, 1.0));
    (W::multiply_add(sin * s, a, a), cos)
}

/// (1 / (1 + e^-|z|), e^-|z|): the larger of σ(z) and σ(-z), and their quotient.
#[inline(always)]
fn logistic<W: Width>(z: f32) -> (f32, f32) {
    let e = exp_negative::<W>(-z.abs());
    (1.0 / (1.0 + e), e)
}

/// (ln(1 + e^z), its derivative σ(z)).
#[inline(always)]
pub(crate) fn softplus<W: Width>(z: f32) -> (f32, f32) {
    let (larger, e) = logistic::<W>(z);
    let positive = if z > 0.0 { z } else { 0.0 };
    let sigmoid = if z >= 0.0 { larger } else { e * larger };
    (positive + ln_1p_unit::<W>(e), sigmoid)
}

/// (σ(z), σ(-z)).
#[inline(always)]
pub(crate) fn sigmoid<W: Width>(z: f32) -> (f32, f32) {
    let (larger, e) = logistic::<W>(z);
    let smaller = e * larger;
    if z >= 0.0 {
        (larger, smaller)
    } else {
        (smaller, larger)
    }
}

/// (tanh z, its derivative 1 - tanh² z).
#[inline(always)]
pub(crate) fn tanh<W: Width>(z: f32) -> (f32, f32) {
    let (larger, e) = logistic::<W>(2.0 * z);
    let size = (1.0 - e) * larger;
    let square = z * z;
    let tail = polynomial::<W, 5>(
        square,
        [
            -3.333_332_8e-1,
            1.333_271_9e-1,
            -5.384_326_4e-2,
            2.096_133e-2,
            -6.045_165e-3,
        ],
    );
    // Near 0 the quotient would lose digits.
    let near = W::multiply_add(tail * square, z, z);
    let value = if square < 0.39 {
        near
    } else {
        size.copysign(z)
    };
    (value, 4.0 * e * larger * larger)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Kernel, Level};

    type Exact = fn(f64) -> f64;

    struct Evaluate<'a>(&'a [f32], &'a mut [[f32; 8]]);

    impl Kernel for Evaluate<'_> {
        type Output = ();

        #[inline(always)]
        fn run<W: Width>(self, _: W) {
            for (&x, out) in self.0.iter().zip(self.1) {
                let unit = x.abs() / 40.0;
                let (soft, slope) = softplus::<W>(x);
                let (tanh, tanh_slope) = tanh::<W>(x);
                *out = [
                    exp_negative::<W>(-x.abs()),
                    ln_1p_unit::<W>(unit),
                    ln::<W>(x.abs() + 1e-30),
                    sin_cos::<W>(unit * 0.785).0,
                    soft,
                    slope,
                    tanh,
                    tanh_slope,
                ];
            }
        }
    }

    #[test]
    fn every_function_is_accurate_on_every_level() {
        let x: Vec<f32> = (-40_000..=40_000).map(|i| i as f32 * 1e-3).collect();
        let exact: [Exact; 8] = [
            |x| (-x.abs()).exp(),
            |x| f64::from(x.abs() as f32 / 40.0).ln_1p(),
            |x| f64::from(x.abs() as f32 + 1e-30).ln(),
            |x| f64::from(x.abs() as f32 / 40.0 * 0.785).sin(),
            |x| x.max(0.0) + (-x.abs()).exp().ln_1p(),
            |x| 1.0 / (1.0 + (-x).exp()),
            |x| x.tanh(),
            |x| {
                if 2.0 * x.abs() > -f64::from(TINY) {
                    0.0
                } else {
                    1.0 / x.cosh().powi(2)
                }
            },
        ];
        for level in Level::available() {
            let mut out = vec![[0.0; 8]; x.len()];
            level.run(Evaluate(&x, &mut out));
            for (f, exact) in exact.iter().enumerate() {
                let error = |(x, out): (&f32, &[f32; 8])| {
                    let exact = exact(f64::from(*x));
                    let scale = if f == 2 {
                        exact.abs().max(1.0)
                    } else {
                        exact.abs().max(1e-36)
                    };
                    (f64::from(out[f]) - exact).abs() / scale
                };
                let worst = x.iter().zip(&out).map(error).fold(0.0, f64::max);
                assert!(worst < 3.2e-7, "{}: function {f}: {worst:e}", level.name());
            }
        }
    }

    struct Others<'a>(&'a [f32], &'a mut [[f32; 4]]);

    impl Kernel for Others<'_> {
        type Output = ();

        #[inline(always)]
        fn run<W: Width>(self, _: W) {
            for (&x, out) in self.0.iter().zip(self.1) {
                let (sin, cos) = sin_cos_any::<W>(x);
                *out = [exp::<W>(x), ln_any::<W>(x), sin, cos];
            }
        }
    }

    #[test]
    fn exp_ln_sin_and_cos_take_every_number() {
        let near = (-90_000..=90_000).map(|i| i as f32 * 1e-3);
        let far = (0..2000).map(|i| 1.011_f32.powi(i - 1000) * 1e-30);
        let large = (0..2000).map(|i| 500.3 * i as f32 - 5e5);
        let x: Vec<f32> = near.chain(far).chain(large).collect();
        for level in Level::available() {
            let mut out = vec![[0.0; 4]; x.len()];
            level.run(Others(&x, &mut out));
            for (x, out) in x.iter().zip(out) {
                let wide = f64::from(*x);
                let name = level.name();
                let e = if *x < LEAST { 0.0 } else { wide.exp() };
                if wide.exp() > f64::from(f32::MAX) {
                    assert_eq!(out[0], f32::INFINITY, "{name}: exp {x}");
                } else {
                    let error = (f64::from(out[0]) - e).abs();
                    assert!(error <= 4e-7 * e, "{name}: exp {x} is {}", out[0]);
                }
                if *x > 0.0 {
                    let error = (f64::from(out[1]) - wide.ln()).abs();
                    assert!(error <= 4e-7 * wide.ln().abs().max(1.0), "{name}: ln {x}");
                }
                for (found, exact) in [(out[2], wide.sin()), (out[3], wide.cos())] {
                    let error = (f64::from(found) - exact).abs();
                    assert!(error < 3e-7, "{name}: {found} for {exact} at {x}");
                }
            }
            let strange = [0.0, -1.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1e-40];
            let mut out = [[0.0; 4]; 6];
            level.run(Others(&strange, &mut out));
            assert_eq!(out[0], [1.0, f32::NEG_INFINITY, 0.0, 1.0]);
            assert!(out[1][1].is_nan() && out[3][1].is_nan());
            assert_eq!(out[2][..2], [f32::INFINITY; 2]);
            assert_eq!(out[3][0], 0.0);
            assert!(out[4].iter().all(|value| value.is_nan()), "{:?}", out[4]);
            assert!((out[5][1] - 1e-40_f32.ln()).abs() < 1e-4);
        }
    }

    #[test]
    fn what_no_sum_sees_is_0() {
        let x: Vec<f32> = (0..4000).map(|i| i as f32 * -0.03).collect();
        for level in Level::available() {
            let mut out = vec![[0.0; 8]; x.len()];
            level.run(Evaluate(&x, &mut out));
            for (x, out) in x.iter().zip(out) {
                for f in [out[0], out[4], out[5]] {
                    assert_eq!(f == 0.0, *x < TINY, "{}: {f:e} at {x}", level.name());
                    assert!(f == 0.0 || f > 7e-20);
                }
            }
        }
    }

    #[test]
    fn extremes_stay_finite() {
        for level in Level::available() {
            let x = [0.0, -0.0, 1e4, -1e4, f32::MAX, f32::MIN, f32::NAN];
            let mut out = [[0.0; 8]; 7];
            level.run(Evaluate(&x, &mut out));
            assert_eq!(out[0][4..8], [std::f32::consts::LN_2, 0.5, 0.0, 1.0]);
            assert_eq!(out[1][5], 0.5);
            assert_eq!(out[2][4..8], [1e4, 1.0, 1.0, 0.0]);
            assert_eq!(out[3][4..8], [0.0, 0.0, -1.0, 0.0]);
            assert_eq!(out[4][4..8], [f32::MAX, 1.0, 1.0, 0.0]);
            assert_eq!(out[5][4..8], [0.0, 0.0, -1.0, 0.0]);
            assert!(
                out[6][4..8].iter().all(|value| value.is_nan()),
                "{:?}",
                out[6]
            );
        }
    }
}
