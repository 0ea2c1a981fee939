//! Activations and their derivatives in ordinary dfdx operations.

use crate::kernel::Function;
use crate::tensors::DeviceError;
use dfdx::prelude::*;
use dfdx::tensor::Tape;

/// The function between the layers of an [`Mlp`](super::Mlp).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// ln(1 + e^z).
    Softplus,
    /// z σ(z).
    Silu,
    /// z, times the slope where z is not positive. PyTorch's slope is 0.01.
    LeakyRelu(f64),
    /// tanh z.
    Tanh,
}

impl Activation {
    pub(super) fn function(self) -> Function {
        match self {
            Self::Softplus => Function::Softplus,
            Self::Silu => Function::Silu,
            Self::LeakyRelu(slope) => Function::LeakyRelu(slope),
            Self::Tanh => Function::Tanh,
        }
    }
}

/// φ(z), elementwise, differentiable everywhere the equation is.
pub(super) fn activate<S: Shape, T: Tape<f32, AutoDevice>>(
    activation: Activation,
    z: Tensor<S, f32, AutoDevice, T>,
) -> Result<Tensor<S, f32, AutoDevice, T>, DeviceError> {
    match activation {
        // z/2 + |z|/2 is max(z, 0) with slope 1/2 at 0, as log(1 + e^z) has.
        Activation::Softplus => {
            let half = 0.5;
            let size = z.retaped::<T>().try_abs()?;
            let log = z.retaped::<T>().try_abs()?.try_negate()?.try_exp()?;
            let log = log.try_add(1.0)?.try_ln()?;
            z.try_mul(half)?.try_add(size.try_mul(half)?)?.try_add(log)
        }
        Activation::Silu => {
            let sigmoid = z.retaped::<T>().try_sigmoid()?;
            z.try_mul(sigmoid)
        }
        Activation::LeakyRelu(slope) => {
            let positive = z.retaped::<T>().try_relu()?.try_mul((1.0 - slope) as f32)?;
            z.try_mul(slope as f32)?.try_add(positive)
        }
        Activation::Tanh => z.try_tanh(),
    }
}
