//! Activations and their derivatives in ordinary dfdx operations.

use crate::kernel::Activation;
use crate::tensors::DeviceError;
use dfdx::prelude::*;
use dfdx::tensor::Tape;

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

/// φ'(z) and φ''(z), elementwise, recorded on tapes of their own.
pub(super) fn derivatives<S: Shape, T: Tape<f32, AutoDevice>>(
    activation: Activation,
    z: &Tensor<S, f32, AutoDevice>,
) -> Result<(Tensor<S, f32, AutoDevice, T>, Tensor<S, f32, AutoDevice, T>), DeviceError> {
    let one = 1.0;
    let z = || z.retaped::<T>();
    // σ (1 - σ)
    let bell = |sigmoid: &Tensor<S, f32, AutoDevice>| -> Result<_, DeviceError> {
        let rest = sigmoid.retaped::<T>().try_negate()?.try_add(one)?;
        sigmoid.retaped::<T>().try_mul(rest)
    };
    match activation {
        Activation::Softplus => {
            let (sigmoid, tape) = z().try_sigmoid()?.split_tape();
            let second = bell(&sigmoid)?;
            Ok((sigmoid.put_tape(tape), second))
        }
        // φ' = σ + z σ', φ'' = σ' (2 + z (1 - 2σ))
        Activation::Silu => {
            let (sigmoid, tape) = z().try_sigmoid()?.split_tape();
            let (slope, slope_tape) = bell(&sigmoid)?.split_tape();
            let bend = sigmoid.retaped::<T>().try_mul(-2.0)?.try_add(one)?;
            let bend = bend.try_mul(z())?.try_add(2.0)?;
            let second = bend.try_mul(slope.retaped::<T>())?;
            let first = slope.put_tape(slope_tape).try_mul(z())?;
            Ok((sigmoid.put_tape(tape).try_add(first)?, second))
        }
        // Constants almost everywhere: nothing to record.
        Activation::LeakyRelu(slope) => {
            let z = z().split_tape().0;
            let ones = z.device().try_ones_like(&z)?;
            let low = ones.clone().try_mul(slope as f32)?;
            let zeros = z.device().try_zeros_like(&z)?;
            let first = z.try_gt(0.0)?.try_choose(ones, low)?;
            Ok((first.retaped(), zeros.retaped()))
        }
        // φ' = 1 - τ², φ'' = -2 τ φ'
        Activation::Tanh => {
            let (tanh, tape) = z().try_tanh()?.split_tape();
            let first = tanh
                .clone()
                .put_tape(tape)
                .try_square()?
                .try_negate()?
                .try_add(one)?;
            let (first, tape) = first.split_tape();
            let twice = tanh.retaped::<T>().try_mul(-2.0)?;
            let second = twice.try_mul(first.retaped::<T>())?;
            Ok((first.put_tape(tape), second))
        }
    }
}
