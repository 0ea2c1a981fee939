//! Golden values: what PyTorch computes in f64 for fixed weights, points and noise.
//!
//! Reads every case in the folder that the environment variable `ED_GOLDEN` names, `tests/golden`
//! by default. Each net runs fused in single precision, and in plain dfdx operations in single and
//! double precision. Tolerances: 5e-9 in f64; in f32 1e-5, and 2e-3 where noise below 1 cancels.

#![allow(clippy::unwrap_used, clippy::panic)] // A test may.
#![allow(clippy::useless_conversion)] // In code that is also compiled for f32.

mod golden_files;

use energy_discrepancy::dfdx::prelude::*;
use energy_discrepancy::energy::{Naming, Plain, TwiceDifferentiable};
use energy_discrepancy::eval::{log_density_mse, log_z_from_samples};
use energy_discrepancy::loss::Noise;
use energy_discrepancy::prelude::*;
use energy_discrepancy::train::{Ema, Optimiser};
use golden_files::{Case, Folder, assert_close, assert_list, number, numbers};
use serde_json::Value;

/// How far a path may be from the f64 truth: with noise of standard deviation or variance `s`.
fn tolerance<E>(s: f64) -> f64 {
    match (size_of::<E>(), s < 1.0) {
        // PyTorch's softplus is x from 20 on, which is off by up to 2e-9, and so is its slope.
        (8, _) => 5e-9,
        (_, true) => 2e-3,
        (_, false) => 1e-5,
    }
}

/// Where a loss is near 0 its error is that of the energies, which is absolute.
fn absolute<E>() -> f64 {
    if size_of::<E>() == 8 { 5e-9 } else { 2e-6 }
}

/// Runs a function for the three ways to compute.
macro_rules! on_each_path {
    ($net:expr, |$path:ident, $E:ident, $energy:ident| $body:block) => {{
        let net: Mlp = $net;
        let double: Mlp<f64, AutoDevice> = net.cast(&device().unwrap()).unwrap();
        {
            type $E = f64;
            let ($path, $energy) = ("plain f64", Plain(double));
            $body
        }
        {
            type $E = f32;
            let ($path, $energy) = ("plain f32", Plain(net.clone()));
            $body
        }
        {
            type $E = f32;
            let ($path, $energy) = ("fused f32", net);
            $body
        }
    }};
}

/// A tensor of the path's number type.
macro_rules! tensor {
    ($E:ident, $values:expr, $shape:expr) => {{
        let values: Vec<f64> = $values;
        device()
            .unwrap()
            .tensor_from_vec(values.iter().map(|v| *v as $E).collect(), $shape)
    }};
}

#[test]
fn toy_nets_agree() {
    for case in Folder::open().toys() {
        energy_discrepancy_agrees(&case);
        score_matching_agrees(&case);
        contrastive_divergence_agrees(&case);
        energies_and_derivatives_agree(&case);
        five_training_steps_agree(&case);
    }
}

fn energy_discrepancy_agrees(case: &Case) {
    let [n, m_all, d] = case.particles();
    for ed in case.manifest["ed"].as_array().unwrap() {
        let (s, m) = (number(&ed["t"]), number(&ed["M"]) as usize);
        let own = first_particles(case.input("xi"), n, m_all, m, d);
        on_each_path!(case.net(), |path, E, net| {
            let x: Points<E> = tensor!(E, case.input("samples"), (n, d));
            let noise = Noise {
                shared: tensor!(E, case.input("xi0"), (n, d)),
                own: tensor!(E, own.clone(), (n, m, d)),
            };
            let loss = EnergyDiscrepancy::with_std(s)
                .particles(m)
                .stabilisation(number(&ed["w"]));
            let (value, gradient) = loss.gradient(&net, &x, &noise).unwrap();
            let what = format!(
                "{}: ED {path}, s = {s}, M = {m}, w = {}",
                case.name, ed["w"]
            );
            let truth = number(&ed["loss_f64"]);
            assert_close(
                &what,
                value,
                truth,
                tolerance::<E>(s) * truth.abs() + absolute::<E>(),
            );
            let taped = loss.evaluate(&net, &x, &noise).unwrap();
            assert_close(
                &what,
                taped,
                truth,
                tolerance::<E>(s) * truth.abs() + absolute::<E>(),
            );
            case.assert_gradient(&what, ed, "ed_grad_f64", &gradient, tolerance::<E>(s));
        });
    }
}

/// The first m of m_all particles of each point.
fn first_particles(all: Vec<f64>, n: usize, m_all: usize, m: usize, d: usize) -> Vec<f64> {
    let rows = all.chunks_exact(m_all * d);
    assert_eq!(rows.len(), n);
    rows.flat_map(|row| row[..m * d].to_vec()).collect()
}

