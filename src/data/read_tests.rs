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
            );
            let _ = data.points::<f32, crate::prelude::AutoDevice>();
            let again = data.first_row_as_names();
            let _ = again.and_then(|data| data.names_as_first_row());
        }
    }
}
