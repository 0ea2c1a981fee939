//! The process's stdout, and what evcxr reads there.

use std::io::Write;

/// How all lines begin by which evcxr and the process of the cells understand each other.
pub(crate) const OF_EVCXR: &str = "EVCXR_";

/// The text with a space of no width in all that could be a word of evcxr's.
pub(crate) fn quoted(text: &str) -> String {
    text.replace(OF_EVCXR, "EVCXR\u{200b}_")
}

/// One write, so that nothing comes between its lines.
pub(crate) fn write(text: &str) {
    let mut stdout = std::io::stdout().lock();
    // A front end that has gone is no reason to end the user's process.
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}
