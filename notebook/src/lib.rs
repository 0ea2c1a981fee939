//! The kernel's side of a Rust notebook: how a cell shows things, is stopped, and fails.
//!
//! For notebooks on evcxr, best behind its relay (`evcxr-relay`): displays that change while a cell runs, a
//! [`StopButton`] that loses nothing, [`Progress`], [`Live`] pictures, [`Claims`] that are checked. Without a
//! kernel (in a test, in a program) nothing here changes what a program does.
//!
//! The macros [`print!`], [`println!`] and [`eprintln!`] stand for those of the standard library in cells, which
//! then fail when they fail: a kernel's start-up has `use evcxr_notebook::{eprintln, print, println};`.

#[doc(hidden)]
pub mod cell;
mod claims;
mod display;
mod live;
mod output;
mod panics;
mod progress;
mod relay;
mod stdout;
mod stop;

pub use cell::fail;
pub use claims::{Claims, FailedClaims};
pub use display::{Display, debug_markdown, debug_picture, show_html};
pub use live::{Live, Picture};
pub use output::debug_text;
pub use panics::watch as watch_panics;
pub use progress::Progress;
pub use stop::StopButton;
