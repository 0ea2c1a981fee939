//! Parquet files.

use super::csv::{self, Column};
use super::dataset::Dataset;
use super::layout::distinct;
use super::npy::half;
use super::number::Reading;
use parquet::basic::{Compression, ConvertedType, LogicalType, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArrayType, DataType};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;
use std::path::Path;

/// So many values of a column are unpacked at once.
const BATCH: usize = 1 << 13;

/// The table of a file, with NaN for a missing value, or what is wrong.
pub(super) fn parse(path: &Path) -> Result<Dataset, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    // It panics on some damaged files.
    let table = std::panic::catch_unwind(|| table(file));
    table.unwrap_or_else(|_| Err("it is no complete Parquet file".to_owned()))
}

fn table(file: std::fs::File) -> Result<Dataset, String> {
    let reader = SerializedFileReader::new(file).map_err(broken)?;
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let described = schema.columns();
    let kinds: Vec<Kind> = described
        .iter()
        .map(|column| Kind::of(column))
        .collect::<Result<_, _>>()?;
    let mut columns: Vec<Column> = kinds.iter().map(|_| Column::default()).collect();
    let mut values = Vec::new();
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).map_err(broken)?;
        push(group.as_ref(), &kinds, &mut columns, &mut values)?;
    }
    let paths: Vec<String> = described
        .iter()
        .map(|column| column.path().string())
        .collect();
    let names = distinct(paths.iter().map(String::as_str));
    csv::dataset(values, columns, Some(names), "row")
}

fn broken(error: ParquetError) -> String {
    format!("it is no complete Parquet file ({error})")
}

/// Adds a group of rows, whose columns lie one after the other.
fn push(
    group: &dyn RowGroupReader,
    kinds: &[Kind],
    columns: &mut [Column],
    values: &mut Vec<f64>,
) -> Result<(), String> {
    let before = values.len() / kinds.len().max(1);
    let mut parts = Vec::with_capacity(kinds.len());
    for (index, kind) in kinds.iter().enumerate() {
        let metadata = group.metadata().column(index);
        let name = metadata.column_path().string();
        check_packed(metadata.compression(), &name)?;
        let reader = group.get_column_reader(index).map_err(broken)?;
        let levels = metadata.column_descr().max_def_level();
        let column = &mut columns[index];
        let part = kind.read(reader, levels, |text, row| {
            column.take(text, Reading::Other, before + row)
        });
        parts.push(part.map_err(|reason| format!("column {name:?}: {reason}"))?);
    }
    let rows = parts.first().map_or(0, Vec::len);
    if parts.iter().any(|part| part.len() != rows) {
        return Err("its columns have different lengths: save it once more".to_owned());
    }
    let reserved = values.try_reserve(rows * kinds.len());
    reserved.map_err(|_| "there is no memory for its values".to_owned())?;
    for row in 0..rows {
        values.extend(parts.iter().map(|part| part[row]));
    }
    Ok(())
}

fn check_packed(compression: Compression, name: &str) -> Result<(), String> {
    match compression {
        Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::GZIP(_) => Ok(()),
        other => {
            // Without its level.
            let packer = format!("{other:?}");
            Err(format!(
                "column {name:?} is packed by {}, and only Snappy and gzip are read: save it by \
                 to_parquet(path, compression=\"snappy\")",
                packer.split('(').next().unwrap_or(&packer)
            ))
        }
    }
}

/// What a column's values are.
#[derive(Clone, Copy)]
enum Kind {
    /// A float, a bool or a signed integer, as the file has it.
    Plain,
    Unsigned,
    /// A whole number of these parts of ten.
    Decimal(i32),
    Half,
    Text,
}

