//! Rich output below a cell, in evcxr's words.

use crate::Error;
use crate::plot::{Chart, Figure};
use base64::Engine;
use std::io::Write;

/// Shows a PNG, with a line of text for readers that show no pictures.
pub(crate) fn show_png(png: &[u8], text: &str) {
    show(&[
        ("text/plain", text),
        (
            "image/png",
            &base64::engine::general_purpose::STANDARD.encode(png),
        ),
    ]);
}

/// What a figure's `Debug` writes: a line of text, and below a cell the picture too.
///
/// Where a cell has to be compiled twice (a variable of it was moved, its first `?`), evcxr shows
/// the last expression by `Debug` as `text/plain`. This ends that block, and adds the picture's.
pub(crate) fn debug_figure(text: &str, png: impl FnOnce() -> Result<Vec<u8>, Error>) -> String {
    // Set by evcxr for the process that runs the cells.
    if std::env::var_os("EVCXR_IS_RUNTIME").is_none() {
        return text.to_owned();
    }
    match png() {
        Ok(png) => {
            let picture = base64::engine::general_purpose::STANDARD.encode(png);
            format!(
                "{text}\n{END}\n{BEGIN} image/png\n{picture}\n{END}\n{BEGIN} text/plain\n{text}"
            )
        }
        Err(error) => {
            eprintln!("{error}");
            text.to_owned()
        }
    }
}

const BEGIN: &str = "EVCXR_BEGIN_CONTENT";
const END: &str = "EVCXR_END_CONTENT";

/// One write of whole lines: half a line at a cell's end would hang the kernel.
fn show(contents: &[(&str, &str)]) {
    let blocks: String = contents
        .iter()
        .map(|(mime, content)| format!("{BEGIN} {mime}\n{content}\n{END}\n"))
        .collect();
    let mut stdout = std::io::stdout().lock();
    // A front end that has gone is no reason to end the user's process.
    let _ = stdout
        .write_all(blocks.as_bytes())
        .and_then(|()| stdout.flush());
}

/// Lets a cell end in a `Result`: its value is shown, or its message.
pub trait ShowResult {
    /// Shows the value or the message below a notebook cell; evcxr calls it.
    fn evcxr_display(&self);
}

impl ShowResult for Result<Figure, Error> {
    fn evcxr_display(&self) {
        match self {
            Ok(figure) => figure.evcxr_display(),
            Err(error) => eprintln!("{error}"),
        }
    }
}

impl ShowResult for Result<Chart, Error> {
    fn evcxr_display(&self) {
        match self {
            Ok(chart) => chart.evcxr_display(),
            Err(error) => eprintln!("{error}"),
        }
    }
}

impl ShowResult for Result<(), Error> {
    fn evcxr_display(&self) {
        if let Err(error) = self {
            eprintln!("{error}");
        }
    }
}
