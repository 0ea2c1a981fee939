//! Fused computations on plain slices for the CPU.
//!
//! Whole networks forward and back, exact score matching, the optimiser's step and the noise, in
//! f32. Nothing here knows tensors or losses, and nothing is `unsafe`.
//!
//! | module | holds |
//! |---|---|
//! | [`simd`] | the choice of vector instructions |
//! | [`math`], [`activation`] | elementary functions |
//! | [`product`], [`weight`] | matrix products |
//! | [`scratch`], [`lanes`] | memory and threads |
//! | [`network`], [`block`] | a network, and a block of rows on its way through it |
//! | [`gradient`], [`grouped`] | energies and gradients |

mod activation;
mod adam;
mod block;
mod contrast;
mod gradient;
mod grouped;
mod jet;
mod jet_block;
mod lanes;
mod math;
mod network;
mod normal;
mod perturb;
mod product;
#[cfg(test)]
mod reference;
mod score;
mod scratch;
mod simd;
#[cfg(test)]
mod twins;
mod weight;

pub use activation::Activation;
pub(crate) use adam::{Adam, State};
pub(crate) use contrast::Discrepancy;
pub(crate) use gradient::{backward, energies, input_gradient};
pub(crate) use grouped::{Contrast, contrast_gradient};
pub(crate) use network::Network;
pub(crate) use normal::fill_normal;
pub(crate) use perturb::perturb;
pub(crate) use score::{derivatives, score_matching};
pub(crate) use simd::Level;
