//! Energies of a user's own that return too little or too much: an error that names them, from
//! whatever asks, and never a panic or a number.

#![allow(clippy::unwrap_used, clippy::panic)] // A test may.

use energy_discrepancy::dfdx::prelude::*;
use energy_discrepancy::energy::{Along, Jets};
use energy_discrepancy::eval::{
    density_on, log_density_mse, log_z, log_z_from_samples, mode_masses,
};
use energy_discrepancy::prelude::*;
use energy_discrepancy::sample::State;

/// U = 0 of all points but the last.
struct TooFew;

impl Energy for TooFew {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        let count = x.shape().0.saturating_sub(1);
        Ok(x.device().zeros_like(&(count,)).retaped())
    }
}

/// U = |x|²/2 with a gradient of its own, for twice as many points.
struct TooManySlopes;

impl Energy for TooManySlopes {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        Ok(x.square().sum::<_, Axis<1>>() * 0.5)
    }

    fn gradient(&self, x: &Points) -> Result<(Values, Points), Error> {
        let (points, d) = *x.shape();
        Ok((self.energy(x)?, x.device().zeros_like(&(2 * points, d))))
    }

    fn jets_taped(&self, x: &Points, _: Along) -> Result<Jets, Error> {
        let count = (2 * x.shape().0,);
        Ok(Jets {
            energy: self.energy(x)?,
            slopes: x.clone(),
            curvature: x.device().zeros_like(&count),
            tape: GradientTape::default(),
        })
    }
}

/// A density needs data to draw from: these are a normal density's.
macro_rules! density {
    ($Energy:ty) => {
        impl Data for $Energy {
            fn dimension(&self) -> usize {
                1
            }

            fn sample(&self, n: usize, rng: &mut Rng) -> Result<Points, Error> {
                normal().sample(n, rng)
            }
        }

        impl Density for $Energy {}
    };
}
density!(TooFew);
density!(TooManySlopes);

fn normal() -> GaussianMixture {
    GaussianMixture::new(&[1.0], &[[0.0]], &[1.0]).unwrap()
}

fn points() -> Points {
    normal().sample(8, &mut rng(0)).unwrap()
}

fn assert_names<T>(what: &str, result: Result<T, Error>, parts: [&str; 3]) {
    let Err(error) = result else {
        panic!("{what} does not see the wrong shape");
    };
    for part in parts {
        let said = error.to_string();
        assert!(said.contains(part), "{what}: \"{said}\" lacks \"{part}\"");
    }
}

/// One step from the points.
fn step(sampler: &dyn Sampler, energy: &dyn Energy) -> Result<(), Error> {
    sampler
        .step(energy, &mut State::at(&points()), &mut rng(1))
        .map(|_| ())
}

/// The loss on the points.
fn value(mut loss: impl Loss, energy: &dyn Energy) -> Result<f64, Error> {
    loss.evaluate(energy, &points(), &mut rng(1))
}

#[test]
fn samplers_name_the_energy_that_returns_too_few_values() {
    let parts = ["U from wrong_energies::TooFew", "(7,)", "(8,)"];
    let mala = Mala::with_step_size(0.1);
    assert_names(
        "Langevin",
        step(&Langevin::with_step_size(0.1), &TooFew),
        parts,
    );
    assert_names("MALA", step(&mala, &TooFew), parts);
    let chain = mala.chain(&TooFew, &points(), 2, None, &mut rng(1));
    assert_names("a chain", chain, parts);
}

#[test]
fn samplers_name_the_energy_that_returns_too_many_slopes() {
    let parts = ["∇U from wrong_energies::TooManySlopes", "(16, 1)", "(8, 1)"];
    let langevin = Langevin::with_step_size(0.1);
    assert_names("Langevin", step(&langevin, &TooManySlopes), parts);
    assert_names(
        "MALA",
        step(&Mala::with_step_size(0.1), &TooManySlopes),
        parts,
    );
}

#[test]
fn losses_name_the_energy() {
    let parts = |found, expected| ["U from wrong_energies::TooFew", found, expected];
    let found = value(EnergyDiscrepancy::with_std(1.0), &TooFew);
    assert_names("energy discrepancy", found, parts("(39,)", "(40,)"));
    let found = value(ContrastiveDivergence::default(), &TooFew);
    assert_names("contrastive divergence", found, parts("(7,)", "(8,)"));
    let grid = Quadrature::interval(-8.0..8.0, 21).unwrap();
    let found = value(MaximumLikelihood::on(grid), &TooFew);
    assert_names("likelihood", found, parts("(28,)", "(29,)"));

    let parts = [
        "second derivative from wrong_energies::TooManySlopes",
        "(16,)",
        "(8,)",
    ];
    let value = value(ScoreMatching, &TooManySlopes);
    assert_names("score matching", value, parts);
    let parts = [
        "∇ log p from wrong_energies::TooManySlopes",
        "(16,)",
        "(8,)",
    ];
    let value = fisher_divergence(&normal(), &TooManySlopes, &points());
    assert_names("the Fisher divergence", value, parts);
}

