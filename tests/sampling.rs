//! Samplers whose stationary density is p exactly, where the truth is known. Seeds are fixed.

#![allow(clippy::unwrap_used)] // A test may.

use energy_discrepancy::eval::{Annealing, ess, r_hat};
use energy_discrepancy::prelude::*;

/// The largest distance of the sample's distribution function from the true one, times √n. Above 1.63 in one of a hundred.
fn kolmogorov_smirnov(sample: &[f32], truth: impl Fn(f64) -> f64) -> f64 {
    let mut sorted: Vec<f64> = sample.iter().map(|x| f64::from(*x)).collect();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let apart = |(i, x): (usize, &f64)| {
        let f = truth(*x);
        (f - i as f64 / n).abs().max((f - (i + 1) as f64 / n).abs())
    };
    sorted.iter().enumerate().map(apart).fold(0.0, f64::max) * n.sqrt()
}

fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

#[test]
fn exact_samplers_reach_the_density() {
    // Modes that overlap, so that chains pass from one to the other.
    let (weights, means, stds) = ([0.3, 0.7], [-1.0, 1.5], [0.6, 0.9]);
    let mixture = GaussianMixture::new(&weights, &means.map(|m| [m]), &stds).unwrap();
    let of_mixture = |x: f64| {
        let parts = weights.iter().zip(means).zip(stds);
        parts
            .map(|((w, m), s)| w * normal_cdf((x - m) / s))
            .sum::<f64>()
    };
    let normal = GaussianMixture::new(&[1.0], &[[0.5]], &[2.0]).unwrap();
    let of_normal = |x: f64| normal_cdf((x - 0.5) / 2.0);
    let start = points(vec![3.0; 5000], (5000, 1)).unwrap();
    let (hmc, warm) = Hmc::with_step_size(1.0, 3)
        .warm_up(&mixture, &start, 50, &mut rng(1))
        .unwrap();
    let samplers: [(&str, Box<dyn Sampler>); 2] = [
        ("HMC", Box::new(hmc)),
        ("MALA", Box::new(Mala::with_step_size(0.6))),
    ];
    for (name, sampler) in samplers {
        let run = |p: &GaussianMixture, seed: u64| {
            let chain = sampler.chain(p, &warm, 200, None, &mut rng(seed)).unwrap();
            to_vec(&chain.last)
        };
        let distances = [
            kolmogorov_smirnov(&run(&mixture, 2), of_mixture),
            kolmogorov_smirnov(&run(&normal, 3), of_normal),
        ];
        assert!(distances.iter().all(|d| *d < 1.63), "{name}: {distances:?}");
    }
}

#[test]
fn chains_that_stay_apart_show() {
    let p = GaussianMixture::new(&[0.5, 0.5], &[[-9.0], [9.0]], &[1.0, 1.0]).unwrap();
    let start = points(vec![-9.0, -9.0, 9.0, 9.0], (4, 1)).unwrap();
    let chain = Hmc::with_step_size(0.5, 4)
        .chain(&p, &start, 500, Some(1), &mut rng(0))
        .unwrap();
    assert!(r_hat(&chain.kept).unwrap()[0] > 1.5);
    assert!(ess(&chain.kept).unwrap()[0] < 20.0);
}

#[test]
fn impossible_settings_of_hmc_and_annealing_are_errors() {
    let p = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0]).unwrap();
    let x = points(vec![0.0, 1.0], (2, 1)).unwrap();
    for hmc in [Hmc::with_step_size(0.0, 1), Hmc::with_step_size(0.1, 0)] {
        assert!(hmc.chain(&p, &x, 1, None, &mut rng(0)).is_err());
        assert!(hmc.warm_up(&p, &x, 1, &mut rng(0)).is_err());
    }
    let constant = points(vec![1.0; 4], (4, 1)).unwrap();
    let error = Annealing::around(&constant).unwrap_err().to_string();
    assert!(error.contains("coordinate 0"), "{error}");
    let none = points(vec![], (3, 0)).unwrap();
    assert!(Annealing::around(&none).is_err());
    let annealing = Annealing::around(&x).unwrap();
    assert!(
        annealing
            .clone()
            .temperatures(0)
            .forward(&p, &mut rng(0))
            .is_err()
    );
    let wide = points(vec![0.0; 4], (2, 2)).unwrap();
    assert!(annealing.reverse(&p, &wide, &mut rng(0)).is_err());
}
