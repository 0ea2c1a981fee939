//! The multilayer perceptron as one fused operation: single precision on a CPU.

use super::mlp::{Layer, check_input};
use super::{Energy, Mlp};
use crate::Error;
use crate::backend::{Backend, append, read};
use crate::kernel::{self, Activation, Network};
use dfdx::prelude::*;
use dfdx::tensor::CpuError;
use std::cell::Cell;

// Of this device, whatever the default one is.
type Points = super::Points<f32, Cpu>;
type Values = super::Values<f32, Cpu>;
type TapedPoints = super::TapedPoints<f32, Cpu>;
type TapedValues = super::TapedValues<f32, Cpu>;

/// A net's parameters as they are now, for the fused kernels.
///
/// dfdx keeps a tensor's values to itself; the copy costs about a hundredth of a training step. Its
/// memory is kept for the next copy: to map it anew in each step would cost several times that.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct FusedMlp {
    widths: Vec<usize>,
    activation: Activation,
    /// W_1, b_1, W_2, b_2, ...
    parameters: Vec<f32>,
}

thread_local! {
    /// The memory of the last copy that is no longer used.
    static SPARE: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

impl Drop for FusedMlp {
    fn drop(&mut self) {
        // At a thread's end there may be no place left to keep it: then it is freed.
        let _ = SPARE.try_with(|spare| spare.set(std::mem::take(&mut self.parameters)));
    }
}

impl FusedMlp {
    pub(crate) fn network(&self) -> Result<Network<'_>, Error> {
        Network::from_flat(&self.widths, self.activation, &self.parameters)
    }

    /// Whether points of this shape, `(B, D)`, can enter the net.
    pub(crate) fn check(&self, shape: &(usize, usize)) -> Result<(), Error> {
        check_input(&self.widths, shape)
    }
}

impl Energy<f32, Cpu> for FusedMlp {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        record(self.clone(), Vec::new(), x)
    }

    fn energy(&self, x: &Points) -> Result<Values, Error> {
        self.check(x.shape())?;
        let rows = x.shape().0;
        let mut energies = vec![0.0; rows];
        kernel::energies(&self.network()?, &read(x), &mut energies)?;
        x.device()
            .try_tensor_from_vec(energies, (rows,))
            .map_err(Error::tensor)
    }

    fn gradient(&self, x: &Points) -> Result<(Values, Points), Error> {
        self.check(x.shape())?;
        let (rows, values) = (x.shape().0, read(x));
        let (mut energies, mut slopes) = (vec![0.0; rows], vec![0.0; values.len()]);
        kernel::input_gradient(&self.network()?, &values, &mut energies, &mut slopes)?;
        let energies = x.device().try_tensor_from_vec(energies, (rows,));
        let slopes = x.device().try_tensor_from_vec(slopes, *x.shape());
        Ok((
            energies.map_err(Error::tensor)?,
            slopes.map_err(Error::tensor)?,
        ))
    }

    fn fused(&self) -> Option<&FusedMlp> {
        Some(self)
    }

    fn is_tested(&self) -> bool {
        true
    }
}

/// The whole net as one operation on the tape, with these tensors as the parameters' leaves.
fn record(
    net: FusedMlp,
    leaves: Vec<Layer<f32, Cpu>>,
    x: TapedPoints,
) -> Result<TapedValues, Error> {
    let (x, mut tape) = x.split_tape();
    let energies = net.energy(&x)?;
    let result = energies.ghost();
    tape.add_backward_op(move |gradients| {
        let cotangent = gradients.get_or_alloc_mut(&result)?.to_vec();
        let values = read(&x);
        let mut of_x = vec![0.0; values.len()];
        let mut of_parameters = vec![0.0; net.parameters.len()];
        let wanted = (!leaves.is_empty()).then_some(of_parameters.as_mut_slice());
        // The lengths fit, because the forward pass succeeded with them.
        let network = net.network().map_err(|_| CpuError::WrongNumElements)?;
        kernel::backward(&network, &values, &cotangent, wanted, Some(&mut of_x))
            .map_err(|_| CpuError::WrongNumElements)?;
        add(gradients.get_or_alloc_mut(&x)?, &of_x);
        let mut rest = of_parameters.as_slice();
        for leaf in &leaves {
            rest = add(gradients.get_or_alloc_mut(&leaf.weight)?, rest);
            rest = add(gradients.get_or_alloc_mut(&leaf.bias)?, rest);
        }
        Ok(())
    });
    Ok(energies.put_tape(tape))
}

/// Adds the first values of a list, and returns the others.
pub(crate) fn add<'a>(total: &mut [f32], values: &'a [f32]) -> &'a [f32] {
    total
        .iter_mut()
        .zip(values)
        .for_each(|(total, value)| *total += value);
    values.get(total.len()..).unwrap_or_default()
}

impl Mlp<f32, Cpu> {
    fn to_fused(&self) -> FusedMlp {
        let mut parameters = SPARE.take();
        parameters.clear();
        for layer in &self.layers {
            append(&layer.weight, &mut parameters);
            append(&layer.bias, &mut parameters);
        }
        FusedMlp {
            widths: self.widths().to_vec(),
            activation: self.activation(),
            parameters,
        }
    }
}

impl Energy<f32, Cpu> for Mlp<f32, Cpu> {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        // The gradient of a view lies in the view's order, which dfdx keeps to itself.
        if Cpu::is_row_major(&x.retaped::<NoneTape>()) != Some(true) {
            return self.plain_energy(x);
        }
        record(self.to_fused(), self.layers.clone(), x)
    }

    fn energy(&self, x: &Points) -> Result<Values, Error> {
        self.to_fused().energy(x)
    }

    fn gradient(&self, x: &Points) -> Result<(Values, Points), Error> {
        self.to_fused().gradient(x)
    }

    fn frozen(&self) -> Option<Box<dyn Energy<f32, Cpu>>> {
        Some(Box::new(self.to_fused()))
    }

    fn is_tested(&self) -> bool {
        true
    }
}
