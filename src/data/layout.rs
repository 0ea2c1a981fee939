//! How a table is written: what its first lines say about separator, names and commas.

use super::number::{self, Comma, Reading, why_not};
use super::record::{Record, Records, Separator};

/// As many records tell how the others are written.
const SAMPLE: usize = 100;

/// How a table is written.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) separator: Separator,
    pub(super) comma: Comma,
    pub(super) names: Option<Vec<String>>,
    /// The line that the others are held against in messages.
    pub(super) model_line: usize,
    /// Records before this line are no points.
    pub(super) first_line: usize,
    /// D, without row names and what follows trailing separators.
    pub(super) columns: usize,
    /// The first cell of each record names it, and the first line names no column for it.
    pub(super) has_row_names: bool,
    /// Empty cells at the end of records.
    pub(super) trailing: usize,
    /// What the first line says of the table, where it is no row and no names.
    pub(super) described: Option<Described>,
}

/// A first line as scikit-learn's own tables have it: numbers of rows and columns, names of classes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Described {
    line: usize,
    rows: u64,
}

impl Layout {
    /// The layout of a table that begins like this, whole or not.
    pub(super) fn of(head: &[u8]) -> Result<Self, String> {
        let sample = match stated_separator(head) {
            Some(separator) => Sample::of(head, separator, 2)?,
            None => Sample::with_best_separator(head)?,
        };
        let (separator, records) = (sample.separator, &sample.records);
        let Some((first, body)) = records.split_first() else {
            let blank = |byte: &u8| byte.is_ascii_whitespace() || b"\xef\xbb\xbf".contains(byte);
            return Err(match head.iter().all(blank) {
                true => "the file is empty".to_owned(),
                false => "there are no points, only comments".to_owned(),
            });
        };
        let comma = match Comma::of(records.iter().flat_map(Record::cells)) {
            // In quotation marks it may as well stand in a list: "1,2".
            Comma::Decimals if separator == Separator::Character(',') => Comma::None,
            comma => comma,
        };
        let mut layout = Self {
            separator,
            comma,
            names: None,
            model_line: first.line,
            first_line: first.line,
            columns: first.len(),
            has_row_names: false,
            trailing: 0,
            described: None,
        };
        layout.described = Described::of(first, body, layout.comma);
        if layout.described.is_some() {
            layout.first_line += 1;
            layout.model_line = body[0].line;
            layout.columns = body[0].len();
            return Ok(layout);
        }
        let ends_empty =
            |record: &Record, n: usize| record.cells().rev().take(n).all(str::is_empty);
        let width = body.first().map_or(first.len(), Record::len);
        let is_one_more = width == first.len() + 1;
        if is_one_more && body.iter().all(|record| ends_empty(record, 1)) {
            layout.trailing = 1;
        } else {
            while layout.trailing + 1 < first.len()
                && records
                    .iter()
                    .all(|record| ends_empty(record, layout.trailing + 1))
            {
                layout.trailing += 1;
            }
            if layout.trailing == 0 && first.len() == width + 1 && ends_empty(first, 1) {
                layout.trailing = 1;
            }
            layout.columns -= layout.trailing;
        }
        layout.has_row_names = is_one_more && layout.trailing == 0 && are_row_names(body);

        let grid = Grid {
            first,
            body,
            columns: layout.columns,
            offset: usize::from(layout.has_row_names),
            comma: layout.comma,
        };
        if grid.first_is_names()? {
            layout.names = Some(distinct(first.cells().take(layout.columns)));
            layout.first_line = first.line + 1;
        } else {
            layout.has_row_names = false;
            layout.names = sample
                .comment
                .and_then(|comment| named_by(&comment, &layout));
            let is_asked = layout.names.is_none() && !sample.is_cut;
            if is_asked && separator == Separator::Character(',') {
                ask_about_commas(records)?;
            }
        }
        Ok(layout)
    }
}

/// What Excel's first line `sep=;` says.
fn stated_separator(head: &[u8]) -> Option<Separator> {
    let head = head.strip_prefix("\u{feff}".as_bytes()).unwrap_or(head);
    let line = head.split(|byte| matches!(byte, b'\n' | b'\r')).next()?;
    let line = std::str::from_utf8(line).ok()?.trim_matches(['"', ' ']);
    let (key, value) = line.split_at_checked(4)?;
    let mut characters = value.chars();
    let separator = characters
        .next()
        .filter(|_| key.eq_ignore_ascii_case("sep="))?;
    // The line itself may end in it.
    characters
        .all(|c| c == separator)
        .then_some(Separator::Character(separator))
}

