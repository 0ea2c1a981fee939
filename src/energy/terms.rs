//! What a loss asks of an energy, and its formula on the numbers that it gets.

use crate::tensors::{Points, points};
use crate::{Error, kernel};
use std::fmt;

/// A loss on one batch: at which points it asks for what of an energy, and its formula on these numbers.
///
/// The loss is the mean over its terms, L = 1/T Σ_i ℓ_i, where ℓ_i is a function of some numbers: the
/// energies of a group of points ([`Terms::of_energies`]), or an energy with its derivatives at one point
/// ([`Terms::of_jets`], [`Terms::of_jets_along`]). The formula gets the number i of the term and the numbers,
/// returns ℓ_i and writes ∂ℓ_i over each number, all in double precision. It knows nothing of the energy,
/// which carries these slopes back to its parameters, by dfdx's tape or quicker.
///
/// # Examples
/// Two points with energies 1 and 3, as one term ℓ = (U_0 - U_1)²:
/// ```
/// use energy_discrepancy::energy::Terms;
/// # use energy_discrepancy::Error;
///
/// let square = |_: usize, u: &[f64], slope: &mut [f64]| {
///     let difference = u[0] - u[1];
///     slope.copy_from_slice(&[2.0 * difference, -2.0 * difference]);
///     difference * difference
/// };
/// let terms = Terms::of_energies(vec![0.0, 0.5], 1, 2, square)?;
/// let mut slopes = [0.0; 2];
/// assert_eq!(terms.evaluate(&[1.0, 3.0], &mut slopes), 4.0);
/// assert_eq!(slopes, [-4.0, 4.0]);
/// # Ok::<(), Error>(())
/// ```
pub struct Terms<'a> {
    rows: Vec<f32>,
    dimension: usize,
    asks: Asks,
    formula: Box<kernel::Formula<'a>>,
}

/// What is asked of an energy at the points.
#[derive(Clone, Debug, PartialEq)]
pub enum Asks {
    /// U, of groups of so many points.
    Energies(usize),
    /// A jet of each point along each coordinate: U, ∂U/∂x_1, ..., ∂U/∂x_D, ΔU.
    Jets,
    /// A jet of each point along K directions v: U, v_1 · ∇U, ..., v_K · ∇U, Σ_k v_kᵀ (∇²U) v_k. The directions
    /// are `(B, K, D)`, row after row.
    JetsAlong(Vec<f32>, usize),
}

impl<'a> Terms<'a> {
    /// A loss of the energies of groups of `group` points each; the points are `(T · group, D)`, row after row.
    ///
    /// # Errors
    /// If there is no point, or they are no whole number of groups.
    pub fn of_energies(
        rows: Vec<f32>,
        dimension: usize,
        group: usize,
        formula: impl Fn(usize, &[f64], &mut [f64]) -> f64 + Sync + 'a,
    ) -> Result<Self, Error> {
        let count = count(&rows, dimension)?;
        if group == 0 || !count.is_multiple_of(group) {
            let expected = format!("groups of {group} points");
            return Err(Error::shape("the points", (count, dimension), expected));
        }
        Ok(Self {
            rows,
            dimension,
            asks: Asks::Energies(group),
            formula: Box::new(one_by_one(group, formula)),
        })
    }

    /// The same with a formula that takes several groups at once: the number of the first, their energies one
    /// group after the other; it returns the sum over them. For formulae that vector units can speed up.
    ///
    /// # Errors
    /// As [`Terms::of_energies`].
    pub fn of_energies_together(
        rows: Vec<f32>,
        dimension: usize,
        group: usize,
        formula: impl Fn(usize, &[f64], &mut [f64]) -> f64 + Sync + 'a,
    ) -> Result<Self, Error> {
        let terms = Self::of_energies(rows, dimension, group, |_, _, _| 0.0)?;
        let formula = Box::new(formula);
        Ok(Self { formula, ..terms })
    }

    /// A loss of U, ∇U and ΔU at each point, `(T, D)`; the formula's D + 2 numbers are in that order.
    ///
    /// # Errors
    /// If there is no point.
    pub fn of_jets(
        rows: Vec<f32>,
        dimension: usize,
        formula: impl Fn(usize, &[f64], &mut [f64]) -> f64 + Sync + 'a,
    ) -> Result<Self, Error> {
        count(&rows, dimension)?;
        Ok(Self {
            rows,
            dimension,
            asks: Asks::Jets,
            formula: Box::new(one_by_one(dimension + 2, formula)),
        })
    }

