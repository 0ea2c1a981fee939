//! Energies that grow without bound: what a run looks at, beyond which it no longer fits a density.

use crate::Error;
use crate::energy::{Energy, checked};
use crate::tensors::{Points, to_vec};

/// Every so many steps the energies of the batch are looked at.
pub(crate) const EVERY: usize = 20;

/// Beyond 10⁶ single precision no longer tells 1/16 from 0, and exp(-U) no longer one density from another.
const MOST: f64 = 1e6;

/// The mean of |U| over a batch.
pub(crate) fn mean_size(energy: &dyn Energy, x: &Points) -> Result<f64, Error> {
    let values = to_vec(&checked::energies(energy, x)?);
    let sizes = values.iter().map(|u| f64::from(u.abs()));
    Ok(sizes.sum::<f64>() / values.len().max(1) as f64)
}

/// Whether mean |U|, or a loss, has left what it was at the start by orders of magnitude: data in large
/// units make large energies from the start on, and that is no growth.
pub(crate) fn is_without_bound(start: f64, now: f64) -> bool {
    now.abs() > MOST * (1.0 + start.abs())
}
