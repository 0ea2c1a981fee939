//! Updates of displays, as many as a front end can take.
//!
//! A display is updated ten times a second at most, and all together with half a megabyte a
//! second (a Jupyter server drops the messages of a kernel that sends more than one). What is
//! left out was replaced by something newer; the last state always goes out.

use crate::message::Message;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// The least time between two updates of one display.
const BETWEEN: Duration = Duration::from_millis(100);
const BYTES_PER_SECOND: f64 = 500e3;

/// The displays of the running cell.
#[derive(Default)]
pub struct Displays {
    by_id: HashMap<String, Display>,
    /// No update before: the last one was large.
    quiet_until: Option<Instant>,
}

struct Display {
    sent: Option<Instant>,
    waiting: Option<Message>,
}

impl Displays {
    /// A new display goes out: its first update has to wait a moment.
    pub fn shown(&mut self, now: Instant, id: &str) {
        let display = Display {
            sent: Some(now),
            waiting: None,
        };
        self.by_id.insert(id.into(), display);
    }

    /// Replaces what waits for this display.
    pub fn update(&mut self, id: &str, message: Message) {
        let display = self.by_id.entry(id.into()).or_insert(Display {
            sent: None,
            waiting: None,
        });
        display.waiting = Some(message);
    }

    /// When to take the next update; in the past where it is time.
    pub fn due(&self, now: Instant) -> Option<Instant> {
        let next = self.by_id.values().filter_map(|display| display.due(now));
        let quiet_until = self.quiet_until.unwrap_or(now);
        next.min().map(|due| due.max(quiet_until))
    }

    /// An update whose time has come.
    pub fn take_due(&mut self, now: Instant) -> Option<Message> {
        if self.due(now)? > now {
            return None;
        }
        let mut displays = self.by_id.values_mut();
        let display = displays.find(|display| display.due(now).is_some_and(|due| due <= now))?;
        display.sent = Some(now);
        let message = display.waiting.take()?;
        let pause = Duration::from_secs_f64(message.size() as f64 / BYTES_PER_SECOND);
        self.quiet_until = Some(now + pause);
        Some(message)
    }

    /// All that waits, and forgets the displays: the cell ends, or clears its output.
    pub fn take_all(&mut self) -> impl Iterator<Item = Message> {
        let displays = std::mem::take(&mut self.by_id);
        displays.into_values().filter_map(|display| display.waiting)
    }
}

impl Display {
    fn due(&self, now: Instant) -> Option<Instant> {
        self.waiting.as_ref()?;
        Some(self.sent.map_or(now, |sent| sent + BETWEEN))
    }
}
