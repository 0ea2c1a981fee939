//! How good a model is: expectations and normalising constants by quadrature, and the reference's
//! measure on samples.

mod comparison;
mod grid;
mod normaliser;
mod population;

pub use comparison::{Comparison, LogDensityMse, log_density_mse, mode_masses};
pub use normaliser::{density_on, log_z, log_z_from_samples};
pub use population::Population;
