//! What happens to each message: no sockets here, so that every case can be tested.

use crate::cell::{CatchUp, Cell, NOT_UTF8};
use crate::dep_lines::{Crates, before_rust, dep_lines};
use crate::displays::Displays;
use crate::flow::{Change, Flow};
use crate::message::{Invalid, Key, Message};
use crate::shown::{Shown, shown};
use crate::text::Text;
use evcxr_relay_wire::{Marker, Markers};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;
use zeromq::ZmqMessage;

/// The mark of a cell's end on evcxr's side of stdout.
pub const END: &str = "EVCXR_EXECUTION_COMPLETE";
/// evcxr counts its cells from 2.
const FIRST: u64 = 2;
/// After a request to shut down, and for the kernel's first broadcast.
pub(crate) const SHUTDOWN: Duration = Duration::from_secs(2);
const GREET_AGAIN: Duration = Duration::from_millis(100);
const LOST: &str = "the variables of all cells are lost. Run the cells again from the top.";
pub(crate) const STOPPED: &str = "Stopped. This cell did not look at the Stop button, so its process was ended: \
                       the variables of all cells are lost. Run the cells again from the top.";

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Port {
    /// To a front end.
    Shell,
    /// To all front ends.
    Iopub,
    /// To a front end.
    Control,
    /// To the kernel.
    KernelShell,
    /// To the kernel.
    KernelControl,
}

/// The kernel's processes, as far as the hub has to do with them.
pub trait Processes {
    /// Tells the code that runs, if it cares, that Stop was pressed, and ends the programs that the
    /// cell has started; it began so long ago.
    fn interrupt(&self, began: Duration);
    /// Whether a cell is being compiled.
    fn is_compiling(&self) -> bool;
    /// Whether the process of the cells runs one, or else waits for the next.
    fn runs_code(&self) -> bool;
    /// Ends the process of the cells, and what could keep its output open.
    fn end(&self);
    /// How many bytes the kernel has read so far, from the process of the cells among others.
    fn bytes_read(&self) -> Option<u64>;
    /// Halts the process of the cells and what it has started.
    fn pause(&self);
    /// Lets them go on.
    fn resume(&self);
    /// Writes the mark of a cell's end where evcxr waits for it.
    fn end_cell(&self);
    /// Asks what these `:dep` lines would cost. Whether there will be an answer, with this number; see
    /// [`Hub::checked`].
    fn check_dep(&self, number: u64, lines: &str) -> bool;
}

/// The relay's state.
pub struct Hub<P> {
    pub(crate) key: Key,
    pub(crate) processes: P,
    pub(crate) cell: Option<Cell>,
    pub(crate) outbox: Vec<(Port, Message)>,
    /// The relay is to end, and when at the latest.
    pub(crate) ends: Option<Instant>,
    markers: Markers,
    text: Text,
    displays: Displays,
    /// Requests that wait for the end of the running cell.
    pub(crate) queue: VecDeque<Message>,
    greeting: Option<Greeting>,
    /// Our own cell, which runs between two of the front end's.
    pub(crate) chore: Option<Chore>,
    /// By how much evcxr's numbers of cells are ahead.
    pub(crate) ahead: u64,
    /// What is known of the crates that cells name.
    crates: Crates,
    /// Without it, only the harmless rich outputs are shown.
    secret_of_displays: Option<String>,
    flow: Flow,
    /// How many checks of `:dep` lines there have been.
    checks: u64,
}

/// A cell of ours that gives evcxr a new process for the cells, or lets a new one load the crates.
pub(crate) struct Chore {
    pub(crate) request: Message,
    /// What then goes to the kernel.
    pub(crate) then: Option<Message>,
}

/// Until a broadcast of the kernel reaches us, nothing is sent to it: a subscription takes effect
/// some time after the connection, and the relay would wait for a lost `idle` for good.
struct Greeting {
    probe: Message,
    again: Option<Instant>,
}

