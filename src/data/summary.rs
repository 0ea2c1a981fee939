//! What a data set looks like.

use super::dataset::Dataset;
use crate::Error;
use crate::plot::{Chart, Line, PairMaps};
use crate::table::{Table, escaped, short};

/// Rows that a cell which ends in a data set shows.
const FIRST: usize = 5;
/// Different texts that are counted in a summary.
const LEVELS: usize = 3;

impl Dataset {
    /// For each column how many values there are and how many are missing, their mean, standard deviation (with 1/N), least
    /// and most, in the units of the file; of a column of text its most frequent texts.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let data = Dataset::new(&[[1.0, 5.0], [3.0, 5.5]])?.with_names(&["a", "b"])?;
    /// let lines = [
    ///     "column  count  missing  mean  deviation  least  most",
    ///     "a           2        0     2          1      1     3",
    ///     "b           2        0  5.25       0.25      5   5.5",
    /// ];
    /// assert_eq!(data.summary().to_string(), lines.join("\n"));
    /// # Ok::<(), Error>(())
    /// ```
    /// pandas equivalent: `data.describe()`.
    pub fn summary(&self) -> Table {
        let has_text = self.texts.iter().any(Option::is_some);
        let header = [
            "column",
            "count",
            "missing",
            "mean",
            "deviation",
            "least",
            "most",
        ];
        let header = header.into_iter().chain(has_text.then_some("texts"));
        let mut table = Table::new(header);
        let originals: Vec<f64> = self.originals().collect();
        for column in 0..self.dimension {
            let values = || {
                originals
                    .iter()
                    .skip(column)
                    .step_by(self.dimension)
                    .copied()
            };
            let there = || values().filter(|value| !value.is_nan());
            let count = there().count();
            let mut row = vec![self.name(column), count.to_string()];
            row.push((self.len() - count).to_string());
            if self.texts[column].is_some() {
                row.extend([const { String::new() }; 4]);
                row.push(self.frequent(column));
            } else {
                let n = count as f64;
                let mean = there().sum::<f64>() / n;
                let square = there().map(|value| (value - mean).powi(2)).sum::<f64>();
                let least = there().fold(f64::NAN, f64::min);
                let most = there().fold(f64::NAN, f64::max);
                row.extend([mean, (square / n).sqrt(), least, most].map(short));
            }
            table.push(row);
        }
        table
    }

    /// The first rows as a table, in the units of the file.
    pub fn head(&self, rows: usize) -> Table {
        let names: Vec<String> = (0..self.dimension)
            .map(|column| self.name(column))
            .collect();
        let mut table = Table::new(names);
        for row in self.raw_rows().take(rows) {
            table.push(self.fields(row));
        }
        table
    }

