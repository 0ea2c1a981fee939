//! A cell of a table as a number.

/// What a cell says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Reading {
    /// A finite number.
    Number(f64),
    Missing,
    Other,
}

/// What a comma in a number means, throughout a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comma {
    /// Nothing: such a cell is no number.
    None,
    /// `1.234,5` is 1234.5.
    Decimals,
    /// `1,234.5` is 1234.5.
    Thousands,
}

/// Beside these, whatever is a NaN as Rust reads it: `nan`, `NaN`, `-NaN` and so on.
const MISSING: [&str; 19] = [
    "", "NA", "N/A", "n/a", "na", "<NA>", "#N/A", "#N/A N/A", "#NA", "NULL", "null", "Null",
    "None", "?", ".", "-", "--", "1.#QNAN", "-1.#IND",
];

/// A cell without spaces around it.
pub(super) fn read(cell: &str, comma: Comma) -> Reading {
    match cell.parse::<f64>() {
        // A point where commas begin the decimals may be meant for thousands.
        Ok(_) if comma == Comma::Decimals && cell.contains('.') => Reading::Other,
        Ok(value) if value.is_finite() && !loses_digits(cell, value) => Reading::Number(value),
        Ok(value) if value.is_nan() => Reading::Missing,
        Ok(_) => Reading::Other,
        Err(_) if MISSING.contains(&cell) => Reading::Missing,
        Err(_) => {
            let value = match comma {
                Comma::Decimals => with_decimal_comma(cell),
                Comma::Thousands => with_thousands(cell),
                Comma::None => None,
            };
            let value = value
                .or_else(|| unusual(cell))
                .filter(|value| value.is_finite());
            value.map_or(Reading::Other, Reading::Number)
        }
    }
}

/// Whether a whole number has digits that double precision has not: numbers of rows in data bases.
fn loses_digits(cell: &str, value: f64) -> bool {
    const SURE: usize = 15;
    if cell.len() <= SURE {
        return false;
    }
    let digits = cell.trim_start_matches(['+', '-']).trim_start_matches('0');
    let are_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    // The fewest digits that tell the number, or all that it has, as C writes 2^74.
    let written = || [value.abs().to_string(), format!("{:.0}", value.abs())];
    are_digits && digits.len() > SURE && !written().iter().any(|written| written == digits)
}

/// Fortran's exponents, `1.0D+00`, and the minus sign of typesetters, `−1`.
fn unusual(cell: &str) -> Option<f64> {
    if let Some(rest) = cell.strip_prefix('\u{2212}') {
        return rest
            .starts_with(|c: char| c.is_ascii_digit() || c == '.')
            .then(|| rest.parse().ok())?
            .map(|value: f64| -value);
    }
    let (mantissa, exponent) = cell.split_once(['D', 'd'])?;
    // Digits before: a word is no number.
    let is_mantissa = mantissa.ends_with(|c: char| c.is_ascii_digit() || c == '.');
    is_mantissa.then(|| format!("{mantissa}e{exponent}").parse().ok())?
}

/// `2,5`, `-1.234,5`, `1,5e3`.
fn with_decimal_comma(cell: &str) -> Option<f64> {
    let (whole, decimals) = cell.split_once(',')?;
    let whole = match whole.contains('.') {
        true => without_groups(whole, '.')?,
        false => whole.to_owned(),
    };
    let are_digits = decimals.starts_with(|c: char| c.is_ascii_digit());
    let is_plain =
        are_digits && whole.ends_with(|c: char| c.is_ascii_digit()) && !decimals.contains('.');
    is_plain.then(|| format!("{whole}.{decimals}").parse().ok())?
}

/// `1,200`, `-1,234,567.5`.
fn with_thousands(cell: &str) -> Option<f64> {
    let (whole, decimals) = match cell.find('.') {
        Some(at) => cell.split_at(at),
        None => (cell, ""),
    };
    format!("{}{decimals}", without_groups(whole, ',')?)
        .parse()
        .ok()
}

/// 1234567 of 1,234,567.
fn without_groups(whole: &str, mark: char) -> Option<String> {
    let unsigned = whole.trim_start_matches(['+', '-']);
    let mut groups = unsigned.split(mark);
    let first = groups.next()?;
    let are_digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    let first_fits = matches!(first.len(), 1..=3) && !first.starts_with('0') && are_digits(first);
    let fits = first_fits
        && unsigned.contains(mark)
        && groups.all(|group| group.len() == 3 && are_digits(group));
    fits.then(|| whole.replace(mark, ""))
}

impl Comma {
    /// What commas mean in these cells, if it is certain.
    ///
    /// `2,5` has a decimal comma, `1,234,567` and `1,234.5` have thousands. `1,234` can be either: it
    /// is what the other cells say, and thousands where some have a decimal point.
    pub(super) fn of<'a>(cells: impl Iterator<Item = &'a str>) -> Self {
        let (mut points, mut decimals, mut thousands, mut either) = (false, false, false, false);
        for cell in cells {
            match (with_decimal_comma(cell), with_thousands(cell)) {
                (Some(_), None) => decimals = true,
                (None, Some(_)) => thousands = true,
                (Some(_), Some(_)) => either = true,
                (None, None) => points |= cell.contains('.') && cell.parse::<f64>().is_ok(),
            }
        }
        match (decimals, thousands || either && points) {
            (true, false) if !points => Comma::Decimals,
            (false, true) => Comma::Thousands,
            _ => Comma::None,
        }
    }
}

/// Two whole numbers around a comma: also one number with a decimal comma.
pub(super) fn is_pair(left: &str, right: &str) -> bool {
    let is_whole = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_whole(left.strip_prefix('-').unwrap_or(left)) && is_whole(right)
}

/// Why a cell is no number, and what to write.
pub(super) fn why_not(cell: &str) -> String {
    let hint = hint(cell).unwrap_or_default();
    format!("{} is not a number{hint}", quoted(cell))
}

/// What to write in the place of a cell that is nearly a number.
pub(super) fn hint(cell: &str) -> Option<String> {
    if cell.parse::<f64>().is_ok_and(f64::is_infinite) {
        return Some(" that is finite: leave the line out, or write NA".to_owned());
    }
    if cell.parse().is_ok_and(|value| loses_digits(cell, value)) {
        let reason =
            ", as it has more digits than double precision holds: leave some out, or the column";
        return Some(reason.to_owned());
    }
    match (with_decimal_comma(cell), with_thousands(cell)) {
        (Some(decimal), Some(whole)) => Some(format!(
            ", as its comma may begin decimals or group thousands: write {decimal} or {whole}"
        )),
        (Some(value), None) => Some(format!(": write {value}, with a decimal point")),
        (None, Some(value)) => Some(format!(": write {value}, without commas")),
        (None, None) => None,
    }
}

/// The beginning of a cell in quotation marks.
pub(super) fn quoted(cell: &str) -> String {
    match cell.char_indices().nth(40) {
        Some((end, _)) => format!("{:?}...", &cell[..end]),
        None => format!("{cell:?}"),
    }
}
