//! The hub between a front end and a kernel that are both played here.

use super::*;
use proptest::prelude::*;
use std::cell::Cell as StdCell;
use std::rc::Rc;

const SECRET: &str = "5ec4e7";

/// What was done to the kernel's processes.
#[derive(Clone, Default)]
struct Played {
    interrupts: Rc<StdCell<usize>>,
    ends: Rc<StdCell<usize>>,
    compiles: Rc<StdCell<bool>>,
    /// Its cell's code has ended.
    rests: Rc<StdCell<bool>>,
    killed: Rc<StdCell<usize>>,
    pauses: Rc<StdCell<usize>>,
    resumes: Rc<StdCell<usize>>,
    checks: Rc<StdCell<bool>>,
    read: Rc<StdCell<u64>>,
}

impl Processes for Played {
    fn interrupt(&self, _: Duration) {
        self.interrupts.set(self.interrupts.get() + 1);
    }
    fn is_compiling(&self) -> bool {
        self.compiles.get()
    }
    fn end_cell(&self) {
        self.ends.set(self.ends.get() + 1);
    }
    fn runs_code(&self) -> bool {
        !self.rests.get()
    }
    fn end(&self) {
        self.killed.set(self.killed.get() + 1);
    }
    fn bytes_read(&self) -> Option<u64> {
        Some(self.read.get())
    }
    fn pause(&self) {
        self.pauses.set(self.pauses.get() + 1);
    }
    fn resume(&self) {
        self.resumes.set(self.resumes.get() + 1);
    }
    fn check_dep(&self, _: u64, _: &str) -> bool {
        self.checks.get()
    }
}

/// A hub, and the two sides of it.
struct Stage {
    hub: Hub<Played>,
    played: Played,
    key: Key,
    now: Instant,
    /// All that came out: (port, message).
    out: Vec<(Port, Message)>,
    count: u64,
}

impl Stage {
    fn new() -> Self {
        let played = Played::default();
        let key = Key::new("key");
        let hub = Hub::new(key.clone(), SECRET, played.clone());
        let mut stage = Self {
            hub,
            played,
            key,
            now: Instant::now(),
            out: Vec::new(),
            count: 1,
        };
        let greeting = stage.take().remove(0).1;
        stage.kernel_says(&greeting, "status", json!({"execution_state": "idle"}));
        assert!(stage.hub.is_ready());
        stage
    }

    fn take(&mut self) -> Vec<(Port, Message)> {
        self.hub.take_outbox()
    }

    /// Lets time pass, and answers the relay's own probes as a kernel does.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            for (port, message) in self.take() {
                if port == Port::KernelShell && message.kind() == "kernel_info_request" {
                    self.kernel_says(&message, "status", json!({"execution_state": "idle"}));
                }
                self.out.push((port, message));
            }
            match self.hub.due(self.now) {
                Some(due) if due <= end && !self.hub.has_ended(self.now) => {
                    self.now = self.now.max(due);
                }
                _ if self.hub.outbox.is_empty() => break,
                _ => continue,
            }
            self.hub.tick(self.now);
        }
        self.now = end;
    }

    fn kernel_says(&mut self, request: &Message, kind: &str, content: Value) {
        let message = self.key.broadcast(request, kind, &content);
        self.hub.output(self.now, message);
    }

    fn prints(&mut self, request: &Message, line: &str) {
        self.kernel_says(request, "stream", json!({"name": "stdout", "text": line}));
    }

    fn marks(&mut self, request: &Message, kind: &str, content: Value) {
        let json = json!({"msg_type": kind, "content": content});
        self.prints(request, &format!("\u{1}{SECRET} {json}\n"));
    }

    /// A front end runs a cell, and the kernel begins it.
    fn run(&mut self) -> Message {
        self.run_code("")
    }

    fn run_code(&mut self, code: &str) -> Message {
        let content = json!({"code": code, "stop_on_error": true});
        let request = self.key.request("execute_request", &content);
        self.hub.request(self.now, request.clone());
        self.count += 1;
        let count = self.count;
        self.kernel_says(&request, "execute_input", json!({"execution_count": count}));
        request
    }

    /// The kernel has done what was requested.
    fn done(&mut self, request: &Message, status: &str) {
        let content = json!({"status": status, "execution_count": self.count});
        let reply = self.key.answer(request, "execute_reply", &content);
        self.hub.reply(self.now, reply);
        self.kernel_says(request, "status", json!({"execution_state": "idle"}));
    }

    fn presses_stop(&mut self) {
        let request = self.key.request("interrupt_request", &json!({}));
        self.hub.control(self.now, request);
    }

    /// What went out on a port so far, as (type, content).
    fn seen(&mut self, port: Port) -> Vec<(String, Value)> {
        self.pass(Duration::from_secs(1));
        let on_port = self.out.iter().filter(|(to, _)| *to == port);
        let seen = on_port.map(|(_, message)| (message.kind().to_owned(), message.content()));
        seen.filter(|(kind, _)| kind != "kernel_info_request")
            .collect()
    }

    fn kinds(&mut self, port: Port) -> Vec<String> {
        self.seen(port).into_iter().map(|(kind, _)| kind).collect()
    }

    fn text(&mut self) -> String {
        let texts = self
            .seen(Port::Iopub)
            .into_iter()
            .filter(|(kind, _)| kind == "stream");
        texts
            .map(|(_, content)| content["text"].as_str().unwrap().to_owned())
            .collect()
    }
}