impl<P: Processes> Hub<P> {
    /// The state at the start, with the greeting to the kernel in the outbox.
    pub fn new(key: Key, secret: &str, processes: P) -> Self {
        let mut hub = Self {
            key,
            processes,
            cell: None,
            outbox: Vec::new(),
            ends: None,
            markers: Markers::new(secret),
            text: Text::default(),
            displays: Displays::default(),
            queue: VecDeque::new(),
            greeting: None,
            chore: None,
            ahead: FIRST - 1,
            crates: Crates::default(),
            secret_of_displays: None,
            flow: Flow::default(),
            checks: 0,
        };
        hub.greet();
        hub
    }

    /// With features and folders of crates that cells name.
    pub fn crates(self, crates: Crates) -> Self {
        Self { crates, ..self }
    }

    /// Rich outputs that could run a script need this secret behind their type.
    pub fn signed_displays(self, secret: &str) -> Self {
        let secret_of_displays = Some(secret.to_owned());
        Self {
            secret_of_displays,
            ..self
        }
    }

    fn greet(&mut self) {
        let probe = self.key.request("kernel_info_request", &json!({}));
        self.send(Port::KernelShell, probe.clone());
        self.greeting = Some(Greeting { probe, again: None });
    }

    /// A message from a socket, if it was signed with the kernel's key.
    pub fn read(&self, frames: ZmqMessage) -> Result<Message, Invalid> {
        self.key.read(frames)
    }

    /// The messages to be sent, in order.
    pub fn take_outbox(&mut self) -> Vec<(Port, Message)> {
        std::mem::take(&mut self.outbox)
    }

    /// Whether the relay is to end now.
    pub fn has_ended(&self, now: Instant) -> bool {
        self.ends.is_some_and(|ends| ends <= now)
    }

    /// Whether the kernel takes requests.
    pub fn is_ready(&self) -> bool {
        self.greeting.is_none() && self.chore.is_none()
    }

    pub(crate) fn send(&mut self, port: Port, message: Message) {
        self.outbox.push((port, message));
    }

    /// When [`Hub::tick`] has something to do.
    pub fn due(&self, now: Instant) -> Option<Instant> {
        let greeting = self.greeting.as_ref();
        let dues = [
            self.text.due(now),
            self.displays.due(now),
            self.cell.as_ref().and_then(Cell::due),
            self.flow.due(),
            greeting.and_then(|greeting| greeting.again),
            self.ends,
        ];
        dues.into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Instant) {
        if self.text.due(now).is_some_and(|due| due <= now) {
            self.flush_text(now);
        }
        while let Some(update) = self.displays.take_due(now) {
            self.send(Port::Iopub, update);
        }
        if let Some(Greeting {
            again: Some(again), ..
        }) = self.greeting
            && again <= now
        {
            self.greet();
        }
        let change = self.flow.tick(now);
        self.steer(change);
        self.remind_of_stop(now);
        if let Some(cell) = &mut self.cell
            && cell.is_quiet(now)
        {
            let probe = self.key.request("kernel_info_request", &json!({}));
            cell.probe = Some(probe.clone());
            cell.wait_for_end(now);
            self.send(Port::KernelShell, probe);
        }
    }

    /// A request of a front end. Those behind a running cell wait here and not in the kernel, so
    /// that they can be aborted when it fails, as "Run All" expects.
    pub fn request(&mut self, now: Instant, request: Message) {
        if self.cell.is_some() || !self.is_ready() {
            self.queue.push_back(request);
        } else if request.kind() == "execute_request" {
            self.begin(now, request);
        } else {
            self.send(Port::KernelShell, request);
        }
    }

    /// Sends a cell to the kernel, with its `:dep` lines as they should be and after their check.
    fn begin(&mut self, now: Instant, request: Message) {
        let mut content = request.content();
        let code = content["code"].as_str().unwrap_or("");
        let adapted = self.crates.adapt(code);
        let lines = dep_lines(adapted.as_deref().unwrap_or(code)).join("\n");
        let request = match adapted {
            Some(code) => {
                content["code"] = json!(code);
                self.key.with_content(request, &content)
            }
            None => request,
        };
        let change = self.flow.begin();
        self.steer(change);
        self.cell = Some(Cell::new(now, request.clone()));
        self.checks += 1;
        if lines.is_empty() || !self.processes.check_dep(self.checks, &lines) {
            self.send_cell(request);
        }
    }

