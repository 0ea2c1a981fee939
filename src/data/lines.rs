//! The lines of a text, whichever way they end.

use std::io::BufRead;

/// No line may be longer, quoted line breaks included: a file that is no table has no line ends.
pub(super) const LONGEST: usize = 8 << 20;

/// Lines that end in LF, CRLF or CR, without their ends.
pub(super) struct Lines<R> {
    source: R,
    line: Vec<u8>,
    /// Of the line that was read last, from 1.
    number: usize,
    /// The last line ended in CR: an LF that follows belongs to it.
    after_cr: bool,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            line: Vec::new(),
            number: 0,
            after_cr: false,
        }
    }

    /// The next line and its number, or nothing at the end.
    pub(super) fn next(&mut self) -> Result<Option<(usize, &str)>, String> {
        if !self.fill()? {
            return Ok(None);
        }
        self.number += 1;
        let number = self.number;
        let bytes = match number {
            1 => self.line.strip_prefix("\u{feff}".as_bytes()),
            _ => None,
        };
        let line = std::str::from_utf8(bytes.unwrap_or(&self.line)).map_err(|error| {
            format!(
                "line {number} is not text in UTF-8 (byte {}, perhaps Latin-1): save the table as \
                 CSV, UTF-8",
                error.valid_up_to() + 1
            )
        })?;
        // The end of a file, as DOS marked it.
        let line = line.trim_end_matches('\u{1a}');
        match line.contains('\0') {
            true => Err(format!("line {number} has a NUL in it: it is not text")),
            false => Ok(Some((number, line))),
        }
    }

    /// Reads a line; false at the end.
    fn fill(&mut self) -> Result<bool, String> {
        self.line.clear();
        let mut is_begun = false;
        loop {
            let bytes = self.source.fill_buf().map_err(|error| error.to_string())?;
            if bytes.is_empty() {
                return Ok(is_begun);
            }
            if std::mem::take(&mut self.after_cr) && bytes[0] == b'\n' {
                self.source.consume(1);
                continue;
            }
            is_begun = true;
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            self.line.extend(&bytes[..end.unwrap_or(bytes.len())]);
            if self.line.len() > LONGEST {
                return Err(format!(
                    "line {} is longer than {LONGEST} bytes: a table has a line for each point",
                    self.number + 1
                ));
            }
            match end {
                Some(end) => {
                    self.after_cr = bytes[end] == b'\r';
                    self.source.consume(end + 1);
                    return Ok(true);
                }
                None => {
                    let all = bytes.len();
                    self.source.consume(all);
                }
            }
        }
    }
}

/// A character within a line that ends lines elsewhere, and its name.
pub(super) fn foreign_end(text: &str) -> Option<String> {
    let suspicious = |byte: u8| matches!(byte, 0x0b | 0x0c | 0x1c..=0x1e | 0x85 | 0xa8 | 0xa9);
    if !text.bytes().any(suspicious) {
        return None;
    }
    text.chars().find_map(|c| {
        let name = match c {
            '\u{b}' => "a vertical tab",
            '\u{c}' => "a form feed",
            '\u{1c}'..='\u{1e}' => "a separator of records",
            '\u{85}' => "a \"next line\"",
            '\u{2028}' => "a line separator",
            '\u{2029}' => "a paragraph separator",
            _ => return None,
        };
        Some(format!("{name} (U+{:04X})", u32::from(c)))
    })
}
