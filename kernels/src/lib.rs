//! Fused computations on plain slices for the CPU.
//!
//! Whole networks forward and back, exact score matching, the optimiser's step and the noise, in
//! f32. Nothing here knows tensors, energies or losses, and nothing is `unsafe`.
//!
//! The same call gives the same bits on a machine whatever the number of threads. Another
//! level of vector instructions, which the environment variable `ED_SIMD` may name (`avx512`, `avx2`,
//! `plain`), rounds differently, except in [`fill_normal`].
//!
//! | module | holds |
//! |---|---|
//! | `simd` | the choice of vector instructions |
//! | `math`, `double`, `activation` | elementary functions |
//! | `product`, `weight`, `transpose` | matrix products |
//! | `scratch`, `lanes` | memory and threads |
//! | `network`, `affine` | a network and its layers' products |
//! | `block`, `gradient`, `grouped`, `prune` | energies and their gradients, in blocks of rows |
//! | `jet`, `jet_block`, `score` | second derivatives and score matching |
//! | [`generator`] | transposed convolutions |
//! | `formula`, `contrast`, `adam`, `normal`, `perturb` | the other parts of a training step |
//! | `distance` | distances of points, all pairs |
//! | `misfit` | lengths that do not fit |

mod activation;
mod adam;
mod affine;
mod block;
mod contrast;
mod distance;
mod double;
mod formula;
pub mod generator;
mod gradient;
mod grouped;
mod jet;
mod jet_block;
mod lanes;
mod math;
mod misfit;
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
pub use adam::{Adam, State};
pub use contrast::Discrepancy;
pub use distance::sum_of_distances;
pub use formula::{Formula, Scaled};
pub use gradient::{backward, energies, input_gradient};
pub use grouped::group_gradient;
pub use misfit::Misfit;
pub use network::Network;
pub use normal::fill_normal;
pub use perturb::perturb;
pub use score::jet_gradient;
