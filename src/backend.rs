//! What the crate asks of a device beyond dfdx's own operations.

use crate::{Error, Rng, kernel};
use dfdx::prelude::*;
use rand_distr::{Distribution, StandardNormal};

/// A number type that the crate computes with: f32 or f64.
pub trait Number: Dtype {
    /// `n` standard normal numbers.
    #[doc(hidden)]
    fn normals(n: usize, rng: &mut Rng) -> Vec<Self>;

    #[doc(hidden)]
    fn sqrt(self) -> Self;

    #[doc(hidden)]
    fn is_finite(&self) -> bool;

    /// These numbers for the fused kernels, if they are single precision.
    #[doc(hidden)]
    fn single(values: &[Self]) -> Option<&[f32]>;

    /// The same, to be changed.
    #[doc(hidden)]
    fn single_mut(values: &mut [Self]) -> Option<&mut [f32]>;
}

/// A dfdx device with a number type, as the crate compiles them: [`Cpu`], and with the feature `cuda`
/// `Cuda`, with f32 and f64.
pub trait Backend<E: Number>: Device<E> {
    /// Whether the tensor's values lie in row-major order, so that they can be copied as they are;
    /// nothing where the device does not tell.
    #[doc(hidden)]
    fn is_row_major<S: Shape>(tensor: &Tensor<S, E, Self>) -> Option<bool>;

    /// The device on which data sets make their points.
    ///
    /// # Errors
    /// If there is none.
    #[doc(hidden)]
    fn shared() -> Result<Self, Error>;
}

/// The device of the crate's own types, such as [`Points`](crate::energy::Points): the CPU, and with the
/// feature `cuda` the first GPU.
///
/// # Errors
/// If the feature is on, and there is no GPU, or its driver is too old.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::dfdx::prelude::*;
///
/// let x: Points = device()?.tensor_from_vec(vec![3.0, 4.0], (1, 2));
/// let net = Mlp::tanh(&[2, 16, 1], 0)?;
/// assert_eq!(net.energy(&x)?.shape(), &(1,));
/// // A net for the CPU, whatever the feature:
/// let here: Mlp<f32, Cpu> = net.cast(&Cpu::default())?;
/// # Ok::<(), Error>(())
/// ```
pub fn device() -> Result<AutoDevice, Error> {
    <AutoDevice as Backend<f32>>::shared()
}

/// Whether no value is infinite or NaN.
pub(crate) fn all_finite<E: Number>(values: &[E]) -> bool {
    // Without an early exit, which the compiler could not vectorise.
    let strange = |value: &E| usize::from(!value.is_finite());
    values.iter().map(strange).sum::<usize>() == 0
}

/// A tensor's values in row-major order. Much faster than dfdx's `as_vec` where they lie in that
/// order already.
pub(crate) fn read<S: Shape, E: Number, Dev: Backend<E>>(tensor: &Tensor<S, E, Dev>) -> Vec<E> {
    let mut values = Vec::new();
    append(tensor, &mut values);
    values
}

/// The same behind what the list holds.
pub(crate) fn append<S: Shape, E: Number, Dev: Backend<E>>(
    tensor: &Tensor<S, E, Dev>,
    values: &mut Vec<E>,
) {
    let (start, count) = (values.len(), tensor.shape().num_elements());
    if count == 0 {
        // dfdx would look for a first value.
        return;
    }
    if Dev::is_row_major(tensor) != Some(true) {
        values.extend(tensor.as_vec());
        return;
    }
    values.resize(start + count, E::default());
    tensor.copy_into(&mut values[start..]);
}

/// Overwrites a tensor's values, given in row-major order. Where the device does not tell how they lie,
/// the tensor is replaced, by one with an identity of its own.
///
/// # Errors
/// As [`check_list`].
pub(crate) fn write<S: Shape, E: Number, Dev: Backend<E>>(
    tensor: &mut Tensor<S, E, Dev>,
    values: &[E],
) -> Result<(), Error> {
    check_list(tensor, values.len())?;
    if Dev::is_row_major(tensor) == Some(true) {
        tensor.copy_from(values);
        return Ok(());
    }
    let own = tensor
        .device()
        .try_tensor_from_vec(values.to_vec(), *tensor.shape());
    *tensor = own.map_err(Error::tensor)?;
    Ok(())
}

