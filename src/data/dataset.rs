//! A finite set of points.

use super::Data;
use super::units::Units;
use crate::backend::{Backend, Number};
use crate::energy::{Points, for_each_backend, tensor};
use crate::{Error, Rng, rng};
use dfdx::prelude::*;
use std::fmt;

/// N points in D dimensions, kept in double precision, with the names of their columns where they
/// are known.
///
/// As [`Data`], a batch of n < N points is n different rows in random order; n = N gives all rows
/// in their own order; more is an error.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let rows = [[170.0, 62.0], [181.0, 80.0], [166.0, 55.0]];
/// let data = Dataset::new(&rows)?.with_names(&["height/cm", "mass/kg"])?;
/// let batch: Points = data.sample(2, &mut rng(0))?;
/// assert_eq!(batch.shape(), &(2, 2));
///
/// let height: Points<f64> = data.columns(&["height/cm"])?.points()?;
/// assert_eq!(height.as_vec(), [170.0, 181.0, 166.0]);
/// # Ok::<(), Error>(())
/// ```
/// From a file: [`Dataset::read`]. To mean 0 and variance 1, and back: [`Dataset::standardised`].
#[derive(Clone, PartialEq)]
pub struct Dataset {
    /// Row after row.
    pub(super) values: Vec<f64>,
    pub(super) dimension: usize,
    pub(super) names: Option<Vec<String>>,
    pub(super) units: Option<Units>,
}

impl Dataset {
    /// A set of these points.
    ///
    /// # Errors
    /// If there is no point or no coordinate, the points have different dimensions, or a
    /// coordinate is not finite or too large for single precision (3.4e38).
    pub fn new<R: AsRef<[f64]>>(rows: &[R]) -> Result<Self, Error> {
        let dimension = rows.first().map_or(0, |row| row.as_ref().len());
        if let Some(at) = rows.iter().position(|row| row.as_ref().len() != dimension) {
            let found = rows[at].as_ref().len();
            return Err(Error::Data(format!(
                "rows[{at}] has length {found} and rows[0] has length {dimension}: give every \
                 point the same coordinates"
            )));
        }
        let values = rows.iter().flat_map(|row| row.as_ref()).copied();
        Self::of(values.collect(), dimension).map_err(Error::Data)
    }

    /// A set from its values, row after row, or what is wrong with them.
    pub(super) fn of(values: Vec<f64>, dimension: usize) -> Result<Self, String> {
        if values.is_empty() {
            return Err("there are no points: give one at least, with one coordinate".to_owned());
        }
        if let Some(at) = values.iter().position(|value| !(*value as f32).is_finite()) {
            return Err(format!(
                "the value at [{}, {}] (row and column, from 0) is {}: {CHANGE_INFINITE}",
                at / dimension,
                at % dimension,
                values[at]
            ));
        }
        Ok(Self {
            values,
            dimension,
            names: None,
            units: None,
        })
    }

    /// N, the number of points.
    pub fn len(&self) -> usize {
        self.values.len() / self.dimension
    }

    /// Never: a set has one point at least.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// D, the number of columns.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The points one by one, in double precision.
    pub fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.dimension)
    }

    /// All points in their order, `(N, D)`.
    ///
    /// # Errors
    /// If the device has no memory left.
    pub fn points<E: Dtype, Dev: Device<E>>(&self) -> Result<Points<E, Dev>, Error>
    where
        Self: Data<E, Dev>,
    {
        // All rows need no random numbers.
        self.sample(self.len(), &mut rng(0))
    }

    fn sample_on<E: Number, Dev: Backend<E>>(
        &self,
        n: usize,
        rng: &mut Rng,
    ) -> Result<Points<E, Dev>, Error> {
        let (rows, d) = (self.len(), self.dimension);
        let shape = (n, d);
        if n == rows {
            return tensor(&Dev::shared()?, self.values.iter().copied(), shape);
        }
        if n > rows {
            let expected = format!("{shape:?} or more for a sample of {n} different points");
            return Err(Error::shape("the data set", (rows, d), expected));
        }
        let chosen = rand::seq::index::sample(rng, rows, n).into_iter();
        let values = chosen.flat_map(|i| &self.values[i * d..(i + 1) * d]);
        tensor(&Dev::shared()?, values.copied(), shape)
    }
}

/// What to do about a number that is no coordinate.
pub(super) const CHANGE_INFINITE: &str = "coordinates must be finite and below 3.4e38, so leave \
                                          the point out or fill in a value";

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dataset of shape ({}, {})", self.len(), self.dimension)?;
        if let Some(names) = &self.names {
            let more = if names.len() > 8 { ", ..." } else { "" };
            write!(f, ": {}{more}", names[..names.len().min(8)].join(", "))?;
        }
        if self.units.is_some() {
            f.write_str(" (standardised)")?;
        }
        Ok(())
    }
}

macro_rules! implement {
    ($E:ty, $Dev:ty) => {
        impl Data<$E, $Dev> for Dataset {
            fn dimension(&self) -> usize {
                self.dimension
            }

            fn sample(&self, n: usize, rng: &mut Rng) -> Result<Points<$E, $Dev>, Error> {
                self.sample_on(n, rng)
            }
        }
    };
}
for_each_backend!(implement);

#[cfg(test)]
#[path = "dataset_tests.rs"]
mod tests;
