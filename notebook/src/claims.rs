//! What a notebook claims, checked where it is claimed.

use super::output::{self, debug_text};
use serde_json::{Map, Value, json};
use std::fmt;
use std::ops::RangeInclusive;

/// The figures that a notebook claims, each with the range that it must lie in.
///
/// # Examples
/// ```
/// use evcxr_notebook::Claims;
///
/// let mut claims = Claims::new("quick", 0);
/// claims.within("demo.pi", 3.1416, 3.14..=3.15);
/// claims.holds("demo.ordered", 1.0 < 2.0);
/// claims.check()?; // prints the table, and the line `claims {"demo.pi":3.1416,...}`
///
/// claims.within("demo.e", 3.1, 2.71..=2.72);
/// assert!(claims.check().is_err());
/// # Ok::<(), evcxr_notebook::FailedClaims>(())
/// ```
#[derive(Clone, Debug)]
pub struct Claims {
    values: Map<String, Value>,
    lines: Vec<String>,
    rows: Vec<[String; 4]>,
    failures: Vec<String>,
}

impl Claims {
    /// No claims yet, for a run of this size (its preset's name) and seed.
    pub fn new(preset: impl fmt::Display, seed: u64) -> Self {
        let mut values = Map::new();
        values.insert("preset".into(), json!(preset.to_string()));
        values.insert("seed".into(), json!(seed));
        Self {
            values,
            lines: Vec::new(),
            rows: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Claims that `value` lies in `range`.
    pub fn within(&mut self, name: &str, value: f64, range: RangeInclusive<f64>) {
        let accepted = format!(
            "[{}, {}]",
            significant(*range.start()),
            significant(*range.end())
        );
        let (shown, verdict) = (significant(value), Some(range.contains(&value)));
        self.add(name, json!(value), &shown, &accepted, verdict);
    }

    /// A value of which nothing is claimed: it stands in the table and in the line for others to read.
    ///
    /// # Examples
    /// ```
    /// use evcxr_notebook::Claims;
    ///
    /// let mut claims = Claims::new("quick", 0);
    /// claims.report("demo.seconds", 12.5);
    /// claims.report("demo.loss", f64::NAN); // null in the line, as JSON has no other word for it
    /// claims.check()?;
    /// # Ok::<(), evcxr_notebook::FailedClaims>(())
    /// ```
    pub fn report(&mut self, name: &str, value: f64) {
        self.add(name, json!(value), &significant(value), "", None);
    }

    /// Claims that something is true.
    pub fn holds(&mut self, name: &str, value: bool) {
        self.add(name, json!(value), &value.to_string(), "true", Some(value));
    }

    /// Adds a row, with a verdict where something is claimed.
    fn add(
        &mut self,
        name: &str,
        value: Value,
        shown: &str,
        accepted: &str,
        verdict: Option<bool>,
    ) {
        let word = match verdict {
            None => "",
            Some(true) => "ok",
            Some(false) => "FAILED",
        };
        let row = format!("{name:<38} {shown:>12}   {accepted:<20} {word}");
        self.lines.push(row.trim_end().to_owned());
        let value_field = match value.as_f64() {
            Some(value) => value.to_string(),
            None if value.is_null() => String::new(),
            None => value.to_string(),
        };
        let fields = [name, &value_field, accepted, word];
        self.rows.push(fields.map(str::to_owned));
        self.values.insert(name.to_owned(), value);
        if verdict == Some(false) {
            self.failures
                .push(format!("{name} = {shown} is not in {accepted}"));
        }
    }

    /// All values by their names.
    pub fn json(&self) -> Value {
        Value::Object(self.values.clone())
    }

    /// A row for each claim: name, value (empty where it is no number), what is accepted, verdict.
    pub fn rows(&self) -> &[[String; 4]] {
        &self.rows
    }

    /// Prints the claims, as a table and as one line `claims {json}`.
    ///
    /// # Errors
    /// If one of them failed, with its value and range.
    pub fn check(&self) -> Result<(), FailedClaims> {
        let head = format!(
            "{:<38} {:>12}   {:<20} verdict",
            "claim", "value", "accepted"
        );
        let rows = self.lines.iter().map(String::as_str);
        std::iter::once(head.as_str())
            .chain(rows)
            .for_each(output::line);
        output::line(&format!("claims {}", self.json()));
        if self.failures.is_empty() {
            Ok(())
        } else {
            Err(FailedClaims(self.failures.clone()))
        }
    }
}

/// The claims that failed, a sentence each.
#[derive(Clone, PartialEq)]
pub struct FailedClaims(pub Vec<String>);

impl fmt::Display for FailedClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, all) = (self.0.len(), self.0.join("; "));
        write!(f, "{count} of the notebook's claims failed: {all}")
    }
}

/// The same sentence.
impl fmt::Debug for FailedClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_text(self, f)
    }
}

impl std::error::Error for FailedClaims {}

/// Six significant digits.
fn significant(value: f64) -> String {
    if value != 0.0 && !(1e-3..1e5).contains(&value.abs()) {
        return format!("{value:.5e}");
    }
    let digits = if value == 0.0 {
        0
    } else {
        value.abs().log10().floor() as i32
    };
    let text = format!("{value:.*}", (5 - digits).max(0) as usize);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_claims_name_value_and_range() {
        let mut claims = Claims::new("smoke", 3);
        claims.within("a", f64::NAN, 0.0..=1.0);
        claims.within("b", 2.0, 0.0..=1.0);
        let message = claims.check().unwrap_err().to_string();
        assert!(
            message.starts_with("2 of the notebook's claims failed"),
            "{message}"
        );
        assert!(message.contains("b = 2 is not in [0, 1]"), "{message}");
    }

    #[test]
    fn reported_values_cannot_fail() {
        let mut claims = Claims::new("smoke", 3);
        claims.report("a", f64::NAN);
        claims.report("b", f64::INFINITY);
        claims.report("c", 0.5);
        assert!(claims.check().is_ok());
        let line = Value::Object(claims.values).to_string();
        assert_eq!(
            line,
            r#"{"a":null,"b":null,"c":0.5,"preset":"smoke","seed":3}"#
        );
    }

    #[test]
    fn numbers_are_short() {
        let shown = [0.0, 0.74, 1.0378e-5, 12345.678, 1234567.0].map(significant);
        assert_eq!(shown, ["0", "0.74", "1.03780e-5", "12345.7", "1.23457e6"]);
    }
}
