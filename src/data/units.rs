//! Columns to mean 0 and variance 1, and points back to the original units.

use super::dataset::{Dataset, Units};
use super::missing::{fits_single, listed};
use crate::cholesky::{Cholesky, moments};
use crate::tensors::{Points, points, to_vec};
use crate::{Error, doubles};
use dfdx::shapes::HasShape;
use std::path::Path;

impl Dataset {
    /// The set with mean 0 and variance 1 in every column, z_d = (x_d - m_d)/s_d, where
    ///
    /// m_d = 1/N Σ_i x_id, s_d² = 1/N Σ_i (x_id - m_d)².
    ///
    /// It keeps m and s, in the units of the file, for [`Dataset::restore`].
    ///
    /// All of it is computed in double precision, so that columns that single precision cannot hold
    /// (time stamps, for example) can be points afterwards.
    ///
    /// # Errors
    /// If a column is text, a value is missing, or columns are constant.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let data = Dataset::new(&[[1.0, 170.0], [3.0, 190.0]])?;
    /// let z = data.standardised()?;
    /// let x = z.points()?;
    /// assert_eq!(x.as_vec(), [-1.0, -1.0, 1.0, 1.0]);
    /// assert_eq!(z.std(), Some([1.0, 10.0].as_slice()));
    /// // A model fits z; what it generates is brought back to the units of the data.
    /// assert_eq!(z.restore(&x)?.as_vec(), [1.0, 170.0, 3.0, 190.0]);
    /// # Ok::<(), Error>(())
    /// ```
    /// PyTorch equivalent: `(x - x.mean(0)) / x.std(0, correction=0)`.
    pub fn standardised(&self) -> Result<Self, Error> {
        if self.is_whitened() {
            return Ok(self.clone());
        }
        self.check_numbers()?;
        let (d, n) = (self.dimension, self.len() as f64);
        let mut units = Units {
            mean: vec![0.0; d],
            std: vec![0.0; d],
            lower: None,
        };
        for row in self.raw_rows() {
            units
                .mean
                .iter_mut()
                .zip(row)
                .for_each(|(mean, x)| *mean += x / n);
        }
        let mut largest = vec![0.0; d];
        for row in self.raw_rows() {
            let each = largest.iter_mut().zip(&units.mean).zip(row);
            each.for_each(|((largest, mean), x)| *largest = f64::max(*largest, (x - mean).abs()));
        }
        // Squares of 1e200 and of 1e-200 are beyond double precision. A power of two takes no digits.
        let scale: Vec<f64> = largest.into_iter().map(power_of_two).collect();
        for row in self.raw_rows() {
            let each = units.std.iter_mut().zip(&units.mean).zip(&scale).zip(row);
            each.for_each(|(((square, mean), scale), x)| {
                *square += ((x - mean) / scale).powi(2) / n;
            });
        }
        let each = units.std.iter_mut().zip(&scale);
        each.for_each(|(square, scale)| *square = square.sqrt() * scale);
        let first = &self.values[..d];
        // The sums of a constant column may round to more than zero.
        let is_constant = |i: &usize| self.raw_rows().all(|row| row[*i] == first[*i]);
        let constant: Vec<usize> = (0..d).filter(is_constant).collect();
        if !constant.is_empty() {
            let each = constant
                .iter()
                .map(|i| format!("{} is {} everywhere", self.label(*i), first[*i]));
            return Err(Error::Data(format!(
                "{}, which cannot be scaled to variance 1: choose other columns{}",
                listed(each),
                self.how_to_choose(&|column| !constant.contains(&column))
            )));
        }
        if let Some(i) = units.std.iter().position(|std| !std.is_normal()) {
            return Err(Error::Data(format!(
                "{} has a standard deviation of {:e}, which is beyond double precision: change its unit",
                self.label(i),
                units.std[i]
            )));
        }
        Ok(self.scaled(&units))
    }

