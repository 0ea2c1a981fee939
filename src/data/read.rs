//! Points from files.

use super::{Dataset, csv, npy};
use crate::Error;
use std::io::ErrorKind;
use std::path::Path;

impl Dataset {
    /// The points of a file, by its ending: `.csv`, `.tsv`, `.txt` and `.dat` as
    /// [`Dataset::read_csv`], `.npy` as [`Dataset::read_npy`].
    ///
    /// A path that does not start at the root starts at the folder that the program runs in; for
    /// a notebook, its own.
    ///
    /// # Errors
    /// If the ending is another one, or the file cannot be read.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let path = std::env::temp_dir().join(format!("points-{}.csv", std::process::id()));
    /// std::fs::write(&path, "height,mass\n1.70,62\n1.81,80\n").unwrap();
    /// let data = Dataset::read(&path)?;
    /// assert_eq!(format!("{data:?}"), "Dataset of shape (2, 2): height, mass");
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), Error>(())
    /// ```
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let ending = path
            .extension()
            .unwrap_or_default()
            .to_string_lossy()
            .to_ascii_lowercase();
        match ending.as_str() {
            "csv" | "tsv" | "txt" | "dat" => Self::read_csv(path),
            "npy" => Self::read_npy(path),
            // What is not there, or a folder, matters more than how it is called.
            _ => load(path, |_| {
                let known = "the ending has to be .csv, .tsv, .txt, .dat or .npy";
                Err(match ending.as_str() {
                    "npz" => format!("{known}: {}", npy::ONE_OF_MANY),
                    "xls" | "xlsx" | "ods" => format!("{known}: save the sheet as CSV"),
                    _ => format!("{known}: rename it, or call `read_csv` or `read_npy`"),
                })
            }),
        }
    }

    /// The points of a text table, one on each line.
    ///
    /// - Cells are separated by semicolons, tabs, commas or spaces: the first of these that occurs
    ///   in the first line, in this order.
    /// - A first line without any number names the columns.
    /// - Empty lines and lines that start with `#` are skipped. Cells may stand in quotation marks.
    /// - Numbers have a decimal point: `1.5`, `-2e-3`.
    ///
    /// # Errors
    /// If the file is missing, is a folder, is not UTF-8, has no points, or has a line with more or
    /// fewer cells than the first or with a cell that is not a finite number. The message names
    /// file, line and column.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let path = std::env::temp_dir().join(format!("table-{}.txt", std::process::id()));
    /// std::fs::write(&path, "1.0 2.0\n3.0 oops\n").unwrap();
    /// let error = Dataset::read_csv(&path).unwrap_err().to_string();
    /// assert!(error.ends_with("line 2, column 2: \"oops\" is not a number"));
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), Error>(())
    /// ```
    /// NumPy equivalent: `np.genfromtxt(path, delimiter=",", names=True)`.
    pub fn read_csv(path: impl AsRef<Path>) -> Result<Self, Error> {
        load(path.as_ref(), csv::parse)
    }

    /// The points of a NumPy array, shape `(N, D)`, or `(N,)` for N points in one dimension, of
    /// float32 or float64 in either byte order, in C or Fortran order.
    ///
    /// # Errors
    /// If the file is missing, is a folder, is not in NumPy's format, holds another type or shape,
    /// ends too early or too late, or has a value that is not finite.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    /// let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }";
    /// bytes.extend(format!("{header:<117}\n").bytes());
    /// bytes.extend([1.5f32, -2.0].iter().flat_map(|value| value.to_le_bytes()));
    /// let path = std::env::temp_dir().join(format!("points-{}.npy", std::process::id()));
    /// std::fs::write(&path, bytes).unwrap();
    /// let x: Points = Dataset::read_npy(&path)?.points()?;
    /// assert_eq!(x.as_vec(), [1.5, -2.0]);
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), Error>(())
    /// ```
    /// NumPy equivalent: `np.load(path)`; the
    /// [format](https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html) has
    /// versions 1 to 3.
    pub fn read_npy(path: impl AsRef<Path>) -> Result<Self, Error> {
        load(path.as_ref(), npy::parse)
    }
}

/// A file's points, or its path and what is wrong.
fn load(path: &Path, parse: impl Fn(&[u8]) -> Result<Dataset, String>) -> Result<Dataset, Error> {
    if path.is_dir() {
        return Err(Error::read(path, "it is a folder: name a file in it"));
    }
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Error::read(path, missing(path)),
        _ => Error::read(path, error),
    })?;
    parse(&bytes).map_err(|reason| Error::read(path, reason))
}

fn missing(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    match path.is_absolute() {
        true => "there is no such file".to_owned(),
        false => format!("there is no such file below {}", here.display()),
    }
}

#[cfg(test)]
#[path = "read_tests.rs"]
pub(super) mod tests;
