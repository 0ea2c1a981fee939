use super::super::read::tests::values;
use super::*;
use crate::{Error, rng};
use parquet::basic::GzipLevel;
use parquet::data_type::{
    BoolType, ByteArray, DoubleType, FixedLenByteArray, FixedLenByteArrayType, FloatType,
    Int32Type, Int64Type,
};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use rand::RngExt;
use std::sync::Arc;

type Writer<'a> = SerializedRowGroupWriter<'a, Vec<u8>>;

/// A file of these columns, in groups of rows.
fn written(schema: &str, compression: Compression, groups: &[&dyn Fn(&mut Writer<'_>)]) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    for group in groups {
        let mut rows = writer.next_row_group().unwrap();
        group(&mut rows);
        rows.close().unwrap();
    }
    writer.into_inner().unwrap()
}

/// The next column, with a level for each row where values can be missing.
fn column<T: DataType>(writer: &mut Writer<'_>, values: &[T::T], levels: Option<&[i16]>) {
    let mut column = writer.next_column().unwrap().unwrap();
    let typed = column.typed::<T>();
    typed.write_batch(values, levels, None).unwrap();
    column.close().unwrap();
}

fn texts_of(words: &[&str]) -> Vec<ByteArray> {
    words.iter().map(|word| ByteArray::from(*word)).collect()
}

fn read(bytes: &[u8]) -> Result<Dataset, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.parquet");
    std::fs::write(&path, bytes).unwrap();
    Dataset::read(&path)
}

fn message(bytes: &[u8]) -> String {
    read(bytes).unwrap_err().to_string()
}

const PENGUINS: &str = "message table {
    optional double bill; optional int32 year; required boolean is_male;
    optional binary species (UTF8); }";

fn penguins(compression: Compression) -> Vec<u8> {
    let first = |rows: &mut Writer<'_>| {
        column::<DoubleType>(rows, &[39.1, f64::NAN], Some(&[1, 0, 1]));
        column::<Int32Type>(rows, &[2007, -8, 2009], Some(&[1, 1, 1]));
        column::<BoolType>(rows, &[true, false, true], None);
        let species = texts_of(&["Adelie", "Gentoo"]);
        column::<ByteArrayType>(rows, &species, Some(&[1, 0, 1]));
    };
    let second = |rows: &mut Writer<'_>| {
        column::<DoubleType>(rows, &[50.5], Some(&[1]));
        column::<Int32Type>(rows, &[], Some(&[0]));
        column::<BoolType>(rows, &[false], None);
        column::<ByteArrayType>(rows, &texts_of(&["Adelie"]), Some(&[1]));
    };
    written(PENGUINS, compression, &[&first, &second])
}

#[test]
fn numbers_texts_and_nulls_are_read() {
    let packed = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
    ];
    for compression in packed {
        let data = read(&penguins(compression)).unwrap();
        assert_eq!(
            format!("{data}"),
            "Dataset of shape (4, 4): bill, year, is_male, species; text in column \"species\"; 3 of 4 \
             rows have missing values (2 in \"bill\", 1 in \"year\", 1 in \"species\")"
        );
        assert_eq!(
            data.texts("species").unwrap(),
            ["Adelie", "", "Gentoo", "Adelie"]
        );
        assert_eq!(data.texts("year").unwrap(), ["2007", "-8", "2009", ""]);
        let numbers = data.columns(&["is_male", "bill"]).unwrap();
        assert_eq!(
            values(&numbers.drop_missing().unwrap()),
            [1.0, 39.1, 0.0, 50.5]
        );
        let error = data.points().unwrap_err().to_string();
        assert!(
            error.contains("text, not numbers, in column \"species\" (\"Adelie\" in row 1)"),
            "{error}"
        );
    }
}

#[test]
fn every_kind_of_number_is_read() {
    let schema = "message table {
        required float single; required int64 large; required int32 natural (INTEGER(32, false));
        required int64 wide (INTEGER(64, false)); required int32 price (DECIMAL(9, 2));
        required fixed_len_byte_array (3) cost (DECIMAL(6, 3));
        required fixed_len_byte_array (2) half (FLOAT16); required int32 day (DATE);
        required group place { required double x; } }";
    let fixed = |bytes: &[u8]| FixedLenByteArray::from(bytes.to_vec());
    let rows = |rows: &mut Writer<'_>| {
        column::<FloatType>(rows, &[0.5, -1.5], None);
        column::<Int64Type>(rows, &[-(1 << 53), 1 << 40], None);
        column::<Int32Type>(rows, &[-1, 7], None);
        column::<Int64Type>(rows, &[-1, 7], None);
        column::<Int32Type>(rows, &[1234, -5], None);
        // 70000 and -2 in 24 bits.
        let costs = [fixed(&[0x01, 0x11, 0x70]), fixed(&[0xff, 0xff, 0xfe])];
        column::<FixedLenByteArrayType>(rows, &costs, None);
        let halves = [fixed(&[0x00, 0x3c]), fixed(&[0x00, 0xc1])];
        column::<FixedLenByteArrayType>(rows, &halves, None);
        column::<Int32Type>(rows, &[0, 20_000], None);
        column::<DoubleType>(rows, &[1e300, -0.1], None);
    };
    let data = read(&written(schema, Compression::SNAPPY, &[&rows])).unwrap();
    assert_eq!(data.names().unwrap().last().unwrap(), "place.x");
    let first = [
        0.5,
        -9_007_199_254_740_992.0,
        4_294_967_295.0,
        18_446_744_073_709_551_615.0,
        12.34,
        70.0,
        1.0,
        0.0,
        1e300,
    ];
    let second = [
        -1.5,
        1_099_511_627_776.0,
        7.0,
        7.0,
        -0.05,
        -0.002,
        -2.5,
        20_000.0,
        -0.1,
    ];
    assert_eq!(values(&data), [first, second].concat());
}

