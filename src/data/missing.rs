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
    /// A missing value anywhere in a row drops it, so choose the columns first.
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
        let is_whole = |row: &&[f64]| !row.iter().any(|value| value.is_nan());
        let values: Vec<f64> = self
            .raw_rows()
            .filter(is_whole)
            .flatten()
            .copied()
            .collect();
        if values.is_empty() {
            return Err(Error::Data(format!(
                "{}: no row would be left, so choose other columns{}",
                self.missing().unwrap_or_default(),
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

    /// What keeps the columns from being used as numbers, if anything does.
    pub(super) fn check_numbers(&self) -> Result<(), Error> {
        let found = self.checks.numbers.get_or_init(|| {
            let missing = || {
                let missing = self.missing()?;
                Some(format!(
                    "{missing}: drop these rows with `drop_missing()`, or choose other columns{}",
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
                "line {}, {}: {} ({numbers} of the column's {all} values are numbers): correct it, or choose \
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
                "line {}, {}: {}",
                first.line,
                first.column,
                why_not(&first.first)
            ),
            false => format!("{} in line {}", quoted(&first.first), first.line),
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
        let with = |(column, count): (usize, &usize)| {
            (*count > 0).then(|| format!("{count} in {}", self.short_label(column)))
        };
        let have = if rows == 1 { "has" } else { "have" };
        let listed = listed(columns.iter().enumerate().filter_map(with));
        let all = self.len();
        (rows > 0).then(|| format!("{rows} of {all} rows {have} missing values ({listed})"))
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
