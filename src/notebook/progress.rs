//! Progress of long work, in whole lines.

use std::time::{Duration, Instant};

/// Prints how far a loop has come: step, rate, time left, and what the loop has to say.
///
/// A line at most every second, and ever more seldom as time goes on, so that a run of an hour
/// leaves some thirty lines.
///
/// # Examples
/// ```
/// use energy_discrepancy::notebook::Progress;
///
/// let mut progress = Progress::new(0, 1000);
/// for step in 0..1000 {
///     progress.at(step + 1, || format!("loss {:.3}", 1.0 / (step + 1) as f64));
/// }
/// progress.finish(1000, "loss 0.001");
/// ```
#[derive(Debug)]
pub struct Progress {
    first: usize,
    total: usize,
    started: Instant,
    next: Duration,
}

impl Progress {
    /// Work of `total` steps, of which `first` were done before.
    pub fn new(first: usize, total: usize) -> Self {
        Self {
            first,
            total,
            started: Instant::now(),
            next: Duration::from_secs(1),
        }
    }

    /// Says that `done` steps are done, if it is time for a line.
    pub fn at(&mut self, done: usize, says: impl FnOnce() -> String) {
        let elapsed = self.started.elapsed();
        if elapsed < self.next {
            return;
        }
        self.next = elapsed + Duration::from_secs(1).max(elapsed / 4);
        println!("{}", self.line(done, elapsed, &says()));
    }

    /// Says the last word, always.
    pub fn finish(&mut self, done: usize, says: &str) {
        println!("{}", self.line(done, self.started.elapsed(), says));
    }

    fn line(&self, done: usize, elapsed: Duration, says: &str) -> String {
        let taken = done.saturating_sub(self.first) as f64;
        let rate = taken / elapsed.as_secs_f64().max(1e-9);
        let left = self.total.saturating_sub(done) as f64 / rate;
        let time = match self.total <= done {
            true => format!("{} in all", clock(elapsed.as_secs_f64())),
            false if left.is_finite() => format!("{} left", clock(left)),
            false => "no step yet".into(),
        };
        let total = grouped(self.total);
        let width = total.len();
        let done = grouped(done);
        format!("step {done:>width$} / {total}   {rate:.0}/s   {time}   {says}")
    }
}

/// Minutes and seconds, and hours where there are.
fn clock(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// A count with its thousands apart.
fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{a0}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_where_the_work_is() {
        let progress = Progress::new(1_000, 11_000);
        let line = progress.line(6_000, Duration::from_secs(10), "loss 0.5");
        assert_eq!(
            line,
            "step   6\u{a0}000 / 11\u{a0}000   500/s   0:10 left   loss 0.5"
        );
        let last = progress.line(11_000, Duration::from_secs(3_700), "done");
        assert!(last.contains("1:01:40 in all"), "{last}");
        assert!(
            progress
                .line(1_000, Duration::ZERO, "")
                .contains("no step yet")
        );
    }
}