fn display(id: &str, text: &str) -> Value {
    json!({"data": {"text/plain": text}, "metadata": {}, "transient": {"display_id": id}})
}

#[test]
fn cells_count_from_one_and_requests_go_on() {
    let mut stage = Stage::new();
    let request = stage.run();
    stage.done(&request, "ok");
    assert_eq!(stage.seen(Port::Iopub)[0].1["execution_count"], 1);
    assert_eq!(stage.seen(Port::Shell)[0].1["execution_count"], 1);
    assert_eq!(stage.kinds(Port::KernelShell), ["execute_request"]);
}

#[test]
fn the_reply_comes_after_the_last_line_though_the_kernel_sends_it_before() {
    let mut stage = Stage::new();
    let request = stage.run();
    stage.done(&request, "ok");
    stage.prints(&request, "late\n");
    stage.pass(Duration::from_millis(2));
    stage.prints(&request, "later\n");
    assert_eq!(stage.text(), "late\nlater\n");
    assert_eq!(stage.kinds(Port::Iopub).last().unwrap(), "status");
    assert_eq!(stage.kinds(Port::Shell), ["execute_reply"]);
}

#[test]
fn displays_and_text_keep_their_order_and_no_marker_is_shown() {
    let mut stage = Stage::new();
    let request = stage.run();
    stage.prints(&request, "before\n");
    stage.marks(&request, "display_data", display("a", "0"));
    stage.prints(&request, &format!("half\u{1}{SECRET} {}\n", json!({})));
    stage.prints(&request, &format!("\u{1}{SECRET} no JSON\n"));
    stage.marks(
        &request,
        "stream",
        json!({"name": "stdout", "text": "piece"}),
    );
    stage.marks(&request, "clear_output", json!({"wait": true}));
    stage.done(&request, "ok");
    let seen = stage.seen(Port::Iopub);
    let kinds: Vec<&str> = seen.iter().map(|(kind, _)| kind.as_str()).collect();
    let expected = [
        "execute_input",
        "stream",
        "display_data",
        "stream",
        "clear_output",
        "status",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(stage.text(), "before\nhalfpiece");
}

#[test]
fn of_many_updates_a_few_go_out_and_the_last_always() {
    let mut stage = Stage::new();
    let request = stage.run();
    stage.marks(&request, "display_data", display("a", "first"));
    for number in 0..1000 {
        stage.marks(
            &request,
            "update_display_data",
            display("a", &number.to_string()),
        );
        stage.pass(Duration::from_millis(1));
    }
    stage.marks(&request, "update_display_data", display("a", "last"));
    stage.done(&request, "ok");
    let updates: Vec<Value> = stage
        .seen(Port::Iopub)
        .into_iter()
        .filter(|(kind, _)| kind == "update_display_data")
        .map(|(_, content)| content["data"]["text/plain"].clone())
        .collect();
    assert!((9..=11).contains(&updates.len()), "{updates:?}");
    assert_eq!(updates.last().unwrap(), "last");
    assert_eq!(stage.kinds(Port::Iopub).last().unwrap(), "status");
}

#[test]
fn a_marked_error_fails_the_cell_and_aborts_those_behind_it() {
    let mut stage = Stage::new();
    let first = stage.run();
    let waiting = stage.key.request("execute_request", &json!({"code": "2"}));
    let completion = stage.key.request("complete_request", &json!({}));
    stage.hub.request(stage.now, waiting);
    stage.hub.request(stage.now, completion);
    let error = json!({"ename": "panic", "evalue": "too far", "traceback": ["panic: too far"]});
    stage.marks(&first, "error", error.clone());
    stage.done(&first, "ok");
    let replies = stage.seen(Port::Shell);
    assert_eq!(replies[0].1["status"], "error");
    assert_eq!(replies[0].1["evalue"], "too far");
    assert_eq!(replies[1].1["status"], "aborted");
    assert_eq!(
        stage.kinds(Port::KernelShell),
        ["execute_request", "complete_request"]
    );
    assert!(stage.seen(Port::Iopub).contains(&("error".into(), error)));
}

#[test]
fn cells_behind_a_failed_one_run_where_the_front_end_wants_that() {
    let mut stage = Stage::new();
    let content = json!({"code": "", "stop_on_error": false});
    let first = stage.key.request("execute_request", &content);
    stage.hub.request(stage.now, first.clone());
    stage.hub.request(
        stage.now,
        stage.key.request("execute_request", &json!({"code": "2"})),
    );
    stage.done(&first, "error");
    assert_eq!(
        stage.kinds(Port::KernelShell),
        ["execute_request", "execute_request"]
    );
}

#[test]
fn stop_reminds_the_cell_until_it_ends_and_aborts_those_behind_it() {
    let mut stage = Stage::new();
    stage.presses_stop();
    assert_eq!(
        stage.played.interrupts.get(),
        0,
        "an idle kernel has nothing to stop"
    );
    let request = stage.run();
    stage.hub.request(
        stage.now,
        stage.key.request("execute_request", &json!({"code": "2"})),
    );
    stage.presses_stop();
    assert_eq!(stage.played.interrupts.get(), 1);
    stage.pass(Duration::from_secs(1));
    assert!((4..=7).contains(&stage.played.interrupts.get()));
    stage.done(&request, "ok");
    let replies = stage.seen(Port::Shell);
    assert_eq!(
        (&replies[0].1["status"], &replies[1].1["status"]),
        (&json!("ok"), &json!("aborted"))
    );
    let before = stage.played.interrupts.get();
    stage.pass(Duration::from_secs(5));
    assert_eq!(stage.played.interrupts.get(), before);
    assert_eq!(
        stage.kinds(Port::Control),
        ["interrupt_reply", "interrupt_reply"]
    );
}

#[test]
fn a_second_press_ends_the_process_and_says_what_is_lost() {
    let mut stage = Stage::new();
    let request = stage.run();
    stage.presses_stop();
    stage.pass(Duration::from_millis(500));
    stage.presses_stop();
    assert_eq!(
        stage.kinds(Port::KernelControl),
        [""; 0],
        "a double click is one press"
    );
    stage.pass(Duration::from_secs(3));
    assert!(
        stage
            .text()
            .contains("To press Stop again ends its process")
    );
    stage.presses_stop();
    assert_eq!(stage.kinds(Port::KernelControl), ["interrupt_request"]);
    let killed = "Subprocess terminated with status: signal: 9 (SIGKILL)";
    stage.kernel_says(
        &request,
        "error",
        json!({"ename": "Error", "evalue": killed, "traceback": []}),
    );
    stage.done(&request, "error");
    let errors = stage
        .seen(Port::Iopub)
        .into_iter()
        .filter(|(kind, _)| kind == "error");
    let errors: Vec<Value> = errors
        .map(|(_, content)| content["evalue"].clone())
        .collect();
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0]
            .as_str()
            .unwrap()
            .contains("the variables of all cells are lost")
    );
}

