//! Whether chains have forgotten where they began, and how many independent points they are worth.

use crate::Error;
use crate::tensors::{Points, to_vec};
use dfdx::shapes::HasShape;

/// R̂ of each coordinate: how much wider all chains together are than each alone, 1 if they have mixed. Above 1.01 they
/// should go on.
///
/// `states` are those that a chain has kept, one after the other, each `(B, D)`: B chains. Every chain is cut in two, and
/// numbers are replaced by normal scores of their ranks, so that heavy tails do not hide anything; of these and of the
/// ranks of distances from the median the larger R̂ counts.
///
/// Source: Vehtari, Gelman, Simpson, Carpenter, Bürkner, *Rank-normalization, folding, and localization: an improved R̂*,
/// Bayesian Analysis 2021.
///
/// # Errors
/// If there are fewer than four states or no chain, shapes differ, or a number is not finite. It is NaN where nothing moves.
///
/// # Examples
/// ```
/// use energy_discrepancy::eval::r_hat;
/// use energy_discrepancy::prelude::*;
///
/// let p = GaussianMixture::new(&[1.0], &[[0.0, 0.0]], &[1.0])?;
/// let start = points(vec![0.0, 0.0, 9.0, 9.0], (2, 2))?;
/// let hmc = Hmc::with_step_size(0.5, 4);
/// let early = hmc.chain(&p, &start, 10, Some(1), &mut rng(0))?;
/// let late = hmc.chain(&p, &early.last, 500, Some(1), &mut rng(1))?;
/// assert!(r_hat(&late.kept)?.iter().all(|r| *r < 1.02));
/// # Ok::<(), Error>(())
/// ```
pub fn r_hat(states: &[Points]) -> Result<Vec<f64>, Error> {
    let each = coordinates(states)?;
    Ok(each.iter().map(|chains| rank_r_hat(chains)).collect())
}

/// How many independent points the kept states of a chain are worth, for each coordinate: the number of states by the
/// sum of their autocorrelations, in the bulk of the density.
///
/// `states` are as for [`r_hat`]; the autocorrelations of all chains, cut in two and as normal scores of ranks, are added
/// until Geyer's initial monotone sequence ends.
///
/// Source: as [`r_hat`].
///
/// # Errors
/// As [`r_hat`].
///
/// # Examples
/// ```
/// use energy_discrepancy::eval::ess;
/// use energy_discrepancy::prelude::*;
///
/// let p = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?;
/// let start = points(vec![0.0; 4], (4, 1))?;
/// let slow = Mala::with_step_size(0.05).chain(&p, &start, 1000, Some(1), &mut rng(0))?;
/// let quick = Hmc::with_step_size(0.5, 3).chain(&p, &start, 1000, Some(1), &mut rng(0))?;
/// assert!(ess(&quick.kept)?[0] > 10.0 * ess(&slow.kept)?[0]);
/// # Ok::<(), Error>(())
/// ```
pub fn ess(states: &[Points]) -> Result<Vec<f64>, Error> {
    let each = coordinates(states)?;
    let halves = each.iter().map(|chains| normal_scores(&halves(chains)));
    Ok(halves.map(|chains| effective_size(&chains)).collect())
}

/// Chains of numbers.
type Chains = Vec<Vec<f64>>;

/// The chains of each coordinate.
fn coordinates(states: &[Points]) -> Result<Vec<Chains>, Error> {
    if states.len() < 4 {
        let expected = "at least 4 states, one after the other";
        return Err(Error::shape("the states", states.len(), expected));
    }
    let (b, d) = *states[0].shape();
    if b == 0 {
        return Err(Error::shape(
            "a state",
            states[0].shape(),
            "at least one chain",
        ));
    }
    let mut all = vec![vec![Vec::with_capacity(states.len()); b]; d];
    for state in states {
        if *state.shape() != (b, d) {
            let expected = format!("{:?}, as the first one has,", (b, d));
            return Err(Error::shape("a state", state.shape(), expected));
        }
        for (i, number) in to_vec(state).into_iter().enumerate() {
            if !number.is_finite() {
                let reason = format!(
                    "a state has {number} in chain {}, coordinate {}",
                    i / d,
                    i % d
                );
                return Err(Error::Chain(reason));
            }
            all[i % d][i / d].push(f64::from(number));
        }
    }
    Ok(all)
}