    /// The cell goes to the kernel.
    fn send_cell(&mut self, request: Message) {
        if let Some(cell) = &mut self.cell {
            cell.is_sent = true;
        }
        self.send(Port::KernelShell, request);
    }

    /// What the running cell's `:dep` lines cost: nothing, or a new process for the cells, of which the
    /// reader is told before.
    pub fn checked(&mut self, number: u64, answer: &str) {
        let Some(cell) = self
            .cell
            .as_ref()
            .filter(|cell| !cell.is_sent && number == self.checks)
        else {
            // Stop was pressed meanwhile.
            return;
        };
        let request = cell.request.clone();
        if answer.is_empty() {
            return self.send_cell(request);
        }
        let content = json!({"name": "stdout", "text": format!("{answer}\n")});
        let told = self.key.broadcast(&request, "stream", &content);
        self.send(Port::Iopub, told);
        self.processes.end();
        self.start_chore(Some(request));
    }

    /// Runs a cell of ours. After its process has ended, evcxr starts another with the next cell, which
    /// fails; in a new process the crate has to be loaded before it can tell of panics.
    pub(crate) fn start_chore(&mut self, then: Option<Message>) {
        let content = json!({"code": "print!(\"\");", "silent": true, "allow_stdin": false});
        let request = self.key.request("execute_request", &content);
        self.ahead += 1;
        self.send(Port::KernelShell, request.clone());
        self.chore = Some(Chore { request, then });
    }

    fn end_chore(&mut self, now: Instant) {
        let Some(chore) = self.chore.take() else {
            return;
        };
        match chore.then {
            Some(request) => self.send_cell(request),
            None => self.resume(now),
        }
    }

    /// A reply of the kernel.
    pub fn reply(&mut self, now: Instant, reply: Message) {
        if let Some(greeting) = &mut self.greeting
            && reply.answers(&greeting.probe)
        {
            greeting.again = Some(now + GREET_AGAIN);
        } else if let Some(cell) = &mut self.cell
            && reply.answers(&cell.request)
        {
            let mut content = reply.content();
            let ahead = self.ahead;
            renumber(&mut content, ahead);
            cell.reply = Some(self.key.variant(&reply, "execute_reply", &content));
            self.settle(now);
        } else if let Some(hidden) = self.cell.as_ref().and_then(Cell::hidden_request)
            && reply.answers(hidden)
        {
            let caught = reply.content()["status"] == "ok";
            self.catch_up(now, caught);
        } else if self
            .chore
            .as_ref()
            .is_some_and(|chore| reply.answers(&chore.request))
        {
            // Its `idle` says more: all broadcasts before it have come.
        } else if reply.has_identities() {
            self.send(Port::Shell, reply);
        }
    }

    /// A broadcast of the kernel.
    pub fn output(&mut self, now: Instant, message: Message) {
        let is_idle = message.kind() == "status" && message.content()["execution_state"] == "idle";
        if let Some(greeting) = &self.greeting {
            if is_idle && message.answers(&greeting.probe) {
                self.greeting = None;
                self.resume(now);
            }
            return;
        }
        if let Some(chore) = &self.chore
            && message.answers(&chore.request)
        {
            if is_idle {
                self.end_chore(now);
            }
            return;
        }
        let Some(cell) = &mut self.cell else {
            return match message.kind() {
                "stream" => self.stream(now, message),
                _ => self.broadcast(now, message),
            };
        };
        if let Some(probe) = &cell.probe
            && message.answers(probe)
        {
            if is_idle {
                self.finish(now);
            }
        } else if let Some(hidden) = cell.hidden_request()
            && message.answers(hidden)
        {
            if message.kind() == "stream" {
                let message = self.key.adopt(message, &cell.request);
                self.stream(now, message);
            }
        } else if message.answers(&cell.request) {
            match message.kind() {
                "stream" => self.stream(now, message),
                "status" if is_idle => {
                    cell.idle = Some(message);
                    self.settle(now);
                }
                "execute_input" => {
                    cell.number = message.content()["execution_count"].as_u64().unwrap_or(0);
                    self.numbered(now, message);
                }
                "execute_result" => self.result(now, message),
                "error" => self.kernel_error(now, message),
                _ => self.broadcast(now, message),
            }
        } else if message.kind() == "stream" {
            // Of a thread that has outlived its cell.
            self.stream(now, message);
        } else {
            self.broadcast(now, message);
        }
    }

