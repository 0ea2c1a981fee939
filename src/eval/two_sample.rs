//! Whether two sets of points can come from one density.

use super::energy_distance::energy_distance;
use crate::tensors::{Points, all_finite, to_vec};
use crate::{Error, Rng};
use dfdx::shapes::HasShape;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use std::fmt;

/// Of the permutation tests.
const PERMUTATIONS: usize = 200;
/// A table of all pairs of more points would take too much memory.
const MOST: usize = 10_000;

/// The result of a test of whether two sets of points come from one density.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TwoSample {
    /// The statistic: larger, the further the two sets are apart.
    pub statistic: f64,
    /// The probability of a statistic that large where both come from one density. Below 0.05, say, they hardly do.
    pub p_value: f64,
}

impl fmt::Display for TwoSample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.4} (p = {:.3})", self.statistic, self.p_value)
    }
}

/// The maximum mean discrepancy of two sets of points, squared and without bias,
///
/// MMD² = E k(x, x') + E k(y, y') - 2 E k(x, y), with k(x, y) = exp(-|x - y|²/(2 h²)),
///
/// with means over all pairs, of different points within a set; h is the median of all distances that are not 0. The p-value is that of a
/// permutation test: the share of 200 divisions of all points, drawn at random, that are as far apart.
///
/// The points are `(N, D)` and `(M, D)`; all pairs are held in memory, hence at most 10,000 points together.
///
/// Source: Gretton, Borgwardt, Rasch, Schölkopf, Smola, *A kernel two-sample test*, JMLR 2012.
///
/// # Errors
/// If the dimensions differ, a set has fewer than two points or both more than 10,000, or all points are the same.
///
/// # Examples
/// ```
/// use energy_discrepancy::eval::mmd;
/// use energy_discrepancy::prelude::*;
///
/// let at = |mean: f64| GaussianMixture::new(&[1.0], &[[mean, 0.0]], &[1.0]);
/// let x = at(0.0)?.sample(200, &mut rng(0))?;
/// assert!(mmd(&x, &at(0.0)?.sample(200, &mut rng(1))?, &mut rng(2))?.p_value > 0.05);
/// assert!(mmd(&x, &at(1.0)?.sample(200, &mut rng(1))?, &mut rng(2))?.p_value < 0.05);
/// # Ok::<(), Error>(())
/// ```
pub fn mmd(x: &Points, y: &Points, rng: &mut Rng) -> Result<TwoSample, Error> {
    let mut pairs = Pairs::of(x, y)?;
    let h = pairs.median();
    if !(h > 0.0 && h.is_finite()) {
        let reason = format!(
            "the median distance of all points is {h}: the kernel needs different and finite points"
        );
        return Err(Error::Data(reason));
    }
    let scale = -0.5 / (h * h);
    pairs
        .values
        .par_iter_mut()
        .for_each(|value| *value = (value.powi(2) * scale).exp());
    Ok(pairs.test(1.0, rng))
}

/// The [energy distance](energy_distance()) of two sets of points, with the p-value of a permutation test: the share of 200
/// divisions of all points, drawn at random, that are as far apart.
///
/// The points are `(N, D)` and `(M, D)`; all pairs are held in memory, hence at most 10,000 points together.
///
/// # Errors
/// If the dimensions differ, or a set has fewer than two points or both more than 10,000.
///
/// # Examples
/// ```
/// use energy_discrepancy::eval::{energy_distance, energy_test};
/// use energy_discrepancy::prelude::*;
///
/// let normal = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?;
/// let (x, y) = (normal.sample(100, &mut rng(0))?, normal.sample(100, &mut rng(1))?);
/// let test = energy_test(&x, &y, &mut rng(2))?;
/// assert!((test.statistic - energy_distance(&x, &y)?).abs() < 1e-5);
/// assert!(test.p_value > 0.05);
/// # Ok::<(), Error>(())
/// ```
pub fn energy_test(x: &Points, y: &Points, rng: &mut Rng) -> Result<TwoSample, Error> {
    let exact = energy_distance(x, y)?;
    let tested = Pairs::of(x, y)?.test(-1.0, rng);
    Ok(TwoSample {
        statistic: exact,
        ..tested
    })
}

