//! The latent model beside PyTorch's values in f64, for fixed weights, images and noise.
//!
//! Reads `lebm_*` in the folder that the environment variable `ED_GOLDEN` names, `tests/golden` by
//! default. Every value is computed by the fused operations and in plain dfdx operations.

#![allow(clippy::unwrap_used, clippy::panic)] // A test may.

mod golden_files;
mod oracle;

use energy_discrepancy::dfdx::prelude::*;
use energy_discrepancy::energy::Plain;
use energy_discrepancy::lebm::reconstruction_gradient;
use energy_discrepancy::prelude::*;
use energy_discrepancy::sample::State;
use golden_files::{Folder, assert_close, assert_list, number, numbers};
use oracle::{Given, Oracle, doubles, groups, singles};
use std::collections::BTreeMap;

type Tensors = BTreeMap<String, (Vec<usize>, Vec<f64>)>;

/// Round-off of single precision, in shares of a list's largest entry. PyTorch's own is within 4e-7
/// everywhere.
const SINGLE: f64 = 5e-6;

fn close(what: &str, found: &[f32], truth: &[f64]) {
    assert_list(what, &doubles(found), truth, SINGLE);
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

    let rows = |name: &str, at: usize| singles(&inputs[name].1[at * 64..(at + 1) * 64]);
    let z0 = points(rows("z0", 0), (4, 16)).unwrap();
    let pixels: Vec<f64> = inputs["x01"].1.iter().map(|x| 2.0 * x - 1.0).collect();
    let images = points(singles(&pixels), (4, 784)).unwrap();
    let plain = Plain(generator.clone());
    small_model(
        "fused",
        &generator,
        &prior,
        (&z0, &images),
        &rows,
        &out,
        &manifest,
    );
    small_model(
        "plain",
        &plain,
        &prior,
        (&z0, &images),
        &rows,
        &out,
        &manifest,
    );

    // Energy discrepancy at the posterior's points, and its gradient: of single precision, and of the formula.
    let z = &out("post_z_20")[..];
    let (shared, own) = (&inputs["ed_xi0"].1, &inputs["ed_xi"].1);
    let noise = Given {
        std: 0.5,
        shared: singles(shared),
        own: singles(own),
    };
    let mut loss = EnergyDiscrepancy::with(noise).particles(16);
    let x = points(singles(z), (4, 16)).unwrap();
    let (value, of_prior) = loss.gradient(&prior, &x, &mut rng(0)).unwrap();
    let truth = number(&manifest["loss_e"]["f64"]);
    // U's differences cancel: 10 times the round-off.
    assert_close("loss_e", value, truth, 10.0 * SINGLE);
    assert_list(
        "gradient of loss_e",
        &doubles(&of_prior),
        out("grad_E"),
        10.0 * SINGLE,
    );
    let terms = loss.terms(&prior, &x, &mut rng(0)).unwrap();
    let rows = groups(z, 16, 0.5, shared, own);
    let (value, exact) = Oracle::of_prior(&prior).loss(&terms, &rows);
    assert_close("formula of loss_e", value, truth, 5e-9);
    assert_list("gradient of the formula", &exact, out("grad_E"), 5e-9);

    // One step of each optimiser. Where a gradient is nearly 0, Adam's first step has the sign of
    // round-off: half a percent of the rate is what f32 can be held to elsewhere.
    let mut of_generator = vec![0.0; generator.flat_parameters().len()];
    reconstruction_gradient(&generator, &x, &images, &mut of_generator).unwrap();
    let mut after = generator.flat_parameters();
    let mut adam = Adam::new(1e-4).betas(0.5, 0.999);
    adam.step(1, 1.0, &mut after, &of_generator).unwrap();
    assert_list(
        "generator after a step",
        &doubles(&after),
        &outputs["G_after_f32"].1,
        1e-6,
    );
    let mut after = prior.flat_parameters();
    let mut adam = Adam::new(5e-5).betas(0.5, 0.999);
    adam.step(1, 1.0, &mut after, &singles(&exact)).unwrap();
    // But for the last bias, whose gradient is round-off.
    let n = after.len() - 1;
    assert_list(
        "prior after a step",
        &doubles(&after)[..n],
        &out("E_after")[..n],
        1e-6,
    );
}