#[test]
fn no_press_ends_the_process_while_the_cell_is_compiled() {
    let mut stage = Stage::new();
    stage.run();
    stage.presses_stop();
    stage.played.compiles.set(true);
    stage.pass(Duration::from_secs(2));
    stage.presses_stop();
    assert_eq!(stage.kinds(Port::KernelControl), [""; 0]);
    assert!(stage.text().contains("still being compiled"));
    stage.played.compiles.set(false);
    stage.presses_stop();
    assert_eq!(stage.kinds(Port::KernelControl), ["interrupt_request"]);
}

#[test]
fn a_cell_that_ends_within_a_line_ends() {
    let mut stage = Stage::new();
    let request = stage.run();
    stage.prints(&request, &format!("half{END}\n"));
    assert_eq!(stage.played.ends.get(), 1);
    stage.done(&request, "ok");
    assert_eq!(stage.text(), "half");
}

/// As in [`CatchUp`]: the kernel reads on in cells of the relay's own.
#[test]
fn after_bytes_that_are_no_utf8_the_next_cell_gets_its_own_output() {
    let mut stage = Stage::new();
    let request = stage.run();
    stage.kernel_says(
        &request,
        "error",
        json!({"evalue": NOT_UTF8, "traceback": []}),
    );
    stage.done(&request, "error");
    let hidden = |stage: &mut Stage| {
        stage.pass(Duration::from_millis(100));
        stage
            .out
            .iter()
            .rev()
            .find(|(port, _)| *port == Port::KernelShell)
            .unwrap()
            .1
            .clone()
    };
    let begin = hidden(&mut stage);
    assert_eq!(
        begin.content()["code"],
        "std::println!(\"EVCXR_BEGIN_CONTENT text/plain\");"
    );
    stage.count += 1;
    stage.prints(&begin, "after\n");
    stage.done(&begin, "ok");
    let end = hidden(&mut stage);
    assert_eq!(
        end.content()["code"],
        "std::println!(\"EVCXR_END_CONTENT\");"
    );
    stage.count += 1;
    stage.done(&end, "ok");
    assert_eq!(stage.kinds(Port::Shell), ["execute_reply"]);
    assert_eq!(stage.seen(Port::Shell)[0].1["execution_count"], 1);
    assert_eq!(stage.text(), "after\n");

    let next = stage.run();
    stage.done(&next, "ok");
    assert_eq!(stage.seen(Port::Shell)[1].1["execution_count"], 2);
}

