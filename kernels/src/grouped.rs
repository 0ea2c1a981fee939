//! The gradient of a loss that sees the energies of a group of rows together.

use super::block::{Block, Blocks, Gradients};
use super::formula::{Scaled, evaluate};
use super::gradient::{backward, results};
use super::lanes::{each, lanes, share, sum};
use super::network::{Network, check};
use super::program::Program;
use super::prune::{counting, gather};
use super::scratch::with_scratch;
use crate::Misfit;

/// Rows whose activations are kept at once if groups are small.
const CHUNK: usize = 512;
/// Numbers that are kept at once then, at most (4 MB): they come back from the cache that all cores have.
const KEPT: usize = 1 << 20;
/// The activations of a group of more rows than that are not kept but computed a second time, by
/// all threads.
const LARGE_GROUP: usize = 2048;

/// The loss c Σ_groups L(U(x_1), ..., U(x_group)) and its gradient ∂/∂θ, for a formula L and a scale c.
///
/// `x` is `(groups, group, D)`, the gradient is flat in one list as the parameters and
/// overwritten. Some whole groups at a time go forward, through the formula and backward at
/// once, while their activations are in the cache; so little memory is needed for any number
/// of groups.
///
/// # Errors
/// If a slice's length does not fit, or the result is no energy.
pub fn group_gradient(
    network: &Network,
    x: &[f32],
    group: usize,
    formula: Scaled,
    gradient: &mut [f32],
) -> Result<f64, Misfit> {
    let rows = network.rows(x)?;
    network.check_energy()?;
    check("the gradient", gradient.len(), network.parameters())?;
    if group == 0 || !rows.is_multiple_of(group) {
        let expected = format!("a multiple of the group size {group} that is not 0");
        return Err(Misfit::new("x", (rows, network.dimension()), expected));
    }
    if group > LARGE_GROUP {
        return large(network, x, group, formula, gradient);
    }
    let groups = rows / group;
    let lanes = lanes(network, rows).min(groups.max(1));
    let jobs = (0..lanes).map(|lane| share(groups, lanes, lane)).collect();
    let program = network.program(false, true);
    let most = CHUNK.min(KEPT / program.features.max(1));
    let most = (most / group).max(1);
    Ok(sum(jobs, gradient, |groups, gradient| {
        let size = groups
            .len()
            .div_ceil(groups.len().div_ceil(most).max(1))
            .max(1);
        let chunk = Chunk {
            network,
            program,
            group,
            blocks: Blocks::new(network, program, None, size * group),
        };
        with_scratch(chunk.len(size * group), |data| {
            let mut loss = 0.0;
            for first in groups.clone().step_by(size) {
                let x = &x[first * chunk.width()..groups.end.min(first + size) * chunk.width()];
                loss += chunk.gradient(x, first, formula, gradient, data);
            }
            loss
        })
    }))
}

/// Some whole groups whose activations are kept at once.
struct Chunk<'a> {
    network: &'a Network<'a>,
    program: &'a Program,
    group: usize,
    blocks: Blocks,
}

impl Chunk<'_> {
    /// Numbers in one group's points.
    fn width(&self) -> usize {
        self.group * self.network.dimension()
    }

    /// Numbers of memory for so many rows.
    fn len(&self, rows: usize) -> usize {
        self.blocks.count(rows) * self.blocks.len + 2 * rows
    }

    fn gradient(
        &self,
        x: &[f32],
        first: usize,
        formula: Scaled,
        gradient: &mut [f32],
        data: &mut [f32],
    ) -> f64 {
        let Self {
            network,
            program,
            blocks,
            ..
        } = *self;
        let rows = x.len() / network.dimension();
        let (data, ends) = data.split_at_mut(blocks.count(rows) * blocks.len);
        let (energies, cotangent) = ends[..2 * rows].split_at_mut(rows);
        let parts = x.chunks(blocks.rows * network.dimension());
        let parts = parts.zip(energies.chunks_mut(blocks.rows));
        for ((x, energies), data) in parts.zip(data.chunks_exact_mut(blocks.len)) {
            let mut block = Block::new(network, program, blocks, energies.len(), data);
            block.forward(x, None, Some(energies));
        }
        let loss = evaluate(formula, first, energies, cotangent);
        // Where more than half count little would be saved, and moving them is not free.
        let kept = match counting(cotangent, rows / 2) {
            None => rows,
            Some(kept) => {
                blocks.gather(program, &kept, data);
                gather(&kept, 1, cotangent);
                kept.len()
            }
        };
        let parts = cotangent[..kept]
            .chunks(blocks.rows)
            .zip(data.chunks_exact_mut(blocks.len));
        // The last block is the one that is still in the nearest cache.
        for (cotangent, data) in parts.rev() {
            let mut block = Block::new(network, program, blocks, cotangent.len(), data);
            let parameters = Some(&mut *gradient);
            block.backward(
                cotangent,
                Gradients {
                    parameters,
                    ..Default::default()
                },
            );
        }
        loss
    }
}

/// The same for groups that are too large to keep.
fn large(
    network: &Network,
    x: &[f32],
    group: usize,
    formula: Scaled,
    gradient: &mut [f32],
) -> Result<f64, Misfit> {
    let rows = network.rows(x)?;
    with_scratch(2 * rows, |data| {
        let (values, cotangent) = data.split_at_mut(rows);
        results(network, x, values)?;
        let mut losses = vec![0.0; rows / group];
        let groups = values.chunks(group).zip(cotangent.chunks_mut(group));
        each(
            groups.zip(&mut losses).enumerate(),
            |(i, ((values, cotangent), loss))| {
                *loss = evaluate(formula, i, values, cotangent);
            },
        );
        let wanted = Gradients {
            parameters: Some(gradient),
            points: None,
        };
        match counting(cotangent, rows.saturating_sub(1)) {
            None => backward(network, x, cotangent, wanted)?,
            Some(kept) => {
                gather(&kept, 1, cotangent);
                let d = network.dimension();
                let kept_x: Vec<f32> = kept
                    .iter()
                    .flat_map(|row| &x[row * d..][..d])
                    .copied()
                    .collect();
                backward(network, &kept_x, &cotangent[..kept.len()], wanted)?;
            }
        }
        Ok(losses.into_iter().sum())
    })
}
