//! One axis: its limits, and where the ticks go.

use super::decimal::{Decimal, labels};
use crate::Error;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use std::ops::Range;

/// Values that differ by less, relative to their size, differ by rounding.
const ROUNDING: f64 = 1e-12;

/// Multiples of a step up to this are exact to a small part of the step.
const COUNTABLE: f64 = 1e14;

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
                if low > high {
                    let kind = if self.log { "positive" } else { "finite" };
                    let reason = format!("no {kind} value on the {name} axis");
                    return Err(Error::Figure(reason));
                }
                let size = low.abs().max(high.abs());
                // What numbers hardly tell apart is constant.
                let rounding = ROUNDING * if self.log { 1.0 } else { size };
                let air = if high - low <= rounding.max(f64::MIN_POSITIVE) {
                    0.5 * size.max(1.0)
                } else if padded {
                    0.04 * (high - low)
                } else {
                    0.0
                };
                let air = if (high - low + 2.0 * air).is_finite() {
                    air
                } else {
                    0.0
                };
                ((low - air).max(f64::MIN), (high + air).min(f64::MAX))
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
            Some((low, high)) if !self.log && low < high && low.is_finite() && high.is_finite() => {
                format!("{name} limits {low:e} to {high:e}: numbers do not reach so far apart")
            }
            Some((low, high)) => format!(
                "{name} limits {low} to {high}: the first must be smaller{}",
                if self.log { " and both positive" } else { "" }
            ),
            None => format!(
                "{name} from {low:e} to {high:e}: numbers do not reach so far apart, set its limits"
            ),
        }))
    }
}

impl Scale {
    /// Where a value lies; not finite where it has no place.
    pub(crate) fn position(&self, value: f64) -> f64 {
        if self.log { value.log10() } else { value }
    }

    /// The value at a position.
    pub(crate) fn value(&self, position: f64) -> f64 {
        if self.log {
            10f64.powf(position).clamp(f64::from_bits(1), f64::MAX)
        } else {
            position
        }
    }

    pub(crate) fn without_ticks(self) -> Ticked {
        let ticks = Vec::new();
        Ticked { ticks, scale: self }
    }

    /// About `count` ticks, or else as many as leave two at least of those that `fit` keeps: a single
    /// number does not tell how far it is to anywhere.
    pub(crate) fn with_ticks(
        self,
        count: usize,
        fit: impl Fn(Vec<Tick>) -> Vec<Tick>,
    ) -> Option<Ticked> {
        let more = [1, 2, 4, 8].map(|times| times * count);
        let counts = more.into_iter().chain((1..count).rev());
        // Between numbers that are next to each other there are no round ones.
        let pairs = [[0.0, 1.0], [0.25, 0.75]].map(|shares| self.pair(shares));
        let round = counts.flat_map(|count| [false, true].map(|brief| self.ticks(count, brief)));
        let mut choices = round.chain(pairs);
        let ticks = choices.find_map(|ticks| Some(fit(ticks)).filter(|ticks| ticks.len() >= 2))?;
        Some(Ticked { ticks, scale: self })
    }

    /// About `count` ticks at round values, with labels as `brief` as possible or with three digits; fewer
    /// than two where there are no such values.
    fn ticks(&self, count: usize, brief: bool) -> Vec<Tick> {
        if !self.log {
            return linear_ticks(self.low, self.high, count, brief);
        }
        let decades = self.decades(count);
        if decades.len() >= 2 {
            return decades;
        }
        let (ladders, least): (&[&[i128]], _) = match count {
            ..4 => (&[&[1, 3], &[2, 5]], 2),
            _ => (&[&[1, 2, 5]], 3),
        };
        let ladders = ladders.iter().map(|multiples| self.ladder(multiples));
        if let Some(ladder) = { ladders }.find(|ladder| ladder.len() >= least) {
            return ladder;
        }
        let (low, high) = (self.value(self.low), self.value(self.high));
        let ticks = linear_ticks(low, high, count, brief).into_iter();
        let ticks = ticks.map(|(value, label)| (value.log10(), label));
        let inside = |(at, _): &Tick| (self.low..=self.high).contains(at);
        ticks.filter(inside).collect()
    }

    /// Powers of ten.
    fn decades(&self, count: usize) -> Vec<Tick> {
        let step = nice_step((self.high - self.low) / count as f64);
        let step = step.map_or(1.0, |(step, _)| step.max(1.0).round());
        let exponents = rounds(self.low, self.high, step).map(|i| (i as f64 * step) as i64);
        // Air around the values can reach beyond all numbers.
        let possible = exponents.filter(|exponent| (-323..=308).contains(exponent));
        possible.map(|e| (e as f64, power_of_ten(e))).collect()
    }