#[test]
fn requests_wait_until_the_kernel_has_been_heard() {
    let mut hub = Hub::new(Key::new("key"), SECRET, Played::default());
    let now = Instant::now();
    let greeting = hub.take_outbox().remove(0).1;
    let request = hub.key.request("execute_request", &json!({"code": ""}));
    hub.request(now, request);
    let reply = hub
        .key
        .answer(&greeting, "kernel_info_reply", &json!({"status": "ok"}));
    hub.reply(now, reply);
    hub.tick(now + Duration::from_secs(1));
    let again = hub.take_outbox().remove(0).1;
    assert_eq!(again.kind(), "kernel_info_request");
    let idle = hub
        .key
        .broadcast(&again, "status", &json!({"execution_state": "idle"}));
    hub.output(now, idle);
    assert_eq!(hub.take_outbox()[0].1.kind(), "execute_request");
}

#[test]
fn a_busy_kernel_is_shut_down_at_once_and_an_idle_one_by_itself() {
    let mut stage = Stage::new();
    let request = stage
        .key
        .request("shutdown_request", &json!({"restart": true}));
    stage.hub.control(stage.now, request.clone());
    assert!(!stage.hub.has_ended(stage.now) && stage.hub.has_ended(stage.now + SHUTDOWN));
    assert_eq!(stage.kinds(Port::KernelControl), ["shutdown_request"]);

    let mut stage = Stage::new();
    stage.run();
    stage.hub.control(stage.now, request);
    assert!(stage.hub.has_ended(stage.now));
    assert_eq!(
        stage.seen(Port::Control),
        [(
            "shutdown_reply".into(),
            json!({"status": "ok", "restart": true})
        )]
    );
}

proptest! {
    /// Whatever is printed, by whichever means, and however fast: all of it comes, in order.
    #[test]
    fn no_text_is_lost_or_out_of_order(
        pieces in proptest::collection::vec((0u8..4, "[a-zé\u{1}]{0,5}", 0u64..30), 0..60),
    ) {
        let mut stage = Stage::new();
        let request = stage.run();
        let mut expected = String::new();
        for (way, text, pause) in pieces {
            match way {
                0 => {
                    stage.prints(&request, &format!("{text}\n"));
                    expected += &format!("{text}\n");
                }
                1 => {
                    stage.marks(&request, "stream", json!({"name": "stdout", "text": text}));
                    expected += &text;
                }
                2 => stage.marks(&request, "display_data", display("a", &text)),
                _ => stage.marks(&request, "update_display_data", display("a", &text)),
            }
            stage.pass(Duration::from_millis(pause));
        }
        stage.done(&request, "ok");
        prop_assert_eq!(stage.text(), expected);
        prop_assert_eq!(stage.kinds(Port::Shell), ["execute_reply"]);
    }
}

