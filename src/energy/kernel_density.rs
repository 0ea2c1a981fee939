//! Kernel density estimates.

use super::mixture::GaussianMixture;
use crate::Error;
use crate::log_sum_exp::log_sum_exp;
use crate::tensors::{Points, to_vec};
use dfdx::shapes::HasShape;
use rayon::prelude::*;

/// The bandwidths that are tried first, in standard deviations of the points: from here, and each times the step.
const LEAST: f64 = 0.01;
const STEP: f64 = 1.2;
const BANDWIDTHS: i32 = 32;
/// Between the two beside the best one, so often a third of the range is left out.
const THIRDS: usize = 12;
/// Of more points, so many evenly spread ones are left out one by one.
const LEFT_OUT: usize = 2000;
/// The distances of more points to those would take more than 1.6 GB.
const MOST: usize = 100_000;

impl GaussianMixture {
    /// A kernel density estimate of these points, `(N, D)`: p(x) = 1/N Σ_i N(x; x_i, h² I).
    ///
    /// The bandwidth h is that for which each point is likeliest under all others on average (leave-one-out
    /// cross-validation; of more than 2,000 points, 2,000 of them). It is one for all directions, so standardise
    /// the columns first. Points that occur twice make small bandwidths likely: in a column of rounded values h says little.
    ///
    /// Source: Habbema, Hermans, van den Broek, *A stepwise discriminant analysis program using density estimation*, 1974.
    ///
    /// # Errors
    /// If there are fewer than three points or more than 100,000, they are all the same, or one is not finite.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let normal = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?;
    /// let kde = GaussianMixture::kde(&normal.sample(500, &mut rng(0))?)?;
    /// let (_, _, covariance) = kde.components().next().unwrap();
    /// let h = covariance[0].sqrt();
    /// assert!(h > 0.15 && h < 0.6); // Silverman's rule: 0.31
    /// # Ok::<(), Error>(())
    /// ```
    /// scikit-learn equivalent: `KernelDensity`, with `GridSearchCV` over the bandwidth.
    pub fn kde(x: &Points) -> Result<Self, Error> {
        let (count, d) = *x.shape();
        if count < 3 || d == 0 {
            let expected = "at least three points, of at least one coordinate";
            return Err(Error::shape("x", x.shape(), expected));
        }
        let rows: Vec<f64> = to_vec(x).into_iter().map(f64::from).collect();
        if count > MOST {
            let expected =
                format!("at most {MOST} points, of which the distances are held in memory,");
            return Err(Error::shape("x", x.shape(), expected));
        }
        let column = |d_own: usize| rows.iter().skip(d_own).step_by(d);
        let means = (0..d).map(|own| column(own).sum::<f64>() / count as f64);
        let means: Vec<f64> = means.collect();
        let squares = rows
            .iter()
            .enumerate()
            .map(|(i, x)| (x - means[i % d]).powi(2));
        let square: f64 = match are_the_same(&rows, d) {
            true => 0.0,
            false => squares.sum(),
        };
        let scale = (square / rows.len() as f64).sqrt();
        if !(scale > 0.0 && scale.is_finite()) {
            let reason = format!(
                "the points have a standard deviation of {scale}: a kernel density estimate needs different and finite points"
            );
            return Err(Error::Data(reason));
        }
        let left_out = LeftOut::of(&rows, d);
        let tried = (0..BANDWIDTHS).map(|k| LEAST * scale * STEP.powi(k));
        let best = tried.map(|h| (left_out.likelihood(h), h));
        let best = best.fold((f64::NEG_INFINITY, scale), |best, other| {
            if other.0 > best.0 { other } else { best }
        });
        let (mut low, mut high) = (best.1 / STEP, best.1 * STEP);
        for _ in 0..THIRDS {
            let third = (high / low).powf(1.0 / 3.0);
            let (a, b) = (low * third, high / third);
            match left_out.likelihood(a) < left_out.likelihood(b) {
                true => low = a,
                false => high = b,
            }
        }
        let means = rows.chunks_exact(d).map(<[f64]>::to_vec).collect();
        Ok(Self::equal(means, (low * high).sqrt()))
    }
}

/// Whether all points are the same: their sums may round to more than no variance.
fn are_the_same(rows: &[f64], d: usize) -> bool {
    rows.chunks_exact(d).all(|row| row == &rows[..d])
}

/// Squared distances of points that are left out to all others.
struct LeftOut {
    squares: Vec<Vec<f64>>,
    dimension: usize,
}

impl LeftOut {
    fn of(rows: &[f64], dimension: usize) -> Self {
        let count = rows.len() / dimension;
        let chosen = count.min(LEFT_OUT);
        let row = |i: usize| &rows[i * dimension..(i + 1) * dimension];
        let squares = (0..chosen).into_par_iter().map(|k| {
            let own = k * count / chosen;
            let others = (0..count).filter(|i| *i != own);
            let square = |i: usize| -> f64 {
                let each = row(i).iter().zip(row(own));
                each.map(|(a, b)| (a - b).powi(2)).sum()
            };
            others.map(square).collect()
        });
        Self {
            squares: squares.collect(),
            dimension,
        }
    }

    /// The mean logarithm of the density of a point, under all others, with this bandwidth.
    fn likelihood(&self, h: f64) -> f64 {
        let volume = 0.5 * self.dimension as f64 * (2.0 * std::f64::consts::PI * h * h).ln();
        let each = self.squares.par_iter().map(|squares| {
            let logs = squares.iter().map(|square| -0.5 * square / (h * h));
            log_sum_exp(logs) - (squares.len() as f64).ln() - volume
        });
        // In the points' order, so that the sum is the same for any number of threads.
        let each: Vec<f64> = each.collect();
        each.iter().sum::<f64>() / each.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::points;

    #[test]
    fn the_bandwidth_is_the_likeliest() {
        // Points at 0, 1 and 2: by hand the mean of ln N(1; h) + ln N(2; h) terms is largest where its slope is zero.
        let x = points(vec![0.0, 1.0, 2.0], (3, 1)).unwrap();
        let kde = GaussianMixture::kde(&x).unwrap();
        let h = kde.components().next().unwrap().2[0].sqrt();
        let likelihood = |h: f64| {
            let ends = ((-0.5 / (h * h)).exp() + (-2.0 / (h * h)).exp()).ln();
            2.0 * ends + (2.0 * (-0.5 / (h * h)).exp()).ln() - 3.0 * h.ln()
        };
        assert!(likelihood(h) > likelihood(0.99 * h) && likelihood(h) > likelihood(1.01 * h));
    }

    #[test]
    fn what_has_no_bandwidth_is_an_error() {
        let said = |rows: Vec<f32>| {
            let count = rows.len();
            let x = points(rows, (count, 1)).unwrap();
            GaussianMixture::kde(&x).unwrap_err().to_string()
        };
        assert!(said(vec![0.0, 1.0]).contains("at least three"));
        assert!(said(vec![1.0; 5]).contains("standard deviation of 0"));
        let same = points([1.1, 2.0].repeat(5), (5, 2)).unwrap();
        let error = GaussianMixture::kde(&same).unwrap_err().to_string();
        assert!(error.contains("standard deviation of 0"), "{error}");
        assert!(said(vec![1.0, f32::NAN, 2.0]).contains("NaN"));
    }
}
