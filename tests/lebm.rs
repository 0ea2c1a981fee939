//! The latent model beside PyTorch's values in f64, for fixed weights, images and noise.
//!
//! Reads `lebm_*` in the folder that the environment variable `ED_GOLDEN` names, `tests/golden` by
//! default. Every value is computed fused in f32, and in plain dfdx operations in f32 and f64.

#![allow(clippy::unwrap_used, clippy::panic)] // A test may.
#![allow(clippy::useless_conversion)] // In code that is also compiled for f32.

mod golden_files;

use energy_discrepancy::dfdx::prelude::*;
use energy_discrepancy::energy::Plain;
use energy_discrepancy::loss::Noise;
use energy_discrepancy::prelude::*;
use energy_discrepancy::train::{Ema, Optimiser};
use golden_files::{Folder, assert_close, assert_list, number, numbers};
use std::collections::BTreeMap;

type Tensors = BTreeMap<String, (Vec<usize>, Vec<f64>)>;

/// Round-off of the two number types, in shares of a list's largest entry. PyTorch's own f32 is
/// within 4e-7 everywhere.
fn tolerance<E>() -> f64 {
    if size_of::<E>() == 8 { 1e-9 } else { 5e-6 }
}

fn close<E>(what: &str, found: &[E], truth: &[f64])
where
    E: Copy + Into<f64>,
{
    let largest = truth.iter().fold(0.0, |most: f64, t| most.max(t.abs()));
    let found: Vec<f64> = found.iter().map(|v| (*v).into()).collect();
    assert_list(what, &found, truth, tolerance::<E>() * largest);
}

fn set(net: &mut dyn Parameters, prefix: &str, values: &Tensors) {
    for (name, parameter) in net.parameters_mut() {
        let (sizes, values) = &values[&format!("{prefix}{name}")];
        assert_eq!(&parameter.sizes(), sizes, "{name}");
        parameter
            .set(&values.iter().map(|v| *v as f32).collect::<Vec<_>>())
            .unwrap();
    }
}

fn nets(inputs: &Tensors) -> (Generator, LatentPrior) {
    let mut generator = Generator::new(16, 4, 0).unwrap();
    let mut prior = LatentPrior::new(16, 24, 0).unwrap();
    set(&mut generator, "G.", inputs);
    set(&mut prior, "E.", inputs);
    (generator, prior)
}

macro_rules! tensor {
    ($E:ident, $values:expr, $shape:expr) => {{
        let values: Vec<f64> = $values;
        device()
            .unwrap()
            .tensor_from_vec(values.iter().map(|v| *v as $E).collect(), $shape)
    }};
}

