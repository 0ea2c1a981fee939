//! What an energy returns, with its shape checked: anybody may have written it. Whatever reads the
//! values of an energy point by point asks here.

use super::{Density, Derivatives, Energy, Points, TapedValues, TwiceDifferentiable, Values};
use crate::Error;
use dfdx::prelude::*;

/// U at each point, `(B,)`.
pub(crate) fn energies<E: Dtype, Dev: Device<E>>(
    energy: &dyn Energy<E, Dev>,
    x: &Points<E, Dev>,
) -> Result<Values<E, Dev>, Error> {
    let values = energy.energy(x)?;
    check_values("U", energy.type_name(), values.shape(), x)?;
    Ok(values)
}

/// The same on a tape that starts here.
pub(crate) fn energies_taped<E: Dtype, Dev: Device<E>>(
    energy: &dyn Energy<E, Dev>,
    x: &Points<E, Dev>,
) -> Result<TapedValues<E, Dev>, Error> {
    let values = energy.energy_taped(x.leaky_trace())?;
    check_values("U", energy.type_name(), values.shape(), x)?;
    Ok(values)
}

/// U and ∇U at each point, `(B,)` and `(B, D)`.
pub(crate) fn gradient<E: Dtype, Dev: Device<E>>(
    energy: &dyn Energy<E, Dev>,
    x: &Points<E, Dev>,
) -> Result<(Values<E, Dev>, Points<E, Dev>), Error> {
    let (values, slopes) = energy.gradient(x)?;
    check_values("U", energy.type_name(), values.shape(), x)?;
    check_points("∇U", energy.type_name(), &slopes, x)?;
    Ok((values, slopes))
}

/// ∂U/∂x_d and ∂²U/∂x_d² at each point, two of `(B, D)`.
pub(crate) fn derivatives<E: Dtype, Dev: Device<E>>(
    energy: &dyn TwiceDifferentiable<E, Dev>,
    x: &Points<E, Dev>,
) -> Result<Derivatives<E, Dev>, Error> {
    let derivatives = energy.derivatives_taped(x)?;
    check_points("∂U/∂x", energy.type_name(), &derivatives.gradient, x)?;
    check_points("∂²U/∂x²", energy.type_name(), &derivatives.curvature, x)?;
    Ok(derivatives)
}

/// log p at each point, `(B,)`.
pub(crate) fn log_densities<E: Dtype, Dev: Device<E>>(
    density: &dyn Density<E, Dev>,
    x: &Points<E, Dev>,
) -> Result<Values<E, Dev>, Error> {
    let values = density.log_densities(x)?;
    check_values("log p", density.type_name(), values.shape(), x)?;
    Ok(values)
}

/// ∇ log p at each point, `(B, D)`.
pub(crate) fn score<E: Dtype, Dev: Device<E>>(
    density: &dyn Density<E, Dev>,
    x: &Points<E, Dev>,
) -> Result<Points<E, Dev>, Error> {
    let score = density.score(x)?;
    check_points("∇ log p", density.type_name(), &score, x)?;
    Ok(score)
}

fn check_values<E: Dtype, Dev: Device<E>>(
    what: &str,
    energy: &str,
    found: &(usize,),
    x: &Points<E, Dev>,
) -> Result<(), Error> {
    let (points, _) = *x.shape();
    if found.0 == points {
        return Ok(());
    }
    let expected = format!("({points},), one value for each point,");
    Err(Error::shape(
        format!("{what} from {energy}"),
        found,
        expected,
    ))
}

fn check_points<E: Dtype, Dev: Device<E>>(
    what: &str,
    energy: &str,
    found: &Points<E, Dev>,
    x: &Points<E, Dev>,
) -> Result<(), Error> {
    if found.shape() == x.shape() {
        return Ok(());
    }
    let expected = format!("{:?}, as the points have,", x.shape());
    let what = format!("{what} from {energy}");
    Err(Error::shape(what, found.shape(), expected))
}