    /// The values of a column in the units of the file, also of a standardised or whitened set.
    ///
    /// # Errors
    /// If there is no column of this name, it is text, or a value is missing.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let data = Dataset::new(&[[1.0, 5.0], [3.0, 5.5]])?.with_names(&["a", "b"])?;
    /// assert_eq!(data.standardised()?.column("b")?, [5.0, 5.5]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn column(&self, name: &str) -> Result<Vec<f64>, Error> {
        let at = self.position(name)?;
        if self.is_whitened() {
            return Ok(self.originals().skip(at).step_by(self.dimension).collect());
        }
        let column = self.columns_at(&[at])?;
        column.check_numbers()?;
        Ok(column.originals().collect())
    }

    /// A chart of the points in two columns, in the units of the file. Further points go above as
    /// [`Line::markers`](crate::plot::Line::markers).
    ///
    /// # Errors
    /// As [`Dataset::column`].
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let data = Dataset::new(&[[1.0, 5.0], [3.0, 5.5]])?.with_names(&["a", "b"])?;
    /// let chart = data.scatter("a", "b")?.title("Two points");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn scatter(&self, x: &str, y: &str) -> Result<Chart, Error> {
        let points = Line::new(&self.column(x)?, &self.column(y)?).markers();
        Ok(Chart::new("").x_label(x).y_label(y).line(points))
    }

    /// A chart of how often the values of a column lie where, as a density: the area is 1.
    ///
    /// # Errors
    /// As [`Dataset::column`], or if there is no bin.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let data = Dataset::new(&[[1.0], [3.0], [4.0]])?.with_names(&["a"])?;
    /// let chart = data.histogram("a", 2)?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn histogram(&self, name: &str, bins: usize) -> Result<Chart, Error> {
        let line = Line::histogram(&self.column(name)?, bins)?;
        Ok(Chart::new("").x_label(name).y_label("density").line(line))
    }

    /// The maps of all pairs of columns, in the units of the file.
    ///
    /// # Errors
    /// If a column is text, a value is missing, or as [`PairMaps::new`].
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let data = Dataset::from_points(&toy::gaussians_8().sample(100, &mut rng(0))?)?;
    /// let figure = data.pair_maps()?.bins(20)?.figure();
    /// # Ok::<(), Error>(())
    /// ```
    pub fn pair_maps(&self) -> Result<PairMaps, Error> {
        self.check_numbers()?;
        let names: Vec<String> = (0..self.dimension)
            .map(|column| self.name(column))
            .collect();
        PairMaps::new(&self.originals().collect::<Vec<_>>(), &names)
    }

    /// Shows the first rows and a summary of the columns below a notebook cell that ends in the set; evcxr calls it.
    pub fn evcxr_display(&self) {
        let (head, summary) = (self.head(FIRST), self.summary());
        let line = self.to_string();
        let html = format!("<p>{}</p>{}{}", escaped(&line), head.html(), summary.html());
        evcxr_notebook::show_html(&html, &format!("{line}\n\n{head}\n\n{summary}"));
    }

    /// The same in Markdown.
    pub(super) fn markdown(&self) -> String {
        let line = escaped(&self.to_string());
        let (head, summary) = (self.head(FIRST).markdown(), self.summary().markdown());
        format!("{line}\n\n{head}\n{summary}")
    }

    /// The rows with the highest scores, of which each row has one, highest first: its number from 0, the score, and the row in
    /// the units of the file.
    ///
    /// # Errors
    /// If there are not as many scores as rows, or one is not a number.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let data = Dataset::new(&[[1.0], [9.0], [2.0]])?.with_names(&["mass"])?;
    /// let table = data.highest(&[0.1, 7.5, 0.3], 1)?;
    /// assert_eq!(table.csv(), "row,score,mass\n1,7.5,9\n");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn highest(&self, scores: &[f64], count: usize) -> Result<Table, Error> {
        if scores.len() != self.len() {
            let expected = format!("{}, one for each row,", self.len());
            return Err(Error::shape("the scores", scores.len(), expected));
        }
        if let Some(row) = scores.iter().position(|score| score.is_nan()) {
            return Err(Error::Data(format!(
                "the score of row {row} is not a number"
            )));
        }
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        let names = (0..self.dimension).map(|column| self.name(column));
        let mut table = Table::new(
            ["row".to_owned(), "score".to_owned()]
                .into_iter()
                .chain(names),
        );
        for at in order.into_iter().take(count) {
            let row = &self.values[at * self.dimension..(at + 1) * self.dimension];
            let mut fields = vec![at.to_string(), short(scores[at])];
            fields.extend(self.fields(row));
            table.push(fields);
        }
        Ok(table)
    }

    /// A row as it is shown, in the units of the file.
    fn fields(&self, row: &[f64]) -> Vec<String> {
        let mut row = row.to_vec();
        self.units.iter().for_each(|units| units.restore(&mut row));
        let cells = row.iter().zip(&self.texts).enumerate();
        let cells = cells.map(|(column, (value, text))| match text {
            Some(_) => self.shown(column, *value),
            None => short(*value),
        });
        cells.collect()
    }

    /// A column's name, or its number from 0.
    pub(crate) fn name(&self, column: usize) -> String {
        match &self.names {
            Some(names) => names[column].clone(),
            None => column.to_string(),
        }
    }

    /// The most frequent texts of a column, and how many there are.
    fn frequent(&self, column: usize) -> String {
        let Some(text) = &self.texts[column] else {
            return String::new();
        };
        let mut counts = vec![0; text.levels.len()];
        for row in self.raw_rows().filter(|row| !row[column].is_nan()) {
            counts[row[column] as usize] += 1;
        }
        let mut levels: Vec<(usize, &String)> = counts.into_iter().zip(&text.levels).collect();
        levels.retain(|(count, _)| *count > 0);
        levels.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        let shown = levels.iter().take(LEVELS).map(|(count, level)| {
            let level: String = level.chars().take(20).collect();
            format!("{level} {count}")
        });
        let shown: Vec<String> = shown.collect();
        match levels.len() {
            n if n > LEVELS => format!("{}, {} more", shown.join(", "), n - LEVELS),
            _ => shown.join(", "),
        }
    }
}
