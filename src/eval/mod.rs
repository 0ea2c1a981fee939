//! How good a model is: expectations and normalising constants by quadrature, and the reference's
//! measure on samples; whether chains have mixed.

mod annealing;
mod comparison;
mod detection;
mod energy_distance;
mod fisher_divergence;
mod grid;
mod judgement;
mod likelihood;
mod mixing;
mod normaliser;
mod population;
mod two_sample;

pub use annealing::{Annealing, LogZ};
pub use comparison::{Comparison, LogDensityMse, log_density_mse, mode_masses};
pub use detection::average_precision;
pub use energy_distance::energy_distance;
pub use fisher_divergence::fisher_divergence;
pub use judgement::Judgement;
pub use likelihood::{Nats, nll, nll_of};
pub use mixing::{ess, r_hat};
pub use normaliser::{density_on, log_z, log_z_from_samples};
pub use population::Population;
pub use two_sample::{TwoSample, c2st, energy_test, mmd};
