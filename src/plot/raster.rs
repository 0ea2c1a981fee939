//! From plotters' pixels to a small PNG.

use crate::Error;
use std::collections::{BTreeMap, HashMap};

/// A bitmap is drawn this many times larger and averaged: plotters draws slanted lines with steps.
pub(crate) const OVERSAMPLING: u32 = 4;

/// Averages squares of [`OVERSAMPLING`]² pixels.
pub(crate) fn shrink(pixels: &[u8], width: usize) -> Vec<u8> {
    let k = OVERSAMPLING as usize;
    let mut small = Vec::with_capacity(pixels.len() / (k * k));
    for rows in pixels.chunks_exact(3 * width * k) {
        for x in (0..width).step_by(k) {
            for channel in 0..3 {
                let square = (0..k).flat_map(|dy| (0..k).map(move |dx| (dx, dy)));
                let value = |(dx, dy)| usize::from(rows[3 * (dy * width + x + dx) + channel]);
                let sum: usize = square.map(value).sum();
                small.push(((sum + k * k / 2) / (k * k)) as u8);
            }
        }
    }
    small
}

type Rgb = [u8; 3];

/// A PNG with a palette: the 256 most frequent colours, and for each rarer one (the mixed pixels
/// at the edges of lines) the nearest of them. Half the size of all colours, and looks the same.
pub(crate) fn encode(rgb: &[u8], width: u32, height: u32) -> Result<Vec<u8>, Error> {
    let pixels: Vec<Rgb> = rgb.chunks_exact(3).map(|p| [p[0], p[1], p[2]]).collect();
    let mut counts: BTreeMap<Rgb, usize> = BTreeMap::new();
    for pixel in &pixels {
        *counts.entry(*pixel).or_default() += 1;
    }
    let mut colours: Vec<(Rgb, usize)> = counts.into_iter().collect();
    colours.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let palette: Vec<Rgb> = colours
        .iter()
        .take(256)
        .map(|(colour, _)| *colour)
        .collect();
    let index: HashMap<Rgb, u8> = colours
        .iter()
        .map(|(c, _)| (*c, nearest(&palette, *c)))
        .collect();
    let indices: Vec<u8> = pixels.iter().map(|pixel| index[pixel]).collect();

    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette.concat());
    encoder.set_compression(png::Compression::High);
    encoder.set_filter(png::Filter::NoFilter);
    let written = encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(&indices));
    written.map_err(|error| Error::Figure(error.to_string()))?;
    Ok(file)
}

fn nearest(palette: &[Rgb], colour: Rgb) -> u8 {
    let distance = |other: &Rgb| -> u32 {
        let channels = other.iter().zip(&colour);
        channels
            .map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2))
            .sum()
    };
    let best = palette
        .iter()
        .enumerate()
        .min_by_key(|(_, other)| distance(other));
    best.map_or(0, |(i, _)| i as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_are_averaged() {
        // One white pixel of 16 in an otherwise black square, beside a grey one.
        let mut pixels = [0; 3 * 8 * 4];
        pixels[0] = 255;
        for row in pixels.chunks_exact_mut(24) {
            row[12..].fill(100);
        }
        assert_eq!(shrink(&pixels, 8), [16, 0, 0, 100, 100, 100]);
    }

    #[test]
    fn few_colours_are_kept_exactly() {
        let rgb = [10, 20, 30, 200, 100, 0, 10, 20, 30, 255, 255, 255];
        let file = encode(&rgb, 2, 2).unwrap();
        let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        assert_eq!(pixels, rgb);
    }
}
