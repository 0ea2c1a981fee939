//! The GPU against the CPU, in ordinary dfdx operations on both: built with the feature `cuda`, and run where
//! a GPU is (`make test CUDA=1`) or stand-ins for it (`make test-cuda-on-cpu`). Noise is drawn on the host, so
//! that both see the same.

#![cfg(feature = "cuda")]
#![allow(clippy::unwrap_used)] // A test may.

use energy_discrepancy::dfdx::prelude::*;
use energy_discrepancy::energy::{Activation, Plain};
use energy_discrepancy::loss::Behind;
use energy_discrepancy::prelude::*;

fn gpu() -> Cuda {
    device().unwrap()
}

/// The driver reads once, for the whole process, which GPUs to hide: the test runs itself once more.
#[test]
fn without_a_gpu_there_is_an_error() {
    let hidden = "CUDA_VISIBLE_DEVICES";
    if std::env::var(hidden).as_deref() == Ok("") {
        let error = device().unwrap_err().to_string();
        assert!(error.contains("no GPU can be used"), "{error}");
        return;
    }
    let again = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "without_a_gpu_there_is_an_error", "--nocapture"])
        .env(hidden, "")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(again.status.success() && said.is_empty(), "{said}");
}

/// Two points of each Gaussian of a grid, and of nothing else.
fn points<Dev: Device<f64>>(device: &Dev) -> Points<f64, Dev> {
    let values = (0..50).flat_map(|i| [f64::from(i % 5) - 2.0, f64::from(i / 10) - 2.0]);
    device.tensor_from_vec(values.map(|x| 1.1 * x).collect(), (50, 2))
}

/// Compares lists; errors are measured by the largest value, and at least 1. Sums in another order
/// differ by some 1e-15 of it.
fn assert_near(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1.0, |a: f64, b| a.max(b.abs()));
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found - expected).abs();
        assert!(
            error <= 1e-10 * largest,
            "{what} [{i}]: {found} instead of {expected}"
        );
    }
}

fn nets() -> impl Iterator<Item = (Mlp<f64, Cpu>, Mlp<f64, Cuda>)> {
    let activations = [
        Activation::Softplus,
        Activation::Silu,
        Activation::Tanh,
        Activation::LeakyRelu(0.2),
    ];
    activations.into_iter().map(|activation| {
        let net = Mlp::new(&[2, 16, 16, 1], activation, 1).unwrap();
        (
            net.cast(&Cpu::default()).unwrap(),
            net.cast(&gpu()).unwrap(),
        )
    })
}

#[test]
fn energies_and_their_gradients_agree() {
    let (here, there) = (points(&Cpu::default()), points(&gpu()));
    for (cpu, cuda) in nets() {
        let (expected, found) = (cpu.gradient(&here).unwrap(), cuda.gradient(&there).unwrap());
        assert_near("energy", &found.0.as_vec(), &expected.0.as_vec());
        assert_near("gradient", &found.1.as_vec(), &expected.1.as_vec());
    }
    let mixture = toy::gaussians_25();
    let (expected, found) = (
        mixture.gradient(&here).unwrap(),
        mixture.gradient(&there).unwrap(),
    );
    assert_near("mixture", &found.0.as_vec(), &expected.0.as_vec());
    assert_near(
        "mixture's gradient",
        &found.1.as_vec(),
        &expected.1.as_vec(),
    );
}

/// A loss and its gradient on both devices, for the same noise.
fn compare<L>(what: &str, loss: &L)
where
    L: Loss<f64, Cpu> + Loss<f64, Cuda>,
    Mlp<f64, Cpu>: Behind<<L as Loss<f64, Cpu>>::Of<'static>>,
    Mlp<f64, Cuda>: Behind<<L as Loss<f64, Cuda>>::Of<'static>>,
{
    let (here, there) = (points(&Cpu::default()), points(&gpu()));
    for (cpu, cuda) in nets() {
        let noise = Loss::<f64, Cpu>::draw(loss, &here, &mut rng(2)).unwrap();
        let (expected, slopes) = loss.gradient(&cpu, &here, &noise).unwrap();
        let noise = Loss::<f64, Cuda>::draw(loss, &there, &mut rng(2)).unwrap();
        let (found, own) = loss.gradient(&cuda, &there, &noise).unwrap();
        assert_near(what, &[found], &[expected]);
        assert_near(what, &own, &slopes);
    }
}

