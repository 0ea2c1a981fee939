//! Energy-based models without scores or sampling, for Rust notebooks.
//!
//! Energy discrepancy (Schröder et al., NeurIPS 2023, arXiv 2307.06431) and its rival losses,
//! built on [dfdx](https://docs.rs/dfdx) and made to be used from notebook cells that run on
//! evcxr_jupyter.
//!
//! # One sign
//! p(x) ∝ exp(-U(x)), always: U is an energy, -U the log-density up to a constant.
//!
//! # Symbols
//! | paper | here | meaning |
//! |---|---|---|
//! | U | [`Energy::energy`] | energy, `(B, D)` to `(B,)` |
//! | t | [`EnergyDiscrepancy::with_variance`] | variance of the perturbation |
//! | s = √t | [`EnergyDiscrepancy::with_std`] | its standard deviation |
//! | M | [`EnergyDiscrepancy::particles`] | perturbed points for each data point |
//! | w | [`EnergyDiscrepancy::stabilisation`] | constant in the logarithm |
//! | h, ε | [`sample::Langevin`] | step size, and its root, the noise's standard deviation |
//! | Z | [`eval::log_z`] | ∫ exp(-U) dx |
//! | ρ | `rho` | weight of a mixture component |
//!
//! # Map
//! | module | holds |
//! |---|---|
//! | [`energy`] | the [`Energy`] trait and its extensions, closed forms, the perceptron |
//! | [`lebm`] | images from a latent energy: generator, posterior, training |
//! | [`loss`] | the losses on samples |
//! | [`sample`] | Langevin chains |
//! | [`data`] | toy densities, points from text and NumPy files, images from MNIST's and PNG files |
//! | [`train`] | Adam, the training loop, its history and checkpoints, several runs side by side |
//! | [`eval`] | how good a model is, by quadrature and on samples |
//! | [`plot`] | charts, figures, PNG and SVG |
//! | [`notebook`] | the kernel's side: stopping, progress, panics, claims, results as files |
//! | [`prelude`] | what a cell imports |
//!
//! Arrows run downwards: `data`, `loss` and `eval` know `energy`; `plot` and `notebook` know none of them.

mod checkpoint;
mod cholesky;
#[cfg(feature = "cuda")]
mod cuda;
pub mod data;
mod doubles;
pub mod energy;
mod error;
pub mod eval;
mod file;
pub mod lebm;
mod log_sum_exp;
pub mod loss;
pub mod notebook;
pub mod plot;
pub mod prelude;
mod preset;
mod quadrature;
pub mod sample;
mod table;
mod tensors;
pub mod train;

pub use dfdx;
pub use energy::Energy;
pub(crate) use energy_discrepancy_kernels as kernel;
pub use error::Error;
#[doc(hidden)]
pub use evcxr_notebook::{eprintln, print, println};
pub use loss::EnergyDiscrepancy;
pub use plotters;
pub use preset::Preset;
pub use quadrature::Quadrature;
pub use rand;
pub use table::Table;
pub use tensors::{
    GradientTape, MaybeSend, Points, TapedPoints, TapedValues, Values, device, normal_points,
    normals, points, to_vec,
};

/// The crate's random number generator: the same numbers on every platform and in every version.
pub type Rng = rand_chacha::ChaCha12Rng;

/// A generator from a seed.
///
/// # Examples
/// ```
/// use energy_discrepancy::rng;
/// assert_eq!(rng(7), rng(7));
/// assert_ne!(rng(7), rng(8));
/// ```
pub fn rng(seed: u64) -> Rng {
    rand::SeedableRng::seed_from_u64(seed)
}