/// More than is unpacked at once.
#[test]
fn many_rows_come_in_their_order() {
    let n = 3 * BATCH as i64 + 5;
    let numbers: Vec<i64> = (0..n).collect();
    let known: Vec<i64> = (0..n).filter(|i| i % 3 > 0).collect();
    let levels: Vec<i16> = (0..n).map(|i| i16::from(i % 3 > 0)).collect();
    let rows = |rows: &mut Writer<'_>| {
        column::<Int64Type>(rows, &numbers, None);
        column::<Int64Type>(rows, &known, Some(&levels));
    };
    let schema = "message table { required int64 a; optional int64 b; }";
    let data = read(&written(schema, Compression::SNAPPY, &[&rows, &rows])).unwrap();
    assert_eq!(data.len() as i64, 2 * n);
    for (at, row) in data.raw_rows().enumerate() {
        let i = at as i64 % n;
        assert_eq!(row[0], i as f64);
        assert!(if i % 3 > 0 {
            row[1] == i as f64
        } else {
            row[1].is_nan()
        });
    }
}

#[test]
fn what_is_no_table_of_numbers_and_text_is_an_error() {
    let one = |schema: &str, rows: &dyn Fn(&mut Writer<'_>)| {
        message(&written(schema, Compression::SNAPPY, &[rows]))
    };
    let error = one("message table { repeated int32 tags; }", &|rows| {
        let mut column = rows.next_column().unwrap().unwrap();
        let typed = column.typed::<Int32Type>();
        typed
            .write_batch(&[1, 2], Some(&[1, 1]), Some(&[0, 1]))
            .unwrap();
        column.close().unwrap();
    });
    assert!(
        error.contains("column \"tags\" holds lists: save the table without it"),
        "{error}"
    );
    let error = one("message table { required binary raw; }", &|rows| {
        column::<ByteArrayType>(rows, &[ByteArray::from(vec![0xff, 0])], None);
    });
    assert!(
        error.contains("column \"raw\": it holds bytes that are no text in UTF-8"),
        "{error}"
    );
    let error = one(
        "message table { required fixed_len_byte_array (16) id (UUID); }",
        &|rows| {
            let id = FixedLenByteArray::from(vec![7; 16]);
            column::<FixedLenByteArrayType>(rows, &[id], None);
        },
    );
    assert!(
        error.contains("column \"id\" is of type Uuid, neither numbers nor text"),
        "{error}"
    );
    let error = one("message table { required double x; }", &|rows| {
        column::<DoubleType>(rows, &[1.0, f64::INFINITY], None);
    });
    assert!(
        error.contains("the value at [1, 0] (row and column, from 0) is inf"),
        "{error}"
    );
    let error = one("message table { required double x; }", &|rows| {
        column::<DoubleType>(rows, &[], None);
    });
    assert!(error.contains("there are no points"), "{error}");
    let error = message(&written(
        "message table { required double x; }",
        Compression::SNAPPY,
        &[],
    ));
    assert!(error.contains("there are no points"), "{error}");
    let other = check_packed(Compression::ZSTD(Default::default()), "x").unwrap_err();
    assert!(
        other.contains("column \"x\" is packed by ZSTD, and only Snappy")
            && other.contains("compression=\"snappy\""),
        "{other}"
    );

    assert!(message(b"a,b\n1,2\n").contains("it does not start with \"PAR1\""));
    assert!(message(b"PK\x03\x04").contains("it is a zip archive"));
    assert!(message(b"PAR1\x15\xff").contains("it is no complete Parquet file ("));
    let whole = penguins(Compression::SNAPPY);
    assert!(message(&whole[..whole.len() - 9]).contains("it is no complete Parquet file ("));
}

/// Whatever bytes are changed: an error, or a table.
#[test]
fn no_damage_makes_the_reader_panic() {
    let mut rng = rng(11);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.parquet");
    for round in 0..4000 {
        let mut bytes = penguins(match round % 2 {
            0 => Compression::UNCOMPRESSED,
            _ => Compression::SNAPPY,
        });
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(4..bytes.len() - 8);
            bytes[at] = rng.random();
        }
        std::fs::write(&path, &bytes).unwrap();
        if let Ok(data) = parse(&path) {
            assert_eq!(data.raw_rows().count(), data.len());
            let _ = (format!("{data:?}"), data.standardised(), data.points());
        }
    }
}
