//! What a loss is in truth: expectations by quadrature, without samples.

mod grid;
mod population;

pub use population::Population;
