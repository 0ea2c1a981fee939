//! A folder of PNG images.

use super::foreign;
use super::images::Images;
use crate::{Error, file};
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// All images together may not have more pixels.
const LARGEST: usize = 1 << 30;

/// No image may unpack to more bytes.
const LARGEST_IMAGE: usize = 32 << 20;

/// No byte of a PNG file unpacks to more: deflate's best is 1032.
const UNPACKED: usize = 1100;

impl Images {
    /// All files of a folder that end in `.png`, in the order of their names, as grey images without
    /// labels. Hidden files (`.name`) and sub-folders are left alone.
    ///
    /// Colours become grey, their luma 0.299 R + 0.587 G + 0.114 B, before a black ground where they
    /// are transparent; of how many images is part of what they show of themselves. Of images of 16 bits a value, white is the largest that the bits in use can
    /// hold, over all of these images: 4095 where none is brighter, as cameras of 12 bits write them.
    /// Images need not be square; [`Generator::for_side`](crate::lebm::Generator::for_side) makes
    /// square ones only.
    ///
    /// # Errors
    /// If there is no such folder or no such file in it, a file is no complete PNG image, an image is
    /// black all over although its transparency is not the same all over, an image unpacks to more than
    /// 32 MiB, or images differ in size: the message names the file.
    ///
    /// # Examples
    /// ```no_run
    /// use energy_discrepancy::prelude::*;
    ///
    /// let images = Images::read_png_folder("my_digits")?;
    /// let generator = Generator::for_side(images.size().0, 32, 16, 0)?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn read_png_folder(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = folder.as_ref();
        if folder.is_file() {
            let message = "it is a file: name the folder that it is in";
            return Err(Error::read(folder, message));
        }
        let paths = visible(folder).map_err(|error| Error::read(folder, error))?;
        let pngs: Vec<&PathBuf> = paths
            .iter()
            .filter(|path| ends_in(path, &["png"]))
            .collect();
        let (mut pixels, mut is_deep, mut coloured) = (Vec::new(), Vec::new(), Vec::new());
        let mut first: Option<(&PathBuf, (usize, usize))> = None;
        for path in pngs {
            let image = read(path).map_err(|reason| Error::read(path, reason))?;
            let size = image.size;
            let (from, expected) = *first.get_or_insert((path, size));
            if size != expected {
                let reason = format!(
                    "it has {} x {} pixels, but {} has {} x {}: one size for all is needed",
                    size.0,
                    size.1,
                    from.display(),
                    expected.0,
                    expected.1
                );
                return Err(Error::read(path, reason));
            }
            pixels.extend(image.grey);
            is_deep.push(image.is_deep);
            coloured.push(image.is_coloured);
            if pixels.len() > LARGEST {
                return Err(Error::read(
                    folder,
                    format!("more than {LARGEST} pixels in all"),
                ));
            }
        }
        match first {
            Some((_, size)) => {
                let images = Images::new(size, in_8_bits(&pixels, size, &is_deep), None)?;
                Ok(images.with_coloured(coloured))
            }
            None => Err(Error::read(folder, without_png(&paths))),
        }
    }
}

/// What is in a folder, hidden files apart, in the order of names.
fn visible(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

fn ends_in(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    path.is_file() && endings.iter().any(|known| ending == *known)
}

/// Why a folder has no images, and what to do.
fn without_png(paths: &[PathBuf]) -> String {
    let others = ["jpg", "jpeg", "gif", "bmp", "tif", "tiff", "webp"];
    let count = paths.iter().filter(|path| ends_in(path, &others)).count();
    if count > 0 {
        return format!(
            "no file in it ends in .png, and {count} in .jpg or the like: convert them to PNG first, \
             with ImageMagick for example by `mogrify -format png *.jpg`"
        );
    }
    let has_png = |path: &&PathBuf| {
        let inside = visible(path).unwrap_or_default();
        path.is_dir() && inside.iter().any(|path| ends_in(path, &["png"]))
    };
    match paths.iter().find(has_png) {
        Some(inner) => format!(
            "no file in it ends in .png, but its sub-folders have such: read one at a time, {} for \
             example",
            inner.display()
        ),
        None => "no file in it ends in .png".to_owned(),
    }
}

/// Grey values in 8 bits. Those of 16 bits are scaled by the bits that are in use.
fn in_8_bits(pixels: &[u16], size: (usize, usize), is_deep: &[bool]) -> Vec<u8> {
    let images = || pixels.chunks_exact(size.0 * size.1).zip(is_deep);
    let deep = images().filter(|(_, is_deep)| **is_deep);
    let brightest = deep.flat_map(|(image, _)| image).copied().max();
    // 255, 511, .. 65535.
    let white = (u32::from(brightest.unwrap_or(255).max(255)) + 1).next_power_of_two() - 1;
    let scaled = |(image, is_deep): (&[u16], &bool)| {
        let white = if *is_deep { white } else { 255 };
        let each = image
            .iter()
            .map(move |grey| ((u32::from(*grey) * 255 + white / 2) / white) as u8);
        each.collect::<Vec<_>>()
    };
    images().flat_map(scaled).collect()
}

impl Images {
    /// Writes each image as a grey PNG file into the folder, which is made where there is none: 00000.png,
    /// 00001.png and so on, with as many digits as the last one needs. Labels are not written.
    ///
    /// # Errors
    /// If the folder cannot be made, or a file not be written.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let images = Images::new((1, 2), vec![0, 255, 9, 90], None)?;
    /// # let temporary = tempfile::tempdir().unwrap();
    /// # let folder = temporary.path();
    /// images.write_png_folder(folder)?;
    /// assert_eq!(Images::read_png_folder(folder)?, images);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn write_png_folder(&self, folder: impl AsRef<Path>) -> Result<(), Error> {
        let folder = folder.as_ref();
        std::fs::create_dir_all(folder).map_err(|error| Error::write(folder, error))?;
        let (height, width) = self.size();
        let each = self.pixels().chunks_exact(height * width);
        // As many for all, so that the order of the names is that of the images.
        let digits = (self.len() - 1).to_string().len().max(5);
        for (i, pixels) in each.enumerate() {
            let path = folder.join(format!("{i:0digits$}.png"));
            let bytes = encode((height, width), pixels);
            file::write(&path, &bytes.map_err(|error| Error::write(&path, error))?)?;
        }
        Ok(())
    }
}

