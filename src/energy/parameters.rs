//! Named parameters.

use super::weights;
use crate::Error;
use crate::tensors::{GradientTape, MaybeSend, check_list, is_row_major, to_vec, write};
use dfdx::prelude::*;
use std::path::Path;

/// One tensor of an energy's parameters, whatever its shape.
///
/// Implemented for every dfdx tensor, so that an energy lists its fields and no more.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::dfdx::prelude::*;
///
/// let mut weight: Tensor<(usize, usize), f32, AutoDevice> = device()?.zeros_like(&(2, 3));
/// let parameter: &mut dyn Parameter = &mut weight;
/// parameter.set(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
/// assert_eq!((parameter.sizes(), parameter.len()), (vec![2, 3], 6));
/// assert!(parameter.set(&[1.0]).is_err());
/// assert_eq!(weight.as_vec(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
/// # Ok::<(), Error>(())
/// ```
pub trait Parameter {
    /// The tensor's shape.
    fn sizes(&self) -> Vec<usize>;

    /// Its values in row-major order.
    fn values(&self) -> Vec<f32>;

    /// Sets the values, given in row-major order.
    ///
    /// # Errors
    /// If there are too many or too few, or the tensor is a permuted or broadcast view.
    fn set(&mut self, values: &[f32]) -> Result<(), Error>;

    /// Copies the gradient with respect to this tensor, 0 where the loss does not depend on it.
    ///
    /// # Errors
    /// If the list has another length, the tensor is a permuted or broadcast view, or the device
    /// has no memory left.
    fn read_gradient(
        &self,
        gradients: &mut Gradients<f32, AutoDevice>,
        into: &mut [f32],
    ) -> Result<(), Error>;

    /// The number of values.
    fn len(&self) -> usize {
        self.sizes().iter().product()
    }

    /// Whether there is no value.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<S: Shape> Parameter for Tensor<S, f32, AutoDevice> {
    fn sizes(&self) -> Vec<usize> {
        self.shape().concrete().into()
    }

    fn values(&self) -> Vec<f32> {
        to_vec(self)
    }

    fn set(&mut self, values: &[f32]) -> Result<(), Error> {
        write(self, values)
    }

    fn read_gradient(
        &self,
        gradients: &mut Gradients<f32, AutoDevice>,
        into: &mut [f32],
    ) -> Result<(), Error> {
        check_list(self, into.len())?;
        gradients.try_alloc_for(self).map_err(Error::tensor)?;
        let gradient = gradients.get(self);
        match is_row_major(self) {
            Some(true) => gradient.copy_into(into),
            _ => into.copy_from_slice(&gradient.as_vec()),
        }
        Ok(())
    }
}

/// Named parameters, which can be set, saved and loaded: of a net, of an energy.
///
/// # Examples
/// A quadratic energy with a precision that is learned:
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::dfdx::prelude::*;
///
/// #[derive(Clone)]
/// struct Quadratic {
///     precision: Tensor<Rank0, f32, AutoDevice>,
/// }
/// impl Energy for Quadratic {
///     fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
///         let half_square = x.square().sum::<_, Axis<1>>() * 0.5;
///         let shape = *half_square.shape();
///         Ok(half_square * self.precision.retaped::<GradientTape>().broadcast_like(&shape))
///     }
/// }
/// impl Parameters for Quadratic {
///     fn parameters(&self) -> Vec<(&str, &dyn Parameter)> {
///         vec![("precision", &self.precision)]
///     }
///     fn parameters_mut(&mut self) -> Vec<(&str, &mut dyn Parameter)> {
///         vec![("precision", &mut self.precision)]
///     }
/// }
///
/// let energy = Quadratic { precision: device()?.tensor(2.0) };
/// assert_eq!(energy.parameters()[0].1.values(), [2.0]);
/// # Ok::<(), Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no named parameters (if it is a `Result`, add `?` where it is made)",
    label = "a `Result` lacks its `?`; a type of your own implements `Parameters`, whose two methods list the fields to train"
)]
pub trait Parameters: MaybeSend {
    /// The parameters with their names, in a fixed order.
    fn parameters(&self) -> Vec<(&str, &dyn Parameter)>;

