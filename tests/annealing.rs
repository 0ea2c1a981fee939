//! Annealed importance sampling where log Z is known: closed forms in 2 to 50 dimensions, and quadrature of a trained net in
//! two. Seeds are fixed.

#![allow(clippy::unwrap_used)] // A test may.

use energy_discrepancy::eval::{Annealing, LogZ, density_on, log_z};
use energy_discrepancy::prelude::*;
use energy_discrepancy::rand::distr::{Distribution, weighted::WeightedIndex};
use rayon::prelude::*;

/// Runs of each case.
const SEEDS: u64 = 20;

/// A mixture's energy and a constant: log Z is minus the constant.
struct Raised(GaussianMixture, f32);

impl Energy for Raised {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        Ok(self.0.energy_taped(x)? + self.1)
    }

    fn gradient(&self, x: &Points) -> Result<(Values, Points), Error> {
        let (energies, slopes) = self.0.gradient(x)?;
        Ok((energies + self.1, slopes))
    }
}

/// A walk of normal steps over the coordinates, of which every other one counts five times: its covariance has a condition
/// number of about 100 with two coordinates and of 28,000 with fifty.
fn walk(steps: &[f32]) -> Vec<f32> {
    let mut sum = 0.0;
    let each = steps.iter().enumerate().map(|(i, step)| {
        sum += step;
        if i % 2 == 0 { sum } else { 5.0 * sum }
    });
    each.collect()
}

/// One Gaussian with a full covariance.
fn gaussian(d: usize) -> GaussianMixture {
    let rows = normals(4000 * d, &mut rng(10))
        .chunks_exact(d)
        .flat_map(walk)
        .collect();
    GaussianMixture::fit(&points(rows, (4000, d)).unwrap(), 1, 0).unwrap()
}

/// Three round Gaussians of two widths that overlap.
fn round(d: usize) -> GaussianMixture {
    let mean = |value: f64| -> Vec<f64> {
        let coordinate = |i| if i % 3 == 0 { value } else { 0.0 };
        (0..d).map(coordinate).collect()
    };
    let means = [mean(-1.0), mean(0.5), mean(1.0)];
    GaussianMixture::new(&[0.2, 0.5, 0.3], &means, &[0.5, 0.7, 0.5]).unwrap()
}

/// Two Gaussians with full covariances, one of them backwards.
fn crossed(d: usize) -> GaussianMixture {
    let mut rows = Vec::new();
    for (i, steps) in normals(4000 * d, &mut rng(11)).chunks_exact(d).enumerate() {
        let mut row = walk(steps);
        if i % 3 == 0 {
            row.reverse();
            row[0] += 4.0;
        }
        rows.extend(row);
    }
    GaussianMixture::fit(&points(rows, (4000, d)).unwrap(), 2, 0).unwrap()
}

/// So many temperatures and chains, of both ways, for a mixture whose log Z is -3.
fn both_ways(
    mixture: &GaussianMixture,
    (temperatures, chains): (usize, usize),
    seed: u64,
) -> [LogZ; 2] {
    let energy = Raised(mixture.clone(), 3.0);
    let mut rng = rng(1000 * seed);
    let seen: Points = mixture.sample(500, &mut rng).unwrap();
    let annealing = Annealing::around(&seen).unwrap();
    let annealing = annealing.temperatures(temperatures).chains(chains);
    let exact: Points = mixture.sample(chains, &mut rng).unwrap();
    [
        annealing.forward(&energy, &mut rng).unwrap(),
        annealing.reverse(&energy, &exact, &mut rng).unwrap(),
    ]
}

/// How far over and below the truth the two estimates may be in any of the 20 seeds, in standard errors: all cases together
/// ask 600 times, and a right one is further off in one of 30,000.
const OUTSIDE: f64 = 4.0;

