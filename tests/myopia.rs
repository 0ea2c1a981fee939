//! The myopia experiment against golden values: sampled losses on fixed data and noise, and
//! population losses by quadrature.

#![allow(clippy::unwrap_used)] // A test may.

use energy_discrepancy::dfdx::prelude::*;
use energy_discrepancy::loss::Noise;
use energy_discrepancy::prelude::*;
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
    let cpu = device().unwrap();
    let x: Points<f64> = cpu.tensor_from_vec(golden.numbers("/x"), (64, 1));
    let noise = Noise {
        shared: cpu.tensor_from_vec(golden.numbers("/xi0"), (64, 1)),
        own: cpu.tensor_from_vec(golden.numbers("/xi"), (64, 4, 1)),
    };
    for (i, rho) in golden.numbers("/rho").into_iter().enumerate() {
        let model = mixture(rho);
        let expected = |name: &str| golden.numbers(&format!("/f64/{name}"))[i];
        for t in [2, 4, 8, 32] {
            let loss = EnergyDiscrepancy::with_variance(f64::from(t))
                .particles(4)
                .stabilisation(1.0);
            let found = loss.evaluate(&model, &x, &noise).unwrap();
            assert_close("ED", found, expected(&format!("ED_t{t}")), 1e-9);
        }
        let nll = model.energy(&x).unwrap().mean().array();
        assert_close("MLE", nll, expected("MLE"), 1e-9);
        let fisher = fisher_divergence(&mixture(0.2), &model, &x).unwrap();
        // About 1e-20: the difference of two scores that agree to their last digit.
        assert_close("SM", fisher, expected("SM"), 1e-17);
    }
}

#[test]
fn single_precision_agrees_to_its_precision() {
    let golden = Golden::read();
    let cpu = device().unwrap();
    let single = |pointer: &str| {
        golden
            .numbers(pointer)
            .into_iter()
            .map(|v| v as f32)
            .collect()
    };
    let x: Points = cpu.tensor_from_vec(single("/x"), (64, 1));
    let noise = Noise {
        shared: cpu.tensor_from_vec(single("/xi0"), (64, 1)),
        own: cpu.tensor_from_vec(single("/xi"), (64, 4, 1)),
    };
    for (i, rho) in golden.numbers("/rho").into_iter().enumerate() {
        for t in [2, 4, 8, 32] {
            let loss = EnergyDiscrepancy::with_variance(f64::from(t))
                .particles(4)
                .stabilisation(1.0);
            let found = loss.evaluate(&mixture(rho), &x, &noise).unwrap();
            let expected = golden.numbers(&format!("/f64/ED_t{t}"))[i];
            assert_close("ED in f32", found, expected, 1e-5);
        }
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
    let x: Points<f64> = mixture(0.2).sample(4096, &mut rng(11)).unwrap();
    for t in [4.0, 8.0, 32.0] {
        let loss = EnergyDiscrepancy::with_variance(t)
            .particles(4)
            .stabilisation(1.0);
        let noise = loss.draw(&x, &mut rng(12)).unwrap();
        let sampled = loss.evaluate(&mixture(0.8), &x, &noise).unwrap();
        let exact = data.energy_discrepancy(&mixture(0.8), t, 4, 1.0).unwrap();
        // The summand's standard deviation is below 2 (PyTorch reruns): 5 standard errors.
        assert_close("sampled ED", sampled, exact, 5.0 * 2.0 / 64.0);
    }
}
