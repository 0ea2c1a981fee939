//! Lines in pixels: solid, dashed, dotted.

use super::area::{Area, failed};
use crate::Error;
use plotters::prelude::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stroke {
    Solid,
    Dashed,
    Dotted,
    Markers,
}

/// A polyline in pixels.
pub(crate) fn stroke<DB: DrawingBackend>(
    area: &Area<DB>,
    points: impl Iterator<Item = (i32, i32)>,
    stroke: Stroke,
    style: ShapeStyle,
    scale: f64,
) -> Result<(), Error> {
    let (on, off) = match stroke {
        Stroke::Dashed => (7.0, 4.0),
        Stroke::Dotted => (2.0, 3.0),
        Stroke::Solid | Stroke::Markers => {
            for piece in pieces(points) {
                area.draw(&PathElement::new(piece, style)).map_err(failed)?;
            }
            return Ok(());
        }
    };
    let points: Vec<(f64, f64)> = points.map(|(x, y)| (f64::from(x), f64::from(y))).collect();
    for dash in dashes(&points, on * scale, off * scale) {
        let dash: Vec<_> = dash
            .iter()
            .map(|p| (p.0.round() as i32, p.1.round() as i32))
            .collect();
        area.draw(&PathElement::new(dash, style)).map_err(failed)?;
    }
    Ok(())
}

/// Cuts a polyline where it turns back by more than 120 degrees: plotters joins lines in a point,
/// which grows into a long spike there.
fn pieces(points: impl Iterator<Item = (i32, i32)>) -> Vec<Vec<(i32, i32)>> {
    let mut pieces: Vec<Vec<(i32, i32)>> = vec![Vec::new()];
    for point in points {
        let Some(piece) = pieces.last_mut() else {
            break;
        };
        if let [.., before, corner] = piece[..] {
            let way = |from: (i32, i32), to: (i32, i32)| {
                (f64::from(to.0 - from.0), f64::from(to.1 - from.1))
            };
            let (a, b) = (way(before, corner), way(corner, point));
            let cosine = (a.0 * b.0 + a.1 * b.1) / (a.0.hypot(a.1) * b.0.hypot(b.1));
            if cosine < -0.5 {
                pieces.push(vec![corner, point]);
                continue;
            }
        }
        if piece.last() != Some(&point) {
            piece.push(point);
        }
    }
    pieces
}

/// Cuts a polyline into dashes of length `on` with gaps of length `off`.
fn dashes(points: &[(f64, f64)], on: f64, off: f64) -> Vec<Vec<(f64, f64)>> {
    let mut dashes = Vec::new();
    let mut dash: Vec<(f64, f64)> = points.first().copied().into_iter().collect();
    let (mut drawing, mut left) = (true, on);
    for pair in points.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        let mut length = (to.0 - from.0).hypot(to.1 - from.1);
        while length > left {
            let share = left / length;
            from = (
                from.0 + share * (to.0 - from.0),
                from.1 + share * (to.1 - from.1),
            );
            length -= left;
            if drawing {
                dash.push(from);
                dashes.push(std::mem::take(&mut dash));
            } else {
                dash = vec![from];
            }
            drawing = !drawing;
            left = if drawing { on } else { off };
        }
        left -= length;
        if drawing {
            dash.push(to);
        }
    }
    if dash.len() > 1 {
        dashes.push(dash);
    }
    dashes
}

#[cfg(test)]
mod tests {
    use super::{dashes, pieces};

    #[test]
    fn a_line_that_turns_back_is_cut_at_its_tip() {
        let spike = [(0, 0), (10, 0), (11, 90), (11, 90), (12, 0), (20, 0)];
        let (up, down) = (
            vec![(0, 0), (10, 0), (11, 90)],
            vec![(11, 90), (12, 0), (20, 0)],
        );
        assert_eq!(pieces(spike.into_iter()), [up, down]);
        let smooth = [(0, 0), (10, 0), (10, 10), (5, 12)];
        assert_eq!(pieces(smooth.into_iter()), [smooth.to_vec()]);
    }

    #[test]
    fn dashes_cover_their_share() {
        let cut = dashes(&[(0.0, 0.0), (50.0, 0.0), (50.0, 50.0)], 6.0, 4.0);
        let length = |dash: &Vec<(f64, f64)>| -> f64 {
            dash.windows(2)
                .map(|p| (p[1].0 - p[0].0).hypot(p[1].1 - p[0].1))
                .sum()
        };
        assert_eq!(cut.len(), 10);
        assert!((cut.iter().map(length).sum::<f64>() - 60.0).abs() < 1e-9);
    }
}
