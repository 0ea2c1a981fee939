//! Small grey images side by side.

use super::area::Patch;
use crate::Error;
use crate::tensors::{Points, to_vec};
use dfdx::shapes::HasShape;
use plotters::prelude::RGBColor;

/// Between the images.
const GAP: RGBColor = RGBColor(140, 150, 165);
/// Where a pixel is not a number.
const NOT_A_NUMBER: RGBColor = RGBColor(220, 60, 50);
/// Greys that are told apart: more make long files and are not seen.
const GREYS: f32 = 63.0;
/// The most pixels along a side of all images together; a figure holds less.
const LONGEST: usize = 100_000;

/// Where the pixels of an [`ImageGrid`] come from: plain numbers, or [`Points`] with an image in each row.
pub trait ImageRows {
    /// All pixels, image after image.
    fn pixels(&self) -> Vec<f32>;

    /// How many pixels an image has, if that is known: the grid's size must be as large.
    fn each(&self) -> Option<usize> {
        None
    }
}

impl ImageRows for [f32] {
    fn pixels(&self) -> Vec<f32> {
        self.to_vec()
    }
}

impl<const N: usize> ImageRows for [f32; N] {
    fn pixels(&self) -> Vec<f32> {
        self.to_vec()
    }
}

impl ImageRows for Vec<f32> {
    fn pixels(&self) -> Vec<f32> {
        self.clone()
    }
}

impl ImageRows for Points {
    fn pixels(&self) -> Vec<f32> {
        to_vec(self)
    }

    fn each(&self) -> Option<usize> {
        Some(self.shape().1)
    }
}

/// Grey images of one size in rows and columns, with a thin line between them.
///
/// # Examples
/// ```
/// use energy_discrepancy::plot::{Chart, ImageGrid};
///
/// // Six images of 2 x 2 pixels, from black to white.
/// let pixels: Vec<f32> = (0..24).map(|i| -1.0 + i as f32 / 11.5).collect();
/// let grid = ImageGrid::new(&pixels, (2, 2)).columns(3);
/// assert!(Chart::new("Greys").images(grid).figure().svg()?.contains("Greys"));
/// # Ok::<(), energy_discrepancy::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ImageGrid {
    pixels: Vec<f32>,
    /// Pixels of an image, where the source says so.
    each: Option<usize>,
    size: (usize, usize),
    columns: Option<usize>,
}

impl ImageGrid {
    /// Images one after the other, each row by row, of this height and width, with values from -1,
    /// black, to 1, white. What lies outside is black or white; what is no number, red.
    ///
    /// A figure with pixels that are no whole number of images of that size is an error when it is drawn.
    /// [`Points`] say how long an image is, so that a size with another number of pixels is one too;
    /// plain numbers do not, and 40 images of 576 pixels are also 30 of 768.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::plot::{Chart, ImageGrid};
    /// use energy_discrepancy::prelude::*;
    /// use energy_discrepancy::dfdx::prelude::*;
    ///
    /// let images: Points = device()?.zeros_like(&(40, 576));
    /// assert!(Chart::new("").images(ImageGrid::new(&images, (24, 24))).figure().png().is_ok());
    /// let error = Chart::new("").images(ImageGrid::new(&images, (24, 32))).figure().png();
    /// assert!(error.unwrap_err().to_string().contains("images of 576 pixels are no images of 24 x 32"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new<I: ImageRows + ?Sized>(images: &I, size: (usize, usize)) -> Self {
        Self {
            pixels: images.pixels(),
            each: images.each(),
            size,
            columns: None,
        }
    }

    /// How many images stand side by side; without it, about as many as stand below each other.
    pub fn columns(mut self, columns: usize) -> Self {
        self.columns = Some(columns);
        self
    }

    /// Rows and columns of images.
    ///
    /// # Errors
    /// If there is no image, or the pixels are no whole number of them.
    fn layout(&self) -> Result<(usize, usize), Error> {
        let ((height, width), count) = (self.size, self.pixels.len());
        let each = height.saturating_mul(width);
        if let Some(other) = self.each.filter(|other| *other != each) {
            return Err(Error::Figure(format!(
                "images of {other} pixels are no images of {height} x {width} = {each} pixels"
            )));
        }
        if each == 0 || count == 0 || !count.is_multiple_of(each) {
            return Err(Error::Figure(format!(
                "{count} pixels are no images of {height} x {width} = {each} pixels"
            )));
        }
        let images = count / each;
        let whole_root = images.isqrt();
        let root = whole_root + usize::from(whole_root * whole_root < images);
        match self.columns.unwrap_or(root) {
            0 => Err(Error::Figure("images in 0 columns: 1 at least".into())),
            columns => Ok((images.div_ceil(columns), columns)),
        }
    }

    /// Width and height in pixels of the images, the lines included.
    ///
    /// # Errors
    /// As [`Self::layout`].
    pub(crate) fn extent(&self) -> Result<(usize, usize), Error> {
        let (rows, columns) = self.layout()?;
        let (height, width) = self.size;
        let side = |count: usize, each: usize| count.saturating_mul(each + 1).saturating_add(1);
        let (across, down) = (side(columns, width), side(rows, height));
        match across.max(down) <= LONGEST {
            true => Ok((across, down)),
            false => Err(Error::Figure(format!(
                "{rows} x {columns} images of {height} x {width}: {LONGEST} pixels along a side at most"
            ))),
        }
    }

    /// The lines' ground, then each image's stretches of one grey.
    ///
    /// # Errors
    /// As [`Self::layout`].
    pub(crate) fn patches(&self) -> Result<Vec<Patch>, Error> {
        let (_, columns) = self.layout()?;
        let (whole, top) = self.extent()?;
        let (height, width) = self.size;
        let patch = |(x, y): (usize, usize), (w, h): (usize, usize), color| {
            let corner = |x: usize, y: usize| (x as f64, (top - y) as f64);
            ([corner(x, y + h), corner(x + w, y)], color)
        };
        let mut patches = vec![patch((0, 0), (whole, top), GAP)];
        for (i, image) in self.pixels.chunks_exact(height * width).enumerate() {
            let (left, upper) = (
                (i % columns) * (width + 1) + 1,
                (i / columns) * (height + 1) + 1,
            );
            let black = color(-1.0);
            patches.push(patch((left, upper), (width, height), black));
            for (y, row) in image.chunks_exact(width).enumerate() {
                let mut x = 0;
                for stretch in row.chunk_by(|a, b| color(*a) == color(*b)) {
                    if color(stretch[0]) != black {
                        patches.push(patch(
                            (left + x, upper + y),
                            (stretch.len(), 1),
                            color(stretch[0]),
                        ));
                    }
                    x += stretch.len();
                }
            }
        }
        Ok(patches)
    }
}

