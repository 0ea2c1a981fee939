//! The tensors that the crate computes with: f32, on the CPU or, with the feature `cuda`, on the first GPU.

use crate::{Error, Rng, kernel};
use dfdx::prelude::*;

/// A batch of B points in D dimensions, shape `(B, D)`.
pub type Points = Tensor<(usize, usize), f32, AutoDevice>;

/// One number for each of B points, shape `(B,)`.
pub type Values = Tensor<(usize,), f32, AutoDevice>;

/// The record of operations that a backward pass follows.
pub type GradientTape = OwnedTape<f32, AutoDevice>;

/// Points that bring a tape, shape `(B, D)`.
pub type TapedPoints = Tensor<(usize, usize), f32, AutoDevice, GradientTape>;

/// Values that bring a tape, shape `(B,)`.
pub type TapedValues = Tensor<(usize,), f32, AutoDevice, GradientTape>;

/// What goes wrong on the device.
pub(crate) type DeviceError = <AutoDevice as HasErr>::Err;

/// What nets and objectives must be so that several runs share the cores: `Send`. With the feature `cuda`
/// anything, because dfdx's GPU stays on its thread, and runs take turns there. Nothing to implement.
#[cfg(not(feature = "cuda"))]
pub trait MaybeSend: Send {}
#[cfg(not(feature = "cuda"))]
impl<T: Send + ?Sized> MaybeSend for T {}
/// What nets and objectives must be so that several runs share the cores: anything, with the feature `cuda`.
#[cfg(feature = "cuda")]
pub trait MaybeSend {}
#[cfg(feature = "cuda")]
impl<T: ?Sized> MaybeSend for T {}

/// The device of all tensors here: the CPU, and with the feature `cuda` the first GPU.
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
/// # Ok::<(), Error>(())
/// ```
pub fn device() -> Result<AutoDevice, Error> {
    #[cfg(feature = "cuda")]
    return crate::cuda::first_gpu();
    #[cfg(not(feature = "cuda"))]
    Ok(AutoDevice::default())
}

/// Points from their coordinates, row after row.
///
/// # Errors
/// If the values are of another number than the shape, or there is no memory for them.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let x = points(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], (3, 2))?;
/// assert_eq!(to_vec(&x)[2..4], [3.0, 4.0]);
/// assert!(points(vec![1.0], (3, 2)).is_err());
/// # Ok::<(), Error>(())
/// ```
pub fn points(values: Vec<f32>, shape: (usize, usize)) -> Result<Points, Error> {
    if shape.0.checked_mul(shape.1) != Some(values.len()) {
        let expected = format!("{shape:?}, as the points shall have,");
        return Err(Error::shape("the list of values", values.len(), expected));
    }
    from_vec(&device()?, values, shape)
}

/// `n` points of N(0, I) in `d` dimensions, `(n, d)`.
///
/// # Errors
/// If there is no memory for them.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let start = normal_points(1000, 2, &mut rng(0))?;
/// let mean = to_vec(&start).iter().sum::<f32>() / 2000.0;
/// assert!(mean.abs() < 0.1);
/// # Ok::<(), Error>(())
/// ```
pub fn normal_points(n: usize, d: usize, rng: &mut Rng) -> Result<Points, Error> {
    points(normals(n * d, rng), (n, d))
}

/// `n` standard normal numbers.
pub fn normals(n: usize, rng: &mut Rng) -> Vec<f32> {
    let mut values = vec![0.0; n];
    kernel::fill_normal(rng, &mut values);
    values
}

/// A tensor's values in row-major order. On the CPU much faster than dfdx's `as_vec`.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let x = toy::gaussians_25().sample(100, &mut rng(0))?;
/// assert_eq!(to_vec(&x).len(), 200);
/// # Ok::<(), Error>(())
/// ```
pub fn to_vec<S: Shape>(tensor: &Tensor<S, f32, AutoDevice>) -> Vec<f32> {
    let mut values = Vec::new();
    append(tensor, &mut values);
    values
}

/// The same behind what the list holds.
pub(crate) fn append<S: Shape>(tensor: &Tensor<S, f32, AutoDevice>, values: &mut Vec<f32>) {
    let (start, count) = (values.len(), tensor.shape().num_elements());
    if count == 0 {
        // dfdx would look for a first value.
        return;
    }
    if is_row_major(tensor) != Some(true) {
        values.extend(tensor.as_vec());
        return;
    }
    values.resize(start + count, 0.0);
    tensor.copy_into(&mut values[start..]);
}

/// Overwrites a tensor's values, given in row-major order. Where the device does not tell how they lie,
/// the tensor is replaced, by one with an identity of its own.
///
/// # Errors
/// As [`check_list`].
pub(crate) fn write<S: Shape>(
    tensor: &mut Tensor<S, f32, AutoDevice>,
    values: &[f32],
) -> Result<(), Error> {
    check_list(tensor, values.len())?;
    if is_row_major(tensor) == Some(true) {
        tensor.copy_from(values);
        return Ok(());
    }
    *tensor = from_vec(tensor.device(), values.to_vec(), *tensor.shape())?;
    Ok(())
}

