//! What the losses and samplers must do on average: known minima, limits and distributions.
//! Seeds are fixed; tolerances are about four standard errors.

#![allow(clippy::unwrap_used)] // A test may.

use energy_discrepancy::dfdx::prelude::*;
use energy_discrepancy::energy::{Along, Jets};
use energy_discrepancy::prelude::*;

/// U = c |x|²/2 + b.
struct Quadratic {
    c: f64,
    b: f64,
}

impl Energy for Quadratic {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        Ok(x.square().sum::<_, Axis<1>>() * (0.5 * self.c) as f32 + self.b as f32)
    }

    fn jets_taped(&self, x: &Points, _: Along) -> Result<Jets, Error> {
        let (rows, d) = *x.shape();
        Ok(Jets {
            energy: self.energy(x)?,
            slopes: x.clone() * self.c as f32,
            curvature: x.device().ones_like(&(rows,)) * (self.c * d as f64) as f32,
            tape: GradientTape::default(),
        })
    }
}

/// β U.
struct Tempered(GaussianMixture, f64);

impl Energy for Tempered {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        Ok(self.0.energy_taped(x)? * self.1 as f32)
    }
}

fn normal(d: usize) -> GaussianMixture {
    GaussianMixture::new(&[1.0], &[vec![0.0; d]], &[1.0]).unwrap()
}

/// Where a smooth function has its minimum, by a parabola through three points around it.
fn argmin(mut f: impl FnMut(f64) -> f64, guess: f64, width: f64) -> f64 {
    let (low, middle, high) = (f(guess - width), f(guess), f(guess + width));
    guess + 0.5 * width * (low - high) / (low - 2.0 * middle + high)
}

fn assert_near(what: &str, found: f64, expected: f64, allowed: f64) {
    assert!(
        (found - expected).abs() <= allowed,
        "{what}: {found} instead of {expected} ± {allowed}"
    );
}

#[test]
fn stabilisation_moves_the_minimum_as_quadrature_says() {
    let x: Points = normal(1).sample(100_000, &mut rng(1)).unwrap();
    for (w, best) in [(0.1, 1.4559), (1.0, 1.0), (4.0, 0.7461)] {
        let mut loss = EnergyDiscrepancy::with_variance(1.0)
            .particles(4)
            .stabilisation(w);
        let at = |c: f64| {
            loss.evaluate(&Quadratic { c, b: 0.0 }, &x, &mut rng(2))
                .unwrap()
        };
        // Over ten seeds the standard deviation was 0.009, 0.006 and 0.005.
        assert_near(
            &format!("best c at w = {w}"),
            argmin(at, best, 0.1),
            best,
            0.04,
        );
    }
}

#[test]
fn the_true_density_is_the_minimum_on_25_gaussians() {
    let truth = toy::gaussians_25();
    let x: Points = truth.sample(50_000, &mut rng(3)).unwrap();
    let mut loss = EnergyDiscrepancy::with_std(1.0).particles(4);
    let mut at = |beta: f64| {
        let tempered = Tempered(truth.clone(), beta);
        loss.evaluate(&tempered, &x, &mut rng(4)).unwrap()
    };
    assert_near("loss of the truth", at(1.0), 0.354, 0.012);
    // Over ten seeds the standard deviations were 0.003 and 0.008.
    assert_near("best inverse temperature", argmin(at, 1.0, 0.1), 1.0, 0.04);
}

#[test]
fn score_matching_has_its_known_values() {
    for d in 1..=3 {
        let x: Points = normal(d).sample(100_000, &mut rng(5)).unwrap();
        let value = ScoreMatching
            .evaluate(&Quadratic { c: 1.0, b: 0.0 }, &x, &mut rng(0))
            .unwrap();
        // ½|x|² has mean d/2 and variance d/2.
        assert_near(
            "SM of |x|²/2",
            value,
            -0.5 * d as f64,
            4.0 * (0.5 * d as f64 / 1e5).sqrt(),
        );
    }
    let truth = toy::gaussians_25();
    let x: Points = truth.sample(100_000, &mut rng(6)).unwrap();
    let value = ScoreMatching.evaluate(&truth, &x, &mut rng(0)).unwrap();
    assert_near("SM of 25 Gaussians", value, -49.985, 0.7);
}

