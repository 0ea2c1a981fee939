//! The kernel's processes, found in /proc: which there are, and what is done to them.
//!
//! evcxr_jupyter starts cargo and rustc, a shell for lines that begin with `!`, and the process that
//! runs the cells, which may start programs of its own.

use crate::hub::{END, Processes};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::HashSet;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// The processes of a kernel.
pub struct KernelProcesses {
    /// evcxr_jupyter.
    pub kernel: Option<u32>,
    /// The program that says what a `:dep` line would cost, if there is one.
    pub dep_check: Option<OsString>,
    /// Where its answers go.
    pub answers: UnboundedSender<(u64, String)>,
}

/// For an answer of that program.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that has not ended.
struct Process {
    id: i32,
    parent: i32,
    /// In clock ticks since the machine's start.
    started: u64,
}

/// All that run now.
fn all() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(read).collect()
}

fn read(id: i32) -> Option<Process> {
    // PID (NAME) STATE PARENT .. STARTED ..; a name may hold anything, brackets too.
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let (state, parent, started) = (fields.first()?, fields.get(1)?, fields.get(19)?);
    (*state != "Z").then_some(Process {
        id,
        parent: parent.parse().ok()?,
        started: started.parse().ok()?,
    })
}

/// These processes' children, their children, and so on.
fn descendants(all: &[Process], of: impl IntoIterator<Item = i32>) -> Vec<&Process> {
    let mut known: HashSet<i32> = of.into_iter().collect();
    let mut found = Vec::new();
    loop {
        let is_new =
            |process: &&Process| known.contains(&process.parent) && !known.contains(&process.id);
        let new: Vec<&Process> = all.iter().filter(is_new).collect();
        if new.is_empty() {
            return found;
        }
        known.extend(new.iter().map(|process| process.id));
        found.extend(new);
    }
}

fn send(id: i32, signal: Signal) {
    if let Some(id) = Pid::from_raw(id) {
        // It may just have ended.
        let _ = kill_process(id, signal);
    }
}

fn runs_cells(id: i32) -> bool {
    let environment = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
    let mut variables = environment.split(|byte| *byte == 0);
    variables.any(|variable| variable == b"EVCXR_IS_RUNTIME=1")
}

/// Whether it is one of a line that begins with `!`: evcxr says to all cargoes where to build.
fn is_shell(id: i32) -> bool {
    let environment = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
    let mut variables = environment.split(|byte| *byte == 0);
    let is_of_cargo = variables.any(|variable| variable.starts_with(b"CARGO_BUILD_BUILD_DIR="));
    !is_of_cargo && !runs_cells(id)
}

/// What these of a process's files lead to.
fn links(id: i32, of: impl Fn(i32) -> bool) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(format!("/proc/{id}/fd"));
    let entries = entries.into_iter().flatten().flatten();
    let is_one = |name: &OsString| {
        name.to_str()
            .and_then(|name| name.parse().ok())
            .is_some_and(&of)
    };
    let chosen = entries.filter(|entry| is_one(&entry.file_name()));
    chosen
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .collect()
}

/// Clock ticks since the machine's start, as many as `ago` before now.
fn ticks(ago: Duration) -> u64 {
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    let uptime: f64 = uptime
        .split(' ')
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0.0);
    let per_second = rustix::param::clock_ticks_per_second() as f64;
    ((uptime - ago.as_secs_f64()) * per_second).max(0.0) as u64
}

impl KernelProcesses {
    fn children<'a>(&self, all: &'a [Process]) -> impl Iterator<Item = &'a Process> {
        let kernel = self.kernel.and_then(|id| i32::try_from(id).ok());
        all.iter()
            .filter(move |process| Some(process.parent) == kernel)
    }

    /// The process that runs the cells.
    fn runtime(&self, all: &[Process]) -> Option<i32> {
        self.children(all)
            .map(|process| process.id)
            .find(|id| runs_cells(*id))
    }

    /// That process and all that it has started.
    fn signal_all(&self, signal: Signal) {
        let all = all();
        if let Some(runtime) = self.runtime(&all) {
            send(runtime, signal);
            descendants(&all, [runtime])
                .iter()
                .for_each(|process| send(process.id, signal));
        }
    }
}

