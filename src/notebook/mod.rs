//! The notebook's side: how a cell shows things, is stopped, and fails.
//!
//! What is no figure and no history of this crate is the package `evcxr-notebook`, for any Rust notebook.
//! Without a kernel (in a test, in a program) nothing here changes what the crate computes.

mod figure;
mod results;
mod start;

pub use evcxr_notebook::{Claims, Live, Progress, StopButton, show_html};
pub use results::{Recorded, Results};
pub use start::start;
