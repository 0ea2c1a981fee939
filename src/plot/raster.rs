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

/// A PNG with a palette of at most 256 colours, and for each other one (the mixed pixels at the edges
/// of lines) the nearest of them. Half the size of all colours, and looks the same.
pub(crate) fn encode(rgb: &[u8], width: u32, height: u32) -> Result<Vec<u8>, Error> {
    let pixels: Vec<Rgb> = rgb.chunks_exact(3).map(|p| [p[0], p[1], p[2]]).collect();
    let mut counts: BTreeMap<Rgb, usize> = BTreeMap::new();
    for pixel in &pixels {
        *counts.entry(*pixel).or_default() += 1;
    }
    let colours: Vec<(Rgb, usize)> = counts.into_iter().collect();
    let (palette, nearest) = quantise(&colours);
    let index: HashMap<Rgb, u8> = colours.iter().map(|(c, _)| *c).zip(nearest).collect();
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

/// A palette for these colours, each with its number of pixels, and each colour's place in it.
///
/// Greedy: the next colour is always the one whose pixels are most wrong without it. The most
/// frequent colours alone would leave out a small part of a figure whose colours are its own.
fn quantise(colours: &[(Rgb, usize)]) -> (Vec<Rgb>, Vec<u8>) {
    let mut palette: Vec<Rgb> = Vec::new();
    let mut nearest = vec![(0, u64::MAX); colours.len()];
    while palette.len() < 256 {
        let errors = colours.iter().zip(&nearest);
        let errors =
            errors.map(|((_, count), (_, distance))| distance.saturating_mul(*count as u64));
        let worst = errors.enumerate().max_by_key(|(_, error)| *error);
        let Some((worst, 1..)) = worst else {
            break;
        };
        let new = colours[worst].0;
        for ((colour, _), best) in colours.iter().zip(&mut nearest) {
            let distance = distance(*colour, new);
            if distance < best.1 {
                *best = (palette.len() as u8, distance);
            }
        }
        palette.push(new);
    }
    (
        palette,
        nearest.into_iter().map(|(index, _)| index).collect(),
    )
}

/// The square of the distance.
fn distance(a: Rgb, b: Rgb) -> u64 {
    let channels = a.into_iter().zip(b);
    channels.map(|(a, b)| u64::from(a.abs_diff(b)).pow(2)).sum()
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

    fn decoded(file: Vec<u8>) -> Vec<u8> {
        let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        pixels
    }

    #[test]
    fn few_colours_are_kept_exactly() {
        let rgb = [10, 20, 30, 200, 100, 0, 10, 20, 30, 255, 255, 255];
        assert_eq!(decoded(encode(&rgb, 2, 2).unwrap()), rgb);
    }

    #[test]
    fn rare_colours_far_from_all_others_are_kept() {
        // 300 dark colours of 100 pixels each, and one yellow pixel.
        let mut rgb: Vec<u8> = (0..30_000u32)
            .flat_map(|i| [(i % 100) as u8, 0, (i % 3) as u8])
            .collect();
        rgb.extend([255, 230, 30]);
        let pixels = decoded(encode(&rgb, 30_001, 1).unwrap());
        assert_eq!(pixels[90_000..], [255, 230, 30]);
        // The others are at most a step off.
        assert!(rgb.iter().zip(&pixels).all(|(a, b)| a.abs_diff(*b) <= 1));
    }
}
