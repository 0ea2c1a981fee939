//! Which colour a value gets.

use super::axis::Scale;
use super::decimal::Decimal;
use crate::Error;
use plotters::prelude::{ColorMap, RGBColor, ViridisRGB};

/// More colours could not be told apart, and a picture may have 256.
const LEVELS: u8 = 64;

/// Which colour a value gets, from dark (0) to bright (the top): shared by the maps that are to be
/// compared, and explained by [`Figure::color_bar`](super::Figure::color_bar).
///
/// # Examples
/// ```
/// use energy_discrepancy::plot::{Chart, ColorScale, DensityMap, Figure};
///
/// let at = |i: usize| -2.0 + i as f64 / 10.0;
/// let square = || (0..41).flat_map(|i| (0..41).map(move |j| (at(i), at(j))));
/// // A quarter of the top lies in the middle between dark and bright.
/// let scale = ColorScale::up_to(1.0).power(0.5);
/// let gaussian = |precision: f64| {
///     let density = square().map(|(x, y)| (-0.5 * precision * (x * x + y * y)).exp());
///     let map = DensityMap::square(-2.0..2.0, &density.collect::<Vec<_>>()).scale(scale);
///     Chart::new(format!("precision {precision}")).bare().density_map(map)
/// };
/// let figure = Figure::row([1.0, 4.0].map(gaussian)).color_bar(scale, "exp(-U)");
/// assert!(figure.svg()?.contains("0.5"));
/// # Ok::<(), energy_discrepancy::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColorScale {
    top: f64,
    power: f64,
}

impl ColorScale {
    /// From 0 to `top`, evenly. What lies above has the brightest colour; what is negative or no
    /// number, the darkest.
    ///
    /// A figure with a scale whose top is not positive and finite is an error when it is drawn.
    pub fn up_to(top: f64) -> Self {
        Self { top, power: 1.0 }
    }

    /// Puts a value at (value / top)^power of the scale: a power below 1 keeps small densities
    /// visible beside large ones.
    ///
    /// A figure with a scale whose power is not positive and finite is an error when it is drawn.
    pub fn power(mut self, power: f64) -> Self {
        self.power = power;
        self
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let allowed = "positive and finite";
        let possible = |value: f64| value > 0.0 && value.is_finite();
        if !possible(self.top) {
            return Err(Error::setting("top of the colour scale", self.top, allowed));
        }
        if !possible(self.power) {
            let name = "power of the colour scale";
            return Err(Error::setting(name, self.power, allowed));
        }
        Ok(())
    }

    /// Where on the scale a value lies, from 0 to 1.
    fn position(&self, value: f64) -> f64 {
        // NaN, which is not above 0, is dark.
        if value > 0.0 {
            (value / self.top).min(1.0).powf(self.power)
        } else {
            0.0
        }
    }

    /// The number of a value's colour.
    pub(crate) fn level(&self, value: f64) -> u8 {
        (self.position(value) * f64::from(LEVELS - 1)).round() as u8
    }

    /// The colour with that number.
    pub(crate) fn color(level: u8) -> RGBColor {
        ViridisRGB.get_color(f64::from(level) / f64::from(LEVELS - 1))
    }

    /// All colours, from dark to bright.
    pub(crate) fn colors() -> impl ExactSizeIterator<Item = RGBColor> {
        (0..LEVELS).map(Self::color)
    }

    /// Positions on the scale and labels of about `count` ticks at round values.
    pub(crate) fn ticks(&self, count: usize) -> Vec<(f64, String)> {
        if self.power == 1.0 {
            let (low, high, log) = (0.0, self.top, false);
            let ticked = Scale { low, high, log }.with_ticks(count, |ticks| ticks);
            let ticks = ticked.into_iter().flat_map(|ticked| ticked.ticks);
            let at = |(value, label)| (self.position(value), label);
            return ticks.map(at).collect();
        }
        let even = |i: usize| self.top * (i as f64 / count as f64).powf(1.0 / self.power);
        let mut ticks = vec![(0.0, "0".to_owned())];
        // From the top, which must have a tick near it; the others have room between them.
        let mut next = 1.0 + 0.6 / count as f64;
        for i in (1..=count).rev() {
            let Some((value, label)) = round(even(i), i == count) else {
                continue;
            };
            if value > self.top * (1.0 + 1e-9) {
                continue;
            }
            let position = self.position(value);
            if position >= 0.6 / count as f64 && next - position >= 0.6 / count as f64 {
                ticks.push((position, label));
                next = position;
            }
        }
        // Where no round value has room, the top is as it is.
        if ticks.len() < 2 {
            ticks.push((1.0, Decimal::near(self.top, 0.0).label()));
        }
        ticks
    }
}

