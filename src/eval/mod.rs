//! What a loss is in truth: expectations by quadrature, without samples.

mod population;

pub use population::Population;
