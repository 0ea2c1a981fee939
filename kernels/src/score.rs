//! Losses of a network's first and second derivatives.

use super::block::{Block, Blocks};
use super::formula::Scaled;
use super::lanes::{lanes, share, sum};
use super::network::{Network, check};
use super::scratch::with_scratch;
use crate::Misfit;

/// The loss c Σ_r L(U, v_1 · ∇U, ..., v_K · ∇U, Σ_k v_kᵀ ∇²U v_k) at each row and its exact gradient ∂/∂θ, for a
/// formula L and a scale c.
///
/// `x` is `rows x D`; the directions are `rows x K x D`, or without any the coordinates. The derivatives of every
/// activation along each direction, and the sum of the second ones, are carried forward beside its value:
/// K + 2 numbers instead of one. One ordinary reverse pass over all of them then gives the gradient, which is
/// one list as the parameters and overwritten. Without any row the loss is 0.
///
/// # Errors
/// If a slice's length does not fit, or the result is no energy.
pub fn jet_gradient(
    network: &Network,
    x: &[f32],
    directions: Option<(&[f32], usize)>,
    formula: Scaled,
    gradient: &mut [f32],
) -> Result<f64, Misfit> {
    let rows = network.rows(x)?;
    network.check_energy()?;
    check("the gradient", gradient.len(), network.parameters())?;
    let d = network.dimension();
    let (directions, k) = match directions {
        Some((directions, k)) => {
            check("the directions", directions.len(), rows * k * d)?;
            (Some(directions), k)
        }
        None => (None, d),
    };
    let lanes = lanes(network, rows.saturating_mul(k + 2));
    let jobs = (0..lanes).map(|lane| share(rows, lanes, lane)).collect();
    let program = network.jets();
    Ok(sum(jobs, gradient, |share, gradient| {
        let blocks = Blocks::new(network, program, Some(k), share.len());
        with_scratch(blocks.len, |data| {
            let mut loss = 0.0;
            for first in share.clone().step_by(blocks.rows) {
                let own = first..share.end.min(first + blocks.rows);
                let directions = directions.map(|all| &all[own.start * k * d..own.end * k * d]);
                let mut block = Block::new(network, program, blocks, own.len(), data);
                block.forward(&x[own.start * d..own.end * d], directions, None);
                loss += block.evaluate(formula, first, gradient);
            }
            loss
        })
    }))
}
