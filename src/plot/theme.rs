//! Colours, sizes and the font that all figures share.

use plotters::style::full_palette::{GREY_300, GREY_700};
use plotters::style::{FontFamily, FontStyle, RGBColor, TextStyle};
use std::sync::Once;

/// A colour. The palette (Okabe and Ito, 2008) can be told apart with any colour vision.
///
/// # Examples
/// ```
/// use energy_discrepancy::plot::Color;
/// assert_eq!(Color::ramp(4).len(), 4);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color(pub u8, pub u8, pub u8);

impl Color {
    /// Black.
    pub const BLACK: Color = Color(0, 0, 0);
    /// Grey, for what is not the figure's subject.
    pub const GREY: Color = Color(120, 120, 120);
    /// Blue.
    pub const BLUE: Color = Color(0, 114, 178);
    /// Vermilion.
    pub const VERMILION: Color = Color(213, 94, 0);
    /// Green.
    pub const GREEN: Color = Color(0, 158, 115);
    /// Reddish purple.
    pub const PURPLE: Color = Color(204, 121, 167);
    /// Orange.
    pub const ORANGE: Color = Color(230, 159, 0);
    /// Sky blue.
    pub const SKY: Color = Color(86, 180, 233);

    /// The colour of a chart's i-th line where none is set.
    pub(crate) fn of_line(i: usize) -> Color {
        const CYCLE: [Color; 7] = [
            Color::BLUE,
            Color::VERMILION,
            Color::GREEN,
            Color::PURPLE,
            Color::ORANGE,
            Color::SKY,
            Color::BLACK,
        ];
        CYCLE[i % CYCLE.len()]
    }

    /// `n` colours from dark to light, for lines that are ordered by a number (viridis, without
    /// its yellow end, which is too light on white).
    pub fn ramp(n: usize) -> Vec<Color> {
        use plotters::style::colors::colormaps::{ColorMap, ViridisRGB};
        let last = n.saturating_sub(1).max(1) as f64;
        let at = |i: usize| {
            let RGBColor(r, g, b) = ViridisRGB.get_color(0.85 * i as f64 / last);
            Color(r, g, b)
        };
        (0..n).map(at).collect()
    }

    pub(crate) fn rgb(self) -> RGBColor {
        RGBColor(self.0, self.1, self.2)
    }
}

pub(crate) const GRID: RGBColor = GREY_300;
pub(crate) const MARKER: RGBColor = GREY_700;

/// How strong the colour of a band is.
pub(crate) const BAND: f64 = 0.22;

/// Sizes in pixels of the final picture.
pub(crate) const LINE_WIDTH: f64 = 1.8;
pub(crate) const DISC: f64 = 2.6;
pub(crate) const TITLE: f64 = 16.0;
pub(crate) const LABEL: f64 = 15.0;
pub(crate) const TICK: f64 = 13.0;
/// Around the frame of a bare chart, and above it where it has a title.
pub(crate) const BARE_MARGIN: u32 = 12;
pub(crate) const BARE_TITLE: u32 = 20;

const FAMILY: &str = "sans-serif";

/// The bundled font at a size in pixels.
pub(crate) fn font(size: f64) -> TextStyle<'static> {
    static REGISTER: Once = Once::new();
    REGISTER.call_once(|| {
        let font = include_bytes!("../../assets/fonts/DejaVuSans-subset.ttf");
        // Fails only on a broken file; a test draws text.
        let _ = plotters::style::register_font(FAMILY, FontStyle::Normal, font);
    });
    TextStyle::from((FontFamily::SansSerif, size))
}
