use super::super::csv::tests::csv;
use super::super::npy::tests::{array, doubles};
use super::*;
use crate::rng;
use rand::RngExt;

pub(in crate::data) fn values(data: &Dataset) -> Vec<f64> {
    data.raw_rows().flatten().copied().collect()
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = std::env::temp_dir().join(format!("read-tests-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let message = |result: Result<Dataset, Error>| result.unwrap_err().to_string();
    let missing = folder.join("missing.csv");
    let expected = format!("cannot read {}: there is no such file", missing.display());
    assert_eq!(message(Dataset::read(&missing)), expected);
    assert!(message(Dataset::read("missing.npy")).contains("no such file below /"));
    assert!(message(Dataset::read("missing.xyz")).contains("no such file below /"));
    assert!(message(Dataset::read(&folder)).contains("it is a folder: name a file in it"));
    for (name, expected) in [
        ("sheet.XLSX", "save the sheet as CSV"),
        ("points.npz", "take one array out"),
        ("points", "call `read_csv` or `read_npy`"),
    ] {
        std::fs::write(folder.join(name), "1,2\n").unwrap();
        let error = message(Dataset::read(folder.join(name)));
        assert!(error.contains(name) && error.contains(expected), "{error}");
    }
    for (name, text) in [("points.csv", "x,y\n1\n"), ("points.npy", "x\n")] {
        std::fs::write(folder.join(name), text).unwrap();
        let error = message(Dataset::read(folder.join(name)));
        let start = format!("cannot read {}: ", folder.join(name).display());
        assert!(error.starts_with(&start), "{error}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Every finite number that Rust prints comes back as it was, through text and through bytes.
#[test]
fn numbers_survive_a_round_trip() {
    let mut rng = rng(8);
    let row =
        |rng: &mut crate::Rng| [(); 3].map(|()| f64::from(f32::from_bits(rng.random())) / 3.0);
    let rows: Vec<[f64; 3]> = (0..2000).map(|_| row(&mut rng)).collect();
    let rows: Vec<_> = rows
        .into_iter()
        .filter(|row| row.iter().all(|v| v.is_finite()))
        .collect();
    let data = Dataset::new(&rows)
        .unwrap()
        .with_names(&["a", "b", "c"])
        .unwrap();
    let lines = rows
        .iter()
        .map(|row| row.map(|v| format!("{v:?}")).join(";"));
    let text = format!("a;b;c\n{}", lines.collect::<Vec<_>>().join("\n"));
    assert_eq!(csv(&text).unwrap(), data);
    let shape = format!("({}, 3)", rows.len());
    let bytes = array("'<f8'", "False", &shape, &doubles(&values(&data)));
    assert_eq!(values(&npy::parse(&bytes).unwrap()), values(&data));
}

#[test]
fn packed_files_are_unpacked_up_to_a_limit() {
    let folder = tempfile::tempdir().unwrap();
    let packed = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap()
    };
    let read = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        Dataset::read(&path)
    };
    let message = |name, bytes: &[u8]| read(name, bytes).unwrap_err().to_string();
    let table = packed(b"x,y\n1,2\n3,4\n");
    for name in [
        "points.csv.gz",
        "POINTS.CSV.GZ",
        "points.txt.gz",
        "points.csv",
    ] {
        let data = read(name, &table).unwrap();
        assert_eq!(
            (values(&data), data.names().map(<[_]>::len)),
            (vec![1.0, 2.0, 3.0, 4.0], Some(2))
        );
    }
    // As `cat a.gz b.gz` joins them.
    let joined = [table.clone(), packed(b"5,6\n")].concat();
    assert_eq!(read("joined.csv.gz", &joined).unwrap().len(), 3);
    let array = array("'<f8'", "False", "(2,)", &doubles(&[1.5, 2.5]));
    assert_eq!(
        values(&read("x.npy.gz", &packed(&array)).unwrap()),
        [1.5, 2.5]
    );

    let cut = message("cut.csv.gz", &table[..table.len() - 12]);
    assert!(
        cut.contains("cut.csv.gz: it is no complete gzip file"),
        "{cut}"
    );
    assert!(message("page.csv.gz", &packed(b"<!doctype html>\n")).contains("it is a web page"));
    let archive = message("data.xlsx", b"PK\x03\x04");
    assert!(archive.contains("save the sheet as CSV"), "{archive}");
    assert!(message("data.json", b"[1, 2]").contains("it is JSON"));
    let parquet = message("data.parquet", b"PAR1\x15\xff");
    let expected = match cfg!(feature = "parquet") {
        true => "data.parquet: it is no complete Parquet file",
        false => {
            "it is Parquet, which needs the feature `parquet` of this crate: add `features = ["
        }
    };
    assert!(parquet.contains(expected), "{parquet}");
    let parquet = message("data.parquet.gz", &packed(b"PAR1\x15\xff"));
    assert!(parquet.ends_with(": unpack it first"), "{parquet}");

    // What unpacks to a thousand times its size.
    let word = format!("{}\n", "a".repeat(1000)).repeat(80_000);
    let zeros = vec![0; 80_000_000];
    for (bytes, expected) in [
        (
            word.as_bytes(),
            "it unpacks to more than 100 times its size: unpack it first",
        ),
        (&zeros, "line 1 is longer than"),
    ] {
        let error = message("bomb.csv.gz", &packed(bytes));
        assert!(error.contains(expected), "{error}");
    }
    let error = message("bomb.npy.gz", &packed(&zeros));
    assert!(
        error.contains("it unpacks to more than 100 times its size"),
        "{error}"
    );

    // Long comments before the first row.
    let long = format!("{}x,y\n1,2.5\n", "# a comment\n".repeat(50_000));
    assert_eq!(
        read("long.csv", long.as_bytes()).unwrap().names().unwrap(),
        ["x", "y"]
    );
}

/// A pipe can be read once only.
#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_read_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe.csv");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let writer = std::thread::spawn({
        let path = path.clone();
        move || std::fs::write(path, "id,x\n1,2.5\nA,3.5\n")
    });
    let data = Dataset::read(&path).unwrap();
    writer.join().unwrap().unwrap();
    assert_eq!(data.texts("id").unwrap(), ["1", "A"]);
}

