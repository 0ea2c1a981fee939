//! Which labels of an axis have room.

use super::axis::{Scale, Tick, Ticked};
use super::{text, theme};
use crate::Error;

/// How far a label may stand out at the right of the plane, in pixels of the final picture: the margin, and
/// the air around a digit.
const OUTSIDE: f64 = 18.0;

/// Between two labels beside each other, in pixels of the final picture.
const GAP: f64 = 4.0;

/// About `count` ticks below a plane of so many pixels, with labels that may begin `before` pixels left of it.
///
/// # Errors
/// If there is no room for two.
pub(crate) fn across(
    x: Scale,
    count: usize,
    (before, pixels): (i32, i32),
    scale: f64,
) -> Result<Ticked, Error> {
    let size = |label: &str| f64::from(text::width(label, theme::TICK * scale));
    let (from, to) = (-f64::from(before), f64::from(pixels) + OUTSIDE * scale);
    let fit = |mut ticks: Vec<Tick>| {
        ticks.retain(|tick| {
            let (start, end) = place(&x, tick, pixels, size(&tick.1));
            from <= start && end <= to
        });
        let places = ticks
            .iter()
            .map(|tick| place(&x, tick, pixels, size(&tick.1)));
        let places: Vec<_> = places.collect();
        let apart = places
            .windows(2)
            .all(|two| two[0].1 + GAP * scale <= two[1].0);
        if apart { ticks } else { Vec::new() }
    };
    let ticked = x.clone().with_ticks(count, fit);
    ticked.ok_or_else(|| no_room("x", &x))
}

/// About `count` ticks left of a plane of so many pixels, and the width of their widest label, which is less
/// than `most`.
///
/// # Errors
/// If there is no room for two.
pub(crate) fn upwards(
    y: Scale,
    count: usize,
    (most, pixels): (i32, i32),
    scale: f64,
) -> Result<(Ticked, i32), Error> {
    let widest = |ticks: &[Tick]| {
        let widths = ticks
            .iter()
            .map(|(_, label)| text::width(label, theme::TICK * scale));
        widths.max().unwrap_or(0)
    };
    let line = 1.1 * theme::TICK * scale;
    let fit = |ticks: Vec<Tick>| {
        let places = ticks.iter().map(|tick| place(&y, tick, pixels, line));
        let places: Vec<_> = places.collect();
        let apart = places.windows(2).all(|two| two[0].1 <= two[1].0);
        if apart && widest(&ticks) < most {
            ticks
        } else {
            Vec::new()
        }
    };
    let ticked = y.clone().with_ticks(count, fit);
    let ticked = ticked.ok_or_else(|| no_room("y", &y))?;
    let widest = widest(&ticked.ticks);
    Ok((ticked, widest))
}

/// From where to where a label of that size stands along an axis of so many pixels.
fn place(scale: &Scale, (position, _): &Tick, pixels: i32, size: f64) -> (f64, f64) {
    let share = (position - scale.low) / (scale.high - scale.low);
    let middle = share * f64::from(pixels);
    (middle - 0.5 * size, middle + 0.5 * size)
}

fn no_room(name: &str, scale: &Scale) -> Error {
    let [low, high] = [scale.low, scale.high].map(|end| scale.value(end));
    Error::Figure(format!(
        "the {name} axis from {low:?} to {high:?} has no room for labels that tell its ends apart: \
         draw it larger, or set other limits"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(low: f64, high: f64) -> Scale {
        let log = false;
        Scale { low, high, log }
    }

    fn labels(ticked: Ticked) -> Vec<String> {
        ticked.ticks.into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn long_labels_are_fewer_or_brief() {
        let time = || scale(1.7e9, 1.7e9 + 100.0);
        let wide = labels(across(time(), 7, (30, 600), 1.0).unwrap());
        assert_eq!(wide.len(), 4, "{wide:?}");
        let narrow = labels(across(time(), 7, (30, 300), 1.0).unwrap());
        assert_eq!(narrow, ["1700000025", "1700000050", "1700000075"]);
        let small = labels(across(scale(0.0, 9e-300), 2, (30, 60), 1.0).unwrap());
        assert_eq!(small, ["0", "5e−300"]);
    }

    #[test]
    fn an_axis_without_room_for_two_labels_is_an_error() {
        let error = across(scale(1.7e9, 1.7e9 + 100.0), 2, (30, 60), 1.0).unwrap_err();
        assert!(
            error.to_string().contains("the x axis from 1700000000.0"),
            "{error}"
        );
        let error = upwards(scale(1.0, 1.0 + 1e-9), 3, (60, 200), 1.0).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("the y axis from 1.0 to 1.000000001"),
            "{error}"
        );
    }
}
