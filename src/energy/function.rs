//! Functions of one number, with their derivatives.

use super::Expr;
use super::activation::{Activation, activate};
use crate::kernel::Function;
use crate::tensors::DeviceError;
use dfdx::prelude::*;
use dfdx::tensor::Tape;

/// What an expression asks of a function.
pub(super) trait Applied: Sized {
    fn name(self) -> &'static str;

    /// f(z).
    fn double(self, z: f64) -> f64;

    /// f(z) in dfdx operations.
    fn plain<T: Tape<f32, AutoDevice>>(
        self,
        z: Tensor<(usize, usize), f32, AutoDevice, T>,
    ) -> Result<Tensor<(usize, usize), f32, AutoDevice, T>, DeviceError>;

    /// f'(z) and f''(z) as expressions of z and f(z); None where it is 0 everywhere.
    fn derivatives(self, z: &Expr, f: &Expr) -> [Option<Expr>; 2];
}

impl Applied for Function {
    fn name(self) -> &'static str {
        match self {
            Self::Softplus => "softplus",
            Self::Silu => "silu",
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "tanh",
            Self::LeakyRelu(_) => "leaky_relu",
            Self::Step(_) => "step",
            Self::Exp => "exp",
            Self::Ln => "ln",
            Self::Sqrt => "sqrt",
            Self::Sin => "sin",
            Self::Cos => "cos",
            Self::Power(_) => "powi",
        }
    }

    fn double(self, z: f64) -> f64 {
        match self {
            Self::Softplus => z.max(0.0) + (-z.abs()).exp().ln_1p(),
            Self::Silu => z / (1.0 + (-z).exp()),
            Self::Sigmoid => 1.0 / (1.0 + (-z).exp()),
            Self::Tanh => z.tanh(),
            Self::LeakyRelu(slope) => z * Self::Step(slope).double(z),
            Self::Step(low) => match z {
                z if z > 0.0 => 1.0,
                z if z.is_nan() => z,
                _ => low,
            },
            Self::Exp => z.exp(),
            Self::Ln => z.ln(),
            Self::Sqrt => z.sqrt(),
            Self::Sin => z.sin(),
            Self::Cos => z.cos(),
            Self::Power(n) => z.powi(n),
        }
    }

    fn plain<T: Tape<f32, AutoDevice>>(
        self,
        z: Tensor<(usize, usize), f32, AutoDevice, T>,
    ) -> Result<Tensor<(usize, usize), f32, AutoDevice, T>, DeviceError> {
        match self {
            Self::Softplus => activate(Activation::Softplus, z),
            Self::Silu => activate(Activation::Silu, z),
            Self::Sigmoid => z.try_sigmoid(),
            Self::Tanh => z.try_tanh(),
            Self::LeakyRelu(slope) => activate(Activation::LeakyRelu(slope), z),
            // Constant almost everywhere: nothing to record.
            Self::Step(low) => {
                let (z, tape) = z.split_tape();
                let ones = z.device().try_ones_like(&z)?;
                let low = ones.clone().try_mul(low as f32)?;
                Ok(z.try_gt(0.0)?.try_choose(ones, low)?.put_tape(tape))
            }
            Self::Exp => z.try_exp(),
            Self::Ln => z.try_ln(),
            Self::Sqrt => z.try_sqrt(),
            Self::Sin => z.try_sin(),
            Self::Cos => z.try_cos(),
            Self::Power(2) => z.try_square(),
            Self::Power(n) => z.try_powi(n),
        }
    }

    fn derivatives(self, z: &Expr, f: &Expr) -> [Option<Expr>; 2] {
        match self {
            Self::Softplus => {
                let s = z.sigmoid();
                let [second, _] = Self::Sigmoid.derivatives(z, &s);
                [Some(s), second]
            }
            // f' = s + z s', f'' = 2 s' + z s''
            Self::Silu => {
                let s = z.sigmoid();
                let [first, second] = Self::Sigmoid.derivatives(z, &s);
                let by_z = |slope: Option<Expr>| slope.map(|slope| z * slope);
                let twice = first.clone().map(|first| first * 2.0);
                let sum = |a: Option<Expr>, b: Option<Expr>| Some(a? + b?);
                [sum(Some(s), by_z(first)), sum(twice, by_z(second))]
            }
            Self::Sigmoid => {
                let first = f * (1.0 - f);
                let second = &first * (1.0 - 2.0 * f);
                [Some(first), Some(second)]
            }
            Self::Tanh => {
                let first = 1.0 - f.square();
                let second = f * &first * -2.0;
                [Some(first), Some(second)]
            }
            Self::LeakyRelu(slope) => [Some(z.function(Self::Step(slope))), None],
            Self::Step(_) => [None, None],
            Self::Exp => [Some(f.clone()), Some(f.clone())],
            Self::Ln => [Some(z.powi(-1)), Some(-z.powi(-2))],
            Self::Sqrt => [Some(f.powi(-1) * 0.5), Some(f.powi(-3) * -0.25)],
            Self::Sin => [Some(z.cos()), Some(-f)],
            Self::Cos => [Some(-z.sin()), Some(-f)],
            Self::Power(n) => {
                // n z^(n - 1), where the factor may be 0.
                let term = |by: f64, n: i32| match n {
                    _ if by == 0.0 => None,
                    0 => Some(Expr::from(by)),
                    1 => Some(z * by),
                    n => Some(z.powi(n) * by),
                };
                let (first, n) = (f64::from(n), i64::from(n));
                let lower = |by: i64| i32::try_from(n - by).unwrap_or(i32::MIN);
                [term(first, lower(1)), term(first * (first - 1.0), lower(2))]
            }
        }
    }
}
