//! How work is split over threads without changing its result.
//!
//! Rows are split into lanes by their number alone, and the lanes' gradients are added in their
//! order, so that every number of threads gives the same bits. Threads are those of the current
//! rayon pool; with one, rayon is not used.

use super::network::Network;
use super::scratch::with_scratch;
use rayon::prelude::*;
use std::ops::Range;

/// Parameters that one thread adds up at a time.
const PIECE: usize = 8 << 10;

/// Lanes for `columns` rows (times the numbers that are carried for each) whose gradients must be
/// added: few, as each costs a pass over the parameters.
pub(crate) fn lanes(network: &Network, columns: usize) -> usize {
    let work = columns.saturating_mul(network.work());
    let parameters = network.parameters().max(1);
    let most = (columns / 96)
        .max(work / parameters / 384)
        .min(work / 2_000_000);
    let most = most.clamp(1, 16);
    1 << most.ilog2()
}

/// The part of `0..count` that belongs to a lane.
pub(crate) fn share(count: usize, lanes: usize, lane: usize) -> Range<usize> {
    // Wide, as the products need not fit for huge counts.
    let edge = |lane: usize| (count as u128 * lane as u128 / lanes as u128) as usize;
    edge(lane)..edge(lane + 1)
}

/// Adds up what every lane's job adds to a gradient of zeros, and the losses that they return.
pub(crate) fn sum<J: Send>(
    jobs: Vec<J>,
    gradient: &mut [f32],
    work: impl Fn(J, &mut [f32]) -> f64 + Sync,
) -> f64 {
    gradient.fill(0.0);
    let (lanes, count) = (jobs.len(), gradient.len());
    if lanes <= 1 || count == 0 {
        return jobs.into_iter().map(|job| work(job, gradient)).sum();
    }
    if rayon::current_num_threads() == 1 {
        return with_scratch(count, |part| {
            let mut loss = 0.0;
            for (lane, job) in jobs.into_iter().enumerate() {
                if lane == 0 {
                    loss += work(job, gradient);
                } else {
                    part.fill(0.0);
                    loss += work(job, part);
                    add(gradient, part);
                }
            }
            loss
        });
    }
    with_scratch(count * (lanes - 1), |parts| {
        let mut losses = vec![0.0; lanes];
        let targets = rayon::iter::once(&mut *gradient);
        let targets = targets
            .chain(parts.par_chunks_exact_mut(count))
            .zip(&mut losses);
        let jobs = jobs
            .into_par_iter()
            .zip(targets)
            .enumerate()
            .with_max_len(1);
        jobs.for_each(|(lane, (job, (target, loss)))| {
            if lane > 0 {
                target.fill(0.0);
            }
            *loss = work(job, target);
        });
        let parts = &*parts;
        gradient
            .par_chunks_mut(PIECE)
            .enumerate()
            .for_each(|(piece, gradient)| {
                for part in parts.chunks_exact(count) {
                    add(gradient, &part[piece * PIECE..][..gradient.len()]);
                }
            });
        losses.into_iter().sum()
    })
}

/// Runs every job, where each has its own output.
pub(crate) fn each<J: Send>(jobs: impl Iterator<Item = J>, work: impl Fn(J) + Send + Sync) {
    if rayon::current_num_threads() == 1 {
        return jobs.for_each(work);
    }
    let jobs: Vec<J> = jobs.collect();
    jobs.into_par_iter().with_max_len(1).for_each(work);
}

/// Runs a step whose output is rows of `unit` numbers, of which threads take some each where this is worth it; `work`
/// gets the number of its first row.
pub(crate) fn shared(
    out: &mut [f32],
    unit: usize,
    is_worth_it: bool,
    work: impl Fn(usize, &mut [f32]) + Send + Sync,
) {
    let threads = rayon::current_num_threads();
    if !is_worth_it || threads == 1 {
        return work(0, out);
    }
    let together = together(out.len().div_ceil(unit), threads);
    let parts = out.chunks_mut(together * unit).enumerate();
    each(parts, |(i, part)| work(i * together, part));
}

/// The same for a step with two outputs of one size.
pub(crate) fn shared_by_two(
    [a, b]: [&mut [f32]; 2],
    unit: usize,
    is_worth_it: bool,
    work: impl Fn([&mut [f32]; 2]) + Send + Sync,
) {
    let threads = rayon::current_num_threads();
    if !is_worth_it || threads == 1 {
        return work([a, b]);
    }
    let numbers = unit * together(a.len().div_ceil(unit), threads);
    let parts = a.chunks_mut(numbers).zip(b.chunks_mut(numbers));
    each(parts, |(a, b)| work([a, b]));
}

/// How many units one thread takes: some more parts than threads, as not all get on equally fast.
fn together(units: usize, threads: usize) -> usize {
    units.div_ceil(2 * threads).max(1)
}

fn add(to: &mut [f32], from: &[f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_cover_everything_once() {
        for (count, lanes) in [(0, 4), (3, 4), (7, 2), (usize::MAX, 16)] {
            let mut at = 0;
            for lane in 0..lanes {
                let share = share(count, lanes, lane);
                assert_eq!(share.start, at);
                at = share.end;
            }
            assert_eq!(at, count);
        }
    }
}
