//! A loss's formula on what a network gives for some rows.

use super::scratch::with_scratch;
use super::simd::{Kernel, Level, Width};

/// Some terms of a loss: `(the number of the first, the numbers that they are functions of, one term after the
/// other, the derivative over each, to be written)` to the sum of their values. It is called once for every
/// term, in any order and from several threads.
pub type Formula<'a> = dyn Fn(usize, &[f64], &mut [f64]) -> f64 + Sync + 'a;

/// The same, and what the loss multiplies all terms with.
pub type Scaled<'a> = (&'a Formula<'a>, f64);

/// Where a slope counts as 0. Beside others no sum sees it, and alone no optimiser does. Carried on through a
/// network it would come below the smallest normal number, for which processors take many times as long.
const TINY: f32 = 1e-25;

/// The terms' sum from numbers in single precision, where the first term has the number `first`; their
/// derivatives, each times the scale, replace `slopes`.
///
/// A derivative below [`TINY`] is 0.
pub(crate) fn evaluate(
    (formula, scale): Scaled,
    first: usize,
    numbers: &[f32],
    slopes: &mut [f32],
) -> f64 {
    let level = Level::best();
    with_scratch(2 * numbers.len(), |room| {
        let (wide, wide_slopes) = room.split_at_mut(numbers.len());
        level.run(Widen(numbers, wide));
        // A formula of a reader's own may count on it.
        wide_slopes.fill(0.0);
        let total = formula(first, wide, wide_slopes);
        level.run(Narrow(wide_slopes, scale, slopes));
        total * scale
    })
}

struct Widen<'a>(&'a [f32], &'a mut [f64]);

impl Kernel for Widen<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Width>(self, _: W) {
        for (to, from) in self.1.iter_mut().zip(self.0) {
            *to = f64::from(*from);
        }
    }
}

struct Narrow<'a>(&'a [f64], f64, &'a mut [f32]);

impl Kernel for Narrow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Width>(self, _: W) {
        for (to, from) in self.2.iter_mut().zip(self.0) {
            let slope = (self.1 * from) as f32;
            *to = if slope.abs() < TINY { 0.0 } else { slope };
        }
    }
}
