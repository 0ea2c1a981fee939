//! Energies in plain double precision, as tensors.

use crate::Error;
use crate::tensors::{DeviceError, Points, TapedPoints, TapedValues, Values, from_f64, to_vec};
use dfdx::prelude::*;
use rayon::prelude::*;

/// So many points, at least, are the work of one thread.
const FEW: usize = 64;

/// The points in double precision, if they have the dimension.
pub(crate) fn rows(what: &str, dimension: usize, x: &Points) -> Result<Vec<Vec<f64>>, Error> {
    let shape = *x.shape();
    if shape.1 != dimension {
        let expected = format!("(B, {dimension}), as {what} has,");
        return Err(Error::shape("x", shape, expected));
    }
    let values = to_vec(x);
    let rows = values.chunks_exact(dimension.max(1));
    Ok(rows
        .map(|row| row.iter().copied().map(f64::from).collect())
        .collect())
}

/// The energies of all points.
pub(crate) fn energies(
    x: &Points,
    rows: &[Vec<f64>],
    energy: impl Fn(&[f64]) -> f64 + Sync,
) -> Result<Values, Error> {
    let energies = rows.par_iter().with_min_len(FEW).map(|x| energy(x));
    let energies: Vec<f64> = energies.collect();
    from_f64(x.device(), energies.into_iter(), (rows.len(),))
}

/// Their slopes.
pub(crate) fn slopes(
    x: &Points,
    rows: &[Vec<f64>],
    slopes: impl Fn(&[f64]) -> Vec<f64> + Sync,
) -> Result<Points, Error> {
    let slopes = rows.par_iter().with_min_len(FEW).map(|x| slopes(x));
    let slopes: Vec<Vec<f64>> = slopes.collect();
    from_f64(x.device(), slopes.into_iter().flatten(), *x.shape())
}

/// Energies on the points' tape, from what they and their slopes are.
///
/// The tape sees the linear function g · x, whose slope is g, and a constant that makes its value U.
pub(crate) fn taped(
    x: TapedPoints,
    energies: Values,
    slopes: Points,
) -> Result<TapedValues, Error> {
    let linear = || x.try_mul(slopes)?.try_sum::<_, Axis<1>>();
    let (linear, tape) = linear().map_err(Error::tensor)?.split_tape();
    let rest = || -> Result<_, DeviceError> {
        let rest = energies.try_sub(linear.clone())?;
        linear.clone().put_tape(tape).try_add(rest)
    };
    rest().map_err(Error::tensor)
}