/// In every seed log Z lies between the two estimates and their errors; the mean of each over the seeds is within three
/// standard errors, as the runs state them, and these are what the runs differ by.
fn brackets(name: &str, mixture: &GaussianMixture, size: (usize, usize)) {
    let (truth, (temperatures, chains)) = (-3.0, size);
    let runs: Vec<[LogZ; 2]> = (0..SEEDS)
        .into_par_iter()
        .map(|seed| both_ways(mixture, size, seed))
        .collect();
    let past = runs.iter().flat_map(|[below, above]| {
        [
            (below.log_z - truth) / below.standard_error,
            (truth - above.log_z) / above.standard_error,
        ]
    });
    let most = past.fold(f64::NEG_INFINITY, f64::max);
    let case = format!("D = {}, {name}, K = {temperatures}", mixture.dimension());
    println!("{case}: at most {most:.1} standard errors past the truth");
    assert!(most < OUTSIDE, "{case}: {most} standard errors");
    for (way, says) in ["forward", "reverse"].into_iter().enumerate() {
        let mean_of = |f: &dyn Fn(&LogZ) -> f64| {
            runs.iter().map(|run| f(&run[way])).sum::<f64>() / SEEDS as f64
        };
        let mean = mean_of(&|run| run.log_z - truth);
        let std = mean_of(&|run| (run.log_z - truth - mean).powi(2)).sqrt();
        let error = mean_of(&|run| run.standard_error.powi(2)).sqrt();
        let worth = mean_of(&|run| run.effective_size);
        println!(
            "    {says} {mean:+.4}, differing by {std:.4}, stated {error:.4}, worth {worth:.0} of {chains} chains"
        );
        assert!(
            mean.abs() < 3.0 * error / (SEEDS as f64).sqrt(),
            "{case}, {says}: {mean}, error of each run {error}"
        );
        // That of 20 numbers is 1.5 times the truth in one of 700 cases.
        assert!(
            std < 1.5 * error && error < 0.3,
            "{case}, {says}: {std} beside {error}"
        );
    }
}

fn all(d: usize, sizes: [(usize, usize); 3]) {
    brackets("one Gaussian", &gaussian(d), sizes[0]);
    brackets("round ones", &round(d), sizes[1]);
    brackets("crossed ones", &crossed(d), sizes[2]);
}

#[test]
fn both_ways_bracket_log_z_in_2_dimensions() {
    all(2, [(100, 100), (100, 100), (200, 100)]);
}

#[test]
fn both_ways_bracket_log_z_in_5_dimensions() {
    all(5, [(100, 100), (100, 100), (200, 100)]);
}

#[test]
fn both_ways_bracket_log_z_in_10_dimensions() {
    all(10, [(100, 100), (200, 100), (300, 100)]);
}

#[test]
#[ignore = "half a minute"]
fn both_ways_bracket_log_z_in_20_dimensions() {
    all(20, [(200, 100), (200, 100), (1000, 100)]);
}

/// Of the crossed ones few chains pass from one to the other, so that a few weigh most: with fewer temperatures their errors
/// are larger than the weights tell.
#[test]
#[ignore = "six minutes"]
fn both_ways_bracket_log_z_in_50_dimensions() {
    all(50, [(400, 100), (400, 100), (2500, 100)]);
}

/// Points of exp(-U): of the grid's cells by their mass, and then 50 steps that leave the density as it is, so that nothing is
/// left of the cells.
fn exact_points(energy: &dyn Energy, grid: &Quadrature, count: usize) -> Points {
    let (cells, rng) = (to_vec(&grid.points().unwrap()), &mut rng(20));
    let masses = density_on(energy, grid).unwrap();
    let masses = masses
        .iter()
        .zip(grid.weights())
        .map(|(p, weight)| p * weight);
    let by_mass = WeightedIndex::new(masses).unwrap();
    let chosen = (0..count).flat_map(|_| {
        let cell = by_mass.sample(rng);
        [cells[2 * cell], cells[2 * cell + 1]]
    });
    let start = points(chosen.collect(), (count, 2)).unwrap();
    let hmc = Hmc::with_step_size(0.1, 3);
    hmc.chain(energy, &start, 50, None, rng).unwrap().last
}

/// A net of two dimensions after 1,000 steps of training.
#[test]
fn both_ways_are_what_quadrature_says_of_a_net() {
    let data = toy::gaussians_25();
    let net = Mlp::softplus(&[2, 64, 64, 1], 0).unwrap();
    let mut run = Trainer::new(net, EnergyDiscrepancy::with_std(1.0).particles(4))
        .steps(1000)
        .adam(1e-3)
        .quiet();
    let _ = run.fit(&data).unwrap();
    let energy = run.energy();
    let grid = Quadrature::square(-8.0..8.0, 801).unwrap();
    let exact = log_z(energy, &grid).unwrap();
    let coarse = log_z(energy, &Quadrature::square(-8.0..8.0, 401).unwrap()).unwrap();
    let annealing = Annealing::around(&data.sample(1000, &mut rng(0)).unwrap()).unwrap();
    let annealing = annealing.temperatures(300).chains(2000);
    let below = annealing.forward(energy, &mut rng(1)).unwrap();
    let x = exact_points(energy, &grid, 2000);
    let above = annealing.reverse(energy, &x, &mut rng(2)).unwrap();
    println!("quadrature {exact:.5} (coarser: {coarse:.5}), forward {below:?}, reverse {above:?}");
    assert!((exact - coarse).abs() < 1e-4);
    for way in [below, above] {
        let apart = (way.log_z - exact).abs();
        assert!(
            apart < 3.0 * way.standard_error && way.standard_error < 0.02,
            "{apart}: {way:?}"
        );
    }
}
