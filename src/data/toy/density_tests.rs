use super::*;
use crate::{Energy, Quadrature, device, points, rng};
use dfdx::prelude::*;

/// Every toy that has a density in closed form.
pub(super) fn exact() -> Vec<(Toy, Box<dyn Density>)> {
    let with_density = |toy: Toy| toy.density().map(|density| (toy, density));
    Toy::ALL.into_iter().filter_map(with_density).collect()
}

pub(super) fn densities(p: &dyn Density, grid: &Quadrature) -> Vec<f64> {
    let logs = p.log_densities(&grid.points().unwrap()).unwrap();
    logs.into_iter().map(f64::exp).collect()
}

#[test]
fn the_25_gaussians_are_the_reference_s() {
    let golden = include_str!("../../../tests/golden/mse_logprob_golden.json");
    let golden: serde_json::Value = serde_json::from_str(golden).unwrap();
    let points: Vec<[f64; 2]> = serde_json::from_value(golden["points"].clone()).unwrap();
    let logs: Vec<f64> = serde_json::from_value(golden["logp_points_f64"].clone()).unwrap();
    assert_eq!((points.len(), logs.len()), (10, 10));
    for (point, log) in points.iter().zip(logs) {
        assert!(
            (gaussians_25().log_density(point).unwrap() - log).abs() < 1e-9,
            "{point:?}"
        );
    }
}

#[test]
fn exact_densities_integrate_to_1() {
    for (toy, _) in exact() {
        // The board's edges lie halfway between two points of its grid, so that its sum is exact;
        // the others have no point at the centre, where circles have 1e-8 of a pole.
        let (range, n) = match toy {
            Toy::Checkerboard => (-4.25..4.25, 18),
            _ => (-6.0..6.0, 600),
        };
        let grid = Quadrature::square(range, n).unwrap();
        let total = grid.integrate(|x| log_density(toy, x).exp());
        assert!((total - 1.0).abs() < 1e-9, "{toy}: {total}");
    }
}

/// log p in plain numbers.
fn log_density(toy: Toy, x: &[f64]) -> f64 {
    let log = match toy {
        Toy::Gaussians8 => gaussians_8().log_density(x),
        Toy::Gaussians25 => gaussians_25().log_density(x),
        Toy::Checkerboard => checkerboard().log_density(x),
        Toy::Circles => circles().log_density(x),
        Toy::Rings => rings().log_density(x),
        _ => unreachable!("it has none"),
    };
    log.unwrap()
}

#[test]
fn scores_are_slopes() {
    for (toy, p) in exact() {
        let x: Points = toy.sample(50, &mut rng(2)).unwrap();
        let (scores, gradient) = (p.scores(&x).unwrap(), p.gradient(&x).unwrap());
        assert_eq!(gradient.0.as_vec(), p.energy(&x).unwrap().as_vec());
        let h = 1e-6;
        for (i, point) in x.as_vec().chunks(2).enumerate() {
            for axis in 0..2 {
                let at = |h: f64| {
                    let mut moved = [f64::from(point[0]), f64::from(point[1])];
                    moved[axis] += h;
                    log_density(toy, &moved)
                };
                let slope = (at(h) - at(-h)) / (2.0 * h);
                let exact = scores[2 * i + axis];
                // Central differences err by h² U'''/6 + ε U/h, with U''' up to 1e4: 2e-8.
                assert!((slope - exact).abs() < 1e-7 * exact.abs().max(1.0), "{toy}");
                assert_eq!(gradient.1.as_vec()[2 * i + axis], -exact as f32, "{toy}");
            }
        }
        // The same on a tape.
        let (taped, tape) = p.energy_taped(x.leaky_trace()).unwrap().split_tape();
        for (taped, energy) in taped.as_vec().iter().zip(gradient.0.as_vec()) {
            assert!(
                (taped - energy).abs() <= 1e-6 * energy.abs().max(1.0),
                "{toy}"
            );
        }
        let gradients = taped.put_tape(tape).sum::<Rank0, _>().try_backward();
        if toy != Toy::Checkerboard {
            assert_eq!(
                gradients.unwrap().get(&x).as_vec(),
                gradient.1.as_vec(),
                "{toy}"
            );
        }
    }
}

#[test]
fn scalar_and_tensor_densities_agree() {
    let x: Points = Toy::Rings.sample(50, &mut rng(3)).unwrap();
    let logs = rings().log_densities(&x).unwrap();
    for (point, log) in x.as_vec().chunks(2).zip(logs) {
        let point = [f64::from(point[0]), f64::from(point[1])];
        assert_eq!(rings().log_density(&point).unwrap(), log);
    }
    assert!(
        rings()
            .log_density(&[1.0])
            .unwrap_err()
            .to_string()
            .contains("2 coordinates")
    );
    assert!(checkerboard().log_density(&[1.0; 3]).is_err());
}

#[test]
fn the_centre_and_far_away_are_finite() {
    let values = vec![0.0, 0.0, 1e-20, 0.0, 1e-9, 1e-9, 1e-3, 0.0, 100.0, -100.0];
    let far = points(values, (5, 2)).unwrap();
    for p in [rings(), circles(), Rings::new(&[0.0, 0.5], 0.5).unwrap()] {
        let (energy, gradient) = p.gradient(&far).unwrap();
        assert!(energy.as_vec().into_iter().all(f32::is_finite), "{p:?}");
        assert!(gradient.as_vec().into_iter().all(f32::is_finite), "{p:?}");
        assert_eq!(gradient.as_vec()[..2], [0.0, 0.0]);
    }
}

#[test]
fn the_board_is_flat_and_ends() {
    let values = vec![
        1.0,
        1.0,
        1.0,
        -1.0,
        -4.0,
        -4.0,
        4.0,
        0.0,
        f32::NAN,
        0.0,
        f32::INFINITY,
        0.0,
    ];
    let x = points(values, (6, 2)).unwrap();
    let (energy, gradient) = checkerboard().gradient(&x).unwrap();
    let (inside, outside) = (32f32.ln(), f32::INFINITY);
    let energy = energy.as_vec();
    assert_eq!(energy[..4], [inside, outside, inside, outside]);
    assert!(energy[4].is_nan());
    assert_eq!(energy[5], outside);
    assert_eq!(gradient.as_vec(), [0.0; 12]);
    // Rounded to single precision, no point leaves its square.
    let x: Points = checkerboard().sample(200_000, &mut rng(4)).unwrap();
    let energy = checkerboard().energy(&x).unwrap();
    assert!(energy.as_vec().into_iter().all(|u| u == inside));
}

#[test]
fn impossible_rings_and_points_are_errors() {
    let message = |radii: &[f64], std| Rings::new(radii, std).unwrap_err().to_string();
    assert!(message(&[], 1.0).contains("one at least"));
    assert!(message(&[-1.0], 1.0).contains("radius = -1"));
    assert!(message(&[f64::NAN], 1.0).contains("radius = NaN"));
    assert!(message(&[1.0], 0.0).contains("std = 0"));
    let none: Points = device().unwrap().zeros_like(&(0, 2));
    assert_eq!(rings().energy(&none).unwrap().shape(), &(0,));
    assert_eq!(checkerboard().energy(&none).unwrap().shape(), &(0,));
    let flat: Points = device().unwrap().zeros_like(&(4, 3));
    assert!(
        rings()
            .energy(&flat)
            .unwrap_err()
            .to_string()
            .contains("(4, 3), but (B, 2)")
    );
    assert!(checkerboard().energy(&flat).is_err());
}
