//! What chains move along between a normal density and exp(-U).

use super::State;
use crate::Error;
use crate::energy::Energy;
use crate::tensors::{Points, to_vec};
use dfdx::shapes::HasShape;

/// A normal density with independent coordinates.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Normal {
    pub(crate) means: Vec<f64>,
    pub(crate) stds: Vec<f64>,
}

impl Normal {
    /// With the means and standard deviations of some points, `(N, D)`.
    pub(crate) fn fitted(x: &Points) -> Result<Self, Error> {
        let (rows, d) = *x.shape();
        if rows < 2 || d == 0 {
            let expected = "at least two points, of at least one coordinate";
            return Err(Error::shape("x", x.shape(), expected));
        }
        let (mut means, mut squares) = (vec![0.0; d], vec![0.0; d]);
        let values = to_vec(x);
        for (i, value) in values.iter().enumerate() {
            means[i % d] += f64::from(*value) / rows as f64;
        }
        for (i, value) in values.iter().enumerate() {
            squares[i % d] += (f64::from(*value) - means[i % d]).powi(2) / (rows - 1) as f64;
        }
        let stds: Vec<f64> = squares.into_iter().map(f64::sqrt).collect();
        let strange = |std: &f64| !(*std > 0.0 && std.is_finite());
        if let Some(column) = stds.iter().position(strange) {
            let reason = format!(
                "coordinate {column} has a standard deviation of {}: a normal density needs one that is positive and finite",
                stds[column]
            );
            return Err(Error::Data(reason));
        }
        Ok(Self { means, stds })
    }

    /// -ln of the density at each point.
    pub(crate) fn energies(&self, rows: &[f32]) -> Vec<f64> {
        let half = 0.5 * (2.0 * std::f64::consts::PI).ln();
        let constant: f64 = self.stds.iter().map(|std| std.ln() + half).sum();
        let each = rows.chunks_exact(self.means.len());
        let square = |row: &[f32]| {
            let scores = row.iter().zip(&self.means).zip(&self.stds);
            let squares = scores.map(|((x, mean), std)| ((f64::from(*x) - mean) / std).powi(2));
            constant + 0.5 * squares.sum::<f64>()
        };
        each.map(square).collect()
    }
}

/// β U + (1 - β) U_0, with U_0 of a normal density; U alone without one.
#[derive(Clone, Copy)]
pub(crate) struct Tempered<'a> {
    pub(crate) energy: &'a dyn Energy,
    pub(crate) base: Option<(&'a Normal, f64)>,
}

impl Tempered<'_> {
    /// At each point.
    pub(super) fn energies(&self, state: &mut State) -> Result<Vec<f64>, Error> {
        let base = self
            .base
            .map(|(base, beta)| (base.energies(state.rows()), beta));
        let own = state.energies(self.energy)?.iter().map(|u| f64::from(*u));
        Ok(match base {
            None => own.collect(),
            Some((base, beta)) => own
                .zip(base)
                .map(|(own, base)| beta * own + (1.0 - beta) * base)
                .collect(),
        })
    }

    /// Its slopes at each point.
    pub(super) fn slopes(&self, state: &mut State) -> Result<Vec<f32>, Error> {
        let mut slopes = state.slopes(self.energy)?.to_vec();
        if let Some((base, beta)) = self.base {
            let coordinates = base.means.iter().zip(&base.stds).cycle();
            let each = slopes.iter_mut().zip(state.rows()).zip(coordinates);
            for ((slope, x), (mean, std)) in each {
                let own = (f64::from(*x) - mean) / (std * std);
                *slope = (beta * f64::from(*slope) + (1.0 - beta) * own) as f32;
            }
        }
        Ok(slopes)
    }
}