/// Whether a parameter's values, or its gradient's, can be copied from or to a list of this length.
///
/// # Errors
/// If they are of another number, or the parameter is a view, whose values other tensors share or
/// lie in another order.
pub(crate) fn check_list<S: Shape, E: Number, Dev: Backend<E>>(
    tensor: &Tensor<S, E, Dev>,
    length: usize,
) -> Result<(), Error> {
    let shape = tensor.shape().concrete();
    if Dev::is_row_major(tensor) == Some(false) {
        let expected = "a tensor of its own: it is a permuted or broadcast view";
        return Err(Error::shape("a parameter", shape, expected));
    }
    if length != tensor.shape().num_elements() {
        let expected = format!("{shape:?}, as the parameter has,");
        return Err(Error::shape("the list of values", length, expected));
    }
    Ok(())
}

/// Compares addresses, because dfdx keeps a tensor's strides to itself.
fn is_row_major_on_cpu<S: Shape, E: Unit>(tensor: &Tensor<S, E, Cpu>) -> bool {
    let sizes = tensor.shape().concrete();
    if tensor.shape().num_elements() == 0 {
        return true;
    }
    let address = |index: S::Concrete| std::ptr::from_ref(&tensor[index]).addr();
    let first = address(S::Concrete::default());
    let mut stride = size_of::<E>();
    for axis in (0..S::NUM_DIMS).rev() {
        let mut index = S::Concrete::default();
        if sizes[axis] > 1 {
            index[axis] = 1;
            if address(index).wrapping_sub(first) != stride {
                return false;
            }
        }
        stride *= sizes[axis];
    }
    true
}

impl Number for f32 {
    fn normals(n: usize, rng: &mut Rng) -> Vec<f32> {
        let mut values = vec![0.0; n];
        kernel::fill_normal(rng, &mut values);
        values
    }

    fn sqrt(self) -> f32 {
        f32::sqrt(self)
    }

    fn is_finite(&self) -> bool {
        f32::is_finite(*self)
    }

    fn single(values: &[f32]) -> Option<&[f32]> {
        Some(values)
    }

    fn single_mut(values: &mut [f32]) -> Option<&mut [f32]> {
        Some(values)
    }
}

impl Number for f64 {
    fn normals(n: usize, rng: &mut Rng) -> Vec<f64> {
        (0..n).map(|_| StandardNormal.sample(rng)).collect()
    }

    fn sqrt(self) -> f64 {
        f64::sqrt(self)
    }

    fn is_finite(&self) -> bool {
        f64::is_finite(*self)
    }

    fn single(_: &[f64]) -> Option<&[f32]> {
        None
    }

    fn single_mut(_: &mut [f64]) -> Option<&mut [f32]> {
        None
    }
}

impl<E: Number> Backend<E> for Cpu
where
    Cpu: Device<E>,
{
    fn is_row_major<S: Shape>(tensor: &Tensor<S, E, Self>) -> Option<bool> {
        Some(is_row_major_on_cpu(tensor))
    }

    fn shared() -> Result<Self, Error> {
        Ok(Cpu::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_are_read_right_and_refused_for_writing() {
        let cpu = Cpu::default();
        let mut own: Tensor<(usize, usize), f32, Cpu> =
            cpu.tensor_from_vec(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], (2, 3));
        assert_eq!(read(&own), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let mut turned: Tensor<(usize, usize), f32, Cpu> = own.clone().permute::<_, Axes2<1, 0>>();
        assert_eq!(read(&turned), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert!(write(&mut turned, &[0.0; 6]).is_err());
        assert!(write(&mut own, &[0.0; 5]).is_err());
        write(&mut own, &[7.0; 6]).unwrap();
        assert_eq!(own.as_vec(), [7.0; 6]);
        assert_eq!(turned.as_vec()[0], 1.0);
    }
}
