//! Energy discrepancy's loss of a block of groups.

use super::math::{exp_negative, ln};
use super::network::check;
use super::scratch::with_scratch;
use super::simd::{Kernel, Level, Width};
use crate::Error;

/// log(w + Σ_{j=1..M} exp(U_0 - U_j)) of each group of energies U_0, ..., U_M.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Discrepancy {
    /// M, at least 1.
    pub(crate) particles: usize,
    /// w ≥ 0.
    pub(crate) stabilisation: f32,
    /// What each group counts, 1/N for a mean over N groups.
    pub(crate) scale: f32,
}

/// Groups that go through the vector units side by side.
const LANES: usize = 16;

impl Discrepancy {
    /// The scaled sum of the losses, with ∂L/∂U written to `cotangent`; both slices are
    /// `groups x (1 + M)`.
    ///
    /// Stable for energies of any size: with d_j = U_0 - U_j and m = max(ln w, d_1, ..., d_M) it is
    /// m + ln(w e^-m + Σ e^(d_j - m)). An infinite U_j counts nothing. NaN stays NaN.
    ///
    /// # Errors
    /// If a slice's length does not fit, or M is 0.
    pub(crate) fn evaluate(self, energies: &[f32], cotangent: &mut [f32]) -> Result<f64, Error> {
        self.evaluate_at(Level::best(), energies, cotangent)
    }

    fn evaluate_at(
        self,
        level: Level,
        energies: &[f32],
        cotangent: &mut [f32],
    ) -> Result<f64, Error> {
        let group = self.particles.saturating_add(1);
        check("the cotangent", cotangent.len(), energies.len())?;
        if self.particles == 0 || !energies.len().is_multiple_of(group) {
            let expected = format!("(groups, {group}), with at least one particle");
            return Err(Error::shape("the energies", energies.len(), expected));
        }
        Ok(with_scratch(group * LANES, |buffer| {
            let buffer = buffer.as_chunks_mut().0;
            level.run(Evaluate {
                discrepancy: self,
                energies,
                cotangent,
                buffer,
            })
        }))
    }
}

struct Evaluate<'a> {
    discrepancy: Discrepancy,
    energies: &'a [f32],
    cotangent: &'a mut [f32],
    /// `(1 + M) x LANES`: energies with the groups side by side.
    buffer: &'a mut [[f32; LANES]],
}

impl Kernel for Evaluate<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<W: Width>(self, _: W) -> f64 {
        let Self {
            discrepancy,
            energies,
            cotangent,
            buffer,
        } = self;
        let group = 1 + discrepancy.particles;
        let mut loss = 0.0;
        let blocks = energies
            .chunks(group * LANES)
            .zip(cotangent.chunks_mut(group * LANES));
        for (energies, cotangent) in blocks {
            for (lane, energies) in energies.chunks_exact(group).enumerate() {
                for (to, energy) in buffer.iter_mut().zip(energies) {
                    to[lane] = *energy;
                }
            }
            let losses = lanes::<W>(discrepancy, buffer);
            for (lane, cotangent) in cotangent.chunks_exact_mut(group).enumerate() {
                for (to, from) in cotangent.iter_mut().zip(buffer.iter()) {
                    *to = from[lane];
                }
                loss += f64::from(losses[lane]);
            }
        }
        loss * f64::from(discrepancy.scale)
    }
}

/// The losses of [`LANES`] groups; their energies are replaced by ∂L/∂U.
#[inline(always)]
fn lanes<W: Width>(discrepancy: Discrepancy, buffer: &mut [[f32; LANES]]) -> [f32; LANES] {
    let Discrepancy {
        stabilisation: w,
        scale,
        ..
    } = discrepancy;
    let log_w = if w > 0.0 { w.ln() } else { f32::MIN };
    let mut largest = [log_w; LANES];
    let Some((first, others)) = buffer.split_first_mut() else {
        return largest;
    };
    for other in others.iter_mut() {
        for lane in 0..LANES {
            let difference = finite(first[lane] - other[lane]);
            other[lane] = difference;
            largest[lane] = if difference > largest[lane] {
                difference
            } else {
                largest[lane]
            };
        }
    }
    let mut sum = [0.0; LANES];
    if w > 0.0 {
        for lane in 0..LANES {
            sum[lane] = exp_negative::<W>(log_w - largest[lane]);
        }
    }
    for other in others.iter_mut() {
        for lane in 0..LANES {
            other[lane] = exp_negative::<W>(other[lane] - largest[lane]);
            sum[lane] += other[lane];
        }
    }
    let mut factor = [0.0; LANES];
    for lane in 0..LANES {
        factor[lane] = -scale / sum[lane];
        first[lane] = 0.0;
        // 0 times the sum is NaN where an energy is; the logarithm is a number even then.
        largest[lane] += ln::<W>(sum[lane]) + 0.0 * sum[lane];
    }
    for other in others {
        for lane in 0..LANES {
            other[lane] *= factor[lane];
            first[lane] -= other[lane];
        }
    }
    largest
}

