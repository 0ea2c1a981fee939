//! What a notebook's first cell does.

use crate::{Error, Preset};

/// Makes a notebook's panics one line each, and returns its preset: the environment variable
/// `ED_PRESET` where that is set, `preset` otherwise.
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
    evcxr_notebook::watch_panics();
    match std::env::var("ED_PRESET") {
        Ok(name) if !name.is_empty() => name.parse(),
        _ => Ok(preset),
    }
}
