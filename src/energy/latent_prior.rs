//! The energy of latent variables: a net on top of a standard normal density.

use super::{
    Energy, Mlp, Naming, Parameter, Parameters, Points, TapedPoints, TapedValues, Values,
    for_each_backend, scalar,
};
use crate::backend::{Backend, Number, device, read};
use crate::{Error, Rng};
use dfdx::prelude::*;

/// U(z) = f(z) + |z|²/2: a net f that tilts the standard normal density.
///
/// The prior of a latent energy-based model (Pang et al., NeurIPS 2020). With f = 0 it is N(0, I), and
/// far out, where f grows linearly, |z|² keeps exp(-U) integrable.
///
/// # Examples
/// The prior of the paper's MNIST experiment:
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::dfdx::prelude::*;
///
/// let prior = LatentPrior::new(64, 200, 0)?;
/// assert_eq!(prior.flat_parameters().len(), 93_601);
/// let z: Points = device()?.ones_like(&(1, 64));
/// let tilt = prior.net().energy(&z)?.as_vec()[0];
/// assert_eq!(prior.energy(&z)?.as_vec(), [tilt + 32.0]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LatentPrior<E: Dtype = f32, Dev: Device<E> = AutoDevice> {
    net: Mlp<E, Dev>,
}

impl LatentPrior {
    /// A prior over `latent` dimensions whose net has three hidden layers of this width and leaky
    /// ReLU of slope 0.2. Its parameters are named `ebm.0.weight`, `ebm.0.bias`, `ebm.2.weight` ...
    ///
    /// # Errors
    /// If a number is 0.
    pub fn new(latent: usize, width: usize, seed: u64) -> Result<Self, Error> {
        let widths = [latent, width, width, width, 1];
        let net = Mlp::leaky_relu(&widths, 0.2, seed)?;
        Ok(Self::tilted_by(net.named(Naming::Sequential("ebm"))))
    }

    /// `n` points of N(0, I), `(n, L)`: where chains to the prior begin, and what it would be with f = 0.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub fn normal(&self, n: usize, rng: &mut Rng) -> Result<Points, Error> {
        let shape = (n, self.net.widths()[0]);
        let values = f32::normals(n * shape.1, rng);
        let points = device()?.try_tensor_from_vec(values, shape);
        points.map_err(Error::tensor)
    }

    /// Any net in f's place.
    pub fn tilted_by(net: Mlp) -> Self {
        Self { net }
    }
}

impl<E: Number, Dev: Backend<E>> LatentPrior<E, Dev> {
    /// f.
    pub fn net(&self) -> &Mlp<E, Dev> {
        &self.net
    }

    /// The same prior with another number type, or on another device.
    ///
    /// # Errors
    /// If the device has no memory left.
    pub fn cast<F: Number, To: Backend<F>>(
        &self,
        device: &To,
    ) -> Result<LatentPrior<F, To>, Error> {
        Ok(LatentPrior {
            net: self.net.cast(device)?,
        })
    }
}

/// |z|²/2 of each row.
fn half_squares<E: Number>(z: &[E], dimension: usize) -> impl Iterator<Item = E> {
    let half = scalar::<E>(0.5);
    let rows = z.chunks_exact(dimension.max(1));
    rows.map(move |row| {
        let square = row.iter().fold(E::default(), |sum, z| sum + *z * *z);
        half * square
    })
}

macro_rules! implement {
    ($E:ty, $Dev:ty) => {
        impl Energy<$E, $Dev> for LatentPrior<$E, $Dev> {
            fn energy_taped(
                &self,
                z: TapedPoints<$E, $Dev>,
            ) -> Result<TapedValues<$E, $Dev>, Error> {
                let (z, tape) = z.split_tape();
                let tilt = self.net.energy_taped(z.clone().put_tape(tape))?;
                let (tilt, tape) = tilt.split_tape();
                let sum = || {
                    z.put_tape(tape)
                        .try_square()?
                        .try_sum::<_, Axis<1>>()?
                        .try_mul(0.5)?
                        .try_add(tilt)
                };
                sum().map_err(Error::tensor)
            }

            fn energy(&self, z: &Points<$E, $Dev>) -> Result<Values<$E, $Dev>, Error> {
                let mut total = read(&self.net.energy(z)?);
                let halves = half_squares(&read(z), z.shape().1).collect::<Vec<_>>();
                total
                    .iter_mut()
                    .zip(halves)
                    .for_each(|(total, half)| *total += half);
                let rows = (total.len(),);
                z.device()
                    .try_tensor_from_vec(total, rows)
                    .map_err(Error::tensor)
            }

            fn gradient(
                &self,
                z: &Points<$E, $Dev>,
            ) -> Result<(Values<$E, $Dev>, Points<$E, $Dev>), Error> {
                let (tilt, slope) = self.net.gradient(z)?;
                let sum = || -> Result<_, <$Dev as HasErr>::Err> {
                    let half = z
                        .clone()
                        .try_square()?
                        .try_sum::<_, Axis<1>>()?
                        .try_mul(0.5)?;
                    Ok((half.try_add(tilt)?, slope.try_add(z.clone())?))
                };
                sum().map_err(Error::tensor)
            }

            fn is_tested(&self) -> bool {
                true
            }
        }

        impl Parameters<$E, $Dev> for LatentPrior<$E, $Dev> {
            fn parameters(&self) -> Vec<(String, &dyn Parameter<$E, $Dev>)> {
                self.net.parameters()
            }

            fn parameters_mut(&mut self) -> Vec<(String, &mut dyn Parameter<$E, $Dev>)> {
                self.net.parameters_mut()
            }
        }
    };
}
for_each_backend!(implement);
