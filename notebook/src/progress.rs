//! Progress of long work: a bar that moves, or whole lines.

use super::display::Display;
use std::cell::Cell;
use std::time::{Duration, Instant};

thread_local! {
    /// How many stretches of work contain each other on this thread.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// The least time between two states of the bar.
const BETWEEN: Duration = Duration::from_millis(250);

/// Shows how far a loop has come: step, rate, time left, and what the loop has to say.
///
/// In a notebook it is a bar, which at the end becomes a line of text. Where outputs cannot be
/// replaced (in a terminal, on evcxr without the relay) it is a line
/// at most every second, and ever more seldom as time goes on, so that a run of an hour leaves
/// some thirty. Of work that contains other work, only the outermost is shown.
///
/// # Examples
/// ```
/// use evcxr_notebook::Progress;
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
    display: Display,
    /// The last state that was seen.
    last: (usize, String),
    is_outermost: bool,
    only_if_long: bool,
    has_shown: bool,
}

impl Progress {
    /// Work of `total` steps, of which `first` were done before.
    pub fn new(first: usize, total: usize) -> Self {
        let depth = DEPTH.get();
        DEPTH.set(depth + 1);
        Self {
            first,
            total,
            started: Instant::now(),
            next: if Display::is_live() {
                BETWEEN
            } else {
                Duration::from_secs(1)
            },
            display: Display::default(),
            last: (first, String::new()),
            is_outermost: depth == 0,
            only_if_long: false,
            has_shown: false,
        }
    }

    /// Shows nothing of work that takes less than a second.
    pub fn only_if_long(mut self) -> Self {
        self.only_if_long = true;
        self.next = Duration::from_secs(1);
        self
    }

    /// Says that `done` steps are done, if it is time to show that.
    pub fn at(&mut self, done: usize, says: impl FnOnce() -> String) {
        if !self.is_outermost {
            return;
        }
        let elapsed = self.started.elapsed();
        if elapsed < self.next {
            return;
        }
        self.next = elapsed
            + match Display::is_live() {
                true => BETWEEN,
                false => Duration::from_secs(1).max(elapsed / 4),
            };
        self.last = (done, says());
        self.show(elapsed, false);
    }

    /// Says the last word.
    pub fn finish(mut self, done: usize, says: &str) {
        self.last = (done, says.to_owned());
        if self.is_outermost && (self.has_shown || !self.only_if_long) {
            self.show(self.started.elapsed(), true);
        }
        // Dropped now, with nothing more to say.
        self.has_shown = false;
    }

    fn show(&mut self, elapsed: Duration, is_over: bool) {
        self.has_shown = true;
        let (done, says) = &self.last;
        let line = self.line(*done, elapsed, says, is_over);
        let has_bar = !is_over && Display::is_live();
        let html = html(&line, has_bar.then_some((*done, self.total)));
        self.display.show(&line, ("text/html", &html));
    }

    /// Work that is over early, as by Stop, says how long it took, and not what was left.
    fn line(&self, done: usize, elapsed: Duration, says: &str, is_over: bool) -> String {
        let taken = done.saturating_sub(self.first) as f64;
        let rate = taken / elapsed.as_secs_f64().max(1e-9);
        let left = self.total.saturating_sub(done) as f64 / rate;
        let time = match is_over || self.total <= done {
            true => format!("{} in all", clock(elapsed.as_secs_f64())),
            false if left.is_finite() => format!("{} left", clock(left)),
            false => "no step yet".into(),
        };
        let total = grouped(self.total);
        let width = total.len();
        let done = grouped(done);
        let pace = pace(rate);
        format!("step {done:>width$} / {total}   {pace}   {time}   {says}")
    }
}

impl Drop for Progress {
    /// Work that ended by an error or a panic leaves no bar that seems to move still.
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get().saturating_sub(1));
        if self.has_shown && Display::is_live() {
            self.last.1 += "   (ended early)";
            self.show(self.started.elapsed(), true);
        }
    }
}

/// A line of text, with a bar before it. It reads well too where a viewer drops the markup.
fn html(line: &str, bar: Option<(usize, usize)>) -> String {
    let line = line.replace('&', "&amp;").replace('<', "&lt;");
    let bar =
        bar.map(|(done, total)| format!("<progress max=\"{total}\" value=\"{done}\"></progress> "));
    let bar = bar.unwrap_or_default();
    format!(
        "<div>{bar}<span style=\"font-family: monospace; white-space: pre\">{line}</span></div>"
    )
}

/// Steps a second, or seconds a step where a step takes more than one.
fn pace(rate: f64) -> String {
    match rate {
        rate if rate >= 10.0 || rate == 0.0 => format!("{rate:.0}/s"),
        rate if rate >= 1.0 => format!("{rate:.1}/s"),
        rate => format!("{:.1} s each", 1.0 / rate),
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
    fn only_the_outermost_work_is_shown() {
        let outer = Progress::new(0, 1);
        let inner = Progress::new(0, 1);
        assert!(outer.is_outermost && !inner.is_outermost);
        drop(inner);
        outer.finish(1, "");
        assert!(Progress::new(0, 1).is_outermost);
    }

    #[test]
    fn what_a_loop_says_is_no_markup() {
        let text = html("a < b & c", Some((1, 2)));
        assert!(text.contains("a &lt; b &amp; c") && text.contains("max=\"2\" value=\"1\""));
        assert!(!html("", None).contains("progress"));
    }

    #[test]
    fn a_line_says_where_the_work_is() {
        let progress = Progress::new(1_000, 11_000);
        let line = progress.line(6_000, Duration::from_secs(10), "loss 0.5", false);
        assert_eq!(
            line,
            "step   6\u{a0}000 / 11\u{a0}000   500/s   0:10 left   loss 0.5"
        );
        assert_eq!(
            [500.0, 7.25, 0.08].map(pace),
            ["500/s", "7.2/s", "12.5 s each"]
        );
        let last = progress.line(11_000, Duration::from_secs(3_700), "done", true);
        let stopped = progress.line(6_000, Duration::from_secs(10), "", true);
        assert!(stopped.contains("0:10 in all"), "{stopped}");
        assert!(last.contains("1:01:40 in all"), "{last}");
        assert!(
            progress
                .line(1_000, Duration::ZERO, "", false)
                .contains("no step yet")
        );
    }
}
