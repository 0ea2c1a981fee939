//! Energy discrepancy's loss of groups of energies.

use super::double::{exp_negative, ln};
use super::scratch::with_scratch;
use super::simd::{Kernel, Level, Width};

/// log(w + Σ_{j=1..M} exp(U_0 - U_j)) of each group of energies U_0, ..., U_M.
#[derive(Clone, Copy, Debug)]
pub struct Discrepancy {
    /// M, at least 1.
    pub particles: usize,
    /// w ≥ 0.
    pub stabilisation: f64,
    /// What each group's loss is multiplied with.
    pub scale: f64,
}

/// Groups that go through the vector units side by side: so many that the compiler keeps the loops over them,
/// which it vectorises, and does not write them out.
const LANES: usize = 32;

impl Discrepancy {
    /// The scaled sum of the losses, with its derivative over each energy written to `slopes`; both slices are
    /// `groups x (1 + M)`.
    ///
    /// Stable for energies of any size: with d_j = U_0 - U_j and m = max(ln w, d_1, ..., d_M) it is
    /// m + ln(w e^-m + Σ e^(d_j - m)). An infinite U_j counts nothing. NaN stays NaN.
    pub fn evaluate(self, energies: &[f64], slopes: &mut [f64]) -> f64 {
        self.evaluate_at(Level::best(), energies, slopes)
    }

    fn evaluate_at(self, level: Level, energies: &[f64], slopes: &mut [f64]) -> f64 {
        with_scratch((1 + self.particles) * LANES, |buffer| {
            level.run(Evaluate {
                discrepancy: self,
                energies,
                slopes,
                buffer: buffer.as_chunks_mut().0,
            })
        })
    }
}

struct Evaluate<'a> {
    discrepancy: Discrepancy,
    energies: &'a [f64],
    slopes: &'a mut [f64],
    /// `(1 + M) x LANES`: energies with the groups side by side.
    buffer: &'a mut [[f64; LANES]],
}

impl Kernel for Evaluate<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<W: Width>(self, _: W) -> f64 {
        let Self {
            discrepancy,
            energies,
            slopes,
            buffer,
        } = self;
        let group = 1 + discrepancy.particles;
        let mut loss = 0.0;
        let blocks = energies
            .chunks(group * LANES)
            .zip(slopes.chunks_mut(group * LANES));
        for (energies, slopes) in blocks {
            for (j, to) in buffer.iter_mut().enumerate() {
                for (to, energies) in to.iter_mut().zip(energies.chunks_exact(group)) {
                    *to = energies[j];
                }
            }
            let losses = lanes::<W>(discrepancy, buffer);
            for (j, from) in buffer.iter().enumerate() {
                for (from, slopes) in from.iter().zip(slopes.chunks_exact_mut(group)) {
                    slopes[j] = *from;
                }
            }
            loss += losses[..energies.len() / group].iter().sum::<f64>();
        }
        loss * discrepancy.scale
    }
}

/// The losses of [`LANES`] groups; their energies are replaced by the slopes.
#[inline(always)]
fn lanes<W: Width>(discrepancy: Discrepancy, buffer: &mut [[f64; LANES]]) -> [f64; LANES] {
    let Discrepancy {
        stabilisation: w,
        scale,
        ..
    } = discrepancy;
    let log_w = if w > 0.0 { w.ln() } else { f64::MIN };
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
            other[lane] -= largest[lane];
        }
    }
    for other in others.as_flattened_mut() {
        *other = exp_negative::<W>(*other);
    }
    for other in others.iter() {
        for lane in 0..LANES {
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
fn finite(x: f64) -> f64 {
    let x = if x > f64::MAX { f64::MAX } else { x };
    if x < f64::MIN { f64::MIN } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluate(level: Level, w: f64, m: usize, u: &[f64]) -> (f64, Vec<f64>) {
        let mut slopes = vec![f64::NAN; u.len()];
        let scale = (m + 1) as f64 / u.len() as f64;
        let discrepancy = Discrepancy {
            particles: m,
            stabilisation: w,
            scale,
        };
        let loss = discrepancy.evaluate_at(level, u, &mut slopes);
        (loss, slopes)
    }

    #[test]
    fn every_level_follows_the_formula() {
        for level in Level::available() {
            for (m, groups, size) in [(1, 1, 1.0), (4, 37, 3.0), (4, 16, 1e4), (33, 5, 80.0)] {
                for w in [0.0, 0.3, 1.0] {
                    let noise = |i: usize| ((i * i) as f64 * 0.37 + i as f64).sin() * size;
                    let u: Vec<f64> = (0..groups * (m + 1)).map(noise).collect();
                    let (loss, slopes) = evaluate(level, w, m, &u);
                    let mut exact = 0.0;
                    for (u, slopes) in u.chunks(m + 1).zip(slopes.chunks(m + 1)) {
                        let d: Vec<f64> = u[1..].iter().map(|x| u[0] - x).collect();
                        let start = if w > 0.0 { f64::ln(w) } else { f64::MIN };
                        let max = d.iter().copied().fold(start, f64::max);
                        let exp: Vec<f64> = d.iter().map(|d| (d - max).exp()).collect();
                        let sum = exp.iter().sum::<f64>() + w * (-max).exp().min(f64::MAX);
                        exact += max + sum.ln();
                        for (j, slope) in slopes[1..].iter().enumerate() {
                            let exact = -exp[j] / sum / groups as f64;
                            assert!((slope - exact).abs() < 1e-14, "{}", level.name());
                        }
                        assert!(slopes.iter().sum::<f64>().abs() < 1e-14);
                    }
                    exact /= groups as f64;
                    let error = (loss - exact).abs() / exact.abs().max(1.0);
                    assert!(error < 1e-14, "{}: {loss} {exact}", level.name());
                }
            }
        }
    }

    #[test]
    fn energies_of_any_size_are_no_trouble() {
        for level in Level::available() {
            let inf = f64::INFINITY;
            let (loss, slopes) = evaluate(level, 1.0, 2, &[1.0, inf, inf]);
            assert_eq!((loss, slopes), (0.0, vec![0.0; 3]));
            let (loss, slopes) = evaluate(level, 0.0, 2, &[1.0, 2.0, inf]);
            assert!(
                (loss + 1.0).abs() < 1e-15 && slopes == [1.0, -1.0, 0.0],
                "{slopes:?}"
            );
            // The particle at 1e30 counts nothing, that at -1e30 everything.
            let (loss, slopes) = evaluate(level, 1.0, 2, &[0.0, -1e30, 1e30]);
            assert_eq!((loss, slopes), (1e30, vec![1.0, -1.0, 0.0]));
            for u in [[1.0, inf], [inf, 1.0], [-inf, 1.0], [1.0, -inf]] {
                for w in [0.0, 1.0] {
                    let (loss, slopes) = evaluate(level, w, 1, &u);
                    assert!(loss.is_finite() && slopes.iter().all(|c| c.is_finite()));
                }
            }
            for u in [[f64::NAN, 1.0], [1.0, f64::NAN]] {
                assert!(evaluate(level, 1.0, 1, &u).0.is_nan());
            }
        }
    }
}
