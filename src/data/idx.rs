//! The idx format of MNIST's files, checked before anything else sees their bytes.

use std::fs::File;
use std::io::Read;
use std::path::Path;

const IMAGES: u32 = 0x0803;
const LABELS: u32 = 0x0801;

/// Twice the largest of MNIST's files: no file, packed or not, may make more of the memory.
const LARGEST: u64 = 96 << 20;

/// Height, width and pixels of a file of images.
pub(super) fn images(bytes: &[u8]) -> Result<((usize, usize), &[u8]), String> {
    let (header, pixels) = header::<4>(bytes, IMAGES, "images")?;
    let [_, count, height, width] = header;
    let needed = u128::from(count) * u128::from(height) * u128::from(width);
    if needed == 0 {
        return Err(format!(
            "it says that it holds {count} images of {height} x {width}: nothing"
        ));
    }
    if needed != pixels.len() as u128 {
        return Err(format!(
            "{count} images of {height} x {width} are {needed} bytes, but {} follow the header",
            pixels.len()
        ));
    }
    Ok(((height as usize, width as usize), pixels))
}

/// The labels of a file of labels.
pub(super) fn labels(bytes: &[u8]) -> Result<&[u8], String> {
    let ([_, count], labels) = header::<2>(bytes, LABELS, "labels")?;
    if count as usize != labels.len() {
        return Err(format!(
            "it says {count} labels, but {} follow the header",
            labels.len()
        ));
    }
    match labels.iter().position(|label| *label > 9) {
        Some(place) => Err(format!("label {place} is {}, not a digit", labels[place])),
        None => Ok(labels),
    }
}

/// The header's numbers, and what follows.
fn header<'a, const N: usize>(
    bytes: &'a [u8],
    magic: u32,
    what: &str,
) -> Result<([u32; N], &'a [u8]), String> {
    let found = bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
    match (found, magic) {
        (Some(found), wanted) if found == wanted => {}
        (Some(LABELS), _) => return Err(format!("it holds labels where {what} are expected")),
        (Some(IMAGES), _) => return Err(format!("it holds images where {what} are expected")),
        (Some(found), _) => {
            return Err(format!(
                "it starts with {found:#010x}, not with {magic:#010x}: no idx file of {what}"
            ));
        }
        (None, _) => {}
    }
    let Some((header, rest)) = bytes.split_at_checked(4 * N) else {
        return Err(format!(
            "it ends after {} bytes, in its header",
            bytes.len()
        ));
    };
    let mut numbers = [0; N];
    for (number, bytes) in numbers.iter_mut().zip(header.as_chunks().0) {
        *number = u32::from_be_bytes(*bytes);
    }
    Ok((numbers, rest))
}

/// A file's bytes, unpacked if it ends in `.gz`.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    let is_packed = path.extension().is_some_and(|ending| ending == "gz");
    let read = match is_packed {
        true => flate2::read::MultiGzDecoder::new(file)
            .take(LARGEST + 1)
            .read_to_end(&mut bytes),
        false => file.take(LARGEST + 1).read_to_end(&mut bytes),
    };
    match read {
        Err(error) if is_packed => Err(format!("it is no complete gzip file ({error})")),
        Err(error) => Err(error.to_string()),
        Ok(count) if count as u64 > LARGEST => {
            let how = if is_packed { "unpacks to" } else { "is" };
            Err(format!(
                "it {how} more than {LARGEST} bytes, twice what MNIST has"
            ))
        }
        Ok(_) => Ok(bytes),
    }
}
