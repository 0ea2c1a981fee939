//! NumPy's `.npy` files.

use super::dataset::Dataset;

/// What to do about an archive of arrays.
pub(super) const ONE_OF_MANY: &str = "take one array out, for example by \
                                      np.save(\"x.npy\", np.load(\"archive.npz\")[\"x\"])";

/// The points of an array, with NaN for a missing value, or what is wrong.
pub(super) fn parse(bytes: &[u8]) -> Result<Dataset, String> {
    let (header, data) = split(bytes)?;
    let number = Format::of(value(header, "descr")?)?;
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

/// A number as the file has it.
struct Format {
    kind: Kind,
    size: usize,
    is_big_endian: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    Float,
    Signed,
    /// A bool too: 0 or 1.
    Unsigned,
}

impl Format {
    fn of(value: &str) -> Result<Self, String> {
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
        let order = dtype.chars().next().filter(|order| "<>|=".contains(*order));
        let (kind, size) = match dtype.trim_start_matches(['<', '>', '|', '=']) {
            "f2" => (Kind::Float, 2),
            "f4" => (Kind::Float, 4),
            "f8" => (Kind::Float, 8),
            "i1" => (Kind::Signed, 1),
            "i2" => (Kind::Signed, 2),
            "i4" => (Kind::Signed, 4),
            "i8" => (Kind::Signed, 8),
            "b1" | "u1" => (Kind::Unsigned, 1),
            "u2" => (Kind::Unsigned, 2),
            "u4" => (Kind::Unsigned, 4),
            "u8" => (Kind::Unsigned, 8),
            _ => {
                let dtype: String = dtype.chars().take(40).collect();
                let needed = "but a float of 16 to 64 bits, an integer or a bool is needed";
                let change = match dtype.contains('O') {
                    true => "save x.astype(\"float64\"), or a table with text as CSV",
                    false => "save x.astype(\"float64\")",
                };
                return Err(format!("its type is {dtype:?}, {needed}: {change}"));
            }
        };
        Ok(Self {
            kind,
            size,
            is_big_endian: order == Some('>'),
        })
    }

    /// The number of as many bytes as it has.
    fn read(&self, bytes: &[u8]) -> f64 {
        let mut bits = [0; 8];
        for (i, byte) in bytes.iter().enumerate() {
            bits[if self.is_big_endian {
                bytes.len() - 1 - i
            } else {
                i
            }] = *byte;
        }
        let bits = u64::from_le_bytes(bits);
        // The sign is the uppermost of the bytes that there are.
        let unused = 64 - 8 * self.size as u32;
        match self.kind {
            Kind::Unsigned => bits as f64,
            Kind::Signed => (((bits << unused) as i64) >> unused) as f64,
            Kind::Float if self.size == 2 => half(bits as u16),
            Kind::Float if self.size == 4 => f64::from(f32::from_bits(bits as u32)),
            Kind::Float => f64::from_bits(bits),
        }
    }
}

/// A number of 16 bits: one of sign, five of exponent, ten of mantissa.
pub(super) fn half(bits: u16) -> f64 {
    let (exponent, mantissa) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let size = match exponent {
        0 => mantissa * 2f64.powi(-24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + mantissa) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -size } else { size }
}

#[cfg(test)]
#[path = "npy_tests.rs"]
pub(super) mod tests;