/// All but the energy discrepancy, for a generator in one of its ways.
fn small_model<'a, G: Decoder + Parameters>(
    way: &str,
    generator: &G,
    prior: &LatentPrior,
    (z0, images): (&Points, &Points),
    rows: &dyn Fn(&str, usize) -> Vec<f32>,
    out: &dyn Fn(&str) -> &'a Vec<f64>,
    manifest: &serde_json::Value,
) {
    let close =
        |what: &str, found: &[f32], name: &str| close(&format!("{what}, {way}"), found, out(name));
    close("G", &to_vec(&generator.decode(z0).unwrap()), "G_out");
    let (tilt, slopes) = prior.tilt().unwrap().gradient(z0).unwrap();
    close("f", &to_vec(&tilt), "E_out");
    close("gradient of f", &to_vec(&slopes), "grad_z_energy");

    let (errors, slopes) = generator.squared_error(z0, images).unwrap();
    let scale = 0.5 / (0.3 * 0.3);
    let sum: f64 = doubles(&to_vec(&errors)).iter().sum();
    let truth = number(&manifest["recon_term"]["f64"]);
    assert_close("errors", scale * sum, truth, SINGLE * truth);
    let slopes: Vec<f32> = to_vec(&slopes)
        .into_iter()
        .map(|s| scale as f32 * s)
        .collect();
    close("gradient of errors", &slopes, "grad_z_recon");

    let posterior = Posterior::new(generator, prior, images, 0.3).unwrap();
    let mut state = State::at(z0);
    for step in 0..20 {
        let langevin = Langevin::with_noise_std(0.1);
        langevin
            .step_with(&posterior, &mut state, &rows("post_noise", step))
            .unwrap();
        if let 1 | 3 | 20 = step + 1 {
            let name = format!("post_z_{}", step + 1);
            close("posterior", state.rows(), &name);
        }
    }
    // The taped energy has the same slope as the other.
    let z = state.x().unwrap();
    let taped = posterior
        .energy_taped(z.leaky_trace())
        .unwrap()
        .sum()
        .backward();
    let slopes = doubles(&to_vec(&posterior.gradient(&z).unwrap().1));
    assert_list(
        "taped posterior",
        &doubles(&taped.get(&z).as_vec()),
        &slopes,
        SINGLE,
    );

    let mut state = State::at(z0);
    for step in 0..5 {
        let langevin = Langevin::with_noise_std(0.2);
        langevin
            .step_with(prior, &mut state, &rows("prior_noise", step))
            .unwrap();
        if let 1 | 5 = step + 1 {
            close("prior", state.rows(), &format!("prior_z_{}", step + 1));
        }
    }

    // The reconstruction at the posterior's points, on a tape and without.
    let decoded = generator.decode_taped(z.leaky_trace()).unwrap();
    let loss = (decoded - images.clone()).square().sum::<Rank0, _>() / 4.0;
    let truth = number(&manifest["loss_g"]["f64"]);
    assert_close("loss_g", f64::from(loss.array()), truth, SINGLE * truth);
    let mut gradients = loss.backward();
    let mut taped = Vec::new();
    for (_, parameter) in generator.parameters() {
        let mut list = vec![0.0; parameter.len()];
        parameter.read_gradient(&mut gradients, &mut list).unwrap();
        taped.extend(list);
    }
    close("gradient of loss_g", &taped, "grad_G");
    let mut all = vec![f32::NAN; taped.len()];
    let mean = reconstruction_gradient(generator, &z, images, &mut all).unwrap();
    assert_close("reconstruction", mean, truth, SINGLE * truth);
    close("gradient of the reconstruction", &all, "grad_G");
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
    let two = |values: Vec<f32>, d: usize| points(values, (2, d)).unwrap();
    let z = two(list(2, 64, &|b, k| (0.7 * k + 1.1 * b).sin()), 64);
    let images = list(2, 784, &|b, p| 0.5 + 0.5 * (0.05 * p + b).sin());
    let images = two(images.into_iter().map(|x| 2.0 * x - 1.0).collect(), 784);

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
    let double = |list: Vec<f32>| doubles(&list);
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
        .tilt()
        .unwrap()
        .energy(&z)
        .unwrap()
        .as_vec()
        .into_iter()
        .map(f64::from)
        .collect();
    assert_list("f", &tilt, &numbers(&truth["E_out"]), 2e-5);

    let posterior = Posterior::new(&generator, &prior, &images, 0.3).unwrap();
    let noise = list(2, 64, &|b, k| (1.7 * k + 0.2 * b).cos());
    let mut state = State::at(&z);
    Langevin::with_noise_std(0.1)
        .step_with(&posterior, &mut state, &noise)
        .unwrap();
    let z1 = state.x().unwrap();
    let first = doubles(&state.rows()[..6]);
    assert_list("posterior step", &first, &numbers(&truth["z1_first"]), 2e-5);

    let mut of_generator = vec![0.0; generator.flat_parameters().len()];
    let loss_g = reconstruction_gradient(&generator, &z1, &images, &mut of_generator).unwrap();
    close("loss_g", loss_g, number(&truth["loss_g"]), 0.0);
    let own = (0..2).flat_map(|b| (0..16).flat_map(move |j| (0..64).map(move |k| (b, j, k))));
    let own =
        own.map(|(b, j, k)| (0.9 * f64::from(k) + 0.4 * f64::from(j) + f64::from(b)).sin() as f32);
    let noise = Given {
        std: 0.5,
        shared: list(2, 64, &|b, k| (0.3 * k + b).cos()),
        own: own.collect(),
    };
    let mut loss = EnergyDiscrepancy::with(noise).particles(16);
    let (loss_e, of_prior) = loss.gradient(&prior, &z1, &mut rng(0)).unwrap();
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
            let truth = &truth[which][name];
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
#[cfg_attr(feature = "cuda", ignore = "a GPU adds in no fixed order")]
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
    let images = (0..20 * 784).map(|i| (i as f32).sin()).collect();
    let images = Dataset::from_points(&points(images, (20, 784)).unwrap()).unwrap();
    let mut whole = model().epochs(4);
    assert_eq!(whole.fit(&images).unwrap(), Stopped::AtEnd { steps: 12 });
    let mut parts = model().epochs(1);
    let _ = parts.fit(&images).unwrap();
    let mut parts = parts.epochs(4);
    let _ = parts.fit(&images).unwrap();
    assert_eq!(parts.history(), whole.history());
    assert_eq!(
        parts.decoder().flat_parameters(),
        whole.decoder().flat_parameters()
    );
    assert_eq!(parts.ema().flat_parameters(), whole.ema().flat_parameters());
    assert_ne!(
        whole.ema().flat_parameters(),
        whole.prior().flat_parameters()
    );

    // A rate at which the prior's energies leave all bounds.
    let mut wild = model()
        .optimisers([Adam::new(1e-4), Adam::new(30.0)])
        .epochs(60);
    let said = wild.fit(&images).unwrap().to_string();
    assert!(said.contains("grow without bound"), "{said}");
    let weights = [
        wild.decoder().flat_parameters(),
        wild.prior().flat_parameters(),
    ]
    .concat();
    assert!(weights.iter().all(|weight| weight.is_finite()));

    let message =
        |mut model: LatentEbm, images: &Dataset| model.fit(images).unwrap_err().to_string();
    assert!(message(model().batch(0), &images).contains("batch = 0"));
    assert!(
        message(model().schedule(Schedule::decay_by_epoch(-1.0)), &images)
            .contains("times -1 every epoch")
    );
    assert!(message(model().posterior(3, 0.1, 0.0), &images).contains("σ = 0"));
    let narrow = Dataset::new(&[[0.0; 783]; 3]).unwrap();
    let said = message(model(), &narrow);
    assert!(
        said.contains("(3, 783)") && said.contains("(3, 784)"),
        "{said}"
    );
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
        close("one image", &fused.as_vec(), &doubles(&plain.as_vec()));
    }
}