#[test]
fn the_crate_gets_the_features_that_the_environment_names() {
    let mut stage = Stage::new();
    stage.hub = stage.hub.crates(Crates::new("energy-discrepancy/cuda", ""));
    let code = ":dep energy-discrepancy = { path = \"..\" }";
    let content = json!({"code": code, "stop_on_error": true});
    let request = stage.key.request("execute_request", &content);
    stage.hub.request(stage.now, request.clone());
    let (_, sent) = stage.take().remove(0);
    let sent = stage.key.read(sent.into_frames()).unwrap();
    let code = ":dep energy-discrepancy = { path = \"..\", features = [\"cuda\"] }";
    assert_eq!(sent.content(), json!({"code": code, "stop_on_error": true}));
    // The kernel's messages are still known for this cell's.
    stage.kernel_says(&sent, "execute_input", json!({"execution_count": 2}));
    stage.done(&sent, "ok");
    assert_eq!(stage.seen(Port::Shell)[0].1["status"], "ok");
}

impl Stage {
    /// The cell that was sent to the kernel last.
    fn sent(&mut self) -> Message {
        self.pass(Duration::from_millis(100));
        let mut cells = self.out.iter().rev().map(|(_, message)| message);
        let sent = cells
            .find(|message| message.kind() == "execute_request")
            .unwrap();
        sent.clone()
    }

    fn errors(&mut self) -> Vec<String> {
        let errors = self
            .seen(Port::Iopub)
            .into_iter()
            .filter(|(kind, _)| kind == "error");
        errors
            .map(|(_, content)| content["evalue"].as_str().unwrap().to_owned())
            .collect()
    }
}

#[test]
fn after_a_lost_process_the_new_one_is_made_ready_before_the_next_cell() {
    let mut stage = Stage::new();
    let first = stage.run();
    let died = "tail\nSubprocess terminated with status: signal: 6 (SIGABRT)";
    stage.kernel_says(
        &first,
        "error",
        json!({"ename": "Error", "evalue": died, "traceback": []}),
    );
    stage.done(&first, "error");
    let error = stage.errors().remove(0);
    assert!(
        error.contains("signal: 6") && error.contains("variables of all cells are lost"),
        "{error}"
    );
    assert_eq!(stage.text(), "tail\n");
    let chore = stage.sent();
    let next = stage
        .key
        .request("execute_request", &json!({"code": "next"}));
    stage.hub.request(stage.now, next);
    assert_eq!(stage.sent().content()["code"], "print!(\"\");");
    stage.count += 1;
    stage.done(&chore, "ok");
    assert_eq!(stage.sent().content()["code"], "next");
    // What is ours is counted by evcxr alone.
    let next = stage.sent();
    stage.count += 1;
    stage.done(&next, "ok");
    assert_eq!(stage.seen(Port::Shell)[1].1["execution_count"], 2);
}

#[test]
fn a_cell_that_ends_in_an_err_fails_and_one_that_ends_in_a_unit_shows_nothing() {
    let mut stage = Stage::new();
    let request = stage.run();
    stage.kernel_says(
        &request,
        "execute_result",
        json!({"data": {"text/plain": "Ok(())"}, "execution_count": 2}),
    );
    stage.done(&request, "ok");
    assert!(
        !stage
            .kinds(Port::Iopub)
            .contains(&"execute_result".to_owned())
    );
    let request = stage.run();
    stage.kernel_says(
        &request,
        "execute_result",
        json!({"data": {"text/plain": "Err(no file)"}, "execution_count": 3}),
    );
    stage.done(&request, "ok");
    assert_eq!(stage.errors(), ["no file"]);
    assert_eq!(stage.seen(Port::Shell)[1].1["status"], "error");
}

#[test]
fn a_cell_of_which_nothing_ran_fails() {
    let mut stage = Stage::new();
    let request = stage.run_code("/* begun\nlet x = 1;");
    stage.done(&request, "ok");
    assert!(stage.errors()[0].contains("a comment is opened"));
    assert_eq!(stage.seen(Port::Shell)[0].1["status"], "error");
}

#[test]
fn a_press_after_the_cell_s_code_has_ended_costs_its_output_alone() {
    let mut stage = Stage::new();
    let request = stage.run();
    stage.prints(&request, "shown\n");
    stage.presses_stop();
    stage.pass(Duration::from_secs(3));
    stage.played.rests.set(true);
    stage.presses_stop();
    stage.prints(&request, "not shown\n");
    stage.done(&request, "ok");
    assert_eq!(stage.kinds(Port::KernelControl), [""; 0]);
    let text = stage.text();
    assert!(
        text.starts_with("shown\n") && !text.contains("not shown\n"),
        "{text}"
    );
    assert_eq!(stage.seen(Port::Shell)[0].1["status"], "ok");
}

