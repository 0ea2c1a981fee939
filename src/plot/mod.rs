//! Figures: a description that can be drawn as PNG or SVG, and shows itself in a notebook cell.
//!
//! [`Chart`] describes one pair of axes, [`Figure`] one or several in a grid. The font is part
//! of the crate, so that a figure has the same pixels on every machine.

mod area;
mod axis;
mod bitmap;
mod chart;
mod clip;
mod color_bar;
mod color_scale;
mod decimal;
mod density_map;
mod draw;
mod embedded;
mod figure;
#[cfg(test)]
mod figure_tests;
mod image_grid;
mod legend;
mod line;
mod pair_maps;
mod picture;
mod plane;
mod raster;
mod room;
mod stroke;
mod text;
mod theme;

pub use chart::Chart;
pub use color_scale::ColorScale;
pub use density_map::DensityMap;
pub use figure::Figure;
pub use image_grid::{ImageGrid, ImageRows};
pub use legend::Legend;
pub use line::Line;
pub use pair_maps::PairMaps;
pub use theme::Color;
