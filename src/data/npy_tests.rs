use super::super::read::tests::values;
use super::*;

pub(in crate::data) fn array(dtype: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': {dtype}, 'fortran_order': {fortran}, 'shape': {shape}, }}");
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(format!("{header:<117}\n").bytes());
    bytes.extend(data);
    bytes
}

pub(in crate::data) fn doubles(values: &[f64]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

#[test]
fn arrays_are_read_in_every_layout() {
    let rows = [1.0, 2.0, 3.0, 4.0, 5.0, 6.5];
    let columns = [1.0, 3.0, 5.0, 2.0, 4.0, 6.5];
    let big = columns
        .iter()
        .flat_map(|value: &f64| value.to_be_bytes())
        .collect::<Vec<_>>();
    let single = rows
        .iter()
        .flat_map(|value| (*value as f32).to_le_bytes())
        .collect::<Vec<_>>();
    let big_single = rows
        .iter()
        .flat_map(|value| (*value as f32).to_be_bytes())
        .collect::<Vec<_>>();
    for bytes in [
        array("'<f8'", "False", "(3, 2)", &doubles(&rows)),
        array("'<f8'", "True", "(3, 2)", &doubles(&columns)),
        array("'>f8'", "True", "(3, 2)", &big),
        array("'<f4'", "False", "(3, 2)", &single),
        array("'>f4'", "False", "(3L, 2L)", &big_single),
    ] {
        let data = parse(&bytes).unwrap();
        assert_eq!((data.len(), data.dimension()), (3, 2));
        assert_eq!(values(&data), rows);
    }
    let line = parse(&array("'<f8'", "False", "(6,)", &doubles(&rows))).unwrap();
    assert_eq!((line.len(), line.dimension()), (6, 1));

    // Version 2 has a header length of four bytes.
    let mut second = array("'<f8'", "False", "(3, 2)", &doubles(&rows));
    second[6] = 2;
    second.splice(10..10, [0, 0]);
    assert_eq!(values(&parse(&second).unwrap()), rows);
}

#[test]
fn wrong_arrays_say_what_to_change() {
    let good = array("'<f8'", "False", "(2, 1)", &doubles(&[1.0, 2.0]));
    let wrong = |bytes: &[u8]| parse(bytes).unwrap_err();
    assert!(wrong(&[]).contains("the file is empty"));
    assert!(wrong(b"1,2\n").contains("does not start with \"\\x93NUMPY\""));
    assert!(wrong(b"PK\x03\x04...").contains("it is an archive: take one array out"));
    assert!(wrong(&good[..9]).contains("ends within its header"));
    assert!(wrong(&good[..100]).contains("ends within its header"));
    assert!(wrong(&good[..good.len() - 3]).contains("it ends after 13 of 16 bytes"));
    assert!(wrong(&[&good[..], &[0; 5]].concat()).contains("5 bytes follow the 16 bytes"));
    let version = [&good[..6], &[9], &good[7..]].concat();
    assert!(wrong(&version).contains("version 9"));
    for (dtype, fortran, shape, expected) in [
        (
            "'<f16'",
            "False",
            "(2,)",
            "its type is \"<f16\", but a float of",
        ),
        ("'|O'", "False", "(2,)", "or a table with text as CSV"),
        ("'<U5'", "False", "(2,)", "its type is \"<U5\""),
        ("'<M8[s]'", "False", "(2,)", "its type is \"<M8[s]\""),
        ("'<c16'", "False", "(2,)", "save x.astype(\"float64\")"),
        ("[('a', '<f8')]", "False", "(2,)", "a record of fields"),
        ("'<f8'", "False", "()", "it is a single number"),
        ("'<f8'", "False", "(1, 1, 2)", "save x.reshape(len(x), -1)"),
        (
            "'<f8'",
            "False",
            "(0, 2)",
            "its shape is (0, 2): there are no points",
        ),
        ("'<f8'", "True", "(9999999999999, 0)", "there are no points"),
        (
            "'<f8'",
            "False",
            "(99999999999, 99999999999)",
            "damaged (shape)",
        ),
        ("'<f8'", "False", "(-1, 2)", "damaged (shape)"),
        ("'<f8'", "None", "(2,)", "damaged (fortran_order)"),
        ("<f8", "False", "(2,)", "damaged (descr)"),
    ] {
        let error = wrong(&array(dtype, fortran, shape, &doubles(&[1.0, 2.0])));
        assert!(error.contains(expected), "{dtype} {shape}: {error}");
    }
    let infinite = array(
        "'<f8'",
        "True",
        "(2, 2)",
        &doubles(&[1.0, f64::INFINITY, 3.0, 4.0]),
    );
    assert!(wrong(&infinite).contains("the value at [1, 0] (row and column, from 0) is inf"));
}

/// Bytes as NumPy writes `np.array([..]).astype(dtype)`.
#[test]
fn integers_bools_and_halves_are_read() {
    let cases: [(&str, &[u8], &[f64]); 12] = [
        ("'|b1'", &[0, 1, 1], &[0.0, 1.0, 1.0]),
        ("'|i1'", &[0, 255, 128], &[0.0, -1.0, -128.0]),
        ("'|u1'", &[0, 255, 128], &[0.0, 255.0, 128.0]),
        ("'<i2'", &[1, 0, 254, 255], &[1.0, -2.0]),
        ("'>i2'", &[0, 1, 255, 254], &[1.0, -2.0]),
        ("'<u2'", &[254, 255], &[65534.0]),
        (
            "'<i4'",
            &[255, 255, 255, 255, 0, 0, 0, 128],
            &[-1.0, -2_147_483_648.0],
        ),
        ("'>u4'", &[255, 255, 255, 255], &[4_294_967_295.0]),
        ("'<i8'", &[249, 255, 255, 255, 255, 255, 255, 255], &[-7.0]),
        ("'>u8'", &[0, 0, 0, 1, 0, 0, 0, 0], &[4_294_967_296.0]),
        // 1, -2, 65504, the smallest, 1/3, 0.
        (
            "'<f2'",
            &[0, 0x3c, 0, 0xc0, 0xff, 0x7b, 1, 0, 0x55, 0x35, 0, 0],
            &[
                1.0,
                -2.0,
                65504.0,
                5.960_464_477_539_063e-8,
                0.333_251_953_125,
                0.0,
            ],
        ),
        ("'>f2'", &[0x3c, 0], &[1.0]),
    ];
    for (dtype, bytes, expected) in cases {
        let shape = format!("({},)", expected.len());
        let data = parse(&array(dtype, "False", &shape, bytes)).unwrap();
        assert_eq!(values(&data), expected, "{dtype}");
    }
    let infinite = parse(&array("'<f2'", "False", "(1,)", &[0, 0xfc])).unwrap_err();
    assert!(infinite.contains("is -inf"), "{infinite}");
    let missing = parse(&array("'<f2'", "False", "(2,)", &[0, 0x7e, 0, 0x3c])).unwrap();
    assert_eq!(missing.drop_missing().unwrap().len(), 1);
}