#[test]
fn the_small_model_agrees() {
    let folder = Folder::open();
    let (Some(inputs), Some(outputs), Some(manifest)) = (
        folder.tensors("lebm_small_inputs.safetensors"),
        folder.tensors("lebm_small_outputs.safetensors"),
        folder.json("lebm_small_manifest.json"),
    ) else {
        return;
    };
    let out = |name: &str| &outputs[&format!("{name}_f64")].1;
    let (generator, prior) = nets(&inputs);

    macro_rules! on_path {
        ($E:ident, $path:literal, $generator:expr, $prior:expr) => {{
            let (generator, prior) = ($generator, $prior);
            let z0: Points<$E> = tensor!($E, inputs["z0"].1.clone(), (4, 16));
            let pixels = inputs["x01"].1.iter().map(|x| 2.0 * x - 1.0).collect();
            let images: Points<$E> = tensor!($E, pixels, (4, 784));
            close(
                concat!("G ", $path),
                &generator.decode(&z0).unwrap().as_vec(),
                out("G_out"),
            );
            let (tilt, _) = prior.net().gradient(&z0).unwrap();
            close(concat!("f ", $path), &tilt.as_vec(), out("E_out"));

            let (errors, slopes) = generator.squared_error(&z0, &images).unwrap();
            let scale = 0.5 / (0.3 * 0.3);
            let sum: f64 = errors.as_vec().into_iter().map(f64::from).sum();
            let truth = number(&manifest["recon_term"]["f64"]);
            assert_close(
                concat!("errors ", $path),
                scale * sum,
                truth,
                tolerance::<$E>() * truth,
            );
            let slopes: Vec<f64> = slopes
                .as_vec()
                .into_iter()
                .map(|s| scale * f64::from(s))
                .collect();
            let slopes: Vec<$E> = slopes.into_iter().map(|s| s as $E).collect();
            close(
                concat!("gradient of errors ", $path),
                &slopes,
                out("grad_z_recon"),
            );
            let (_, slopes) = prior.net().gradient(&z0).unwrap();
            close(
                concat!("gradient of f ", $path),
                &slopes.as_vec(),
                out("grad_z_energy"),
            );

            let posterior = Posterior::new(&generator, &prior, &images, 0.3).unwrap();
            let noise = |name: &str, step: usize| -> Points<$E> {
                tensor!(
                    $E,
                    inputs[name].1[step * 64..(step + 1) * 64].to_vec(),
                    (4, 16)
                )
            };
            let mut z = z0.clone();
            for step in 0..20 {
                let langevin = Langevin::with_noise_std(0.1);
                z = langevin
                    .step(&posterior, &z, &noise("post_noise", step))
                    .unwrap()
                    .x;
                if let 1 | 3 | 20 = step + 1 {
                    let what = format!("posterior after {} steps, {}", step + 1, $path);
                    close(&what, &z.as_vec(), out(&format!("post_z_{}", step + 1)));
                }
            }
            // The taped energy has the same slope as the fused one.
            let taped = posterior
                .energy_taped(z.leaky_trace())
                .unwrap()
                .sum()
                .backward();
            let (_, slopes) = posterior.gradient(&z).unwrap();
            let truth: Vec<f64> = slopes.as_vec().into_iter().map(f64::from).collect();
            close(
                concat!("taped posterior ", $path),
                &taped.get(&z).as_vec(),
                &truth,
            );

            let mut w = z0.clone();
            for step in 0..5 {
                let langevin = Langevin::with_noise_std(0.2);
                w = langevin
                    .step(&prior, &w, &noise("prior_noise", step))
                    .unwrap()
                    .x;
                if let 1 | 5 = step + 1 {
                    let what = format!("prior after {} steps, {}", step + 1, $path);
                    close(&what, &w.as_vec(), out(&format!("prior_z_{}", step + 1)));
                }
            }

            // Both losses at the posterior's points, and all their gradients.
            let decoded = generator.decode_taped(z.leaky_trace()).unwrap();
            let loss_g = (decoded - images.clone()).square().sum::<Rank0, _>() / 4.0;
            let value = f64::from(loss_g.as_vec()[0]);
            let truth = number(&manifest["loss_g"]["f64"]);
            assert_close(
                concat!("loss_g ", $path),
                value,
                truth,
                tolerance::<$E>() * truth,
            );
            let mut gradients = loss_g.backward();
            let mut of_generator: Vec<$E> = Vec::new();
            for (_, parameter) in generator.parameters() {
                let mut list = vec![0.0; parameter.len()];
                parameter.read_gradient(&mut gradients, &mut list).unwrap();
                of_generator.extend(list);
            }
            close(
                concat!("gradient of loss_g ", $path),
                &of_generator,
                out("grad_G"),
            );
            let (mean, of_all) = generator.reconstruction_gradient(&z, &images).unwrap();
            assert_close(
                concat!("reconstruction ", $path),
                mean,
                truth,
                tolerance::<$E>() * truth,
            );
            close(
                concat!("gradient of the reconstruction ", $path),
                &of_all,
                out("grad_G"),
            );

            let loss = EnergyDiscrepancy::with_std(0.5).particles(16);
            let noise = Noise {
                shared: tensor!($E, inputs["ed_xi0"].1.clone(), (4, 16)),
                own: tensor!($E, inputs["ed_xi"].1.clone(), (4, 16, 16)),
            };
            let (loss_e, of_prior) = loss.gradient(&prior, &z, &noise).unwrap();
            let truth = number(&manifest["loss_e"]["f64"]);
            assert_close(
                concat!("loss_e ", $path),
                loss_e,
                truth,
                10.0 * tolerance::<$E>(),
            );
            let truth = out("grad_E");
            // The last bias has no gradient, and U's differences cancel: 10 times the round-off.
            let largest = truth.iter().fold(0.0, |most: f64, t| most.max(t.abs()));
            let found: Vec<f64> = of_prior.iter().map(|v| f64::from(*v)).collect();
            assert_list(
                concat!("gradient of loss_e ", $path),
                &found,
                truth,
                10.0 * tolerance::<$E>() * largest,
            );
            (of_generator, of_prior)
        }};
    }
    let device = device().unwrap();
    let double: (Generator<f64>, LatentPrior<f64>) = (
        generator.cast(&device).unwrap(),
        prior.cast(&device).unwrap(),
    );
    let (_, exact) = on_path!(f64, "plain f64", double.0, double.1.clone());
    on_path!(f32, "plain f32", Plain(generator.clone()), prior.clone());
    let (of_generator, _) = on_path!(f32, "fused f32", generator.clone(), prior.clone());

    // One step of each optimiser. Where a gradient is nearly 0, Adam's first step has the sign of
    // round-off: half a percent of the rate is what f32 can be held to elsewhere.
    let (mut adam, before) = (
        Adam::new(1e-4).betas(0.5, 0.999),
        generator.flat_parameters(),
    );
    let mut after = before.clone();
    let mut optimiser = Optimiser::new(adam, after.len()).unwrap();
    optimiser.step(&mut after, &of_generator, None).unwrap();
    let found: Vec<f64> = after.iter().map(|v| f64::from(*v)).collect();
    assert_list(
        "generator after a step",
        &found,
        &outputs["G_after_f32"].1,
        1e-6,
    );

    adam = Adam::new(5e-5).betas(0.5, 0.999);
    let mut after = double.1.flat_parameters();
    let mut mean = after.clone();
    let mut optimiser = Optimiser::new(adam, after.len()).unwrap();
    let ema = Ema {
        decay: 0.999,
        values: &mut mean,
    };
    optimiser.step(&mut after, &exact, Some(ema)).unwrap();
    // But for the last bias, whose gradient is round-off.
    let n = after.len() - 1;
    assert_list(
        "prior after a step",
        &after[..n],
        &out("E_after")[..n],
        1e-9,
    );
    assert_list("its mean", &mean[..n], &out("emaE_after")[..n], 1e-9);
}

