//! The idx format of MNIST's files: what a file's header says, held against its length.

use crate::Error;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use tempfile::TempPath;

const IMAGES: u32 = 0x0803;
const LABELS: u32 = 0x0801;

/// Twice the largest of MNIST's files: no file, packed or not, may take more of the memory or the disk.
const LARGEST: u64 = 96 << 20;

/// So much of a file is unpacked at a time.
const PIECE: u64 = 1 << 16;

/// A file of images, before its pixels.
pub(super) struct Images {
    pub(super) count: usize,
    /// Height and width.
    pub(super) size: (usize, usize),
    rest: File,
}

impl Images {
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let ([_, count, height, width], length, rest) = open::<4>(path, IMAGES, "images")?;
        let needed = u128::from(count) * u128::from(height) * u128::from(width);
        if needed == 0 {
            return Err(format!(
                "it says that it holds {count} images of {height} x {width}: nothing"
            ));
        }
        if needed != u128::from(length) {
            return Err(format!(
                "{count} images of {height} x {width} are {needed} bytes, but {length} follow the header"
            ));
        }
        let [count, height, width] = [count, height, width].map(|number| number as usize);
        let size = (height, width);
        Ok(Self { count, size, rest })
    }

    /// The pixels of all images.
    pub(super) fn pixels(self) -> Result<Vec<u8>, String> {
        rest(self.rest, self.count * self.size.0 * self.size.1)
    }
}

/// The labels of a file of labels.
pub(super) fn labels(path: &Path) -> Result<Vec<u8>, String> {
    let ([_, count], length, file) = open::<2>(path, LABELS, "labels")?;
    if u64::from(count) != length {
        return Err(format!(
            "it says {count} labels, but {length} follow the header"
        ));
    }
    let labels = rest(file, count as usize)?;
    match labels.iter().position(|label| *label > 9) {
        Some(place) => Err(format!("label {place} is {}, not a digit", labels[place])),
        None => Ok(labels),
    }
}

/// The header's numbers, how many bytes follow, and the file, read so far.
fn open<const N: usize>(
    path: &Path,
    magic: u32,
    what: &str,
) -> Result<([u32; N], u64, File), String> {
    let text = |error: std::io::Error| error.to_string();
    let mut file = File::open(path).map_err(text)?;
    let length = file.metadata().map_err(text)?.len();
    if length > LARGEST {
        return Err(too_long("is"));
    }
    let mut bytes = Vec::new();
    let header = Read::take(&mut file, 4 * N as u64).read_to_end(&mut bytes);
    header.map_err(text)?;
    let found = bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
    match found {
        Some(found) if found == magic => {}
        Some(LABELS) => return Err(format!("it holds labels where {what} are expected")),
        Some(IMAGES) => return Err(format!("it holds images where {what} are expected")),
        Some(found) => {
            return Err(format!(
                "it starts with {found:#010x}, not with {magic:#010x}: no idx file of {what}"
            ));
        }
        None => {}
    }
    if bytes.len() < 4 * N {
        return Err(format!(
            "it ends after {} bytes, in its header",
            bytes.len()
        ));
    }
    let mut numbers = [0; N];
    for (number, bytes) in numbers.iter_mut().zip(bytes.as_chunks().0) {
        *number = u32::from_be_bytes(*bytes);
    }
    Ok((numbers, length - 4 * N as u64, file))
}

/// What follows the header: so many bytes.
fn rest(mut file: File, count: usize) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; count];
    let read = file.read_exact(&mut bytes);
    read.map_err(|error| error.to_string()).map(|()| bytes)
}

/// A file that is not packed, for as long as its path is kept: unpacked from one that ends in `.gz`, or a
/// copy of any other.
pub(super) fn unpack(from: &Path) -> Result<TempPath, Error> {
    let unread = |error: std::io::Error| match is_packed(from) {
        true => Error::read(from, format!("it is no complete gzip file ({error})")),
        false => Error::read(from, error),
    };
    let unwritten = |error: std::io::Error| Error::write(&std::env::temp_dir(), error);
    let file = File::open(from).map_err(|error| Error::read(from, error))?;
    let mut reader: Box<dyn Read> = match is_packed(from) {
        true => Box::new(flate2::read::MultiGzDecoder::new(file)),
        false => Box::new(file),
    };
    let mut out = tempfile::NamedTempFile::new().map_err(unwritten)?;
    let (mut piece, mut length) = (Vec::new(), 0);
    loop {
        piece.clear();
        let read = reader.by_ref().take(PIECE).read_to_end(&mut piece);
        length += read.map_err(unread)? as u64;
        if length > LARGEST {
            return Err(Error::read(from, too_long("unpacks to")));
        }
        if piece.is_empty() {
            return Ok(out.into_temp_path());
        }
        out.write_all(&piece).map_err(unwritten)?;
    }
}

pub(super) fn is_packed(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "gz")
}

fn too_long(how: &str) -> String {
    format!("it {how} more than {LARGEST} bytes, twice what MNIST has")
}
