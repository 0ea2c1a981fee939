//! What fills a chart's plane below its lines.

use super::area::Patch;
use super::density_map::DensityMap;
use super::image_grid::ImageGrid;
use crate::Error;
use std::ops::Range;

/// Pixels that images take in a figure at most, unless a size is given: twelve images of 28 x 28 pixels
/// beside each other, twice as large and with the lines between them.
const LARGEST: usize = 2 * (12 * 29 + 1);

/// A picture of coloured rectangles.
#[derive(Clone, Debug)]
pub(crate) enum Picture {
    Map(DensityMap),
    Images(ImageGrid),
}

impl Picture {
    /// What the picture covers of both axes.
    pub(crate) fn ranges(&self) -> Result<[Range<f64>; 2], Error> {
        match self {
            Self::Map(map) => {
                map.side()?;
                Ok([map.x.clone(), map.y.clone()])
            }
            Self::Images(grid) => {
                let (width, height) = grid.extent()?;
                Ok([0.0..width as f64, 0.0..height as f64])
            }
        }
    }

    /// The rectangles, in the order to draw them.
    pub(crate) fn patches(&self) -> Result<Vec<Patch>, Error> {
        match self {
            Self::Map(map) => map.rectangles(),
            Self::Images(grid) => grid.patches(),
        }
    }

    /// The size of the plane that shows each pixel of images as a square of whole pixels.
    pub(crate) fn natural_size(&self) -> Result<Option<(u32, u32)>, Error> {
        let Self::Images(grid) = self else {
            return Ok(None);
        };
        let (width, height) = grid.extent()?;
        let times = (LARGEST / width.max(height)).clamp(1, 6);
        Ok(Some(((width * times) as u32, (height * times) as u32)))
    }
}
