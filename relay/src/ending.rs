//! The end of a cell: its last output, its reply, and the requests that waited behind it.

use crate::hub::{Hub, Port, Processes};
use crate::message::Message;
use serde_json::json;
use tokio::time::Instant;

impl<P: Processes> Hub<P> {
    /// All output of the cell has come: what waits of it goes out, then its reply and `idle`.
    pub(crate) fn finish(&mut self, now: Instant) {
        self.flush_text(now);
        self.flush_displays();
        let Some(cell) = self.cell.take() else { return };
        let (Some(mut reply), Some(idle)) = (cell.reply, cell.idle) else {
            return;
        };
        let mut content = reply.content();
        self.renumber(&mut content);
        if let Some(error) = cell.error {
            for field in ["ename", "evalue", "traceback"] {
                content[field] = error[field].clone();
            }
            content["status"] = json!("error");
        }
        reply = self.key.variant(&reply, "execute_reply", &content);
        self.send(Port::Shell, reply);
        self.send(Port::Iopub, idle);

        let stops_on_error = cell.request.content()["stop_on_error"] != false;
        let failed = content["status"] == "error" && stops_on_error;
        if failed || cell.stop.is_some() {
            self.abort_waiting_cells();
        }
        self.resume();
    }

    /// "Run All" ends with a cell that fails, or that Stop has ended.
    fn abort_waiting_cells(&mut self) {
        let (cells, others): (Vec<Message>, Vec<Message>) = std::mem::take(&mut self.queue)
            .into_iter()
            .partition(|request| request.kind() == "execute_request");
        self.queue.extend(others);
        for request in cells {
            let state = |state: &str| {
                let content = json!({"execution_state": state});
                self.key.broadcast(&request, "status", &content)
            };
            let (busy, idle) = (state("busy"), state("idle"));
            let content = json!({"status": "aborted"});
            let reply = self.key.answer(&request, "execute_reply", &content);
            self.send(Port::Iopub, busy);
            self.send(Port::Shell, reply);
            self.send(Port::Iopub, idle);
        }
    }

    /// Sends what waits, up to the next cell.
    pub(crate) fn resume(&mut self) {
        for request in std::mem::take(&mut self.queue) {
            self.request(request);
        }
    }
}