    /// The set with mean 0 and covariance I: standardised, z, and then L⁻¹ z, where L Lᵀ is the covariance of z with L lower
    /// triangular. A column is then what it adds to those before it, in its own spread.
    ///
    /// For samplers and noise that treat all directions alike, where columns go together. [`Dataset::restore`] leads back
    /// to the units of the file.
    ///
    /// # Errors
    /// As [`Dataset::standardised`], or if a column is a sum of multiples of others, or there are not more rows than
    /// columns.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let data = Dataset::new(&[[0.0, 1.0], [1.0, 3.0], [2.0, 2.0], [3.0, 6.0]])?;
    /// let z = data.whitened()?.points()?;
    /// let (a, b): (Vec<f32>, Vec<f32>) = z.as_vec().chunks(2).map(|z| (z[0], z[1])).unzip();
    /// let product: f32 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
    /// assert!(product.abs() < 1e-6);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn whitened(&self) -> Result<Self, Error> {
        if self.is_whitened() {
            return Ok(self.clone());
        }
        let standardised = self.standardised()?;
        let ones = vec![1.0; self.len()];
        let (_, covariance) = moments(&standardised.values, self.dimension, &ones);
        let lower = Cholesky::of(&covariance, self.dimension).map_err(|column| {
            Error::Data(format!(
                "{} is a sum of multiples of those before it, or there are no more rows than columns ({}): leave it out",
                self.label(column),
                self.len()
            ))
        })?;
        let mut values = standardised.values.clone();
        for row in values.chunks_exact_mut(self.dimension) {
            row.copy_from_slice(&lower.solve(row));
        }
        let mut set = standardised.with_values(values);
        set.units
            .iter_mut()
            .for_each(|units| units.lower = Some(lower.clone()));
        Ok(set)
    }

    pub(crate) fn is_whitened(&self) -> bool {
        self.units
            .as_ref()
            .is_some_and(|units| units.lower.is_some())
    }

    /// ln |det ∂x/∂z| of points z of this set and their originals x: Σ_d ln s_d of a standardised set, Σ_d ln (s_d L_dd) of a
    /// whitened one, 0 otherwise. A density of z has -log p(x) = -log p(z) + this, in the units of the file.
    pub fn log_volume(&self) -> f64 {
        let Some(units) = &self.units else {
            return 0.0;
        };
        let lower = units.lower.iter().flat_map(Cholesky::diagonal);
        units.std.iter().copied().chain(lower).map(f64::ln).sum()
    }

    /// This set on the scale of another one: the test set as the training set was standardised, or whitened.
    ///
    /// # Errors
    /// If the other set is not standardised, this one is already, or the two have different
    /// columns.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let train = Dataset::new(&[[1.0], [3.0]])?.standardised()?;
    /// let test = Dataset::new(&[[4.0]])?.scaled_like(&train)?;
    /// let z: Points = test.points()?;
    /// assert_eq!(z.as_vec(), [2.0]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn scaled_like(&self, other: &Dataset) -> Result<Self, Error> {
        let wrong = |message: &str| Err(Error::Data(message.to_owned()));
        let Some(units) = &other.units else {
            return wrong(
                "the other set is not standardised: call `standardised` or `whitened` on it first",
            );
        };
        if self.units.is_some() {
            return wrong("this set is standardised already: use it as it was read");
        }
        if self.dimension != other.dimension {
            let found = (self.len(), self.dimension);
            let expected = format!("(N, {}), the other set's columns,", other.dimension);
            return Err(Error::shape("this data set", found, expected));
        }
        if let (Some(here), Some(there)) = (self.names(), other.names())
            && here != there
        {
            return Err(Error::Data(format!(
                "the columns are {} here and {} in the other set: choose the same with `columns`",
                here.join(", "),
                there.join(", ")
            )));
        }
        self.check_numbers()?;
        Ok(self.scaled(units))
    }

    /// (x - mean)/std, and L⁻¹ of it, with what a former standardisation took out kept in the units.
    fn scaled(&self, units: &Units) -> Self {
        let mut values = self.values.clone();
        for row in values.chunks_exact_mut(self.dimension) {
            units.take_out(row);
        }
        let mut units = units.clone();
        if let Some(before) = &self.units {
            for d in 0..self.dimension {
                units.mean[d] = before.mean[d] + before.std[d] * units.mean[d];
                units.std[d] *= before.std[d];
            }
        }
        Self {
            units: Some(units),
            ..self.with_values(values)
        }
    }

    /// The columns' means before [`Dataset::standardised`], if it was called.
    pub fn mean(&self) -> Option<&[f64]> {
        self.units.as_ref().map(|units| units.mean.as_slice())
    }

    /// The columns' standard deviations before [`Dataset::standardised`], if it was called.
    pub fn std(&self) -> Option<&[f64]> {
        self.units.as_ref().map(|units| units.std.as_slice())
    }

    /// Points of the standardised space in the original units, x_d = m_d + s_d z_d (of the whitened one, m_d + s_d (L z)_d),
    /// `(B, D)` to `(B, D)`. Without [`Dataset::standardised`] they come back as they are.
    ///
    /// # Errors
    /// If the points have another dimension than the set, or single precision cannot hold a column of the
    /// original (time stamps, for example): [`Dataset::restore_rows`] can.
    pub fn restore(&self, x: &Points) -> Result<Points, Error> {
        if let Some(Units { mean, std, .. }) = &self.units
            && let Some(i) = (0..mean.len()).find(|i| !fits_single(mean[*i], std[*i]))
        {
            return Err(Error::Data(format!(
                "{} in its own units (mean {:e}, standard deviation {:e}) is more than single precision can \
                 hold: `restore_rows` gives numbers in double precision",
                self.label(i),
                mean[i],
                std[i]
            )));
        }
        let rows = self.restore_rows(x)?;
        points(
            rows.into_iter().map(|value| value as f32).collect(),
            *x.shape(),
        )
    }

    /// The same in double precision, row after row: `(B, D)` to B D numbers.
    ///
    /// # Errors
    /// If the points have another dimension than the set.
    pub fn restore_rows(&self, x: &Points) -> Result<Vec<f64>, Error> {
        let shape = *x.shape();
        if shape.1 != self.dimension {
            let expected = format!("(B, {}), as the data set has,", self.dimension);
            return Err(Error::shape("x", shape, expected));
        }
        let mut rows: Vec<f64> = to_vec(x).into_iter().map(f64::from).collect();
        if let Some(units) = &self.units {
            for row in rows.chunks_exact_mut(shape.1.max(1)) {
                units.restore(row);
            }
        }
        Ok(rows)
    }
}