    /// These multiples of powers of ten.
    fn ladder(&self, multiples: &[i128]) -> Vec<Tick> {
        let exponents = self.low.floor() as i32..=self.high.ceil() as i32;
        let all = exponents.flat_map(|e| multiples.iter().map(move |m| Decimal::new(*m, e)));
        let at = all.map(|number| (number.value().log10(), number));
        let inside = at.filter(|(at, _)| (self.low..=self.high).contains(at));
        let (ticks, numbers): (Vec<_>, Vec<_>) = inside.unzip();
        ticks.into_iter().zip(labels(&numbers, false)).collect()
    }

    /// Ticks at these shares of the axis, at whatever values lie there.
    fn pair(&self, shares: [f64; 2]) -> Vec<Tick> {
        let at = shares.map(|share| self.low + share * (self.high - self.low));
        let values = at.map(|position| self.value(position));
        let error = 0.01 * (values[1] - values[0]);
        let labels = labels(&values.map(|value| Decimal::near(value, error)), true);
        match labels[0] == labels[1] {
            true => Vec::new(),
            false => at.into_iter().zip(labels).collect(),
        }
    }
}

/// A position and its label.
pub(crate) type Tick = (f64, String);

/// A scale with its ticks, as plotters wants it: grid lines and labels at the ticks alone.
#[derive(Clone, Debug)]
pub(crate) struct Ticked {
    pub scale: Scale,
    pub ticks: Vec<Tick>,
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

/// About `count` round values with their labels.
fn linear_ticks(low: f64, high: f64, count: usize, brief: bool) -> Vec<Tick> {
    let Some((step, exact)) = nice_step((high - low) / count as f64) else {
        return Vec::new();
    };
    let all = rounds(low, high, step);
    let (ticks, numbers): (Vec<f64>, Vec<Decimal>) =
        all.map(|i| (i as f64 * step, exact.times(i))).unzip();
    let short = ticks.iter().map(|at| short(*at, exact.decimals()));
    let short: Vec<String> = short.collect();
    // Three digits are easy to read, but often do not say the number.
    let says = |(label, number): (&String, &Decimal)| {
        label.replace('−', "-").parse() == Ok(number.value())
    };
    let labels = match !brief && short.iter().zip(&numbers).all(says) {
        true => short,
        false => labels(&numbers, true),
    };
    ticks.into_iter().zip(labels).collect()
}

/// The multiples of the step between both ends, as far as numbers can tell them apart.
fn rounds(low: f64, high: f64, step: f64) -> Range<i64> {
    let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
    match first.abs().max(last.abs()) < COUNTABLE {
        true => first as i64..last as i64 + 1,
        false => 0..0,
    }
}

/// The next larger of 1, 2, 2.5, 5 times a power of ten, and exactly that; none for steps so small that
/// numbers have no digits left for them.
fn nice_step(rough: f64) -> Option<(f64, Decimal)> {
    let exponent = rough.log10().floor();
    let power = 10f64.powf(exponent);
    if !power.is_normal() {
        return None;
    }
    let tenths = [10, 20, 25, 50, 100].into_iter();
    let mut larger = tenths.map(|tenths| (f64::from(tenths) / 10.0 * power, tenths));
    let (step, tenths) = larger.find(|(step, _)| *step >= rough * 0.999)?;
    let exact = Decimal::new(i128::from(tenths), exponent as i32 - 1);
    step.is_finite().then_some((step, exact))
}

fn short(value: f64, decimals: usize) -> String {
    if value != 0.0 && (value.abs() >= 1e5 || decimals > 5) {
        return format!("{value:.2e}").replace('-', "−");
    }
    let decimals = if decimals > 5 { 0 } else { decimals };
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

    fn ticks(low: f64, high: f64, log: bool) -> Vec<Tick> {
        let ticked = Scale { low, high, log }.with_ticks(6, |ticks| ticks);
        ticked.map(|ticked| ticked.ticks).unwrap_or_default()
    }

    fn labels(low: f64, high: f64, log: bool) -> Vec<String> {
        let ticks = ticks(low, high, log).into_iter();
        ticks.map(|(_, label)| label).collect()
    }

    /// The number that a label says.
    fn said(label: &str) -> f64 {
        let superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻";
        let digit = |c: char| match superscripts.chars().position(|s| s == c) {
            Some(10) => '-',
            Some(place) => char::from(b'0' + place as u8),
            None => c,
        };
        let plain = match label.strip_prefix("10") {
            Some(power) if power.starts_with(|c| superscripts.contains(c)) => {
                format!("1e{}", power.chars().map(digit).collect::<String>())
            }
            _ => label.replace('−', "-"),
        };
        plain.parse().unwrap()
    }

    /// At least two labels, all different and each true to half a step, none longer than a number
    /// must be.
    fn check(low: f64, high: f64, log: bool) {
        let ticks = ticks(low, high, log);
        assert!(
            ticks.len() >= 2,
            "{low:e} to {high:e}, log {log}: {ticks:?}"
        );
        let scale = Scale { low, high, log };
        let steps = ticks.windows(2).map(|two| two[1].0 - two[0].0);
        let step = steps.fold(f64::INFINITY, f64::min);
        for (at, label) in &ticks {
            let error = scale.position(said(label)) - at;
            assert!(
                error.abs() < 0.5 * step,
                "{low:e} to {high:e}, log {log}: {ticks:?}"
            );
            assert!(label.chars().count() <= 24, "{label}");
            assert_eq!(
                label.contains(|c: char| "123456789¹²³⁴⁵⁶⁷⁸⁹".contains(c)),
                said(label) != 0.0
            );
            // A place is rounded to the nearest number, which on so short an axis shows beside its length.
            let margin = 1e-6 * (high - low) + f64::EPSILON * low.abs().max(high.abs());
            assert!(
                (low - margin..=high + margin).contains(at),
                "{low:e} to {high:e}: {ticks:?}"
            );
        }
        let mut different: Vec<&String> = ticks.iter().map(|(_, label)| label).collect();
        different.sort();
        different.dedup();
        assert_eq!(
            different.len(),
            ticks.len(),
            "{low:e} to {high:e}: {ticks:?}"
        );
    }

    #[test]
    fn a_tick_at_an_end_is_rounded_as_all_numbers_are() {
        check(-7.942754546737949e-126, -7.942754546737701e-126, false);
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(4000))]
        #[test]
        fn ticks_of_any_axis_are_true(
            size in -323.0..308.0_f64, offset in -400.0..30.0_f64, signs in 0..4, digits in 1.0..10.0_f64,
            decades in -11.9..3.0_f64, place in -330.0..308.0_f64,
        ) {
            // From ranges about 0 to ranges that are 1e-16 of where they lie.
            let length = digits * 10f64.powf(size);
            let middle = if offset < -17.0 { 0.0 } else { digits * 10f64.powf(size + offset) };
            let middle = if signs % 2 == 0 { middle } else { -middle };
            let (low, high) = (middle - 0.37 * length, middle + 0.63 * length);
            if low < high && (high - low).is_finite() {
                check(low, high, false);
                let settled = Axis::default().scale("x", [low, high].into_iter(), signs > 1).unwrap();
                check(settled.low, settled.high, false);
            }
            let high = place + 10f64.powf(decades);
            let values = [10f64.powf(place), 10f64.powf(high.min(308.0))];
            if 10f64.powf(place) > 0.0 {
                let axis = Axis { log: true, ..Axis::default() };
                let settled = axis.scale("x", values.into_iter(), signs > 1).unwrap();
                check(settled.low, settled.high, true);
            }
        }
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
        assert_eq!(labels(0.0, 5e-324, false), ["0", "5e−324"]);
        assert_eq!(
            labels(0.6831 - 1.1e-5, 0.6831 + 1e-5, false),
            ["0.683090", "0.683095", "0.683100", "0.683105", "0.683110"]
        );
        assert_eq!(labels(1.7e9, 1.7e9 + 100.0, false)[1], "1700000020");
        assert_eq!(
            labels(0.0, 3.1e-30, false),
            ["0", "1.00e−30", "2.00e−30", "3.00e−30"]
        );
        assert_eq!(labels(1.0, 1.000_000_000_000_000_2, false).len(), 2);
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
    fn log_ticks_within_a_decade_are_round_numbers() {
        let within = |low: f64, high: f64| labels(low.log10(), high.log10(), true);
        assert_eq!(within(2.9, 9.1), ["4", "6", "8"]);
        assert_eq!(within(0.04, 0.6), ["0.05", "0.1", "0.2", "0.5"]);
        assert_eq!(within(4e-8, 6e-7), ["5e−8", "1e−7", "2e−7", "5e−7"]);
        assert_eq!(
            within(3.01, 3.12),
            ["3.02", "3.04", "3.06", "3.08", "3.10", "3.12"]
        );
        assert_eq!(
            within(3e4, 7e4),
            ["30000", "40000", "50000", "60000", "70000"]
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
        let message = scale(axis(None, false), &[-1e308, 1e308])
            .unwrap_err()
            .to_string();
        assert!(message.contains("y from -"), "{message}");
    }
}
