//! The kernel behind the relay: its start and its end.
//!
//! The relay leads a process group of its own, in which are evcxr_jupyter, the process that runs
//! the cells, cargo and rustc. That one process alone gets the SIGINT of the Stop button (rustc
//! would end), and ignores it, but for what a cell's own code does.

use crate::Failure;
use crate::connection::Connection;
use rustix::process::{getpgrp, getpid, setpgid};
use std::ffi::OsString;
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
            .env(evcxr_relay_wire::SECRET, secret)
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
}

impl Drop for Kernel {
    fn drop(&mut self) {
        self.remove_file();
    }
}
