//! Grey images of one size.

use super::source::Data;
use crate::tensors::{Points, points};
use crate::{Error, Rng};
use std::fmt;

/// Grey images of one size, perhaps with a label each.
///
/// # Examples
/// Two images of 1 x 2 pixels:
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let images = Images::new((1, 2), vec![0, 255, 255, 0], Some(vec![7, 3]))?;
/// assert_eq!(images.points()?.as_vec(), [-1.0, 1.0, 1.0, -1.0]);
/// assert_eq!(images.without_label(7)?.labels(), Some([3].as_slice()));
/// assert_eq!(images.sample(2, &mut rng(0))?, images);
/// assert_eq!(format!("{:?}", images.first(1)?), "1 image of 1 x 2 pixels, labelled");
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Images {
    size: (usize, usize),
    pixels: Vec<u8>,
    labels: Option<Vec<u8>>,
    /// For each image, whether it had colours; empty where none had.
    coloured: Vec<bool>,
}

impl Images {
    /// Images of this height and width from their pixels, row by row and image by image, 0 black and
    /// 255 white.
    ///
    /// # Errors
    /// If there is no image, the pixels are no whole number of images, or there are not as many
    /// labels as images.
    pub fn new(
        size: (usize, usize),
        pixels: Vec<u8>,
        labels: Option<Vec<u8>>,
    ) -> Result<Self, Error> {
        let each = size.0.saturating_mul(size.1);
        if each == 0 || pixels.is_empty() || !pixels.len().is_multiple_of(each) {
            return Err(Error::Data(format!(
                "{} pixels are no images of {} x {}",
                pixels.len(),
                size.0,
                size.1
            )));
        }
        let count = pixels.len() / each;
        if let Some(labels) = &labels
            && labels.len() != count
        {
            let found = labels.len();
            return Err(Error::Data(format!("{found} labels for {count} images")));
        }
        Ok(Self {
            size,
            pixels,
            labels,
            coloured: Vec::new(),
        })
    }

    /// The same images, some of which had colours before.
    pub(super) fn with_coloured(self, coloured: Vec<bool>) -> Self {
        let some = coloured.contains(&true);
        Self {
            coloured: if some { coloured } else { Vec::new() },
            ..self
        }
    }

    /// The number of images, at least 1.
    #[allow(clippy::len_without_is_empty)] // It never is.
    pub fn len(&self) -> usize {
        self.pixels.len() / (self.size.0 * self.size.1)
    }

    /// Height and width.
    pub fn size(&self) -> (usize, usize) {
        self.size
    }

    /// A label for each image, if they have labels.
    pub fn labels(&self) -> Option<&[u8]> {
        self.labels.as_deref()
    }

    /// All pixels, row by row and image by image.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The images as points, `(N, height · width)`, with values from -1, black, to 1, white.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub fn points(&self) -> Result<Points, Error> {
        self.points_of(0..self.len())
    }

    fn points_of(&self, numbers: impl ExactSizeIterator<Item = usize>) -> Result<Points, Error> {
        let shape = (numbers.len(), self.size.0 * self.size.1);
        let mut values = Vec::with_capacity(shape.0 * shape.1);
        for i in numbers {
            let pixels = &self.pixels[i * shape.1..(i + 1) * shape.1];
            values.extend(pixels.iter().map(|p| f32::from(*p) / 127.5 - 1.0));
        }
        points(values, shape)
    }

    /// The first `n` images.
    ///
    /// # Errors
    /// If there are fewer, or `n` is 0.
    pub fn first(&self, n: usize) -> Result<Self, Error> {
        if n == 0 || n > self.len() {
            let count = self.len();
            return Err(Error::Data(format!(
                "the first {n} of {count} images: take 1 to {count}"
            )));
        }
        self.chosen(|i| i < n, "")
    }

    /// `n` different images, drawn at random, in their order.
    ///
    /// # Errors
    /// If there are fewer, or `n` is 0.
    pub fn sample(&self, n: usize, rng: &mut Rng) -> Result<Self, Error> {
        let count = self.len();
        if n == 0 || n > count {
            return Err(Error::Data(format!(
                "a sample of {n} of {count} images: take 1 to {count}"
            )));
        }
        let mut is_drawn = vec![false; count];
        for i in rand::seq::index::sample(rng, count, n) {
            is_drawn[i] = true;
        }
        self.chosen(|i| is_drawn[i], "")
    }

    /// The images with this label.
    ///
    /// # Errors
    /// If the images have no labels, or none has this one.
    pub fn with_label(&self, label: u8) -> Result<Self, Error> {
        let labels = self.labels.as_deref().ok_or_else(unlabelled)?;
        self.chosen(|i| labels[i] == label, &format!("with label {label}"))
    }

    /// The images with any other label.
    ///
    /// # Errors
    /// If the images have no labels, or all have this one.
    pub fn without_label(&self, label: u8) -> Result<Self, Error> {
        let labels = self.labels.as_deref().ok_or_else(unlabelled)?;
        self.chosen(|i| labels[i] != label, &format!("without label {label}"))
    }

    fn chosen(&self, wanted: impl Fn(usize) -> bool, which: &str) -> Result<Self, Error> {
        let images = self
            .pixels
            .chunks_exact(self.size.0 * self.size.1)
            .enumerate();
        let pixels: Vec<u8> = images
            .filter(|(i, _)| wanted(*i))
            .flat_map(|(_, pixels)| pixels.iter().copied())
            .collect();
        if pixels.is_empty() {
            return Err(Error::Data(format!("no image {which}")));
        }
        let labels = self.labels.as_ref().map(|labels| {
            let labels = labels.iter().enumerate().filter(|(i, _)| wanted(*i));
            labels.map(|(_, label)| *label).collect()
        });
        let coloured = self.coloured.iter().enumerate();
        let coloured = coloured.filter(|(i, _)| wanted(*i)).map(|(_, had)| *had);
        Ok(Self::new(self.size, pixels, labels)?.with_coloured(coloured.collect()))
    }
}

/// The images as points, with values from -1 to 1, made as they are asked for.
impl Data for Images {
    fn dimension(&self) -> usize {
        self.size.0 * self.size.1
    }

    fn sample(&self, n: usize, rng: &mut Rng) -> Result<Points, Error> {
        let count = self.len();
        if n > count {
            let expected = format!("{n} or more for a sample of {n} different ones");
            return Err(Error::shape("the images", count, expected));
        }
        self.points_of(rand::seq::index::sample(rng, count, n).into_iter())
    }

    fn count(&self) -> Option<usize> {
        Some(self.len())
    }

    fn points_at(&self, numbers: &[usize]) -> Result<Points, Error> {
        if let Some(wrong) = numbers.iter().find(|number| **number >= self.len()) {
            return Err(Error::Data(format!(
                "{} images, and none of number {wrong}, counted from 0",
                self.len()
            )));
        }
        self.points_of(numbers.iter().copied())
    }
}

fn unlabelled() -> Error {
    Error::Data("the images have no labels to choose by".into())
}

/// Number and size, whether there are labels, and how many had colours before they became grey.
impl fmt::Display for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, (height, width)) = (self.len(), self.size);
        let images = if count == 1 { "image" } else { "images" };
        let labelled = self.labels.as_ref().map_or("", |_| ", labelled");
        write!(f, "{count} {images} of {height} x {width} pixels{labelled}")?;
        match self.coloured.iter().filter(|had| **had).count() {
            0 => Ok(()),
            1 => f.write_str("; 1 colour image became grey"),
            n => write!(f, "; {n} colour images became grey"),
        }
    }
}

impl fmt::Debug for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