/// The first records of a table.
struct Sample {
    separator: Separator,
    records: Vec<Record>,
    /// The last comment before them.
    comment: Option<String>,
    /// They end where a quotation mark does not close, in the file or in its beginning.
    is_cut: bool,
}

impl Sample {
    /// The records from a line on.
    fn of(head: &[u8], separator: Separator, from: usize) -> Result<Self, String> {
        let mut reader = Records::new(head, separator);
        let mut record = Record::default();
        let mut sample = Self {
            separator,
            records: Vec::new(),
            comment: None,
            is_cut: false,
        };
        while sample.records.len() < SAMPLE {
            match reader.next(&mut record) {
                Ok(true) if record.line < from => {}
                Ok(true) => {
                    if sample.records.is_empty() {
                        sample.comment = reader.comment.take();
                    }
                    sample.records.push(record.clone());
                }
                Ok(false) => break,
                // The whole table is read once more, and has the same error there.
                Err(_) if !sample.records.is_empty() => {
                    sample.is_cut = true;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(sample)
    }

    /// Those with the separator that the first record has and that gives all records as many cells;
    /// where there is none, with the first that it has.
    fn with_best_separator(head: &[u8]) -> Result<Self, String> {
        let mut fallback = None;
        for separator in [';', '\t', ',', '|'].map(Separator::Character) {
            let sample = Self::of(head, separator, 1)?;
            if sample.records.first().is_some_and(|first| first.len() < 2) {
                continue;
            }
            if sample.is_even() {
                let spaced = Self::of(head, Separator::Spaces, 1)?;
                let is_comma = separator == Separator::Character(',');
                return Ok(match is_comma && are_decimals(&spaced.records) {
                    true => spaced,
                    false => sample,
                });
            }
            fallback.get_or_insert(sample);
        }
        if let Some(sample) = fallback {
            return Ok(sample);
        }
        let spaced = Self::of(head, Separator::Spaces, 1)?;
        let (first, body) = spaced.records.split_first().unzip();
        let is_single = body
            .is_some_and(|body| !body.is_empty() && body.iter().all(|record| record.len() == 1));
        let is_number = |record: &Record| {
            record
                .cells()
                .skip(1)
                .all(|cell| number::read(cell, Comma::Decimals) != Reading::Other)
        };
        let are_numbers = spaced.is_even() && body.is_some_and(|body| body.iter().all(is_number));
        let has_one_name = first.is_some_and(|first| first.len() == 1);
        // A name of several words, or a column of texts that have some.
        match is_single || has_one_name && !are_numbers {
            true => Self::of(head, Separator::None, 1),
            false => Ok(spaced),
        }
    }

    /// Whether all records have as many cells, the first perhaps one more or less.
    fn is_even(&self) -> bool {
        let Some((first, body)) = self.records.split_first() else {
            return true;
        };
        let width = body.first().map_or(first.len(), Record::len);
        let has_some = width > 1 || first.cells().next_back() == Some("");
        has_some
            && width.abs_diff(first.len()) < 2
            && body.iter().all(|record| record.len() == width)
    }
}

/// `1,5 2,25`, line after line.
fn are_decimals(records: &[Record]) -> bool {
    let mut cells = records.iter().flat_map(Record::cells);
    let width = records.first().map_or(0, Record::len);
    width > 1
        && records.iter().all(|record| record.len() == width)
        && cells.all(|cell| matches!(number::read(cell, Comma::Decimals), Reading::Number(_)))
}

/// R's names of rows: different words, quoted or whole numbers.
fn are_row_names(body: &[Record]) -> bool {
    let mut seen = std::collections::HashSet::new();
    body.iter().all(|record| {
        let name = record.cell(0);
        let is_name = match number::read(name, Comma::None) {
            Reading::Number(_) => record.is_quoted(0) || whole(name).is_some(),
            Reading::Missing | Reading::Other => !name.is_empty(),
        };
        is_name && seen.insert(name)
    })
}

impl Described {
    /// Of a first record `178,13,class_0,class_1` above rows of 13 numbers, or of 14 with the class.
    fn of(first: &Record, body: &[Record], comma: Comma) -> Option<Self> {
        if first.len() < 3 {
            return None;
        }
        let (rows, columns) = (whole(first.cell(0))?, whole(first.cell(1))?);
        let width = body.first()?.len();
        let is_word = |cell: &str| number::read(cell, comma) == Reading::Other;
        let is_row = |record: &Record| record.len() == width && !record.cells().any(is_word);
        let fits = (columns..=columns.saturating_add(1)).contains(&(width as u64))
            && first.cells().skip(2).all(is_word)
            && body.iter().all(is_row);
        fits.then_some(Self {
            line: first.line,
            rows,
        })
    }

    /// An error where there are more or fewer rows than it says.
    pub(super) fn check(self, rows: usize) -> Result<(), String> {
        if rows as u64 == self.rows {
            return Ok(());
        }
        Err(format!(
            "line {} gives {} as the number of rows, and it is {rows}: get the file once more, or correct \
             the line",
            self.line, self.rows
        ))
    }
}

/// A number that is written with digits only.
fn whole(cell: &str) -> Option<u64> {
    let are_digits = cell.bytes().all(|byte| byte.is_ascii_digit());
    are_digits.then(|| cell.parse().ok())?
}

/// The names of a comment line, if it has one for each column: NumPy's `savetxt` writes such.
fn named_by(comment: &str, layout: &Layout) -> Option<Vec<String>> {
    let mut record = Record::default();
    let is_read = Records::new(comment.as_bytes(), layout.separator).next(&mut record);
    let fits = is_read.is_ok_and(|read| read) && record.len() == layout.columns;
    let is_number = |cell: &str| matches!(number::read(cell, layout.comma), Reading::Number(_));
    (fits && !record.cells().any(is_number)).then(|| distinct(record.cells()))
}

/// A name for each column: `column 2` where there is none, `a.1` for the second `a`.
pub(super) fn distinct<'a>(cells: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let named = |(index, cell): (usize, &str)| {
        let name = match cell {
            "" => format!("column {}", index + 1),
            name => name.to_owned(),
        };
        let others = (1..).map(|again| format!("{name}.{again}"));
        let mut names = std::iter::once(name.clone()).chain(others);
        names.find(|name| seen.insert(name.clone())).unwrap_or(name)
    };
    cells.enumerate().map(named).collect()
}

/// Two columns of whole numbers without names: they can be one with a decimal comma as well.
fn ask_about_commas(records: &[Record]) -> Result<(), String> {
    let is_pair = |record: &Record| {
        let is_quoted = (0..record.len()).any(|index| record.is_quoted(index));
        record.len() == 2
            && !is_quoted
            && !record.has_spaces()
            && number::is_pair(record.cell(0), record.cell(1))
    };
    if records.len() < 2 || !records.iter().all(is_pair) {
        return Ok(());
    }
    // Decimals of different lengths have no zeros at their ends.
    let length = records[0].cell(1).len();
    let differ = records.iter().any(|record| record.cell(1).len() != length);
    if differ && records.iter().any(|record| record.cell(1).ends_with('0')) {
        return Ok(());
    }
    let (first, line) = (&records[0], records[0].line);
    Err(format!(
        "line {line}, \"{},{}\": two whole numbers, or one with a decimal comma? Say which by a first \
         line of names: \"x,y\" for two columns, \"x\" for one",
        first.cell(0),
        first.cell(1)
    ))
}

/// The first record and those below it.
struct Grid<'a> {
    first: &'a Record,
    body: &'a [Record],
    columns: usize,
    /// Of the body's cells against those of the first record.
    offset: usize,
    comma: Comma,
}

