//! Files that are no tables of text, by their first bytes.

const AS_CSV: &str = "save its table as CSV";

/// First bytes, what has them, and what to do.
const SIGNATURES: [(&[u8], &str, &str); 24] = [
    (
        b"\x93NUMPY",
        "in NumPy's format, not text",
        "call `read_npy`",
    ),
    (
        b"PK\x03\x04",
        "a zip archive, as .xlsx, .ods and .npz are",
        "save the sheet as CSV, or unpack the archive",
    ),
    (
        b"PK\x05\x06",
        "an empty zip archive",
        "get the file once more",
    ),
    (
        b"\xd0\xcf\x11\xe0",
        "an old Office document (.xls)",
        "save the sheet as CSV",
    ),
    (
        b"PAR1",
        "Parquet",
        "call `read_parquet`, or save its table as CSV",
    ),
    (b"ARROW1", "Arrow (Feather)", AS_CSV),
    (b"Obj\x01", "Avro", AS_CSV),
    (b"ORC", "ORC", AS_CSV),
    (b"\x89HDF", "HDF5", AS_CSV),
    (b"MATLAB 5.0 MAT-file", "a MATLAB file", AS_CSV),
    (b"SQLite format 3", "an SQLite data base", AS_CSV),
    (
        b"RDX",
        "an R workspace",
        "save the data frame with write.csv",
    ),
    (b"SIMPLE  =", "FITS", AS_CSV),
    (b"BZh", "packed by bzip2", "unpack it first"),
    (b"\xfd7zXZ", "packed by xz", "unpack it first"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd", "unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it first"),
    (b"Rar!", "a rar archive", "unpack it first"),
    (b"\x1f\x8b", "packed by gzip twice", "unpack it first"),
    (
        b"\x89PNG",
        "a PNG image",
        "call `Images::read_png_folder` for its folder",
    ),
    (b"\xff\xd8\xff", "a JPEG image", "convert it to PNG"),
    (b"GIF8", "a GIF image", "convert it to PNG"),
    (b"%PDF", "a PDF document", "get the table as CSV"),
    (
        b"version https://git-lfs",
        "a Git LFS pointer, not the file itself",
        "run `git lfs pull`",
    ),
];

/// What a file that begins like this is and what to do about it, if it is no table of text.
pub(super) fn what(head: &[u8]) -> Option<String> {
    for (start, what, change) in SIGNATURES {
        // Words can begin a table as well.
        let is_text = start.iter().all(u8::is_ascii_alphanumeric);
        if head.starts_with(start) && !(is_text && is_utf8(head)) {
            return Some(format!("it is {what}: {change}"));
        }
    }
    if head.get(257..262) == Some(b"ustar") {
        return Some("it is a tar archive: unpack it first".to_owned());
    }
    if head.starts_with(b"\x80") && head.get(1).is_some_and(|version| *version <= 5) {
        let change = "save its array with np.save, or its table as CSV";
        return Some(format!("it is a Python pickle: {change}"));
    }
    if is_utf16(head) {
        return Some("it is text in UTF-16: save the table as CSV, UTF-8".to_owned());
    }
    let text = String::from_utf8_lossy(&head[..head.len().min(4096)]);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let start: String = text
        .chars()
        .take(200)
        .collect::<String>()
        .to_ascii_lowercase();
    if ["<!doctype html", "<html", "<head", "<script"]
        .iter()
        .any(|tag| start.starts_with(tag))
    {
        return Some(
            "it is a web page: get the file itself, for example by its \"raw\" link".to_owned(),
        );
    }
    if start.starts_with("<?xml") || start.starts_with("<!doctype") || start.starts_with("<svg") {
        return Some("it is XML: save its table as CSV".to_owned());
    }
    if start.starts_with("@relation") {
        return Some(format!("it is ARFF, Weka's format: {AS_CSV}"));
    }
    is_json(text).then(|| {
        "it is JSON: save it as CSV, for example by pd.read_json(path).to_csv(\"x.csv\")".to_owned()
    })
}

fn is_utf8(head: &[u8]) -> bool {
    let head = &head[..head.len().min(4096)];
    let is_cut = |error: std::str::Utf8Error| error.error_len().is_none();
    !head.contains(&0) && std::str::from_utf8(head).map_or_else(is_cut, |_| true)
}

/// With a mark of the order of its bytes, or with a zero in every second byte.
fn is_utf16(head: &[u8]) -> bool {
    let marked = head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff");
    let pairs = head[..head.len().min(64)].as_chunks::<2>().0;
    let every =
        |at: usize| pairs.len() > 1 && pairs.iter().all(|pair| pair[at] == 0 && pair[1 - at] != 0);
    marked || every(0) || every(1)
}

/// An object, or an array of arrays, objects, strings or numbers.
fn is_json(text: &str) -> bool {
    let next = |after: &str| after.trim_start().chars().next();
    match (text.strip_prefix('{'), text.strip_prefix('[')) {
        (Some(after), _) => matches!(next(after), Some('"' | '}')),
        (_, Some(after)) => next(after).is_some_and(|c| "[{\"]-".contains(c) || c.is_ascii_digit()),
        _ => false,
    }
}
