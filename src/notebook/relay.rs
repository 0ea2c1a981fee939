//! What a cell tells Jupyter past evcxr, where a relay stands between the two.
//!
//! evcxr knows lines of text and one figure for each cell, shown when the cell has ended. The
//! relay gives the kernel a secret in `EVCXR_RELAY`, and turns a line of stdout that begins with
//! it into the Jupyter message that the line names. Nothing outside this file knows of that.

use super::stdout;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// The relay that reads this process's stdout.
pub(crate) struct Relay {
    secret: String,
}

impl Relay {
    /// The relay, where there is one.
    pub(crate) fn get() -> Option<&'static Relay> {
        static RELAY: LazyLock<Option<Relay>> =
            LazyLock::new(|| Relay::with_secret(std::env::var("EVCXR_RELAY").ok()?));
        RELAY.as_ref()
    }

    fn with_secret(secret: String) -> Option<Relay> {
        let whole = secret.len() == 32 && secret.bytes().all(|byte| byte.is_ascii_hexdigit());
        whole.then_some(Relay { secret })
    }

    /// Shows something below the cell, or replaces what is shown there under the same id.
    pub(crate) fn display(&self, id: &str, replaces: bool, contents: [(&str, &str); 2]) {
        let kind = match replaces {
            true => "update_display_data",
            false => "display_data",
        };
        let data: serde_json::Map<String, Value> = contents
            .map(|(mime, content)| (mime.to_owned(), content.into()))
            .into_iter()
            .collect();
        let transient = json!({ "display_id": id });
        self.send(
            kind,
            json!({ "data": data, "metadata": {}, "transient": transient }),
        );
    }

    /// Makes Jupyter report the cell as failed. The cell itself runs on until it returns.
    pub(crate) fn fail(&self, name: &str, message: &str, traceback: &[&str]) {
        let content = json!({ "ename": name, "evalue": message, "traceback": traceback });
        self.send("error", content);
    }

    /// Prints text that need not end a line.
    pub(crate) fn print(&self, text: &str) {
        self.send("stream", json!({ "name": "stdout", "text": text }));
    }

    /// Ends a cell's output by a short line, as each marker does: a last line of many kilobytes
    /// may reach evcxr's front end only after the cell's end.
    pub(crate) fn close(&self) {
        stdout::write(&self.nothing());
    }

    fn send(&self, kind: &str, content: Value) {
        stdout::write(&self.marker(kind, content));
    }

    fn marker(&self, kind: &str, content: Value) -> String {
        let message = json!({ "msg_type": kind, "content": content }).to_string();
        // evcxr looks for its own words anywhere in a line.
        let message = message.replace(stdout::OF_EVCXR, "\\u0045VCXR_");
        format!("\u{1}{} {message}\n{}", self.secret, self.nothing())
    }

    fn nothing(&self) -> String {
        format!("\u{1}{} {{}}\n", self.secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_marker_is_one_line_and_a_line_that_says_nothing() {
        let relay = Relay::with_secret(SECRET.into()).unwrap();
        let text = "half \u{1}a\nline \"quoted\" EVCXR_BEGIN_CONTENT text/html";
        assert_eq!(
            relay.marker("stream", json!({ "text": text })),
            format!(
                "\u{1}{SECRET} {{\"content\":{{\"text\":\"half \\u0001a\\nline \\\"quoted\\\" \\u0045VCXR_BEGIN_CONTENT text/html\"}},\
                 \"msg_type\":\"stream\"}}\n\u{1}{SECRET} {{}}\n"
            )
        );
    }

    #[test]
    fn only_a_whole_secret_makes_a_relay() {
        assert!(Relay::with_secret(String::new()).is_none());
        assert!(Relay::with_secret(SECRET[1..].into()).is_none());
        assert!(Relay::with_secret(format!("{}\n", &SECRET[1..])).is_none());
    }
}
