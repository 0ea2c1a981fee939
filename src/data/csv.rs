//! Tables as text: numbers, words and missing values in columns.
//!
//! No general CSV reader: such a one knows no runs of spaces, counts lines by records, and leaves
//! open what this is about, which is how the table is written ([`Layout`]).

use super::dataset::Dataset;
use super::dataset::Text;
use super::foreign;
use super::layout::Layout;
use super::lines::LONGEST;
use super::number::{self, Reading, quoted};
use super::record::{Record, Records};
use std::collections::HashMap;
use std::io::{BufRead, Read};
use std::sync::Arc;

/// A file's bytes from their beginning.
pub(super) type Source<'a> = Box<dyn BufRead + 'a>;

/// So much of a file shows how it is written, if there are more than a few rows in it.
const HEAD: u64 = 1 << 16;
const FEW: usize = 20;

/// The set of a table, or what is wrong and where. The file is opened twice or three times: for
/// its beginning, for its cells, and once more where a column shows late that it has words.
pub(super) fn parse<'a>(open: impl Fn() -> Result<Source<'a>, String>) -> Result<Dataset, String> {
    let head = head(open()?)?;
    if let Some(what) = foreign::what(&head) {
        return Err(what);
    }
    let layout = Layout::of(&head)?;
    let mut table = Table::read(open()?, &layout, &vec![false; layout.columns])?;
    let has_words: Vec<bool> = table
        .columns
        .iter()
        .map(|column| column.others > 0)
        .collect();
    if table.columns.iter().any(Column::has_lost_words) {
        drop(table);
        table = Table::read(open()?, &layout, &has_words)?;
    }
    table.into_dataset()
}

/// The first lines: more than a few that are no comments.
fn head(mut source: Source<'_>) -> Result<Vec<u8>, String> {
    let mut head = Vec::new();
    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let is_row = |line: &&[u8]| !matches!(line.trim_ascii().first(), None | Some(b'#'));
    loop {
        let before = head.len();
        let wanted = HEAD.max(before as u64);
        let read = source.by_ref().take(wanted).read_to_end(&mut head);
        if read.map_err(|error| error.to_string())? == 0 {
            return Ok(head);
        }
        let rows = head.split(is_end).filter(is_row);
        if rows.take(FEW + 1).count() > FEW && head.len() as u64 >= HEAD || head.len() > LONGEST {
            let last = head.iter().rposition(is_end);
            head.truncate(last.map_or(head.len(), |last| last + 1));
            return Ok(head);
        }
    }
}

struct Table<'a> {
    layout: &'a Layout,
    /// Row after row: numbers, NaN for what is missing, the number of the word in a column of words.
    values: Vec<f64>,
    columns: Vec<Column>,
}

/// What is known of a column while its cells are read.
#[derive(Default)]
pub(super) struct Column {
    /// Each word with its number, from the first record or from the first word on.
    words: Option<HashMap<Box<str>, u32>>,
    numbers: usize,
    others: usize,
    /// The line of the first cell that is no number, and that cell.
    first: Option<(usize, Box<str>)>,
}

impl Column {
    /// Whether cells that came before the first word were taken for numbers.
    fn has_lost_words(&self) -> bool {
        self.others > 0 && self.words.is_none()
    }

    /// The cell's place in the set's values.
    pub(super) fn take(&mut self, cell: &str, reading: Reading, line: usize) -> f64 {
        match reading {
            Reading::Missing => return f64::NAN,
            Reading::Number(value) => {
                self.numbers += 1;
                if self.words.is_none() {
                    return value;
                }
            }
            Reading::Other => {
                if self.numbers == 0 && self.others == 0 {
                    self.words.get_or_insert_default();
                }
                self.others += 1;
                self.first.get_or_insert_with(|| (line, cell.into()));
            }
        }
        let Some(words) = &mut self.words else {
            return f64::NAN;
        };
        if let Some(number) = words.get(cell) {
            return f64::from(*number);
        }
        let number = words.len() as u32;
        words.insert(cell.into(), number);
        f64::from(number)
    }

