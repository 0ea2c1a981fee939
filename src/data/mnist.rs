//! The handwritten digits of MNIST.

use super::idx;
use super::images::Images;
use crate::Error;
use std::path::{Path, PathBuf};

/// MNIST: 60,000 images of handwritten digits to train on and 10,000 to test with, 28 x 28 pixels.
///
/// Source: LeCun, Cortes, Burges, *The MNIST database of handwritten digits*. `make data` puts its four
/// files into the folder `data/mnist`.
///
/// # Examples
/// A folder with the first digits of both parts, as the tests have it:
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let digits = Mnist::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mnist"))?;
/// assert_eq!(format!("{:?}", digits.train), "400 images of 28 x 28 pixels, labelled");
/// assert_eq!(digits.train.labels().unwrap()[..5], [5, 0, 4, 1, 9]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Mnist {
    /// The images to train on.
    pub train: Images,
    /// The images to test with.
    pub test: Images,
}

/// The files with the MD5 checksums of the complete ones.
const FILES: [(&str, &str); 4] = [
    (
        "train-images-idx3-ubyte",
        "6bbc9ace898e44ae57da46a324031adb",
    ),
    (
        "train-labels-idx1-ubyte",
        "a25bea736e30d166cdddb491f175f624",
    ),
    ("t10k-images-idx3-ubyte", "2646ac647ad5339dbf082846283269ea"),
    ("t10k-labels-idx1-ubyte", "27ae3e4e09519cfbb04c329615203637"),
];

/// Images of the complete parts, as the crate `mnist` insists on.
const COMPLETE: (usize, usize) = (60_000, 10_000);
const SIZE: (usize, usize) = (28, 28);

impl Mnist {
    /// Reads the four files of a folder, each raw or packed (`.gz`). They may hold fewer images than
    /// the complete set.
    ///
    /// # Errors
    /// If files are missing: the message names all four, and what to do. If one is cut off, holds
    /// something else than its name says, unpacks to far more than it should, or images and labels differ
    /// in number.
    pub fn read(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = folder.as_ref();
        let found = FILES.map(|(name, _)| find(folder, name));
        let [
            Some(train),
            Some(train_labels),
            Some(test),
            Some(test_labels),
        ] = found
        else {
            return Err(Error::read(folder, missing(folder)));
        };
        let paths = [train, train_labels, test, test_labels];
        // The crate `mnist` reads files that are not packed, at paths in UTF-8.
        let (mut plain, mut unpacked) = (paths.clone(), Vec::new());
        for plain in &mut plain {
            if idx::is_packed(plain) || plain.to_str().is_none() {
                let file = idx::unpack(plain)?;
                *plain = file.to_path_buf();
                unpacked.push(file);
            }
        }
        let train = part([&paths[0], &paths[1]], [&plain[0], &plain[1]])?;
        let test = part([&paths[2], &paths[3]], [&plain[2], &plain[3]])?;
        let has = |part: &Part, count| part.0.count == count && part.0.size == SIZE;
        if has(&train, COMPLETE.0) && has(&test, COMPLETE.1) {
            return complete(folder, &plain);
        }
        let read = |(images, labels): Part, path: &Path| {
            let (size, pixels) = (images.size, images.pixels());
            let pixels = pixels.map_err(|reason| Error::read(path, reason))?;
            Images::new(size, pixels, Some(labels))
        };
        Ok(Self {
            train: read(train, &paths[0])?,
            test: read(test, &paths[2])?,
        })
    }
}

/// The file of this name in the folder, in one of the ways that it goes by.
fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let dotted = name.replace("-idx", ".idx");
    let names = [name, &dotted].map(|name| [name.to_owned(), format!("{name}.gz")]);
    let mut paths = names.into_iter().flatten().map(|name| folder.join(name));
    paths.find(|path| path.is_file())
}

fn missing(folder: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default().join(folder);
    let files = FILES.map(|(name, md5)| format!("{name} (md5 {md5})"));
    format!(
        "MNIST is not complete there. `make data` downloads it; or put these four files, as they are or \
         as .gz, into {}: {}",
        here.display(),
        files.join(", ")
    )
}

/// Images, whose pixels are still in their file, with their labels.
type Part = (idx::Images, Vec<u8>);

/// A part of the set, checked, from what are those files unpacked.
fn part([images, labels]: [&Path; 2], plain: [&Path; 2]) -> Result<Part, Error> {
    let read = idx::Images::open(plain[0]).map_err(|reason| Error::read(images, reason))?;
    let numbers = idx::labels(plain[1]).map_err(|reason| Error::read(labels, reason))?;
    if numbers.len() != read.count {
        let reason = format!(
            "{} labels for the {} images of {}",
            numbers.len(),
            read.count,
            images.display()
        );
        return Err(Error::read(labels, reason));
    }
    Ok((read, numbers))
}

/// The complete set, by the crate `mnist`. It panics where a file is not as it should be, so they were
/// checked before.
fn complete(folder: &Path, plain: &[PathBuf; 4]) -> Result<Mnist, Error> {
    let [
        Some(train),
        Some(train_labels),
        Some(test),
        Some(test_labels),
    ] = plain.each_ref().map(|path| path.to_str())
    else {
        let reason = "the folder for temporary files has a name that is not UTF-8";
        return Err(Error::write(&std::env::temp_dir(), reason));
    };
    let parse = || {
        mnist::MnistBuilder::new()
            .base_path("")
            .training_images_filename(train)
            .training_labels_filename(train_labels)
            .test_images_filename(test)
            .test_labels_filename(test_labels)
            .label_format_digit()
            .training_set_length(COMPLETE.0 as u32)
            .validation_set_length(0)
            .test_set_length(COMPLETE.1 as u32)
            .finalize()
    };
    let changed = |_| Error::read(folder, "a file has changed while it was read");
    let mut parsed = std::panic::catch_unwind(parse).map_err(changed)?;
    // It has held the other part too.
    parsed.trn_img.shrink_to_fit();
    Ok(Mnist {
        train: Images::new(SIZE, parsed.trn_img, Some(parsed.trn_lbl))?,
        test: Images::new(SIZE, parsed.tst_img, Some(parsed.tst_lbl))?,
    })
}