impl Grid<'_> {
    /// Whether the first record names the columns; an error where it may and may not.
    ///
    /// - A record without any number does, unless all its cells are missing values.
    /// - Numbers in quotation marks do, where the numbers below have none.
    /// - Whole numbers that count as names do ([`Grid::counts`]), alone or beside words.
    /// - Otherwise a record with numbers is a point, and a word in it over a column of numbers is a
    ///   mistake.
    fn first_is_names(&self) -> Result<bool, String> {
        let columns = 0..self.columns;
        let readings: Vec<Reading> = self
            .first
            .cells()
            .take(self.columns)
            .map(|cell| number::read(cell, self.comma))
            .collect();
        let is_number = |index: &usize| matches!(readings[*index], Reading::Number(_));
        let numbers: Vec<usize> = columns.clone().filter(is_number).collect();
        let is_word = |index: &usize| readings[*index] == Reading::Other;
        let misplaced = columns
            .clone()
            .filter(is_word)
            .find(|index| self.is_of_numbers(*index));
        if numbers.is_empty() {
            let is_missing = |index: usize| {
                readings[index] == Reading::Missing && !self.first.cell(index).is_empty()
            };
            let all_missing = readings.iter().all(|reading| *reading == Reading::Missing);
            let some_missing = columns.clone().any(is_missing);
            return Ok(
                !all_missing && (!some_missing || misplaced.is_some() || self.body.is_empty())
            );
        }
        let is_quoted =
            |record: &Record, index: usize| index < record.len() && record.is_quoted(index);
        let differ = numbers.iter().all(|index| {
            let mut body = self.body.iter();
            is_quoted(self.first, *index)
                && !body.any(|below| is_quoted(below, index + self.offset))
        });
        // One line below is not enough where the quotation marks alone tell.
        let tell = self.body.len() > usize::from(numbers.len() == self.columns);
        if differ && tell || self.counts(&numbers, misplaced.is_some()) {
            return Ok(true);
        }
        match misplaced {
            Some(index) => Err(format!(
                "line {}, column {}: {}, but other cells of this line are (if they name the columns, \
                 put them in quotation marks)",
                self.first.line,
                index + 1,
                why_not(self.first.cell(index))
            )),
            None => Ok(false),
        }
    }

    /// The cells of a column below the first record.
    fn below(&self, index: usize) -> impl Iterator<Item = &str> {
        let index = index + self.offset;
        let body = self.body.iter().filter(move |record| index < record.len());
        body.map(move |record| record.cell(index))
    }

    fn is_of_numbers(&self, index: usize) -> bool {
        let mut readings = self.below(index).map(|cell| number::read(cell, self.comma));
        let mut some = false;
        let all = readings.all(|reading| {
            some |= matches!(reading, Reading::Number(_));
            reading != Reading::Other
        });
        all && some
    }

    /// Whether the numbers of the first record count the columns: 0, 1, 2, ... as pandas names them,
    /// or years in a row; and what is below does not look the same.
    fn counts(&self, numbers: &[usize], beside_a_word: bool) -> bool {
        let values: Option<Vec<u64>> = numbers.iter().map(|i| whole(self.first.cell(*i))).collect();
        let Some(values) =
            values.filter(|values| values.windows(2).all(|two| two[1] == two[0] + 1))
        else {
            return false;
        };
        let (first, n) = (values[0], values.len());
        let are_years = values.iter().all(|value| (1500..2200).contains(value));
        let below = || numbers.iter().flat_map(|index| self.below(*index));
        let numbers_below = || {
            below()
                .filter_map(|cell| cell.parse::<f64>().ok())
                .filter(|value| value.is_finite())
        };
        if numbers_below().next().is_none() {
            return false;
        }
        let is_whole = |cell: &str| whole(cell.trim_start_matches(['-', '+'])).is_some();
        let no_whole_below = !below().any(|cell| !cell.is_empty() && is_whole(cell));
        let has_others_below = || numbers_below().any(|value| !(0.0..n as f64).contains(&value));
        // 0, 1, 2 above 3, 4, 5 is an array that counts on.
        let counts_on = || numbers_below().next() == Some(n as f64);
        // pandas leaves its index without a name, and counts it too.
        let is_index = |(row, cell): (usize, &str)| cell == row.to_string();
        let has_index = || self.first.cell(0).is_empty() && self.below(0).enumerate().all(is_index);
        match first {
            0 if has_index() => true,
            // A single zero beside words is a value.
            0 if n == 1 && self.columns > 1 => false,
            0 if no_whole_below => true,
            0 if n > 2 => has_others_below() && !counts_on(),
            0 | 1 => beside_a_word && n > 1,
            _ if are_years => {
                no_whole_below
                    || beside_a_word
                    || n > 1 && !numbers_below().any(|value| (1500.0..2200.0).contains(&value))
            }
            _ => false,
        }
    }
}
