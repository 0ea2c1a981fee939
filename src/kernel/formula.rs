//! A loss's formula on what a network gives for some rows.

/// A term of a loss: `(its number, the numbers that it is a function of, its derivative over each, to be
/// written)` to its value. It is called once for every term, in any order and from several threads.
pub type Formula<'a> = dyn Fn(usize, &[f64], &mut [f64]) -> f64 + Sync + 'a;

/// The same, and what the loss multiplies all terms with.
pub(crate) type Scaled<'a> = (&'a Formula<'a>, f64);

/// The terms' sum from numbers in single precision, `width` for each, the first of which has the number
/// `first`; their derivatives, each times the scale, replace `slopes`.
///
/// What a derivative lacks to the smallest normal number it is without: sums do not see it, and processors
/// take many times as long for numbers below.
pub(crate) fn evaluate(
    (formula, scale): Scaled,
    first: usize,
    width: usize,
    numbers: &[f32],
    slopes: &mut [f32],
) -> f64 {
    let mut room = vec![0.0; 2 * width];
    let (wide, slope) = room.split_at_mut(width);
    let mut total = 0.0;
    let terms = numbers
        .chunks_exact(width)
        .zip(slopes.chunks_exact_mut(width));
    for (i, (numbers, slopes)) in terms.enumerate() {
        for (wide, number) in wide.iter_mut().zip(numbers) {
            *wide = f64::from(*number);
        }
        total += formula(first + i, wide, slope);
        for (to, slope) in slopes.iter_mut().zip(&*slope) {
            let slope = (scale * slope) as f32;
            *to = if slope.abs() < f32::MIN_POSITIVE {
                0.0
            } else {
                slope
            };
        }
    }
    total * scale
}
