use super::super::read::tests::values;
use super::*;

/// What the message says about a table, or the set.
fn csv(text: impl AsRef<[u8]>) -> Result<Dataset, String> {
    parse(text.as_ref())
}

#[test]
fn tables_are_read_with_every_separator() {
    for text in [
        "1,2\n3,-4e-1\n",
        "1;2\r\n3;-4e-1\r\n",
        "1\t2\n3\t-4e-1",
        "  1   2\n\n# note\n 3\t -.4 \n",
        "\u{feff}1, 2\n3, -0.4\n\n",
        "\"1\",\"2\"\n3,\"-0.4\"",
        "\"1\" \"2\"\n3   -0.4",
    ] {
        let data = csv(text).unwrap();
        assert_eq!((data.dimension(), data.names()), (2, None), "{text:?}");
        assert_eq!(values(&data), [1.0, 2.0, 3.0, -0.4], "{text:?}");
    }
    assert_eq!(csv("7\n8\n").unwrap().dimension(), 1);
}

#[test]
fn names_are_read() {
    let names = |text: &str| csv(text).unwrap().names().unwrap().to_vec();
    assert_eq!(names("a, b\n1,2"), ["a", "b"]);
    assert_eq!(names("# by hand\nx y\n1 2"), ["x", "y"]);
    assert_eq!(names("\"a, say \"\"b\"\"\",c\n1,2"), ["a, say \"b\"", "c"]);
    assert_eq!(names(",a\n0,2"), ["column 1", "a"]);
    assert_eq!(names("\t\"a\"\t\"b\"\n0\t1\t2"), ["column 1", "a", "b"]);
}

#[test]
fn wrong_tables_say_where_and_what_to_change() {
    for (text, expected) in [
        ("", "the file is empty"),
        (" \n\r\n", "the file is empty"),
        ("# nothing\n", "only comments"),
        ("a,b\n", "no points after line 1, which names the columns"),
        (
            "1,2\n3\n",
            "line 2 has 1 cell separated by commas, but line 1 has 2: add",
        ),
        (
            "# x\n\n1,2\n3,4,5\n",
            "line 4 has 3 cells separated by commas, but line 3 has 2",
        ),
        (
            "a;b\n1;x\n",
            "line 2, column 2 (\"b\"): \"x\" is not a number",
        ),
        ("1 2\n1 x\n", "line 2, column 2: \"x\" is not a number"),
        (
            "a;b\n1;2,5\n",
            "\"2,5\" is not a number: write \"2.5\", with a point",
        ),
        (
            "1,2\n3,\n",
            "line 2, column 2: it is empty: fill in a number",
        ),
        (
            "1,2\nnan,4\n",
            "line 2, column 1: NaN: coordinates must be finite",
        ),
        (
            "1,-inf\n",
            "line 1, column 2: -inf: coordinates must be finite",
        ),
        ("1e39\n", "coordinates must be finite and below 3.4e38"),
        (
            "1,2.O\n3,4\n",
            "line 1, column 2: \"2.O\" is not a number, but other cells of this line",
        ),
        (
            "a,a\n1,2\n",
            "line 1, two columns are called \"a\": rename one",
        ),
        (
            "1,2\n3,\"4\n",
            "line 2, column 2: a quotation mark opens and does not close",
        ),
    ] {
        let error = csv(text).unwrap_err();
        assert!(error.contains(expected), "{text:?}: {error}");
    }
    assert!(
        csv(b"1\n2\n\xff\n")
            .unwrap_err()
            .contains("line 3 is not text in UTF-8")
    );
    assert!(
        csv(b"\x93NUMPY\x01\x00")
            .unwrap_err()
            .contains("call `read_npy`")
    );
    let long = format!("1\n{}", "ä".repeat(10_000));
    assert!(csv(long).unwrap_err().len() < 200);
}
