//! The kernel behind the relay: its processes, their start and their end.
//!
//! The relay leads a process group of its own, in which are evcxr_jupyter, the process that runs
//! the cells, cargo and rustc. That one process alone gets the SIGINT of the Stop button (rustc
//! would end), and ignores it, but for what a cell's own code does.

use crate::Failure;
use crate::connection::Connection;
use crate::hub::{END, Processes};
use rustix::process::{Pid, Signal, getpgrp, getpid, kill_process, setpgid};
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;
use tokio::process::{Child, Command};

/// Leads a process group, so that the kernel can be ended with all that it has started.
///
/// # Errors
/// If the system refuses.
pub fn lead_process_group() -> Result<(), Failure> {
    if getpgrp() != getpid() {
        setpgid(None, None)?;
    }
    Ok(())
}

/// A process that waits for the relay's end, however it comes, and then ends the whole group: no
/// loop of a cell runs on when nobody is left to see its output.
///
/// # Errors
/// If it cannot be started.
pub fn guard() -> Result<std::process::Child, Failure> {
    let script = "trap '' INT TERM; read line; kill -KILL 0";
    let mut command = std::process::Command::new("/bin/sh");
    Ok(command.args(["-c", script]).stdin(Stdio::piped()).spawn()?)
}

/// A running evcxr_jupyter.
pub struct Kernel {
    /// Its process.
    pub child: Child,
    /// Where it listens.
    pub connection: Connection,
    file: PathBuf,
}

impl Kernel {
    /// Starts evcxr_jupyter (`command`, without its arguments) on free ports.
    ///
    /// # Errors
    /// If there is no such program.
    pub fn start(command: &OsString, front: &Connection, secret: &str) -> Result<Self, Failure> {
        let connection = front.on_free_ports()?;
        let name = format!(
            "evcxr-relay-{}-{}.json",
            std::process::id(),
            connection.shell_port
        );
        let file = std::env::temp_dir().join(name);
        connection.write(&file)?;
        // An ignored signal stays ignored in all that is started.
        let child = Command::new("/bin/sh")
            .args(["-c", "trap '' INT; exec \"$0\" --control_file \"$1\""])
            .args([command, file.as_os_str()])
            .env("EVCXR_RELAY", secret)
            .stdin(Stdio::null())
            .spawn()?;
        Ok(Self {
            child,
            connection,
            file,
        })
    }

    /// Removes the connection file, which holds the key: the kernel has read it, or has ended.
    pub fn remove_file(&self) {
        // It may be gone.
        let _ = std::fs::remove_file(&self.file);
    }

    /// Its processes.
    pub fn processes(&self) -> KernelProcesses {
        KernelProcesses {
            kernel: self.child.id(),
        }
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        self.remove_file();
    }
}

/// The processes of a kernel, found in /proc.
pub struct KernelProcesses {
    kernel: Option<u32>,
}

impl KernelProcesses {
    /// The kernel's children.
    fn children(&self) -> impl Iterator<Item = Pid> {
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let children = ids.filter(|id| self.kernel.is_some_and(|kernel| is_child(*id, kernel)));
        children.filter_map(Pid::from_raw)
    }

    /// The one of them that runs the cells.
    fn runtime(&self) -> Option<Pid> {
        self.children().find(|id| runs_cells(*id))
    }
}

fn is_child(id: i32, parent: u32) -> bool {
    // PID (NAME) STATE PARENT ..; a name may hold anything, brackets too.
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or("").split_whitespace();
    fields.clone().next() != Some("Z") && fields.clone().nth(1) == Some(&parent.to_string())
}

fn runs_cells(id: Pid) -> bool {
    let environment =
        std::fs::read(format!("/proc/{}/environ", id.as_raw_nonzero())).unwrap_or_default();
    let mut variables = environment.split(|byte| *byte == 0);
    variables.any(|variable| variable == b"EVCXR_IS_RUNTIME=1")
}

impl Processes for KernelProcesses {
    fn interrupt(&self) {
        if let Some(id) = self.runtime() {
            // It may just have ended.
            let _ = kill_process(id, Signal::INT);
        }
    }

    fn is_compiling(&self) -> bool {
        self.children().any(|id| !runs_cells(id))
    }

    fn end_cell(&self) {
        let Some(id) = self.runtime() else { return };
        let stdout = format!("/proc/{}/fd/1", id.as_raw_nonzero());
        let stdout = std::fs::OpenOptions::new().write(true).open(stdout);
        if let Err(error) = stdout.and_then(|mut stdout| writeln!(stdout, "{END}")) {
            eprintln!("evcxr-relay: a cell that ended within a line cannot be ended: {error}");
        }
    }
}
