//! Columns of a data set, by name and by number.

use super::dataset::{Checks, Dataset, Units};
use super::number::{self, Comma, Reading};
use crate::Error;
use std::sync::Arc;

impl Dataset {
    /// The same points with a name for each column.
    ///
    /// # Errors
    /// If there are more or fewer names than columns, or two are the same.
    pub fn with_names<S: AsRef<str>>(self, names: &[S]) -> Result<Self, Error> {
        let names: Vec<String> = names.iter().map(|name| name.as_ref().to_owned()).collect();
        if names.len() != self.dimension {
            let (given, columns) = (names.len(), self.dimension);
            let message = format!("{given} names for {columns} columns: give one for each");
            return Err(Error::Data(message));
        }
        if let Some(twice) = first_duplicate(&names) {
            return Err(Error::Data(format!(
                "two columns are called {twice:?}: rename one"
            )));
        }
        Ok(Self {
            names: Some(names),
            // What they say names the columns.
            checks: Checks::default(),
            ..self
        })
    }

    /// The names of the columns, if they are known.
    pub fn names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    /// The columns of these names, in this order.
    ///
    /// # Errors
    /// If the list is empty, the columns have no names, or none of this one.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let data = Dataset::new(&[[1.0, 2.0, 3.0]])?.with_names(&["a", "b", "c"])?;
    /// let turned: Points = data.columns(&["c", "a"])?.points()?;
    /// assert_eq!(turned.as_vec(), [3.0, 1.0]);
    /// let error = data.columns(&["d"]).unwrap_err().to_string();
    /// assert!(error.contains("there is no column \"d\": the columns are \"a\", \"b\", \"c\""));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn columns<S: AsRef<str>>(&self, names: &[S]) -> Result<Self, Error> {
        self.columns_at(&self.numbers_of(names)?)
    }

    /// The numbers of the columns of these names.
    pub(super) fn numbers_of<S: AsRef<str>>(&self, names: &[S]) -> Result<Vec<usize>, Error> {
        names
            .iter()
            .map(|name| self.position(name.as_ref()))
            .collect()
    }

    /// The number of the column of this name.
    pub(super) fn position(&self, name: &str) -> Result<usize, Error> {
        let Some(known) = &self.names else {
            let message = "the columns have no names: choose by number with `columns_at`, or give \
                           them names with `with_names`";
            return Err(Error::Data(message.to_owned()));
        };
        let found = known.iter().position(|known| known == name);
        found.ok_or_else(|| {
            let known: Vec<String> = known.iter().map(|name| format!("{name:?}")).collect();
            let known = known.join(", ");
            Error::Data(format!(
                "there is no column {name:?}: the columns are {known}"
            ))
        })
    }

    /// The columns of these numbers, counted from 0, in this order.
    ///
    /// # Errors
    /// If the list is empty, there is no column of this number, or the set is whitened.
    pub fn columns_at(&self, indices: &[usize]) -> Result<Self, Error> {
        if indices.is_empty() {
            return Err(Error::Data(
                "no column is chosen: name one at least".to_owned(),
            ));
        }
        if let Some(index) = indices.iter().find(|index| **index >= self.dimension) {
            let last = self.dimension - 1;
            return Err(Error::Data(format!(
                "there is no column {index}: the last is {last}"
            )));
        }
        if self.is_whitened() {
            let message =
                "a whitened set's columns belong together: choose columns before it is whitened";
            return Err(Error::Data(message.to_owned()));
        }
        let mut values = Vec::with_capacity(self.len() * indices.len());
        for row in self.raw_rows() {
            values.extend(indices.iter().map(|i| row[*i]));
        }
        let names = self.names.as_ref();
        Ok(Self {
            values,
            dimension: indices.len(),
            names: names.map(|names| indices.iter().map(|i| names[*i].clone()).collect()),
            units: self.units.as_ref().map(|units| Units {
                mean: indices.iter().map(|i| units.mean[*i]).collect(),
                std: indices.iter().map(|i| units.std[*i]).collect(),
                lower: None,
            }),
            texts: indices.iter().map(|i| self.texts[*i].clone()).collect(),
            dropped: self.dropped,
            filled: indices.iter().map(|i| self.filled[*i]).collect(),
            checks: Checks::default(),
        })
    }

    /// The cells of a column as text: as the file has them where the column is text, else as numbers
    /// are written, and empty where a value is missing.
    ///
    /// So a column of words or of numbers can label the points of the others: there is a text for each
    /// row, in the order of the rows, also after [`Dataset::drop_missing_in`].
    ///
    /// # Errors
    /// If there is no column of this name.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let path = std::env::temp_dir().join(format!("species-{}.csv", std::process::id()));
    /// std::fs::write(&path, "species,bill\nAdelie,39.1\nGentoo,46.1\n").unwrap();
    /// let table = Dataset::read(&path)?;
    /// let bill: Points = table.columns(&["bill"])?.points()?;
    /// assert_eq!(bill.as_vec(), [39.1, 46.1]);
    /// assert_eq!(table.texts("species")?, ["Adelie", "Gentoo"]);
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), Error>(())
    /// ```
    pub fn texts(&self, name: &str) -> Result<Vec<String>, Error> {
        let column = self.columns(&[name])?;
        Ok(column
            .values
            .iter()
            .map(|value| column.shown(0, *value))
            .collect())
    }

    /// The set without its first row, whose cells become the columns' names: for a file whose first
    /// line names the columns by numbers and was taken for a point.
    ///
    /// # Errors
    /// If there is one row only, or two cells of the first are the same.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let read = Dataset::new(&[[10.0, 20.0], [1.0, 2.0]])?;
    /// let data = read.first_row_as_names()?;
    /// assert_eq!(format!("{data}"), "Dataset of shape (1, 2): 10, 20");
    /// assert_eq!(data.names_as_first_row()?, read);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn first_row_as_names(&self) -> Result<Self, Error> {
        if self.len() == 1 {
            let message = "there is one row only: none would be left";
            return Err(Error::Data(message.to_owned()));
        }
        let (first, others) = self.values.split_at(self.dimension);
        let named = |(column, value): (usize, &f64)| self.shown(column, *value);
        let names: Vec<String> = first.iter().enumerate().map(named).collect();
        self.with_values(others.to_vec()).with_names(&names)
    }

    /// The set without names and with one row more, before the others, which they give: for a file
    /// whose first line is a point and was taken for names.
    ///
    /// # Errors
    /// If there are no names, or one is no number and its column no text.
    pub fn names_as_first_row(&self) -> Result<Self, Error> {
        let names = self.names.as_ref().ok_or_else(|| {
            let message = "the columns have no names that could be a row";
            Error::Data(message.to_owned())
        })?;
        let mut set = Self {
            names: None,
            ..self.with_values(Vec::new())
        };
        for (column, name) in names.iter().enumerate() {
            let value = match (&mut set.texts[column], number::read(name, Comma::None)) {
                (_, Reading::Missing) => f64::NAN,
                (Some(text), _) => {
                    let text = Arc::make_mut(text);
                    let known = text.levels.iter().position(|level| level == name);
                    known.unwrap_or_else(|| {
                        text.levels.push(name.clone());
                        text.levels.len() - 1
                    }) as f64
                }
                (None, Reading::Number(value)) => value,
                (None, Reading::Other) => {
                    let message =
                        format!("the name {name:?} is no number, as its column's values are");
                    return Err(Error::Data(message));
                }
            };
            set.values.push(value);
        }
        set.values.extend(&self.values);
        Ok(set)
    }

    /// A value as text.
    pub(super) fn shown(&self, column: usize, value: f64) -> String {
        match &self.texts[column] {
            _ if value.is_nan() => String::new(),
            Some(text) => text.levels[value as usize].clone(),
            None => value.to_string(),
        }
    }

    /// A column's name, or its number from 0.
    pub(super) fn short_label(&self, index: usize) -> String {
        match &self.names {
            Some(names) => format!("{:?}", names[index]),
            None => index.to_string(),
        }
    }

    /// A column as messages call it.
    pub(super) fn label(&self, index: usize) -> String {
        match &self.names {
            Some(names) => format!("column {:?}", names[index]),
            None => format!("column {index} (from 0)"),
        }
    }
}

fn first_duplicate(names: &[String]) -> Option<&String> {
    let mut seen = std::collections::HashSet::new();
    names.iter().find(|name| !seen.insert(*name))
}
