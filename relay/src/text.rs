//! Joins lines of text that come fast.
//!
//! evcxr sends one message for each line, and a Jupyter server drops the messages of a kernel
//! that sends more than a thousand a second. The first line goes on at once; those that follow
//! within [`JOIN`] go on together.

use crate::message::{Key, Message};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

/// The least time between two messages of text.
const JOIN: Duration = Duration::from_millis(10);
/// Text of this size goes on at once.
const ENOUGH: usize = 1 << 20;

/// Text that waits to go on.
#[derive(Default)]
pub struct Text {
    waiting: Option<Waiting>,
    last: Option<Instant>,
}

struct Waiting {
    /// The message that brought the first piece, with its parent.
    first: Message,
    stream: String,
    text: String,
}

impl Text {
    /// Whether this piece continues what waits: of the same stream and the same cell.
    pub fn is_continued_by(&self, message: &Message, stream: &str) -> bool {
        let waiting = self.waiting.as_ref();
        waiting
            .is_none_or(|waiting| waiting.stream == stream && waiting.first.has_parent_of(message))
    }

    /// Adds a piece that continues what waits.
    pub fn push(&mut self, message: &Message, stream: &str, text: &str) {
        let waiting = self.waiting.get_or_insert_with(|| Waiting {
            first: message.clone(),
            stream: stream.into(),
            text: String::new(),
        });
        waiting.text += text;
    }

    /// When to take the text; in the past where it is time.
    pub fn due(&self, now: Instant) -> Option<Instant> {
        let waiting = self.waiting.as_ref()?;
        match self.last {
            Some(last) if waiting.text.len() < ENOUGH => Some(last + JOIN),
            _ => Some(now),
        }
    }

    /// What waits, as one message.
    pub fn take(&mut self, now: Instant, key: &Key) -> Option<Message> {
        let waiting = self.waiting.take()?;
        self.last = Some(now);
        let content = json!({"name": waiting.stream, "text": waiting.text});
        Some(match waiting.first.content() == content {
            true => waiting.first,
            false => key.variant(&waiting.first, "stream", &content),
        })
    }
}