/// The manifest's formula: a hash of the tensor's number and the index.
fn by_formula(net: &mut dyn Parameters, amplitude: f64, is_generator: bool) {
    for (p, (_, parameter)) in net.parameters_mut().into_iter().enumerate() {
        let sizes = parameter.sizes();
        let fan = match (sizes.len(), is_generator) {
            (1, _) => 30,
            (_, true) => sizes[0] * 4,
            (_, false) => sizes[1],
        };
        let scale = amplitude * (3.0 / fan as f64).sqrt();
        let value = |k: usize| {
            let mut h = (k as u32)
                .wrapping_mul(2_654_435_761)
                .wrapping_add((p as u32).wrapping_mul(362_437));
            for _ in 0..2 {
                h ^= h >> 16;
                h = h.wrapping_mul(0x045d_9f3b);
            }
            h ^= h >> 16;
            let u = f64::from(h) / 2f64.powi(32);
            (scale * (2.0 * u - 1.0)) as f32
        };
        let values: Vec<f32> = (0..parameter.len()).map(value).collect();
        parameter.set(&values).unwrap();
    }
}

#[test]
fn the_full_size_model_agrees() {
    let Some(golden) = Folder::open().json("lebm_full_formula.json") else {
        return;
    };
    let truth = &golden["f64"];
    let mut generator = Generator::new(64, 128, 0).unwrap();
    let mut prior = LatentPrior::new(64, 200, 0).unwrap();
    by_formula(&mut generator, 1.0, true);
    by_formula(&mut prior, 2.0, false);
    assert_eq!(generator.flat_parameters().len(), 7_870_209);

    let list = |n: usize, d: usize, f: &dyn Fn(f64, f64) -> f64| -> Vec<f32> {
        let rows = (0..n).flat_map(|b| (0..d).map(move |k| (b as f64, k as f64)));
        rows.map(|(b, k)| f(b, k) as f32).collect()
    };
    let cpu = device().unwrap();
    let points = |values: Vec<f32>, d: usize| -> Points { cpu.tensor_from_vec(values, (2, d)) };
    let z = points(list(2, 64, &|b, k| (0.7 * k + 1.1 * b).sin()), 64);
    let images = list(2, 784, &|b, p| 0.5 + 0.5 * (0.05 * p + b).sin());
    let images = points(images.into_iter().map(|x| 2.0 * x - 1.0).collect(), 784);

    let close = |what: &str, found: f64, truth: f64, scale: f64| {
        assert_close(what, found, truth, 2e-5 * scale.abs().max(truth.abs()));
    };
    let decoded: Vec<f64> = generator
        .decode(&z)
        .unwrap()
        .as_vec()
        .into_iter()
        .map(f64::from)
        .collect();
    close(
        "sum of images",
        decoded.iter().sum(),
        number(&truth["G_out_sum"]),
        0.0,
    );
    assert_list(
        "first pixels",
        &decoded[..6],
        &numbers(&truth["G_out_first"]),
        2e-5,
    );
    assert_list(
        "row 14, from column 10",
        &decoded[14 * 28 + 10..14 * 28 + 16],
        &numbers(&truth["G_out_row14"]),
        2e-5,
    );
    // The ordinary operations at this size too.
    let double = |list: Vec<f32>| list.into_iter().map(f64::from).collect::<Vec<_>>();
    let plain = Plain(generator.clone());
    let images_of_plain = double(plain.decode(&z).unwrap().as_vec());
    assert_list("plain images", &images_of_plain, &decoded, 2e-5);
    let (_, slope) = generator.squared_error(&z, &images).unwrap();
    let (_, slope_of_plain) = plain.squared_error(&z, &images).unwrap();
    let slope = double(slope.as_vec());
    let largest = slope.iter().fold(0.0, |most: f64, s| most.max(s.abs()));
    let slope_of_plain = double(slope_of_plain.as_vec());
    assert_list("plain slopes", &slope_of_plain, &slope, 2e-5 * largest);

    let tilt: Vec<f64> = prior
        .net()
        .energy(&z)
        .unwrap()
        .as_vec()
        .into_iter()
        .map(f64::from)
        .collect();
    assert_list("f", &tilt, &numbers(&truth["E_out"]), 2e-5);

    let posterior = Posterior::new(&generator, &prior, &images, 0.3).unwrap();
    let noise = points(list(2, 64, &|b, k| (1.7 * k + 0.2 * b).cos()), 64);
    let z1 = Langevin::with_noise_std(0.1)
        .step(&posterior, &z, &noise)
        .unwrap()
        .x;
    let first: Vec<f64> = z1.as_vec()[..6].iter().map(|v| f64::from(*v)).collect();
    assert_list("posterior step", &first, &numbers(&truth["z1_first"]), 2e-5);

    let (loss_g, of_generator) = generator.reconstruction_gradient(&z1, &images).unwrap();
    close("loss_g", loss_g, number(&truth["loss_g"]), 0.0);
    let own = (0..2).flat_map(|b| (0..16).flat_map(move |j| (0..64).map(move |k| (b, j, k))));
    let own =
        own.map(|(b, j, k)| (0.9 * f64::from(k) + 0.4 * f64::from(j) + f64::from(b)).sin() as f32);
    let noise = Noise {
        shared: points(list(2, 64, &|b, k| (0.3 * k + b).cos()), 64),
        own: cpu.tensor_from_vec(own.collect(), (2, 16, 64)),
    };
    let loss = EnergyDiscrepancy::with_std(0.5).particles(16);
    let (loss_e, of_prior) = loss.gradient(&prior, &z1, &noise).unwrap();
    // A small loss of energies of size 30.
    close("loss_e", loss_e, number(&truth["loss_e"]), 1.0);
    for (net, which, gradient) in [
        (&generator as &dyn Parameters, "G", &of_generator),
        (&prior as &dyn Parameters, "E", &of_prior),
    ] {
        let mut rest = gradient.as_slice();
        for (name, parameter) in net.parameters() {
            let (own, others) = rest.split_at(parameter.len());
            rest = others;
            let own: Vec<f64> = own.iter().map(|v| f64::from(*v)).collect();
            let truth = &truth[which][&name];
            let l2 = own.iter().map(|v| v * v).sum::<f64>().sqrt();
            if number(&truth["maxabs"]) < 1e-6 {
                continue; // The last bias of the prior: its gradient is round-off.
            }
            // Of the prior's gradient a digit less: the energies' differences cancel.
            let scale = if which == "E" { 20.0 } else { 1.0 } * number(&truth["l2"]);
            close(&format!("{name}, norm"), l2, number(&truth["l2"]), scale);
            let most = own.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
            close(
                &format!("{name}, largest"),
                most,
                number(&truth["maxabs"]),
                scale,
            );
            for (found, truth) in own.iter().zip(numbers(&truth["first"])) {
                close(&format!("{name}, first"), *found, truth, scale);
            }
        }
    }
}

