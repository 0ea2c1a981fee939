//! Values that are missing, and what else keeps a column from being used as numbers.

use super::dataset::Dataset;
use super::number::{hint, quoted, why_not};
use crate::Error;

/// A column has lost its resolution where single precision has fewer steps within a standard
/// deviation.
const STEPS: f64 = 1000.0;

/// So many names are listed.
const LISTED: usize = 8;

impl Dataset {
    /// The rows without a missing value, in their order. How many were dropped is part of what the
    /// set shows of itself.
    ///
    /// A missing value anywhere in a row drops it, so choose the columns first, or name them by
    /// [`Dataset::drop_missing_in`].
    ///
    /// # Errors
    /// If every row has a missing value.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let path = std::env::temp_dir().join(format!("missing-{}.csv", std::process::id()));
    /// std::fs::write(&path, "bill,flipper,mass\n39.1,181,NA\n,,\n40.3,195,3250\n").unwrap();
    /// let data = Dataset::read(&path)?.columns(&["bill", "flipper"])?;
    /// let error = data.standardised().unwrap_err().to_string();
    /// assert!(error.contains("1 of 3 rows has missing values"));
    /// let whole = data.drop_missing()?;
    /// assert_eq!(format!("{whole}"), "Dataset of shape (2, 2): bill, flipper; 1 row dropped");
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), Error>(())
    /// ```
    /// pandas equivalent: `data.dropna()`.
    pub fn drop_missing(&self) -> Result<Self, Error> {
        self.whole_in(&Vec::from_iter(0..self.dimension))
    }

    /// The rows without a missing value in the columns of these names, in their order and with all
    /// columns: a column that labels the points ([`Dataset::texts`]) loses the same rows as they do. How
    /// many were dropped is part of what the set shows of itself.
    ///
    /// # Errors
    /// If the columns have no names, or none of this one, or every row has a missing value in these
    /// columns.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let path = std::env::temp_dir().join(format!("labels-{}.csv", std::process::id()));
    /// let text = "species,bill,sex\nAdelie,39.1,NA\nGentoo,,male\nGentoo,46.1,male\n";
    /// std::fs::write(&path, text).unwrap();
    /// let table = Dataset::read(&path)?.drop_missing_in(&["bill"])?;
    /// let bill: Points = table.columns(&["bill"])?.points()?;
    /// assert_eq!(bill.as_vec(), [39.1, 46.1]);
    /// assert_eq!(table.texts("species")?, ["Adelie", "Gentoo"]);
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), Error>(())
    /// ```
    /// pandas equivalent: `data.dropna(subset=["bill"])`.
    pub fn drop_missing_in<S: AsRef<str>>(&self, names: &[S]) -> Result<Self, Error> {
        self.whole_in(&self.numbers_of(names)?)
    }

    /// The rows without a missing value in these columns.
    fn whole_in(&self, columns: &[usize]) -> Result<Self, Error> {
        let is_whole = |row: &&[f64]| !columns.iter().any(|column| row[*column].is_nan());
        let values: Vec<f64> = self
            .raw_rows()
            .filter(is_whole)
            .flatten()
            .copied()
            .collect();
        if values.is_empty() {
            return Err(Error::Data(format!(
                "{}: no row would be left, so choose other columns{}",
                self.columns_at(columns)?.missing().unwrap_or_default(),
                self.how_to_choose(&|_| true)
            )));
        }
        let dropped = self.dropped + self.len() - values.len() / self.dimension;
        Ok(Self {
            dropped,
            ..self.with_values(values)
        })
    }

    /// The set without these values, each given by its row and its column, from 0: for trying out what fills gaps in.
    ///
    /// # Errors
    /// If there is no such row or column, or the set is whitened, in which a value is part of several.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let data = Dataset::new(&[[1.0, 2.0], [3.0, 4.0]])?.missing_at(&[(0, 1)])?;
    /// assert!(data.to_string().contains("1 of 2 rows has missing values (1 in 1)"));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn missing_at(&self, cells: &[(usize, usize)]) -> Result<Self, Error> {
        if self.is_whitened() {
            let reason =
                "a whitened set's columns belong together: leave values out before it is whitened";
            return Err(Error::Data(reason.to_owned()));
        }
        let mut values = self.values.clone();
        for (row, column) in cells {
            if *row >= self.len() || *column >= self.dimension {
                let shape = (self.len(), self.dimension);
                return Err(Error::Data(format!(
                    "there is no value at [{row}, {column}] (from 0) of a set of shape {shape:?}"
                )));
            }
            values[row * self.dimension + column] = f64::NAN;
        }
        Ok(self.with_values(values))
    }

    /// The values in the units of the file, NaN where one is missing, if the columns are those of another set.
    pub(crate) fn with_gaps_like(&self, other: &Self) -> Result<Vec<f64>, Error> {
        if self.dimension != other.dimension {
            let found = (self.len(), self.dimension);
            let expected = format!("(N, {}), the columns of the model's data,", other.dimension);
            return Err(Error::shape("the rows", found, expected));
        }
        if let (Some(here), Some(there)) = (&self.names, &other.names)
            && here != there
        {
            let (here, there) = (here.join(", "), there.join(", "));
            return Err(Error::Data(format!(
                "the rows have the columns {here}, and the model's data {there}: choose the same with `columns`"
            )));
        }
        match self.text() {
            Some(text) => Err(Error::Data(text)),
            None => Ok(self.originals().collect()),
        }
    }

    /// The set with each missing value replaced by the mean of its column's other values,
    ///
    /// m_d = 1/N_d Σ_i x_id over the N_d rows that have a value there.
    ///
    /// How many were filled in is part of what the set shows of itself. The filled column has a smaller
    /// variance than its values have: that of a whole column, (N_d/N) s_d².
    ///
    /// # Errors
    /// If a column is text, or one has no value at all.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let path = std::env::temp_dir().join(format!("means-{}.csv", std::process::id()));
    /// std::fs::write(&path, "bill,flipper\n39,181\n,195\n41,NA\n").unwrap();
    /// let data = Dataset::read(&path)?.fill_missing_with_means()?;
    /// let x: Points = data.points()?;
    /// assert_eq!(x.as_vec(), [39.0, 181.0, 40.0, 195.0, 41.0, 188.0]);
    /// assert!(format!("{data}").ends_with("; 2 values filled in (1 in \"bill\", 1 in \"flipper\")"));
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), Error>(())
    /// ```
    /// pandas equivalent: `data.fillna(data.mean())`.
    pub fn fill_missing_with_means(&self) -> Result<Self, Error> {
        // Over a power of two values lose no digits, and their sum stays within double precision.
        let part = self.len().next_power_of_two() as f64;
        let (mut counts, mut sums) = (vec![0.0; self.dimension], vec![0.0; self.dimension]);
        for row in self.raw_rows() {
            let each = counts.iter_mut().zip(&mut sums).zip(row);
            for ((count, sum), value) in each.filter(|(_, value)| !value.is_nan()) {
                *count += 1.0;
                *sum += value / part;
            }
        }
        if let Some(column) = counts.iter().position(|count| *count == 0.0) {
            return Err(Error::Data(format!(
                "{} has no value at all, and so no mean: fill in a number with \
                 `fill_missing_with(number)`, or choose other columns{}",
                self.label(column),
                self.how_to_choose(&|column| counts[column] > 0.0)
            )));
        }
        let each = sums.iter().zip(&counts);
        let mean = |(sum, count): (&f64, &f64)| (sum / (count / part)).clamp(f64::MIN, f64::MAX);
        self.filled_with(&each.map(mean).collect::<Vec<_>>())
    }

    /// The set with each missing value replaced by this one. How many were filled in is part of what the
    /// set shows of itself.
    ///
    /// # Errors
    /// If a column is text, or the value is not finite.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let path = std::env::temp_dir().join(format!("filled-{}.csv", std::process::id()));
    /// std::fs::write(&path, "day,visits\n1,7\n2,\n").unwrap();
    /// let data = Dataset::read(&path)?.fill_missing_with(0.0)?;
    /// let x: Points = data.points()?;
    /// assert_eq!(x.as_vec(), [1.0, 7.0, 2.0, 0.0]);
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), Error>(())
    /// ```
    /// pandas equivalent: `data.fillna(0.0)`.
    pub fn fill_missing_with(&self, value: f64) -> Result<Self, Error> {
        if !value.is_finite() {
            return Err(Error::Data(format!(
                "{value} cannot be filled in: give a finite number"
            )));
        }
        self.filled_with(&vec![value; self.dimension])
    }

    /// The set with a value of each column where one is missing.
    fn filled_with(&self, fillings: &[f64]) -> Result<Self, Error> {
        if let Some(text) = self.text() {
            return Err(Error::Data(text));
        }
        let mut set = self.with_values(self.values.clone());
        for row in set.values.chunks_exact_mut(self.dimension) {
            let each = row.iter_mut().zip(fillings).zip(&mut set.filled);
            for ((value, filling), filled) in each.filter(|((value, _), _)| value.is_nan()) {
                *value = *filling;
                *filled += 1;
            }
        }
        Ok(set)
    }

    /// What keeps the columns from being used as numbers, if anything does.
    pub(super) fn check_numbers(&self) -> Result<(), Error> {
        let found = self.checks.numbers.get_or_init(|| {
            let missing = || {
                let missing = self.missing()?;
                Some(format!(
                    "{missing}: drop these rows with `drop_missing()`, fill them with \
                     `fill_missing_with_means()`, or choose other columns{}",
                    self.how_to_choose(&|column| !self.has_missing(column))
                ))
            };
            self.text().or_else(missing)
        });
        found
            .clone()
            .map_or(Ok(()), |message| Err(Error::Data(message)))
    }

    /// What keeps them from being used in single precision.
    pub(super) fn check_single(&self) -> Result<(), Error> {
        self.check_numbers()?;
        let find = || (0..self.dimension).find_map(|column| self.lost_in_single(column));
        let found = self.checks.single.get_or_init(find);
        found
            .clone()
            .map_or(Ok(()), |message| Err(Error::Data(message)))
    }

    /// Which columns are text, in a sentence.
    fn text(&self) -> Option<String> {
        let mut texts = self.texts.iter().flatten();
        let choose = self.how_to_choose(&|column| self.texts[column].is_none());
        // One cell among numbers is a mistake, and not a column of text.
        if let Some(text) = texts.clone().find(|text| text.numbers > text.others) {
            let (numbers, all) = (text.numbers, text.numbers + text.others);
            return Some(format!(
                "{}, {}: {} ({numbers} of the column's {all} values are numbers): correct it, or choose \
                 other columns{choose}",
                text.line,
                text.column,
                why_not(&text.first),
            ));
        }
        let first = texts.next()?;
        let is_nearly = hint(&first.first).is_some();
        let example = match is_nearly {
            true => format!(
                "{}, {}: {}",
                first.line,
                first.column,
                why_not(&first.first)
            ),
            false => format!("{} in {}", quoted(&first.first), first.line),
        };
        let columns = self.text_columns()?;
        Some(format!(
            "text, not numbers, in {columns} ({example}): choose other columns{choose}"
        ))
    }

    /// The columns of text, if there are any.
    pub(super) fn text_columns(&self) -> Option<String> {
        let is_text = |column: &usize| self.texts[*column].is_some();
        let columns: Vec<usize> = (0..self.dimension).filter(is_text).collect();
        let labels = listed(columns.iter().map(|column| self.short_label(*column)));
        match (columns.len(), &self.names) {
            (0, _) => None,
            (1, _) => Some(self.label(columns[0])),
            (_, Some(_)) => Some(format!("columns {labels}")),
            (_, None) => Some(format!("columns {labels} (from 0)")),
        }
    }

    /// How many rows have missing values in which columns.
    pub(super) fn missing(&self) -> Option<String> {
        let mut columns = vec![0; self.dimension];
        let mut rows = 0;
        for row in self.raw_rows() {
            let before = rows;
            for (count, value) in columns.iter_mut().zip(row) {
                if value.is_nan() {
                    *count += 1;
                    rows = before + 1;
                }
            }
        }
        let have = if rows == 1 { "has" } else { "have" };
        let listed = self.counted(&columns);
        let all = self.len();
        (rows > 0).then(|| format!("{rows} of {all} rows {have} missing values ({listed})"))
    }

    /// How many values were filled in in which columns.
    pub(super) fn filled(&self) -> Option<String> {
        let listed = self.counted(&self.filled);
        match self.filled.iter().sum() {
            0 => None,
            1 => Some(format!("1 value filled in ({listed})")),
            n => Some(format!("{n} values filled in ({listed})")),
        }
    }

    /// `2 in "bill", 1 in "flipper"`.
    fn counted(&self, counts: &[usize]) -> String {
        let with = |(column, count): (usize, &usize)| {
            (*count > 0).then(|| format!("{count} in {}", self.short_label(column)))
        };
        listed(counts.iter().enumerate().filter_map(with))
    }

    fn has_missing(&self, column: usize) -> bool {
        self.texts[column].is_some() || self.raw_rows().any(|row| row[column].is_nan())
    }

    /// The call that chooses those columns that will do.
    pub(super) fn how_to_choose(&self, will_do: &dyn Fn(usize) -> bool) -> String {
        let chosen: Vec<usize> = (0..self.dimension)
            .filter(|column| will_do(*column))
            .collect();
        if chosen.is_empty() || chosen.len() == self.dimension {
            return " with `columns` or `columns_at`".to_owned();
        }
        let more = if chosen.len() > LISTED { ", .." } else { "" };
        let shown = chosen.iter().take(LISTED);
        match &self.names {
            Some(names) => {
                let shown: Vec<String> = shown
                    .map(|column| format!("{:?}", names[*column]))
                    .collect();
                format!(", `.columns(&[{}{more}])` for example", shown.join(", "))
            }
            None => {
                let shown: Vec<String> = shown.map(usize::to_string).collect();
                format!(", `.columns_at(&[{}{more}])` for example", shown.join(", "))
            }
        }
    }

    /// What single precision loses of a column, if it is too much.
    fn lost_in_single(&self, column: usize) -> Option<String> {
        let values = || self.raw_rows().map(|row| row[column]);
        let largest = values().fold(0.0, |largest: f64, value| largest.max(value.abs()));
        let change = "call `standardised()` on the set first";
        let label = self.label(column);
        if !(largest as f32).is_finite() {
            return Some(format!(
                "{label} reaches {largest:e}, and single precision ends at 3.4e38: {change}"
            ));
        }
        if values().all(|value| f64::from(value as f32) == value) {
            return None;
        }
        let first = self.values[column];
        // Around the first value, or large numbers would take the digits.
        let n = self.len() as f64;
        let mean = values().map(|value| value - first).sum::<f64>() / n;
        let std = (values()
            .map(|value| (value - first - mean).powi(2))
            .sum::<f64>()
            / n)
            .sqrt();
        let step = step_at(largest);
        if std > 0.0 && std < STEPS * step || loses_whole_numbers(values().collect()) {
            return Some(format!(
                "{label} has values that single precision cannot tell apart (its steps at {largest:e} \
                 are {step:.1e}, the standard deviation is {std:.1e}): {change}"
            ));
        }
        None
    }
}

/// The distance of neighbouring numbers in single precision.
pub(super) fn step_at(value: f64) -> f64 {
    let value = value.abs() as f32;
    f64::from(value.next_up()) - f64::from(value)
}

/// Whether single precision can hold values of this mean and standard deviation.
pub(super) fn fits_single(mean: f64, std: f64) -> bool {
    (mean.abs() + std).abs() < f64::from(f32::MAX) && std >= STEPS * step_at(mean)
}

/// Whether one in a hundred different whole numbers, or more, is another one in single precision.
fn loses_whole_numbers(mut values: Vec<f64>) -> bool {
    if values.iter().any(|value| value.fract() != 0.0) {
        return false;
    }
    values.sort_unstable_by(f64::total_cmp);
    values.dedup();
    let different = values.len();
    values.dedup_by_key(|value| *value as f32);
    values.len() * 100 < different * 99
}

/// Names in a list that is not too long.
pub(super) fn listed(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    match names.len() {
        n if n > LISTED => format!("{} and {} more", names[..LISTED].join(", "), n - LISTED),
        _ => names.join(", "),
    }
}
