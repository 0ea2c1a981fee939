//! The end of a cell: its last output, its reply, and the requests that waited behind it.

use crate::hub::{Hub, Port, Processes, STOPPED};
use crate::message::Message;
use crate::unrun::why_nothing_ran;
use serde_json::json;
use tokio::time::Instant;

impl<P: Processes> Hub<P> {
    /// All output of the cell has come: what waits of it goes out, then its reply and `idle`.
    pub(crate) fn finish(&mut self, now: Instant) {
        self.flush_text(now);
        self.flush_displays();
        self.fail_in_hindsight(now);
        let Some(cell) = self.cell.take() else { return };
        let (Some(mut reply), Some(idle)) = (cell.reply, cell.idle) else {
            return;
        };
        let mut content = reply.content();
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
        match cell.is_lost {
            true => self.start_chore(None),
            false => self.resume(now),
        }
    }

    /// What evcxr calls a success and is none: a cell of which nothing was run, and one whose process
    /// Stop has ended in the moment after its last line.
    fn fail_in_hindsight(&mut self, now: Instant) {
        let Some(cell) = &mut self.cell else { return };
        let is_untold = cell.stop.as_ref().is_some_and(|stop| stop.hard) && !cell.is_lost;
        cell.is_lost |= is_untold;
        let status = cell
            .reply
            .as_ref()
            .map(|reply| reply.content()["status"].clone());
        let code = cell.request.content()["code"].clone();
        let why = match status {
            _ if is_untold => Some(STOPPED),
            Some(status) if status == "ok" && cell.error.is_none() => {
                code.as_str().and_then(why_nothing_ran)
            }
            _ => None,
        };
        if let Some(why) = why {
            let message = self.key.broadcast(&cell.request, "error", &json!({}));
            let content = json!({"ename": "Error", "evalue": why, "traceback": [why]});
            self.cell_error(now, &message, content);
        }
    }

    /// Ends a cell that the kernel does not have yet.
    pub(crate) fn refuse(&mut self, now: Instant) {
        let Some(cell) = self.cell.take() else { return };
        if let Some(chore) = &mut self.chore {
            chore.then = None;
        }
        let why = "Stopped before it ran.";
        let error = json!({"ename": "Stopped", "evalue": why, "traceback": [why]});
        let mut content = error.clone();
        content["status"] = json!("error");
        let state = |state: &str| {
            let content = json!({"execution_state": state});
            self.key.broadcast(&cell.request, "status", &content)
        };
        let (busy, idle) = (state("busy"), state("idle"));
        let error = self.key.broadcast(&cell.request, "error", &error);
        let reply = self.key.answer(&cell.request, "execute_reply", &content);
        self.send(Port::Iopub, busy);
        self.send(Port::Iopub, error);
        self.send(Port::Shell, reply);
        self.send(Port::Iopub, idle);
        self.abort_waiting_cells();
        if self.is_ready() {
            self.resume(now);
        }
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
    pub(crate) fn resume(&mut self, now: Instant) {
        for request in std::mem::take(&mut self.queue) {
            self.request(now, request);
        }
    }
}
