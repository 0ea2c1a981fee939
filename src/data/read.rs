//! Points from files.

use super::dataset::Dataset;
#[cfg(feature = "parquet")]
use super::parquet::parse as parquet;
use super::{csv, foreign, npy};
use crate::Error;
use flate2::bufread::MultiGzDecoder;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

impl Dataset {
    /// The points of a file, by its ending: `.csv`, `.tsv`, `.txt`, `.dat` and `.data` as
    /// [`Dataset::read_csv`], `.npy` as [`Dataset::read_npy`], each also packed (`.csv.gz`), and
    /// `.parquet` as [`Dataset::read_parquet`], with the feature `parquet`.
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
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.to_ascii_lowercase();
        // Packed or not, it is the ending before that counts.
        let inner = Path::new(name.strip_suffix(".gz").unwrap_or(&name));
        let ending = inner.extension().unwrap_or_default().to_string_lossy();
        match ending.as_ref() {
            "csv" | "tsv" | "txt" | "dat" | "data" => Self::read_csv(path),
            "npy" => Self::read_npy(path),
            "parquet" if !name.ends_with(".gz") => Self::read_parquet(path),
            // What is not there, a folder, or something else than a table, matters more than how it
            // is called.
            _ => {
                let file = File::of(path)?;
                let known = "the ending has to be .csv, .tsv, .txt, .dat, .data, .npy or .parquet";
                let reason = match ending.as_ref() {
                    "npz" => format!("{known}: {}", npy::ONE_OF_MANY),
                    "xls" | "xlsx" | "ods" => format!("{known}: save the sheet as CSV"),
                    "parquet" => format!("{known}: unpack it first"),
                    _ => file.what().unwrap_or_else(|| {
                        format!("{known}: rename it, or call `read_csv` or `read_npy`")
                    }),
                };
                Err(Error::read(path, reason))
            }
        }
    }

    /// A table of text, a point on each line.
    ///
    /// **Columns** are numbers or text. A column is text if one of its cells is neither a number nor a
    /// missing value. It is kept ([`Dataset::texts`]), and an error where it is used as numbers: one
    /// that names the columns of text, or the line and the cell if most cells of the column are
    /// numbers. So `Dataset::read(path)?.columns(&["height", "mass"])?` reads two columns of a table
    /// whatever the others hold.
    ///
    /// **Missing values** are empty cells, `NA`, `N/A`, `n/a`, `na`, `<NA>`, `#N/A`, `#NA`, `NaN` in
    /// any case, `NULL`, `null`, `Null`, `None`, `?`, `.`, `-` and `--`. [`Dataset::drop_missing`] drops
    /// their rows, [`Dataset::fill_missing_with_means`] fills them in.
    ///
    /// **Numbers** are `1.5`, `-2e-3`, or `1.0D+00` as Fortran writes them. A decimal comma is read
    /// where the separator is no comma, some of the first hundred lines have one that cannot group
    /// thousands (`2,5`) and none has a decimal point. A comma that groups thousands is read where some
    /// of these lines have two in a number, or a decimal point. What can be either is no number, nor is
    /// a whole number with more digits than double precision holds.
    ///
    /// **Separators** are semicolons, tabs, commas, bars or runs of spaces: the first of these, in this
    /// order, that the first line has and that gives all lines as many cells; or what Excel's first
    /// line `sep=;` says. Empty cells at the end of all lines are left out. Quotation marks are those
    /// of Python's `csv`, line breaks between them included.
    ///
    /// **Names** of the columns are the first line, if
    /// - no cell of it is a number, and not all are missing values; or
    /// - its numbers are in quotation marks and those below are not; or
    /// - its numbers are whole and count: 0, 1, 2 and so on as pandas names columns, or years in a
    ///   row; and the columns below do not look the same.
    ///
    /// [`Dataset::first_row_as_names`] and [`Dataset::names_as_first_row`] say otherwise. Without such a
    /// line, the last comment before the points gives the names if it has as many words as they have
    /// columns, as NumPy's `savetxt` writes them. A column without a name is called by its number, from
    /// 1, and the second `a` is `a.1`. If the first line has one name less than the others have cells,
    /// these begin with names of rows, as R writes them: they are left out.
    ///
    /// **A description** is a first line as scikit-learn's own tables have it: two whole numbers N and
    /// D and nothing but words behind them (`178,13,class_0,class_1,class_2`), above N rows of D
    /// numbers, or of D + 1 where the last is the class. It is no row and gives no names.
    ///
    /// **Lines** end in LF, CRLF or CR. Empty ones are skipped, and comments: lines that start with `#`,
    /// and what follows a number, a space and `#`.
    ///
    /// A file that is packed by gzip is unpacked on the way, to at most 100 times its size, or 64 MiB.
    ///
    /// # Errors
    /// If the file is missing, is a folder, is no table of text (a web page, a spreadsheet, JSON and
    /// others are called by their names), is not UTF-8, has no points, has a line with more or fewer
    /// cells than the others, a first line that may and may not be names, or one that describes more or
    /// fewer rows than follow. Two columns of whole
    /// numbers between commas, without names, can be one with a decimal comma as well: the error asks
    /// which. The message names file and line.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let path = std::env::temp_dir().join(format!("table-{}.txt", std::process::id()));
    /// std::fs::write(&path, "1.0 2.0\n3.0 oops\n5.0 6.0\n").unwrap();
    /// let error = Dataset::read_csv(&path)?.standardised().unwrap_err().to_string();
    /// assert!(error.contains("line 2, column 2: \"oops\" is not a number"));
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), Error>(())
    /// ```
    /// NumPy equivalent: `np.genfromtxt(path, delimiter=",", names=True)`.
    pub fn read_csv(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let file = File::of(path)?;
        csv::parse(|| file.open()).map_err(|reason| Error::read(path, reason))
    }

    /// The points of a NumPy array, shape `(N, D)`, or `(N,)` for N points in one dimension, of
    /// floats of 16, 32 or 64 bits, integers or bools in either byte order, in C or Fortran order. NaN is
    /// a missing value. A file that is packed by gzip is unpacked.
    ///
    /// # Errors
    /// If the file is missing, is a folder, is not in NumPy's format, holds another type or shape,
    /// ends too early or too late, or has a value that is infinite.
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
        let path = path.as_ref();
        let bytes = File::of(path)?.bytes();
        let data = bytes.and_then(|bytes| npy::parse(&bytes));
        data.map_err(|reason| Error::read(path, reason))
    }

    /// The table of a Parquet file, with the crate's feature `parquet`.
    ///
    /// **Numbers** are columns of floats, integers, decimals and bools (0 and 1). Integers beyond 2⁵³ and
    /// decimals of more digits than double precision has are rounded. Dates and times are the numbers
    /// that the file has for them: days, or milli-, micro- or nanoseconds, mostly since 1970. **Text** are
    /// columns of strings ([`Dataset::texts`]). Nulls are missing values, and so is NaN
    /// ([`Dataset::drop_missing`]). A field b of a structure a is the column `a.b`.
    ///
    /// # Errors
    /// If the crate was built without the feature, or the file is missing, is a folder, is damaged or no
    /// Parquet file, is packed otherwise than by Snappy or gzip, has no points, a value that is
    /// infinite, or a column that is neither numbers nor text: a list, or bytes that are no UTF-8.
    ///
    /// # Examples
    /// ```no_run
    /// use energy_discrepancy::prelude::*;
    ///
    /// let table = Dataset::read("penguins.parquet")?.drop_missing_in(&["bill", "mass"])?;
    /// let points = table.columns(&["bill", "mass"])?.standardised()?;
    /// let species = table.texts("species")?;
    /// # Ok::<(), Error>(())
    /// ```
    /// pandas equivalent: `pd.read_parquet(path)`.
    pub fn read_parquet(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let file = File::of(path)?;
        let is_parquet = file.head().starts_with(b"PAR1");
        let data = match &file.bytes {
            None if is_parquet => parquet(path),
            Some(_) if is_parquet => Err("it can be read once only: copy it to a file".to_owned()),
            _ => Err(file.what().unwrap_or_else(|| {
                "it does not start with \"PAR1\", as Parquet files do: call `read_csv` if it is text"
                    .to_owned()
            })),
        };
        data.map_err(|reason| Error::read(path, reason))
    }
}

