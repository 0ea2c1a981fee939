//! The shapes that energies take and give, and how to make them.

use crate::Error;
use dfdx::prelude::*;

/// A batch of B points in D dimensions, shape `(B, D)`.
pub type Points<E = f32, Dev = AutoDevice> = Tensor<(usize, usize), E, Dev>;

/// One number for each of B points, shape `(B,)`.
pub type Values<E = f32, Dev = AutoDevice> = Tensor<(usize,), E, Dev>;

/// The record of operations that a backward pass follows.
pub type GradientTape<E = f32, Dev = AutoDevice> = OwnedTape<E, Dev>;

/// Points that bring a tape, shape `(B, D)`.
pub type TapedPoints<E = f32, Dev = AutoDevice> =
    Tensor<(usize, usize), E, Dev, GradientTape<E, Dev>>;

/// Values that bring a tape, shape `(B,)`.
pub type TapedValues<E = f32, Dev = AutoDevice> = Tensor<(usize,), E, Dev, GradientTape<E, Dev>>;

/// Implements a trait for every number type and device that the crate compiles.
///
/// Cells are compiled without optimisation, and generic code is compiled where it is called. The
/// traits' methods are therefore concrete, so that their loops are compiled here, optimised.
macro_rules! for_each_backend {
    ($implement:ident) => {
        $implement!(f32, dfdx::tensor::Cpu);
        $implement!(f64, dfdx::tensor::Cpu);
        #[cfg(feature = "cuda")]
        $implement!(f32, dfdx::tensor::Cuda);
        #[cfg(feature = "cuda")]
        $implement!(f64, dfdx::tensor::Cuda);
    };
}
pub(crate) use for_each_backend;

/// The same for those without fused operations: all but single precision on a CPU.
macro_rules! for_each_plain_backend {
    ($implement:ident) => {
        $implement!(f64, dfdx::tensor::Cpu);
        #[cfg(feature = "cuda")]
        $implement!(f32, dfdx::tensor::Cuda);
        #[cfg(feature = "cuda")]
        $implement!(f64, dfdx::tensor::Cuda);
    };
}
pub(crate) use for_each_plain_backend;

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
