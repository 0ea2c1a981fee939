//! Connection files: where a front end expects its kernel.

use crate::Failure;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use zeromq::util::PeerIdentity;
use zeromq::{Socket, SocketOptions};

/// A connection file, as Jupyter writes it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Connection {
    transport: String,
    ip: String,
    /// Signs all messages.
    pub key: String,
    /// Requests that run code, and their replies.
    pub shell_port: u16,
    /// Interrupts and shutdown.
    pub control_port: u16,
    /// Requests for input.
    pub stdin_port: u16,
    /// Output.
    pub iopub_port: u16,
    /// Heartbeats.
    pub hb_port: u16,
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl Connection {
    /// Reads a connection file.
    ///
    /// # Errors
    /// If it cannot be read, or lacks something.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let connection: Self = serde_json::from_slice(&text)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let scheme = connection.others.get("signature_scheme");
        match scheme.and_then(Value::as_str) {
            None | Some("hmac-sha256" | "") => Ok(connection),
            Some(other) => {
                Err(format!("the signature scheme {other} is not known: hmac-sha256 is").into())
            }
        }
    }

    /// Five free ports of this machine, for the kernel behind the relay, with the same key.
    ///
    /// # Errors
    /// If the system has none.
    pub fn on_free_ports(&self) -> Result<Self, Failure> {
        // All at once, so that they differ.
        let free = || TcpListener::bind("127.0.0.1:0");
        let listeners = [free()?, free()?, free()?, free()?, free()?];
        let mut ports = [0; 5];
        for (port, listener) in ports.iter_mut().zip(&listeners) {
            *port = listener.local_addr()?.port();
        }
        let [shell_port, control_port, stdin_port, iopub_port, hb_port] = ports;
        Ok(Self {
            transport: "tcp".into(),
            ip: "127.0.0.1".into(),
            shell_port,
            control_port,
            stdin_port,
            iopub_port,
            hb_port,
            ..self.clone()
        })
    }

    /// Writes a connection file that only this user can read.
    ///
    /// # Errors
    /// If there is such a file, or it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        Ok(())
    }

    fn endpoint(&self, port: u16) -> String {
        let separator = if self.transport == "ipc" { "-" } else { ":" };
        format!("{}://{}{separator}{port}", self.transport, self.ip)
    }

    /// A socket on one of the ports, to which a front end connects.
    ///
    /// # Errors
    /// If the port is taken.
    pub async fn bind<S: Socket>(&self, port: u16) -> Result<S, Failure> {
        let mut socket = S::new();
        let endpoint = self.endpoint(port);
        let bound = socket.bind(&endpoint).await;
        bound.map_err(|error| format!("cannot listen on {endpoint}: {error}"))?;
        Ok(socket)
    }

    /// A socket that is connected to the kernel, as soon as that listens.
    ///
    /// # Errors
    /// If the address is impossible.
    pub async fn connect<S: Socket>(&self, port: u16) -> Result<S, Failure> {
        let mut options = SocketOptions::default();
        // One identity on all sockets: input is asked of whoever sent the cell.
        let identity = PeerIdentity::try_from(&b"evcxr-relay"[..])?;
        options.no_connect_timeout().peer_identity(identity);
        let mut socket = S::with_options(options);
        socket.connect(&self.endpoint(port)).await?;
        Ok(socket)
    }
}
