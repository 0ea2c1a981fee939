//! Rows that a gradient does not see.

/// What a sum in single precision loses of itself: 2⁻²⁴.
const ROUNDING: f32 = f32::EPSILON / 2.0;

/// The rows that count in Σ_r c_r ∂U(x_r)/∂θ, in their order, if they are at most `most`; the other cotangents
/// become 0.
///
/// The others have |c_r| ≤ 2⁻²⁴ Σ|c| / rows, so that together they carry 2⁻²⁴ of all weight at
/// most, which is lost in the sum's rounding. With wide noise they are nearly all rows: most
/// particles lie far from the data, where a trained energy is so high that exp(-U) is nothing. Taken along
/// they would lead to numbers below the smallest normal one, for which processors take many times as long.
///
/// None if more rows count, and where a cotangent is NaN or infinite: then the gradient of all
/// rows must show it.
pub(crate) fn counting(cotangent: &mut [f32], most: usize) -> Option<Vec<usize>> {
    let least = ROUNDING * size(cotangent) / cotangent.len() as f32;
    if !least.is_finite() {
        return None;
    }
    // A sum, as a filter's count would not be done in vectors.
    let mut count = 0;
    for c in &mut *cotangent {
        let counts = c.abs() > least;
        *c = if counts { *c } else { 0.0 };
        count += usize::from(counts);
    }
    if count > most {
        return None;
    }
    let rows = cotangent.iter().enumerate();
    let rows = rows.filter(|(_, c)| **c != 0.0).map(|(row, _)| row);
    Some(rows.collect())
}

/// Sums in flight at once: one would wait for itself.
const CHAINS: usize = 8;

/// Σ|c|.
fn size(cotangent: &[f32]) -> f32 {
    let (parts, rest) = cotangent.as_chunks::<CHAINS>();
    let mut chains = [0.0; CHAINS];
    for part in parts {
        for (sum, c) in chains.iter_mut().zip(part) {
            *sum += c.abs();
        }
    }
    chains.iter().sum::<f32>() + rest.iter().map(|c| c.abs()).sum::<f32>()
}

