//! All pairs of columns of points in more than two dimensions.

use super::{Chart, DensityMap, Figure, Line};
use crate::Error;
use std::ops::Range;

/// Of each column so much is left out at either end, where few points would make a wide range.
const OUTSIDE: f64 = 0.005;

/// How points in several dimensions lie: for each pair of columns a map of how many points are where, and
/// for each column alone, on the diagonal, its histogram.
///
/// # Examples
/// Data beside samples of a model, on the same ranges:
/// ```
/// use energy_discrepancy::plot::PairMaps;
/// use energy_discrepancy::prelude::*;
///
/// let means = [[0.0, 1.0, 2.0], [3.0, 1.0, -2.0]];
/// let mixture = GaussianMixture::new(&[0.5, 0.5], &means, &[1.0, 0.5])?;
/// let draw = |seed| -> Result<Vec<f64>, Error> {
///     let points: Points<f64> = mixture.sample(500, &mut rng(seed))?;
///     Ok(points.as_vec())
/// };
/// let data = PairMaps::new(&draw(0)?, &["a", "b", "c"])?;
/// let model = PairMaps::new(&draw(1)?, &["a", "b", "c"])?.on_ranges_of(&data)?;
/// assert!(data.figure().title("Data").png()?.len() > 1000);
/// model.figure().title("Model").show()?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct PairMaps {
    names: Vec<String>,
    columns: Vec<Vec<f64>>,
    ranges: Vec<Range<f64>>,
    bins: usize,
}

impl PairMaps {
    /// Points row after row, with a name for each of their columns: two to eight.
    ///
    /// # Errors
    /// If there are other numbers of columns, the values are no whole number of rows or fewer than two, a
    /// value is not finite, or a column has one value throughout.
    pub fn new<S: AsRef<str>>(rows: &[f64], names: &[S]) -> Result<Self, Error> {
        let names: Vec<String> = names.iter().map(|name| name.as_ref().to_owned()).collect();
        let dimension = names.len();
        if !(2..=8).contains(&dimension) {
            let reason = format!("{dimension} columns: choose 2 to 8 of them");
            return Err(Error::Figure(reason));
        }
        if !rows.len().is_multiple_of(dimension) || rows.len() < 2 * dimension {
            let count = rows.len();
            return Err(Error::Figure(format!(
                "{count} values are no 2 or more rows of {dimension} columns"
            )));
        }
        let column = |d: usize| rows[d..].iter().step_by(dimension).copied().collect();
        let columns: Vec<Vec<f64>> = (0..dimension).map(column).collect();
        let ranges = columns.iter().zip(&names);
        let ranges = ranges.map(|(column, name)| range(column, name));
        Ok(Self {
            ranges: ranges.collect::<Result<_, _>>()?,
            names,
            columns,
            bins: 40,
        })
    }

    /// The number of cells along an axis: 40 without it.
    ///
    /// # Errors
    /// If there are fewer than 2, or more than 400.
    pub fn bins(mut self, bins: usize) -> Result<Self, Error> {
        if !(2..=400).contains(&bins) {
            return Err(Error::setting("bins", bins, "from 2 to 400"));
        }
        self.bins = bins;
        Ok(self)
    }

    /// Takes the ranges of other maps, so that both can be compared.
    ///
    /// # Errors
    /// If they have another number of columns.
    pub fn on_ranges_of(mut self, other: &Self) -> Result<Self, Error> {
        let (own, others) = (self.names.len(), other.names.len());
        if own != others {
            return Err(Error::Figure(format!(
                "maps of {own} columns on the ranges of {others}"
            )));
        }
        self.ranges.clone_from(&other.ranges);
        Ok(self)
    }

    /// The maps as one figure: x is the column's number, y the row's.
    pub fn figure(&self) -> Figure {
        let dimension = self.names.len();
        let chart = |j: usize, i: usize| match i == j {
            true => self.histogram(i),
            false => self.map(i, j),
        };
        let rows = (0..dimension).map(|j| (0..dimension).map(move |i| chart(j, i)));
        let below = |d: usize| {
            let Range { start, end } = self.ranges[d];
            format!("{}, {} to {}", self.names[d], short(start), short(end))
        };
        Figure::grid(rows)
            .size(150, 150)
            .column_labels((0..dimension).map(below))
            .row_labels(&self.names)
    }