fn score_matching_agrees(case: &Case) {
    let truth = &case.manifest["other"]["sm"];
    let [n, _, d] = case.particles();
    on_each_path!(case.net(), |path, E, net| {
        let x: Points<E> = tensor!(E, case.input("samples"), (n, d));
        let (value, gradient) = ScoreMatching.gradient(&net, &x, &()).unwrap();
        let what = format!("{}: SM {path}", case.name);
        let expected = number(&truth["loss_f64"]);
        let tolerance = tolerance::<E>(1.0);
        assert_close(
            &what,
            value,
            expected,
            tolerance * expected.abs() + absolute::<E>(),
        );
        case.assert_gradient(&what, truth, "sm_grad_f64", &gradient, tolerance);
    });
}

fn contrastive_divergence_agrees(case: &Case) {
    let truth = &case.manifest["other"]["cd"];
    let [n, _, d] = case.particles();
    let noise = case.input("cd_noise");
    let steps = noise.len() / (n * d);
    on_each_path!(case.net(), |path, E, net| {
        let x: Points<E> = tensor!(E, case.input("samples"), (n, d));
        let step = |values: &[f64]| -> Points<E> { tensor!(E, values.to_vec(), (n, d)) };
        let noise: Vec<Points<E>> = noise.chunks_exact(n * d).map(step).collect();
        let loss = ContrastiveDivergence::default().steps(steps);
        let (value, gradient) = loss.gradient(&net, &x, &noise).unwrap();
        let what = format!("{}: CD {path}", case.name);
        let expected = number(&truth["loss_f64"]);
        let tolerance = tolerance::<E>(1.0);
        assert_close(
            &what,
            value,
            expected,
            tolerance * expected.abs() + absolute::<E>(),
        );
        case.assert_gradient(&what, truth, "cd_grad_f64", &gradient, tolerance);

        let mut end = x;
        for noise in &noise {
            end = Langevin::with_step_size(0.01)
                .step(&net, &end, noise)
                .unwrap()
                .x;
        }
        if let Some(expected) = case.output("cd_chain_end_f64") {
            let found: Vec<f64> = end.as_vec().into_iter().map(f64::from).collect();
            assert_list(&format!("{what}, chain"), &found, &expected, tolerance);
        }
    });
}

/// Energies, scores, and the whole Hessian: its diagonal along the axes, and the rest from second
/// derivatives along the diagonals, which are those of a net with turned input weights.
fn energies_and_derivatives_agree(case: &Case) {
    let [n, _, d] = case.particles();
    let x = case.input("samples");
    let energies = case
        .output("energy_f64")
        .or_else(|| case.list("energies_f64"));
    on_each_path!(case.net(), |path, E, net| {
        let what = format!("{}: {path}", case.name);
        let x: Points<E> = tensor!(E, x.clone(), (n, d));
        let (u, slope) = net.gradient(&x).unwrap();
        let list = |values: Vec<E>| -> Vec<f64> { values.into_iter().map(f64::from).collect() };
        if let Some(expected) = &energies {
            assert_list(
                &format!("{what}, energy"),
                &list(u.as_vec()),
                expected,
                tolerance::<E>(1.0),
            );
        }
        if let Some(score) = case.output("score_f64") {
            let found: Vec<f64> = list(slope.as_vec()).iter().map(|slope| -slope).collect();
            assert_list(
                &format!("{what}, score"),
                &found,
                &score,
                tolerance::<E>(1.0),
            );
        }
        if let Some(hessian) = case.output("hess_logp_f64") {
            let derivatives = net.derivatives_taped(&x).unwrap();
            let found: Vec<f64> = list(derivatives.curvature.as_vec())
                .iter()
                .map(|v| -v)
                .collect();
            let rows = hessian.chunks_exact(d * d);
            let diagonal = rows.flat_map(|row| (0..d).map(|i| row[i * d + i]).collect::<Vec<_>>());
            let diagonal: Vec<f64> = diagonal.collect();
            assert_list(
                &format!("{what}, Hessian"),
                &found,
                &diagonal,
                tolerance::<E>(1.0),
            );
        }
    });
    let (Some(hessian), 2) = (case.output("hess_logp_f64"), d) else {
        return;
    };
    let turned = |values: &[f64]| -> Vec<f64> {
        let half = 0.5_f64.sqrt();
        let pairs = values.chunks_exact(2);
        pairs
            .flat_map(|v| [half * (v[0] + v[1]), half * (v[1] - v[0])])
            .collect()
    };
    let mut net: Mlp<f64, AutoDevice> = case.net().cast(&device().unwrap()).unwrap();
    let mut values = net.flat_parameters();
    let first = 2 * net.widths()[1];
    let rotated = turned(&values[..first]);
    values[..first].copy_from_slice(&rotated);
    net.set_flat_parameters(&values).unwrap();
    let x: Points<f64> = tensor!(f64, turned(&x), (n, 2));
    let curvature = net.derivatives_taped(&x).unwrap().curvature.as_vec();
    // Along (1, 1)/√2 less along (-1, 1)/√2 is twice the mixed derivative.
    let mixed: Vec<f64> = curvature
        .chunks_exact(2)
        .map(|c| -0.5 * (c[0] - c[1]))
        .collect();
    let expected: Vec<f64> = hessian.chunks_exact(4).map(|h| h[1]).collect();
    assert_list(
        &format!("{}: mixed derivatives", case.name),
        &mixed,
        &expected,
        1e-9,
    );
}

