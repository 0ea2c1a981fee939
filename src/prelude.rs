//! What a notebook cell imports: `use energy_discrepancy::prelude::*;`.

pub use crate::energy::{Density, Energy, GaussianMixture, Points, Values};
pub use crate::eval::Population;
pub use crate::loss::{EnergyDiscrepancy, Loss, fisher_divergence};
pub use crate::notebook::{self, Claims, ShowResult, StopButton};
pub use crate::plot::{Chart, Color, Figure, Legend, Line};
pub use crate::{Error, Preset, Rng, rng};
