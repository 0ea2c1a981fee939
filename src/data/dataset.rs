//! A finite set of points.

use super::source::Data;
use crate::cholesky::Cholesky;
use crate::tensors::{Points, points, to_vec};
use crate::{Error, Rng};
use dfdx::shapes::HasShape;
use evcxr_notebook::debug_markdown;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// N points in D dimensions, kept in double precision, with the names of their columns where they
/// are known.
///
/// Of a file a column can be text, and values can be missing. Such a set can be looked at and columns
/// of it chosen; whatever takes its rows for points, or rescales them, is an error that names the
/// columns and says to choose others ([`Dataset::columns`]), to drop rows
/// ([`Dataset::drop_missing`]) or to fill values in ([`Dataset::fill_missing_with_means`]).
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
/// let batch = data.sample(2, &mut rng(0))?;
/// assert_eq!(batch.shape(), &(2, 2));
///
/// let height = data.columns(&["height/cm"])?.points()?;
/// assert_eq!(height.as_vec(), [170.0, 181.0, 166.0]);
/// # Ok::<(), Error>(())
/// ```
/// From a file: [`Dataset::read`]. To mean 0 and variance 1, and back: [`Dataset::standardised`].
#[derive(Clone)]
pub struct Dataset {
    /// Row after row. NaN is a missing value; in a column of text stands the number of the text.
    pub(super) values: Vec<f64>,
    pub(super) dimension: usize,
    pub(super) names: Option<Vec<String>>,
    pub(super) units: Option<Units>,
    /// For each column, if it is text.
    pub(super) texts: Vec<Option<Arc<Text>>>,
    /// Rows that [`Dataset::drop_missing`] left out.
    pub(super) dropped: usize,
    /// Values of each column that were missing and filled in.
    pub(super) filled: Vec<usize>,
    pub(super) checks: Checks,
}

/// What was taken out of the columns: original = mean + std · kept, or mean + std · L kept.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Units {
    pub(super) mean: Vec<f64>,
    pub(super) std: Vec<f64>,
    /// L, of a whitened set.
    pub(super) lower: Option<Cholesky>,
}

/// What was found out about a set, once: what keeps its columns from being used as numbers, and in single
/// precision.
#[derive(Clone, Default)]
pub(super) struct Checks {
    pub(super) numbers: OnceLock<Option<String>>,
    pub(super) single: OnceLock<Option<String>>,
}

/// What a column of text says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Text {
    /// The different texts, in the order in which they occur.
    pub(super) levels: Vec<String>,
    /// Line and column of the first cell that is no number, from 1 and as messages call them, and the
    /// cell.
    pub(super) line: String,
    pub(super) column: String,
    pub(super) first: String,
    /// Cells that are numbers, and cells that are none and not missing.
    pub(super) numbers: usize,
    pub(super) others: usize,
}

impl Dataset {
    /// A set of these points.
    ///
    /// # Errors
    /// If there is no point or no coordinate, the points have different dimensions, or a
    /// coordinate is not finite.
    pub fn new<R: AsRef<[f64]>>(rows: &[R]) -> Result<Self, Error> {
        let dimension = rows.first().map_or(0, |row| row.as_ref().len());
        if let Some(at) = rows.iter().position(|row| row.as_ref().len() != dimension) {
            let found = rows[at].as_ref().len();
            return Err(Error::Data(format!(
                "rows[{at}] has length {found} and rows[0] has length {dimension}: give every \
                 point the same coordinates"
            )));
        }
        let values = rows.iter().flat_map(|row| row.as_ref()).copied().collect();
        Self::whole(values, dimension)
    }

    /// A set from its values, none of which is missing.
    fn whole(values: Vec<f64>, dimension: usize) -> Result<Self, Error> {
        if let Some(at) = values.iter().position(|value| value.is_nan()) {
            return Err(Error::Data(not_finite(&values, at, dimension)));
        }
        Self::of(values, dimension).map_err(Error::Data)
    }

    /// A set from its values, row after row and NaN where one is missing, or what is wrong with them.
    pub(super) fn of(values: Vec<f64>, dimension: usize) -> Result<Self, String> {
        if values.is_empty() {
            return Err("there are no points: give one at least, with one coordinate".to_owned());
        }
        if let Some(at) = values.iter().position(|value| value.is_infinite()) {
            return Err(not_finite(&values, at, dimension));
        }
        Ok(Self {
            values,
            dimension,
            names: None,
            units: None,
            texts: vec![None; dimension],
            dropped: 0,
            filled: vec![0; dimension],
            checks: Checks::default(),
        })
    }

