//! The handwritten digits of MNIST.

use super::{Images, idx};
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
        let mut contents = [const { Vec::new() }; 4];
        for (path, bytes) in paths.iter().zip(&mut contents) {
            *bytes = idx::read(path).map_err(|reason| Error::read(path, reason))?;
        }
        let train = part([&paths[0], &paths[1]], [&contents[0], &contents[1]])?;
        let test = part([&paths[2], &paths[3]], [&contents[2], &contents[3]])?;
        let counts = (train.len(), test.len());
        match counts == COMPLETE && train.size() == SIZE && test.size() == SIZE {
            true => complete(&contents),
            false => Ok(Self { train, test }),
        }
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

/// Images with their labels, checked.
fn part([images, labels]: [&Path; 2], bytes: [&[u8]; 2]) -> Result<Images, Error> {
    let (size, pixels) = idx::images(bytes[0]).map_err(|reason| Error::read(images, reason))?;
    let numbers = idx::labels(bytes[1]).map_err(|reason| Error::read(labels, reason))?;
    let count = pixels.len() / (size.0 * size.1);
    if numbers.len() != count {
        let reason = format!(
            "{} labels for the {count} images of {}",
            numbers.len(),
            images.display()
        );
        return Err(Error::read(labels, reason));
    }
    Images::new(size, pixels.to_vec(), Some(numbers.to_vec()))
}

/// The complete set, by the crate `mnist`. It panics where a file is not as it should be, so it gets
/// the bytes that were checked, in a folder of their own.
fn complete(contents: &[Vec<u8>; 4]) -> Result<Mnist, Error> {
    let folder = tempfile::tempdir().map_err(|error| Error::write(&std::env::temp_dir(), error))?;
    for ((name, _), bytes) in FILES.iter().zip(contents) {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).map_err(|error| Error::write(&path, error))?;
    }
    let Some(path) = folder.path().to_str() else {
        let reason = "the folder for temporary files has a name that is not UTF-8";
        return Err(Error::write(folder.path(), reason));
    };
    let parsed = mnist::MnistBuilder::new()
        .base_path(path)
        .label_format_digit()
        .training_set_length(COMPLETE.0 as u32)
        .validation_set_length(0)
        .test_set_length(COMPLETE.1 as u32)
        .finalize();
    Ok(Mnist {
        train: Images::new(SIZE, parsed.trn_img, Some(parsed.trn_lbl))?,
        test: Images::new(SIZE, parsed.tst_img, Some(parsed.tst_lbl))?,
    })
}