/// Moves these rows of `width` numbers each to the front, in place; `rows` ascend.
pub(crate) fn gather(rows: &[usize], width: usize, data: &mut [f32]) {
    for (to, from) in rows.iter().enumerate() {
        data.copy_within(from * width..(from + 1) * width, to * width);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Gradients;
    use crate::reference::{Reference, assert_close, discrepancy, each, points};
    use crate::simd::Level;
    use crate::{Function, Network, backward, group_gradient};

    #[test]
    fn the_rows_below_the_rounding_of_the_sum_are_left_out() {
        let mut c = vec![1e-9; 100];
        for (row, value) in [(3, 1.0), (50, -2.0), (99, 1e-5)] {
            c[row] = value;
        }
        assert_eq!(counting(&mut c.clone(), 3), Some(vec![3, 50, 99]));
        // 2^-24 of the mean: 3/100 * 6e-8 = 1.79e-9.
        (c[7], c[8]) = (1.7e-9, -1.9e-9);
        assert_eq!(counting(&mut c.clone(), 99), Some(vec![3, 8, 50, 99]));
        // Too many to move them; the others are 0 all the same.
        let mut only = vec![0.0; 100];
        for row in [3, 8, 50, 99] {
            only[row] = c[row];
        }
        assert_eq!(counting(&mut c, 3), None);
        assert_eq!(c, only);
        assert_eq!(counting(&mut [0.0; 9], 4), Some(vec![]));
        assert_eq!(counting(&mut [0.1; 9], 8), None);
        assert_eq!(counting(&mut [], 0), None);
        for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for row in [0, 98] {
                let mut c = [0.0; 99];
                c[row] = odd;
                assert_eq!(counting(&mut c, 98), None, "{odd} in row {row}");
            }
        }
    }

    /// Several blocks in each chunk, on 16 lanes.
    const WIDTHS: [usize; 4] = [3, 590, 8, 1];
    const ROWS: usize = 4000;
    /// In chunks, and as one large group.
    const GROUPS: [usize; 2] = [10, ROWS];

    /// The gradient with the cotangent c of each row, whatever its energy.
    fn gradient(network: &Network, x: &[f32], c: &[f32], group: usize) -> Vec<f32> {
        let formula = |first: usize, u: &[f64], to: &mut [f64]| {
            let own = &c[first * group..][..u.len()];
            to.iter_mut()
                .zip(own)
                .for_each(|(to, c)| *to = f64::from(*c));
            0.0
        };
        let mut gradient = vec![f32::NAN; network.parameters()];
        group_gradient(network, x, group, (&formula, 1.0), &mut gradient).unwrap();
        gradient
    }

    /// Which rows count, and the cotangent of the others.
    type Pattern = (fn(usize) -> bool, f32);

    const PATTERNS: [Pattern; 6] = [
        (|_| false, 0.0),
        (|row| row == 313, 0.0),
        (|row| row % 37 == 5, 1e-9),
        // Exactly half of each chunk, the most that are moved.
        (|row| row % 2 == 1, 1e-9),
        (|row| row % 2 == 1 || row % 125 == 0, 1e-9),
        (|_| true, 0.0),
    ];

    #[test]
    fn what_is_left_out_changes_nothing() {
        let reference = Reference::random(&WIDTHS, Function::Softplus, 1);
        let parameters = reference.rounded();
        for level in Level::available() {
            let engine = reference.engine();
            let network = Network::new(&engine, &parameters).unwrap().at(level);
            for (i, (counts, other)) in PATTERNS.into_iter().enumerate() {
                let x = points(ROWS, 3, 2);
                let c = |row| {
                    if counts(row) {
                        1.0 + (row % 5) as f32
                    } else {
                        other
                    }
                };
                let c: Vec<f32> = (0..ROWS).map(c).collect();
                let rows: Vec<usize> = (0..ROWS).filter(|row| counts(*row)).collect();
                let (mut few, mut few_c) = (x.clone(), c.clone());
                gather(&rows, 3, &mut few);
                gather(&rows, 1, &mut few_c);
                let mut exact = vec![f32::NAN; network.parameters()];
                let (few, few_c) = (&few[..rows.len() * 3], &few_c[..rows.len()]);
                let wanted = Gradients {
                    parameters: Some(&mut exact),
                    points: None,
                };
                backward(&network, few, few_c, wanted).unwrap();
                for group in GROUPS {
                    let mut x = x.clone();
                    if 2 * rows.len() <= ROWS {
                        // Rows that nothing may look at.
                        for row in (0..ROWS).filter(|row| !counts(*row)) {
                            x[row * 3] = f32::NAN;
                        }
                    }
                    let what = format!("{} {i} in groups of {group}", level.name());
                    for (value, exact) in gradient(&network, &x, &c, group).iter().zip(&exact) {
                        // Sums of up to 4000 numbers in another order.
                        assert_close(*value, f64::from(*exact), 1000.0, 3e-6, &what);
                    }
                }
            }
        }
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let reference = Reference::random(&WIDTHS, Function::Softplus, 1);
        let parameters = reference.rounded();
        let engine = reference.engine();
        let network = Network::new(&engine, &parameters)
            .unwrap()
            .at(Level::best());
        let x = points(ROWS, 3, 2);
        let c: Vec<f32> = (0..ROWS)
            .map(|row| (row as f32 * 0.7).sin().powi(200))
            .collect();
        assert!(counting(&mut c.clone(), ROWS / 2).is_some());
        for group in GROUPS {
            let run = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
                let pool = pool.build().unwrap();
                pool.install(|| gradient(&network, &x, &c, group))
            };
            let one = run(1);
            assert!(one.iter().any(|value| *value != 0.0));
            for threads in [2, 5] {
                assert!(run(threads) == one, "{threads} threads, groups of {group}");
            }
        }
    }

    #[test]
    fn an_energy_that_is_no_number_shows() {
        let mut reference = Reference::random(&[2, 16, 1], Function::Softplus, 1);
        // Steep, so that nearly all other rows are left out.
        reference.parameters.iter_mut().for_each(|p| *p *= 30.0);
        let parameters = reference.rounded();
        let engine = reference.engine();
        let network = Network::new(&engine, &parameters)
            .unwrap()
            .at(Level::best());
        for group in [33, 3300] {
            let run = |x: &[f32]| {
                let mut gradient = vec![0.0; network.parameters()];
                let loss = group_gradient(
                    &network,
                    x,
                    group,
                    (&each(group, discrepancy), 1.0),
                    &mut gradient,
                );
                (loss.unwrap(), gradient)
            };
            let mut x = points(3300, 2, 2);
            let (loss, gradient) = run(&x);
            assert!(loss.is_finite() && gradient.iter().all(|value| value.is_finite()));
            // A particle, and a point.
            for bad in [501, 66] {
                let before = std::mem::replace(&mut x[bad * 2], f32::NAN);
                let (loss, gradient) = run(&x);
                assert!(
                    loss.is_nan() && gradient.iter().any(|value| value.is_nan()),
                    "{bad}"
                );
                x[bad * 2] = before;
            }
        }
    }
}