    /// The same parameters in the same order, to be changed.
    fn parameters_mut(&mut self) -> Vec<(&str, &mut dyn Parameter)>;

    /// All values in one list, parameter after parameter.
    fn flat_parameters(&self) -> Vec<f32> {
        let lists = self.parameters().into_iter();
        let lists: Vec<Vec<f32>> = lists.map(|(_, parameter)| parameter.values()).collect();
        lists.concat()
    }

    /// Sets all values from one list, as [`Parameters::flat_parameters`] gives them.
    ///
    /// # Errors
    /// If the list has another length than the parameters together.
    fn set_flat_parameters(&mut self, values: &[f32]) -> Result<(), Error> {
        let mut parameters = self.parameters_mut();
        let count: usize = parameters
            .iter()
            .map(|(_, parameter)| parameter.len())
            .sum();
        if count != values.len() {
            let expected = format!("{count} values, as the parameters have,");
            return Err(Error::shape("the list of values", values.len(), expected));
        }
        let mut rest = values;
        for (_, parameter) in &mut parameters {
            let (own, others) = rest.split_at(parameter.len());
            parameter.set(own)?;
            rest = others;
        }
        Ok(())
    }

    /// Writes the parameters to a safetensors file, under their names.
    ///
    /// # Errors
    /// If the file cannot be written. An old file of that name is then left as it was.
    fn save_weights(&self, path: impl AsRef<Path>) -> Result<(), Error>
    where
        Self: Sized,
    {
        weights::save(path.as_ref(), &self.parameters())
    }

    /// Reads the parameters from a safetensors file that holds them, and perhaps others, under
    /// their names: one that [`Parameters::save_weights`] wrote, or PyTorch's
    /// `safetensors.torch.save_file(model.state_dict(), path)`.
    ///
    /// # Errors
    /// If the file cannot be read, or a parameter is missing in it or has another shape. The
    /// parameters are then as they were.
    fn load_weights(&mut self, path: impl AsRef<Path>) -> Result<(), Error>
    where
        Self: Sized,
    {
        self.load_weights_under("", path)
    }

    /// The same, where each name in the file begins with `prefix`.
    ///
    /// # Errors
    /// As [`Parameters::load_weights`].
    fn load_weights_under(&mut self, prefix: &str, path: impl AsRef<Path>) -> Result<(), Error>
    where
        Self: Sized,
    {
        weights::load(path.as_ref(), prefix, &mut self.parameters_mut())
    }
}

/// The gradient of a taped loss with respect to the parameters, in one list.
pub(crate) fn backward(
    loss: Tensor<Rank0, f32, AutoDevice, GradientTape>,
    parameters: &[(&str, &dyn Parameter)],
    gradient: &mut [f32],
) -> Result<(), Error> {
    let count: usize = parameters
        .iter()
        .map(|(_, parameter)| parameter.len())
        .sum();
    if gradient.len() != count {
        let expected = format!("{count} values, as the parameters have,");
        return Err(Error::shape("the gradient", gradient.len(), expected));
    }
    let mut gradients = loss.try_backward().map_err(Error::tensor)?;
    let mut rest = gradient;
    for (_, parameter) in parameters {
        let (own, others) = rest.split_at_mut(parameter.len());
        parameter.read_gradient(&mut gradients, own)?;
        rest = others;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensors::{Points, points};

    #[test]
    fn a_gradient_is_not_read_into_a_list_of_another_length_or_of_a_view() {
        let own = points(vec![1.0, 2.0], (1, 2)).unwrap();
        let mut gradients = own.leaky_trace().square().sum().backward();
        let mut read = |parameter: &dyn Parameter, count: usize| {
            parameter.read_gradient(&mut gradients, &mut vec![0.0; count])
        };
        assert!(read(&own, 2).is_ok());
        let error = read(&own, 3).unwrap_err().to_string();
        assert!(error.contains("3") && error.contains("[1, 2]"), "{error}");
        // A GPU does not tell how a tensor's values lie.
        if cfg!(not(feature = "cuda")) {
            let view: Points = own
                .clone()
                .reshape_like(&(2,))
                .broadcast_like::<_, Axis<0>>(&(3, 2));
            let error = read(&view, 6).unwrap_err().to_string();
            assert!(error.contains("broadcast view"), "{error}");
        }
    }
}
