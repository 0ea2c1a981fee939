//! Losses of energies alone, through the fused kernels where they can take an energy's place.

use crate::Error;
use crate::backend::{Backend, Number};
use crate::energy::{Energy, Points};
use crate::kernel::{self, Network};
use dfdx::shapes::HasShape;

/// Runs `work` on the energy's net, a list of points made from the batch `x`, and the gradient's
/// place.
///
/// None where the energy is no net, or not in single precision on a CPU: then the tape computes
/// the same.
pub fn on_network<E: Number, Dev: Backend<E>>(
    energy: &dyn Energy<E, Dev>,
    x: &Points<E, Dev>,
    points: impl FnOnce() -> Result<Vec<E>, Error>,
    work: impl FnOnce(&Network, &[f32], &mut [f32]) -> Result<f64, Error>,
    gradient: &mut [E],
) -> Result<Option<f64>, Error> {
    let frozen = energy.frozen();
    let Some(net) = frozen.as_deref().unwrap_or(energy).fused() else {
        return Ok(None);
    };
    net.check(x.shape())?;
    let (network, points) = (net.network()?, points()?);
    match (E::single(&points), E::single_mut(gradient)) {
        (Some(points), Some(gradient)) => work(&network, points, gradient).map(Some),
        _ => Ok(None),
    }
}

/// The same for a loss that is a function of the energies of each group of points.
///
/// `contrast` takes the first group's number, the energies of some whole groups, and the place for
/// its derivative with respect to each; it returns the groups' share of the loss.
pub fn contrast<E: Number, Dev: Backend<E>>(
    energy: &dyn Energy<E, Dev>,
    x: &Points<E, Dev>,
    group: usize,
    points: impl FnOnce() -> Result<Vec<E>, Error>,
    contrast: &kernel::Contrast,
    gradient: &mut [E],
) -> Result<Option<f64>, Error> {
    let work = |network: &Network, points: &[f32], gradient: &mut [f32]| {
        kernel::contrast_gradient(network, points, group, contrast, gradient)
    };
    on_network(energy, x, points, work, gradient)
}

/// Each row of `first` followed by `count` rows of `second`, of D values each.
pub fn interleave<E: Copy>(first: &[E], second: &[E], count: usize, d: usize) -> Vec<E> {
    let mut rows = Vec::with_capacity(first.len() + second.len());
    for (first, second) in first.chunks_exact(d).zip(second.chunks_exact(count * d)) {
        rows.extend_from_slice(first);
        rows.extend_from_slice(second);
    }
    rows
}