#[test]
fn losses_and_their_gradients_agree() {
    compare("ED", &EnergyDiscrepancy::with_std(0.7).particles(3));
    compare("SM", &ScoreMatching);
    compare("CD", &ContrastiveDivergence::default().steps(3));
    let grid = Quadrature::square(-4.0..4.0, 31).unwrap();
    compare("MLE", &MaximumLikelihood::on(grid));
}

#[test]
fn a_training_ends_with_the_same_weights() {
    let data = toy::gaussians_25();
    let loss = || EnergyDiscrepancy::with_std(1.0).particles(4);
    for (cpu, cuda) in nets() {
        let mut here = Trainer::on_backend(cpu, loss()).steps(20).batch(32).quiet();
        let mut there = Trainer::on_backend(cuda, loss())
            .steps(20)
            .batch(32)
            .quiet();
        let _ = here.fit(&data).unwrap();
        let _ = there.fit(&data).unwrap();
        let (mut found, mut expected) = (
            there.energy().flat_parameters(),
            here.energy().flat_parameters(),
        );
        // The loss does not see the last bias. Its gradient is round-off, of which Adam makes steps.
        assert!((found.pop().unwrap() - expected.pop().unwrap()).abs() < 1e-7);
        assert_near("weights", &found, &expected);
    }
}

#[test]
fn chains_agree() {
    let (here, there) = (points(&Cpu::default()), points(&gpu()));
    for (cpu, cuda) in nets() {
        let langevin = Langevin::with_step_size(0.01);
        let expected = langevin.chain(&cpu, &here, 5, None, &mut rng(3)).unwrap();
        let found = langevin.chain(&cuda, &there, 5, None, &mut rng(3)).unwrap();
        assert_near("Langevin", &found.last.as_vec(), &expected.last.as_vec());
        let mala = Mala::with_step_size(0.01);
        let expected = mala.chain(&cpu, &here, 5, None, &mut rng(3)).unwrap();
        let found = mala.chain(&cuda, &there, 5, None, &mut rng(3)).unwrap();
        assert_near("MALA", &found.last.as_vec(), &expected.last.as_vec());
    }
}

#[test]
fn generators_agree() {
    let generator = Generator::new(8, 2, 0).unwrap();
    let cpu: Plain<Generator<f64, Cpu>> = Plain(generator.cast(&Cpu::default()).unwrap());
    let cuda: Plain<Generator<f64, Cuda>> = Plain(generator.cast(&gpu()).unwrap());
    let values: Vec<f64> = (0..24).map(|i| f64::from(i % 7) / 3.0 - 1.0).collect();
    let here: Points<f64, Cpu> = Cpu::default().tensor_from_vec(values.clone(), (3, 8));
    let there: Points<f64, Cuda> = gpu().tensor_from_vec(values, (3, 8));
    let images = cpu.decode(&here).unwrap();
    assert_near(
        "images",
        &cuda.decode(&there).unwrap().as_vec(),
        &images.as_vec(),
    );
    let (black, dark) = (
        Cpu::default().zeros_like(&images),
        gpu().zeros_like(&cuda.decode(&there).unwrap()),
    );
    let expected = cpu.squared_error(&here, &black).unwrap();
    let found = cuda.squared_error(&there, &dark).unwrap();
    assert_near("errors", &found.0.as_vec(), &expected.0.as_vec());
    assert_near("slopes", &found.1.as_vec(), &expected.1.as_vec());
}