#[test]
fn a_process_that_stop_has_ended_after_the_last_line_is_a_loss_that_is_told() {
    let mut stage = Stage::new();
    let request = stage.run();
    stage.presses_stop();
    stage.pass(Duration::from_secs(3));
    stage.presses_stop();
    assert_eq!(stage.played.killed.get(), 1);
    stage.prints(&request, "of the stopped cell\n");
    stage.done(&request, "ok");
    assert!(stage.errors()[0].contains("the variables of all cells are lost"));
    assert!(!stage.text().contains("of the stopped cell"));
    assert_eq!(stage.sent().content()["code"], "print!(\"\");");
}

#[test]
fn a_flood_of_lines_is_paused_until_it_has_come() {
    let mut stage = Stage::new();
    let request = stage.run();
    for line in 0..5_000 {
        stage.played.read.set(100 * line);
        stage.prints(&request, "a\n");
    }
    assert_eq!(
        (stage.played.pauses.get(), stage.played.resumes.get()),
        (1, 0)
    );
    stage.pass(Duration::from_millis(200));
    assert_eq!(
        (stage.played.pauses.get(), stage.played.resumes.get()),
        (1, 1)
    );
    assert_eq!(stage.text(), "a\n".repeat(5_000));
}

#[test]
fn a_press_while_dep_lines_are_checked_runs_nothing() {
    let mut stage = Stage::new();
    stage.played.checks.set(true);
    let content = json!({"code": ":dep itertools\n1", "stop_on_error": true});
    stage
        .hub
        .request(stage.now, stage.key.request("execute_request", &content));
    stage
        .hub
        .request(stage.now, stage.key.request("execute_request", &content));
    stage.presses_stop();
    stage.hub.checked(1, "it costs the variables");
    assert_eq!(stage.errors(), ["Stopped before it ran."]);
    assert_eq!(stage.kinds(Port::Shell), ["execute_reply", "execute_reply"]);
    assert_eq!(
        (stage.played.killed.get(), stage.text()),
        (0, String::new())
    );
    // While the process is started anew, too.
    stage
        .hub
        .request(stage.now, stage.key.request("execute_request", &content));
    stage.hub.checked(2, "it costs the variables");
    let chore = stage.sent();
    stage.presses_stop();
    stage.count += 1;
    stage.done(&chore, "error");
    assert_eq!(stage.sent().content()["code"], "print!(\"\");");
    assert_eq!(stage.errors().len(), 2);
}

#[test]
fn a_cell_that_waits_for_input_is_ended_by_the_third_press() {
    let mut stage = Stage::new();
    let request = stage.run();
    stage.played.rests.set(true);
    for _ in 0..3 {
        stage.presses_stop();
        stage.pass(Duration::from_secs(2));
    }
    assert_eq!(stage.played.killed.get(), 1);
    // What is left of a muted cell's output can end within a line.
    stage.prints(&request, &format!("half{END}\n"));
    assert_eq!(stage.played.ends.get(), 1);
}

#[test]
fn a_dep_line_that_costs_the_process_is_told_before_it_is_run() {
    let mut stage = Stage::new();
    stage.played.checks.set(true);
    let code = ":dep itertools = \"0.14\"\n1";
    let request = stage.key.request("execute_request", &json!({"code": code}));
    stage.hub.request(stage.now, request.clone());
    stage.hub.checked(1, "it costs the variables");
    assert_eq!(stage.text(), "it costs the variables\n");
    assert_eq!(stage.played.killed.get(), 1);
    let chore = stage.sent();
    assert_eq!(chore.content()["code"], "print!(\"\");");
    stage.count += 1;
    stage.done(&chore, "error");
    assert_eq!(stage.sent().content()["code"], code);
    stage.count += 1;
    stage.done(&request, "ok");
    assert_eq!(stage.seen(Port::Shell)[0].1["execution_count"], 1);
    assert!(stage.errors().is_empty());
    // Without a price it goes on as it is.
    stage.hub.request(
        stage.now,
        stage.key.request("execute_request", &json!({"code": code})),
    );
    stage.hub.checked(2, "");
    assert_eq!(stage.sent().content()["code"], code);
    assert_eq!(stage.played.killed.get(), 1);
}