    /// Its texts, if it has any; `line` is what messages call a line, and `label` the column.
    fn into_text(self, line: &str, label: String) -> Option<Text> {
        let (words, (number, cell)) = (self.words?, self.first?);
        let mut levels = vec![String::new(); words.len()];
        for (word, number) in words {
            levels[number as usize] = word.into_string();
        }
        Some(Text {
            levels,
            line: format!("{line} {number}"),
            column: label,
            first: cell.into_string(),
            numbers: self.numbers,
            others: self.others,
        })
    }
}

/// The set of these columns, whose messages call a line `line`.
pub(super) fn dataset(
    values: Vec<f64>,
    columns: Vec<Column>,
    names: Option<Vec<String>>,
    line: &str,
) -> Result<Dataset, String> {
    let mut data = Dataset::of(values, columns.len())?;
    let text = |(index, column): (usize, Column)| {
        let name = names.as_ref().map(|names| format!(" ({:?})", names[index]));
        let label = format!("column {}{}", index + 1, name.unwrap_or_default());
        column.into_text(line, label).map(Arc::new)
    };
    data.texts = columns.into_iter().enumerate().map(text).collect();
    data.names = names;
    Ok(data)
}

impl<'a> Table<'a> {
    fn read(source: Source<'_>, layout: &'a Layout, has_words: &[bool]) -> Result<Self, String> {
        let column = |has_words: &bool| Column {
            words: has_words.then(HashMap::new),
            ..Column::default()
        };
        let mut table = Self {
            layout,
            values: Vec::new(),
            columns: has_words.iter().map(column).collect(),
        };
        let mut records = Records::new(source, layout.separator);
        let mut record = Record::default();
        while records.next(&mut record)? {
            if record.line >= layout.first_line {
                table.push(&record)?;
            }
        }
        table.values.shrink_to_fit();
        if let Some(described) = layout.described {
            described.check(table.values.len() / layout.columns)?;
        }
        match table.values.is_empty() {
            true => Err(format!(
                "there are no points after line {}, which names the columns",
                layout.model_line
            )),
            false => Ok(table),
        }
    }

    fn push(&mut self, record: &Record) -> Result<(), String> {
        let layout = self.layout;
        let first = usize::from(layout.has_row_names);
        let end = first + layout.columns;
        if record.len() < end || record.len() > end + layout.trailing {
            return Err(self.uneven(record));
        }
        if let Some(index) = (end..record.len()).find(|index| !record.cell(*index).is_empty()) {
            return Err(format!(
                "line {}, column {}: {}, but the first lines have nothing there and no name for it: name \
                 the column, or leave the cell out",
                record.line,
                index + 1,
                quoted(record.cell(index))
            ));
        }
        for (index, column) in self.columns.iter_mut().enumerate() {
            let cell = record.cell(first + index);
            let reading = number::read(cell, layout.comma);
            self.values.push(column.take(cell, reading, record.line));
        }
        Ok(())
    }

    fn uneven(&self, record: &Record) -> String {
        let layout = self.layout;
        let found = match record.len() {
            1 => "1 cell".to_owned(),
            n => format!("{n} cells"),
        };
        let separated = layout.separator.name();
        let expected = layout.columns + layout.trailing + usize::from(layout.has_row_names);
        let change = match &layout.names {
            Some(names) if record.len() == names.len() + 1 => {
                "name each column, or remove what is too much"
            }
            _ => "add what is missing, or remove what is too much",
        };
        format!(
            "line {} has {found} separated by {separated}, but line {} has {expected}: {change}",
            record.line, layout.model_line
        )
    }

    fn into_dataset(self) -> Result<Dataset, String> {
        let names = self.layout.names.clone();
        dataset(self.values, self.columns, names, "line")
    }
}

#[cfg(test)]
#[path = "csv_tests.rs"]
pub(super) mod tests;