/// The first and the last halves of chains; of an odd number the middle one is left out.
fn halves(chains: &[Vec<f64>]) -> Chains {
    let mut halves = Chains::with_capacity(2 * chains.len());
    for chain in chains {
        let half = chain.len() / 2;
        halves.push(chain[..half].to_vec());
        halves.push(chain[chain.len() - half..].to_vec());
    }
    halves
}

fn rank_r_hat(chains: &[Vec<f64>]) -> f64 {
    let halves = halves(chains);
    let middle = median(halves.iter().flatten().copied().collect());
    let folded = |chain: &Vec<f64>| chain.iter().map(|x| (x - middle).abs()).collect();
    let folded: Chains = halves.iter().map(folded).collect();
    let [bulk, tails] = [&halves, &folded].map(|chains| plain_r_hat(&normal_scores(chains)));
    bulk.max(tails)
}

/// √((B/W + n - 1)/n) from the variance between chains, B, and within them, W.
fn plain_r_hat(chains: &[Vec<f64>]) -> f64 {
    let n = chains[0].len() as f64;
    let means: Vec<f64> = chains.iter().map(|chain| mean(chain)).collect();
    let within: Vec<f64> = chains.iter().map(|chain| variance(chain)).collect();
    ((n * variance(&means) / mean(&within) + n - 1.0) / n).sqrt()
}

fn effective_size(chains: &[Vec<f64>]) -> f64 {
    let (count, n) = (chains.len() as f64, chains[0].len());
    let all = chains.iter().flatten();
    let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
        (low.min(*x), high.max(*x))
    });
    let total = count * n as f64;
    // Nothing moves.
    if high - low < 1e-15 {
        return total;
    }
    let means: Vec<f64> = chains.iter().map(|chain| mean(chain)).collect();
    let covariance = |lag: usize| {
        let of_chain = |(chain, mean): (&Vec<f64>, &f64)| {
            let pairs = chain.iter().zip(&chain[lag..]);
            pairs.map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>() / n as f64
        };
        chains.iter().zip(&means).map(of_chain).sum::<f64>() / count
    };
    let within = covariance(0) * n as f64 / (n as f64 - 1.0);
    let between = if chains.len() > 1 {
        variance(&means)
    } else {
        0.0
    };
    let variance = within * (n as f64 - 1.0) / n as f64 + between;
    let correlation = |lag: usize| 1.0 - (within - covariance(lag)) / variance;
    // Sums of pairs of correlations, as long as they are positive, and none larger than the one before.
    let mut sums: Vec<f64> = Vec::new();
    let mut pair = (1.0, correlation(1));
    while 2 * sums.len() + 4 < n && pair.0 + pair.1 > 0.0 {
        let most = sums.last().copied().unwrap_or(f64::INFINITY);
        sums.push((pair.0 + pair.1).min(most));
        let lag = 2 * sums.len();
        pair = (correlation(lag), correlation(lag + 1));
    }
    // Of the pair that ends it, one correlation may still be positive.
    let time = 2.0 * sums.iter().sum::<f64>() - 1.0 + pair.0.max(0.0);
    total / time.max(1.0 / total.log10())
}

/// The normal quantiles of (rank - 3/8)/(n + 1/4), with mean ranks for equal numbers.
fn normal_scores(chains: &[Vec<f64>]) -> Chains {
    let mut order: Vec<(f64, usize)> = chains.iter().flatten().copied().zip(0..).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let n = order.len() as f64;
    let mut scores = vec![0.0; order.len()];
    let mut rank = 0;
    for equal in order.chunk_by(|a, b| a.0 == b.0) {
        let mean = rank as f64 + 0.5 * (equal.len() + 1) as f64;
        let score = normal_quantile((mean - 0.375) / (n + 0.25));
        equal.iter().for_each(|(_, at)| scores[*at] = score);
        rank += equal.len();
    }
    let mut rest = &scores[..];
    let each = chains.iter().map(|chain| {
        let (own, behind) = rest.split_at(chain.len());
        rest = behind;
        own.to_vec()
    });
    each.collect()
}