/// A classifier two-sample test: how often a classifier tells which of two sets a point comes from, on points that it has
/// not seen. The statistic is the share of right answers, 0.5 where both come from one density.
///
/// As many points of each set are drawn as the smaller has; half of them teach, the others are asked. The classifier is that
/// of the k nearest neighbours with k = √(number of points that teach), made odd. The p-value is that of the binomial
/// distribution of answers that guess.
///
/// The points are `(N, D)` and `(M, D)`.
///
/// Source: Lopez-Paz & Oquab, *Revisiting classifier two-sample tests*, ICLR 2017.
///
/// # Errors
/// If the dimensions differ, or a set has fewer than four points.
///
/// # Examples
/// ```
/// use energy_discrepancy::eval::c2st;
/// use energy_discrepancy::prelude::*;
///
/// let at = |mean: f64| GaussianMixture::new(&[1.0], &[[mean, 0.0]], &[1.0]);
/// let x = at(0.0)?.sample(400, &mut rng(0))?;
/// let apart = c2st(&x, &at(2.0)?.sample(400, &mut rng(1))?, &mut rng(2))?;
/// // The best classifier is right for Φ(1) = 0.84 of all points.
/// assert!(apart.statistic > 0.75 && apart.p_value < 1e-6);
/// # Ok::<(), Error>(())
/// ```
pub fn c2st(x: &Points, y: &Points, rng: &mut Rng) -> Result<TwoSample, Error> {
    let d = check(x, y, 4)?;
    let count = x.shape().0.min(y.shape().0);
    let (mut teach, mut ask) = (Vec::new(), Vec::new());
    for (label, set) in [(false, to_vec(x)), (true, to_vec(y))] {
        let rows = set.len() / d;
        let drawn = rand::seq::index::sample(rng, rows, count);
        for (i, row) in drawn.into_iter().enumerate() {
            let part = if i < count / 2 { &mut teach } else { &mut ask };
            part.push((label, set[row * d..(row + 1) * d].to_vec()));
        }
    }
    let k = ((teach.len() as f64).sqrt() as usize) | 1;
    let right = ask.par_iter().filter(|(label, point)| {
        let square = |(own, other): &(bool, Vec<f32>)| {
            let each = other.iter().zip(point);
            (each.map(|(a, b)| (a - b).powi(2)).sum::<f32>(), *own)
        };
        let mut near: Vec<(f32, bool)> = teach.iter().map(square).collect();
        near.select_nth_unstable_by(k - 1, |a, b| a.0.total_cmp(&b.0));
        let others = near[..k].iter().filter(|(_, own)| *own).count();
        (2 * others > k) == *label
    });
    let (right, asked) = (right.count(), ask.len());
    Ok(TwoSample {
        statistic: right as f64 / asked as f64,
        p_value: guessed(right, asked),
    })
}

/// The probability that of n guesses so many are right, or more; half of those with as many, so that it is as often below
/// 0.05 as it says.
fn guessed(right: usize, n: usize) -> f64 {
    let log_share = |k: usize| {
        let log_choose = libm::lgamma(n as f64 + 1.0)
            - libm::lgamma(k as f64 + 1.0)
            - libm::lgamma((n - k) as f64 + 1.0);
        (log_choose - n as f64 * 2f64.ln()).exp()
    };
    let more: f64 = (right + 1..=n).map(log_share).sum();
    (more + 0.5 * log_share(right)).min(1.0)
}

/// The dimension, if both have the same and so many points at least.
fn check(x: &Points, y: &Points, least: usize) -> Result<usize, Error> {
    let d = x.shape().1;
    if y.shape().1 != d {
        let expected = format!("(M, {d}), as the other points have,");
        return Err(Error::shape("the second set", y.shape(), expected));
    }
    if x.shape().0.min(y.shape().0) < least || d == 0 {
        let expected = format!("two sets of at least {least} points");
        return Err(Error::shape("a pair", (x.shape(), y.shape()), expected));
    }
    if !(all_finite(&to_vec(x)) && all_finite(&to_vec(y))) {
        let reason = "a point has a coordinate that is not finite: leave it out of the test";
        return Err(Error::Data(reason.to_owned()));
    }
    Ok(d)
}

/// A number for each pair of all points, N of one set and then those of the other.
struct Pairs {
    values: Vec<f32>,
    count: usize,
    first: usize,
}

impl Pairs {
    /// The distances.
    fn of(x: &Points, y: &Points) -> Result<Self, Error> {
        let d = check(x, y, 2)?;
        let (first, count) = (x.shape().0, x.shape().0 + y.shape().0);
        if count > MOST {
            let expected =
                format!("at most {MOST} points together, of which all pairs are held in memory,");
            return Err(Error::shape("a pair", (x.shape(), y.shape()), expected));
        }
        let rows = [to_vec(x), to_vec(y)].concat();
        let distances = rows.par_chunks_exact(d).flat_map_iter(|a| {
            rows.chunks_exact(d).map(|b| {
                let squares = a.iter().zip(b).map(|(a, b)| (a - b).powi(2));
                squares.sum::<f32>().sqrt()
            })
        });
        Ok(Self {
            values: distances.collect(),
            count,
            first,
        })
    }

