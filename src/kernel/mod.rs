//! Fused computations on plain slices for the CPU.
//!
//! Whole networks forward and back, exact score matching, the optimiser's step and the noise, in
//! f32. Nothing here knows tensors or losses, and nothing is `unsafe`.
//!
//! The same call gives the same bits on a machine whatever the number of threads. Another
//! [`Level`] of vector instructions rounds differently, except in [`fill_normal`].
//!
//! | module | holds |
//! |---|---|
//! | [`simd`] | the choice of vector instructions |
//! | [`math`], [`double`], [`activation`] | elementary functions |
//! | [`product`], [`weight`], [`transpose`] | matrix products |
//! | [`scratch`], [`lanes`] | memory and threads |
//! | [`network`], [`affine`] | a network and its layers' products |
//! | [`block`], [`gradient`], [`grouped`], [`prune`] | energies and their gradients, in blocks of rows |
//! | [`jet`], [`jet_block`], [`score`] | second derivatives and score matching |
//! | [`generator`] | transposed convolutions |
//! | [`formula`], [`contrast`], [`adam`], [`normal`], [`perturb`] | the other parts of a training step |
//! | [`distance`] | distances of points, all pairs |

mod activation;
mod adam;
mod affine;
mod block;
mod contrast;
mod distance;
mod double;
mod formula;
pub(crate) mod generator;
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
mod prune;
#[cfg(test)]
mod reference;
mod score;
mod scratch;
mod simd;
mod transpose;
#[cfg(test)]
mod twins;
mod weight;

pub use activation::Activation;
pub(crate) use adam::{Adam, State};
pub(crate) use contrast::Discrepancy;
pub(crate) use distance::sum_of_distances;
pub use formula::Formula;
pub(crate) use gradient::{backward, energies, input_gradient};
pub(crate) use grouped::group_gradient;
pub(crate) use network::Network;
pub(crate) use normal::fill_normal;
pub(crate) use perturb::perturb;
pub(crate) use score::jet_gradient;