    fn broadcast(&mut self, now: Instant, message: Message) {
        self.flush_text(now);
        self.send(Port::Iopub, message);
    }

    /// Counts cells from 1.
    fn numbered(&mut self, now: Instant, message: Message) {
        let mut content = message.content();
        renumber(&mut content, self.ahead);
        let message = self.key.variant(&message, message.kind(), &content);
        self.broadcast(now, message);
    }

    /// The value of a cell's last expression.
    fn result(&mut self, now: Instant, message: Message) {
        let content = message.content();
        // What evcxr itself shows for `:vars` and the like.
        let is_command = |line: &str| {
            line.trim_start().starts_with(':') && !line.trim_start().starts_with(":dep")
        };
        let code = self
            .cell
            .as_ref()
            .map(|cell| cell.request.content()["code"].clone());
        let has_command = code.and_then(|code| Some(before_rust(code.as_str()?).any(is_command)));
        let secret = self.secret_of_displays.as_deref();
        match shown(content, secret.filter(|_| has_command != Some(true))) {
            Shown::Nothing => {}
            Shown::Content(mut content) => {
                renumber(&mut content, self.ahead);
                let message = self.key.variant(&message, "execute_result", &content);
                self.broadcast(now, message);
            }
            Shown::Error(content) => self.cell_error(now, &message, content),
        }
    }

    /// An error by which the cell fails.
    pub(crate) fn cell_error(&mut self, now: Instant, message: &Message, content: Value) {
        self.flush_displays();
        let error = self.key.variant(message, "error", &content);
        self.broadcast(now, error);
        if let Some(cell) = &mut self.cell {
            cell.error.get_or_insert(content);
        }
    }

    /// An error that evcxr itself reports.
    fn kernel_error(&mut self, now: Instant, message: Message) {
        let Some(cell) = &mut self.cell else { return };
        let mut content = message.content();
        let said = content["evalue"].as_str().unwrap_or("").to_owned();
        if let Some((printed, status)) = said.rsplit_once("Subprocess terminated with status: ") {
            cell.is_lost = true;
            let text = match cell.stop.as_ref().is_some_and(|stop| stop.hard) {
                true => STOPPED.to_owned(),
                false => format!("The process of the cells has ended ({status}): {LOST}"),
            };
            content = json!({"ename": "Stopped", "evalue": text, "traceback": [text]});
            if !cell.is_muted {
                self.add_text(now, &message, "stdout", printed);
            }
        } else if cell.stop.is_some() && said.starts_with("Shell command failed with exit code 0") {
            let text = "Stopped: the command was ended.";
            content = json!({"ename": "Stopped", "evalue": text, "traceback": [text]});
        } else if content["evalue"] == NOT_UTF8 && cell.catch_up.is_none() {
            let text = "This cell wrote bytes to stdout that are not UTF-8: that line is lost, and \
                        so are the variables that are new in this cell.";
            content = json!({"ename": "Error", "evalue": text, "traceback": [text]});
            cell.catch_up = Some(CatchUp::Wanted);
        } else if let Some(lines) = content["traceback"].as_array_mut() {
            // The place of a compile error names the cell by its number.
            let theirs = format!("command_{}", cell.number);
            let ours = format!("command_{}", cell.number.saturating_sub(self.ahead));
            for line in lines {
                if let Some(text) = line.as_str() {
                    *line = json!(text.replace(&theirs, &ours));
                }
            }
        }
        let message = self.key.variant(&message, "error", &content);
        self.broadcast(now, message);
    }

    /// The kernel has sent all that belongs to the cell, or one half of it.
    fn settle(&mut self, now: Instant) {
        let Some(cell) = &mut self.cell else { return };
        cell.wait_for_end(now);
        if cell.is_complete() && matches!(cell.catch_up, Some(CatchUp::Wanted)) {
            self.catch_up(now, false);
        }
    }