    /// A set of other values in the same columns.
    pub(super) fn with_values(&self, values: Vec<f64>) -> Self {
        Self {
            values,
            dimension: self.dimension,
            names: self.names.clone(),
            units: self.units.clone(),
            texts: self.texts.clone(),
            dropped: self.dropped,
            filled: self.filled.clone(),
            checks: Checks::default(),
        }
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

    /// The points of a tensor, `(N, D)`: of a sample, or of what a net made.
    ///
    /// # Errors
    /// If there is no point, or a coordinate is not finite.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let sample = toy::gaussians_8().sample(100, &mut rng(0))?;
    /// assert_eq!(Dataset::from_points(&sample)?.points()?.as_vec(), sample.as_vec());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn from_points(points: &Points) -> Result<Self, Error> {
        let values = to_vec(points).into_iter().map(f64::from).collect();
        Self::whole(values, points.shape().1)
    }

    /// The points one by one, in double precision.
    ///
    /// # Errors
    /// If a column is text, or a value is missing.
    pub fn rows(&self) -> Result<impl Iterator<Item = &[f64]>, Error> {
        self.check_numbers()?;
        Ok(self.raw_rows())
    }

    /// The rows as they are kept, with NaN and the numbers of texts.
    pub(super) fn raw_rows(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.dimension)
    }

    /// All points in their order, `(N, D)`.
    ///
    /// # Errors
    /// If a column is text, a value is missing, single precision cannot hold a
    /// column (too large, or too fine for their size: time stamps), or the device has no memory left.
    pub fn points(&self) -> Result<Points, Error> {
        self.points_of(0..self.len())
    }

    fn points_of(&self, rows: impl ExactSizeIterator<Item = usize>) -> Result<Points, Error> {
        self.check_single()?;
        let (n, d) = (rows.len(), self.dimension);
        let mut values = Vec::with_capacity(n * d);
        for i in rows {
            let row = &self.values[i * d..(i + 1) * d];
            values.extend(row.iter().map(|value| *value as f32));
        }
        points(values, (n, d))
    }
}

/// Which coordinate is not finite.
fn not_finite(values: &[f64], at: usize, dimension: usize) -> String {
    format!(
        "the value at [{}, {}] (row and column, from 0) is {}: coordinates must be finite, so leave \
         the point out or fill in a value",
        at / dimension,
        at % dimension,
        values[at]
    )
}

/// Equal where both miss a value, too.
impl PartialEq for Dataset {
    fn eq(&self, other: &Self) -> bool {
        let is_same = |(a, b): (&f64, &f64)| a == b || a.is_nan() && b.is_nan();
        self.dimension == other.dimension
            && self.values.len() == other.values.len()
            && self.values.iter().zip(&other.values).all(is_same)
            && (&self.names, &self.units) == (&other.names, &other.units)
            && (&self.texts, self.dropped) == (&other.texts, other.dropped)
            && self.filled == other.filled
    }
}

/// Shape and names, and which columns are text, where values are missing or were filled in, and how
/// many rows were dropped.
impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dataset of shape ({}, {})", self.len(), self.dimension)?;
        if let Some(names) = &self.names {
            let more = if names.len() > 8 { ", ..." } else { "" };
            let shown: String = names[..names.len().min(8)].join(", ");
            // In one line.
            write!(f, ": {}{more}", shown.replace(char::is_control, " "))?;
        }
        match &self.units {
            Some(Units { lower: None, .. }) => f.write_str(" (standardised)")?,
            Some(_) => f.write_str(" (whitened)")?,
            None => {}
        }
        if let Some(texts) = self.text_columns() {
            write!(f, "; text in {texts}")?;
        }
        if let Some(missing) = self.missing() {
            write!(f, "; {missing}")?;
        }
        if let Some(filled) = self.filled() {
            write!(f, "; {filled}")?;
        }
        match self.dropped {
            0 => Ok(()),
            1 => f.write_str("; 1 row dropped"),
            n => write!(f, "; {n} rows dropped"),
        }
    }
}

/// The same, and below a notebook cell the first rows and a summary.
impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&debug_markdown(&self.to_string(), || self.markdown()))
    }
}

impl Data for Dataset {
    fn dimension(&self) -> usize {
        self.dimension
    }

    fn sample(&self, n: usize, rng: &mut Rng) -> Result<Points, Error> {
        let rows = self.len();
        if n == rows {
            // All rows need no random numbers.
            return self.points();
        }
        if n > rows {
            let expected = format!(
                "{:?} or more for a sample of {n} different points",
                (n, self.dimension)
            );
            return Err(Error::shape(
                "the data set",
                (rows, self.dimension),
                expected,
            ));
        }
        self.points_of(rand::seq::index::sample(rng, rows, n).into_iter())
    }

    fn count(&self) -> Option<usize> {
        Some(self.len())
    }

    fn points_at(&self, numbers: &[usize]) -> Result<Points, Error> {
        if let Some(wrong) = numbers.iter().find(|number| **number >= self.len()) {
            let reason = format!(
                "it has {} rows, and none of number {wrong}, counted from 0",
                self.len()
            );
            return Err(Error::Data(reason));
        }
        self.points_of(numbers.iter().copied())
    }
}

#[cfg(test)]
#[path = "dataset_tests.rs"]
mod tests;
