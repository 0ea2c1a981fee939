//! The black squares of a checkerboard.

use crate::data::density::Density;
use crate::data::source::{Data, drawn};
use crate::energy::{Energy, closed_form};
use crate::tensors::{Points, TapedPoints, TapedValues, Values};
use crate::{Error, Rng};
use dfdx::prelude::*;
use rand::RngExt;

/// Uniform on 8 of the 16 squares of [-4, 4)².
///
/// p(x) = 1/32 where ⌊x_1/2⌋ + ⌊x_2/2⌋ is even and both lie in [-4, 4), 0 elsewhere. So
/// U(x) = log 32 = 3.466 or +∞, and the gradient is 0 everywhere, the edges included: a sampler
/// that follows it does not find the squares, and a loss that scores a model by this energy at
/// points outside of them is infinite.
///
/// Source: the `checkerboard` of FFJORD's toy data.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let p = toy::checkerboard();
/// assert_eq!(p.log_density(&[1.0, 1.0])?, -32f64.ln());
/// assert_eq!(p.log_density(&[1.0, -1.0])?, f64::NEG_INFINITY);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkerboard;

/// The density of [`Checkerboard`].
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let x = toy::checkerboard().sample(1000, &mut rng(0))?;
/// let black = |x: &[f32]| ((x[0] / 2.0).floor() + (x[1] / 2.0).floor()) % 2.0 == 0.0;
/// assert!(x.as_vec().chunks(2).all(black));
/// # Ok::<(), Error>(())
/// ```
pub fn checkerboard() -> Checkerboard {
    Checkerboard
}

impl Checkerboard {
    /// log p at one point.
    ///
    /// # Errors
    /// If the point is not two-dimensional.
    pub fn log_density(&self, x: &[f64]) -> Result<f64, Error> {
        match x {
            [x, y] => Ok(-at(*x, *y)),
            _ => Err(Error::shape("the point", x.len(), "2 coordinates")),
        }
    }
}

/// U. A coordinate that is not a number makes it not a number.
fn at(x: f64, y: f64) -> f64 {
    if x.is_nan() || y.is_nan() {
        return f64::NAN;
    }
    let on_the_board = [x, y].iter().all(|v| (-4.0..4.0).contains(v));
    let black = ((x / 2.0).floor() + (y / 2.0).floor()) % 2.0 == 0.0;
    if on_the_board && black {
        32f64.ln()
    } else {
        f64::INFINITY
    }
}

/// Within its square a point lies in the middle of one of 2^20 x 2^20 cells: exact in f32, so that
/// rounding puts no point on an edge.
fn draw(rng: &mut Rng) -> [f64; 2] {
    let (column, half) = (rng.random_range(0..4u32), rng.random_range(0..2u32));
    let row = 2 * half + column % 2;
    [column, row].map(|square| {
        let within = f64::from(rng.random_range(0..1u32 << 20)) + 0.5;
        2.0 * (f64::from(square) - 2.0) + within / f64::from(1 << 19)
    })
}

impl Energy for Checkerboard {
    /// The energy is constant almost everywhere, so its values leave nothing on the tape.
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        let (x, tape) = x.split_tape();
        Ok(self.energy(&x)?.put_tape(tape))
    }

    fn energy(&self, x: &Points) -> Result<Values, Error> {
        let rows = closed_form::rows("the plane", 2, x)?;
        closed_form::energies(x, &rows, |x| at(x[0], x[1]))
    }

    fn is_tested(&self) -> bool {
        true
    }
}

impl Data for Checkerboard {
    fn dimension(&self) -> usize {
        2
    }

    fn sample(&self, n: usize, rng: &mut Rng) -> Result<Points, Error> {
        drawn(n, 2, || draw(rng))
    }
}

impl Density for Checkerboard {
    fn log_densities(&self, x: &Points) -> Result<Vec<f64>, Error> {
        let rows = closed_form::rows("the plane", 2, x)?;
        Ok(rows.iter().map(|x| -at(x[0], x[1])).collect())
    }
}
