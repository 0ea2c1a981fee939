//! No more output than the kernel can pass on.
//!
//! A loop prints faster than evcxr makes messages of its lines, ten times or more, and evcxr keeps in
//! memory what waits: seconds of printing take minutes to come, and Stop would change nothing that a
//! reader sees. So the process is paused while too much of its output waits in evcxr, which is what
//! evcxr has read and not sent.

use std::time::Duration;
use tokio::time::Instant;

/// In bytes: from so much waiting on the process is paused, and at so little it goes on.
const MUCH: u64 = 64 << 10;
const LITTLE: u64 = 16 << 10;
/// Where nothing comes for so long, nothing waits, whatever the count says.
const SILENCE: Duration = Duration::from_millis(100);
/// Evcxr's count is asked for once in so many lines.
const LINES: usize = 64;

/// The lines that come from evcxr.
#[derive(Default)]
pub struct Flow {
    /// What evcxr had read when the first line came.
    first: Option<u64>,
    received: u64,
    lines: usize,
    /// The last line while the process is paused.
    paused: Option<Instant>,
}

/// What to do with the process.
#[derive(Debug, PartialEq)]
pub enum Change {
    /// Halt it.
    Pause,
    /// Let it go on.
    Resume,
}

impl Flow {
    /// A line of so many bytes has come; `read` tells how many evcxr has read so far of all that it reads.
    pub fn line(
        &mut self,
        now: Instant,
        bytes: usize,
        read: impl FnOnce() -> Option<u64>,
    ) -> Option<Change> {
        self.received += bytes as u64;
        self.lines += 1;
        if self.paused.is_some() {
            self.paused = Some(now);
        }
        if self.lines % LINES != 1 {
            return None;
        }
        let read = read()?;
        let first = *self.first.get_or_insert(read);
        let waiting = (read - first).saturating_sub(self.received);
        match self.paused {
            None if waiting > MUCH => {
                self.paused = Some(now);
                Some(Change::Pause)
            }
            Some(_) if waiting < LITTLE => {
                self.paused = None;
                Some(Change::Resume)
            }
            _ => None,
        }
    }

    /// When to ask [`Flow::tick`].
    pub fn due(&self) -> Option<Instant> {
        self.paused.map(|last| last + SILENCE)
    }

    /// What to do where nothing has come.
    pub fn tick(&mut self, now: Instant) -> Option<Change> {
        self.due().filter(|due| *due <= now)?;
        *self = Self::default();
        Some(Change::Resume)
    }

    /// A cell begins: what evcxr has read since its last line was no output.
    pub fn begin(&mut self) -> Option<Change> {
        let change = self.paused.map(|_| Change::Resume);
        *self = Self::default();
        change
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_paused_while_much_waits() {
        let (mut flow, now) = (Flow::default(), Instant::now());
        let (mut written, mut paused, mut most) = (0_u64, false, 0);
        for received in (0..10_000_u64).map(|line| 10 * line) {
            // It writes ten times as fast as evcxr sends.
            written += if paused { 0 } else { 100 };
            match flow.line(now, 10, || Some(12_345 + written)) {
                Some(Change::Pause) => paused = true,
                Some(Change::Resume) => paused = false,
                None => {}
            }
            most = most.max(written.saturating_sub(received));
        }
        assert!(most > MUCH && most < MUCH + 200 * LINES as u64, "{most}");
    }

    #[test]
    fn it_goes_on_where_nothing_comes_or_another_cell_begins() {
        let now = Instant::now();
        let flood = || {
            let mut flow = Flow::default();
            let changes = (0..300).map(|line| flow.line(now, 10, || Some(line * 1_000)));
            assert_eq!(changes.flatten().collect::<Vec<_>>(), [Change::Pause]);
            flow
        };
        let mut flow = flood();
        assert_eq!(flow.tick(now), None);
        assert_eq!(flow.tick(now + SILENCE), Some(Change::Resume));
        assert_eq!(flow.tick(now + SILENCE), None);
        assert_eq!(flood().begin(), Some(Change::Resume));
        assert_eq!(Flow::default().begin(), None);
    }

    #[test]
    fn without_a_count_and_for_slow_output_nothing_is_paused() {
        let (mut flow, now) = (Flow::default(), Instant::now());
        assert!((0..10_000).all(|_| flow.line(now, 10, || None).is_none()));
        let mut flow = Flow::default();
        assert!((0..10_000).all(|line| flow.line(now, 10, || Some(10 * line + 60_000)).is_none()));
    }
}
