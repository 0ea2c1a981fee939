//! All pairs of columns of points in more than two dimensions.

use super::chart::Chart;
use super::color_scale::ColorScale;
use super::decimal::Decimal;
use super::density_map::DensityMap;
use super::figure::Figure;
use super::line::Line;
use super::{text, theme};
use crate::Error;
use std::ops::Range;

/// Of each column so much is left out at either end, where few points would make a wide range.
const OUTSIDE: f64 = 0.005;

/// The size of a map in pixels, unless a range needs more room.
const SIDE: u32 = 150;

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
///     let points = mixture.sample(500, &mut rng(seed))?;
///     Ok(to_vec(&points).into_iter().map(f64::from).collect())
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
    /// Whether the column has one value but for few points.
    is_sparse: Vec<bool>,
    bins: usize,
}

impl PairMaps {
    /// Points row after row, with a name for each of their columns: two to eight.
    ///
    /// # Errors
    /// If there are other numbers of columns, the values are no whole number of rows or fewer than two, a
    /// value is not finite, or a column has one value throughout or a range that numbers cannot divide.
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
        let ranges: Result<Vec<_>, _> = ranges.map(|(column, name)| range(column, name)).collect();
        let (ranges, is_sparse) = ranges?.into_iter().unzip();
        Ok(Self {
            ranges,
            is_sparse,
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
        let (side, labels) = self.column_labels();
        Figure::grid(rows)
            .size(side, side)
            .column_labels(labels)
            .row_labels(&self.names)
    }

    /// How large a map is, and what stands above each column: its name and range, in two lines where one
    /// would be cut.
    fn column_labels(&self) -> (u32, Vec<String>) {
        let ranges: Vec<String> = self.ranges.iter().map(ends).collect();
        let with = |between: &str| {
            let both = self.names.iter().zip(&ranges);
            let labels = both.map(|(name, range)| format!("{name}{between}{range}"));
            labels.collect::<Vec<_>>()
        };
        let widest = |labels: &[String], size| labels.iter().map(|l| text::width(l, size)).max();
        let in_one = with(", ");
        if widest(&in_one, theme::LABEL) <= Some(SIDE as i32) {
            return (SIDE, in_one);
        }
        let widest = widest(&ranges, theme::TICK).unwrap_or(0);
        (SIDE.max(widest as u32 + 4), with("\n"))
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
        let mut map = DensityMap::rectangle(x, y, &counts);
        if self.is_sparse[i] || self.is_sparse[j] {
            // The few are to be seen beside the many.
            let most = counts.iter().copied().fold(1.0, f64::max);
            map = map.scale(ColorScale::up_to(most).power(0.3));
        }
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

/// From the smallest value to the largest but for the outermost, with a margin, and whether all but those
/// are one value.
fn range(column: &[f64], name: &str) -> Result<(Range<f64>, bool), Error> {
    if let Some(row) = column.iter().position(|value| !value.is_finite()) {
        let value = column[row];
        return Err(Error::Figure(format!("{name} has {value} in row {row}")));
    }
    let mut sorted = column.to_vec();
    sorted.sort_by(f64::total_cmp);
    let within = |out: usize| (sorted[out], sorted[sorted.len() - 1 - out]);
    let (mut low, mut high) = within((OUTSIDE * sorted.len() as f64) as usize);
    // Few points that differ from all others are what there is to see.
    let is_sparse = low == high;
    if is_sparse {
        (low, high) = within(0);
    }
    if low == high {
        let reason = format!("{name} is {low} throughout: leave the column out");
        return Err(Error::Figure(reason));
    }
    let margin = 0.1 * (high - low);
    let range = low - margin..high + margin;
    match (range.end - range.start).is_normal() {
        true => Ok((range, is_sparse)),
        false => Err(Error::Figure(format!(
            "{name} goes from {low:e} to {high:e}, which numbers cannot divide: rescale the column"
        ))),
    }
}

/// Both ends, with three significant digits, or as many as it takes to tell where they are.
fn ends(range: &Range<f64>) -> String {
    let length = range.end - range.start;
    let end = |value: f64| {
        let short = short(value);
        let error = short
            .parse()
            .map_or(f64::NAN, |said: f64| (said - value).abs());
        match error <= 0.05 * length && short.len() <= 9 {
            true => short,
            false => Decimal::near(value, 0.01 * length).label(),
        }
    };
    format!("{} to {}", end(range.start), end(range.end))
}

/// Three significant digits, and six decimals at most.
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
    fn few_points_that_tell_a_column_from_a_constant_are_not_left_out() {
        let rows: Vec<f64> = (0..1000)
            .flat_map(|i| [f64::from(i), f64::from(u8::from(i < 3))])
            .collect();
        let maps = PairMaps::new(&rows, &["a", "rare"]).unwrap();
        assert_eq!(maps.ranges[1], -0.1..1.1);
        assert!(maps.figure().png().is_ok());
    }

    #[test]
    fn long_names_and_ranges_stand_in_two_lines() {
        let maps = |names: [&str; 2], offset: f64| {
            let rows = (0..100).flat_map(|i| [f64::from(i), offset + f64::from(i)]);
            PairMaps::new(&rows.collect::<Vec<_>>(), &names).unwrap()
        };
        let (side, labels) = maps(["bill_length_mm", "b"], 0.0).column_labels();
        assert_eq!(
            (side, labels[0].as_str()),
            (150, "bill_length_mm\n-9.90 to 109")
        );
        let svg = maps(["bill_length_mm", "b"], 0.0).figure().svg().unwrap();
        assert!(svg.contains(">\nbill_length_mm\n<") && svg.contains(">\n-9.90 to 109\n<"));
        let (side, labels) = maps(["a", "time"], 1.7e9).column_labels();
        assert!(side > 150);
        assert_eq!(
            labels,
            ["a\n-9.90 to 109", "time\n1699999990 to 1700000110"]
        );
    }

    #[test]
    fn ends_tell_where_they_are() {
        assert_eq!(ends(&(30.78..60.94)), "30.8 to 60.9");
        assert_eq!(ends(&(0.693_09..0.693_11)), "0.69309 to 0.69311");
        assert_eq!(ends(&(-1e-30..2e-30)), "−1e−30 to 2e−30");
        assert_eq!(ends(&(0.0..5e-324)), "0 to 5e−324");
    }

    #[test]
    fn what_cannot_be_drawn_is_an_error() {
        let error =
            |rows: &[f64], names: &[&str]| PairMaps::new(rows, names).unwrap_err().to_string();
        assert!(error(&[0.0; 4], &["a"]).contains("choose 2 to 8"));
        assert!(error(&[0.0; 5], &["a", "b"]).contains("5 values"));
        assert!(error(&[0.0, f64::NAN, 1.0, 1.0], &["a", "b"]).contains("b has NaN in row 0"));
        assert!(error(&[0.0, 2.0, 1.0, 2.0], &["a", "b"]).contains("b is 2 throughout"));
        assert!(error(&[0.0, -1e308, 1.0, 1e308], &["a", "b"]).contains("b goes from -1e308"));
        assert!(error(&[0.0, 1e-320, 1.0, 2e-320], &["a", "b"]).contains("numbers cannot divide"));
        let two = PairMaps::new(&[0.0, 2.0, 1.0, 3.0], &["a", "b"]).unwrap();
        let three = PairMaps::new(&[0.0, 2.0, 1.0, 3.0, 4.0, 5.0], &["a", "b", "c"]).unwrap();
        assert!(two.clone().on_ranges_of(&three).is_err());
        assert!(two.bins(1).unwrap_err().to_string().contains("bins = 1"));
    }
}
