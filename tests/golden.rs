//! Golden values: what PyTorch computes in f64 for fixed weights, points and noise.
//!
//! Reads every case in the folder that the environment variable `ED_GOLDEN` names, `tests/golden`
//! by default. Each loss runs on the fused net and in plain dfdx operations, in single precision; and its
//! formula on the energies and derivatives of an oracle in double precision. Tolerances: 5e-9 there; in f32
//! 1e-5, and 2e-3 where noise below 1 cancels.

#![allow(clippy::unwrap_used, clippy::panic)] // A test may.

mod golden_files;
mod oracle;

use energy_discrepancy::energy::{Along, Naming, Plain};
use energy_discrepancy::eval::{log_density_mse, log_z_from_samples};
use energy_discrepancy::prelude::*;
use golden_files::{Case, Folder, assert_close, assert_list, number, numbers};
use oracle::{Given, GivenLangevin, Oracle, axes, doubles, groups, singles};
use serde_json::Value;

/// PyTorch's softplus is x from 20 on, which is off by up to 2e-9, and so is its slope.
const DOUBLE: f64 = 5e-9;

/// How far single precision may be: with noise of standard deviation or variance `s`.
fn single(s: f64) -> f64 {
    if s < 1.0 { 2e-3 } else { 1e-5 }
}

/// Where a loss is near 0 its error is that of the energies, which is absolute.
const ABSOLUTE: f64 = 2e-6;

/// Holds a loss and its gradient in single precision, and its formula in double precision at these points,
/// against the truth.
fn hold(
    what: &str,
    net: &Mlp,
    (x, shape): (&[f64], (usize, usize)),
    rows: &[f64],
    (loss, truth, s): (&mut dyn Loss, f64, f64),
    gradient_is: &dyn Fn(&str, &[f64], f64),
) {
    let x = points(singles(x), shape).unwrap();
    let plain = Plain(net.clone());
    let ways: [(&str, &dyn Trainable); 2] = [("fused", net), ("plain", &plain)];
    for (way, energy) in ways {
        let what = format!("{what}, {way}");
        let (value, gradient) = loss.gradient(energy, &x, &mut rng(0)).unwrap();
        // Divided by a small variance the errors grow.
        let allowed = single(s) * truth.abs() + ABSOLUTE / s.min(1.0);
        assert_close(&what, value, truth, allowed);
        assert_close(
            &what,
            loss.evaluate(energy, &x, &mut rng(0)).unwrap(),
            truth,
            allowed,
        );
        gradient_is(&what, &doubles(&gradient), single(s));
    }
    let terms = loss.terms(net, &x, &mut rng(0)).unwrap();
    let (value, gradient) = Oracle::of(net).loss(&terms, rows);
    let what = format!("{what}, formula");
    assert_close(&what, value, truth, DOUBLE * (truth.abs() + 1.0));
    gradient_is(&what, &gradient, DOUBLE);
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
    let (x, shared) = (case.input("samples"), case.input("xi0"));
    for ed in case.manifest["ed"].as_array().unwrap() {
        let (s, m) = (number(&ed["t"]), number(&ed["M"]) as usize);
        let own = first_particles(case.input("xi"), n, m_all, m, d);
        let what = format!("{}: ED, s = {s}, M = {m}, w = {}", case.name, ed["w"]);
        let mut loss = EnergyDiscrepancy::with(given(s, &shared, &own))
            .particles(m)
            .stabilisation(number(&ed["w"]));
        let rows = groups(&x, d, s, &shared, &own);
        let loss = (&mut loss as &mut dyn Loss, number(&ed["loss_f64"]), s);
        hold(
            &what,
            &case.net(),
            (&x, (n, d)),
            &rows,
            loss,
            &|what, found, tolerance| {
                case.assert_gradient(what, ed, "ed_grad_f64", found, tolerance);
            },
        );
    }
}