impl Kind {
    fn of(column: &ColumnDescriptor) -> Result<Self, String> {
        let (logical, converted) = (column.logical_type_ref(), column.converted_type());
        let is_decimal = converted == ConvertedType::DECIMAL;
        let is_text = matches!(
            converted,
            ConvertedType::NONE | ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON
        );
        let name = || column.path().string();
        match (column.physical_type(), logical) {
            _ if column.max_rep_level() > 0 => Err(format!(
                "column {:?} holds lists: save the table without it, or with a column for each number",
                column.path().parts()[0]
            )),
            (_, Some(LogicalType::Decimal(decimal))) => Ok(Self::Decimal(decimal.scale)),
            (Type::INT96, _) => Err(format!(
                "column {:?} holds times as INT96: save them with \
                 to_parquet(path, use_deprecated_int96_timestamps=False)",
                name()
            )),
            (Type::BOOLEAN | Type::FLOAT | Type::DOUBLE, _) => Ok(Self::Plain),
            _ if is_decimal => Ok(Self::Decimal(column.type_scale())),
            (Type::INT32 | Type::INT64, Some(LogicalType::Integer(kind))) if !kind.is_signed => {
                Ok(Self::Unsigned)
            }
            (Type::INT32 | Type::INT64, _) => Ok(match converted {
                ConvertedType::UINT_8
                | ConvertedType::UINT_16
                | ConvertedType::UINT_32
                | ConvertedType::UINT_64 => Self::Unsigned,
                _ => Self::Plain,
            }),
            (Type::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Float16)) => Ok(Self::Half),
            (
                Type::BYTE_ARRAY,
                None | Some(LogicalType::String | LogicalType::Enum | LogicalType::Json),
            ) if is_text => Ok(Self::Text),
            (physical, logical) => {
                let kind = logical.map_or(format!("{physical:?}"), |kind| format!("{kind:?}"));
                Err(format!(
                    "column {:?} is of type {kind}, neither numbers nor text: save the table without it",
                    name()
                ))
            }
        }
    }

    /// The values of a column, texts as `take` numbers them by the row, from 1.
    fn read(
        self,
        reader: ColumnReader,
        levels: i16,
        take: impl FnMut(&str, usize) -> f64,
    ) -> Result<Vec<f64>, String> {
        match reader {
            ColumnReader::BoolColumnReader(reader) => {
                numbers(reader, levels, |value| f64::from(u8::from(*value)))
            }
            ColumnReader::Int32ColumnReader(reader) => numbers(reader, levels, |value| {
                self.of_whole(i64::from(*value), u64::from(value.cast_unsigned()))
            }),
            ColumnReader::Int64ColumnReader(reader) => numbers(reader, levels, |value| {
                self.of_whole(*value, value.cast_unsigned())
            }),
            ColumnReader::FloatColumnReader(reader) => {
                numbers(reader, levels, |value| f64::from(*value))
            }
            ColumnReader::DoubleColumnReader(reader) => numbers(reader, levels, |value| *value),
            ColumnReader::ByteArrayColumnReader(reader) => match self {
                Self::Text => texts(reader, levels, take),
                _ => numbers(reader, levels, |value| self.of_bytes(value.data())),
            },
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                numbers(reader, levels, |value| self.of_bytes(value.data()))
            }
            ColumnReader::Int96ColumnReader(_) => Err("times as INT96 are not read".to_owned()),
        }
    }

    fn of_whole(self, signed: i64, unsigned: u64) -> f64 {
        match self {
            Self::Unsigned => unsigned as f64,
            Self::Decimal(scale) => signed as f64 / 10f64.powi(scale),
            _ => signed as f64,
        }
    }

    /// A half, its lowest byte first, or a decimal, its highest byte first.
    fn of_bytes(self, bytes: &[u8]) -> f64 {
        match (self, bytes) {
            (Self::Half, [low, high]) => half(u16::from_le_bytes([*low, *high])),
            (Self::Decimal(scale), [first, ..]) => {
                let sign = if *first > 127 { -1.0 } else { 0.0 };
                let whole = bytes
                    .iter()
                    .fold(sign, |sum, byte| sum * 256.0 + f64::from(*byte));
                whole / 10f64.powi(scale)
            }
            _ => f64::NAN,
        }
    }
}

fn numbers<T: DataType>(
    reader: ColumnReaderImpl<T>,
    levels: i16,
    number: impl Fn(&T::T) -> f64,
) -> Result<Vec<f64>, String> {
    let mut column = Vec::new();
    each(reader, levels, |value| {
        column.push(value.map_or(f64::NAN, &number));
        Ok(())
    })?;
    Ok(column)
}

fn texts(
    reader: ColumnReaderImpl<ByteArrayType>,
    levels: i16,
    mut take: impl FnMut(&str, usize) -> f64,
) -> Result<Vec<f64>, String> {
    let mut column = Vec::new();
    each(reader, levels, |value| {
        let row = column.len() + 1;
        let number = match value.map(|value| std::str::from_utf8(value.data())) {
            None => f64::NAN,
            Some(Ok(text)) => take(text, row),
            Some(Err(_)) => {
                let message = "it holds bytes that are no text in UTF-8: save the table without it";
                return Err(message.to_owned());
            }
        };
        column.push(number);
        Ok(())
    })?;
    Ok(column)
}

/// Goes through the values of a column, nothing where one is missing.
fn each<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    levels: i16,
    mut take: impl FnMut(Option<&T::T>) -> Result<(), String>,
) -> Result<(), String> {
    let (mut values, mut defined) = (Vec::new(), Vec::new());
    loop {
        values.clear();
        defined.clear();
        let read = reader.read_records(BATCH, Some(&mut defined), None, &mut values);
        let (rows, ..) = read.map_err(broken)?;
        if rows == 0 {
            return Ok(());
        }
        let mut known = values.iter();
        for row in 0..rows {
            // A column in which nothing can be missing has no levels.
            let is_known = defined.get(row).is_none_or(|level| *level == levels);
            take(if is_known { known.next() } else { None })?;
        }
    }
}

#[cfg(test)]
#[path = "parquet_tests.rs"]
mod tests;
