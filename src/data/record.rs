//! The cells of a table's lines.

use super::lines::{LONGEST, Lines, foreign_end};
use super::number::{self, Comma, Reading};
use std::io::BufRead;

/// What spreadsheets write into a cell without a value; such a line is no comment.
const SPREADSHEETS: [&str; 8] = [
    "#N/A", "#NA", "#DIV/0!", "#NULL!", "#NUM!", "#NAME?", "#REF!", "#VALUE!",
];

/// What stands between two cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Separator {
    Character(char),
    /// Any run of spaces and tabs.
    Spaces,
    /// Nothing: a line is one cell.
    None,
}

impl Separator {
    pub(super) fn name(self) -> String {
        match self {
            Separator::Character(';') => "semicolons".to_owned(),
            Separator::Character('\t') => "tabs".to_owned(),
            Separator::Character(',') => "commas".to_owned(),
            Separator::Character(c) => format!("{c:?}"),
            Separator::Spaces | Separator::None => "spaces".to_owned(),
        }
    }

    fn ends_at(self, c: char) -> bool {
        match self {
            Separator::Character(separator) => c == separator,
            Separator::Spaces => matches!(c, ' ' | '\t'),
            Separator::None => false,
        }
    }
}

/// The cells of a line, or of several where a line break stands in quotation marks.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    /// The cells' characters, with what stood between them or without.
    text: String,
    cells: Vec<Cell>,
    /// Where it begins, from 1.
    pub(super) line: usize,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    start: usize,
    end: usize,
    is_quoted: bool,
}

impl Record {
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// A cell without spaces around it.
    pub(super) fn cell(&self, index: usize) -> &str {
        let cell = self.cells[index];
        &self.text[cell.start..cell.end]
    }

    pub(super) fn is_quoted(&self, index: usize) -> bool {
        self.cells[index].is_quoted
    }

    pub(super) fn cells(&self) -> impl DoubleEndedIterator<Item = &str> {
        (0..self.len()).map(|index| self.cell(index))
    }

    /// Whether a cell has spaces around it.
    pub(super) fn has_spaces(&self) -> bool {
        self.text.contains([' ', '\t'])
    }

    fn push(&mut self, start: usize, end: usize, is_quoted: bool) {
        let cell = &self.text[start..end];
        let start = end - cell.trim_start().len();
        self.cells.push(Cell {
            start,
            end: start + cell.trim().len(),
            is_quoted,
        });
    }

    /// The cells of a line without quotation marks.
    fn split(&mut self, line: &str, separator: Separator) {
        self.text.push_str(line);
        match separator {
            Separator::Character(c) => self.push_all(line.split(c), c.len_utf8(), true),
            Separator::Spaces => self.push_all(line.split([' ', '\t']), 1, false),
            Separator::None => self.push(0, line.len(), false),
        }
    }

    fn push_all<'a>(&mut self, cells: impl Iterator<Item = &'a str>, between: usize, empty: bool) {
        let mut start = 0;
        for cell in cells {
            if empty || !cell.is_empty() {
                self.push(start, start + cell.len(), false);
            }
            start += cell.len() + between;
        }
    }

    /// One line more of a record with quotation marks.
    ///
    /// A quotation mark opens at the beginning of a cell only; two within a quoted cell stand for
    /// one; what follows a closing one up to the separator belongs to the cell, as Python's `csv`
    /// has it.
    fn split_quoted(&mut self, line: &str, separator: Separator, open: &mut Open) {
        let mut characters = line.chars().peekable();
        while let Some(c) = characters.next() {
            let is_start = self.text[open.start..].trim_start().is_empty() && !open.is_quoted;
            match c {
                '"' if open.is_inside && characters.next_if_eq(&'"').is_some() => self.text.push(c),
                '"' if open.is_inside => open.is_inside = false,
                '"' if is_start => {
                    self.text.truncate(open.start);
                    (open.is_inside, open.is_quoted) = (true, true);
                }
                _ if !open.is_inside && separator.ends_at(c) => self.close(separator, open),
                _ => self.text.push(c),
            }
        }
        match open.is_inside {
            true => self.text.push('\n'),
            false => self.close(separator, open),
        }
    }

    fn close(&mut self, separator: Separator, open: &mut Open) {
        let end = self.text.len();
        if separator != Separator::Spaces || open.is_quoted || end > open.start {
            self.push(open.start, end, open.is_quoted);
        }
        *open = Open {
            start: end,
            ..Open::default()
        };
    }
}

/// The cell that is being read.
#[derive(Default)]
struct Open {
    start: usize,
    is_quoted: bool,
    is_inside: bool,
}

/// The records of a text, without empty lines and comments.
pub(super) struct Records<R> {
    lines: Lines<R>,
    separator: Separator,
    /// The last comment that was read over.
    pub(super) comment: Option<String>,
}

impl<R: BufRead> Records<R> {
    pub(super) fn new(source: R, separator: Separator) -> Self {
        Self {
            lines: Lines::new(source),
            separator,
            comment: None,
        }
    }

    /// Reads the next record; false at the end.
    pub(super) fn next(&mut self, record: &mut Record) -> Result<bool, String> {
        record.text.clear();
        record.cells.clear();
        let mut open = Open::default();
        while let Some((number, line)) = self.lines.next()? {
            if !open.is_inside {
                let trimmed = line.trim();
                if trimmed.is_empty() {
                    continue;
                }
                let is_comment = !SPREADSHEETS.iter().any(|error| trimmed.starts_with(error));
                if let Some(comment) = trimmed.strip_prefix('#').filter(|_| is_comment) {
                    self.comment = Some(comment.to_owned());
                    continue;
                }
                record.line = number;
                if !line.contains('"') {
                    record.split(without_comment(line, self.separator), self.separator);
                    return checked(record);
                }
            }
            record.split_quoted(line, self.separator, &mut open);
            if !open.is_inside {
                return checked(record);
            }
            if record.text.len() > LONGEST {
                break;
            }
        }
        match open.is_inside {
            true => Err(format!(
                "line {}, column {}: a quotation mark opens and does not close",
                record.line,
                record.len() + 1
            )),
            false => Ok(false),
        }
    }
}

/// True, if nothing in an unquoted cell ends lines elsewhere.
fn checked(record: &Record) -> Result<bool, String> {
    if foreign_end(&record.text).is_some() {
        for (index, cell) in record.cells().enumerate() {
            if let Some(name) = foreign_end(cell).filter(|_| !record.is_quoted(index)) {
                return Err(format!(
                    "line {} has {name} in it, which ends no line here: end lines with a line feed, \
                     or put the cell in quotation marks",
                    record.line
                ));
            }
        }
    }
    Ok(true)
}

/// A line without a comment behind a number: `#` is one after a space, where a number stands before.
fn without_comment(line: &str, separator: Separator) -> &str {
    let is_space = |c| {
        let separates = separator != Separator::Spaces && separator.ends_at(c);
        matches!(c, ' ' | '\t') && !separates
    };
    let split = line
        .split_once('#')
        .filter(|(before, _)| before.ends_with(is_space));
    let Some((before, _)) = split else {
        return line;
    };
    let before = before.trim_end_matches(is_space);
    let last = before
        .rsplit(|c| separator.ends_at(c))
        .next()
        .unwrap_or_default();
    match number::read(last.trim(), Comma::None) {
        Reading::Number(_) => before,
        Reading::Missing if !last.is_empty() => before,
        _ => line,
    }
}
