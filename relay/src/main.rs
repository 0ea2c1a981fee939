//! A relay between Jupyter and the stock `evcxr_jupyter` kernel.
//!
//! Messages pass unchanged, but for `:dep` lines of crates of which the environment knows more, for
//! marked lines of stdout, which become displays, updates of displays and cell errors, for results that
//! are errors or say nothing, and for the Stop button. See the README for what that is good for.

mod cell;
mod connection;
mod control;
mod dep_lines;
mod displays;
mod ending;
mod flow;
mod hub;
mod kernel;
mod message;
mod processes;
mod shown;
mod text;
mod unrun;

use connection::Connection;
use dep_lines::Crates;
use hub::{Hub, Port};
use kernel::Kernel;
use message::{Key, Message};
use processes::KernelProcesses;
use std::ffi::OsString;
use std::path::Path;
use std::process::Child;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use zeromq::{
    DealerSocket, PubSocket, RepSocket, RouterSocket, SocketRecv, SocketSend, SubSocket, ZmqMessage,
};

/// What the relay cannot go on with.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [kernel, connection] = arguments.as_slice() else {
        eprintln!("usage: evcxr-relay EVCXR_JUPYTER CONNECTION_FILE");
        std::process::exit(2);
    };
    // The exit ends the guard's wait, and so the whole group.
    std::process::exit(match start(kernel, Path::new(connection)) {
        Ok((code, _guard)) => code,
        Err(error) => {
            eprintln!("evcxr-relay: {error}");
            1
        }
    });
}

/// Runs the relay to its end. The exit code, and the guard, which must outlive all else.
fn start(kernel: &OsString, connection: &Path) -> Result<(i32, Child), Failure> {
    kernel::lead_process_group()?;
    let guard = kernel::guard()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let code = runtime.block_on(run(kernel, connection))?;
    // Broadcasts are written in the background.
    runtime.block_on(async { sleep(Duration::from_millis(50)).await });
    Ok((code, guard))
}

async fn run(command: &OsString, file: &Path) -> Result<i32, Failure> {
    let front = Connection::read(file)?;
    let mut front_sockets = FrontSockets {
        shell: front.bind(front.shell_port).await?,
        control: front.bind(front.control_port).await?,
        stdin: front.bind(front.stdin_port).await?,
        iopub: front.bind(front.iopub_port).await?,
    };
    let heartbeat = front.bind(front.hb_port).await?;
    let mut secret = [0; 16];
    getrandom::fill(&mut secret)?;
    let secret = message::encode_hex(&secret);
    // A free port can be lost to another process before the kernel has it: then try again.
    for _ in 0..3 {
        let mut kernel = Kernel::start(command, &front, &secret)?;
        let sockets = tokio::select! {
            _ = kernel.child.wait() => continue,
            sockets = KernelSockets::connect(&kernel.connection) => sockets?,
        };
        kernel.remove_file();
        let (sender, answers) = mpsc::unbounded_channel();
        let processes = KernelProcesses {
            kernel: kernel.child.id(),
            dep_check: std::env::var_os("EVCXR_DEP_CHECK"),
            answers: sender,
        };
        let variable = |name| std::env::var(name).unwrap_or_default();
        let crates = Crates::new(&variable("EVCXR_FEATURES"), &variable("EVCXR_PATHS"));
        let mut hub = Hub::new(Key::new(&front.key), &secret, processes).crates(crates);
        if !variable("EVCXR_SIGNED_DISPLAYS").is_empty() {
            hub = hub.signed_displays(&secret);
        }
        let relay = Relay {
            hub,
            front: &mut front_sockets,
            kernel: sockets,
            answers,
        };
        let mut terminate = signal(SignalKind::terminate())?;
        // With a handler it ends nothing. Front ends that press Stop by a signal press in vain.
        let _interrupt = signal(SignalKind::interrupt())?;
        return tokio::select! {
            status = kernel.child.wait() => Ok(status?.code().unwrap_or(1)),
            result = relay.run() => result.map(|()| 0),
            () = echo(heartbeat) => Ok(0),
            () = front_end_died() => Ok(0),
            _ = terminate.recv() => Ok(0),
        };
    }
    Err(format!("{} does not start", command.display()).into())
}

