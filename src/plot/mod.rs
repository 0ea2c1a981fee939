//! Figures: a description that can be drawn as PNG or SVG, and shows itself in a notebook cell.
//!
//! [`Chart`] describes one pair of axes, [`Figure`] one or several side by side. The font is part
//! of the crate, so that a figure has the same pixels on every machine.

mod axis;
mod chart;
mod clip;
mod density_map;
mod draw;
mod figure;
mod legend;
mod line;
mod raster;
mod stroke;
mod theme;

pub use chart::Chart;
pub use density_map::DensityMap;
pub use figure::Figure;
pub use legend::Legend;
pub use line::Line;
pub use theme::Color;
