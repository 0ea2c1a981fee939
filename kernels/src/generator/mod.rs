//! A stack of transposed convolutions: forward, and back to its input and its weights.
//!
//! `y[o] = b + Σ_(i, k): o = s i + k - p  W[:, :, k]ᵀ x[i]`, pixel by pixel, with leaky ReLU after each
//! layer and tanh after the last.
//!
//! Channels lie in blocks as wide as a tile of the matrix product: `image x block x pixel x channel in
//! the block`. An output pixel is then a sum of products of whole blocks, gathered from the input
//! pixels that reach it: nothing is scattered, no product is computed that falls outside of the
//! picture, and each block of output channels is one job.
//! The last layer has so few channels that most of a block would be empty: there the kernel's k²
//! taps take the channels' place, and `fold` adds them up.
//!
//! | module | holds |
//! |---|---|
//! | `geometry` | which pixels reach which |
//! | `gather` | the products of forward and backward passes |
//! | `correlate` | the gradient of the weights |
//! | `fold` | from taps to pictures and back |
//! | `panels` | weights and inputs in blocks |
//! | `stack`, `pass` | the layers, and the way through them |
//! | `batch`, `share` | a batch of any size, and who computes what of it |

mod batch;
mod correlate;
mod fold;
mod gather;
mod geometry;
mod panels;
mod pass;
mod share;
mod stack;
#[cfg(test)]
mod tests;

pub use batch::{Wanted, backward, forward};
pub use geometry::Geometry;
pub use panels::Packed;
pub use stack::Stack;