#[test]
fn no_bytes_make_the_parsers_panic() {
    let mut rng = rng(9);
    let table = b"a,b\n1,2\n\"3\",4.5e1\n".to_vec();
    let bytes = array("'<f8'", "True", "(2, 2)", &doubles(&[1.0, 2.0, 3.0, 4.0]));
    let letters = b"0123456789.,;\t\n\r \"'#eE+-_naif()[]{}:\xc3\xa4\x00\xff";
    for round in 0..20_000 {
        // Valid files with a few bytes changed, added or cut, and pure noise.
        let mut input = match round % 3 {
            0 => table.clone(),
            1 => bytes.clone(),
            _ => vec![b' '; rng.random_range(0..60)],
        };
        let changes = if round % 3 == 2 {
            input.len()
        } else {
            rng.random_range(1..5)
        };
        for _ in 0..changes {
            let at = rng.random_range(0..input.len());
            let byte = match rng.random_range(0..4u32) {
                0 => rng.random(),
                _ => letters[rng.random_range(0..letters.len())],
            };
            match rng.random_range(0..8u32) {
                0 => input.insert(at, byte),
                1 if input.len() > at + 1 => input.truncate(at + 1),
                _ => input[at] = byte,
            }
        }
        for data in [csv(&input), npy::parse(&input)].into_iter().flatten() {
            assert_eq!(data.raw_rows().count(), data.len());
            assert!(!values(&data).into_iter().any(f64::is_infinite));
            // What it says of itself and of its use is said without a panic, too.
            let _ = (
                format!("{data:?}"),
                data.standardised(),
                data.drop_missing(),
                data.fill_missing_with_means(),
            );
            let _ = data.points();
            let again = data.first_row_as_names();
            let _ = again.and_then(|data| data.names_as_first_row());
        }
    }
}