#[test]
fn evaluation_names_the_energy() {
    let grid = Quadrature::interval(-8.0..8.0, 21).unwrap();
    let parts = ["U from wrong_energies::TooFew", "(20,)", "(21,)"];
    assert_names("log Z", log_z(&TooFew, &grid), parts);
    assert_names("the density", density_on(&TooFew, &grid), parts);
    assert_names("the masses", mode_masses(&TooFew, &[[0.0]], &grid), parts);
    let model = Comparison::on(&TooFew, &normal(), &grid);
    assert_names("the comparison", model, parts);
    let truth = Comparison::on(&normal(), &TooFew, &grid);
    let parts = ["log p from wrong_energies::TooFew", "(20,)", "(21,)"];
    assert_names("the comparison", truth, parts);

    let parts = ["U from wrong_energies::TooFew", "(7,)", "(8,)"];
    let x = points();
    let model = log_z_from_samples(&TooFew, &normal(), &x);
    assert_names("log Z from samples", model, parts);
    let model = log_density_mse(&TooFew, &normal(), &x);
    assert_names("the error", model, parts);
    let parts = ["log p from wrong_energies::TooFew", "(7,)", "(8,)"];
    let truth = log_density_mse(&normal(), &TooFew, &x);
    assert_names("the error", truth, parts);
    let metric = LogDensityMse::new(TooFew, 8).evaluate(&normal(), &mut rng(1));
    assert_names("the metric", metric, parts);
}

#[test]
fn no_points_have_no_values_and_no_values_of_a_point_are_an_error() {
    let (langevin, mala) = (Langevin::with_step_size(0.1), Mala::with_step_size(0.1));
    let points = |count: usize| -> Points { device().unwrap().zeros_like(&(count, 1)) };
    let mut rng = rng(1);
    for end in [
        langevin.chain(&TooFew, &points(0), 2, None, &mut rng),
        mala.chain(&TooFew, &points(0), 2, None, &mut rng),
    ] {
        assert_eq!(end.unwrap().last.shape(), &(0, 1));
    }
    let parts = ["U from wrong_energies::TooFew", "(0,)", "(1,)"];
    let end = langevin.chain(&TooFew, &points(1), 2, None, &mut rng);
    assert_names("a chain", end, parts);
}

/// A mixture's data with an energy that is no number: everywhere, or where x > 0.
struct NoNumber(bool);

impl Energy for NoNumber {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        let part = if self.0 {
            x * f32::NAN
        } else {
            x.negate().sqrt()
        };
        Ok(part.sum::<_, Axis<1>>())
    }
}
density!(NoNumber);

#[test]
fn what_is_no_number_stays_none() {
    let grid = Quadrature::interval(-8.0..8.0, 21).unwrap();
    let x = points();
    for energy in [NoNumber(true), NoNumber(false)] {
        assert!(log_z(&energy, &grid).unwrap().is_nan());
        assert!(
            density_on(&energy, &grid)
                .unwrap()
                .iter()
                .all(|p| p.is_nan())
        );
        let masses = mode_masses(&energy, &[[-1.0], [1.0]], &grid).unwrap();
        assert!(masses.iter().all(|mass| mass.is_nan()));
        assert!(log_z_from_samples(&energy, &normal(), &x).unwrap().is_nan());
        assert!(log_density_mse(&energy, &normal(), &x).unwrap().is_nan());
        for (model, truth) in [
            (&energy as &dyn Energy, &normal() as &dyn Density),
            (&normal(), &energy),
        ] {
            let found = Comparison::on(model, truth, &grid).unwrap();
            assert!(
                found.kl.is_nan() && found.total_variation.is_nan(),
                "{found:?}"
            );
        }
        assert!(
            value(MaximumLikelihood::on(grid.clone()), &energy)
                .unwrap()
                .is_nan()
        );
        assert!(
            value(EnergyDiscrepancy::with_std(1.0), &energy)
                .unwrap()
                .is_nan()
        );
    }
    let distance = |y: f32| {
        let x: Points = device().unwrap().tensor_from_vec(vec![0.0, 1.0, y], (3, 1));
        energy_discrepancy::eval::energy_distance(&x, &(x.clone() * 2.0)).unwrap()
    };
    assert!(distance(2.0).is_finite() && distance(f32::NAN).is_nan());
    let nowhere = mode_masses(&normal(), &[[f64::NAN], [1.0]], &grid);
    assert_names("the masses", nowhere, ["centre 0", "not finite", ""]);
    // An energy that is infinite everywhere has Z = 0.
    struct Infinite;
    impl Energy for Infinite {
        fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
            Ok(x.sum::<_, Axis<1>>() * 0.0 + f32::INFINITY)
        }
    }
    assert_eq!(log_z(&Infinite, &grid).unwrap(), f64::NEG_INFINITY);
}

#[test]
fn chains_say_when_they_run_away() {
    struct Falls;
    impl Energy for Falls {
        fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
            Ok(x.square().sum::<_, Axis<1>>() * -50.0)
        }
    }
    let (langevin, mala) = (Langevin::with_step_size(1.0), Mala::with_step_size(0.1));
    let end = langevin.chain(&Falls, &points(), 1000, None, &mut rng(1));
    assert_names("a chain", end, ["in step", "finite", "falls without bound"]);
    let nowhere = points() * f32::NAN;
    for end in [
        langevin.chain(&normal(), &nowhere, 5, None, &mut rng(1)),
        mala.chain(&normal(), &nowhere, 5, None, &mut rng(1)),
    ] {
        assert_names("a chain", end, ["start", "not finite", ""]);
    }
    let end = mala.chain(&NoNumber(true), &points(), 5, None, &mut rng(1));
    assert_names(
        "MALA",
        end,
        ["NoNumber", "is not a number at point 0", "cannot move"],
    );
    let end = Langevin::with_noise_std(-0.1).chain(&normal(), &points(), 5, None, &mut rng(1));
    assert_names("Langevin", end, ["step size = -0.01", "positive", ""]);
}