fn color(value: f32) -> RGBColor {
    if value.is_nan() {
        return NOT_A_NUMBER;
    }
    let level = (0.5 * (value.clamp(-1.0, 1.0) + 1.0) * GREYS).round();
    let grey = (level / GREYS * 255.0).round() as u8;
    RGBColor(grey, grey, grey)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::{Chart, Figure};

    #[test]
    fn stretches_of_one_grey_are_one_patch() {
        let grid = ImageGrid::new(&[-1.0, 1.0, 1.0, f32::NAN, -3.0, 3.0], (1, 3)).columns(1);
        assert_eq!(grid.extent().unwrap(), (5, 5));
        let patches = grid.patches().unwrap();
        let black = RGBColor(0, 0, 0);
        let white = RGBColor(255, 255, 255);
        let expected = [
            ([(0.0, 0.0), (5.0, 5.0)], GAP),
            ([(1.0, 3.0), (4.0, 4.0)], black),
            ([(2.0, 3.0), (4.0, 4.0)], white),
            ([(1.0, 1.0), (4.0, 2.0)], black),
            ([(1.0, 1.0), (2.0, 2.0)], NOT_A_NUMBER),
            ([(3.0, 1.0), (4.0, 2.0)], white),
        ];
        assert_eq!(patches, expected);
    }

    #[test]
    fn the_default_is_nearly_square_and_a_row_may_be_short() {
        let extent = |images: usize| {
            ImageGrid::new(&vec![0.0; 4 * images], (2, 2))
                .extent()
                .unwrap()
        };
        assert_eq!([1, 5, 64].map(extent), [(4, 4), (10, 7), (25, 25)]);
    }

    #[test]
    fn impossible_grids_are_errors() {
        for grid in [
            ImageGrid::new(&[0.0; 5], (2, 2)),
            ImageGrid::new(&[], (2, 2)),
            ImageGrid::new(&[0.0; 4], (0, 2)),
            ImageGrid::new(&[0.0; 4], (2, 2)).columns(0),
            ImageGrid::new(&[0.0; 4], (2, 2)).columns(usize::MAX),
            ImageGrid::new(&[0.0; 4], (usize::MAX, usize::MAX)),
            ImageGrid::new(&vec![0.0; 200_000], (1, 200_000)),
        ] {
            let error = Chart::new("").images(grid).figure().png().unwrap_err();
            assert!(error.to_string().contains("images"), "{error}");
        }
    }

    #[test]
    fn pixels_are_squares_of_whole_pixels() {
        let grid = ImageGrid::new(&[1.0; 28 * 28 * 64], (28, 28));
        let figure = Figure::row([
            Chart::new("a").images(grid.clone()),
            Chart::new("b").images(grid),
        ]);
        let png = figure.png().unwrap();
        let width = u32::from_be_bytes(*png[16..].first_chunk().unwrap());
        // 8 images of 28 pixels and 9 lines, each twice as large, and a margin.
        assert_eq!(width, 2 * (2 * (8 * 29 + 1) + 12));
    }
}