    /// Of different places; 0 if there is one only.
    fn median(&self) -> f32 {
        let rows = self.values.chunks_exact(self.count).enumerate();
        let mut above: Vec<f32> = rows.flat_map(|(i, row)| row[i + 1..].to_vec()).collect();
        above.retain(|distance| *distance > 0.0);
        if above.is_empty() {
            return 0.0;
        }
        let middle = above.len() / 2;
        *above.select_nth_unstable_by(middle, f32::total_cmp).1
    }

    /// `sign` times the mean within each set, twice, less twice that between both.
    fn test(&self, sign: f64, rng: &mut Rng) -> TwoSample {
        let mut labels: Vec<f32> = (0..self.count)
            .map(|i| f32::from(u8::from(i < self.first)))
            .collect();
        let row_sums: Vec<f64> = self.values.chunks_exact(self.count).map(sum).collect();
        let diagonal: Vec<f32> = self
            .values
            .iter()
            .step_by(self.count + 1)
            .copied()
            .collect();
        let statistic = sign * self.statistic(&labels, &row_sums, &diagonal);
        let mut divisions = Vec::with_capacity(PERMUTATIONS);
        for _ in 0..PERMUTATIONS {
            labels.shuffle(rng);
            divisions.push(labels.clone());
        }
        let as_large = divisions
            .par_iter()
            .filter(|labels| sign * self.statistic(labels, &row_sums, &diagonal) >= statistic);
        TwoSample {
            statistic,
            // The division that was given is one of them.
            p_value: (1 + as_large.count()) as f64 / (1 + PERMUTATIONS) as f64,
        }
    }

    /// From the sums of each row over all points, and over those of the first set.
    fn statistic(&self, labels: &[f32], row_sums: &[f64], diagonal: &[f32]) -> f64 {
        let (n, m) = (self.first as f64, (self.count - self.first) as f64);
        let (mut within_first, mut between, mut within_second) = (0.0, 0.0, 0.0);
        let rows = self.values.chunks_exact(self.count).zip(labels);
        for ((row, label), (sum, own)) in rows.zip(row_sums.iter().zip(diagonal)) {
            let to_first = dot(row, labels);
            let own = f64::from(*own);
            match *label > 0.5 {
                true => {
                    within_first += to_first - own;
                    between += sum - to_first;
                }
                false => within_second += sum - to_first - own,
            }
        }
        within_first / (n * (n - 1.0)) + within_second / (m * (m - 1.0)) - 2.0 * between / (n * m)
    }
}

/// Of many numbers, in double precision.
fn sum(values: &[f32]) -> f64 {
    values.iter().map(|value| f64::from(*value)).sum()
}

/// In single precision, 64 products at a time.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let blocks = a.chunks(64).zip(b.chunks(64));
    let block = |(a, b): (&[f32], &[f32])| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    blocks.map(|pair| f64::from(block(pair))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{points, rng};

    #[test]
    fn few_points_by_hand() {
        let x = points(vec![0.0, 1.0], (2, 1)).unwrap();
        let y = points(vec![0.0, 3.0], (2, 1)).unwrap();
        // Distances 1; 3; and 0, 3, 1, 2 between: the median of 1, 3, 3, 1, 2 is 2.
        let k = |r: f64| (-r * r / 8.0).exp();
        let exact = k(1.0) + k(3.0) - 0.5 * (k(0.0) + k(3.0) + k(1.0) + k(2.0));
        let found = mmd(&x, &y, &mut rng(0)).unwrap();
        assert!((found.statistic - exact).abs() < 1e-6, "{found} {exact}");
    }

    #[test]
    fn guesses_are_binomial() {
        // 4 of 4: half of 1/16; 3 of 4: 1/16 and half of 4/16.
        assert!((guessed(4, 4) - 1.0 / 32.0).abs() < 1e-12);
        assert!((guessed(3, 4) - 3.0 / 16.0).abs() < 1e-12);
        assert!((guessed(0, 4) - 31.0 / 32.0).abs() < 1e-12);
    }

    #[test]
    fn sets_that_do_not_fit_are_errors() {
        let x = points(vec![0.0; 8], (4, 2)).unwrap();
        let y = points(vec![0.0; 4], (4, 1)).unwrap();
        let said = |result: Result<TwoSample, Error>| result.unwrap_err().to_string();
        assert!(said(mmd(&x, &y, &mut rng(0))).contains("(M, 2)"));
        assert!(said(c2st(&x, &y, &mut rng(0))).contains("(M, 2)"));
        assert!(said(mmd(&x, &x, &mut rng(0))).contains("median distance"));
        let strange = points(vec![0.0, f32::NAN, 1.0, 2.0], (2, 2)).unwrap();
        assert!(said(energy_test(&strange, &x, &mut rng(0))).contains("not finite"));
        let one = points(vec![0.0; 2], (1, 2)).unwrap();
        assert!(said(energy_test(&one, &x, &mut rng(0))).contains("at least 2"));
        assert!(said(c2st(&one, &x, &mut rng(0))).contains("at least 4"));
    }
}
