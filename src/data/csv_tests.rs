use super::super::read::tests::values;
use super::*;
use crate::Error;

/// The set of a table.
pub(in crate::data) fn csv(text: &(impl AsRef<[u8]> + ?Sized)) -> Result<Dataset, String> {
    parse(|| Ok(Box::new(text.as_ref())))
}

/// Why a table that is read cannot be used.
fn used(text: &str) -> String {
    let points = csv(text).unwrap().points();
    points.unwrap_err().to_string()
}

fn check(text: &str, names: Option<&[&str]>, expected: &[&[f64]]) {
    let data = csv(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    let found = data
        .names()
        .map(|names| names.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(found.as_deref(), names, "{text:?}");
    let rows = data
        .rows()
        .unwrap_or_else(|error| panic!("{text:?}: {error}"));
    assert_eq!(rows.collect::<Vec<_>>(), expected, "{text:?}");
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

/// A first line that names the columns by numbers, or among numbers.
#[test]
fn numbers_name_columns_where_it_shows() {
    let years = [[1.0, 0.5, 0.6], [2.0, 0.8, 0.9]];
    let years: Vec<&[f64]> = years.iter().map(<[f64; 3]>::as_slice).collect();
    for (text, names) in [
        (
            "station,2019,2020\n1,0.5,0.6\n2,0.8,0.9\n",
            ["station", "2019", "2020"],
        ),
        (
            "\"station\",\"1.5\",\"2.5\"\n1,0.5,0.6\n2,0.8,0.9\n",
            ["station", "1.5", "2.5"],
        ),
        (
            "\"\",\"16.5\",\"16.75\"\n\"1\",0.5,0.6\n\"2\",0.8,0.9\n",
            ["column 1", "16.5", "16.75"],
        ),
        ("nan,inf,x\n1,0.5,0.6\n2,0.8,0.9\n", ["nan", "inf", "x"]),
        (",0,1\n1,0.5,0.6\n2,0.8,0.9\n", ["column 1", "0", "1"]),
        ("0 1 2\n1.0 0.5 0.6\n2.0 0.8 0.9\n", ["0", "1", "2"]),
    ] {
        check(text, Some(&names), &years);
    }
    // pandas, with and without its index; years alone; whole numbers below.
    check(
        "0,1\n0.5,1.3\n-.8,2.7\n",
        Some(&["0", "1"]),
        &[&[0.5, 1.3], &[-0.8, 2.7]],
    );
    check("0\n0.5\n-0.8\n", Some(&["0"]), &[&[0.5], &[-0.8]]);
    check(
        ",0,1\n0,5,3\n1,8,9\n",
        Some(&["column 1", "0", "1"]),
        &[&[0.0, 5.0, 3.0], &[1.0, 8.0, 9.0]],
    );
    check(
        "0,1,2\n5,3,8\n",
        Some(&["0", "1", "2"]),
        &[&[5.0, 3.0, 8.0]],
    );
    check("2019,2020\n5,3\n", Some(&["2019", "2020"]), &[&[5.0, 3.0]]);
    check("2019\n0.5\n", Some(&["2019"]), &[&[0.5]]);
    // Points.
    check(
        "0,1\n1,0\n1,-1\n",
        None,
        &[&[0.0, 1.0], &[1.0, 0.0], &[1.0, -1.0]],
    );
    check(
        "0,1,2\n3,4,5\n",
        None,
        &[&[0.0, 1.0, 2.0], &[3.0, 4.0, 5.0]],
    );
    check(
        "0 1 2\n1 2 0\n",
        None,
        &[&[0.0, 1.0, 2.0], &[1.0, 2.0, 0.0]],
    );
    check("2019 7\n2020 9\n", None, &[&[2019.0, 7.0], &[2020.0, 9.0]]);
    check("1 2\n3.5 4.5\n", None, &[&[1.0, 2.0], &[3.5, 4.5]]);
    check(
        "\"1\",\"2\"\n\"3\",\"4\"\n",
        None,
        &[&[1.0, 2.0], &[3.0, 4.0]],
    );

    // No names above text: UCI's iris.
    let series = csv(",0\n0,0.5\n1,7\n").unwrap();
    assert_eq!(series.names().unwrap(), ["column 1", "0"]);
    let scores = csv("foo,0\nbar,0.5\nbaz,0.7\n").unwrap();
    assert_eq!((scores.len(), scores.names()), (3, None));
    let iris = csv("5.1,3.5,setosa\n4.9,3.0,setosa\n").unwrap();
    assert_eq!((iris.len(), iris.names()), (2, None));

    // And by a call where it does not show.
    let read = csv("7,9\n1.5,2.5\n").unwrap();
    let named = read.first_row_as_names().unwrap();
    assert_eq!(
        (named.names().unwrap(), named.len()),
        (["7".to_owned(), "9".to_owned()].as_slice(), 1)
    );
    assert_eq!(named.names_as_first_row().unwrap(), read);
    let words = csv("a,b\nc,1\n").unwrap();
    assert!(
        words
            .names_as_first_row()
            .unwrap_err()
            .to_string()
            .contains("\"b\" is no number")
    );
    let text = csv("a,1900\nb,0.5\n")
        .unwrap()
        .names_as_first_row()
        .unwrap();
    assert_eq!(
        text.with_names(&["x", "y"]).unwrap().texts("x").unwrap(),
        ["a", "b"]
    );
    let one = csv("7 9\n").unwrap().first_row_as_names();
    assert!(one.unwrap_err().to_string().contains("one row only"));
}

/// As scikit-learn's own tables begin.
#[test]
fn a_first_line_can_describe_the_table() {
    let flowers: [&[f64]; 3] = [&[5.1, 3.5, 0.0], &[4.9, 3.0, 0.0], &[6.1, 2.5, 1.0]];
    let rows = "5.1,3.5,0\n4.9,3.0,0\n6.1,2.5,1\n";
    for first in ["3,2,setosa,virginica", "3,2,setosa", "3,3,a,b,c,d,e,f"] {
        check(&format!("{first}\n{rows}"), None, &flowers);
    }
    check(
        "3;2;setosa;virginica\n5,1;3,5;0\n4,9;3,0;0\n6,1;2,5;1\n",
        None,
        &flowers,
    );
    let missing = csv("2,2,setosa,virginica\n5.1,,0\n4.9,3.0,0\n").unwrap();
    assert_eq!(
        format!("{missing}"),
        "Dataset of shape (2, 3); 1 of 2 rows has missing values (1 in 1)"
    );
    // More rows than tell how a table is written.
    let many = |n: usize| format!("{n},1,a,b,c\n{}", "0.5,1\n".repeat(500));
    assert_eq!(csv(&many(500)).unwrap().len(), 500);

    let wrong = |n: usize| {
        format!(
            "line 1 gives {n} as the number of rows, and it is 500: get the file once more, or correct the line"
        )
    };
    for n in [0, 7, 499, 501] {
        assert_eq!(csv(&many(n)).unwrap_err(), wrong(n));
    }
    // A number of columns that is another one, and numbers that are not whole, describe nothing.
    for first in ["3,4,setosa,virginica", "3.0,2,setosa,virginica"] {
        assert!(csv(&format!("{first}\n{rows}")).is_err(), "{first}");
    }
    let text = csv("2,1,a\n3,1,b\n4,1,c\n").unwrap();
    assert_eq!((text.len(), text.names()), (3, None));
}

#[test]
fn names_come_from_comments_and_are_made_distinct() {
    let rows: [&[f64]; 2] = [&[1.0, 2.0], &[3.0, 4.0]];
    check(
        "# height,weight\n1,2.0\n3,4.0\n",
        Some(&["height", "weight"]),
        &rows,
    );
    check(
        "# by hand\n# x y\n1.0 2.0\n3.0 4.0\n",
        Some(&["x", "y"]),
        &rows,
    );
    check("#x;y\n1;2\n3;4\n", Some(&["x", "y"]), &rows);
    check("# three words here\n1 2\n3 4\n", None, &rows);
    check("# 1 2\n1 2\n3 4\n", None, &rows);
    check("a,a\n1,2\n3,4\n", Some(&["a", "a.1"]), &rows);
    check("a,\n1,2\n3,4\n", Some(&["a", "column 2"]), &rows);
    check(
        "column 2,\n1,2\n3,4\n",
        Some(&["column 2", "column 2.1"]),
        &rows,
    );
    check(
        "sepal length\n1\n3\n",
        Some(&["sepal length"]),
        &[&[1.0], &[3.0]],
    );
    check(
        "\"height\n(cm)\",mass\n1,2\n3,4\n",
        Some(&["height\n(cm)", "mass"]),
        &rows,
    );
    check(
        "\"height\r\n(cm)\"\tmass\r\n1\t2\r\n3\t4\r\n",
        Some(&["height\n(cm)", "mass"]),
        &rows,
    );
    let people = csv("name\nAda Byron\nEmmy Noether\n").unwrap();
    assert_eq!(people.texts("name").unwrap(), ["Ada Byron", "Emmy Noether"]);
    let cities = csv("city\nNew York\nOslo\n").unwrap();
    assert_eq!(cities.texts("city").unwrap(), ["New York", "Oslo"]);
    let shown = format!("{:?}", csv("\"a\nb\",c\n1,2\n").unwrap());
    assert_eq!(shown, "Dataset of shape (1, 2): a b, c");
}

#[test]
fn lines_end_in_three_ways_and_in_no_other() {
    for end in ["\n", "\r\n", "\r", "\r\r\n"] {
        let text = ["height,mass", "1.5,62", "", "1.8,80"].join(end);
        check(
            &text,
            Some(&["height", "mass"]),
            &[&[1.5, 62.0], &[1.8, 80.0]],
        );
        check(
            &["1.5", "2.5", "4", "7", ""].join(end),
            None,
            &[&[1.5], &[2.5], &[4.0], &[7.0]],
        );
    }
    // A mixture, and ends on the edge of what is read at once.
    check(
        "1 2\r3 4\n5 6\r\n7 8",
        None,
        &[&[1.0, 2.0], &[3.0, 4.0], &[5.0, 6.0], &[7.0, 8.0]],
    );
    let long = format!("a,b\r\n{}", "1.5,2.5\r\n".repeat(50_000));
    assert_eq!(csv(&long).unwrap().len(), 50_000);
    let mut lines = super::super::lines::Lines::new(std::io::BufReader::with_capacity(
        3,
        &b"12\r\n4\r56\n\n"[..],
    ));
    let mut seen = Vec::new();
    while let Some((number, line)) = lines.next().unwrap() {
        seen.push((number, line.to_owned()));
    }
    assert_eq!(
        seen,
        [
            (1, "12".to_owned()),
            (2, "4".into()),
            (3, "56".into()),
            (4, String::new())
        ]
    );

    for (end, name) in [
        ("\u{b}", "a vertical tab (U+000B)"),
        ("\u{c}", "a form feed (U+000C)"),
        ("\u{1e}", "a separator of records (U+001E)"),
        ("\u{85}", "a \"next line\" (U+0085)"),
        ("\u{2028}", "a line separator (U+2028)"),
        ("\u{2029}", "a paragraph separator (U+2029)"),
    ] {
        for text in [
            format!("1 2{end}3 4\n5 6 7 8\n"),
            format!("x,y{end}1,2"),
            format!("x,y\n1,2{end}3,4"),
        ] {
            let error = csv(&text).unwrap_err();
            assert!(
                error.contains(name) && error.starts_with("line "),
                "{error}"
            );
        }
    }
    // A page break before a line, and one of these in a text.
    check("1 2\n\u{c}3 4\n", None, &[&[1.0, 2.0], &[3.0, 4.0]]);
    assert_eq!(
        csv("a,b\n1,\"x\u{2028}y\"\n").unwrap().texts("b").unwrap(),
        ["x\u{2028}y"]
    );
}

#[test]
fn commas_are_read_where_they_are_certain() {
    let rows: [&[f64]; 2] = [&[1.5, 2.25], &[-3.0, 1200.5]];
    check("1,5;2,25\n-3,0;1.200,5\n", None, &rows);
    check("a;b\n1,5;2,25\n-3;1200,5\n", Some(&["a", "b"]), &rows);
    check("1,5\t2,25\n-3,0\t1200,5\n", None, &rows);
    check("1,5 2,25\n-3,0 1200,5\n", None, &rows);
    check("a b\n1,5 2,25\n-3 1200,5\n", Some(&["a", "b"]), &rows);
    check("x\n1,5\n2,25\n", Some(&["x"]), &[&[1.5], &[2.25]]);
    check("a,b\n1.5,2.25\n-3,\"1,200.5\"\n", Some(&["a", "b"]), &rows);
    check(
        "a,b\n1,\"1,234,567\"\n2,\"1,200\"\n",
        Some(&["a", "b"]),
        &[&[1.0, 1_234_567.0], &[2.0, 1200.0]],
    );
    check("a;b\n0,123;1,234\n", Some(&["a", "b"]), &[&[0.123, 1.234]]);

    for (text, expected) in [
        (
            "a,b\n\"1,200\",\"65,000\"\n\"3,450\",\"7,100\"\n",
            "line 2, column 1 (\"a\"): \"1,200\" is not a number, as its comma may begin decimals or group thousands: write 1.2 or 1200",
        ),
        ("a;b\n1;1,200\n2;3,400\n", "write 1.2 or 1200"),
        (
            "a;b\n1.5;2\n3;2,5\n",
            "\"2,5\" is not a number: write 2.5, with a decimal point",
        ),
        ("a,b\n1,\"2,5\"\n", "write 2.5, with a decimal point"),
        ("a;b\n1,5;2\n2.5;3\n", "\"1,5\" is not a number: write 1.5"),
    ] {
        let error = used(text);
        assert!(error.contains(expected), "{text:?}: {error}");
    }

    // One column with a decimal comma, or two of whole numbers?
    for text in [
        "1,5\n2,25\n3,75\n",
        "120,5\n50,3\n2,35\n",
        "-1,5\n-2,5\n",
        "1,50\n2,20\n",
        "3,7\n12,4\n",
    ] {
        let error = csv(text).unwrap_err();
        assert!(
            error.contains("two whole numbers, or one with a decimal comma?"),
            "{text:?}: {error}"
        );
    }
    check("1,5\n2,10\n", None, &[&[1.0, 5.0], &[2.0, 10.0]]);
    check("1,5\n2,-1\n", None, &[&[1.0, 5.0], &[2.0, -1.0]]);
    check("1, 5\n2, 1\n", None, &[&[1.0, 5.0], &[2.0, 1.0]]);
    check(
        "x,y\n1,5\n2,25\n",
        Some(&["x", "y"]),
        &[&[1.0, 5.0], &[2.0, 25.0]],
    );
}

#[test]
fn numbers_are_read_as_others_write_them() {
    check(
        " 1.0D+00 2.5d-01\n 3.0D+00 4.0\n",
        None,
        &[&[1.0, 0.25], &[3.0, 4.0]],
    );
    check(
        "a,b\n+1.,.5\n1E5,\u{2212}2\n",
        Some(&["a", "b"]),
        &[&[1.0, 0.5], &[1e5, -2.0]],
    );
    check("\u{a0}1,2.0\u{a0}\n", None, &[&[1.0, 2.0]]);
    assert_eq!(csv("x\nA1D2\n").unwrap().texts("x").unwrap(), ["A1D2"]);
}

#[test]
fn separators_are_found_and_may_stand_at_the_end() {
    let rows: [&[f64]; 2] = [&[1.0, 2.5], &[3.0, 4.5]];
    let names: Option<&[&str]> = Some(&["a", "b"]);
    for text in [
        "a,b,\n1,2.5,\n3,4.5,\n",
        "a,b\n1,2.5,\n3,4.5,\n",
        "a,b,\n1,2.5\n3,4.5\n",
        "a;b;;\n1;2.5;;\n3;4.5;;\n",
        "a\tb\t\n1\t2.5\t\n3\t4.5\t\n",
        "a|b\n1|2.5\n3|4.5\n",
        "sep=;\na;b\n1;2.5\n3;4.5\n",
        "\u{feff}SEP=,\r\na,b\r\n1,2.5\r\n3,4.5\r\n",
        "\"sep=;\"\na;b\n1;2.5\n3;4.5\n",
        "sep=_\na_b\n1_2.5\n3_4.5\n",
        "a b\n1 2.5 # first\n3 4.5\n",
        "a,b\n1,2.5 # first, of two\n3,4.5 #\n",
    ] {
        check(text, names, &rows);
    }
    check("1,2.5,\n3,4.5,\n", None, &rows);
    check("sep=;\n1;2.5\n3;4.5\n", None, &rows);
    check("1 2.5 # first\n3 4.5\n", None, &rows);
    // A semicolon in a name, a space in cells.
    check("\"a; b\",c\n1,2.5\n3,4.5\n", Some(&["a; b", "c"]), &rows);
    check("a; b,c\n1,2.5\n3,4.5\n", Some(&["a; b", "c"]), &rows);
    for text in ["a,b,c\n1,2, #3\n", "a\tb\tc\n1\t2\t#3\n"] {
        assert_eq!(csv(text).unwrap().texts("c").unwrap(), ["#3"], "{text:?}");
    }
    let text = csv("a,b\nC #,1\nF #1,2\n").unwrap();
    assert_eq!(text.texts("a").unwrap(), ["C #", "F #1"]);
}

#[test]
fn names_of_rows_are_left_out() {
    let names: Option<&[&str]> = Some(&["x", "y"]);
    let rows: [&[f64]; 2] = [&[0.5, 1.0], &[0.7, 3.0]];
    check("\"x\"\t\"y\"\n\"1\"\t0.5\t1\n\"2\"\t0.7\t3\n", names, &rows);
    check("x y\n1 0.5 1\n7 0.7 3\n", names, &rows);
    check(
        "\"x\" \"y\"\n\"Mazda RX4\" 0.5 1\n\"Fiat\" 0.7 3\n",
        names,
        &rows,
    );
    // A column whose name was forgotten.
    let error = csv("x y\n0.1 0.5 1\n0.2 0.7 3\n").unwrap_err();
    assert!(
        error
            .contains("line 2 has 3 cells separated by spaces, but line 1 has 2: name each column"),
        "{error}"
    );
}

#[test]
fn columns_of_text_are_kept_and_refused_as_numbers() {
    let text = "species,bill,sex,flipper\nAdelie,39.1,male,181\nGentoo,46.1,NA,211\nAdelie,40,female,190\n";
    let data = csv(text).unwrap();
    assert_eq!(
        format!("{data:?}"),
        "Dataset of shape (3, 4): species, bill, sex, flipper; text in columns \"species\", \"sex\"; 1 \
         of 3 rows has missing values (1 in \"sex\")"
    );
    assert_eq!(
        data.texts("species").unwrap(),
        ["Adelie", "Gentoo", "Adelie"]
    );
    assert_eq!(data.texts("sex").unwrap(), ["male", "", "female"]);
    assert_eq!(data.texts("bill").unwrap(), ["39.1", "46.1", "40"]);
    let chosen = data.columns(&["flipper", "bill"]).unwrap();
    assert_eq!(values(&chosen), [181.0, 39.1, 211.0, 46.1, 190.0, 40.0]);
    assert!(chosen.standardised().is_ok());
    let expected = "text, not numbers, in columns \"species\", \"sex\" (\"Adelie\" in line 2): choose \
                    other columns, `.columns(&[\"bill\", \"flipper\"])` for example";
    let messages = [
        data.points().err(),
        data.standardised().err(),
        data.rows().err(),
        data.scaled_like(&data).err(),
    ];
    let [points, standardised, rows, _] =
        messages.map(|error| error.map(|error| error.to_string()));
    for message in [points, standardised, rows] {
        assert!(
            message
                .as_deref()
                .is_some_and(|message| message.ends_with(expected)),
            "{message:?}"
        );
    }
    let nameless = used("1.5,a,2\n2.5,b,3\n");
    assert!(
        nameless.contains(
            "column 1 (from 0) (\"a\" in line 1): choose other columns, `.columns_at(&[0, 2])`"
        ),
        "{nameless}"
    );
    for text in [
        "x\nTrue\nFalse\n",
        "x\n2020-01-01\n",
        "x\n12:30\n",
        "x\n12 kg\n",
        "x\n$5\n",
        "x\n5%\n",
    ] {
        assert!(
            used(text).contains("text, not numbers, in column \"x\""),
            "{text}"
        );
    }
    // Cells as they were, also before the first word, and also those that are numbers.
    let ids = csv("id,x\n007,1\n1.50,2\nA3,3\n007,4\n").unwrap();
    assert_eq!(ids.texts("id").unwrap(), ["007", "1.50", "A3", "007"]);
    assert_eq!(ids.texts("x").unwrap(), ["1", "2", "3", "4"]);
}

#[test]
fn a_word_among_numbers_is_a_mistake_with_its_place() {
    let mut lines: Vec<String> = (0..1000).map(|i| format!("{i},{}.5", i * i)).collect();
    lines[500] = "500,oops".to_owned();
    let text = format!("a,b\n{}", lines.join("\n"));
    let error = used(&text);
    let expected = "line 502, column 2 (\"b\"): \"oops\" is not a number (999 of the column's 1000 \
                    values are numbers): correct it, or choose other columns, `.columns(&[\"a\"])` for example";
    assert!(error.ends_with(expected), "{error}");
    assert!(
        csv(&text)
            .unwrap()
            .columns(&["a"])
            .unwrap()
            .standardised()
            .is_ok()
    );
    for (text, expected) in [
        (
            "1 2\n1 x\n2 3\n",
            "line 2, column 2: \"x\" is not a number (2 of the column's 3 values are numbers)",
        ),
        (
            "x\n1\n2\n1e400\n",
            "line 4, column 1 (\"x\"): \"1e400\" is not a number that is finite: leave",
        ),
        (
            "x\n1\n2\n-inf\n",
            "\"-inf\" is not a number that is finite: leave the line out, or write NA",
        ),
    ] {
        let error = used(text);
        assert!(error.contains(expected), "{text:?}: {error}");
    }
}

#[test]
fn missing_values_are_kept_counted_and_dropped() {
    let data = csv("bill,flipper\n39.1,181\nNA,NA\n40.3,195\n").unwrap();
    assert_eq!(
        format!("{data}"),
        "Dataset of shape (3, 2): bill, flipper; 1 of 3 rows has missing values (1 in \"bill\", 1 in \
         \"flipper\")"
    );
    let error = data.points().unwrap_err().to_string();
    assert!(
        error.contains("(1 in \"bill\", 1 in \"flipper\"): drop these rows with `drop_missing()`"),
        "{error}"
    );
    let whole = data.drop_missing().unwrap();
    assert_eq!(
        format!("{whole}"),
        "Dataset of shape (2, 2): bill, flipper; 1 row dropped"
    );
    assert_eq!(values(&whole), [39.1, 181.0, 40.3, 195.0]);
    assert_eq!(data, data.clone());

    for cell in [
        "", "NA", "N/A", "n/a", "na", "<NA>", "#N/A", "#NA", "NaN", "nan", "NAN", "-nan", "NULL",
        "null", "None", "?", ".", "-", "--",
    ] {
        let data = csv(&format!("a,b\n1,2\n{cell},3\n4,5\n")).unwrap();
        let shown = format!("{data}");
        assert!(
            shown.ends_with("1 of 3 rows has missing values (1 in \"a\")"),
            "{cell}: {shown}"
        );
        assert_eq!(data.drop_missing().unwrap().len(), 2);
        // Other columns need no rows dropped.
        let other = data.columns(&["b"]).unwrap();
        assert_eq!(values(&other.drop_missing().unwrap()), [2.0, 3.0, 5.0]);
        assert!(other.standardised().is_ok());
    }
    let error = used("a,b\n1,2\n#DIV/0!,3\n4,5\n");
    assert!(
        error.contains("line 3, column 1 (\"a\"): \"#DIV/0!\" is not a number"),
        "{error}"
    );
    let rows = csv("nan nan\n1 2\n").unwrap();
    assert_eq!((rows.len(), rows.names()), (2, None));
    let none = csv("a,b\n1,\n,2\n").unwrap();
    let error = none.drop_missing().unwrap_err().to_string();
    assert!(
        error.contains(
            "2 of 2 rows have missing values (1 in \"a\", 1 in \"b\"): no row would be left"
        ),
        "{error}"
    );
}

#[test]
fn missing_values_are_filled_in_and_counted() {
    let data = csv("a,b\n1,5\n,6\n4,\n-2,\n").unwrap();
    let means = data.fill_missing_with_means().unwrap();
    assert_eq!(values(&means), [1.0, 5.0, 1.0, 6.0, 4.0, 5.5, -2.0, 5.5]);
    assert_eq!(
        format!("{means}"),
        "Dataset of shape (4, 2): a, b; 3 values filled in (1 in \"a\", 2 in \"b\")"
    );
    let one = means.columns(&["a"]).unwrap();
    assert_eq!(
        format!("{one}"),
        "Dataset of shape (4, 1): a; 1 value filled in (1 in \"a\")"
    );
    assert_eq!(
        format!("{}", one.standardised().unwrap()),
        "Dataset of shape (4, 1): a (standardised); 1 value filled in (1 in \"a\")"
    );
    let zeros = data.fill_missing_with(0.0).unwrap();
    assert_eq!(values(&zeros), [1.0, 5.0, 0.0, 6.0, 4.0, 0.0, -2.0, 0.0]);
    assert_ne!(zeros, data);
    // A whole set stays as it is.
    assert_eq!(zeros.fill_missing_with_means().unwrap(), zeros);
    let whole = csv("a,b\n1,5\n").unwrap();
    assert_eq!(whole.fill_missing_with_means().unwrap(), whole);
    let both = data.drop_missing_in(&["b"]).unwrap();
    let both = both.fill_missing_with(9.0).unwrap();
    assert!(format!("{both}").ends_with("; 1 value filled in (1 in \"a\"); 2 rows dropped"));
    let large = csv("x\n1e308\n1.7e308\n\"\"\n").unwrap();
    assert!(large.fill_missing_with_means().unwrap().rows().is_ok());

    let error = data.points().unwrap_err().to_string();
    assert!(
        error.contains("fill them with `fill_missing_with_means()`, or choose"),
        "{error}"
    );
    let message = |result: Result<Dataset, Error>| result.unwrap_err().to_string();
    for value in [f64::NAN, f64::INFINITY] {
        let error = message(data.fill_missing_with(value));
        assert!(
            error.contains("cannot be filled in: give a finite number"),
            "{error}"
        );
    }
    let empty = csv("a,b\n1,NA\n,NA\n").unwrap();
    let error = message(empty.fill_missing_with_means());
    assert!(
        error.ends_with(
            "column \"b\" has no value at all, and so no mean: fill in a number with \
             `fill_missing_with(number)`, or choose other columns, `.columns(&[\"a\"])` for example"
        ),
        "{error}"
    );
    assert_eq!(
        values(&empty.fill_missing_with(2.0).unwrap()),
        [1.0, 2.0, 2.0, 2.0]
    );
    let text = csv("a,b\n1,x\n,y\n").unwrap();
    for error in [
        message(text.fill_missing_with_means()),
        message(text.fill_missing_with(0.0)),
    ] {
        assert!(
            error.contains("text, not numbers, in column \"b\" (\"x\" in line 2): choose other"),
            "{error}"
        );
    }
}

#[test]
fn labels_lose_the_rows_that_their_points_lose() {
    let text = "species,bill,year,sex\nAdelie,39.1,2007,NA\nGentoo,NA,2008,male\n,46.5,,male\n\
                Chinstrap,50,2009,female\n";
    let data = csv(text).unwrap();
    let table = data.drop_missing_in(&["bill"]).unwrap();
    assert_eq!(
        values(&table.columns(&["bill"]).unwrap()),
        [39.1, 46.5, 50.0]
    );
    assert_eq!(table.texts("species").unwrap(), ["Adelie", "", "Chinstrap"]);
    assert_eq!(table.texts("year").unwrap(), ["2007", "", "2009"]);
    assert!(format!("{table}").ends_with("; 1 row dropped"), "{table}");
    let both = data.drop_missing_in(&["species", "bill"]).unwrap();
    assert_eq!(both.texts("species").unwrap(), ["Adelie", "Chinstrap"]);
    let all = data.drop_missing_in(&["sex", "year", "species", "bill"]);
    assert_eq!(all.unwrap(), data.drop_missing().unwrap());

    let message = |result: Result<Dataset, Error>| result.unwrap_err().to_string();
    let unknown = message(data.drop_missing_in(&["island"]));
    assert!(
        unknown.contains("there is no column \"island\""),
        "{unknown}"
    );
    let nameless = csv("1,\n2,3\n").unwrap();
    assert!(message(nameless.drop_missing_in(&["a"])).contains("the columns have no names"));
    let none = message(csv("a,b\n1,\n2,\n").unwrap().drop_missing_in(&["b"]));
    assert!(
        none.contains(
            "2 of 2 rows have missing values (2 in \"b\"): no row would be left, so choose other"
        ),
        "{none}"
    );
}

/// Large numbers of rows of a data base differ in their last digits, which a number would lose.
#[test]
fn whole_numbers_beyond_double_precision_are_text() {
    let ids = ["1234567890123456789", "1234567890123456790"];
    let text = format!("id,x\n{},1\n{},2\n", ids[0], ids[1]);
    assert_eq!(csv(&text).unwrap().texts("id").unwrap(), ids);
    assert!(
        used(&text).contains("has more digits than double precision holds"),
        "{}",
        used(&text)
    );
    let exact = [
        "9007199254740993.0",
        "9007199254740992",
        "-123456789012345680",
        "100000000000000000000",
        "18889465931478580854784",
    ];
    assert!(
        csv(&format!("x\n{}\n", exact.join("\n")))
            .unwrap()
            .rows()
            .is_ok()
    );
    let large = 1e300.to_string();
    assert_eq!(
        values(&csv(&format!("x\n{large}\n00000000000000000001\n")).unwrap()),
        [1e300, 1.0]
    );
}

/// What `Results::write` writes can be read.
#[test]
fn a_table_of_results_is_read() {
    use crate::table::{Table, number};
    let mut table = Table::new(["step", "loss", "error, \"mean\""]);
    for step in 0..4 {
        let metric = if step % 2 == 0 { 0.25 } else { f64::NAN };
        table.push(vec![
            step.to_string(),
            number(-0.5 * f64::from(step)),
            number(metric),
        ]);
    }
    let data = csv(&table.csv()).unwrap();
    assert_eq!(data.names().unwrap(), ["step", "loss", "error, \"mean\""]);
    let losses = data.columns(&["step", "loss"]).unwrap();
    assert_eq!(values(&losses), [0.0, 0.0, 1.0, -0.5, 2.0, -1.0, 3.0, -1.5]);
    assert_eq!(
        values(&data.drop_missing().unwrap()),
        [0.0, 0.0, 0.25, 2.0, -1.0, 0.25]
    );
}

#[test]
fn files_of_other_kinds_are_called_by_their_names() {
    let utf16: Vec<u8> = "a,b\n1,2\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let marked = [b"\xff\xfe".as_slice(), &utf16].concat();
    for (bytes, expected) in [
        (
            b"<!DOCTYPE html>\n<html lang=\"en\">\n".as_slice(),
            "it is a web page",
        ),
        (b"\n  <html><body>404</body></html>", "it is a web page"),
        (b"<?xml version=\"1.0\"?>\n<a/>", "it is XML"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12345\n",
            "it is a Git LFS pointer, not the file itself: run `git lfs pull`",
        ),
        (b"[[1,2],[3,4]]\n", "it is JSON"),
        (b"{\"a\": [1, 2]}\n", "it is JSON"),
        (b"[\n  {\"a\": 1}\n]", "it is JSON"),
        (
            b"PK\x03\x04\x14\x00",
            "it is a zip archive, as .xlsx, .ods and .npz are",
        ),
        (
            b"PAR1\x15\x04\x15\x00\xff",
            "it is Parquet: call `read_parquet`, or save its table as CSV",
        ),
        (b"\x80\x04\x95\x10\x00", "it is a Python pickle"),
        (b"\x89HDF\r\n\x1a\n", "it is HDF5"),
        (b"BZh91AY&SY\xff", "packed by bzip2"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "it is an old Office document"),
        (b"\x89PNG\r\n\x1a\n", "it is a PNG image"),
        (b"%PDF-1.4", "it is a PDF document"),
        (b"@relation iris\n", "it is ARFF"),
        (b"\x93NUMPY\x01\x00", "call `read_npy`"),
        (
            &marked,
            "it is text in UTF-16: save the table as CSV, UTF-8",
        ),
        (&utf16, "it is text in UTF-16"),
        (
            b"a,b\n1,2\n3,\x00\n",
            "line 3 has a NUL in it: it is not text",
        ),
        (
            b"a,b\n1,2\nM\xfcller,3\n",
            "line 3 is not text in UTF-8 (byte 2, perhaps Latin-1): save the table as CSV, UTF-8",
        ),
    ] {
        let error = csv(bytes).unwrap_err();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    // Words that begin as such files do.
    check("PAR1,ORC\n1,2.5\n", Some(&["PAR1", "ORC"]), &[&[1.0, 2.5]]);
    check("[a],[b]\n1,2.5\n", Some(&["[a]", "[b]"]), &[&[1.0, 2.5]]);
}

/// What has no line ends, or a quotation mark that stays open, is not kept in memory without end.
#[test]
fn lines_without_end_are_refused() {
    for (start, again, expected) in [
        ("", "1", "line 1 is longer than"),
        (
            "a,b\n1,\"",
            "c\n",
            "line 2, column 2: a quotation mark opens and does not close",
        ),
    ] {
        let open = || {
            let endless = std::io::Read::chain(start.as_bytes(), Again(again.as_bytes(), 0));
            Ok(Box::new(std::io::BufReader::new(endless)) as Source<'_>)
        };
        let error = parse(open).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

/// The same bytes again and again.
struct Again(&'static [u8], usize);

impl std::io::Read for Again {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        for byte in buffer.iter_mut() {
            *byte = self.0[self.1 % self.0.len()];
            self.1 += 1;
        }
        Ok(buffer.len())
    }
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
            "1,2.O\n3,4\n",
            "line 1, column 2: \"2.O\" is not a number, but other cells of this line",
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
        csv(b"1\n2\n\xff\n".as_slice())
            .unwrap_err()
            .contains("line 3 is not text in UTF-8")
    );
    assert!(
        csv(b"\x93NUMPY\x01\x00".as_slice())
            .unwrap_err()
            .contains("call `read_npy`")
    );
    let long = format!("1\n{}", "ä".repeat(10_000));
    assert!(used(&long).len() < 300);
}
