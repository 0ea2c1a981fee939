//! NumPy's `.npy` files.

use super::Dataset;

/// What to do about an archive of arrays.
pub(super) const ONE_OF_MANY: &str = "take one array out, for example by \
                                      np.save(\"x.npy\", np.load(\"archive.npz\")[\"x\"])";

/// The points of an array, or what is wrong.
pub(super) fn parse(bytes: &[u8]) -> Result<Dataset, String> {
    let (header, data) = split(bytes)?;
    let number = Number::of(value(header, "descr")?)?;
    let fortran = match value(header, "fortran_order")?.get(..4) {
        Some("True") => true,
        Some("Fals") => false,
        _ => return Err(broken("fortran_order")),
    };
    let (rows, columns) = shape(value(header, "shape")?)?;

    let size = rows
        .checked_mul(columns)
        .and_then(|n| n.checked_mul(number.size));
    let size = size.ok_or_else(|| broken("shape"))?;
    if size == 0 {
        return Err(format!(
            "its shape is ({rows}, {columns}): there are no points in it"
        ));
    }
    if data.len() < size {
        return Err(format!(
            "it ends after {} of {size} bytes of numbers: copy or save it again",
            data.len()
        ));
    }
    if data.len() > size {
        return Err(format!(
            "{} bytes follow the {size} bytes of the array: save one array in each file",
            data.len() - size
        ));
    }
    let values: Vec<f64> = data
        .chunks_exact(number.size)
        .map(|bytes| number.read(bytes))
        .collect();
    let values = match fortran {
        true => transposed(&values, rows, columns),
        false => values,
    };
    Dataset::of(values, columns)
}

/// Column after column to row after row.
fn transposed(values: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    let row = |i: usize| (0..columns).map(move |j| values[j * rows + i]);
    (0..rows).flat_map(row).collect()
}

/// The header, a Python dictionary as text, and the bytes after it.
fn split(bytes: &[u8]) -> Result<(&str, &[u8]), String> {
    if bytes.is_empty() {
        return Err("the file is empty".to_owned());
    }
    if bytes.starts_with(b"PK\x03\x04") {
        return Err(format!("it is an archive: {ONE_OF_MANY}"));
    }
    let Some(rest) = bytes.strip_prefix(b"\x93NUMPY") else {
        return Err(
            "it does not start with \"\\x93NUMPY\", as NumPy's files do: save it with \
                    np.save(path, x), or call `read_csv` if it is text"
                .to_owned(),
        );
    };
    let ended = || "it ends within its header: copy or save it again".to_owned();
    let (version, rest) = rest.split_first_chunk::<2>().ok_or_else(ended)?;
    let (length, rest) = match version[0] {
        1 => {
            let (length, rest) = rest.split_first_chunk().ok_or_else(ended)?;
            (u32::from(u16::from_le_bytes(*length)), rest)
        }
        2 | 3 => {
            let (length, rest) = rest.split_first_chunk().ok_or_else(ended)?;
            (u32::from_le_bytes(*length), rest)
        }
        other => {
            return Err(format!(
                "version {other} of NumPy's format is not known: 1 to 3 are"
            ));
        }
    };
    let (header, data) = rest.split_at_checked(length as usize).ok_or_else(ended)?;
    let header = std::str::from_utf8(header).map_err(|_| broken("text"))?;
    Ok((header, data))
}

/// What follows a key of the header's dictionary.
fn value<'a>(header: &'a str, key: &str) -> Result<&'a str, String> {
    let quoted = |mark: char| header.split_once(&format!("{mark}{key}{mark}"));
    let after = quoted('\'').or_else(|| quoted('"')).and_then(|(_, after)| {
        let after = after.trim_start().strip_prefix(':')?;
        Some(after.trim_start())
    });
    after.ok_or_else(|| broken(key))
}

fn broken(what: &str) -> String {
    format!("its header is damaged ({what}): copy or save it again")
}

/// (N, D) of `(N, D)`, (N, 1) of `(N,)`.
fn shape(value: &str) -> Result<(usize, usize), String> {
    let inner = value
        .strip_prefix('(')
        .and_then(|value| value.split_once(')'));
    let (inner, _) = inner.ok_or_else(|| broken("shape"))?;
    let sizes = inner
        .split(',')
        .map(str::trim)
        .filter(|size| !size.is_empty());
    // Python 2 wrote its long integers as 3L.
    let sizes = sizes.map(|size| size.trim_end_matches('L').parse::<usize>());
    let sizes: Vec<usize> = sizes
        .collect::<Result<_, _>>()
        .map_err(|_| broken("shape"))?;
    match sizes[..] {
        [] => Err("it is a single number, but (N, D) or (N,) is needed: save an array".to_owned()),
        [rows] => Ok((rows, 1)),
        [rows, columns] => Ok((rows, columns)),
        _ => Err(format!(
            "its shape is ({inner}), but (N, D) or (N,) is needed: save x.reshape(len(x), -1)"
        )),
    }
}

/// A floating-point number as the file has it.
struct Number {
    size: usize,
    big_endian: bool,
}

impl Number {
    fn of(value: &str) -> Result<Self, String> {
        let change = "save x.astype(\"float64\")";
        let mark = value
            .chars()
            .next()
            .filter(|mark| matches!(mark, '\'' | '"'));
        let Some((dtype, _)) = mark.and_then(|mark| value[1..].split_once(mark)) else {
            let change = "save np.column_stack([x[\"a\"], x[\"b\"]]) of its fields";
            return Err(match value.starts_with('[') {
                true => format!("its type is a record of fields, not a number: {change}"),
                false => broken("descr"),
            });
        };
        let (big_endian, size) = match dtype {
            "<f4" => (false, 4),
            "<f8" => (false, 8),
            ">f4" => (true, 4),
            ">f8" => (true, 8),
            _ => {
                let dtype: String = dtype.chars().take(40).collect();
                let needed = "but float32 or float64 (f4, f8) is needed";
                return Err(format!("its type is {dtype:?}, {needed}: {change}"));
            }
        };
        Ok(Self { size, big_endian })
    }

    fn read(&self, bytes: &[u8]) -> f64 {
        let single = |bytes: [u8; 4]| match self.big_endian {
            true => f32::from_be_bytes(bytes),
            false => f32::from_le_bytes(bytes),
        };
        let double = |bytes: [u8; 8]| match self.big_endian {
            true => f64::from_be_bytes(bytes),
            false => f64::from_le_bytes(bytes),
        };
        // The bytes are cut to this size: one of the two fits.
        match (bytes.try_into(), bytes.try_into()) {
            (Ok(bytes), _) => f64::from(single(bytes)),
            (_, Ok(bytes)) => double(bytes),
            _ => f64::NAN,
        }
    }
}

#[cfg(test)]
#[path = "npy_tests.rs"]
pub(super) mod tests;
