//! The results of a network, and gradients of a loss of single rows.

use super::block::{Block, Blocks, Gradients};
use super::lanes::{each, lanes, share, sum};
use super::network::{Network, check};
use super::product::columns_at;
use super::scratch::with_scratch;
use crate::Misfit;

/// The result of each row of `x` (`rows x D`): U, or as many numbers as the graph ends in.
///
/// # Errors
/// If a slice's length does not fit.
pub fn results(network: &Network, x: &[f32], out: &mut [f32]) -> Result<(), Misfit> {
    let rows = network.rows(x)?;
    let (d, width) = (network.dimension(), network.results());
    check("the results", out.len(), rows * width)?;
    let job = job(network, rows);
    let jobs = x.chunks(job * d).zip(out.chunks_mut(job * width));
    let program = network.program(false, false);
    each(jobs, |(x, out)| {
        let blocks = Blocks::new(network, program, None, x.len() / d);
        with_scratch(blocks.len, |data| {
            let parts = x.chunks(blocks.rows * d);
            for (x, out) in parts.zip(out.chunks_mut(blocks.rows * width)) {
                let mut block = Block::new(network, program, blocks, x.len() / d, data);
                block.forward(x, None, Some(out));
            }
        });
    });
    Ok(())
}

/// The loss L(result) of each row of `x` (`rows x D`), and the gradients of their sum, which are overwritten. `loss` gets
/// a row's number, its result and the place for ∂L/∂(result), and returns L.
///
/// # Errors
/// If a slice's length does not fit.
pub fn pull_back(
    network: &Network,
    x: &[f32],
    loss: impl Fn(usize, &[f32], &mut [f32]) -> f32 + Sync,
    mut wanted: Gradients,
) -> Result<Vec<f32>, Misfit> {
    let rows = network.rows(x)?;
    if let Some(parameters) = &wanted.parameters {
        check("the gradient", parameters.len(), network.parameters())?;
    }
    if let Some(points) = &mut wanted.points {
        check("the gradient of x", points.len(), x.len())?;
        points.fill(0.0);
    }
    let mut losses = vec![0.0; rows];
    let shares: Vec<_> = match wanted.parameters {
        None => {
            let job = job(network, rows);
            let firsts = (0..rows).step_by(job);
            firsts.map(|first| first..rows.min(first + job)).collect()
        }
        Some(_) => {
            let lanes = lanes(network, rows);
            (0..lanes).map(|lane| share(rows, lanes, lane)).collect()
        }
    };
    let d = network.dimension();
    let mut rest = (&mut losses[..], wanted.points);
    let jobs = shares.into_iter().map(|share| {
        let losses = rest.0.split_off_mut(..share.len()).unwrap_or_default();
        let points = rest.1.as_mut();
        let points = points.and_then(|rest| rest.split_off_mut(..share.len() * d));
        Rows {
            first: share.start,
            x: &x[share.start * d..share.end * d],
            losses,
            points,
        }
    });
    let jobs: Vec<Rows> = jobs.collect();
    match wanted.parameters {
        None => each(jobs.into_iter(), |rows| rows.run(network, &loss, None)),
        Some(gradient) => {
            sum(jobs, gradient, |rows, gradient| {
                rows.run(network, &loss, Some(gradient));
                0.0
            });
        }
    }
    Ok(losses)
}

/// Σ_r c_r · ∂(result of x_r)/∂θ and c_r · ∂(result of x_r)/∂x for a cotangent c (`rows x results`); both overwrite.
///
/// # Errors
/// If a slice's length does not fit.
pub fn backward(
    network: &Network,
    x: &[f32],
    cotangent: &[f32],
    wanted: Gradients,
) -> Result<(), Misfit> {
    let width = network.results();
    check("the cotangent", cotangent.len(), network.rows(x)? * width)?;
    let given = |row: usize, _: &[f32], slopes: &mut [f32]| {
        slopes.copy_from_slice(&cotangent[row * width..][..width]);
        0.0
    };
    pull_back(network, x, given, wanted)?;
    Ok(())
}

/// Some rows, and where their losses and their gradient go.
struct Rows<'a> {
    first: usize,
    x: &'a [f32],
    losses: &'a mut [f32],
    points: Option<&'a mut [f32]>,
}

impl Rows<'_> {
    fn run(
        mut self,
        network: &Network,
        loss: &impl Fn(usize, &[f32], &mut [f32]) -> f32,
        mut gradient: Option<&mut [f32]>,
    ) {
        let (d, width) = (network.dimension(), network.results());
        let program = network.program(self.points.is_some(), gradient.is_some());
        let blocks = Blocks::new(network, program, None, self.losses.len());
        let most = blocks.rows * width;
        with_scratch(blocks.len + 2 * most, |data| {
            let (data, ends) = data.split_at_mut(blocks.len);
            let (results, slopes) = ends.split_at_mut(most);
            let parts = self.x.chunks(blocks.rows * d);
            let parts = parts.zip(self.losses.chunks_mut(blocks.rows));
            for (part, (x, losses)) in parts.enumerate() {
                let first = self.first + part * blocks.rows;
                let count = losses.len() * width;
                let (results, slopes) = (&mut results[..count], &mut slopes[..count]);
                let mut block = Block::new(network, program, blocks, losses.len(), data);
                block.forward(x, None, Some(results));
                let pairs = results.chunks(width).zip(slopes.chunks_mut(width));
                for ((row, own), (result, slopes)) in losses.iter_mut().enumerate().zip(pairs) {
                    *own = loss(first + row, result, slopes);
                }
                let points = self.points.as_mut();
                block.backward(
                    slopes,
                    Gradients {
                        parameters: gradient.as_deref_mut(),
                        points: points.and_then(|rest| rest.split_off_mut(..x.len())),
                    },
                );
            }
        });
    }
}

/// Rows of one job where nothing is summed over rows. No row knows of another, so that here the
/// split may depend on the number of threads.
fn job(network: &Network, rows: usize) -> usize {
    let jobs = match rayon::current_num_threads() {
        1 => 1,
        _ => lanes(network, rows.saturating_mul(4)),
    };
    // A tile that is not full takes as long as a full one.
    let tile = columns_at(network.level);
    rows.div_ceil(jobs).next_multiple_of(tile).max(1)
}
