//! How good a model is: expectations and normalising constants by quadrature, and the reference's
//! measure on samples.

mod comparison;
mod detection;
mod energy_distance;
mod fisher_divergence;
mod grid;
mod normaliser;
mod population;

pub use comparison::{Comparison, LogDensityMse, log_density_mse, mode_masses};
pub use detection::average_precision;
pub use energy_distance::energy_distance;
pub use fisher_divergence::fisher_divergence;
pub use normaliser::{density_on, log_z, log_z_from_samples};
pub use population::Population;