    /// Takes the next step; see [`CatchUp`].
    fn catch_up(&mut self, now: Instant, succeeded: bool) {
        let Some(cell) = &mut self.cell else { return };
        let (output, step): (_, fn(Message) -> CatchUp) = match cell.catch_up.take() {
            Some(CatchUp::Wanted) => ("BEGIN_CONTENT text/plain", CatchUp::Begun),
            // There was another such line.
            Some(CatchUp::Begun(_)) if !succeeded && cell.may_try_again() => {
                ("BEGIN_CONTENT text/plain", CatchUp::Begun)
            }
            Some(CatchUp::Begun(_)) if succeeded => ("END_CONTENT", CatchUp::Ending),
            _ => {
                cell.catch_up = Some(CatchUp::Done);
                return cell.wait_for_end(now);
            }
        };
        let code = format!("std::println!(\"EVCXR_{output}\");");
        let content = json!({"code": code, "silent": true, "allow_stdin": false});
        let request = self.key.request("execute_request", &content);
        cell.catch_up = Some(step(request.clone()));
        self.ahead += 1;
        self.send(Port::KernelShell, request);
    }

    /// A line of stdout or stderr.
    fn stream(&mut self, now: Instant, message: Message) {
        let content = message.content();
        let bytes = content["text"].as_str().map_or(0, str::len);
        let change = self.flow.line(now, bytes, || self.processes.bytes_read());
        self.steer(change);
        let stream = content["name"].as_str().unwrap_or("stdout");
        let line = content["text"].as_str().unwrap_or("");
        let (mut text, marker) = match stream {
            "stdout" => self.markers.split(line),
            _ => (line, None),
        };
        if let Some(cell) = &mut self.cell {
            cell.wait_for_end(now);
            // The cell ended in the middle of a line, and evcxr has not noticed its end.
            let end = text
                .strip_suffix('\n')
                .and_then(|text| text.strip_suffix(END));
            if let Some(before) = end {
                text = before;
                self.processes.end_cell();
            }
            if cell.is_muted {
                return;
            }
        }
        self.add_text(now, &message, stream, text);
        match marker {
            None | Some(Marker::Nothing) => {}
            Some(Marker::Text(content)) => {
                let stream = content["name"].as_str().unwrap_or("stdout");
                self.add_text(
                    now,
                    &message,
                    stream,
                    content["text"].as_str().unwrap_or(""),
                );
            }
            Some(Marker::Show(kind, content)) => self.show(now, &message, kind, &content),
            Some(Marker::Error(content)) => self.cell_error(now, &message, content),
        }
    }

    /// Halts the process that prints, or lets it go on.
    fn steer(&self, change: Option<Change>) {
        match change {
            Some(Change::Pause) => self.processes.pause(),
            Some(Change::Resume) => self.processes.resume(),
            None => {}
        }
    }

    fn add_text(&mut self, now: Instant, message: &Message, stream: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        if !self.text.is_continued_by(message, stream) {
            self.flush_text(now);
        }
        self.text.push(message, stream, text);
        if self.text.due(now).is_some_and(|due| due <= now) {
            self.flush_text(now);
        }
    }

    fn show(&mut self, now: Instant, message: &Message, kind: &str, content: &Value) {
        let display = self.key.variant(message, kind, content);
        match (kind, content["transient"]["display_id"].as_str()) {
            ("update_display_data", Some(id)) => {
                self.displays.update(id, display);
                return self.tick(now);
            }
            ("display_data", Some(id)) => self.displays.shown(now, id),
            ("clear_output", _) => self.flush_displays(),
            _ => {}
        }
        self.broadcast(now, display);
    }

    pub(crate) fn flush_text(&mut self, now: Instant) {
        if let Some(text) = self.text.take(now, &self.key) {
            self.send(Port::Iopub, text);
        }
    }

    pub(crate) fn flush_displays(&mut self) {
        for update in self.displays.take_all() {
            self.outbox.push((Port::Iopub, update));
        }
    }
}

/// evcxr's number of a cell as ours.
fn renumber(content: &mut Value, ahead: u64) {
    if let Some(number) = content["execution_count"].as_u64() {
        content["execution_count"] = json!(number.saturating_sub(ahead));
    }
}

#[cfg(test)]
mod tests;