fn given(std: f64, shared: &[f64], own: &[f64]) -> Given {
    Given {
        std,
        shared: singles(shared),
        own: singles(own),
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
    let ([n, _, d], x) = (case.particles(), case.input("samples"));
    let what = format!("{}: SM", case.name);
    let loss = (
        &mut ScoreMatching as &mut dyn Loss,
        number(&truth["loss_f64"]),
        1.0,
    );
    hold(
        &what,
        &case.net(),
        (&x, (n, d)),
        &x,
        loss,
        &|what, found, tolerance| {
            case.assert_gradient(what, truth, "sm_grad_f64", found, tolerance);
        },
    );
}

fn contrastive_divergence_agrees(case: &Case) {
    let truth = &case.manifest["other"]["cd"];
    let ([n, _, d], net, h) = (case.particles(), case.net(), 0.01);
    let (x, noise) = (case.input("samples"), case.input("cd_noise"));
    let steps: Vec<Vec<f64>> = noise.chunks_exact(n * d).map(<[f64]>::to_vec).collect();
    // The chain in f64.
    let (oracle, mut end) = (Oracle::of(&net), x.clone());
    for noise in &steps {
        let moved = end.chunks(d).zip(noise.chunks(d)).flat_map(|(x, ξ)| {
            let slopes = oracle.gradient(x);
            (0..d)
                .map(|k| x[k] - 0.5 * h * slopes[k] + f64::sqrt(h) * ξ[k])
                .collect::<Vec<_>>()
        });
        end = moved.collect();
    }
    let what = format!("{}: CD", case.name);
    let sampler = || GivenLangevin::new(h, steps.iter().map(|step| singles(step)).collect());
    if let Some(expected) = case.output("cd_chain_end_f64") {
        assert_list(&format!("{what}, chain"), &end, &expected, DOUBLE);
        let start = points(singles(&x), (n, d)).unwrap();
        let found = sampler()
            .walk(&net, &start, steps.len(), &mut rng(0))
            .unwrap();
        assert_list(
            &format!("{what}, chain in f32"),
            &doubles(&to_vec(&found)),
            &expected,
            single(1.0),
        );
    }
    let pairs = x
        .chunks(d)
        .zip(end.chunks(d))
        .flat_map(|(x, end)| [x, end].concat());
    let rows: Vec<f64> = pairs.collect();
    let mut loss = ContrastiveDivergence::with(sampler()).steps(steps.len());
    let loss = (&mut loss as &mut dyn Loss, number(&truth["loss_f64"]), 1.0);
    hold(
        &what,
        &net,
        (&x, (n, d)),
        &rows,
        loss,
        &|what, found, tolerance| {
            case.assert_gradient(what, truth, "cd_grad_f64", found, tolerance);
        },
    );
}

/// Energies, scores, and the whole Hessian: its diagonal along the axes, and the rest from second
/// derivatives along the diagonals.
fn energies_and_derivatives_agree(case: &Case) {
    let ([n, _, d], net) = (case.particles(), case.net());
    let (rows, oracle) = (case.input("samples"), Oracle::of(&net));
    let x = points(singles(&rows), (n, d)).unwrap();
    let energies = case
        .output("energy_f64")
        .or_else(|| case.list("energies_f64"));
    let jets: Vec<Vec<f64>> = rows.chunks(d).map(|x| oracle.jet(x, &axes(d))).collect();
    let (score, hessian) = (case.output("score_f64"), case.output("hess_logp_f64"));
    let check = |way: &str, u: Vec<f64>, slopes: Vec<f64>, tolerance: f64| {
        let what = |name: &str| format!("{}: {way}, {name}", case.name);
        if let Some(expected) = &energies {
            assert_list(&what("energy"), &u, expected, tolerance);
        }
        if let Some(score) = &score {
            let found: Vec<f64> = slopes.iter().map(|slope| -slope).collect();
            assert_list(&what("score"), &found, score, tolerance);
        }
    };
    let slopes = jets.iter().flat_map(|jet| jet[1..=d].to_vec()).collect();
    check(
        "oracle",
        jets.iter().map(|jet| jet[0]).collect(),
        slopes,
        DOUBLE,
    );
    let plain = Plain(net.clone());
    for (way, energy) in [("fused", &net as &dyn Energy), ("plain", &plain)] {
        let (u, slopes) = energy.gradient(&x).unwrap();
        check(
            way,
            doubles(&to_vec(&u)),
            doubles(&to_vec(&slopes)),
            single(1.0),
        );
        if let Some(hessian) = &hessian {
            let jets = energy.jets_taped(&x, Along::Coordinates).unwrap();
            let traces = hessian
                .chunks_exact(d * d)
                .map(|h| -(0..d).map(|i| h[i * d + i]).sum::<f64>());
            let traces: Vec<f64> = traces.collect();
            let what = format!("{}: {way}, Laplacian", case.name);
            assert_list(
                &what,
                &doubles(&to_vec(&jets.curvature)),
                &traces,
                single(1.0),
            );
        }
    }
    let Some(hessian) = hessian else { return };
    for (x, h) in rows.chunks(d).zip(hessian.chunks_exact(d * d)) {
        for i in 0..d {
            for j in 0..d {
                let mut v = vec![0.0; d];
                (v[i], v[j]) = (1.0, v[j] + 1.0);
                v[i] = if i == j { 2.0 } else { 1.0 };
                let found = oracle.jet(x, &[v])[2];
                let expected = -(h[i * d + i] + h[j * d + j] + h[i * d + j] + h[j * d + i]);
                let what = format!("{}: Hessian [{i}, {j}]", case.name);
                assert_close(&what, found, expected, 2e-8 * (1.0 + expected.abs()));
            }
        }
    }
}

fn five_training_steps_agree(case: &Case) {
    let (Some(rows), Some(losses)) = (
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
    let (steps, d) = (expected.len(), case.particles()[2]);
    let n = rows.len() / (steps * d);
    let m = own.len() / shared.len();
    let mut net = case.net();
    let mut parameters = net.flat_parameters();
    let (mut mean, mut adam, mut found) = (parameters.clone(), Adam::new(1e-3), Vec::new());
    for step in 0..steps {
        let part = |all: &[f64], size: usize| all[step * size..(step + 1) * size].to_vec();
        let x = points(singles(&part(&rows, n * d)), (n, d)).unwrap();
        let noise = given(1.0, &part(&shared, n * d), &part(&own, n * m * d));
        let mut loss = EnergyDiscrepancy::with(noise).particles(m);
        let (value, gradient) = loss.gradient(&net, &x, &mut rng(0)).unwrap();
        found.push(value);
        adam.step(step + 1, 1.0, &mut parameters, &gradient)
            .unwrap();
        mean.iter_mut()
            .zip(&parameters)
            .for_each(|(mean, θ)| *mean = 0.999 * *mean + 0.001 * θ);
        net.set_flat_parameters(&parameters).unwrap();
    }
    let what = format!("{}: training", case.name);
    assert_list(&format!("{what}, losses"), &found, &expected, single(1.0));
    // The last bias has no gradient; Adam divides its rounding error by √v + 1e-8. Other
    // weights whose gradient is tiny do so too in f32: five steps of 1e-3 move them apart by
    // at most 1e-3 (PyTorch's own f32 is 7.7e-4 from its f64).
    for (name, found) in [("params", &parameters), ("ema", &mean)] {
        let expected = case.output(&format!("train5_{name}_f64")).unwrap();
        let last = found.len() - 1;
        for (i, (found, expected)) in doubles(found)[..last].iter().zip(&expected).enumerate() {
            assert_close(&format!("{what}, {name}[{i}]"), *found, *expected, 1e-3);
        }
    }
}

#[test]
fn small_nets_agree() {
    let Some(golden) = Folder::open().json("smallmlp_golden.json") else {
        return;
    };
    let (x, shared) = (numbers(&golden["samples"]), numbers(&golden["xi0"]));
    let (n, own) = (x.len(), numbers(&golden["xi"]));
    let m_all = own.len() / n;
    for (width, golden_net) in golden["nets"].as_object().unwrap() {
        let net = small_net(width.parse().unwrap(), &golden_net["weights"]);
        for ed in golden_net["ed"].as_array().unwrap() {
            let (t, m) = (number(&ed["t"]), number(&ed["M"]) as usize);
            let own = first_particles(own.clone(), n, m_all, m, 1);
            let what = format!("width {width}, t = {t}, M = {m}, w = {}", ed["w"]);
            let noise = given(t.sqrt(), &shared, &own);
            let loss = EnergyDiscrepancy::with(noise)
                .particles(m)
                .stabilisation(number(&ed["w"]));
            // As `divided_by_variance` does for Gaussian noise.
            let mut loss = Scaled(loss, if t < 1.0 { 1.0 / t } else { 1.0 });
            let rows = groups(&x, 1, t.sqrt(), &shared, &own);
            let loss = (&mut loss as &mut dyn Loss, number(&ed["loss_f64"]), t);
            hold(
                &what,
                &net,
                (&x, (n, 1)),
                &rows,
                loss,
                &|what, found, tolerance| {
                    assert_list(what, found, &numbers(&ed["grad_f64"]), tolerance);
                },
            );
        }
    }
}

/// A loss times a number.
#[derive(Debug)]
struct Scaled<L>(L, f64);

impl<L: Loss> Loss for Scaled<L> {
    fn terms(
        &mut self,
        energy: &dyn Energy,
        x: &Points,
        rng: &mut Rng,
    ) -> Result<Terms<'_>, Error> {
        let Self(loss, scale) = self;
        let terms = loss.terms(energy, x, rng)?;
        let (rows, d, group) = (terms.rows().to_vec(), terms.dimension(), terms.width());
        Terms::of_energies(rows, d, group, move |i, u, slopes| {
            let value = terms.formula()(i, u, slopes);
            slopes.iter_mut().for_each(|slope| *slope *= *scale);
            *scale * value
        })
    }
}

/// The net 1-width-width-1 with SiLU that these weights belong to.
fn small_net(width: usize, weights: &Value) -> Mlp {
    let net = Mlp::silu(&[1, width, width, 1], 0).unwrap();
    let mut net = net.named(Naming::Sequential("net"));
    let values = net
        .parameters()
        .into_iter()
        .flat_map(|(name, _)| numbers(&weights[name]));
    let values: Vec<f32> = values.map(|v| v as f32).collect();
    net.set_flat_parameters(&values).unwrap();
    net
}

#[test]
fn division_by_the_variance_is_a_factor() {
    let (net, x) = (Mlp::tanh(&[1, 8, 1], 0).unwrap(), toy_points());
    let mut loss = EnergyDiscrepancy::with_variance(0.25);
    let whole = loss.evaluate(&net, &x, &mut rng(1)).unwrap();
    let divided = loss
        .divided_by_variance()
        .evaluate(&net, &x, &mut rng(1))
        .unwrap();
    assert_close("L/t", divided, 4.0 * whole, 1e-12);
}

fn toy_points() -> Points {
    normal_points(64, 1, &mut rng(0)).unwrap()
}

#[test]
fn adam_agrees() {
    let Some(golden) = Folder::open().json("adam_ema_golden.json") else {
        return;
    };
    for (name, run) in golden["runs"].as_object().unwrap() {
        let mut parameters = singles(&numbers(&golden["p0"]));
        let (betas, rate) = (numbers(&run["betas"]), number(&run["lr"]));
        let mut adam = Adam::new(rate)
            .betas(betas[0], betas[1])
            .epsilon(number(&run["eps"]));
        let mut factor = 1.0;
        for (k, gradient) in golden["g"].as_array().unwrap().iter().enumerate() {
            let gradient = singles(&numbers(gradient));
            adam.step(k + 1, factor, &mut parameters, &gradient)
                .unwrap();
            factor = number(&run["lr_after"][k]) / rate;
            // A few roundings of f32, 6e-8 each, in each of six steps.
            let what = format!("{name}, step {k}");
            assert_list(
                &what,
                &doubles(&parameters),
                &numbers(&run["params"][k]),
                1e-6,
            );
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
    let rows = numbers(&golden["points"]);
    let found: Vec<f64> = rows
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
        let (mse, log_z) = (
            number(mse),
            number(&golden[format!("{}_logZ_f64", case.name)]),
        );
        let (net, what) = (case.net(), case.name.as_str());
        let x = points(singles(samples), (shape[0], shape[1])).unwrap();
        let plain = Plain(net.clone());
        for energy in [&net as &dyn Energy, &plain] {
            let found = log_z_from_samples(energy, &truth, &x).unwrap();
            assert_close(what, found, log_z, single(1.0) * log_z.abs());
            let found = log_density_mse(energy, &truth, &x).unwrap();
            assert_close(what, found, mse, single(1.0) * mse);
        }
    }
}