/// Infinity as the largest finite number; NaN stays.
#[inline(always)]
fn finite(x: f32) -> f32 {
    let x = if x > f32::MAX { f32::MAX } else { x };
    if x < f32::MIN { f32::MIN } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluate(level: Level, w: f32, m: usize, u: &[f32]) -> (f64, Vec<f32>) {
        let mut cotangent = vec![f32::NAN; u.len()];
        let scale = (m + 1) as f32 / u.len() as f32;
        let discrepancy = Discrepancy {
            particles: m,
            stabilisation: w,
            scale,
        };
        let loss = discrepancy.evaluate_at(level, u, &mut cotangent).unwrap();
        (loss, cotangent)
    }

    #[test]
    fn every_level_follows_the_formula() {
        for level in Level::available() {
            for (m, groups, size) in [(1, 1, 1.0), (4, 37, 3.0), (4, 16, 1e4), (33, 5, 80.0)] {
                for w in [0.0, 0.3, 1.0] {
                    let noise = |i: usize| ((i * i) as f32 * 0.37 + i as f32).sin() * size;
                    let u: Vec<f32> = (0..groups * (m + 1)).map(noise).collect();
                    let (loss, cotangent) = evaluate(level, w, m, &u);
                    let mut exact = 0.0;
                    for (u, cotangent) in u.chunks(m + 1).zip(cotangent.chunks(m + 1)) {
                        let d: Vec<f64> = u[1..].iter().map(|x| f64::from(u[0] - x)).collect();
                        let max = d.iter().copied().fold(0.0, f64::max);
                        let exp: Vec<f64> = d.iter().map(|d| (d - max).exp()).collect();
                        let sum = exp.iter().sum::<f64>() + f64::from(w) * (-max).exp();
                        if sum == 0.0 {
                            exact += d.iter().copied().fold(f64::MIN, f64::max);
                            continue;
                        }
                        exact += max + sum.ln();
                        for (j, cotangent) in cotangent[1..].iter().enumerate() {
                            let exact = -exp[j] / sum / groups as f64;
                            assert!(
                                (f64::from(*cotangent) - exact).abs() < 1e-6,
                                "{}",
                                level.name()
                            );
                        }
                        let total: f32 = cotangent.iter().sum();
                        assert!(total.abs() < 1e-6);
                    }
                    exact /= groups as f64;
                    let error = (loss - exact).abs() / exact.abs().max(1.0);
                    assert!(error < 2e-6, "{}: {loss} {exact}", level.name());
                }
            }
        }
    }

    #[test]
    fn infinite_energies_give_no_nan() {
        for level in Level::available() {
            let inf = f32::INFINITY;
            let (loss, cotangent) = evaluate(level, 1.0, 2, &[1.0, inf, inf]);
            assert_eq!((loss, cotangent), (0.0, vec![0.0; 3]));
            let (loss, cotangent) = evaluate(level, 0.0, 2, &[1.0, 2.0, inf]);
            assert!(
                (loss + 1.0).abs() < 1e-6 && cotangent == [1.0, -1.0, 0.0],
                "{cotangent:?}"
            );
            for u in [[1.0, inf], [inf, 1.0], [-inf, 1.0], [1.0, -inf]] {
                for w in [0.0, 1.0] {
                    let (loss, cotangent) = evaluate(level, w, 1, &u);
                    assert!(loss.is_finite() && cotangent.iter().all(|c| c.is_finite()));
                }
            }
            let (loss, _) = evaluate(level, 1.0, 1, &[f32::NAN, 1.0]);
            assert!(loss.is_nan());
        }
    }

    #[test]
    fn shapes_that_do_not_fit_are_errors() {
        let discrepancy = |particles| Discrepancy {
            particles,
            stabilisation: 1.0,
            scale: 1.0,
        };
        assert!(discrepancy(2).evaluate(&[0.0; 4], &mut [0.0; 4]).is_err());
        assert!(discrepancy(2).evaluate(&[0.0; 3], &mut [0.0; 4]).is_err());
        assert!(discrepancy(0).evaluate(&[0.0; 3], &mut [0.0; 3]).is_err());
        assert_eq!(discrepancy(2).evaluate(&[], &mut []).unwrap(), 0.0);
    }
}