struct FrontSockets {
    shell: RouterSocket,
    control: RouterSocket,
    stdin: RouterSocket,
    iopub: PubSocket,
}

struct KernelSockets {
    shell: DealerSocket,
    control: DealerSocket,
    stdin: DealerSocket,
    iopub: SubSocket,
}

impl KernelSockets {
    async fn connect(kernel: &Connection) -> Result<Self, Failure> {
        let mut iopub: SubSocket = kernel.connect(kernel.iopub_port).await?;
        iopub.subscribe("").await?;
        Ok(Self {
            shell: kernel.connect(kernel.shell_port).await?,
            control: kernel.connect(kernel.control_port).await?,
            stdin: kernel.connect(kernel.stdin_port).await?,
            iopub,
        })
    }
}

/// Carries messages from the sockets to the hub, and from its outbox to the sockets.
struct Relay<'a> {
    hub: Hub<KernelProcesses>,
    front: &'a mut FrontSockets,
    kernel: KernelSockets,
    /// What `:dep` lines would cost.
    answers: mpsc::UnboundedReceiver<(u64, String)>,
}

impl Relay<'_> {
    /// Ends when the kernel is to end.
    async fn run(mut self) -> Result<(), Failure> {
        loop {
            self.deliver().await?;
            let now = Instant::now();
            if self.hub.has_ended(now) {
                return Ok(());
            }
            let due = self.hub.due(now);
            let (front, kernel) = (&mut *self.front, &mut self.kernel);
            tokio::select! {
                message = front.control.recv() => self.take(message?, Hub::control),
                message = front.shell.recv() => self.take(message?, Hub::request),
                message = kernel.control.recv() => self.take(message?, Hub::control_reply),
                message = kernel.shell.recv() => self.take(message?, Hub::reply),
                message = kernel.iopub.recv() => self.take(message?, Hub::output),
                // Input is asked for and given without the hub.
                Some((number, answer)) = self.answers.recv() => self.hub.checked(number, &answer),
                message = front.stdin.recv() => kernel.stdin.send(message?).await?,
                message = kernel.stdin.recv() => drop(front.stdin.send(message?).await),
                () = sleep_until(due.unwrap_or(now)), if due.is_some() => self.hub.tick(Instant::now()),
            }
        }
    }

    /// What is not signed with the kernel's key goes no further.
    fn take(
        &mut self,
        frames: ZmqMessage,
        to: impl Fn(&mut Hub<KernelProcesses>, Instant, Message),
    ) {
        match self.hub.read(frames) {
            Ok(message) => to(&mut self.hub, Instant::now(), message),
            Err(invalid) => eprintln!("evcxr-relay: a message was dropped: {invalid:?}"),
        }
    }

    async fn deliver(&mut self) -> Result<(), Failure> {
        for (port, message) in self.hub.take_outbox() {
            let frames = message.into_frames();
            match port {
                // A front end that has gone (a page loaded again) is no reason to end.
                Port::Shell => drop(self.front.shell.send(frames).await),
                Port::Control => drop(self.front.control.send(frames).await),
                Port::Iopub => drop(self.front.iopub.send(frames).await),
                Port::KernelShell => self.kernel.shell.send(frames).await?,
                Port::KernelControl => self.kernel.control.send(frames).await?,
            }
        }
        Ok(())
    }
}

/// Heartbeats are answered here: the relay lives as long as the kernel.
async fn echo(mut socket: RepSocket) {
    loop {
        match socket.recv().await {
            Ok(beat) => drop(socket.send(beat).await),
            // A front end has gone.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Ends when the Jupyter server that started us has died without a word.
async fn front_end_died() {
    let parent = rustix::process::getppid();
    let started_by_a_server = std::env::var_os("JPY_PARENT_PID").is_some();
    while !started_by_a_server || rustix::process::getppid() == parent {
        sleep(Duration::from_secs(1)).await;
    }
}
