//! The multilayer perceptron in ordinary dfdx operations, on any device.

use super::activation::{activate, derivatives};
use super::mlp::check_input;
use super::{
    Derivatives, Energy, Mlp, Parameter, Parameters, Points, TapedPoints, TapedValues,
    TwiceDifferentiable, Values, for_each_backend, for_each_plain_backend, scalar,
};
use crate::Error;
use crate::backend::{Backend, Number};
use dfdx::prelude::*;
use dfdx::tensor::Tape;

/// A net that runs in ordinary dfdx operations everywhere: the definition of what the fused
/// operations compute, several times slower.
///
/// # Examples
/// ```
/// use energy_discrepancy::energy::Plain;
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::dfdx::prelude::*;
///
/// let net = Mlp::tanh(&[2, 16, 1], 0)?;
/// let x: Points = device()?.ones_like(&(1, 2));
/// let (fused, plain) = (net.energy(&x)?.as_vec(), Plain(net).energy(&x)?.as_vec());
/// assert!((fused[0] - plain[0]).abs() < 1e-6);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Plain<N>(pub N);

impl<E: Number, Dev: Backend<E>> Mlp<E, Dev> {
    /// a W^T of one layer.
    fn weigh<T: Tape<E, Dev>>(
        &self,
        layer: usize,
        a: Tensor<(usize, usize), E, Dev, T>,
    ) -> Result<Tensor<(usize, usize), E, Dev, T>, Dev::Err> {
        let weight = self.layers[layer].weight.retaped::<T>();
        a.try_matmul(weight.try_permute::<_, Axes2<1, 0>>()?)
    }

    /// One layer before its activation: a W^T + b.
    fn linear<T: Tape<E, Dev>>(
        &self,
        layer: usize,
        a: Tensor<(usize, usize), E, Dev, T>,
    ) -> Result<Tensor<(usize, usize), E, Dev, T>, Dev::Err> {
        let shape = (a.shape().0, self.widths[layer + 1]);
        let bias = self.layers[layer].bias.retaped::<T>();
        self.weigh(layer, a)?
            .try_add(bias.try_broadcast_like::<_, Axis<0>>(&shape)?)
    }

    pub(super) fn plain_energy<T: Tape<E, Dev>>(
        &self,
        x: Tensor<(usize, usize), E, Dev, T>,
    ) -> Result<Tensor<(usize,), E, Dev, T>, Error> {
        check_input(&self.widths, x.shape())?;
        let rows = x.shape().0;
        if rows == 0 {
            // On a GPU dfdx would launch no thread, which is an error there.
            let (x, tape) = x.split_tape();
            let none = x.device().try_zeros_like(&(0,)).map_err(Error::tensor)?;
            return Ok(none.put_tape(tape));
        }
        let run = || -> Result<_, Dev::Err> {
            let mut a = x;
            for layer in 0..self.layers.len() {
                if layer > 0 {
                    a = activate(self.activation(), a)?;
                }
                a = self.linear(layer, a)?;
            }
            a.try_reshape_like(&(rows,))
        };
        run().map_err(Error::tensor)
    }

    /// Carries value, first and second derivative along each axis forward through the layers:
    /// u = ∂z/∂x_d and v = ∂²z/∂x_d², (D B, width), with
    /// a = φ(z), ∂a = φ'(z) u, ∂²a = φ''(z) u² + φ'(z) v.
    fn plain_derivatives(&self, x: &Points<E, Dev>) -> Result<Derivatives<E, Dev>, Error> {
        check_input(&self.widths, x.shape())?;
        let (b, d) = *x.shape();
        let run = || -> Result<Derivatives<E, Dev>, Dev::Err> {
            let mut record = Record(OwnedTape::default());
            let mut z = record.keep(self.linear(0, x.leaky_trace())?);
            let mut u = record.keep(self.weigh(0, unit_vectors(x)?.leaky_trace())?);
            let mut v: Option<Points<E, Dev>> = None;
            for layer in 1..self.layers.len() {
                let width = self.widths()[layer];
                let shape = (d, b, width);
                let (slope, bend) = derivatives(self.activation(), &z)?;
                let (slope, bend) = (record.keep(slope), record.keep(bend));
                let slope = slope
                    .leaky_trace()
                    .try_broadcast_like::<_, Axis<0>>(&shape)?;
                let slope = record.keep(slope);
                let bend = bend
                    .leaky_trace()
                    .try_broadcast_like::<_, Axis<0>>(&shape)?;
                let before = record.keep(u.leaky_trace().try_reshape_like(&shape)?);
                let mut second = before.leaky_trace().try_square()?.try_mul(bend)?;
                if let Some(v) = v {
                    let v = v.leaky_trace().try_reshape_like(&shape)?;
                    second = second.try_add(v.try_mul(slope.clone())?)?;
                }
                let first = before.leaky_trace().try_mul(slope)?;
                let first = first.try_reshape_like(&(d * b, width))?;
                let second = second.try_reshape_like(&(d * b, width))?;
                u = record.keep(self.weigh(layer, first)?);
                v = Some(record.keep(self.weigh(layer, second)?));
                let a = activate(self.activation(), z.leaky_trace())?;
                z = record.keep(self.linear(layer, a)?);
            }
            let curvature = match v {
                Some(v) => v,
                None => u.device().try_zeros_like(&u)?,
            };
            let mut by_point = |derivative: Points<E, Dev>| -> Result<Points<E, Dev>, Dev::Err> {
                let by_axis = derivative.leaky_trace().try_reshape_like(&(d, b))?;
                Ok(record.keep(by_axis.try_permute::<_, Axes2<1, 0>>()?))
            };
            Ok(Derivatives {
                gradient: by_point(u)?,
                curvature: by_point(curvature)?,
                tape: record.0,
            })
        };
        run().map_err(Error::tensor)
    }
}

