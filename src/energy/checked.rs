//! What an energy returns, with its shape checked: anybody may have written it. Whatever reads the
//! values of an energy point by point asks here.

use super::{Along, Asks, Energy, Jets, Terms};
use crate::Error;
use crate::tensors::{Points, TapedValues, Values, from_vec};
use dfdx::prelude::*;

/// U at each point, `(B,)`.
pub(crate) fn energies(energy: &dyn Energy, x: &Points) -> Result<Values, Error> {
    let values = energy.energy(x)?;
    check_values("U", energy.type_name(), values.shape(), x)?;
    Ok(values)
}

/// The same on a tape that starts here.
pub(crate) fn energies_taped(energy: &dyn Energy, x: &Points) -> Result<TapedValues, Error> {
    let values = energy.energy_taped(x.leaky_trace())?;
    check_values("U", energy.type_name(), values.shape(), x)?;
    Ok(values)
}

/// U and ∇U at each point, `(B,)` and `(B, D)`.
pub(crate) fn gradient(energy: &dyn Energy, x: &Points) -> Result<(Values, Points), Error> {
    let (values, slopes) = energy.gradient(x)?;
    check_values("U", energy.type_name(), values.shape(), x)?;
    check_points("∇U", energy.type_name(), &slopes, x)?;
    Ok((values, slopes))
}

/// U with its derivatives at each point, `(B,)`, `(B, K)` and `(B,)`.
pub(crate) fn jets(energy: &dyn Energy, x: &Points, terms: &Terms) -> Result<Jets, Error> {
    let jets = match terms.asks() {
        Asks::JetsAlong(directions, count) => {
            let shape = (terms.count(), *count, terms.dimension());
            let directions = from_vec(x.device(), directions.to_vec(), shape)?;
            energy.jets_taped(x, Along::Directions(&directions))?
        }
        _ => energy.jets_taped(x, Along::Coordinates)?,
    };
    let name = energy.type_name();
    check_values("U", name, jets.energy.shape(), x)?;
    check_values("the second derivative", name, jets.curvature.shape(), x)?;
    let expected = (x.shape().0, terms.width() - 2);
    if *jets.slopes.shape() != expected {
        let what = format!("the slopes from {name}");
        let expected = format!("{expected:?}, one for each point and direction,");
        return Err(Error::shape(what, jets.slopes.shape(), expected));
    }
    Ok(jets)
}

fn check_values(what: &str, energy: &str, found: &(usize,), x: &Points) -> Result<(), Error> {
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

fn check_points(what: &str, energy: &str, found: &Points, x: &Points) -> Result<(), Error> {
    if found.shape() == x.shape() {
        return Ok(());
    }
    let expected = format!("{:?}, as the points have,", x.shape());
    let what = format!("{what} from {energy}");
    Err(Error::shape(what, found.shape(), expected))
}
