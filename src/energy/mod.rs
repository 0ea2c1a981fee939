//! Energies U with p(x) ∝ exp(-U(x)), as functions of a batch of points.

mod mixture;
mod mixture_ops;

pub use mixture::GaussianMixture;

use crate::{Error, Rng};
use dfdx::prelude::*;

/// A batch of B points in D dimensions, shape `(B, D)`.
pub type Points<E = f32, Dev = Cpu> = Tensor<(usize, usize), E, Dev>;

/// One number for each of B points, shape `(B,)`.
pub type Values<E = f32, Dev = Cpu> = Tensor<(usize,), E, Dev>;

/// An energy U: p(x) ∝ exp(-U(x)).
///
/// Object-safe, so that the loops over it are compiled in this crate while the energy itself may
/// be written in a notebook cell.
///
/// # Examples
/// A quadratic energy in ordinary dfdx operations:
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::dfdx::prelude::*;
///
/// struct Quadratic;
/// impl Energy<f64> for Quadratic {
///     fn energy(&self, x: &Points<f64>) -> Result<Values<f64>, Error> {
///         Ok(x.clone().square().sum::<_, Axis<1>>() * 0.5)
///     }
/// }
///
/// let x: Points<f64> = Cpu::default().tensor_from_vec(vec![3.0, 4.0], (1, 2));
/// assert_eq!(Quadratic.energy(&x)?.as_vec(), [12.5]);
/// # Ok::<(), Error>(())
/// ```
pub trait Energy<E: Dtype = f32, Dev: Device<E> = Cpu> {
    /// U at each point: `(B, D)` to `(B,)`.
    ///
    /// # Errors
    /// If the points have the wrong dimension, or a tensor operation fails.
    fn energy(&self, x: &Points<E, Dev>) -> Result<Values<E, Dev>, Error>;
}

/// An energy whose density is known in full: U(x) = -log p(x), with ∫ p = 1.
pub trait Density<E: Dtype = f32, Dev: Device<E> = Cpu>: Energy<E, Dev> {
    /// The score ∇ log p at each point: `(B, D)` to `(B, D)`.
    ///
    /// # Errors
    /// If the points have the wrong dimension, or a tensor operation fails.
    fn score(&self, x: &Points<E, Dev>) -> Result<Points<E, Dev>, Error>;

    /// `n` independent points drawn from p, shape `(n, D)`.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn sample(&self, n: usize, rng: &mut Rng) -> Result<Points<E, Dev>, Error>;
}

/// Implements a trait for every number type and device that the crate compiles.
///
/// Cells are compiled without optimisation, and generic code is compiled where it is called. The
/// traits' methods are therefore concrete, so that their loops are compiled here, optimised.
macro_rules! for_each_backend {
    ($implement:ident) => {
        $implement!(f32, dfdx::tensor::Cpu);
        $implement!(f64, dfdx::tensor::Cpu);
    };
}
pub(crate) use for_each_backend;

/// A number of any number type. Every dfdx number type in use is a float, and `from_f64` of a
/// float rounds and never fails.
pub(crate) fn scalar<E: Dtype>(value: f64) -> E {
    E::from_f64(value).unwrap_or_default()
}

/// A tensor of any number type from f64 values.
pub(crate) fn tensor<S: Shape, E: Dtype, Dev: Device<E>>(
    device: &Dev,
    values: impl Iterator<Item = f64>,
    shape: S,
) -> Result<Tensor<S, E, Dev>, Error> {
    let tensor = device.try_tensor_from_vec(values.map(scalar).collect(), shape);
    tensor.map_err(Error::tensor)
}