/// 1, 2, 3 or 5 times a power of ten near the value, with its label; for the scale's top a number
/// of one digit not above it, or one and a half of a unit or two and a half. None where there is no such number.
fn round(value: f64, top: bool) -> Option<(f64, String)> {
    let exponent = value.log10().floor();
    let unit = 10f64.powf(exponent);
    if !unit.is_normal() {
        return None;
    }
    let mantissa = value / unit;
    let mantissa = if top {
        let steps = [10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.5, 2.0, 1.5];
        let below = |step: &f64| *step <= mantissa * (1.0 + 1e-9);
        steps.into_iter().find(below).unwrap_or(1.0)
    } else {
        let away = |step: &f64| (step - mantissa).abs();
        let steps = [1.0, 2.0, 3.0, 5.0, 10.0].into_iter();
        steps
            .min_by(|a, b| away(a).total_cmp(&away(b)))
            .unwrap_or(1.0)
    };
    let value = mantissa * unit;
    let fraction = if mantissa.fract() == 0.0 { 0.0 } else { 1.0 };
    let decimals = (fraction - (value * 1.000_001).log10().floor()).max(0.0) as usize;
    let label = if (1e-4..1e5).contains(&value) {
        format!("{value:.decimals$}")
    } else {
        Decimal::near(value, 1e-9 * value).scientific()
    };
    value.is_finite().then_some((value, label))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::{Chart, Figure};

    fn labels(scale: ColorScale, count: usize) -> Vec<String> {
        let ticks = scale.ticks(count);
        ticks.into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn a_power_lifts_small_values() {
        let scale = ColorScale::up_to(4.0);
        assert_eq!(
            [0.0, 1.0, 2.0, 4.0].map(|v| scale.level(v)),
            [0, 16, 32, 63]
        );
        assert_eq!(scale.power(0.5).level(1.0), 32);
        assert_eq!([-1.0, f64::NAN].map(|v| scale.level(v)), [0, 0]);
        assert_eq!([5.0, f64::INFINITY].map(|v| scale.level(v)), [63, 63]);
    }

    #[test]
    fn ticks_are_round_and_at_their_values() {
        let scale = ColorScale::up_to(0.32);
        assert_eq!(labels(scale, 4), ["0.0", "0.1", "0.2", "0.3"]);
        let ticks = scale.power(0.5).ticks(5);
        let named: Vec<_> = ticks.iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(named, ["0", "0.3", "0.2", "0.1", "0.05", "0.01"]);
        for (position, label) in ticks {
            let value: f64 = label.parse().unwrap();
            assert!((position - (value / 0.32).sqrt()).abs() < 1e-12);
        }
        assert_eq!(
            labels(ColorScale::up_to(1.9).power(0.5), 2),
            ["0", "1.5", "0.5"]
        );
        assert_eq!(labels(ColorScale::up_to(3e7).power(0.5), 2)[1], "3e7");
    }

    #[test]
    fn ticks_of_any_scale_are_few_different_and_true() {
        for top in [
            5e-324,
            1e-310,
            1.7e-300,
            0.19,
            0.999,
            1.0,
            123_456.0,
            1e300,
            f64::MAX,
        ] {
            for power in [1e-300, 0.01, 0.5, 1.0, 3.0, 30.0, 1e300] {
                let scale = ColorScale::up_to(top).power(power);
                for count in [1, 2, 6] {
                    let ticks = scale.ticks(count);
                    assert!(ticks.len() <= 2 * count + 2, "{scale:?}: {ticks:?}");
                    assert!(ticks.len() >= 2, "{scale:?}: {ticks:?}");
                    for (i, (at, label)) in ticks.iter().enumerate() {
                        assert!((0.0..=1.0).contains(at));
                        let value: f64 = label.replace('−', "-").parse().unwrap();
                        assert!(value <= top * (1.0 + 1e-9), "{scale:?}: {ticks:?}");
                        let error = (scale.position(value) - at).abs();
                        let others = ticks.iter().enumerate().filter(|(j, _)| *j != i);
                        let nearest = others.map(|(_, other)| (other.0 - at).abs());
                        let step = nearest.fold(f64::INFINITY, f64::min);
                        assert!(error < 0.5 * step, "{scale:?}: {ticks:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn impossible_scales_are_errors() {
        let error = |scale: ColorScale| {
            let chart = Chart::new("").x_limits(0.0, 1.0).y_limits(0.0, 1.0);
            let figure = Figure::row([chart]).color_bar(scale, "p");
            figure.png().unwrap_err().to_string()
        };
        for top in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let message = error(ColorScale::up_to(top));
            assert!(message.contains("top of the colour scale"), "{message}");
        }
        for power in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let message = error(ColorScale::up_to(1.0).power(power));
            assert!(message.contains("power of the colour scale"), "{message}");
        }
    }
}
