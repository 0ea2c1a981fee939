//! From a loss's terms to its value, and to its gradient in an energy's parameters.

use super::parameters::backward;
use super::{Asks, Energy, Jets, Terms, Trainable, checked};
use crate::Error;
use crate::tensors::{DeviceError, GradientTape, from_vec, number, to_vec};
use dfdx::prelude::*;
use std::ops::Range;

/// A loss on a tape: one number, and how it came about.
pub type TapedLoss = Tensor<Rank0, f32, AutoDevice, GradientTape>;

impl Terms<'_> {
    /// The loss of this energy.
    ///
    /// # Errors
    /// If the energy fails.
    pub fn value(&self, energy: &dyn Energy) -> Result<f64, Error> {
        if let Some(value) = energy.value(self)? {
            return Ok(value);
        }
        let points = self.points()?;
        let numbers = match self.asks() {
            Asks::Energies(_) => doubles(&to_vec(&checked::energies(energy, &points)?)),
            _ => joined(&checked::jets(energy, &points, self)?),
        };
        Ok(self.evaluate(&numbers, &mut vec![0.0; numbers.len()]))
    }

    /// The loss of this energy; its gradient in the parameters, one list in the order of
    /// [`Parameters::parameters`](super::Parameters::parameters), replaces what the list holds. By
    /// [`Energy::pull_back`] where the energy knows a quick way, and by dfdx's tape otherwise.
    ///
    /// # Errors
    /// If the energy fails, or the list has another length than the parameters together.
    pub fn gradient(&self, energy: &dyn Trainable, gradient: &mut [f32]) -> Result<f64, Error> {
        if let Some(value) = energy.pull_back(self, gradient)? {
            return Ok(value);
        }
        let (value, loss) = self.on_tape(energy)?;
        backward(loss, &energy.parameters(), gradient)?;
        Ok(value)
    }

    /// The loss of this energy on dfdx's tape, so that further terms may be added before the backward pass.
    ///
    /// # Errors
    /// If the energy fails.
    pub fn taped(&self, energy: &dyn Energy) -> Result<TapedLoss, Error> {
        Ok(self.on_tape(energy)?.1)
    }

    /// The loss's value, and the same on a tape. The tape carries L = Σ c n + (L - Σ c n), with the numbers n and
    /// the loss's slopes c over them: the second part is constant there.
    fn on_tape(&self, energy: &dyn Energy) -> Result<(f64, TapedLoss), Error> {
        let points = self.points()?;
        let device = points.device().clone();
        let (value, weighted) = match self.asks() {
            Asks::Energies(_) => {
                let (energies, tape) = checked::energies_taped(energy, &points)?.split_tape();
                let values = to_vec(&energies);
                let (value, slopes) = evaluate(self, &doubles(&values));
                // An infinite energy that does not count would make its product no number.
                let counts = values.iter().zip(&slopes);
                let lost = counts.clone().any(|(u, c)| *c == 0.0 && !u.is_finite());
                let counts: Vec<bool> = counts.map(|(_, c)| *c != 0.0).collect();
                let shape = (slopes.len(),);
                let slopes = from_vec(&device, slopes, shape)?;
                let weighted = || -> Result<_, DeviceError> {
                    let mut energies = energies.put_tape(tape);
                    if lost {
                        let counts: Tensor<(usize,), bool, AutoDevice> =
                            device.try_tensor_from_vec(counts, shape)?;
                        let zeros: Tensor<(usize,), f32, AutoDevice> =
                            device.try_zeros_like(&shape)?;
                        energies = counts.try_choose(energies, zeros.retaped::<GradientTape>())?;
                    }
                    energies.try_mul(slopes)?.try_sum::<Rank0, _>()
                };
                (value, weighted().map_err(Error::tensor)?)
            }
            _ => {
                let jets = checked::jets(energy, &points, self)?;
                let (value, slopes) = evaluate(self, &joined(&jets));
                let (rows, width) = (self.count(), self.width());
                let part = |range: Range<usize>| -> Vec<f32> {
                    let rows = slopes.chunks_exact(width);
                    rows.flat_map(|row| row[range.clone()].iter().copied())
                        .collect()
                };
                let of_energy = from_vec(&device, part(0..1), (rows,))?;
                let of_slopes = from_vec(&device, part(1..width - 1), (rows, width - 2))?;
                let of_curvature = from_vec(&device, part(width - 1..width), (rows,))?;
                let weighted = || -> Result<_, DeviceError> {
                    let energy = jets
                        .energy
                        .put_tape(jets.tape)
                        .try_mul(of_energy)?
                        .try_sum::<Rank0, _>()?;
                    let slopes = jets.slopes.retaped::<GradientTape>().try_mul(of_slopes)?;
                    let curvature = jets
                        .curvature
                        .retaped::<GradientTape>()
                        .try_mul(of_curvature)?;
                    energy
                        .try_add(slopes.try_sum::<Rank0, _>()?)?
                        .try_add(curvature.try_sum::<Rank0, _>()?)
                };
                (value, weighted().map_err(Error::tensor)?)
            }
        };
        let (sum, tape) = weighted.split_tape();
        let rest = (value - number(&sum)) as f32;
        let loss = sum.put_tape(tape).try_add(rest).map_err(Error::tensor)?;
        Ok((value, loss))
    }
}

fn evaluate(terms: &Terms, numbers: &[f64]) -> (f64, Vec<f32>) {
    let mut slopes = vec![0.0; numbers.len()];
    let value = terms.evaluate(numbers, &mut slopes);
    (
        value,
        slopes.into_iter().map(|slope| slope as f32).collect(),
    )
}

/// U, the slopes and the curvature of each point, one point after the other.
pub(super) fn joined(jets: &Jets) -> Vec<f64> {
    let directions = jets.slopes.shape().1;
    let (energy, slopes, curvature) = (
        to_vec(&jets.energy),
        to_vec(&jets.slopes),
        to_vec(&jets.curvature),
    );
    let rows = energy
        .iter()
        .zip(slopes.chunks_exact(directions))
        .zip(&curvature);
    let numbers = rows.flat_map(|((u, slopes), curvature)| {
        std::iter::once(u)
            .chain(slopes)
            .chain(std::iter::once(curvature))
    });
    numbers.map(|number| f64::from(*number)).collect()
}

pub(super) fn doubles(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}
