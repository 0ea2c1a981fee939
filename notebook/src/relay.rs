//! What a cell tells Jupyter past evcxr, where a relay stands between the two.
//!
//! evcxr knows lines of text and one figure for each cell, shown when the cell has ended. The relay turns a
//! marked line of stdout into the Jupyter message that the line names.

use super::stdout;
use evcxr_relay_wire::{Marker, Markers};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// The relay that reads this process's stdout.
pub(crate) struct Relay(Markers);

impl Relay {
    /// The relay, where there is one.
    pub(crate) fn get() -> Option<&'static Relay> {
        static RELAY: LazyLock<Option<Relay>> =
            LazyLock::new(|| Markers::of_this_process().map(Relay));
        RELAY.as_ref()
    }

    /// Shows something below the cell, or replaces what is shown there under the same id.
    pub(crate) fn display(&self, id: &str, replaces: bool, contents: [(&str, &str); 2]) {
        let kind = match replaces {
            true => "update_display_data",
            false => "display_data",
        };
        let contents = contents.map(|(mime, content)| (mime.to_owned(), content.into()));
        let data: Map<String, Value> = contents.into_iter().collect();
        let transient = json!({ "display_id": id });
        let content = json!({ "data": data, "metadata": {}, "transient": transient });
        self.send(Marker::Show(kind, content));
    }

    /// Makes Jupyter report the cell as failed. The cell itself runs on until it returns.
    pub(crate) fn fail(&self, name: &str, message: &str, traceback: &[&str]) {
        let content = json!({ "ename": name, "evalue": message, "traceback": traceback });
        self.send(Marker::Error(content));
    }

    /// Prints text that need not end a line.
    pub(crate) fn print(&self, text: &str) {
        self.send(Marker::Text(json!({ "name": "stdout", "text": text })));
    }

    /// Ends a cell's output by a short line, as each marker does: a last line of many kilobytes
    /// may reach evcxr's front end only after the cell's end.
    pub(crate) fn close(&self) {
        self.send(Marker::Nothing);
    }

    fn send(&self, marker: Marker) {
        stdout::write(&self.0.lines(&marker));
    }
}
