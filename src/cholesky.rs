//! The Cholesky factor of a covariance.

/// The lower triangular L of a symmetric matrix Σ = L Lᵀ that is positive definite.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cholesky {
    dimension: usize,
    /// Row after row, zeros above the diagonal.
    lower: Vec<f64>,
}

impl Cholesky {
    /// Of Σ, row after row; where it is not positive definite, the first row that depends on those before it.
    pub(crate) fn of(matrix: &[f64], dimension: usize) -> Result<Self, usize> {
        let d = dimension;
        let mut lower = vec![0.0; d * d];
        for i in 0..d {
            for j in 0..=i {
                let products = (0..j).map(|k| lower[i * d + k] * lower[j * d + k]);
                let rest = matrix[i * d + j] - products.sum::<f64>();
                if i > j {
                    lower[i * d + j] = rest / lower[j * d + j];
                    continue;
                }
                // What is left of a variance by rounding is no variance.
                let least = 1e-12 * matrix[i * d + i].abs();
                if rest.is_nan() || rest <= least || rest.is_infinite() {
                    return Err(i);
                }
                lower[i * d + i] = rest.sqrt();
            }
        }
        Ok(Self { dimension, lower })
    }

    pub(crate) fn row(&self, i: usize) -> &[f64] {
        &self.lower[i * self.dimension..(i + 1) * self.dimension]
    }

    /// L, row after row.
    pub(crate) fn lower(&self) -> &[f64] {
        &self.lower
    }

    /// L's diagonal.
    pub(crate) fn diagonal(&self) -> impl Iterator<Item = f64> {
        (0..self.dimension).map(|i| self.row(i)[i])
    }

    /// L v.
    pub(crate) fn times(&self, v: &[f64]) -> Vec<f64> {
        let entry = |i: usize| self.row(i).iter().zip(v).map(|(l, v)| l * v).sum();
        (0..self.dimension).map(entry).collect()
    }

    /// L⁻¹ v.
    pub(crate) fn solve(&self, v: &[f64]) -> Vec<f64> {
        let mut solved: Vec<f64> = Vec::with_capacity(self.dimension);
        for (i, v) in v.iter().enumerate() {
            let row = self.row(i);
            let known: f64 = row.iter().zip(&solved).map(|(l, s)| l * s).sum();
            solved.push((v - known) / row[i]);
        }
        solved
    }

    /// L⁻ᵀ v.
    pub(crate) fn solve_transposed(&self, v: &[f64]) -> Vec<f64> {
        let mut solved = v.to_vec();
        for i in (0..self.dimension).rev() {
            let row = self.row(i);
            solved[i] /= row[i];
            let last = solved[i];
            let before = solved[..i].iter_mut().zip(row);
            before.for_each(|(s, l)| *s -= l * last);
        }
        solved
    }

    /// L Lᵀ.
    pub(crate) fn product(&self) -> Vec<f64> {
        let d = self.dimension;
        let entry = |i: usize, j: usize| -> f64 {
            self.row(i)
                .iter()
                .zip(self.row(j))
                .map(|(a, b)| a * b)
                .sum()
        };
        (0..d * d).map(|k| entry(k / d, k % d)).collect()
    }
}

/// The first column, of rows of d numbers, that has one value throughout: sums of it may round to more than no variance.
pub(crate) fn constant_column(rows: &[f64], d: usize) -> Option<usize> {
    (0..d).find(|i| {
        rows.iter()
            .skip(*i)
            .step_by(d)
            .all(|value| *value == rows[*i])
    })
}

/// The mean and the covariance, with 1/n, of rows of d numbers that have these weights.
pub(crate) fn moments(rows: &[f64], d: usize, weights: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let total: f64 = weights.iter().sum();
    let mut mean = vec![0.0; d];
    for (row, weight) in rows.chunks_exact(d).zip(weights) {
        mean.iter_mut()
            .zip(row)
            .for_each(|(mean, x)| *mean += weight / total * x);
    }
    let mut covariance = vec![0.0; d * d];
    let mut from_mean = vec![0.0; d];
    for (row, weight) in rows.chunks_exact(d).zip(weights) {
        let each = from_mean.iter_mut().zip(row).zip(&mean);
        each.for_each(|((own, x), mean)| *own = x - mean);
        for (i, a) in from_mean.iter().enumerate() {
            let scaled = weight / total * a;
            let entries = covariance[i * d..].iter_mut().zip(&from_mean);
            entries.take(i + 1).for_each(|(sum, b)| *sum += scaled * b);
        }
    }
    for i in 0..d {
        for j in i + 1..d {
            covariance[i * d + j] = covariance[j * d + i];
        }
    }
    (mean, covariance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_solves_what_it_multiplies() {
        // Its factor is [[2, 0, 0], [6, 1, 0], [-8, 5, 3]].
        let matrix = [4.0, 12.0, -16.0, 12.0, 37.0, -43.0, -16.0, -43.0, 98.0];
        let cholesky = Cholesky::of(&matrix, 3).unwrap();
        assert_eq!(
            cholesky.lower,
            [2.0, 0.0, 0.0, 6.0, 1.0, 0.0, -8.0, 5.0, 3.0]
        );
        assert_eq!(cholesky.product(), matrix);
        let v = [1.0, 2.0, 3.0];
        assert_eq!(cholesky.solve(&cholesky.times(&v)), v);
        // Lᵀ v = (2 + 12 - 24, 2 + 15, 9).
        assert_eq!(cholesky.solve_transposed(&[-10.0, 17.0, 9.0]), v);
    }

    #[test]
    fn a_row_that_depends_on_others_is_named() {
        let matrix = [1.0, 2.0, 3.0, 2.0, 4.0, 6.0, 3.0, 6.0, 10.0];
        assert_eq!(Cholesky::of(&matrix, 3), Err(1));
        assert_eq!(Cholesky::of(&[f64::NAN], 1), Err(0));
    }

    #[test]
    fn weights_count_as_repeated_rows() {
        let (mean, covariance) = moments(&[0.0, 0.0, 4.0, 8.0], 2, &[3.0, 1.0]);
        assert_eq!(mean, [1.0, 2.0]);
        assert_eq!(covariance, [3.0, 6.0, 6.0, 12.0]);
    }
}
