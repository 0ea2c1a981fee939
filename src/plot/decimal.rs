//! Numbers as labels write them.

/// By how many characters a label without a power of ten may be longer than one with it.
const LONGER: usize = 2;

/// `digits` times ten to the `exponent`, the digits without zeros at their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    digits: i128,
    exponent: i32,
}

impl Decimal {
    pub(crate) fn new(mut digits: i128, mut exponent: i32) -> Self {
        if digits == 0 {
            exponent = 0;
        }
        while digits != 0 && digits % 10 == 0 {
            digits /= 10;
            exponent += 1;
        }
        Self { digits, exponent }
    }

    /// With the fewest digits that are at most `error` away from the value, or as many as tell it from
    /// all other numbers.
    pub(crate) fn near(value: f64, error: f64) -> Self {
        let written = |digits: usize| Self::read(&format!("{value:.digits$e}"));
        (0..17)
            .map(written)
            .find(|short| (short.value() - value).abs() <= error)
            .unwrap_or_else(|| Self::read(&format!("{value:e}")))
    }

    /// Reads what Rust writes with `{:e}`.
    fn read(text: &str) -> Self {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let decimals = mantissa.split_once('.').map_or(0, |(_, all)| all.len());
        let digits = mantissa.replace('.', "").parse().unwrap_or(0);
        Self::new(digits, exponent.parse().unwrap_or(0) - decimals as i32)
    }

    pub(crate) fn times(self, count: i64) -> Self {
        Self::new(self.digits * i128::from(count), self.exponent)
    }

    pub(crate) fn value(self) -> f64 {
        let text = format!("{}e{}", self.digits, self.exponent);
        text.parse().unwrap_or(f64::NAN)
    }

    /// As it is written alone.
    pub(crate) fn label(self) -> String {
        labels(&[self], true).concat()
    }

    /// How many decimals it has without a power of ten.
    pub(crate) fn decimals(self) -> usize {
        self.exponent.min(0).unsigned_abs() as usize
    }

    /// Without a power of ten, with at least so many decimals.
    fn plain(self, decimals: usize) -> String {
        let decimals = decimals.max(self.decimals());
        let zeros = (self.exponent + decimals as i32).unsigned_abs() as usize;
        let mut text = format!("{}{}", self.digits.unsigned_abs(), "0".repeat(zeros));
        if decimals > 0 {
            text = format!("{text:0>width$}", width = decimals + 1);
            text.insert(text.len() - decimals, '.');
        }
        self.signed(text)
    }

    pub(crate) fn scientific(self) -> String {
        if self.digits == 0 {
            return "0".to_owned();
        }
        let mut text = self.digits.unsigned_abs().to_string();
        let exponent = self.exponent + text.len() as i32 - 1;
        if text.len() > 1 {
            text.insert(1, '.');
        }
        self.signed(format!("{text}e{exponent}").replace('-', "−"))
    }

    fn signed(self, text: String) -> String {
        match self.digits < 0 {
            true => format!("−{text}"),
            false => text,
        }
    }
}

/// Labels that say exactly these numbers, all with a power of ten or all without. Those without have as
/// many decimals as each other where that is `even`.
pub(crate) fn labels(numbers: &[Decimal], even: bool) -> Vec<String> {
    let decimals = numbers.iter().map(|number| number.decimals());
    let decimals = if even { decimals.max().unwrap_or(0) } else { 0 };
    let plain: Vec<String> = numbers.iter().map(|n| n.plain(decimals)).collect();
    let scientific: Vec<String> = numbers.iter().map(|n| n.scientific()).collect();
    let longest = |all: &[String]| {
        let lengths = all.iter().map(|label| label.chars().count());
        lengths.max().unwrap_or(0)
    };
    match longest(&plain) <= longest(&scientific) + LONGER {
        true => plain,
        false => scientific,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_say_their_numbers() {
        let number = |digits, exponent| Decimal::new(digits, exponent);
        let label = Decimal::label;
        assert_eq!(label(number(0, -31)), "0");
        assert_eq!(label(number(-1_500, -3)), "−1.5");
        assert_eq!(label(number(693_095, -6)), "0.693095");
        assert_eq!(label(number(170_000_002, 1)), "1700000020");
        assert_eq!(label(number(-12, -30)), "−1.2e−29");
        assert_eq!(label(number(3, 300)), "3e300");
        assert_eq!(
            labels(&[number(25, -1), number(5, 0)], true),
            ["2.5", "5.0"]
        );
        assert_eq!(
            labels(&[number(5, -1), number(20, 0)], false),
            ["0.5", "20"]
        );
    }

    #[test]
    fn a_number_is_as_long_as_it_must_be() {
        let near = |value, error| Decimal::near(value, error).label();
        assert_eq!(near(0.123_456, 0.01), "0.12");
        assert_eq!(near(-99.96, 0.1), "−100");
        assert_eq!(near(0.1 + 0.2, 0.0), "0.30000000000000004");
        assert_eq!(near(5e-324, 0.0), "5e−324");
        assert_eq!(near(0.0, 0.0), "0");
    }
}
