//! The cell that runs: what has come of it so far, and whether Stop was pressed.

use crate::message::Message;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// The kernel can send a cell's last line after its reply and `idle`: how long to wait until it has
/// begun to. Whether it has done so, a probe shows.
const GRACE: Duration = Duration::from_millis(3);
/// Presses within this time are one press: a double click is not to lose the variables.
const ONE_PRESS: Duration = Duration::from_secs(1);
/// How often a running cell is reminded of the button. Once would not do: a cell that is being
/// compiled cannot notice, and a loop forgets what was pressed before it began.
const REMIND: Duration = Duration::from_millis(200);
/// After this time the reader is told what the next press will do.
const PATIENCE: Duration = Duration::from_secs(2);

/// What evcxr says when a cell has written bytes that are no UTF-8.
pub const NOT_UTF8: &str = "stream did not contain valid UTF-8";

/// A cell from its request to its reply.
pub struct Cell {
    /// The request that runs it.
    pub request: Message,
    /// The kernel's reply, held back until all output is out.
    pub reply: Option<Message>,
    /// The kernel's `idle`, held back likewise.
    pub idle: Option<Message>,
    /// The content of the first error that a marker reported.
    pub error: Option<Value>,
    /// The number that evcxr gave it.
    pub number: u64,
    /// The cell ran on after evcxr had stopped to read its output.
    pub catch_up: Option<CatchUp>,
    /// Whether and how Stop was pressed.
    pub stop: Option<Stop>,
    /// What it prints from now on is not shown.
    pub is_muted: bool,
    /// Its process has ended.
    pub is_lost: bool,
    /// The kernel has it.
    pub is_sent: bool,
    began: Instant,
    /// Our own request, whose end shows that all output before it has come.
    pub probe: Option<Message>,
    tries: u8,
    ends: Option<Instant>,
}

/// How evcxr is brought to read what a cell wrote after bytes that are no UTF-8.
///
/// evcxr stops to read there, and takes the rest of the output, with the mark of the cell's end,
/// for the output of the next cell: from then on it is one cell behind. Two cells of our own cure
/// that. The first begins a rich output, so that the second reads over the first one's end.
pub enum CatchUp {
    /// The first is to run.
    Wanted,
    /// The first runs.
    Begun(Message),
    /// The second runs.
    Ending(Message),
    /// evcxr is where it should be.
    Done,
}

/// A press of the Stop button.
pub struct Stop {
    pressed: Instant,
    remind: Instant,
    told: bool,
    /// The cell's process was ended.
    pub hard: bool,
}

impl Cell {
    /// A cell that has just been sent to the kernel.
    pub fn new(now: Instant, request: Message) -> Self {
        Self {
            began: now,
            request,
            reply: None,
            idle: None,
            error: None,
            number: 0,
            catch_up: None,
            stop: None,
            is_muted: false,
            is_lost: false,
            is_sent: false,
            probe: None,
            tries: 0,
            ends: None,
        }
    }

    /// How long ago it was sent.
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.began)
    }

    /// Whether the kernel has replied and is idle.
    pub fn is_complete(&self) -> bool {
        self.reply.is_some() && self.idle.is_some()
    }

    /// Once the reply and `idle` are here, each output moves the end a little further.
    pub fn wait_for_end(&mut self, now: Instant) {
        let in_step = matches!(self.catch_up, None | Some(CatchUp::Done));
        let wait = self.is_complete() && in_step && self.probe.is_none();
        self.ends = wait.then_some(now + GRACE);
    }

    /// When something is to be done about it.
    pub fn due(&self) -> Option<Instant> {
        let stop = self.stop.as_ref();
        let remind = stop.filter(|stop| !stop.hard).map(|stop| stop.remind);
        [self.ends, remind].into_iter().flatten().min()
    }

    /// Whether all of it should be here.
    pub fn is_quiet(&self, now: Instant) -> bool {
        self.ends.is_some_and(|ends| ends <= now)
    }

    /// Whether to try again to catch up: a limited number of times, each takes half a second.
    pub fn may_try_again(&mut self) -> bool {
        self.tries += 1;
        self.tries < 20
    }

    /// Our own request that runs in order to catch up.
    pub fn hidden_request(&self) -> Option<&Message> {
        match &self.catch_up {
            Some(CatchUp::Begun(request) | CatchUp::Ending(request)) => Some(request),
            _ => None,
        }
    }
}

impl Stop {
    /// Stop was pressed just now.
    pub fn new(now: Instant) -> Self {
        Self {
            pressed: now,
            remind: now,
            told: false,
            hard: false,
        }
    }

    /// Whether a press now is another one.
    pub fn is_over(&self, now: Instant) -> bool {
        now >= self.pressed + ONE_PRESS
    }

    /// Whether the cell is to be reminded now.
    pub fn reminds(&mut self, now: Instant) -> bool {
        let due = !self.hard && self.remind <= now;
        if due {
            self.remind = now + REMIND;
        }
        due
    }

    /// Whether to tell the reader now, which is done once.
    pub fn tells(&mut self, now: Instant) -> bool {
        let due = !self.told && now >= self.pressed + PATIENCE;
        self.told |= due;
        due
    }
}
