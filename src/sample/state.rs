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

    /// Moves all points, of which nothing is known then. As many numbers as the points have.
    pub fn go_to(&mut self, rows: Vec<f32>) {
        debug_assert_eq!(rows.len(), self.rows.len());
        self.rows = rows;
        self.known = None;
    }

    /// Moves the points that `takes` names to where the other state has them, with what is known of both.
    pub fn take_from(&mut self, other: &State, takes: &[bool]) {
        let d = self.shape.1;
        let both = self.known.as_mut().zip(other.known.as_ref());
        let moved = || {
            takes
                .iter()
                .enumerate()
                .filter(|(_, takes)| **takes)
                .map(|(i, _)| i)
        };
        for i in moved() {
            self.rows[i * d..(i + 1) * d].copy_from_slice(&other.rows[i * d..(i + 1) * d]);
        }
        match both {
            Some((known, from)) => {
                for i in moved() {
                    known.energies[i] = from.energies[i];
                    known.slopes[i * d..(i + 1) * d]
                        .copy_from_slice(&from.slopes[i * d..(i + 1) * d]);
                }
            }
            None => self.known = None,
        }
    }
}