    /// The cell of a value, if it lies in the range.
    fn cell(&self, d: usize, value: f64) -> Option<usize> {
        let Range { start, end } = self.ranges[d];
        let share = (value - start) / (end - start);
        let cell = (share * (self.bins - 1) as f64).round();
        (0.0..self.bins as f64)
            .contains(&cell)
            .then_some(cell as usize)
    }

    fn map(&self, i: usize, j: usize) -> Chart {
        let mut counts = vec![0.0; self.bins * self.bins];
        for (x, y) in self.columns[i].iter().zip(&self.columns[j]) {
            if let (Some(x), Some(y)) = (self.cell(i, *x), self.cell(j, *y)) {
                counts[x * self.bins + y] += 1.0;
            }
        }
        let (x, y) = (self.ranges[i].clone(), self.ranges[j].clone());
        let map = DensityMap::rectangle(x, y, &counts);
        Chart::new("").bare().density_map(map)
    }

    fn histogram(&self, d: usize) -> Chart {
        let mut counts = vec![0.0; self.bins];
        for value in &self.columns[d] {
            if let Some(cell) = self.cell(d, *value) {
                counts[cell] += 1.0;
            }
        }
        let Range { start, end } = self.ranges[d];
        let step = (end - start) / (self.bins - 1) as f64;
        let centres: Vec<f64> = (0..self.bins).map(|i| start + i as f64 * step).collect();
        let most = counts.iter().copied().fold(1.0, f64::max);
        Chart::new("")
            .bare()
            .x_limits(start, end)
            .y_limits(0.0, 1.1 * most)
            .line(Line::new(&centres, &counts))
    }
}

/// From the smallest value to the largest but for the outermost, with a margin.
fn range(column: &[f64], name: &str) -> Result<Range<f64>, Error> {
    if let Some(row) = column.iter().position(|value| !value.is_finite()) {
        let value = column[row];
        return Err(Error::Figure(format!("{name} has {value} in row {row}")));
    }
    let mut sorted = column.to_vec();
    sorted.sort_by(f64::total_cmp);
    let out = (OUTSIDE * sorted.len() as f64) as usize;
    let (low, high) = (sorted[out], sorted[sorted.len() - 1 - out]);
    let margin = 0.1 * (high - low);
    match margin > 0.0 && margin.is_finite() {
        true => Ok(low - margin..high + margin),
        false => Err(Error::Figure(format!("{name} is {low} throughout"))),
    }
}

/// Three significant digits.
fn short(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 || size == 0.0 => 0,
        size => (2 - size.log10().floor() as i32).clamp(0, 6) as usize,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_counted_in_their_cells() {
        // 100 points on a line: as many in each cell of the diagonal, none elsewhere.
        let rows: Vec<f64> = (0..100)
            .flat_map(|i| [f64::from(i), 2.0 * f64::from(i)])
            .collect();
        let maps = PairMaps::new(&rows, &["a", "b"]).unwrap().bins(5).unwrap();
        assert_eq!(maps.ranges, [-9.9..108.9, -19.8..217.8]);
        let cells: Vec<Option<usize>> = [-30.0, -9.9, 0.0, 108.9, 130.0]
            .map(|v| maps.cell(0, v))
            .into();
        assert_eq!(cells, [None, Some(0), Some(0), Some(4), None]);
        assert_eq!(short(0.01234), "0.0123");
        assert_eq!([1234.5, 99.5, 1.5].map(short), ["1234", "99.5", "1.50"]);
    }

    #[test]
    fn what_cannot_be_drawn_is_an_error() {
        let error =
            |rows: &[f64], names: &[&str]| PairMaps::new(rows, names).unwrap_err().to_string();
        assert!(error(&[0.0; 4], &["a"]).contains("choose 2 to 8"));
        assert!(error(&[0.0; 5], &["a", "b"]).contains("5 values"));
        assert!(error(&[0.0, f64::NAN, 1.0, 1.0], &["a", "b"]).contains("b has NaN in row 0"));
        assert!(error(&[0.0, 2.0, 1.0, 2.0], &["a", "b"]).contains("b is 2 throughout"));
        let two = PairMaps::new(&[0.0, 2.0, 1.0, 3.0], &["a", "b"]).unwrap();
        let three = PairMaps::new(&[0.0, 2.0, 1.0, 3.0, 4.0, 5.0], &["a", "b", "c"]).unwrap();
        assert!(two.clone().on_ranges_of(&three).is_err());
        assert!(two.bins(1).unwrap_err().to_string().contains("bins = 1"));
    }
}
