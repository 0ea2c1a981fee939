//! Rows of fields under a header.

use evcxr_notebook::{debug_markdown, show_html};
use std::fmt;

/// A table with a header. A cell that ends in it shows it as HTML; as text it has aligned columns.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let table = Table::new(["model", "nats per point"])
///     .row(&[&"energy discrepancy", &3.5])
///     .row(&[&"mixture", &"3.51 ± 0.12"]);
/// let lines = ["model               nats per point", "energy discrepancy             3.5", "mixture                3.51 ± 0.12"];
/// assert_eq!(table.to_string(), lines.join("\n"));
/// ```
#[derive(Clone, Default, PartialEq)]
pub struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// No row yet, under these names.
    pub fn new(header: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            header: header.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row of whatever can be shown. Fields that are missing are empty; more than the header has get columns
    /// without a name.
    pub fn row(mut self, fields: &[&dyn fmt::Display]) -> Self {
        self.push(fields.iter().map(ToString::to_string).collect());
        self
    }

    pub(crate) fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// The table as RFC 4180 has it, with a line feed behind each row.
    pub fn csv(&self) -> String {
        let line = |row: &Vec<String>| {
            let fields: Vec<String> = row.iter().map(|field| quoted(field)).collect();
            fields.join(",") + "\n"
        };
        std::iter::once(&self.header)
            .chain(&self.rows)
            .map(line)
            .collect()
    }

    /// The table as HTML, with all text escaped.
    pub fn html(&self) -> String {
        let row = |row: &[String], kind: &str, right: &[bool]| {
            let cell = |(i, right): (usize, &bool)| {
                let align = if *right { "right" } else { "left" };
                let field = row.get(i).map_or(String::new(), |field| escaped(field));
                format!("<{kind} style=\"text-align:{align}\">{field}</{kind}>")
            };
            let cells: String = right.iter().enumerate().map(cell).collect();
            format!("<tr>{cells}</tr>")
        };
        let right = self.is_right();
        let head = row(&self.header, "th", &right);
        let body: String = self.rows.iter().map(|own| row(own, "td", &right)).collect();
        format!("<table><thead>{head}</thead><tbody>{body}</tbody></table>")
    }

    pub(crate) fn markdown(&self) -> String {
        let field = |field: &String| {
            escaped(field)
                .replace('|', "\\|")
                .replace(['\n', '\r'], " ")
        };
        let line = |row: Vec<String>| format!("| {} |\n", row.join(" | "));
        let width = self.is_right().len();
        let row = |row: &Vec<String>| {
            let mut row: Vec<String> = row.iter().map(field).collect();
            row.resize(width, String::new());
            line(row)
        };
        let marks = self.is_right().into_iter();
        let marks = marks.map(|right| if right { "---:" } else { ":---" }.to_owned());
        let body: String = self.rows.iter().map(row).collect();
        format!("{}{}{body}", row(&self.header), line(marks.collect()))
    }

    /// For each column whether it stands on the right: all but the first do, and those of words.
    fn is_right(&self) -> Vec<bool> {
        let rows = self.rows.iter();
        let width = rows
            .clone()
            .map(Vec::len)
            .max()
            .unwrap_or(0)
            .max(self.header.len());
        let begins = |field: &String| {
            let first = field.trim_start_matches(['-', '−', '+', '<', '>', '≤', '≥', ' ']);
            first.is_empty() || first.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        };
        let is_number = |column: usize| rows.clone().filter_map(|row| row.get(column)).all(begins);
        (0..width)
            .map(|column| column > 0 && is_number(column))
            .collect()
    }

    /// Shows the table below the notebook cell, at once; as text outside of notebooks.
    pub fn show(&self) {
        show_html(&self.html(), &self.to_string());
    }

    /// Shows the table below a notebook cell that ends in it; evcxr calls it.
    pub fn evcxr_display(&self) {
        self.show();
    }
}

/// Aligned columns, without a line feed at the end.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let right = self.is_right();
        let all = || std::iter::once(&self.header).chain(&self.rows);
        let length = |column: usize| {
            let fields = all().filter_map(|row| row.get(column));
            fields.map(|field| field.chars().count()).max().unwrap_or(0)
        };
        let lengths: Vec<usize> = (0..right.len()).map(length).collect();
        for (i, row) in all().enumerate() {
            let fields = right
                .iter()
                .zip(&lengths)
                .enumerate()
                .map(|(column, (right, length))| {
                    let field = row.get(column).map_or("", String::as_str);
                    match right {
                        true => format!("{field:>length$}"),
                        false => format!("{field:<length$}"),
                    }
                });
            let line: Vec<String> = fields.collect();
            let feed = if i > 0 { "\n" } else { "" };
            write!(f, "{feed}{}", line.join("  ").trim_end())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&debug_markdown(&self.to_string(), || self.markdown()))
    }
}

/// A number as a field: nothing where it is none.
pub(crate) fn number(value: f64) -> String {
    match value.is_finite() {
        true => value.to_string(),
        false => String::new(),
    }
}

/// Five significant digits, as few as it takes.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        size if !size.is_finite() => String::new(),
        0.0 => "0".to_owned(),
        size if (1e-4..1e7).contains(&size) => {
            let digits = (4 - size.log10().floor() as i32).clamp(0, 8) as usize;
            let text = format!("{value:.digits$}");
            match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => text,
            }
        }
        _ => format!("{value:.3e}"),
    }
}

fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

pub(crate) fn escaped(field: &str) -> String {
    let field = field.replace('&', "&amp;").replace('<', "&lt;");
    field.replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_need_it_are_quoted() {
        let mut table = Table::new(["step", "error, \"mean\""]);
        table.push(vec!["0".into(), number(0.1)]);
        table.push(vec!["1".into(), number(f64::NAN)]);
        assert_eq!(table.csv(), "step,\"error, \"\"mean\"\"\"\n0,0.1\n1,\n");
    }

    #[test]
    fn numbers_stand_on_the_right_and_words_on_the_left() {
        let table = Table::new(["column", "mean", "says"])
            .row(&[&"bill", &-1.5, &"good"])
            .row(&[&"flipper length", &200, &""]);
        let lines = [
            "column          mean  says",
            "bill            -1.5  good",
            "flipper length   200",
        ];
        assert_eq!(table.to_string(), lines.join("\n"));
    }

    #[test]
    fn text_of_others_is_escaped() {
        let table = Table::new(["a|b"]).row(&[&"<script>\n&"]);
        assert!(table.html().contains("&lt;script&gt;\n&amp;"));
        assert_eq!(
            table.markdown(),
            "| a\\|b |\n| :--- |\n| &lt;script&gt; &amp; |\n"
        );
    }

    #[test]
    fn numbers_are_as_short_as_they_can_be() {
        let numbers = [
            0.0,
            1.0,
            43.921_93,
            -0.001_234_567,
            4201.754,
            1_234_567.8,
            1e9,
            f64::NAN,
        ];
        let shown = [
            "0",
            "1",
            "43.922",
            "-0.0012346",
            "4201.8",
            "1234568",
            "1.000e9",
            "",
        ];
        assert_eq!(numbers.map(short), shown);
    }
}