    /// A loss of U, its slopes along K directions and the sum of its second derivatives along them, at each
    /// point, `(T, D)`; the directions are `(T, K, D)`. The formula's K + 2 numbers are in that order.
    ///
    /// # Errors
    /// If there is no point, or the directions are not K for each.
    pub fn of_jets_along(
        rows: Vec<f32>,
        dimension: usize,
        directions: Vec<f32>,
        formula: impl Fn(usize, &[f64], &mut [f64]) -> f64 + Sync + 'a,
    ) -> Result<Self, Error> {
        count(&rows, dimension)?;
        if directions.is_empty() || !directions.len().is_multiple_of(rows.len()) {
            let expected = format!("K times the {} numbers of the points", rows.len());
            return Err(Error::shape("the directions", directions.len(), expected));
        }
        let count = directions.len() / rows.len();
        Ok(Self {
            rows,
            dimension,
            asks: Asks::JetsAlong(directions, count),
            formula: Box::new(one_by_one(count + 2, formula)),
        })
    }

    /// The same loss of what an energy has above these numbers, `(T, width)`: for energies that are sums, of which one part
    /// is known.
    ///
    /// # Errors
    /// If there are more or fewer numbers.
    pub fn above<'b>(&'b self, numbers: &'b [f64]) -> Result<Terms<'b>, Error> {
        let width = self.width();
        if numbers.len() != self.count() * width {
            let expected = format!("{} terms of {width}", self.count());
            return Err(Error::shape("the numbers below", numbers.len(), expected));
        }
        let formula = move |first: usize, own: &[f64], slopes: &mut [f64]| {
            let below = &numbers[first * width..];
            let sums: Vec<f64> = own.iter().zip(below).map(|(a, b)| a + b).collect();
            (self.formula)(first, &sums, slopes)
        };
        Ok(Terms {
            rows: self.rows.clone(),
            dimension: self.dimension,
            asks: self.asks.clone(),
            formula: Box::new(formula),
        })
    }

    /// What is asked at the points.
    pub fn asks(&self) -> &Asks {
        &self.asks
    }

    /// All points, row after row.
    pub fn rows(&self) -> &[f32] {
        &self.rows
    }

    /// All points, `(B, D)`.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub fn points(&self) -> Result<Points, Error> {
        let shape = (self.rows.len() / self.dimension, self.dimension);
        points(self.rows.to_vec(), shape)
    }

    /// D.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// How many numbers the formula gets for a term.
    pub fn width(&self) -> usize {
        match &self.asks {
            Asks::Energies(group) => *group,
            Asks::Jets => self.dimension + 2,
            Asks::JetsAlong(_, directions) => directions + 2,
        }
    }

    /// T, the number of terms.
    pub fn count(&self) -> usize {
        let points = self.rows.len() / self.dimension;
        match &self.asks {
            Asks::Energies(group) => points / group,
            Asks::Jets | Asks::JetsAlong(..) => points,
        }
    }

    /// The sum over some terms: `(the number of the first, their numbers, their slopes, to be written)`.
    pub fn formula(&self) -> &kernel::Formula<'a> {
        &*self.formula
    }

    /// The loss, from the numbers of all terms, `(T, width)`; its derivative over each replaces `slopes`.
    pub fn evaluate(&self, numbers: &[f64], slopes: &mut [f64]) -> f64 {
        let scale = 1.0 / self.count() as f64;
        let total = (self.formula)(0, numbers, slopes);
        slopes.iter_mut().for_each(|slope| *slope *= scale);
        total * scale
    }
}

/// A formula of one term, for several.
fn one_by_one<'a>(
    width: usize,
    formula: impl Fn(usize, &[f64], &mut [f64]) -> f64 + Sync + 'a,
) -> impl Fn(usize, &[f64], &mut [f64]) -> f64 + Sync + 'a {
    move |first, numbers, slopes| {
        let terms = numbers
            .chunks_exact(width)
            .zip(slopes.chunks_exact_mut(width));
        let each = terms.enumerate();
        each.map(|(i, (numbers, slopes))| formula(first + i, numbers, slopes))
            .sum()
    }
}

fn count(rows: &[f32], dimension: usize) -> Result<usize, Error> {
    if dimension == 0 || rows.is_empty() || !rows.len().is_multiple_of(dimension) {
        let expected = format!("at least one point of {dimension} coordinates, which are not 0,");
        return Err(Error::shape("the points", rows.len(), expected));
    }
    Ok(rows.len() / dimension)
}

impl fmt::Debug for Terms<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, width) = (self.count(), self.width());
        write!(f, "{count} terms of {width} numbers each")
    }
}
