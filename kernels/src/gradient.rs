//! Energies of a network and their gradients, row by row and summed.

use super::block::{Block, Blocks, Gradients};
use super::lanes::{each, lanes, share, sum};
use super::network::{Network, check};
use super::scratch::with_scratch;
use crate::Misfit;

/// U of each row of `x` (`rows x D`).
///
/// # Errors
/// If a slice's length does not fit.
pub fn energies(network: &Network, x: &[f32], out: &mut [f32]) -> Result<(), Misfit> {
    let rows = network.rows(x)?;
    check("energies", out.len(), rows)?;
    let job = job(network, rows);
    let jobs = x.chunks(job * network.dimension()).zip(out.chunks_mut(job));
    let program = network.program(false, false);
    each(jobs, |(x, out)| {
        let blocks = Blocks::new(network, program, None, out.len());
        with_scratch(blocks.len, |data| {
            let x = x.chunks(blocks.rows * network.dimension());
            for (x, out) in x.zip(out.chunks_mut(blocks.rows)) {
                Block::new(network, program, blocks, out.len(), data).forward(x, None, Some(out));
            }
        });
    });
    Ok(())
}

/// U and ∂U/∂x of each row of `x` (`rows x D`).
///
/// # Errors
/// If a slice's length does not fit.
pub fn input_gradient(
    network: &Network,
    x: &[f32],
    energies: &mut [f32],
    gradient: &mut [f32],
) -> Result<(), Misfit> {
    let rows = network.rows(x)?;
    check("energies", energies.len(), rows)?;
    check("the gradient", gradient.len(), x.len())?;
    let job = job(network, rows);
    let width = job * network.dimension();
    let jobs = x
        .chunks(width)
        .zip(energies.chunks_mut(job))
        .zip(gradient.chunks_mut(width));
    let program = network.program(true, false);
    each(jobs, |((x, energies), gradient)| {
        gradient.fill(0.0);
        let blocks = Blocks::new(network, program, None, energies.len());
        let width = blocks.rows * network.dimension();
        with_scratch(blocks.len + blocks.rows, |data| {
            let (data, ones) = data.split_at_mut(blocks.len);
            ones.fill(1.0);
            let rows = x.chunks(width).zip(energies.chunks_mut(blocks.rows));
            for ((x, energies), gradient) in rows.zip(gradient.chunks_mut(width)) {
                let ones = &ones[..energies.len()];
                let mut block = Block::new(network, program, blocks, ones.len(), data);
                block.forward(x, None, Some(energies));
                let points = Some(gradient);
                block.backward(
                    ones,
                    Gradients {
                        points,
                        ..Default::default()
                    },
                );
            }
        });
    });
    Ok(())
}

/// Σ_r c_r ∂U(x_r)/∂θ and c_r ∂U(x_r)/∂x for a cotangent c = ∂L/∂U, each if it is wanted.
///
/// The first is flat, in the order W_1, b_1, W_2, b_2, ...; the second is `rows x D`. Both are
/// overwritten.
///
/// # Errors
/// If a slice's length does not fit.
pub fn backward(
    network: &Network,
    x: &[f32],
    cotangent: &[f32],
    gradient: Option<&mut [f32]>,
    input_gradient: Option<&mut [f32]>,
) -> Result<(), Misfit> {
    let rows = network.rows(x)?;
    check("the cotangent", cotangent.len(), rows)?;
    if let Some(gradient) = &gradient {
        check("the gradient", gradient.len(), network.parameters())?;
    }
    if let Some(input_gradient) = &input_gradient {
        check("the input's gradient", input_gradient.len(), x.len())?;
    }
    let jobs = split_rows(network, lanes(network, rows), x, cotangent, input_gradient);
    match gradient {
        None => each(jobs.into_iter(), |rows| backward_lane(network, rows, None)),
        Some(gradient) => {
            sum(jobs, gradient, |rows, gradient| {
                backward_lane(network, rows, Some(gradient));
                0.0
            });
        }
    }
    Ok(())
}

/// One lane's rows of x and of the cotangent, and its part of the input's gradient.
type Rows<'a> = (&'a [f32], &'a [f32], Option<&'a mut [f32]>);

fn split_rows<'a>(
    network: &Network,
    lanes: usize,
    x: &'a [f32],
    cotangent: &'a [f32],
    mut input_gradient: Option<&'a mut [f32]>,
) -> Vec<Rows<'a>> {
    let d = network.dimension();
    let part = |lane| {
        let share = share(cotangent.len(), lanes, lane);
        let own = input_gradient
            .as_mut()
            .and_then(|rest| rest.split_off_mut(..share.len() * d));
        (&x[share.start * d..share.end * d], &cotangent[share], own)
    };
    (0..lanes).map(part).collect()
}

fn backward_lane(
    network: &Network,
    (x, cotangent, mut input_gradient): Rows,
    mut gradient: Option<&mut [f32]>,
) {
    if let Some(points) = input_gradient.as_deref_mut() {
        points.fill(0.0);
    }
    let program = network.program(input_gradient.is_some(), gradient.is_some());
    let blocks = Blocks::new(network, program, None, cotangent.len());
    with_scratch(blocks.len, |data| {
        let x = x.chunks(blocks.rows * network.dimension());
        for (x, cotangent) in x.zip(cotangent.chunks(blocks.rows)) {
            let own = input_gradient
                .as_mut()
                .and_then(|rest| rest.split_off_mut(..x.len()));
            let mut block = Block::new(network, program, blocks, cotangent.len(), data);
            block.forward(x, None, None);
            block.backward(
                cotangent,
                Gradients {
                    parameters: gradient.as_deref_mut(),
                    points: own,
                },
            );
        }
    });
}

/// Rows of one job where nothing is summed over rows. No row knows of another, so that here the
/// split may depend on the number of threads.
fn job(network: &Network, rows: usize) -> usize {
    let jobs = match rayon::current_num_threads() {
        1 => 1,
        _ => lanes(network, rows.saturating_mul(4)),
    };
    rows.div_ceil(jobs).max(1)
}
