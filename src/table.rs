//! Rows of a CSV file.

/// A table with a header, whose fields are written as they are shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(header: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            header: header.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// The table as RFC 4180 has it, with a line feed behind each row.
    pub(crate) fn csv(&self) -> String {
        let line = |row: &Vec<String>| {
            let fields: Vec<String> = row.iter().map(|field| quoted(field)).collect();
            fields.join(",") + "\n"
        };
        std::iter::once(&self.header)
            .chain(&self.rows)
            .map(line)
            .collect()
    }
}

/// A number as a field: nothing where it is none.
pub(crate) fn number(value: f64) -> String {
    match value.is_finite() {
        true => value.to_string(),
        false => String::new(),
    }
}

fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
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
}
