//! The multilayer perceptron in ordinary dfdx operations, on any device.

use super::activation::{activate, derivatives};
use super::mlp::check_input;
use super::{Along, Energy, Jets, Mlp, Parameter, Parameters};
use crate::Error;
use crate::tensors::{
    DeviceError, GradientTape, Points, TapedPoints, TapedValues, Values, from_vec,
};
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

impl Mlp {
    /// a W^T of one layer.
    fn weigh<T: Tape<f32, AutoDevice>>(
        &self,
        layer: usize,
        a: Tensor<(usize, usize), f32, AutoDevice, T>,
    ) -> Result<Tensor<(usize, usize), f32, AutoDevice, T>, DeviceError> {
        let weight = self.layers[layer].weight.retaped::<T>();
        a.try_matmul(weight.try_permute::<_, Axes2<1, 0>>()?)
    }

    /// One layer before its activation: a W^T + b.
    fn linear<T: Tape<f32, AutoDevice>>(
        &self,
        layer: usize,
        a: Tensor<(usize, usize), f32, AutoDevice, T>,
    ) -> Result<Tensor<(usize, usize), f32, AutoDevice, T>, DeviceError> {
        let shape = (a.shape().0, self.widths[layer + 1]);
        let bias = self.layers[layer].bias.retaped::<T>();
        self.weigh(layer, a)?
            .try_add(bias.try_broadcast_like::<_, Axis<0>>(&shape)?)
    }

    pub(super) fn plain_energy<T: Tape<f32, AutoDevice>>(
        &self,
        x: Tensor<(usize, usize), f32, AutoDevice, T>,
    ) -> Result<Tensor<(usize,), f32, AutoDevice, T>, Error> {
        check_input(&self.widths, x.shape())?;
        let rows = x.shape().0;
        if rows == 0 {
            // On a GPU dfdx would launch no thread, which is an error there.
            let (x, tape) = x.split_tape();
            let none = x.device().try_zeros_like(&(0,)).map_err(Error::tensor)?;
            return Ok(none.put_tape(tape));
        }
        let run = || -> Result<_, DeviceError> {
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

    /// Carries value, first and second derivative along each direction v forward through the layers:
    /// u = ∂z/∂v and w = ∂²z/∂v², (K B, width), with
    /// a = φ(z), ∂a = φ'(z) u, ∂²a = φ''(z) u² + φ'(z) w.
    pub(super) fn plain_jets(&self, x: &Points, along: Along) -> Result<Jets, Error> {
        check_input(&self.widths, x.shape())?;
        let b = x.shape().0;
        let (k, directions) = directions(x, along)?;
        let run = || -> Result<Jets, DeviceError> {
            let mut record = Record(OwnedTape::default());
            let mut z = record.keep(self.linear(0, x.leaky_trace())?);
            let mut u = record.keep(self.weigh(0, directions.leaky_trace())?);
            let mut w: Option<Points> = None;
            for layer in 1..self.layers.len() {
                let width = self.widths()[layer];
                let shape = (k, b, width);
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
                if let Some(w) = w {
                    let w = w.leaky_trace().try_reshape_like(&shape)?;
                    second = second.try_add(w.try_mul(slope.clone())?)?;
                }
                let first = before.leaky_trace().try_mul(slope)?;
                let first = first.try_reshape_like(&(k * b, width))?;
                let second = second.try_reshape_like(&(k * b, width))?;
                u = record.keep(self.weigh(layer, first)?);
                w = Some(record.keep(self.weigh(layer, second)?));
                let a = activate(self.activation(), z.leaky_trace())?;
                z = record.keep(self.linear(layer, a)?);
            }
            let w = match w {
                Some(w) => w,
                None => u.device().try_zeros_like(&u)?,
            };
            let slopes = u.leaky_trace().try_reshape_like(&(k, b))?;
            let curvature = w.leaky_trace().try_reshape_like(&(k, b))?;
            Ok(Jets {
                energy: record.keep(z.leaky_trace().try_reshape_like(&(b,))?),
                slopes: record.keep(slopes.try_permute::<_, Axes2<1, 0>>()?),
                curvature: record.keep(curvature.try_sum::<_, Axis<0>>()?),
                tape: record.0,
            })
        };
        run().map_err(Error::tensor)
    }
}

/// One tape for many tensors: each result gives up its own.
struct Record(GradientTape);

impl Record {
    fn keep<S: Shape>(
        &mut self,
        result: Tensor<S, f32, AutoDevice, GradientTape>,
    ) -> Tensor<S, f32, AutoDevice> {
        let (result, tape) = result.split_tape();
        self.0 = std::mem::take(&mut self.0).merge(tape);
        result
    }
}

/// The number of directions of each point, and all of them, (K B, D): the first of each point, then the second.
pub(super) fn directions(x: &Points, along: Along) -> Result<(usize, Points), Error> {
    let (b, d) = *x.shape();
    if let Along::Directions(given) = along
        && (given.shape().0, given.shape().2) != (b, d)
    {
        let expected = format!("({b}, K, {d}), as the points have,");
        return Err(Error::shape("the directions", given.shape(), expected));
    }
    let k = match along {
        Along::Coordinates => d,
        Along::Directions(given) => given.shape().1,
    };
    let mut values = vec![0.0; k * b * d];
    match along {
        Along::Coordinates => {
            for (row, values) in values.chunks_exact_mut(d).enumerate() {
                values[row / b] = 1.0;
            }
        }
        Along::Directions(given) => {
            let given = crate::tensors::to_vec(given);
            for (row, values) in values.chunks_exact_mut(d).enumerate() {
                values.copy_from_slice(&given[(row % b * k + row / b) * d..][..d]);
            }
        }
    }
    Ok((k, from_vec(x.device(), values, (k * b, d))?))
}

impl Energy for Plain<Mlp> {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        self.0.plain_energy(x)
    }

    fn energy(&self, x: &Points) -> Result<Values, Error> {
        self.0.plain_energy(x.clone())
    }

    fn jets_taped(&self, x: &Points, along: Along) -> Result<Jets, Error> {
        self.0.plain_jets(x, along)
    }

    fn is_tested(&self) -> bool {
        true
    }
}

impl Parameters for Plain<Mlp> {
    fn parameters(&self) -> Vec<(&str, &dyn Parameter)> {
        self.0.parameters()
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut dyn Parameter)> {
        self.0.parameters_mut()
    }
}

/// On a GPU these are the net's own operations; on the CPU they are fused.
#[cfg(feature = "cuda")]
impl Energy for Mlp {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        self.plain_energy(x)
    }

    fn energy(&self, x: &Points) -> Result<Values, Error> {
        self.plain_energy(x.clone())
    }

    fn jets_taped(&self, x: &Points, along: Along) -> Result<Jets, Error> {
        self.plain_jets(x, along)
    }

    fn is_tested(&self) -> bool {
        true
    }
}
