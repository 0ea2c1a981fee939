//! Tables of numbers as text: comma, semicolon, tab or space between the cells.
//!
//! No general CSV reader: such a one knows no runs of spaces, and counts lines by records.

use super::Dataset;
use super::columns::first_duplicate;
use super::dataset::CHANGE_INFINITE;
use std::borrow::Cow;

/// The points of a table, or what is wrong and where.
pub(super) fn parse(bytes: &[u8]) -> Result<Dataset, String> {
    let text = decode(bytes)?;
    let lines = text.lines().zip(1..).filter(|(line, _)| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#')
    });
    let mut lines = lines.peekable();
    let Some(&(first, first_at)) = lines.peek() else {
        return Err(match text.trim() {
            "" => "the file is empty".to_owned(),
            _ => "there are no points, only comments".to_owned(),
        });
    };
    let separator = Separator::of(first);
    let in_first = |reason| format!("line {first_at}, {reason}");
    let cells = separator.split(first).map_err(in_first)?;
    let names = names(&cells).map_err(in_first)?;
    let columns = cells.len();
    if names.is_some() {
        lines.next();
    }

    let mut values = Vec::new();
    for (line, at) in lines {
        let cells = separator
            .split(line)
            .map_err(|reason| format!("line {at}, {reason}"))?;
        if cells.len() != columns {
            let (found, name) = (count(cells.len()), separator.name());
            return Err(format!(
                "line {at} has {found} separated by {name}, but line {first_at} has {columns}: add \
                 what is missing, or remove what is too much"
            ));
        }
        for (index, cell) in cells.iter().enumerate() {
            let value = number(cell).ok_or_else(|| not_a_number(cell));
            values.push(value.and_then(finite).map_err(|reason| {
                let name = names.as_ref().map(|names| format!(" ({:?})", names[index]));
                format!(
                    "line {at}, column {}{}: {reason}",
                    index + 1,
                    name.unwrap_or_default()
                )
            })?);
        }
    }
    if values.is_empty() {
        return Err(format!(
            "there are no points after line {first_at}, which names the columns"
        ));
    }
    let data = Dataset::of(values, columns)?;
    match names {
        Some(names) => data.with_names(&names).map_err(|error| error.to_string()),
        None => Ok(data),
    }
}

fn decode(bytes: &[u8]) -> Result<&str, String> {
    if bytes.starts_with(b"\x93NUMPY") {
        return Err("it is in NumPy's format, not text: call `read_npy`".to_owned());
    }
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        format!("line {line} is not text in UTF-8: save the table as CSV, UTF-8")
    })
}

/// The columns' names, if the first line has them.
fn names(cells: &[Cow<'_, str>]) -> Result<Option<Vec<String>>, String> {
    let is_number = |cell: &Cow<'_, str>| number(cell).is_some();
    let Some(index) = cells.iter().position(|cell| !is_number(cell)) else {
        return Ok(None);
    };
    if cells.iter().any(is_number) {
        let (column, reason) = (index + 1, not_a_number(&cells[index]));
        return Err(format!(
            "column {column}: {reason}, but other cells of this line are (names of columns are \
             recognised by a line without any number)"
        ));
    }
    let named = |(index, cell): (usize, &Cow<'_, str>)| match cell.as_ref() {
        "" => format!("column {}", index + 1),
        name => name.to_owned(),
    };
    let names: Vec<String> = cells.iter().enumerate().map(named).collect();
    match first_duplicate(&names) {
        Some(twice) => Err(format!(
            "two columns are called {}: rename one",
            quoted(twice)
        )),
        None => Ok(Some(names)),
    }
}

fn number(cell: &str) -> Option<f64> {
    cell.parse().ok()
}

fn finite(value: f64) -> Result<f64, String> {
    match (value as f32).is_finite() {
        true => Ok(value),
        false => Err(format!("{value}: {CHANGE_INFINITE}")),
    }
}

fn not_a_number(cell: &str) -> String {
    let with_point = cell.replacen(',', ".", 1);
    match cell {
        "" => "it is empty: fill in a number, or leave the line out".to_owned(),
        _ if with_point != cell && number(&with_point).is_some() => {
            format!(
                "{} is not a number: write {with_point:?}, with a point",
                quoted(cell)
            )
        }
        _ => format!("{} is not a number", quoted(cell)),
    }
}

/// The beginning of a cell in quotation marks.
fn quoted(cell: &str) -> String {
    match cell.char_indices().nth(40) {
        Some((end, _)) => format!("{:?}...", &cell[..end]),
        None => format!("{cell:?}"),
    }
}

fn count(cells: usize) -> String {
    match cells {
        1 => "1 cell".to_owned(),
        n => format!("{n} cells"),
    }
}

/// What stands between two cells: a character, or any run of spaces and tabs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Separator {
    Character(char),
    Spaces,
}

impl Separator {
    /// The separator of a line, found outside of quotation marks.
    fn of(line: &str) -> Self {
        let outside: String = line.trim().split('"').step_by(2).collect();
        let known = [';', '\t', ','].into_iter();
        let mut found = known.filter(|character| outside.contains(*character));
        found.next().map_or(Separator::Spaces, Separator::Character)
    }

    fn name(self) -> &'static str {
        match self {
            Separator::Character(';') => "semicolons",
            Separator::Character('\t') => "tabs",
            Separator::Character(_) => "commas",
            Separator::Spaces => "spaces",
        }
    }

    /// The cells of a line, without spaces around them or quotation marks.
    fn split(self, line: &str) -> Result<Vec<Cow<'_, str>>, String> {
        if line.contains('"') {
            return self.split_quoted(line);
        }
        Ok(match self {
            Separator::Character(c) => line.split(c).map(|cell| cell.trim().into()).collect(),
            Separator::Spaces => line.split_whitespace().map(Cow::from).collect(),
        })
    }

    /// The same with quotation marks, of which two within a quoted cell stand for one.
    fn split_quoted(self, line: &str) -> Result<Vec<Cow<'_, str>>, String> {
        let (mut cells, mut cell, mut inside) = (Vec::new(), String::new(), false);
        let mut characters = line.chars().peekable();
        while let Some(c) = characters.next() {
            match c {
                '"' if inside && characters.next_if_eq(&'"').is_some() => cell.push('"'),
                '"' => inside = !inside,
                _ if !inside && self.ends_at(c) => cells.push(std::mem::take(&mut cell)),
                _ => cell.push(c),
            }
        }
        if inside {
            let column = cells.len() + 1;
            return Err(format!(
                "column {column}: a quotation mark opens and does not close"
            ));
        }
        cells.push(cell);
        let cells = cells.iter().map(|cell| Cow::from(cell.trim().to_owned()));
        Ok(cells
            .filter(|cell| self != Separator::Spaces || !cell.is_empty())
            .collect())
    }

    fn ends_at(self, c: char) -> bool {
        match self {
            Separator::Character(separator) => c == separator,
            Separator::Spaces => c.is_whitespace(),
        }
    }
}

#[cfg(test)]
#[path = "csv_tests.rs"]
pub(super) mod tests;
