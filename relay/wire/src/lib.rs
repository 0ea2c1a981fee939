//! Marked lines of stdout: how code in a cell asks for a message that evcxr cannot send.
//!
//! A marker is one line, `\u{1}SECRET {"msg_type": .., "content": ..}`. The secret is new for each
//! kernel and known to the cells alone (environment variable [`SECRET`]), so that no text can
//! be taken for a marker by chance. A marker may follow unfinished text on its line.
//!
//! The relay reads what the notebook side writes: both by this crate.

use serde_json::{Value, json};

/// The environment variable that holds the secret, where there is a relay.
pub const SECRET: &str = "EVCXR_RELAY";

/// What a marker asks for: messages of Jupyter's protocol.
#[derive(Clone, Debug, PartialEq)]
pub enum Marker {
    /// A display, an update of one, or to clear the output: the message's type and content.
    Show(&'static str, Value),
    /// The cell has failed: content of an `error` message.
    Error(Value),
    /// Text, with or without a line's end.
    Text(Value),
    /// Nothing: a short line at the end of a long one, which evcxr may deliver only after the cell's end.
    Nothing,
}

/// The markers of one kernel.
#[derive(Clone, Debug)]
pub struct Markers {
    start: String,
}

impl Markers {
    /// Markers with this secret.
    pub fn new(secret: &str) -> Self {
        Self {
            start: format!("\u{1}{secret} "),
        }
    }

    /// Those of the relay that reads this process's stdout: none without one, or with a secret that is not
    /// whole.
    pub fn of_this_process() -> Option<Self> {
        let secret = std::env::var(SECRET).ok()?;
        let is_whole = secret.len() == 32 && secret.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_whole.then(|| Self::new(&secret))
    }

    /// The marker as a line, and behind it one that asks for nothing. To be written to stdout at once.
    ///
    /// # Examples
    /// ```
    /// use evcxr_relay_wire::{Marker, Markers};
    /// use serde_json::json;
    ///
    /// let markers = Markers::new("5ec4e7");
    /// let text = Marker::Text(json!({ "name": "stdout", "text": "half a li" }));
    /// let lines = markers.lines(&text);
    /// assert_eq!(lines.lines().count(), 2);
    /// assert_eq!(markers.split(lines.lines().next().unwrap()), ("", Some(text)));
    /// ```
    pub fn lines(&self, marker: &Marker) -> String {
        let (kind, content) = match marker {
            Marker::Show(kind, content) => (*kind, content),
            Marker::Error(content) => ("error", content),
            Marker::Text(content) => ("stream", content),
            Marker::Nothing => return format!("{}{{}}\n", self.start),
        };
        let message = json!({ "msg_type": kind, "content": content }).to_string();
        // evcxr looks for its own words anywhere in a line.
        let message = message.replace("EVCXR_", "\\u0045VCXR_");
        format!("{}{message}\n{}", self.start, self.lines(&Marker::Nothing))
    }

    /// Splits a line of stdout into the text before a marker, and the marker.
    pub fn split<'a>(&self, line: &'a str) -> (&'a str, Option<Marker>) {
        match line.split_once(&self.start) {
            None => (line, None),
            Some((text, json)) => (text, Some(parse(json))),
        }
    }
}

/// What is not as it should be asks for nothing: no reader is to see it.
fn parse(json: &str) -> Marker {
    let mut marker: Value = serde_json::from_str(json).unwrap_or_default();
    let content = match marker.get_mut("content") {
        Some(content) if content.is_object() => content.take(),
        _ => return Marker::Nothing,
    };
    match marker["msg_type"].as_str() {
        Some("display_data") => Marker::Show("display_data", content),
        Some("update_display_data") => Marker::Show("update_display_data", content),
        Some("clear_output") => Marker::Show("clear_output", content),
        Some("error") => Marker::Error(content),
        Some("stream") => Marker::Text(content),
        _ => Marker::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    proptest! {
        #[test]
        fn text_without_the_secret_stays_text(line in any::<String>()) {
            let markers = Markers::new("0123456789abcdef");
            prop_assert_eq!(markers.split(&line), (line.as_str(), None));
            let other = format!("\u{1}0123456789abcdee {line}");
            prop_assert_eq!(markers.split(&other), (other.as_str(), None));
        }

        #[test]
        fn a_marker_is_found_behind_any_text_and_never_shown(text in any::<String>(), json in any::<String>()) {
            let markers = Markers::new("5ec4e7");
            let line = format!("{text}\u{1}5ec4e7 {json}\n");
            let (shown, marker) = markers.split(&line);
            prop_assert_eq!(shown, text);
            prop_assert!(marker.is_some());
        }
    }

    #[test]
    fn a_marker_is_one_line_and_a_line_that_says_nothing() {
        let text = "half \u{1}a\nline \"quoted\" EVCXR_BEGIN_CONTENT text/html";
        let marker = Marker::Text(json!({ "text": text }));
        let lines = Markers::new("5ec4e7").lines(&marker);
        assert_eq!(
            lines,
            "\u{1}5ec4e7 {\"content\":{\"text\":\"half \\u0001a\\nline \\\"quoted\\\" \\u0045VCXR_BEGIN_CONTENT text/html\"},\
             \"msg_type\":\"stream\"}\n\u{1}5ec4e7 {}\n"
        );
        let first = lines.lines().next().unwrap();
        assert_eq!(Markers::new("5ec4e7").split(first), ("", Some(marker)));
    }

    #[test]
    fn markers_ask_for_known_things_only() {
        let ask = |json: Value| parse(&json.to_string());
        let content = json!({"data": {}});
        assert_eq!(
            ask(json!({"msg_type": "display_data", "content": content})),
            Marker::Show("display_data", content.clone())
        );
        assert_eq!(
            ask(json!({"msg_type": "shutdown_reply", "content": {}})),
            Marker::Nothing
        );
        assert_eq!(
            ask(json!({"msg_type": "error", "content": "no object"})),
            Marker::Nothing
        );
        assert_eq!(ask(json!({})), Marker::Nothing);
        assert_eq!(parse("{\"msg_type\": \"error\", \"cont"), Marker::Nothing);
    }
}
