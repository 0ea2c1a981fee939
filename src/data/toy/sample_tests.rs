use super::density_tests::{densities, exact};
use super::*;
use crate::{Quadrature, rng};

fn draw(toy: Toy, n: usize, seed: u64) -> Vec<[f64; 2]> {
    let x: Points = toy.sample(n, &mut rng(seed)).unwrap();
    x.as_vec()
        .chunks(2)
        .map(|point| [f64::from(point[0]), f64::from(point[1])])
        .collect()
}

#[test]
fn names_are_known() {
    for toy in Toy::ALL {
        assert_eq!(toy.name().parse::<Toy>().unwrap(), toy);
        assert_eq!(toy.to_string(), toy.name());
    }
    assert_eq!(Toy::from_name(" 2Spirals ").unwrap(), Toy::TwoSpirals);
    let error = Toy::from_name("2spiral").unwrap_err().to_string();
    assert!(
        error.starts_with("toy = \"2spiral\" is not possible"),
        "{error}"
    );
    assert!(Toy::ALL.iter().all(|toy| error.contains(toy.name())));
}

/// Counts in the 32 x 32 squares of [-4, 4]² against the density integrated over each.
#[test]
fn samples_follow_the_exact_densities() {
    const SIDE: usize = 32;
    const FINE: usize = 16;
    let (n, step) = (40_000, 8.0 / (SIDE * FINE) as f64);
    let ends = -4.0 + 0.5 * step..4.0 - 0.5 * step;
    let grid = Quadrature::square(ends, SIDE * FINE).unwrap();
    for (toy, p) in exact() {
        let mut expected = vec![0.0; SIDE * SIDE];
        for (i, density) in densities(&*p, &grid).into_iter().enumerate() {
            let (x, y) = (i / (SIDE * FINE) / FINE, i % (SIDE * FINE) / FINE);
            expected[x * SIDE + y] += n as f64 * density * step * step;
        }
        let mut counts = vec![0.0; SIDE * SIDE];
        for point in draw(toy, n, 1) {
            let [x, y] = point.map(|v| ((v + 4.0) * SIDE as f64 / 8.0).floor());
            if (0.0..SIDE as f64).contains(&x) && (0.0..SIDE as f64).contains(&y) {
                counts[x as usize * SIDE + y as usize] += 1.0;
            }
        }
        // Squares that expect fewer than 10 points are taken together.
        let mut rest = (n as f64, n as f64);
        let (mut sum, mut free) = (0.0, 0.0);
        for (count, expected) in counts.into_iter().zip(expected) {
            if expected >= 10.0 {
                rest = (rest.0 - count, rest.1 - expected);
                sum += (count - expected).powi(2) / expected;
                free += 1.0;
            }
        }
        if rest.1 > 1.0 {
            sum += (rest.0 - rest.1).powi(2) / rest.1;
        } else {
            assert!(rest.0 <= 5.0, "{toy}: {rest:?}");
        }
        // χ² of that many degrees of freedom has the standard deviation √(2 free).
        assert!(
            (sum - free).abs() < 5.0 * f64::sqrt(2.0 * free),
            "{toy}: {sum} of {free}"
        );
    }
}

#[test]
fn samples_depend_on_the_seed_alone_and_stay_in_their_box() {
    for toy in Toy::ALL {
        let n = 20_000;
        let points = draw(toy, n, 5);
        assert_eq!(points, draw(toy, n, 5));
        assert_ne!(points[0], draw(toy, 1, 6)[0]);
        let single: Points = toy.sample(n, &mut rng(5)).unwrap();
        let rounded: Vec<f32> = points.iter().flatten().map(|v| *v as f32).collect();
        assert_eq!(single.as_vec(), rounded);
        let outside = points
            .iter()
            .filter(|x| x.iter().any(|v| v.abs() > 4.0))
            .count();
        // Most: a mode of the 8 on an axis is 3.3 standard deviations from the edge, which 4 · 4.5e-4/8
        // of the points exceed, here 4.5.
        assert!(outside <= 15, "{toy}: {outside}");
        let beyond = points.iter().flatten().filter(|v| v.abs() > 5.5).count();
        assert_eq!(beyond, 0, "{toy}");
    }
}

/// ⟨|x|²⟩ of each shape, integrated by hand from its formula.
#[test]
fn shapes_have_their_second_moments() {
    use std::f64::consts::PI;
    // Upper: 5.04 - 1.6/π; lower: 5.64 - 6.4/π; noise: 2 · 0.04.
    let moons = 0.5 * (5.04 - 1.6 / PI + 5.64 - 6.4 / PI) + 0.08;
    let pinwheel = 4.0 * (1.0 + 0.09 + 0.01);
    // ⟨t²⟩ = 9.75π².
    let swiss_roll = 9.75 * PI * PI / 25.0 + 0.08;
    // ⟨t²⟩ = 4.5π², 2⟨v²⟩/4 = 1/6, ⟨t sin t - t cos t⟩/2 = 1 - 4/(9π²) + 2/(3π).
    let cross = 1.0 - 4.0 / (9.0 * PI * PI) + 2.0 / (3.0 * PI);
    let spirals = (4.5 * PI * PI + 1.0 / 6.0 + cross) / 9.0 + 0.02;
    let n = 40_000;
    for (toy, expected) in [
        (Toy::Moons, moons),
        (Toy::Pinwheel, pinwheel),
        (Toy::SwissRoll, swiss_roll),
        (Toy::TwoSpirals, spirals),
    ] {
        let squares: Vec<f64> = draw(toy, n, 7)
            .iter()
            .map(|x| x[0] * x[0] + x[1] * x[1])
            .collect();
        let mean = squares.iter().sum::<f64>() / n as f64;
        let variance = squares.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / n as f64;
        let error = (variance / n as f64).sqrt();
        assert!(
            (mean - expected).abs() < 4.0 * error,
            "{toy}: {mean} ± {error}, {expected}"
        );
    }
}

/// Without noise the angle θ of a point follows from its radius r: ⟨cos⟩ of the difference is 1 then,
/// and 0 if the arms turn the other way.
#[test]
fn arms_turn_as_they_should() {
    for (toy, arms, along) in [
        (
            Toy::Pinwheel,
            5.0,
            (|r| -0.25 * f64::exp(0.5 * r)) as fn(f64) -> f64,
        ),
        (Toy::SwissRoll, 1.0, |r| 5.0 * r),
        (Toy::TwoSpirals, 2.0, |r| -3.0 * r),
    ] {
        let each = draw(toy, 20_000, 8).into_iter().map(|[x, y]| {
            let (r, angle) = (x.hypot(y), y.atan2(x));
            (arms * (angle - along(r))).cos()
        });
        let mean = each.sum::<f64>() / 20_000.0;
        assert!(mean > 0.5, "{toy}: {mean}");
    }
}