impl Processes for KernelProcesses {
    fn interrupt(&self, began: Duration) {
        let all = all();
        let runtime = self.runtime(&all);
        if let Some(runtime) = runtime {
            send(runtime, Signal::INT);
        }
        // SIGINT is ignored in all that a kernel starts. What earlier cells have started runs on.
        let shells = self
            .children(&all)
            .map(|process| process.id)
            .filter(|id| is_shell(*id));
        let shells: Vec<i32> = shells.collect();
        let began = ticks(began).saturating_sub(2);
        let started = descendants(&all, shells.iter().copied().chain(runtime));
        let of_the_cell = started.iter().filter(|process| process.started >= began);
        let of_the_cell: Vec<i32> = of_the_cell.map(|process| process.id).collect();
        shells
            .into_iter()
            .chain(of_the_cell)
            .for_each(|id| send(id, Signal::TERM));
    }

    fn is_compiling(&self) -> bool {
        let all = all();
        let mut others = self.children(&all).map(|process| process.id);
        others.any(|id| !runs_cells(id) && !is_shell(id))
    }

    fn runs_code(&self) -> bool {
        let Some(runtime) = self.runtime(&all()) else {
            // It has died, and the cell with it.
            return true;
        };
        // Between cells it reads its stdin: the number of that system call, and 0 for stdin.
        let call = std::fs::read_to_string(format!("/proc/{runtime}/syscall")).unwrap_or_default();
        let read = if cfg!(target_arch = "aarch64") {
            "63"
        } else {
            "0"
        };
        let mut words = call.split_whitespace();
        words.next() != Some(read) || words.next() != Some("0x0")
    }

    fn end(&self) {
        let all = all();
        let runtime = self.runtime(&all);
        // evcxr reads the output of the cells until nobody can write to it any more, be it a child or not.
        let kernel = self
            .kernel
            .and_then(|id| i32::try_from(id).ok())
            .unwrap_or(0);
        let its_own = links(kernel, |number| number <= 2);
        let mut pipes = links(kernel, |number| number > 2);
        pipes
            .retain(|link| link.to_string_lossy().starts_with("pipe:[") && !its_own.contains(link));
        let holds = |process: &&Process| {
            let outputs = links(process.id, |number| number == 1 || number == 2);
            process.id != kernel && outputs.iter().any(|output| pipes.contains(output))
        };
        let holders = all.iter().filter(holds).map(|process| process.id);
        let started = descendants(&all, runtime);
        let started = started.into_iter().map(|process| process.id);
        let others: HashSet<i32> = holders.chain(started).collect();
        if let Some(runtime) = runtime {
            send(runtime, Signal::KILL);
        }
        others.into_iter().for_each(|id| send(id, Signal::KILL));
    }

    fn bytes_read(&self) -> Option<u64> {
        let counts = std::fs::read_to_string(format!("/proc/{}/io", self.kernel?)).ok()?;
        let mut lines = counts.lines();
        lines.find_map(|line| line.strip_prefix("rchar: ")?.parse().ok())
    }

    fn pause(&self) {
        self.signal_all(Signal::STOP);
    }

    fn resume(&self) {
        self.signal_all(Signal::CONT);
    }

    fn end_cell(&self) {
        let Some(id) = self.runtime(&all()) else {
            return;
        };
        let stdout = format!("/proc/{id}/fd/1");
        let stdout = std::fs::OpenOptions::new().write(true).open(stdout);
        if let Err(error) = stdout.and_then(|mut stdout| writeln!(stdout, "{END}")) {
            eprintln!("evcxr-relay: a cell that ended within a line cannot be ended: {error}");
        }
    }

    fn check_dep(&self, number: u64, lines: &str) -> bool {
        let Some(program) = &self.dep_check else {
            return false;
        };
        let mut command = tokio::process::Command::new(program);
        command.arg(lines).stdin(Stdio::null()).kill_on_drop(true);
        let answers = self.answers.clone();
        tokio::spawn(async move {
            let output = tokio::time::timeout(PATIENCE, command.output()).await;
            // Without an answer the lines go to evcxr, which says what is wrong with them.
            let text = match output {
                Ok(Ok(output)) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
                Ok(Err(_)) | Err(_) => String::new(),
            };
            let _ = answers.send((number, text));
        });
        true
    }
}