#[test]
fn stopping_changes_no_bit_and_errors_name_the_value() {
    let model = || {
        let loss = EnergyDiscrepancy::with_std(0.5).particles(4);
        let (generator, prior) = (
            Generator::new(6, 2, 0).unwrap(),
            LatentPrior::new(6, 10, 1).unwrap(),
        );
        LatentEbm::new(generator, prior, loss)
            .batch(8)
            .posterior(3, 0.1, 0.3)
            .quiet()
    };
    let images: Points = device()
        .unwrap()
        .tensor_from_vec((0..20 * 784).map(|i| (i as f32).sin()).collect(), (20, 784));
    let mut whole = model().epochs(4);
    assert_eq!(whole.fit(&images).unwrap(), Stopped::AtEnd { steps: 12 });
    let mut parts = model().epochs(1);
    let _ = parts.fit(&images).unwrap();
    let mut parts = parts.epochs(4);
    let _ = parts.fit(&images).unwrap();
    assert_eq!(parts.history(), whole.history());
    assert_eq!(
        parts.generator().flat_parameters(),
        whole.generator().flat_parameters()
    );
    assert_eq!(parts.ema().flat_parameters(), whole.ema().flat_parameters());
    assert_ne!(
        whole.ema().flat_parameters(),
        whole.prior().flat_parameters()
    );

    // A rate at which the prior's energies leave all bounds.
    let mut wild = model()
        .optimisers(Adam::new(1e-4), Adam::new(30.0))
        .epochs(60);
    let said = wild.fit(&images).unwrap().to_string();
    assert!(said.contains("grow without bound"), "{said}");
    let weights = [
        wild.generator().flat_parameters(),
        wild.prior().flat_parameters(),
    ]
    .concat();
    assert!(weights.iter().all(|weight| weight.is_finite()));

    let message =
        |mut model: LatentEbm, images: &Points| model.fit(images).unwrap_err().to_string();
    assert!(message(model().batch(0), &images).contains("batch = 0"));
    assert!(message(model().decay(-1.0), &images).contains("learning rate decay = -1"));
    assert!(message(model().posterior(3, 0.1, 0.0), &images).contains("σ = 0"));
    let narrow: Points = device().unwrap().zeros_like(&(3, 783));
    assert!(message(model(), &narrow).contains("(N, 784)"));
    assert!(
        Generator::for_side(30, 8, 2, 0)
            .unwrap_err()
            .to_string()
            .contains("side = 30")
    );
    assert!(Generator::new(0, 2, 0).is_err() && LatentPrior::new(4, 0, 0).is_err());
    // Other sides, and one image alone.
    for side in [4, 8, 28, 32] {
        let generator = Generator::for_side(side, 5, 2, 3).unwrap();
        let z: Points = device().unwrap().ones_like(&(1, 5));
        let (fused, plain) = (
            generator.decode(&z).unwrap(),
            Plain(generator).decode(&z).unwrap(),
        );
        assert_eq!(fused.shape(), &(1, side * side));
        let plain: Vec<f64> = plain.as_vec().into_iter().map(f64::from).collect();
        close("one image", &fused.as_vec(), &plain);
    }
}
