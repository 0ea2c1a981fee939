//! The myopia experiment against golden values: sampled losses on fixed data and noise, and
//! population losses by quadrature.

#![allow(clippy::unwrap_used)] // A test may.

mod oracle;

use energy_discrepancy::prelude::*;
use oracle::{Given, groups, singles};
use serde_json::Value;

fn mixture(rho: f64) -> GaussianMixture {
    GaussianMixture::new(&[rho, 1.0 - rho], &[[-5.0], [5.0]], &[1.0, 1.0]).unwrap()
}

/// tests/golden/myopia_fixed_input.json: 64 points and their noise, drawn in f32, and the losses
/// that PyTorch's formulae give for them in f64.
struct Golden(Value);

impl Golden {
    fn read() -> Self {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/golden/myopia_fixed_input.json"
        );
        Self(serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
    }

    fn numbers(&self, pointer: &str) -> Vec<f64> {
        let list = self.0.pointer(pointer).unwrap().as_array().unwrap();
        list.iter().map(|number| number.as_f64().unwrap()).collect()
    }
}

fn assert_close(name: &str, found: f64, expected: f64, tolerance: f64) {
    let error = (found - expected).abs();
    assert!(
        error <= tolerance,
        "{name}: {found} instead of {expected}, off by {error:e}"
    );
}

#[test]
fn losses_on_fixed_data_equal_the_golden_values() {
    let golden = Golden::read();
    let (rows, shared, own) = (
        golden.numbers("/x"),
        golden.numbers("/xi0"),
        golden.numbers("/xi"),
    );
    let x = points(singles(&rows), (64, 1)).unwrap();
    for (i, rho) in golden.numbers("/rho").into_iter().enumerate() {
        let model = mixture(rho);
        let energy = |x: &f64| -model.log_density(&[*x]).unwrap();
        let expected = |name: &str| golden.numbers(&format!("/f64/{name}"))[i];
        for t in [2.0, 4.0, 8.0, 32.0] {
            let expected = expected(&format!("ED_t{t}"));
            let noise = Given {
                std: f64::sqrt(t),
                shared: singles(&shared),
                own: singles(&own),
            };
            let mut loss = EnergyDiscrepancy::with(noise)
                .particles(4)
                .stabilisation(1.0);
            let found = loss.evaluate(&model, &x, &mut rng(0)).unwrap();
            assert_close("ED in f32", found, expected, 1e-5);
            // The formula, on energies in f64.
            let numbers: Vec<f64> = groups(&rows, 1, f64::sqrt(t), &shared, &own)
                .iter()
                .map(energy)
                .collect();
            let terms = loss.terms(&model, &x, &mut rng(0)).unwrap();
            let found = terms.evaluate(&numbers, &mut vec![0.0; numbers.len()]);
            assert_close("ED", found, expected, 1e-9);
        }
        let nll = rows.iter().map(energy).sum::<f64>() / 64.0;
        assert_close("MLE", nll, expected("MLE"), 1e-9);
        let fisher = fisher_divergence(&mixture(0.2), &model, &x).unwrap();
        // About 1e-20: the difference of two scores that agree to their last digit.
        assert_close("SM", fisher, expected("SM"), 1e-17);
    }
}

/// tests/golden/myopia_population.csv: each loss by quadrature in f64 at ρ = .01, .02, ... .98,
/// printed with 12 significant digits.
fn population_table() -> (Vec<String>, Vec<Vec<f64>>) {
    let text = include_str!("golden/myopia_population.csv");
    let mut lines = text.lines();
    let header = lines
        .next()
        .unwrap()
        .split(',')
        .map(str::to_owned)
        .collect();
    let row = |line: &str| line.split(',').map(|cell| cell.parse().unwrap()).collect();
    (header, lines.map(row).collect())
}

#[test]
fn quadrature_equals_the_reference_curves() {
    let (header, rows) = population_table();
    assert_eq!(rows.len(), 98);
    let data = Population::new(&mixture(0.2)).unwrap();
    for row in &rows {
        let model = mixture(row[0]);
        for (name, expected) in header.iter().zip(row).skip(1) {
            let variance = || name.rsplit('t').next().unwrap().parse::<f64>().unwrap();
            let found = match name.as_str() {
                "MLE" => data.cross_entropy(&model),
                "SM" => data.fisher_divergence(&model),
                limit if limit.starts_with("EDinf_t") => {
                    data.energy_discrepancy_limit(&model, variance())
                }
                _ => data.energy_discrepancy(&model, variance(), 4, 1.0),
            };
            let name = format!("{name} at ρ = {}", row[0]);
            assert_close(&name, found.unwrap(), *expected, 1e-8);
            if name.starts_with("SM") {
                // Far below the tolerance above, so once more, relatively.
                let found = data.fisher_divergence(&model).unwrap();
                assert_close(&name, found, *expected, 1e-8 * expected + 1e-16);
            }
        }
    }
}

#[test]
fn four_thousand_samples_estimate_the_population_loss() {
    let data = Population::new(&mixture(0.2)).unwrap();
    let x = mixture(0.2).sample(4096, &mut rng(11)).unwrap();
    for t in [4.0, 8.0, 32.0] {
        let mut loss = EnergyDiscrepancy::with_variance(t)
            .particles(4)
            .stabilisation(1.0);
        let sampled = loss.evaluate(&mixture(0.8), &x, &mut rng(12)).unwrap();
        let exact = data.energy_discrepancy(&mixture(0.8), t, 4, 1.0).unwrap();
        // The summand's standard deviation is below 2 (PyTorch reruns): 5 standard errors.
        assert_close("sampled ED", sampled, exact, 5.0 * 2.0 / 64.0);
    }
}
