//! Energies that grow without bound: what a run looks at, beyond which it no longer fits a density.

use crate::Error;
use crate::backend::{Backend, Number};
use crate::energy::{Energy, Points, checked};

/// Every so many steps the energies of the batch are looked at.
pub(crate) const EVERY: usize = 20;

/// Beyond 10⁶ single precision no longer tells 1/16 from 0, and exp(-U) no longer one density from another.
const ENERGIES: f64 = 1e6;

/// Far beyond what a loss of such energies is.
const LOSSES: f64 = 1e9;

/// The mean of |U| over a batch.
pub(crate) fn mean_size<E: Number, Dev: Backend<E>>(
    energy: &dyn Energy<E, Dev>,
    x: &Points<E, Dev>,
) -> Result<f64, Error> {
    let values = crate::backend::read(&checked::energies(energy, x)?);
    let sizes = values.iter().map(|u| u.to_f64().unwrap_or(f64::NAN).abs());
    Ok(sizes.sum::<f64>() / values.len().max(1) as f64)
}

/// Whether mean |U| has left what it was at the start by orders of magnitude: data in large units make large
/// energies from the start on, and that is no growth.
pub(crate) fn energies_have_grown(start: f64, now: f64) -> bool {
    now > ENERGIES * (1.0 + start)
}

/// The same for the loss.
pub(crate) fn loss_has_grown(start: f64, now: f64) -> bool {
    now.abs() > LOSSES * (1.0 + start.abs())
}
