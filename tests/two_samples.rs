//! Two-sample tests: as often wrong as they say where nothing differs, and seldom where something does.

#![allow(clippy::unwrap_used)] // A test may.

use energy_discrepancy::eval::{TwoSample, c2st, energy_test, mmd};
use energy_discrepancy::prelude::*;

type Test = fn(&Points, &Points, &mut Rng) -> Result<TwoSample, Error>;

/// Of two normal densities in three dimensions whose means are so far apart.
fn rejected(test: Test, apart: f64, pairs: u64) -> f64 {
    let at = |mean: f64| GaussianMixture::new(&[1.0], &[[mean, 0.0, 0.0]], &[1.0]).unwrap();
    let (one, other) = (at(0.0), at(apart));
    let is_rejected = |pair: &u64| {
        let mut rng = rng(*pair);
        let x = one.sample(150, &mut rng).unwrap();
        let y = other.sample(150, &mut rng).unwrap();
        test(&x, &y, &mut rng).unwrap().p_value < 0.05
    };
    (0..pairs).filter(is_rejected).count() as f64 / pairs as f64
}

#[test]
fn under_the_null_a_twentieth_is_rejected() {
    // The standard deviation of a share of 0.05 in 400 pairs is 0.011.
    for (name, test) in [
        ("mmd", mmd as Test),
        ("energy", energy_test),
        ("c2st", c2st),
    ] {
        let level = rejected(test, 0.0, 400);
        println!("{name}: {level}");
        assert!((level - 0.05).abs() < 0.02, "{name}: {level}");
    }
}

#[test]
fn a_difference_is_seen() {
    // N(0, I) and N((1, 0, 0), I), 150 points each.
    for (name, test) in [
        ("mmd", mmd as Test),
        ("energy", energy_test),
        ("c2st", c2st),
    ] {
        let power = rejected(test, 1.0, 100);
        println!("{name}: {power}");
        assert!(power > 0.9, "{name}: {power}");
    }
}

#[test]
fn small_sets_need_no_more_than_their_rows() {
    let normal = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0]).unwrap();
    let (x, y) = (
        normal.sample(4, &mut rng(0)).unwrap(),
        normal.sample(50, &mut rng(1)).unwrap(),
    );
    for test in [mmd as Test, energy_test, c2st] {
        let p = test(&x, &y, &mut rng(2)).unwrap().p_value;
        assert!(p > 0.0 && p <= 1.0, "{p}");
    }
}
