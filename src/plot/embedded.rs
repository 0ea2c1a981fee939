//! Pictures in an SVG document as PNG: a rectangle for each stretch of one colour would take megabytes.

use super::raster;
use crate::Error;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use plotters::prelude::RGBColor;
use std::cell::RefCell;

/// The pictures of a document that is being drawn. In it a rectangle of a colour of its own holds the place
/// of each, since plotters writes no images.
#[derive(Default)]
pub(crate) struct Embedded(RefCell<Vec<Vec<u8>>>);

/// Pixels to be filled with rectangles.
pub(crate) struct Canvas {
    rgb: Vec<u8>,
    size: (u32, u32),
}

/// How much finer an embedded picture is than the document's own pixels.
const FINER: u32 = 2;

impl Canvas {
    /// For a place of so many pixels of the document.
    pub(crate) fn of(width: u32, height: u32) -> Self {
        let size = (FINER * width, FINER * height);
        let rgb = vec![255; 3 * size.0 as usize * size.1 as usize];
        Self { rgb, size }
    }

    /// Fills the pixels between two corners, given as shares of width and height.
    pub(crate) fn fill(&mut self, [a, b]: [(f64, f64); 2], color: RGBColor) {
        let between = |a: f64, b: f64, size: u32| {
            let size = f64::from(size);
            let pixel = |share: f64| (share * size).round().clamp(0.0, size) as usize;
            pixel(a.min(b))..pixel(a.max(b))
        };
        let columns = between(a.0, b.0, self.size.0);
        let width = self.size.0 as usize;
        for y in between(a.1, b.1, self.size.1) {
            let row = &mut self.rgb[3 * (y * width + columns.start)..3 * (y * width + columns.end)];
            for pixel in row.chunks_exact_mut(3) {
                pixel.copy_from_slice(&[color.0, color.1, color.2]);
            }
        }
    }
}

impl Embedded {
    /// Keeps a picture, and says in which colour to draw its place.
    pub(crate) fn add(&self, canvas: &Canvas) -> Result<RGBColor, Error> {
        let png = raster::encode(&canvas.rgb, canvas.size.0, canvas.size.1)?;
        let mut pictures = self.0.borrow_mut();
        pictures.push(png);
        Ok(place(pictures.len() - 1))
    }

    /// The document with the pictures in their places.
    pub(crate) fn put_into(self, mut document: String) -> String {
        for (index, png) in self.0.into_inner().into_iter().enumerate() {
            let RGBColor(r, g, b) = place(index);
            // As plotters writes it: place and size come before the colours.
            let fill = format!("fill=\"#{r:02X}{g:02X}{b:02X}\"");
            let found = document.find(&fill).and_then(|at| {
                let start = document[..at].rfind("<rect")?;
                let sizes = start + "<rect".len()..start + document[start..at].find(" opacity")?;
                let end = at + document[at..].find("/>")? + "/>".len();
                Some((start..end, document[sizes].to_owned()))
            });
            if let Some((element, sizes)) = found {
                let data = STANDARD.encode(png);
                let image = format!(
                    "<image{sizes} preserveAspectRatio=\"none\" image-rendering=\"pixelated\" \
                     href=\"data:image/png;base64,{data}\"/>"
                );
                document.replace_range(element, &image);
            }
        }
        document
    }
}

/// No figure draws anything else in these colours: there are 64 charts at most.
fn place(index: usize) -> RGBColor {
    RGBColor(1, 2, index as u8)
}
