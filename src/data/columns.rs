//! Columns of a data set, by name and by number.

use super::Dataset;
use crate::Error;

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
        let Some(known) = &self.names else {
            let message = "the columns have no names: choose by number with `columns_at`, or give \
                           them names with `with_names`";
            return Err(Error::Data(message.to_owned()));
        };
        let find = |name: &S| {
            let found = known.iter().position(|known| known == name.as_ref());
            found.ok_or_else(|| {
                let known: Vec<String> = known.iter().map(|name| format!("{name:?}")).collect();
                let known = known.join(", ");
                let name = name.as_ref();
                Error::Data(format!(
                    "there is no column {name:?}: the columns are {known}"
                ))
            })
        };
        let indices: Vec<usize> = names.iter().map(find).collect::<Result<_, _>>()?;
        self.columns_at(&indices)
    }

    /// The columns of these numbers, counted from 0, in this order.
    ///
    /// # Errors
    /// If the list is empty, or there is no column of this number.
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
        let each = |row: &[f64]| indices.iter().map(|i| row[*i]).collect::<Vec<_>>();
        let names = self.names.as_ref();
        Ok(Self {
            values: self.rows().flat_map(each).collect(),
            dimension: indices.len(),
            names: names.map(|names| indices.iter().map(|i| names[*i].clone()).collect()),
            units: self.units.as_ref().map(|units| units.columns(indices)),
        })
    }

    /// A column as messages call it.
    pub(super) fn label(&self, index: usize) -> String {
        match &self.names {
            Some(names) => format!("column {:?}", names[index]),
            None => format!("column {index} (from 0)"),
        }
    }
}

pub(super) fn first_duplicate(names: &[String]) -> Option<&String> {
    let mut seen = std::collections::HashSet::new();
    names.iter().find(|name| !seen.insert(*name))
}