/// Whether a parameter's values, or its gradient's, can be copied from or to a list of this length.
///
/// # Errors
/// If they are of another number, or the parameter is a view, whose values other tensors share or
/// lie in another order.
pub(crate) fn check_list<S: Shape>(
    tensor: &Tensor<S, f32, AutoDevice>,
    length: usize,
) -> Result<(), Error> {
    let shape = tensor.shape().concrete();
    if is_row_major(tensor) == Some(false) {
        let expected = "a tensor of its own: it is a permuted or broadcast view";
        return Err(Error::shape("a parameter", shape, expected));
    }
    if length != tensor.shape().num_elements() {
        let expected = format!("{shape:?}, as the parameter has,");
        return Err(Error::shape("the list of values", length, expected));
    }
    Ok(())
}

/// A tensor from as many values as its shape has.
pub(crate) fn from_vec<S: Shape>(
    device: &AutoDevice,
    values: Vec<f32>,
    shape: S,
) -> Result<Tensor<S, f32, AutoDevice>, Error> {
    let tensor = device.try_tensor_from_vec(values, shape);
    tensor.map_err(Error::tensor)
}

/// The same from f64 values.
pub(crate) fn from_f64<S: Shape>(
    device: &AutoDevice,
    values: impl Iterator<Item = f64>,
    shape: S,
) -> Result<Tensor<S, f32, AutoDevice>, Error> {
    from_vec(device, values.map(|value| value as f32).collect(), shape)
}

/// A copy with an identity of its own, which a plain clone of a tensor does not have. Without
/// memory for it the clone has to do.
pub(crate) fn separate<S: Shape>(
    tensor: &Tensor<S, f32, AutoDevice>,
) -> Tensor<S, f32, AutoDevice> {
    let copy = from_vec(tensor.device(), to_vec(tensor), *tensor.shape());
    copy.unwrap_or_else(|_| tensor.clone())
}

/// The one value of a loss.
pub(crate) fn number(loss: &Tensor<Rank0, f32, AutoDevice>) -> f64 {
    loss.as_vec().first().copied().map_or(f64::NAN, f64::from)
}

/// Adds the first values of a list, and returns the others.
#[cfg(not(feature = "cuda"))]
pub(crate) fn add<'a>(total: &mut [f32], values: &'a [f32]) -> &'a [f32] {
    total
        .iter_mut()
        .zip(values)
        .for_each(|(total, value)| *total += value);
    values.get(total.len()..).unwrap_or_default()
}

/// Whether no value is infinite or NaN.
pub(crate) fn all_finite(values: &[f32]) -> bool {
    // Without an early exit, which the compiler could not vectorise.
    let strange = |value: &f32| usize::from(!value.is_finite());
    values.iter().map(strange).sum::<usize>() == 0
}

/// Whether the tensor's values lie in row-major order, so that they can be copied as they are. dfdx keeps
/// a tensor's strides to itself: addresses tell them on the CPU, and nothing does on a GPU.
#[cfg(not(feature = "cuda"))]
pub(crate) fn is_row_major<S: Shape>(tensor: &Tensor<S, f32, AutoDevice>) -> Option<bool> {
    let sizes = tensor.shape().concrete();
    if tensor.shape().num_elements() == 0 {
        return Some(true);
    }
    let address = |index: S::Concrete| std::ptr::from_ref(&tensor[index]).addr();
    let first = address(S::Concrete::default());
    let mut stride = size_of::<f32>();
    for axis in (0..S::NUM_DIMS).rev() {
        let mut index = S::Concrete::default();
        if sizes[axis] > 1 {
            index[axis] = 1;
            if address(index).wrapping_sub(first) != stride {
                return Some(false);
            }
        }
        stride *= sizes[axis];
    }
    Some(true)
}

#[cfg(feature = "cuda")]
pub(crate) fn is_row_major<S: Shape>(_: &Tensor<S, f32, AutoDevice>) -> Option<bool> {
    None
}

// On a GPU only dfdx reads and writes tensors.
#[cfg(all(test, not(feature = "cuda")))]
mod tests {
    use super::*;

    #[test]
    fn views_are_read_right_and_refused_for_writing() {
        let mut own = points(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], (2, 3)).unwrap();
        assert_eq!(to_vec(&own), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let mut turned: Points = own.clone().permute::<_, Axes2<1, 0>>();
        assert_eq!(to_vec(&turned), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert!(write(&mut turned, &[0.0; 6]).is_err());
        assert!(write(&mut own, &[0.0; 5]).is_err());
        write(&mut own, &[7.0; 6]).unwrap();
        assert_eq!(own.as_vec(), [7.0; 6]);
        assert_eq!(turned.as_vec()[0], 1.0);
    }
}