/// One tape for many tensors: each result gives up its own.
struct Record<E: Dtype, Dev: Device<E>>(OwnedTape<E, Dev>);

impl<E: Dtype, Dev: Device<E>> Record<E, Dev> {
    fn keep<S: Shape>(
        &mut self,
        result: Tensor<S, E, Dev, OwnedTape<E, Dev>>,
    ) -> Tensor<S, E, Dev> {
        let (result, tape) = result.split_tape();
        self.0 = std::mem::take(&mut self.0).merge(tape);
        result
    }
}

/// The unit vector of axis d for each of the B points, axis after axis: (D B, D).
fn unit_vectors<E: Dtype, Dev: Device<E>>(x: &Points<E, Dev>) -> Result<Points<E, Dev>, Dev::Err> {
    let (b, d) = *x.shape();
    let mut values = vec![E::default(); d * b * d];
    for (row, values) in values.chunks_exact_mut(d).enumerate() {
        values[row / b] = scalar(1.0);
    }
    x.device().try_tensor_from_vec(values, (d * b, d))
}

macro_rules! implement {
    ($E:ty, $Dev:ty) => {
        impl Energy<$E, $Dev> for Plain<Mlp<$E, $Dev>> {
            fn energy_taped(
                &self,
                x: TapedPoints<$E, $Dev>,
            ) -> Result<TapedValues<$E, $Dev>, Error> {
                self.0.plain_energy(x)
            }

            fn energy(&self, x: &Points<$E, $Dev>) -> Result<Values<$E, $Dev>, Error> {
                self.0.plain_energy(x.clone())
            }

            fn is_tested(&self) -> bool {
                true
            }
        }

        impl TwiceDifferentiable<$E, $Dev> for Plain<Mlp<$E, $Dev>> {
            fn derivatives_taped(
                &self,
                x: &Points<$E, $Dev>,
            ) -> Result<Derivatives<$E, $Dev>, Error> {
                self.0.plain_derivatives(x)
            }
        }

        impl TwiceDifferentiable<$E, $Dev> for Mlp<$E, $Dev> {
            fn derivatives_taped(
                &self,
                x: &Points<$E, $Dev>,
            ) -> Result<Derivatives<$E, $Dev>, Error> {
                self.plain_derivatives(x)
            }
        }

        impl Parameters<$E, $Dev> for Plain<Mlp<$E, $Dev>> {
            fn parameters(&self) -> Vec<(String, &dyn Parameter<$E, $Dev>)> {
                self.0.named_parameters()
            }

            fn parameters_mut(&mut self) -> Vec<(String, &mut dyn Parameter<$E, $Dev>)> {
                self.0.named_parameters_mut()
            }
        }

        impl Parameters<$E, $Dev> for Mlp<$E, $Dev> {
            fn parameters(&self) -> Vec<(String, &dyn Parameter<$E, $Dev>)> {
                self.named_parameters()
            }

            fn parameters_mut(&mut self) -> Vec<(String, &mut dyn Parameter<$E, $Dev>)> {
                self.named_parameters_mut()
            }
        }
    };
}
for_each_backend!(implement);

/// The net's own operations, but for single precision on a CPU, where they are fused.
macro_rules! plain {
    ($E:ty, $Dev:ty) => {
        impl Energy<$E, $Dev> for Mlp<$E, $Dev> {
            fn energy_taped(
                &self,
                x: TapedPoints<$E, $Dev>,
            ) -> Result<TapedValues<$E, $Dev>, Error> {
                self.plain_energy(x)
            }

            fn energy(&self, x: &Points<$E, $Dev>) -> Result<Values<$E, $Dev>, Error> {
                self.plain_energy(x.clone())
            }

            fn is_tested(&self) -> bool {
                true
            }
        }
    };
}
for_each_plain_backend!(plain);
