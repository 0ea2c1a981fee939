//! What a notebook's first cell does.

use crate::{Error, Preset};

/// Makes a notebook's panics one line each, and returns its preset: the environment variable
/// `ED_PRESET` where that is set, `preset` otherwise.
///
/// In strict mode (the environment variable `ED_STRICT`, which `make run` and the tests set) a
/// panic also ends the process, and with it the run: evcxr itself reports a panic as success.
///
/// # Errors
/// If `ED_PRESET` is none of the presets' names.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
/// let preset = notebook::start(Preset::Quick)?;
/// # Ok::<(), Error>(())
/// ```
pub fn start(preset: Preset) -> Result<Preset, Error> {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let place = panic
            .location()
            .map(|at| format!(" ({}:{})", at.file(), at.line()));
        eprintln!("panic: {message}{}", place.unwrap_or_default());
        if std::env::var_os("ED_STRICT").is_some() {
            std::process::exit(101);
        }
    }));
    match std::env::var("ED_PRESET") {
        Ok(name) if !name.is_empty() => name.parse(),
        _ => Ok(preset),
    }
}