fn five_training_steps_agree(case: &Case) {
    let (Some(points), Some(losses)) = (
        case.output("train5_x"),
        case.manifest["other"].get("train5_losses"),
    ) else {
        return case.skipped("training steps");
    };
    let (shared, own) = (
        case.output("train5_xi0").unwrap(),
        case.output("train5_xi").unwrap(),
    );
    let expected = numbers(&losses["f64"]);
    let steps = expected.len();
    let d = case.particles()[2];
    let n = points.len() / (steps * d);
    let m = own.len() / shared.len();
    on_each_path!(case.net(), |path, E, net| {
        let mut net = net;
        let mut parameters = net.flat_parameters();
        let mut mean = parameters.clone();
        let mut adam = Optimiser::new(Adam::new(1e-3), parameters.len()).unwrap();
        let (mut found, loss) = (Vec::new(), EnergyDiscrepancy::with_std(1.0).particles(m));
        for step in 0..steps {
            let part = |all: &[f64], size: usize| all[step * size..(step + 1) * size].to_vec();
            let x: Points<E> = tensor!(E, part(&points, n * d), (n, d));
            let noise = Noise {
                shared: tensor!(E, part(&shared, n * d), (n, d)),
                own: tensor!(E, part(&own, n * m * d), (n, m, d)),
            };
            let (value, gradient) = loss.gradient(&net, &x, &noise).unwrap();
            found.push(value);
            let ema = Ema {
                decay: 0.999,
                values: &mut mean,
            };
            adam.step(&mut parameters, &gradient, Some(ema)).unwrap();
            net.set_flat_parameters(&parameters).unwrap();
        }
        let what = format!("{}: training {path}", case.name);
        assert_list(
            &format!("{what}, losses"),
            &found,
            &expected,
            tolerance::<E>(1.0),
        );
        // The last bias has no gradient; Adam divides its rounding error by √v + 1e-8. Other
        // weights whose gradient is tiny do so too in f32: five steps of 1e-3 move them apart by
        // at most 1e-3 (PyTorch's own f32 is 7.7e-4 from its f64).
        let tolerance = if size_of::<E>() == 8 { 1e-9 } else { 1e-3 };
        for (name, found) in [("params", &parameters), ("ema", &mean)] {
            let expected = case.output(&format!("train5_{name}_f64")).unwrap();
            let found: Vec<f64> = found.iter().map(|v| f64::from(*v)).collect();
            let last = found.len() - 1;
            for (i, (found, expected)) in found[..last].iter().zip(&expected).enumerate() {
                assert_close(
                    &format!("{what}, {name}[{i}]"),
                    *found,
                    *expected,
                    tolerance,
                );
            }
        }
    });
}

#[test]
fn small_nets_agree() {
    let Some(golden) = Folder::open().json("smallmlp_golden.json") else {
        return;
    };
    let x = numbers(&golden["samples"]);
    let (n, own) = (x.len(), numbers(&golden["xi"]));
    let m_all = own.len() / n;
    for (width, golden_net) in golden["nets"].as_object().unwrap() {
        let net = small_net(width.parse().unwrap(), &golden_net["weights"]);
        for ed in golden_net["ed"].as_array().unwrap() {
            let (t, m) = (number(&ed["t"]), number(&ed["M"]) as usize);
            let own = first_particles(own.clone(), n, m_all, m, 1);
            on_each_path!(net.clone(), |path, E, net| {
                let points: Points<E> = tensor!(E, x.clone(), (n, 1));
                let noise = Noise {
                    shared: tensor!(E, numbers(&golden["xi0"]), (n, 1)),
                    own: tensor!(E, own.clone(), (n, m, 1)),
                };
                let mut loss = EnergyDiscrepancy::with_variance(t)
                    .particles(m)
                    .stabilisation(number(&ed["w"]));
                if t < 1.0 {
                    loss = loss.divided_by_variance();
                }
                let (value, gradient) = loss.gradient(&net, &points, &noise).unwrap();
                let what = format!("width {width}, {path}, t = {t}, M = {m}, w = {}", ed["w"]);
                let truth = number(&ed["loss_f64"]);
                let allowed = tolerance::<E>(t) * truth.abs() + absolute::<E>() / t.min(1.0);
                assert_close(&what, value, truth, allowed);
                let gradient: Vec<f64> = gradient.into_iter().map(f64::from).collect();
                assert_list(
                    &what,
                    &gradient,
                    &numbers(&ed["grad_f64"]),
                    tolerance::<E>(t),
                );
            });
        }
    }
}

