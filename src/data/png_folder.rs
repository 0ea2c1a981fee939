//! A folder of PNG images.

use super::Images;
use crate::{Error, file};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// No image, and not all together, may make more of the memory.
const LARGEST: usize = 1 << 30;

impl Images {
    /// All files of a folder that end in `.png`, in the order of their names, as grey images without
    /// labels.
    ///
    /// A colour becomes its luma, 0.299 R + 0.587 G + 0.114 B, before a black ground where it is
    /// transparent; of 16 bits the upper 8 are kept.
    ///
    /// # Errors
    /// If there is no such folder or no such file in it, a file is no complete PNG image, or images
    /// differ in size: the message names the file.
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
        let fails = |error: std::io::Error| Error::read(folder, error);
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(fails)? {
            let path = entry.map_err(fails)?.path();
            let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
            if ending == "png" && path.is_file() {
                paths.push(path);
            }
        }
        paths.sort();
        let mut pixels = Vec::new();
        let mut first: Option<(&PathBuf, (usize, usize))> = None;
        for path in &paths {
            let (size, image) = read(path).map_err(|reason| Error::read(path, reason))?;
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
            pixels.extend(image);
            if pixels.len() > LARGEST {
                return Err(Error::read(
                    folder,
                    format!("more than {LARGEST} pixels in all"),
                ));
            }
        }
        match first {
            Some((_, size)) => Images::new(size, pixels, None),
            None => Err(Error::read(folder, "no file in it ends in .png")),
        }
    }
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

/// Height, width and grey values.
fn read(path: &Path) -> Result<((usize, usize), Vec<u8>), String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let wrong = |error: png::DecodingError| format!("it is no complete PNG image ({error})");
    let mut decoder = png::Decoder::new(BufReader::new(file));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(wrong)?;
    let size = reader.output_buffer_size().filter(|size| *size <= LARGEST);
    let mut bytes = vec![0; size.ok_or_else(|| format!("it has more than {LARGEST} bytes"))?];
    let info = reader.next_frame(&mut bytes).map_err(wrong)?;
    bytes.truncate(info.buffer_size());
    let luma = |r: u8, g: u8, b: u8| {
        let sum = 299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b);
        ((sum + 500) / 1000) as u8
    };
    let over_black = |grey: u8, alpha: u8| ((u32::from(grey) * u32::from(alpha) + 127) / 255) as u8;
    let pixels = bytes.chunks_exact(info.color_type.samples());
    let grey = pixels.map(|pixel| match *pixel {
        [grey] => grey,
        [grey, alpha] => over_black(grey, alpha),
        [r, g, b] => luma(r, g, b),
        [r, g, b, alpha] => over_black(luma(r, g, b), alpha),
        _ => 0,
    });
    Ok(((info.height as usize, info.width as usize), grey.collect()))
}