fn encode((height, width): (usize, usize), pixels: &[u8]) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    // A size that a u32 does not hold is none that the encoder takes.
    let [width, height] = [width, height].map(|side| u32::try_from(side).unwrap_or(0));
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(bytes)
}

struct Grey {
    /// Height and width.
    size: (usize, usize),
    grey: Vec<u16>,
    /// Whether the values have 16 bits, or else 8.
    is_deep: bool,
    /// Whether a pixel was not grey before.
    is_coloured: bool,
}

fn read(path: &Path) -> Result<Grey, String> {
    let file = std::fs::read(path).map_err(|error| error.to_string())?;
    let wrong = |error: png::DecodingError| match foreign::what(&file) {
        Some(what) if !file.starts_with(b"\x89PNG") => what,
        _ => format!("it is no complete PNG image ({error})"),
    };
    let mut decoder = png::Decoder::new(Cursor::new(&file));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(wrong)?;
    if reader
        .info()
        .palette
        .as_ref()
        .is_some_and(|palette| palette.len() % 3 != 0)
    {
        return Err("it is no complete PNG image (its palette is cut off)".to_owned());
    }
    let size = reader.output_buffer_size().unwrap_or(usize::MAX);
    if size > file.len().saturating_mul(UNPACKED) {
        let (bytes, info) = (file.len(), reader.info());
        return Err(format!(
            "it is no complete PNG image ({bytes} bytes cannot hold {} x {} pixels)",
            info.height, info.width
        ));
    }
    if size > LARGEST_IMAGE {
        return Err(format!(
            "it has more than {LARGEST_IMAGE} bytes unpacked: make it smaller"
        ));
    }
    let mut bytes = vec![0; size];
    let info = reader.next_frame(&mut bytes).map_err(wrong)?;
    bytes.truncate(info.buffer_size());
    let is_deep = info.bit_depth == png::BitDepth::Sixteen;
    let values: Vec<u16> = match is_deep {
        true => bytes
            .as_chunks()
            .0
            .iter()
            .map(|two| u16::from_be_bytes(*two))
            .collect(),
        false => bytes.into_iter().map(u16::from).collect(),
    };
    let pixels = || values.chunks_exact(info.color_type.samples());
    let white: u64 = if is_deep { 65535 } else { 255 };
    let grey: Vec<u16> = pixels().map(|pixel| over_black(pixel, white)).collect();
    // The alpha is the last of two or four values.
    let has_alpha = info.color_type.samples() % 2 == 0;
    let mut alphas = pixels().filter_map(|pixel| pixel.last().filter(|_| has_alpha));
    let first = alphas.next();
    if grey.iter().all(|grey| *grey == 0) && alphas.any(|alpha| Some(alpha) != first) {
        return Err(
            "it is black, with its shapes in the transparency: put it before a white ground first, \
             with ImageMagick for example by `mogrify -background white -flatten *.png`"
                .to_owned(),
        );
    }
    Ok(Grey {
        size: (info.height as usize, info.width as usize),
        grey,
        is_deep,
        is_coloured: pixels().any(is_coloured),
    })
}

/// Whether a pixel shows a colour before a black ground.
fn is_coloured(pixel: &[u16]) -> bool {
    match *pixel {
        [r, g, b] => r != g || g != b,
        [r, g, b, alpha] => alpha > 0 && (r != g || g != b),
        _ => false,
    }
}

/// A pixel's luma before a black ground.
fn over_black(pixel: &[u16], white: u64) -> u16 {
    let luma = |r: u16, g: u16, b: u16| {
        let sum = 299 * u64::from(r) + 587 * u64::from(g) + 114 * u64::from(b);
        (sum + 500) / 1000
    };
    let before_black = |grey: u64, alpha: u16| (grey * u64::from(alpha) + white / 2) / white;
    let grey = match *pixel {
        [grey] => u64::from(grey),
        [grey, alpha] => before_black(u64::from(grey), alpha),
        [r, g, b] => luma(r, g, b),
        [r, g, b, alpha] => before_black(luma(r, g, b), alpha),
        _ => 0,
    };
    grey as u16
}