/// The net 1-width-width-1 with SiLU that these weights belong to.
fn small_net(width: usize, weights: &Value) -> Mlp {
    let mut net = Mlp::silu(&[1, width, width, 1], 0)
        .unwrap()
        .named(Naming::Sequential("net"));
    let names: Vec<String> = net.parameters().into_iter().map(|(name, _)| name).collect();
    let values = names.iter().flat_map(|name| numbers(&weights[name]));
    let values: Vec<f32> = values.map(|v| v as f32).collect();
    net.set_flat_parameters(&values).unwrap();
    net
}

#[test]
fn adam_and_running_means_agree() {
    let Some(golden) = Folder::open().json("adam_ema_golden.json") else {
        return;
    };
    for (name, run) in golden["runs"].as_object().unwrap() {
        macro_rules! replay {
            ($E:ty, $tolerance:expr) => {{
                let single = |values: Vec<f64>| values.into_iter().map(|v| v as $E).collect();
                let mut parameters: Vec<$E> = single(numbers(&golden["p0"]));
                let mut mean = parameters.clone();
                let betas = numbers(&run["betas"]);
                let settings = Adam::new(number(&run["lr"]))
                    .betas(betas[0], betas[1])
                    .epsilon(number(&run["eps"]));
                let mut adam = Optimiser::new(settings, parameters.len()).unwrap();
                for (k, gradient) in golden["g"].as_array().unwrap().iter().enumerate() {
                    let gradient: Vec<$E> = single(numbers(gradient));
                    let ema = Ema {
                        decay: 0.999,
                        values: &mut mean,
                    };
                    adam.step(&mut parameters, &gradient, Some(ema)).unwrap();
                    adam.set_learning_rate(number(&run["lr_after"][k])).unwrap();
                    for (list, found) in [("params", &parameters), ("ema", &mean)] {
                        let found: Vec<f64> = found.iter().map(|v| f64::from(*v)).collect();
                        let expected = numbers(&run[list][k]);
                        assert_list(
                            &format!("{name}, {list} {k}"),
                            &found,
                            &expected,
                            $tolerance,
                        );
                    }
                }
            }};
        }
        if name.ends_with("f64") {
            replay!(f64, 1e-12);
        } else {
            // A few roundings of f32, 6e-8 each, in each of six steps.
            replay!(f32, 1e-6);
        }
    }
}

#[test]
fn log_densities_and_their_error_agree() {
    let folder = Folder::open();
    let Some(golden) = folder.json("mse_logprob_golden.json") else {
        return;
    };
    let truth = toy::gaussians_25();
    let points = numbers(&golden["points"]);
    let found: Vec<f64> = points
        .chunks(2)
        .map(|x| truth.log_density(x).unwrap())
        .collect();
    assert_list(
        "log-density",
        &found,
        &numbers(&golden["logp_points_f64"]),
        1e-9,
    );

    let Some(samples) = folder.tensors("mse_samples5000.safetensors") else {
        return;
    };
    let (shape, samples) = &samples["samples"];
    for case in folder.toys() {
        let Some(mse) = golden.get(format!("{}_mse_f64", case.name)) else {
            continue;
        };
        let log_z = number(&golden[format!("{}_logZ_f64", case.name)]);
        on_each_path!(case.net(), |path, E, net| {
            let x: Points<E> = tensor!(E, samples.clone(), (shape[0], shape[1]));
            let what = format!("{}: {path}", case.name);
            let found = log_z_from_samples::<E, AutoDevice>(&net, &truth, &x).unwrap();
            assert_close(&what, found, log_z, tolerance::<E>(1.0) * log_z.abs());
            let found = log_density_mse::<E, AutoDevice>(&net, &truth, &x).unwrap();
            assert_close(&what, found, number(mse), tolerance::<E>(1.0) * number(mse));
        });
    }
}
