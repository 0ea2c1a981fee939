//! The kernel's side: how a cell shows things, is stopped, and fails.
//!
//! Without a kernel (in a test, in a program) nothing here changes what the crate computes.

#[doc(hidden)]
pub mod cell;
mod claims;
mod display;
mod live;
mod output;
mod panics;
mod progress;
mod relay;
mod results;
mod start;
mod stdout;
mod stop;
pub(crate) mod table;

pub(crate) use cell::fail;
pub use claims::Claims;
pub use display::show_html;
pub(crate) use display::{Display, debug_figure};
pub use live::Live;
pub(crate) use output::debug_text;
pub use progress::Progress;
pub use results::{Recorded, Results};
pub use start::start;
pub use stop::StopButton;