/// The table of a Parquet file.
#[cfg(not(feature = "parquet"))]
fn parquet(_: &Path) -> Result<Dataset, String> {
    Err(
        "it is Parquet, which needs the feature `parquet` of this crate: add `features = [\"parquet\"]` to the line \
         that names energy-discrepancy, in Cargo.toml or after `:dep`, or save the table as CSV"
            .to_owned(),
    )
}

/// A file that is there and no folder.
struct File<'a> {
    path: &'a Path,
    /// What cannot be opened a second time, a pipe for example, is read whole.
    bytes: Option<Vec<u8>>,
    size: u64,
}

/// Of the bytes that a packed file unpacks to, as many times its size; a small one may have [`SMALL`].
const UNPACKED: u64 = 100;
const SMALL: u64 = 64 << 20;

impl<'a> File<'a> {
    fn of(path: &'a Path) -> Result<Self, Error> {
        let fails = |error: std::io::Error| match error.kind() {
            ErrorKind::NotFound => Error::read(path, missing(path)),
            _ => Error::read(path, error),
        };
        let metadata = std::fs::metadata(path).map_err(fails)?;
        if metadata.is_dir() {
            return Err(Error::read(path, "it is a folder: name a file in it"));
        }
        let bytes = match metadata.is_file() {
            true => None,
            false => Some(std::fs::read(path).map_err(fails)?),
        };
        let size = bytes
            .as_ref()
            .map_or(metadata.len(), |bytes| bytes.len() as u64);
        Ok(Self { path, bytes, size })
    }

