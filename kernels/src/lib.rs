//! Fused computations on plain slices for the CPU.
//!
//! Energies and maps of any expression forward and back, exact score matching, the optimiser's step and the noise, in
//! f32. Nothing here knows tensors, energies or losses, and nothing is `unsafe`.
//!
//! The same call gives the same bits on a machine whatever the number of threads. Another
//! level of vector instructions, which the environment variable `ED_SIMD` may name (`avx512`, `avx2`,
//! `plain`), rounds differently, except in [`fill_normal`].
//!
//! | module | holds |
//! |---|---|
//! | `simd` | the choice of vector instructions |
//! | `math`, `double`, `function` | elementary functions |
//! | `product`, `weight`, `windows`, `transpose` | matrix products, plain and of windows over images |
//! | `features`, `channels` | simple operations, and what is carried beside a value |
//! | `scratch`, `lanes` | memory and threads |
//! | `graph`, `program`, `network` | what is computed, as steps with a place for each number, with parameters |
//! | `block` | a program on a block of rows, forward and back |
//! | `gradient`, `grouped`, `prune`, `score` | results, and the gradients of losses |
//! | `formula`, `contrast`, `adam`, `normal`, `perturb` | the other parts of a training step |
//! | `distance` | distances of points, all pairs |
//! | `misfit` | lengths that do not fit |

mod adam;
mod block;
mod channels;
mod contrast;
mod distance;
mod double;
mod features;
mod formula;
mod function;
mod gradient;
mod graph;
mod grouped;
mod lanes;
mod math;
mod misfit;
mod network;
mod normal;
mod perturb;
mod product;
mod program;
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
mod windows;
#[cfg(test)]
mod windows_tests;

pub use adam::{Adam, State};
pub use block::Gradients;
pub use contrast::Discrepancy;
pub use distance::sum_of_distances;
pub use formula::{Formula, Scaled};
pub use function::Function;
pub use gradient::{backward, pull_back, results};
pub use graph::{Graph, Operation, Sums, Windows};
pub use grouped::group_gradient;
pub use misfit::Misfit;
pub use network::{Engine, Network};
pub use normal::fill_normal;
pub use perturb::perturb;
pub use score::jet_gradient;
