//! The energy of latent variables: a net on top of a standard normal density.

use super::{Along, Asks, Energy, Jets, Mlp, Naming, Parameter, Parameters, Terms};
use crate::tensors::{
    DeviceError, GradientTape, Points, TapedPoints, TapedValues, Values, from_f64, from_vec,
    normal_points, to_vec,
};
use crate::{Error, Rng};
use dfdx::prelude::*;
use std::ops::Range;

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
pub struct LatentPrior {
    net: Mlp,
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
        normal_points(n, self.net.widths()[0], rng)
    }

    /// Any net in f's place.
    pub fn tilted_by(net: Mlp) -> Self {
        Self { net }
    }

    /// f.
    pub fn net(&self) -> &Mlp {
        &self.net
    }
}

impl Energy for LatentPrior {
    fn energy_taped(&self, z: TapedPoints) -> Result<TapedValues, Error> {
        taped(&self.net, z)
    }

    fn energy(&self, z: &Points) -> Result<Values, Error> {
        energies(&self.net, z)
    }

    fn gradient(&self, z: &Points) -> Result<(Values, Points), Error> {
        slopes(&self.net, z)
    }

    fn jets_taped(&self, z: &Points, along: Along) -> Result<Jets, Error> {
        let Jets {
            energy,
            slopes,
            curvature,
            tape,
        } = self.net.jets_taped(z, along)?;
        let (b, k) = *slopes.shape();
        let directions = match along {
            Along::Coordinates => None,
            Along::Directions(directions) => Some(to_vec(directions)),
        };
        let mut halves = vec![0.0; b * (k + 2)];
        for (i, jet) in halves.chunks_exact_mut(k + 2).enumerate() {
            add_jet(i, &to_vec(z), z.shape().1, directions.as_deref(), jet);
        }
        let part = |at: Range<usize>| {
            let rows = halves.chunks_exact(k + 2);
            rows.flat_map(move |row| row[at.clone()].iter().copied())
        };
        let device = z.device();
        let half = from_f64(device, part(0..1), (b,))?;
        let half_slopes = from_f64(device, part(1..k + 1), (b, k))?;
        let half_curvature = from_f64(device, part(k + 1..k + 2), (b,))?;
        let sum = || -> Result<_, DeviceError> {
            let (energy, tape) = energy.put_tape(tape).try_add(half)?.split_tape();
            let (slopes, tape) = slopes.put_tape(tape).try_add(half_slopes)?.split_tape();
            let (curvature, tape) = curvature
                .put_tape(tape)
                .try_add(half_curvature)?
                .split_tape();
            Ok(Jets {
                energy,
                slopes,
                curvature,
                tape,
            })
        };
        sum().map_err(Error::tensor)
    }

    fn pull_back(&self, terms: &Terms, gradient: &mut [f32]) -> Result<Option<f64>, Error> {
        let add = |i: usize, numbers: &mut [f64]| add_half(terms, i, numbers);
        self.net.pull_back(&terms.plus(add), gradient)
    }

    fn value(&self, terms: &Terms) -> Result<Option<f64>, Error> {
        let add = |i: usize, numbers: &mut [f64]| add_half(terms, i, numbers);
        self.net.value(&terms.plus(add))
    }

    fn frozen(&self) -> Option<Box<dyn Energy>> {
        Some(Box::new(Frozen(self.net.frozen()?)))
    }

    fn is_tested(&self) -> bool {
        true
    }
}

impl Parameters for LatentPrior {
    fn parameters(&self) -> Vec<(&str, &dyn Parameter)> {
        self.net.parameters()
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut dyn Parameter)> {
        self.net.parameters_mut()
    }
}

/// The prior with its net's weights as they were.
struct Frozen(Box<dyn Energy>);

impl Energy for Frozen {
    fn energy_taped(&self, z: TapedPoints) -> Result<TapedValues, Error> {
        taped(&*self.0, z)
    }

    fn energy(&self, z: &Points) -> Result<Values, Error> {
        energies(&*self.0, z)
    }

    fn gradient(&self, z: &Points) -> Result<(Values, Points), Error> {
        slopes(&*self.0, z)
    }

    fn is_tested(&self) -> bool {
        true
    }
}

fn taped(net: &dyn Energy, z: TapedPoints) -> Result<TapedValues, Error> {
    let half = || {
        z.retaped::<GradientTape>()
            .try_square()?
            .try_sum::<_, Axis<1>>()?
            .try_mul(0.5)
    };
    let half = half().map_err(Error::tensor)?;
    net.energy_taped(z)?.try_add(half).map_err(Error::tensor)
}

fn energies(net: &dyn Energy, z: &Points) -> Result<Values, Error> {
    let tilt = to_vec(&net.energy(z)?);
    with_halves(z, tilt)
}

fn slopes(net: &dyn Energy, z: &Points) -> Result<(Values, Points), Error> {
    let (tilt, slope) = net.gradient(z)?;
    let mut slopes = to_vec(&slope);
    slopes
        .iter_mut()
        .zip(to_vec(z))
        .for_each(|(slope, z)| *slope += z);
    Ok((
        with_halves(z, to_vec(&tilt))?,
        from_vec(z.device(), slopes, *z.shape())?,
    ))
}

/// |z|²/2 of each row beside what the net says of it.
fn with_halves(z: &Points, mut tilt: Vec<f32>) -> Result<Values, Error> {
    let rows = to_vec(z);
    for (tilt, z) in tilt.iter_mut().zip(rows.chunks_exact(z.shape().1.max(1))) {
        *tilt += 0.5 * z.iter().map(|z| z * z).sum::<f32>();
    }
    let count = (tilt.len(),);
    from_vec(z.device(), tilt, count)
}

/// |z|²/2, or its jet, in the numbers of one term.
fn add_half(terms: &Terms, i: usize, numbers: &mut [f64]) {
    let (rows, d) = (terms.rows(), terms.dimension());
    match terms.asks() {
        Asks::Energies(group) => {
            let rows = rows[i * group * d..].chunks_exact(d);
            for (number, z) in numbers.iter_mut().zip(rows) {
                *number += 0.5 * dot(z, z);
            }
        }
        Asks::Jets => add_jet(i, rows, d, None, numbers),
        Asks::JetsAlong(directions, _) => add_jet(i, rows, d, Some(directions), numbers),
    }
}

/// |z|²/2, v · z for each direction, and Σ|v|² of point i.
fn add_jet(i: usize, rows: &[f32], d: usize, directions: Option<&[f32]>, jet: &mut [f64]) {
    let z = &rows[i * d..(i + 1) * d];
    let k = jet.len() - 2;
    jet[0] += 0.5 * dot(z, z);
    let curvature = match directions {
        None => {
            jet[1..]
                .iter_mut()
                .zip(z)
                .for_each(|(slope, z)| *slope += f64::from(*z));
            d as f64
        }
        Some(directions) => {
            let own = &directions[i * k * d..(i + 1) * k * d];
            let each = jet[1..].iter_mut().zip(own.chunks_exact(d));
            each.for_each(|(slope, v)| *slope += dot(v, z));
            dot(own, own)
        }
    };
    jet[k + 1] += curvature;
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| f64::from(*a) * f64::from(*b))
        .sum()
}
