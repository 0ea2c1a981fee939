//! The kernel's side: how a cell shows things, is stopped, and fails.
//!
//! Without a kernel (in a test, in a program) nothing here changes what the crate computes.

mod claims;
mod display;
mod progress;
mod start;
mod stop;

pub use claims::Claims;
pub use display::ShowResult;
pub(crate) use display::{debug_figure, show_png};
pub use progress::Progress;
pub use start::start;
pub use stop::StopButton;
