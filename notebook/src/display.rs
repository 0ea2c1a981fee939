//! Rich output below a cell.

use super::output::{self, Reader};
use super::panics;
use super::stdout;
use base64::Engine;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

/// One output below a cell, which the next one replaces where the reader can do that.
///
/// # Examples
/// ```
/// use evcxr_notebook::Display;
///
/// let mut display = Display::default();
/// display.show("half done", ("text/html", "<i>half done</i>"));
/// display.show("done", ("text/html", "<b>done</b>")); // in its place
/// ```
#[derive(Debug, Default)]
pub struct Display {
    id: Option<String>,
}

impl Display {
    /// Whether outputs can be replaced: not by evcxr alone, and not in a terminal.
    pub fn is_live() -> bool {
        matches!(Reader::get(), Reader::Relay(_))
    }

    /// Whether outputs can be pictures.
    pub fn is_in_notebook() -> bool {
        !matches!(Reader::get(), Reader::Terminal)
    }

    /// Whether something has been shown that can be replaced.
    pub fn is_shown(&self) -> bool {
        self.id.is_some()
    }

    /// Shows a PNG, with a line of text for readers that show no pictures.
    pub fn show_png(&mut self, png: &[u8], text: &str) {
        self.show(text, ("image/png", &base64(png)));
    }

    /// Shows content of this MIME type, with a line of text that stands for it elsewhere.
    pub fn show(&mut self, text: &str, (mime, content): (&str, &str)) {
        panics::watch_in_kernel();
        let contents = [("text/plain", text), (mime, content)];
        match Reader::get() {
            Reader::Relay(relay) => {
                let replaces = self.is_shown();
                relay.display(self.id.get_or_insert_with(new_id), replaces, contents);
            }
            // Lines of progress: evcxr would keep the last one alone.
            Reader::Evcxr if mime == "text/html" => output::line(text),
            // Whole lines in one write: half a line at a cell's end would hang the kernel.
            Reader::Evcxr => {
                let contents =
                    contents.map(|(mime, content)| block((mime, &stdout::quoted(content))));
                stdout::write(&contents.concat());
            }
            Reader::Terminal => output::line(text),
        }
    }
}

/// An id that no output of this notebook has, of this process or one before.
fn new_id() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let nanoseconds = now.map_or(0, |now| now.as_nanos());
    format!("{nanoseconds:x}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// What a picture's `Debug` writes: a line of text, and below a cell the picture too.
///
/// Where a cell has to be compiled twice (a variable of it was moved, its first `?`), and where it ends
/// in a `Result`, evcxr shows the last expression by `Debug` as `text/plain`. This ends that block, adds
/// the picture's, and leaves the end of the text (of `Ok(..)`) to a block that nobody shows.
///
/// # Examples
/// ```
/// use evcxr_notebook::debug_picture;
/// use std::fmt;
///
/// struct Plot(Vec<u8>);
///
/// impl fmt::Debug for Plot {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         // Draw it here, by the library that you like.
///         let png = || Ok::<_, std::io::Error>(self.0.clone());
///         f.write_str(&debug_picture("a plot", png))
///     }
/// }
///
/// assert_eq!(format!("{:?}", Plot(Vec::new())), "a plot"); // no picture, as this is no notebook
/// ```
pub fn debug_picture<E: fmt::Display>(
    text: &str,
    png: impl FnOnce() -> Result<Vec<u8>, E>,
) -> String {
    if !is_runtime() {
        return text.to_owned();
    }
    match png() {
        Ok(png) => debug_content(text, ("image/png", &base64(&png))),
        Err(error) => {
            eprintln!("{error}");
            stdout::quoted(text)
        }
    }
}

/// The same of Markdown, a table for example. Text of others in it must be escaped.
///
/// # Examples
/// ```
/// use evcxr_notebook::debug_markdown;
/// assert_eq!(debug_markdown("a 1", || "| a |\n|---|\n| 1 |".into()), "a 1");
/// ```
pub fn debug_markdown(text: &str, markdown: impl FnOnce() -> String) -> String {
    match is_runtime() {
        true => debug_content(text, ("text/markdown", &stdout::quoted(&markdown()))),
        false => text.to_owned(),
    }
}

/// Set by evcxr for the process that runs the cells.
fn is_runtime() -> bool {
    std::env::var_os("EVCXR_IS_RUNTIME").is_some()
}

/// The text's block ended, content beside it, and a block for the rest.
fn debug_content(text: &str, content: (&str, &str)) -> String {
    let text = stdout::quoted(text);
    let blocks = [content, ("text/plain", &text)].map(block);
    format!("{text}\n{END}\n{}{BEGIN} evcxr/rest\n", blocks.concat())
}

const BEGIN: &str = "EVCXR_BEGIN_CONTENT";
const END: &str = "EVCXR_END_CONTENT";

/// Content in evcxr's words.
fn block((mime, content): (&str, &str)) -> String {
    format!("{BEGIN} {mime}\n{content}\n{END}\n")
}

fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Shows HTML below a cell, and the text where HTML is not shown: in a terminal, on stock evcxr. Text of
/// others in it must be escaped.
///
/// evcxr's own way, lines that begin with `EVCXR_`, prints text here: a file that is printed could hold
/// such lines.
///
/// # Examples
/// ```
/// use evcxr_notebook::show_html;
/// show_html("<b>bold</b>", "bold");
/// ```
pub fn show_html(html: &str, text: &str) {
    Display::default().show(text, ("text/html", html));
}
