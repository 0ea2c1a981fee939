//! A notebook's results as files.

use super::Claims;
use crate::plot::Figure;
use crate::table::Table;
use crate::{Error, file};
use serde_json::{Map, Value};
use std::path::Path;

/// Histories, claims and figures, written into a folder by one call.
///
/// | what | files |
/// |---|---|
/// | all histories and claims | `results.json` |
/// | a history | `NAME.csv`, a row for each step with the loss and the metrics taken there |
/// | claims | `claims.csv`: name, value, accepted, verdict |
/// | a figure | `NAME.png`, `NAME.svg` |
///
/// In CSV what is not a number is an empty field, in JSON null.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let data = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?;
/// let net = Mlp::silu(&[1, 8, 1], 0)?;
/// let mut run = Trainer::new(net, EnergyDiscrepancy::with_std(1.0)).steps(20).quiet();
/// let _ = run.fit(&data)?;
/// let mut claims = Claims::new(Preset::Quick, 0);
/// claims.report("demo.last_loss", run.history().losses()[19]);
/// # let temporary = tempfile::tempdir().unwrap();
/// # let folder = temporary.path();
/// Results::new()
///     .history("ed", run.history())
///     .figure("losses", run.history().chart())
///     .claims(&claims)
///     .write(folder)?;
/// let table = std::fs::read_to_string(folder.join("ed.csv")).unwrap();
/// assert!(table.starts_with("step,loss\n0,"));
/// // It is read back as any other table.
/// let losses = Dataset::read(folder.join("ed.csv"))?.columns(&["loss"])?;
/// assert_eq!(losses.rows()?.flatten().copied().collect::<Vec<_>>(), run.history().losses());
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Results {
    json: Map<String, Value>,
    tables: Vec<(String, Table)>,
    figures: Vec<(String, Figure)>,
}

/// What has a value, or several, for each step: a run's history.
pub trait Recorded {
    /// All of it as JSON.
    #[doc(hidden)]
    fn json(&self) -> Value;

    /// A column for each series.
    #[doc(hidden)]
    fn table(&self) -> Table;
}

impl Results {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a run's history under a name.
    pub fn history(mut self, name: &str, history: &impl Recorded) -> Self {
        self.json.insert(name.to_owned(), history.json());
        self.tables.push((name.to_owned(), history.table()));
        self
    }

    /// Adds the claims.
    pub fn claims(mut self, claims: &Claims) -> Self {
        self.json.insert("claims".to_owned(), claims.json());
        let mut table = Table::new(["name", "value", "accepted", "verdict"]);
        claims.rows().iter().for_each(|row| table.push(row.into()));
        self.tables.push(("claims".to_owned(), table));
        self
    }

    /// Adds a figure, or a chart, under a name.
    pub fn figure(mut self, name: &str, figure: impl Into<Figure>) -> Self {
        self.figures.push((name.to_owned(), figure.into()));
        self
    }

    /// Writes all files into the folder, which is made where there is none. Files of the same names are
    /// replaced, others are left alone.
    ///
    /// # Errors
    /// If a name is empty, no part of a path or given twice, a figure cannot be drawn, or a file cannot
    /// be written.
    pub fn write(&self, folder: impl AsRef<Path>) -> Result<(), Error> {
        let folder = folder.as_ref();
        let tables = self.tables.iter().map(|(name, _)| name);
        let names: Vec<&String> = tables
            .chain(self.figures.iter().map(|(name, _)| name))
            .collect();
        for (i, name) in names.iter().enumerate() {
            let allowed = |c: char| c.is_alphanumeric() || "-_. ".contains(c);
            if name.trim_matches(['.', ' ']).is_empty() || !name.chars().all(allowed) {
                let allowed = "letters, digits, '-', '_', '.' and blanks, as it names a file";
                return Err(Error::setting("a result's name", name, allowed));
            }
            if names[..i].contains(name) {
                return Err(Error::setting("a result's name", name, "given once only"));
            }
        }
        std::fs::create_dir_all(folder).map_err(|error| Error::write(folder, error))?;
        let write = |name: &str, bytes: &[u8]| file::write(&folder.join(name), bytes);
        for (name, figure) in &self.figures {
            write(&format!("{name}.png"), &figure.png()?)?;
            write(&format!("{name}.svg"), figure.svg()?.as_bytes())?;
        }
        for (name, table) in &self.tables {
            write(&format!("{name}.csv"), table.csv().as_bytes())?;
        }
        let json = format!("{:#}\n", Value::Object(self.json.clone()));
        write("results.json", json.as_bytes())
    }
}