impl Dataset {
    /// Writes what leads from the file's units to this set's to a safetensors file in double precision: `mean` and `std`, `(D,)`,
    /// and L of a whitened set as `lower`, `(D, D)`: for what uses a saved model elsewhere.
    ///
    /// # Errors
    /// If the set is neither standardised nor whitened, or the file cannot be written.
    ///
    /// # Examples
    /// In Python, for rows `x` of the file: `z = np.linalg.solve(lower, ((x - mean) / std).T).T`.
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// # let temporary = tempfile::tempdir().unwrap();
    /// # let folder = temporary.path();
    /// let data = Dataset::new(&[[0.0, 1.0], [1.0, 3.0], [2.0, 2.0]])?.whitened()?;
    /// data.save_units(folder.join("units.safetensors"))?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn save_units(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let Some(units) = &self.units else {
            let reason =
                "the set has its file's own units: call `standardised` or `whitened` on it first";
            return Err(Error::Data(reason.to_owned()));
        };
        let d = self.dimension;
        let mut lists = vec![
            ("mean", vec![d], units.mean.clone()),
            ("std", vec![d], units.std.clone()),
        ];
        if let Some(lower) = &units.lower {
            lists.push(("lower", vec![d, d], lower.lower().to_vec()));
        }
        doubles::save(path.as_ref(), &lists)
    }

    /// Other points of this set's space in the place of its own, `(B, D)`, with the same names and units: samples of a model
    /// that was trained on it, to be looked at as the data are.
    ///
    /// # Errors
    /// If the points have another dimension, or are not finite.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let data = Dataset::new(&[[1.0], [3.0]])?.with_names(&["mass"])?.standardised()?;
    /// let sample = points(vec![0.5], (1, 1))?;
    /// assert_eq!(data.with_points(&sample)?.column("mass")?, [2.5]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn with_points(&self, x: &Points) -> Result<Self, Error> {
        if x.shape().1 != self.dimension {
            let expected = format!("(B, {}), as the data set has,", self.dimension);
            return Err(Error::shape("x", x.shape(), expected));
        }
        Ok(Self {
            names: self.names.clone(),
            units: self.units.clone(),
            ..Self::from_points(x)?
        })
    }

    /// Where points of this set's space lie whose originals have these values, of which some are free (NaN): an origin, and
    /// directions of length 1 that are orthogonal to each other, as many as values are free.
    pub(crate) fn plane(&self, original: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
        let d = self.dimension;
        let units = self.units.as_ref();
        let mean = |i: usize| units.map_or(0.0, |units| units.mean[i]);
        let mut origin: Vec<f64> = original.to_vec();
        for (i, value) in origin
            .iter_mut()
            .enumerate()
            .filter(|(_, value)| value.is_nan())
        {
            *value = mean(i);
        }
        units.iter().for_each(|units| units.take_out(&mut origin));
        let mut directions: Vec<Vec<f64>> = Vec::new();
        for free in (0..d).filter(|i| original[*i].is_nan()) {
            let mut direction = vec![0.0; d];
            direction[free] = 1.0;
            if let Some(lower) = units.and_then(|units| units.lower.as_ref()) {
                direction = lower.solve(&direction);
            }
            for other in &directions {
                let along: f64 = direction.iter().zip(other).map(|(a, b)| a * b).sum();
                direction
                    .iter_mut()
                    .zip(other)
                    .for_each(|(a, b)| *a -= along * b);
            }
            let length = direction.iter().map(|a| a * a).sum::<f64>().sqrt();
            direction.iter_mut().for_each(|a| *a /= length);
            directions.push(direction);
        }
        (origin, directions)
    }

    /// All values in the units of the file, row after row.
    pub(crate) fn originals(&self) -> impl Iterator<Item = f64> {
        self.raw_rows().flat_map(|row| {
            let mut row = row.to_vec();
            self.units.iter().for_each(|units| units.restore(&mut row));
            row
        })
    }
}

impl Units {
    /// z of an original x.
    pub(super) fn take_out(&self, row: &mut [f64]) {
        let each = row.iter_mut().zip(&self.mean).zip(&self.std);
        each.for_each(|((x, mean), std)| *x = (*x - mean) / std);
        if let Some(lower) = &self.lower {
            row.copy_from_slice(&lower.solve(row));
        }
    }

    /// The original x of z.
    pub(super) fn restore(&self, row: &mut [f64]) {
        if let Some(lower) = &self.lower {
            row.copy_from_slice(&lower.times(row));
        }
        let each = row.iter_mut().zip(&self.mean).zip(&self.std);
        each.for_each(|((z, mean), std)| *z = *z * std + mean);
    }
}

/// The power of two at or below a number that is positive and normal, else 1.
fn power_of_two(value: f64) -> f64 {
    const EXPONENT: u64 = 0x7ff << 52;
    match value.is_normal() {
        true => f64::from_bits(value.to_bits() & EXPONENT),
        false => 1.0,
    }
}