/// x with Φ(x) = p, for p in (0, 1), by Newton's method.
fn normal_quantile(p: f64) -> f64 {
    if p > 0.5 {
        return -normal_quantile(1.0 - p);
    }
    // As Φ(x) ≤ e^(-x²/2)/2 below 0, this lies below the quantile. Φ is convex there: the first step leads above it, and
    // from there on steps never pass it.
    let mut x = -(-2.0 * (2.0 * p).ln()).max(0.0).sqrt();
    for _ in 0..50 {
        let density = (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let step = (0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2) - p) / density;
        x -= step;
        if step.abs() <= 1e-15 * (1.0 + x.abs()) {
            break;
        }
    }
    x
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

/// Σ (x - mean)²/(n - 1).
fn variance(numbers: &[f64]) -> f64 {
    let mean = mean(numbers);
    let squares = numbers.iter().map(|x| (x - mean).powi(2));
    squares.sum::<f64>() / (numbers.len() as f64 - 1.0)
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match numbers.len() % 2 {
        0 => 0.5 * (numbers[middle - 1] + numbers[middle]),
        _ => numbers[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chains that remember a share of where they were, with numbers from a congruential generator.
    fn made(count: usize, n: usize, keep: f64, is_cubed: bool, apart: f64) -> Chains {
        let chain = |c: usize| {
            let (mut x, mut k) = (0.0, c as u64 * 1000 + 1);
            let next = |_| {
                k = (k * 1_103_515_245 + 12_345) % (1 << 31);
                x = keep * x + k as f64 / f64::from(1u32 << 31) - 0.5 + apart * c as f64;
                if is_cubed { x * x * x } else { x }
            };
            (0..n).map(next).collect()
        };
        (0..count).map(chain).collect()
    }

    /// arviz 0.22.0: `az.rhat(x)`, `az.ess(x)`, of arrays made in the same way.
    #[test]
    fn arviz_s_values() {
        for (chains, r_hat, ess) in [
            (
                made(4, 50, 0.5, false, 0.0),
                1.0528212399900618,
                70.54132575559274,
            ),
            (
                made(2, 101, 0.9, false, 0.0),
                1.1177861215285518,
                14.09293581615597,
            ),
            (
                made(4, 200, -0.5, false, 0.0),
                0.9989579297412867,
                2322.471989593555,
            ),
            (
                made(3, 64, 0.2, true, 0.0),
                1.011805018267298,
                141.5752745529944,
            ),
            (
                made(4, 100, 0.3, false, 0.05),
                1.0872837989487083,
                38.895470360604364,
            ),
            (
                made(4, 4, 0.5, false, 0.0),
                1.1417730205260745,
                19.265919722494797,
            ),
        ] {
            let found = (
                rank_r_hat(&chains),
                effective_size(&normal_scores(&halves(&chains))),
            );
            assert!((found.0 - r_hat).abs() < 1e-6, "{found:?} for {r_hat}");
            assert!((found.1 / ess - 1.0).abs() < 1e-6, "{found:?} for {ess}");
        }
    }

    #[test]
    fn quantiles_are_exact() {
        for (p, x) in [
            (0.975, 1.959_963_984_540_054),
            (0.5, 0.0),
            (1e-9, -5.997_807_014_601_6),
        ] {
            assert!((normal_quantile(p) - x).abs() < 1e-9, "{p}");
        }
    }

    #[test]
    fn states_that_do_not_fit_are_errors() {
        let state = |rows: usize, value: f32| crate::points(vec![value; rows], (rows, 1)).unwrap();
        assert!(r_hat(&[]).is_err() && ess(&vec![state(2, 0.0); 3]).is_err());
        assert!(r_hat(&vec![state(0, 0.0); 4]).is_err() && ess(&vec![state(0, 0.0); 4]).is_err());
        let mut states = vec![state(2, 0.0); 5];
        states[4] = state(3, 0.0);
        assert!(r_hat(&states).unwrap_err().to_string().contains("a state"));
        states[4] = state(2, f32::NAN);
        assert!(
            ess(&states)
                .unwrap_err()
                .to_string()
                .contains("chain 0, coordinate 0")
        );
    }
}
