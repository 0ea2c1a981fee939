//! The kernel's side: how a cell shows things, is stopped, and fails.
//!
//! Without a kernel (in a test, in a program) nothing here changes what the crate computes.

#[doc(hidden)]
pub mod cell;
mod claims;
mod display;
mod figure;
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

pub use claims::Claims;
pub use display::show_html;
pub use live::Live;
pub use progress::Progress;
pub use results::{Recorded, Results};
pub use start::start;
pub use stop::StopButton;
