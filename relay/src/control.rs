//! The control channel: Stop, and the end of the kernel.

use crate::cell::Stop;
use crate::hub::{Hub, Port, Processes, SHUTDOWN};
use crate::message::Message;
use serde_json::json;
use tokio::time::Instant;

impl<P: Processes> Hub<P> {
    /// A request on the control channel.
    pub fn control(&mut self, now: Instant, request: Message) {
        match request.kind() {
            "interrupt_request" => self.interrupt(now, request),
            "shutdown_request" => self.shut_down(now, request),
            _ => self.send(Port::KernelControl, request),
        }
    }

    /// The kernel's reply on the control channel.
    pub fn control_reply(&mut self, now: Instant, reply: Message) {
        if reply.kind() == "shutdown_reply" {
            // The kernel now removes its build folder, and exits.
            self.ends = Some(now + SHUTDOWN);
        }
        self.send(Port::Control, reply);
    }

    /// The first press is a SIGINT, which loops can look for. The next one ends the process of the
    /// cell, and its variables with it; but where the cell's code rests, first what it has printed. A cell
    /// that the kernel does not have yet is not run.
    fn interrupt(&mut self, now: Instant, request: Message) {
        if self.cell.as_ref().is_some_and(|cell| !cell.is_sent) {
            self.refuse(now);
        } else if let Some(cell) = &mut self.cell {
            match &mut cell.stop {
                None => {
                    cell.stop = Some(Stop::new(now));
                    self.remind_of_stop(now);
                }
                Some(stop) if !stop.is_over(now) => {}
                Some(_) if self.processes.is_compiling() => {
                    self.tell("Stop: the cell is still being compiled, and will be stopped when it runs.\n");
                }
                // It waits for input, or what it has printed still comes.
                Some(_) if !cell.is_muted && !self.processes.runs_code() => {
                    cell.is_muted = true;
                    self.tell(
                        "Stop: the cell's code rests; what it has printed is not shown any further. To press \
                         Stop again ends its process: the variables of all cells would be lost.\n",
                    );
                }
                Some(stop) => {
                    stop.hard = true;
                    cell.is_muted = true;
                    self.processes.end();
                    return self.send(Port::KernelControl, request);
                }
            }
        }
        let content = json!({"status": "ok"});
        let reply = self.key.answer(&request, "interrupt_reply", &content);
        self.send(Port::Control, reply);
    }

    /// Sends the signal again while the cell runs on, and tells what else can be done.
    pub(crate) fn remind_of_stop(&mut self, now: Instant) {
        let Some(cell) = &mut self.cell else { return };
        let age = cell.age(now);
        let Some(stop) = &mut cell.stop else { return };
        if stop.reminds(now) {
            self.processes.interrupt(age);
        }
        if stop.tells(now) {
            self.tell(
                "Stop: the cell was asked to stop, and has not looked yet. To press Stop again \
                 ends its process: the variables of all cells would be lost.\n",
            );
        }
    }

    fn tell(&mut self, text: &str) {
        if let Some(cell) = &self.cell {
            let content = json!({"name": "stderr", "text": text});
            let message = self.key.broadcast(&cell.request, "stream", &content);
            self.send(Port::Iopub, message);
        }
    }

    /// An idle kernel is told, and exits. One that is busy would first finish its cell.
    fn shut_down(&mut self, now: Instant, request: Message) {
        if self.cell.is_none() && self.is_ready() {
            self.ends = Some(now + SHUTDOWN);
            return self.send(Port::KernelControl, request);
        }
        let content = json!({"status": "ok", "restart": request.content()["restart"]});
        let reply = self.key.answer(&request, "shutdown_reply", &content);
        self.send(Port::Control, reply);
        self.ends = Some(now);
    }
}
