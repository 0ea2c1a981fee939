//! Where chains are.

use crate::Error;
use crate::energy::{Energy, checked};
use crate::tensors::{Points, points, to_vec};
use dfdx::shapes::HasShape;

/// Where a batch of chains is: their points, and U and ∇U there as far as a step has asked for them.
///
/// A step that keeps what it knows of a point saves the next one its gradient.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::sample::State;
///
/// let p = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?;
/// let mut state = State::at(&points(vec![2.0], (1, 1))?);
/// assert_eq!(state.slopes(&p)?, [2.0]);
/// state.go_to(vec![3.0]);
/// assert_eq!(state.slopes(&p)?, [3.0]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct State {
    rows: Vec<f32>,
    shape: (usize, usize),
    known: Option<Known>,
}

/// U and ∇U of each point.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    energies: Vec<f32>,
    slopes: Vec<f32>,
}

impl State {
    /// Chains that begin at these points, `(B, D)`.
    pub fn at(x: &Points) -> Self {
        Self {
            rows: to_vec(x),
            shape: *x.shape(),
            known: None,
        }
    }

    /// B and D.
    pub fn shape(&self) -> (usize, usize) {
        self.shape
    }

    /// The points, row after row.
    pub fn rows(&self) -> &[f32] {
        &self.rows
    }

    /// The points, `(B, D)`.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub fn x(&self) -> Result<Points, Error> {
        points(self.rows.clone(), self.shape)
    }

    /// U of each point.
    ///
    /// # Errors
    /// If the energy fails.
    pub fn energies(&mut self, energy: &dyn Energy) -> Result<&[f32], Error> {
        Ok(&self.known(energy)?.energies)
    }

    /// ∇U of each point, row after row.
    ///
    /// # Errors
    /// If the energy fails.
    pub fn slopes(&mut self, energy: &dyn Energy) -> Result<&[f32], Error> {
        Ok(&self.known(energy)?.slopes)
    }

    fn known(&mut self, energy: &dyn Energy) -> Result<&Known, Error> {
        let known = match self.known.take() {
            Some(known) => known,
            None => {
                let (energies, slopes) = checked::gradient(energy, &self.x()?)?;
                Known {
                    energies: to_vec(&energies),
                    slopes: to_vec(&slopes),
                }
            }
        };
        Ok(self.known.insert(known))
    }

    /// Moves all points, of which nothing is known then. As many numbers as the points have: with others, the
    /// next thing that is asked of the state is an error.
    pub fn go_to(&mut self, rows: Vec<f32>) {
        self.rows = rows;
        self.known = None;
    }

    /// Moves the points that `takes` names to where the other state has them, with what is known of both.
    pub fn take_from(&mut self, other: &State, takes: &[bool]) {
        let d = self.shape.1;
        take(&mut self.rows, &other.rows, takes, d);
        self.known = match (self.known.take(), &other.known) {
            (Some(mut known), Some(from)) => {
                take(&mut known.energies, &from.energies, takes, 1);
                take(&mut known.slopes, &from.slopes, takes, d);
                Some(known)
            }
            _ => None,
        };
    }
}

/// Takes rows of `d` numbers from another list.
fn take(to: &mut [f32], from: &[f32], takes: &[bool], d: usize) {
    let rows = to
        .chunks_exact_mut(d.max(1))
        .zip(from.chunks_exact(d.max(1)));
    for ((to, from), _) in rows.zip(takes).filter(|(_, takes)| **takes) {
        to.copy_from_slice(from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::energy::GaussianMixture;

    #[test]
    fn lists_of_other_lengths_are_errors_and_no_panics() {
        let p = GaussianMixture::new(&[1.0], &[[0.0, 0.0]], &[1.0]).unwrap();
        let mut state = State::at(&points(vec![1.0, 2.0, 3.0, 4.0], (2, 2)).unwrap());
        let mut short = state.clone();
        short.go_to(vec![0.0]);
        assert!(short.x().is_err() && short.slopes(&p).is_err());
        state.take_from(&short, &[true; 7]);
        assert_eq!(state.rows(), [1.0, 2.0, 3.0, 4.0]);
        let mut other = state.clone();
        other.go_to(vec![5.0; 4]);
        let _ = (state.energies(&p).unwrap(), other.energies(&p).unwrap());
        state.take_from(&other, &[false, true]);
        assert_eq!(state.rows(), [1.0, 2.0, 5.0, 5.0]);
        assert_eq!(state.slopes(&p).unwrap(), [1.0, 2.0, 5.0, 5.0]);
    }
}
