//! Files that are written whole or not at all.

use crate::Error;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many files this program has begun: no two of them have one name, even if threads write at once.
static BEGUN: AtomicUsize = AtomicUsize::new(0);

/// Writes a file so that at any moment, even if the power fails, either the old or the new one is
/// there: to a file beside it, synced, then renamed.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    let count = BEGUN.fetch_add(1, Ordering::Relaxed);
    name.push(format!(".{}.{count}.part", std::process::id()));
    let part = path.with_file_name(name);
    let written = File::create(&part).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&part, path)
    });
    written.map_err(|error| {
        // The part is of no use, and may not even exist.
        let _ = std::fs::remove_file(&part);
        Error::write(path, error)
    })
}
