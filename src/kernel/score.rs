//! Exact score matching: a network's first and second derivatives, and the loss's gradient.

use super::jet_block::{JetBlock, JetBlocks};
#[cfg(test)]
use super::lanes::each;
use super::lanes::{lanes, share, sum};
use super::network::{Network, check};
use super::scratch::with_scratch;
use crate::Error;

/// The loss 1/N Σ_r (½ |∇U(x_r)|² - ΔU(x_r)) and its exact gradient ∂/∂θ.
///
/// The derivatives of every activation along each coordinate, and their Laplacian, are
/// carried forward beside its value: D + 2 numbers instead of one. One ordinary reverse pass over
/// all of them then gives the gradient, which is flat in the order W_1, b_1, W_2, b_2, ... and
/// overwritten. Without any row the loss is 0.
///
/// # Errors
/// If a slice's length does not fit.
pub(crate) fn score_matching(
    network: &Network,
    x: &[f32],
    gradient: &mut [f32],
) -> Result<f64, Error> {
    let rows = network.rows(x)?;
    check("the gradient", gradient.len(), network.parameters())?;
    let d = network.dimension();
    let scale = 1.0 / rows.max(1) as f64;
    let lanes = lanes(network, rows.saturating_mul(d + 2));
    let jobs = (0..lanes).map(|lane| share(rows, lanes, lane));
    let jobs = jobs
        .map(|share| &x[share.start * d..share.end * d])
        .collect();
    let total = sum(jobs, gradient, |x: &[f32], gradient| {
        let blocks = JetBlocks::new(network, x.len() / d);
        with_scratch(blocks.len, |data| {
            let mut loss = 0.0;
            for x in x.chunks(blocks.rows * d) {
                let mut block = JetBlock::new(network, blocks, x.len() / d, data);
                let top = block.forward(x);
                let squares = top.derivatives().flatten();
                loss += 0.5 * squares.map(|u| f64::from(u * u)).sum::<f64>();
                loss -= top.laplacian.iter().copied().map(f64::from).sum::<f64>();
                block.backward(scale as f32, gradient);
            }
            loss
        })
    });
    Ok(total * scale)
}

/// U (`rows`), ∇U (`rows x D`) and ΔU (`rows`) of each row of `x` (`rows x D`): what the loss above
/// sees, for the tests.
///
/// # Errors
/// If a slice's length does not fit.
#[cfg(test)]
pub(crate) fn derivatives(
    network: &Network,
    x: &[f32],
    energies: &mut [f32],
    gradients: &mut [f32],
    laplacians: &mut [f32],
) -> Result<(), Error> {
    let rows = network.rows(x)?;
    check("energies", energies.len(), rows)?;
    check("the gradients", gradients.len(), x.len())?;
    check("the Laplacians", laplacians.len(), rows)?;
    let d = network.dimension();
    let blocks = JetBlocks::new(network, rows.min(64));
    let outputs = energies
        .chunks_mut(blocks.rows)
        .zip(laplacians.chunks_mut(blocks.rows));
    let width = blocks.rows * d;
    let jobs = x
        .chunks(width)
        .zip(gradients.chunks_mut(width))
        .zip(outputs);
    each(jobs, |((x, gradients), (energies, laplacians))| {
        with_scratch(blocks.len, |data| {
            let mut block = JetBlock::new(network, blocks, energies.len(), data);
            let top = block.forward(x);
            energies.copy_from_slice(top.energies);
            laplacians.copy_from_slice(top.laplacian);
            for (i, derivatives) in top.derivatives().enumerate() {
                for (to, from) in gradients.chunks_exact_mut(d).zip(derivatives) {
                    to[i] = *from;
                }
            }
        });
    });
    Ok(())
}
