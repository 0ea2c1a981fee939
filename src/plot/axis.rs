//! One axis: its limits, and where the ticks go.

use crate::Error;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use std::ops::Range;

/// An axis as the caller described it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Axis {
    pub label: String,
    pub limits: Option<(f64, f64)>,
    pub log: bool,
}

/// An axis with its range settled. Positions are data values, or their log10 on a log axis.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    pub low: f64,
    pub high: f64,
    pub log: bool,
}

impl Axis {
    /// Settles the range: the limits, or what the values span (with some air, where `padded`).
    pub(crate) fn scale(
        &self,
        name: &str,
        values: impl Iterator<Item = f64>,
        padded: bool,
    ) -> Result<Scale, Error> {
        let position = |value: f64| if self.log { value.log10() } else { value };
        let (low, high) = match self.limits {
            Some((low, high)) => (position(low), position(high)),
            None => {
                let positions = values.map(position).filter(|p| p.is_finite());
                let span = |(low, high): (f64, f64), p: f64| (low.min(p), high.max(p));
                let (low, high) = positions.fold((f64::INFINITY, f64::NEG_INFINITY), span);
                let air = if low == high {
                    0.5 * low.abs().max(1.0)
                } else if padded {
                    0.04 * (high - low)
                } else {
                    0.0
                };
                (low - air, high + air)
            }
        };
        if low < high && (high - low).is_finite() {
            return Ok(Scale {
                low,
                high,
                log: self.log,
            });
        }
        Err(Error::Figure(match self.limits {
            Some((low, high)) => format!(
                "{name} limits {low} to {high}: the first must be smaller{}",
                if self.log { " and both positive" } else { "" }
            ),
            None if self.log => format!("no positive value on the logarithmic {name} axis"),
            None => format!("no finite value on the {name} axis"),
        }))
    }
}

impl Scale {
    /// Where a value lies; not finite where it has no place.
    pub(crate) fn position(&self, value: f64) -> f64 {
        if self.log { value.log10() } else { value }
    }

    pub(crate) fn with_ticks(self, count: usize) -> Ticked {
        let mut ticks = self.ticks(count);
        // A single number does not tell how far it is to anywhere.
        if ticks.len() < 2 && !self.log {
            ticks = self.ticks(2 * count);
        }
        Ticked { ticks, scale: self }
    }

    /// Positions and labels of about `count` ticks.
    fn ticks(&self, count: usize) -> Vec<(f64, String)> {
        let step = if self.log {
            nice_step((self.high - self.low) / count as f64)
                .max(1.0)
                .round()
        } else {
            nice_step((self.high - self.low) / count as f64)
        };
        // Ends closer together than numbers can be told apart have no ticks between them.
        if !step.is_normal() {
            return Vec::new();
        }
        let first = (self.low / step - 1e-9).ceil() as i64;
        let last = (self.high / step + 1e-9).floor() as i64;
        let decimals = (-(step * 1.0001).log10().floor()).max(0.0) as usize;
        let decimals = if is_whole(step * 10f64.powi(decimals as i32)) {
            decimals
        } else {
            decimals + 1
        };
        (first..=last)
            .map(|i| {
                let position = i as f64 * step;
                let label = if self.log {
                    power_of_ten(position as i64)
                } else {
                    plain(position, decimals)
                };
                (position, label)
            })
            .collect()
    }
}

/// A scale with its ticks, as plotters wants it: grid lines and labels at the ticks alone.
#[derive(Clone, Debug)]
pub(crate) struct Ticked {
    pub scale: Scale,
    pub ticks: Vec<(f64, String)>,
}

impl Ranged for Ticked {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, position: &f64, (from, to): (i32, i32)) -> i32 {
        let share = (position - self.scale.low) / (self.scale.high - self.scale.low);
        from + (share * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        self.ticks.iter().map(|(position, _)| *position).collect()
    }

    fn range(&self) -> Range<f64> {
        self.scale.low..self.scale.high
    }
}

impl ValueFormatter<f64> for Ticked {
    fn format_ext(&self, position: &f64) -> String {
        let tick = self.ticks.iter().find(|(tick, _)| tick == position);
        tick.map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

/// The next larger of 1, 2, 2.5, 5 times a power of ten.
fn nice_step(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .find(|factor| factor * power >= rough * 0.999);
    factor.unwrap_or(10.0) * power
}

fn is_whole(value: f64) -> bool {
    (value - value.round()).abs() < 1e-6
}

fn plain(value: f64, decimals: usize) -> String {
    if value.abs() >= 1e5 || (value != 0.0 && decimals > 5) {
        return format!("{value:.2e}").replace('-', "−");
    }
    let text = format!("{value:.decimals$}");
    let zero = text
        .trim_start_matches('-')
        .chars()
        .all(|c| c == '0' || c == '.');
    if zero {
        text.trim_start_matches('-').to_owned()
    } else {
        text.replace('-', "−")
    }
}

fn power_of_ten(exponent: i64) -> String {
    match exponent {
        0 => "1".to_owned(),
        1 => "10".to_owned(),
        _ => {
            let superscript = |c: char| match c {
                '-' => '⁻',
                '1' => '¹',
                '2' => '²',
                '3' => '³',
                digit => {
                    char::from_u32('⁰' as u32 + digit.to_digit(10).unwrap_or(0)).unwrap_or(' ')
                }
            };
            let exponent: String = exponent.to_string().chars().map(superscript).collect();
            format!("10{exponent}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(low: f64, high: f64, log: bool) -> Vec<String> {
        let ticks = Scale { low, high, log }.ticks(6);
        ticks.into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(
            labels(-0.01, 0.1, false),
            ["0.00", "0.02", "0.04", "0.06", "0.08", "0.10"]
        );
        assert_eq!(
            labels(0.0, 1.0, false),
            ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(labels(-10.0, 10.0, false), ["−10", "−5", "0", "5", "10"]);
        assert_eq!(
            labels(0.0, 12.6, false),
            ["0.0", "2.5", "5.0", "7.5", "10.0", "12.5"]
        );
        assert_eq!(labels(0.0, 1.2e6, false)[1], "2.00e5");
        assert!(labels(0.0, 5e-324, false).is_empty());
    }

    #[test]
    fn log_ticks_are_powers_of_ten() {
        assert_eq!(
            labels(-5.2, 0.3, true),
            ["10⁻⁵", "10⁻⁴", "10⁻³", "10⁻²", "10⁻¹", "1"]
        );
        assert_eq!(
            labels(-12.0, 0.0, true),
            ["10⁻¹²", "10⁻¹⁰", "10⁻⁸", "10⁻⁶", "10⁻⁴", "10⁻²", "1"]
        );
    }

    #[test]
    fn impossible_ranges_are_errors() {
        let axis = |limits, log| Axis {
            limits,
            log,
            ..Axis::default()
        };
        let scale = |axis: Axis, values: &[f64]| axis.scale("y", values.iter().copied(), true);
        assert!(scale(axis(Some((1.0, 0.0)), false), &[]).is_err());
        assert!(scale(axis(Some((0.0, 1.0)), true), &[]).is_err());
        assert!(scale(axis(None, false), &[f64::NAN]).is_err());
        assert!(scale(axis(None, true), &[-1.0]).is_err());
        assert!(scale(axis(None, false), &[3.0, 3.0]).is_ok());
    }
}
