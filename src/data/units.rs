//! Columns to mean 0 and variance 1, and points back to the original units.

use super::Dataset;
use crate::Error;
use crate::energy::{Points, for_each_backend, tensor};
use dfdx::prelude::*;

/// What was taken out of the columns: original = mean + std · kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Units {
    mean: Vec<f64>,
    std: Vec<f64>,
}

impl Units {
    pub(super) fn columns(&self, indices: &[usize]) -> Self {
        Self {
            mean: indices.iter().map(|i| self.mean[*i]).collect(),
            std: indices.iter().map(|i| self.std[*i]).collect(),
        }
    }
}

/// [`Dataset::restore`] for every number type and device, compiled in this crate.
pub trait Restore<E: Dtype, Dev: Device<E>> {
    /// Points in the original units.
    fn restored(&self, x: &Points<E, Dev>) -> Result<Points<E, Dev>, Error>;
}

impl Dataset {
    /// The set with mean 0 and variance 1 in every column, z_d = (x_d - m_d)/s_d, where
    ///
    /// m_d = 1/N Σ_i x_id, s_d² = 1/N Σ_i (x_id - m_d)².
    ///
    /// It keeps m and s, in the units of the file, for [`Dataset::restore`].
    ///
    /// # Errors
    /// If a column is constant.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let data = Dataset::new(&[[1.0, 170.0], [3.0, 190.0]])?;
    /// let z = data.standardised()?;
    /// let x: Points<f64> = z.points()?;
    /// assert_eq!(x.as_vec(), [-1.0, -1.0, 1.0, 1.0]);
    /// assert_eq!(z.std(), Some([1.0, 10.0].as_slice()));
    /// // A model fits z; what it generates is brought back to the units of the data.
    /// assert_eq!(z.restore(&x)?.as_vec(), [1.0, 170.0, 3.0, 190.0]);
    /// # Ok::<(), Error>(())
    /// ```
    /// PyTorch equivalent: `(x - x.mean(0)) / x.std(0, correction=0)`.
    pub fn standardised(&self) -> Result<Self, Error> {
        let (d, n) = (self.dimension, self.len() as f64);
        let mut units = Units {
            mean: vec![0.0; d],
            std: vec![0.0; d],
        };
        for row in self.rows() {
            units
                .mean
                .iter_mut()
                .zip(row)
                .for_each(|(mean, x)| *mean += x / n);
        }
        for row in self.rows() {
            let each = units.std.iter_mut().zip(&units.mean).zip(row);
            each.for_each(|((square, mean), x)| *square += (x - mean).powi(2) / n);
        }
        units
            .std
            .iter_mut()
            .for_each(|square| *square = square.sqrt());
        for (i, std) in units.std.iter().enumerate() {
            let first = self.values[i];
            // The sums of a constant column may round to more than zero.
            if self.rows().all(|row| row[i] == first) || !std.is_normal() {
                let column = self.label(i);
                return Err(Error::Data(format!(
                    "{column} is {first} everywhere, so it cannot be scaled to variance 1: choose \
                     the others with `columns` or `columns_at`"
                )));
            }
        }
        Ok(self.scaled(&units))
    }

    /// This set on the scale of another one: the test set as the training set was standardised.
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
    /// let test = Dataset::new(&[[4.0]])?.standardised_like(&train)?;
    /// let z: Points<f64> = test.points()?;
    /// assert_eq!(z.as_vec(), [2.0]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn standardised_like(&self, other: &Dataset) -> Result<Self, Error> {
        let wrong = |message: &str| Err(Error::Data(message.to_owned()));
        let Some(units) = &other.units else {
            return wrong("the other set is not standardised: call `standardised` on it first");
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
        Ok(self.scaled(units))
    }

    /// (x - mean)/std, with what a former standardisation took out kept in the units.
    fn scaled(&self, units: &Units) -> Self {
        let each = |row: &[f64]| {
            let scaled = row.iter().zip(&units.mean).zip(&units.std);
            scaled
                .map(|((x, mean), std)| (x - mean) / std)
                .collect::<Vec<_>>()
        };
        let values = self.rows().flat_map(each).collect();
        let mut units = units.clone();
        if let Some(before) = &self.units {
            for d in 0..self.dimension {
                units.mean[d] = before.mean[d] + before.std[d] * units.mean[d];
                units.std[d] *= before.std[d];
            }
        }
        Self {
            values,
            dimension: self.dimension,
            names: self.names.clone(),
            units: Some(units),
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

    /// Points of the standardised space in the original units, x_d = m_d + s_d z_d, `(B, D)` to
    /// `(B, D)`. Without [`Dataset::standardised`] they come back as they are.
    ///
    /// # Errors
    /// If the points have another dimension than the set, or a tensor operation fails.
    pub fn restore<E: Dtype, Dev: Device<E>>(
        &self,
        x: &Points<E, Dev>,
    ) -> Result<Points<E, Dev>, Error>
    where
        Self: Restore<E, Dev>,
    {
        self.restored(x)
    }

    fn restored_on<E: Dtype, Dev: Device<E>>(
        &self,
        x: &Points<E, Dev>,
    ) -> Result<Points<E, Dev>, Error> {
        let shape = *x.shape();
        if shape.1 != self.dimension {
            let expected = format!("(B, {}), as the data set has,", self.dimension);
            return Err(Error::shape("x", shape, expected));
        }
        let Some(Units { mean, std }) = &self.units else {
            return Ok(x.clone());
        };
        let row = |values: &[f64]| tensor(x.device(), values.iter().copied(), (shape.1,));
        let (mean, std): (Tensor<_, E, Dev>, Tensor<_, E, Dev>) = (row(mean)?, row(std)?);
        let build = || -> Result<_, Dev::Err> {
            let std = std.try_broadcast_like::<_, Axis<0>>(&shape)?;
            x.clone()
                .try_mul(std)?
                .try_add(mean.try_broadcast_like::<_, Axis<0>>(&shape)?)
        };
        build().map_err(Error::tensor)
    }
}

macro_rules! implement {
    ($E:ty, $Dev:ty) => {
        impl Restore<$E, $Dev> for Dataset {
            fn restored(&self, x: &Points<$E, $Dev>) -> Result<Points<$E, $Dev>, Error> {
                self.restored_on(x)
            }
        }
    };
}
for_each_backend!(implement);