    /// Its bytes from the beginning, unpacked.
    fn open(&self) -> Result<csv::Source<'_>, String> {
        let mut source: csv::Source<'_> = match &self.bytes {
            Some(bytes) => Box::new(bytes.as_slice()),
            None => {
                let file = std::fs::File::open(self.path).map_err(|error| error.to_string())?;
                Box::new(BufReader::with_capacity(1 << 16, file))
            }
        };
        let start = source.fill_buf().map_err(|error| error.to_string())?;
        if !start.starts_with(b"\x1f\x8b") {
            return Ok(source);
        }
        let unpacked = Limited {
            source: MultiGzDecoder::new(source),
            left: self.size.saturating_mul(UNPACKED).max(SMALL),
        };
        Ok(Box::new(BufReader::with_capacity(1 << 16, unpacked)))
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let read = self.open()?.read_to_end(&mut bytes);
        read.map_err(|error| error.to_string()).map(|_| bytes)
    }

    /// What it is, if that shows at its beginning and is no table of text.
    fn what(&self) -> Option<String> {
        foreign::what(&self.head())
    }

    /// Its beginning, as far as it can be read.
    fn head(&self) -> Vec<u8> {
        let mut head = Vec::new();
        if let Ok(source) = self.open() {
            // What was read before an error is in it.
            let _ = source.take(1 << 12).read_to_end(&mut head);
        }
        head
    }
}

/// What a packed file unpacks to, up to a limit.
struct Limited<R> {
    source: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let wrong = |error| std::io::Error::other(format!("it is no complete gzip file ({error})"));
        let count = self.source.read(buffer).map_err(wrong)?;
        let left = self.left.checked_sub(count as u64);
        let too_much = || {
            std::io::Error::other(format!(
                "it unpacks to more than {UNPACKED} times its size: unpack it first"
            ))
        };
        self.left = left.ok_or_else(too_much)?;
        Ok(count)
    }
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