#[test]
fn small_noise_leads_to_score_matching() {
    // U = x²/2 · 0.5 on N(0, 1): SM = ½ c² - c.
    let (data, c) = (Population::new(&normal(1)).unwrap(), 0.5_f64);
    let model = GaussianMixture::new(&[1.0], &[[0.0]], &[c.powf(-0.5)]).unwrap();
    let sm = 0.5 * c * c - c;
    for m in [1, 4, 16] {
        let slope = |t: f64| {
            let loss = data.energy_discrepancy(&model, t, m, 1.0).unwrap();
            (loss - (m as f64 + 1.0).ln()) / t
        };
        // First order in t: twice the value at t/2 less that at t.
        let limit = 2.0 * slope(0.01) - slope(0.02);
        let expected = m as f64 / (m as f64 + 1.0) * sm;
        assert_near(&format!("slope at M = {m}"), limit, expected, 0.01);
    }
    // The coded loss on samples is the one that quadrature integrates.
    let x: Points = normal(1).sample(100_000, &mut rng(7)).unwrap();
    let mut loss = EnergyDiscrepancy::with_variance(0.5);
    let model_energy = Quadratic { c, b: 0.0 };
    let sampled = loss.evaluate(&model_energy, &x, &mut rng(8)).unwrap();
    let exact = data.energy_discrepancy(&model, 0.5, 4, 1.0).unwrap();
    assert_near("sampled loss", sampled, exact, 0.01);
}

#[test]
fn a_constant_in_the_energy_changes_no_contrast() {
    let x: Points = normal(2).sample(1000, &mut rng(9)).unwrap();
    let energy = |b: f64| Quadratic { c: 0.7, b };
    let grid = Quadrature::square(-9.0..9.0, 101).unwrap();
    let all = |b: f64| {
        let losses: [Box<dyn Loss>; 4] = [
            Box::new(EnergyDiscrepancy::with_std(0.5)),
            Box::new(ContrastiveDivergence::default().regularisation(0.0)),
            Box::new(ScoreMatching),
            Box::new(MaximumLikelihood::on(grid.clone())),
        ];
        losses.map(|mut loss| loss.evaluate(&energy(b), &x, &mut rng(10)).unwrap())
    };
    // A power of two, so that energies round to 2^-13 in single precision and to no more.
    for (with, without) in all(1024.0).into_iter().zip(all(0.0)) {
        assert_near("loss with a constant", with, without, 2e-5);
    }
}

#[test]
fn likelihood_by_quadrature_is_least_for_the_truth() {
    let x: Points = normal(1).sample(100_000, &mut rng(12)).unwrap();
    let mut loss = MaximumLikelihood::on(Quadrature::interval(-12.0..12.0, 401).unwrap());
    let at = |c: f64| {
        loss.evaluate(&Quadratic { c, b: 0.0 }, &x, &mut rng(0))
            .unwrap()
    };
    assert_near("best c", argmin(at, 1.0, 0.1), 1.0, 0.02);
}

/// The largest distance of the points' distribution function from that of N(0, 1), times √n.
fn kolmogorov_smirnov(mut points: Vec<f64>) -> f64 {
    points.sort_by(f64::total_cmp);
    let n = points.len() as f64;
    let grid = Quadrature::interval(-8.0..8.0, 16_001).unwrap();
    let mut mass = 0.0;
    let cumulative: Vec<(f64, f64)> = grid
        .each()
        .map(|(x, weight)| {
            let density = (-0.5 * x[0] * x[0]).exp() / (2.0 * std::f64::consts::PI).sqrt();
            mass += weight * density;
            (x[0], mass)
        })
        .collect();
    let exact = |x: f64| {
        let index = cumulative.partition_point(|(at, _)| *at < x);
        cumulative.get(index).map_or(1.0, |(_, mass)| *mass)
    };
    let distance = |(i, x): (usize, &f64)| {
        let p = exact(*x);
        (p - i as f64 / n).abs().max((p - (i + 1) as f64 / n).abs())
    };
    points.iter().enumerate().map(distance).fold(0.0, f64::max) * n.sqrt()
}

#[test]
fn mala_draws_from_the_density_and_langevin_nearly() {
    let (n, target) = (4000, normal(1));
    let start: Points = device().unwrap().zeros_like(&(n, 1));
    let mala = Mala::with_step_size(1.5);
    let chain = mala.chain(&target, &start, 60, None, &mut rng(13)).unwrap();
    // √n D exceeds 1.95 once in a thousand.
    assert!(kolmogorov_smirnov(doubles(&chain.last)) < 1.95);
    assert!(
        (0.6..0.95).contains(&chain.acceptance),
        "{}",
        chain.acceptance
    );

    // Unadjusted steps of h have the variance 1/(1 - h/4): no longer a standard normal.
    let chain = Langevin::with_step_size(1.5)
        .chain(&target, &start, 60, None, &mut rng(14))
        .unwrap();
    let points = doubles(&chain.last);
    let variance = points.iter().map(|x| x * x).sum::<f64>() / n as f64;
    assert_near(
        "Langevin's variance",
        variance,
        1.0 / (1.0 - 1.5 / 4.0),
        0.16,
    );
    assert!(kolmogorov_smirnov(points) > 1.95);
}

fn doubles(x: &Points) -> Vec<f64> {
    to_vec(x).into_iter().map(f64::from).collect()
}

#[test]
fn normal_numbers_are_normal() {
    let numbers = normals(99_000, &mut rng(15));
    assert!(kolmogorov_smirnov(numbers.into_iter().map(f64::from).collect()) < 1.95);
}
