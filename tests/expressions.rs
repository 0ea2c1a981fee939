//! Energies as expressions: against PyTorch's values, and each operation against differences.
//!
//! The folder of golden values is as for `golden`: `ED_GOLDEN`, `tests/golden` by default.

#![allow(clippy::unwrap_used, clippy::panic)] // A test may.

mod golden_files;
mod oracle;

use energy_discrepancy::dfdx::tensor::ZerosTensor;
use energy_discrepancy::energy::{Along, DoubleNet};
use energy_discrepancy::prelude::*;
use golden_files::{Folder, assert_close, number};
use oracle::{Given, axes, doubles, groups, singles};
use std::collections::BTreeMap;

/// f64 against f64.
const DOUBLE: f64 = 5e-9;
/// f32 against f64, relative to the largest number of a list.
const SINGLE: f64 = 1e-4;

/// The five nets of the manifest, under PyTorch's names.
fn golden_nets() -> Vec<(&'static str, Expr)> {
    let parabola = |x: &Expr| x.square().sum() * 0.5;
    let residual = {
        let x = Expr::points(3);
        let h = x.dense(16).named("first").silu();
        let h = &h + h.dense(16).named("block1").silu();
        let h = &h + h.dense(16).named("block2").silu();
        h.dense(1).named("last") + parabola(&x)
    };
    let gated = {
        let x = Expr::points(2);
        let (value, gate) = (
            x.dense(8).named("value").tanh(),
            x.dense(8).named("gate").sigmoid(),
        );
        (value * gate).dense(1).named("last") + Expr::scalar("quartic", 0.1) * x.powi(4).sum()
    };
    let concat = {
        let x = Expr::points(2);
        let all = Expr::concat(&[x.clone(), x.square(), x.sin()]);
        all.dense(12)
            .named("first")
            .softplus()
            .dense(1)
            .named("last")
    };
    let experts = {
        let x = Expr::points(2);
        let u = x.dense(10).named("first").silu().dense(4).named("experts");
        let precision = Expr::parameter("log_precision", &[0.0; 4]).exp();
        let distances = x.squared_distances(4).named("centres");
        -(-(u + precision * distances * 0.5)).log_sum_exp()
    };
    let conv = {
        let x = Expr::points(64);
        let h = x
            .image(1, 8, 8)
            .conv2d(4, Window::new(3).padding(1))
            .named("conv1")
            .silu();
        let h = h
            .conv2d(8, Window::new(3).stride(2).padding(1))
            .named("conv2")
            .silu();
        h.flatten().dense(1).named("last") + parabola(&x)
    };
    vec![
        ("residual", residual),
        ("gated", gated),
        ("concat", concat),
        ("experts", experts),
        ("conv", conv),
    ]
}

fn given(std: f64, shared: &[f64], own: &[f64]) -> Given {
    Given {
        std,
        shared: singles(shared),
        own: singles(own),
    }
}

type Tensors = BTreeMap<String, (Vec<usize>, Vec<f64>)>;

/// ED's loss in f64: w = 1.
fn discrepancy(net: &DoubleNet, rows: &[f64], d: usize, group: usize) -> f64 {
    let energies: Vec<f64> = rows.chunks(d).map(|x| net.energy(x).unwrap()).collect();
    let loss =
        |u: &[f64]| (1.0 + u[1..].iter().map(|other| (u[0] - other).exp()).sum::<f64>()).ln();
    energies.chunks(group).map(loss).sum::<f64>() / (energies.len() / group) as f64
}

/// Score matching's loss in f64.
fn matching(net: &DoubleNet, rows: &[f64], d: usize) -> f64 {
    let axes = axes(d);
    let loss = |x: &[f64]| {
        let jet = net.jet(x, &axes).unwrap();
        0.5 * jet[1..=d].iter().map(|s| s * s).sum::<f64>() - jet[d + 1]
    };
    rows.chunks(d).map(loss).sum::<f64>() / (rows.len() / d) as f64
}

/// A derivative by differences of fourth order.
fn slope(mut f: impl FnMut(f64) -> f64) -> f64 {
    let h = 1e-3;
    (8.0 * (f(h) - f(-h)) - (f(2.0 * h) - f(-2.0 * h))) / (12.0 * h)
}

/// Some of a loss's slopes over the parameters: `(parameter, place, slope)`.
fn parameter_slopes(
    net: &mut DoubleNet,
    loss: &dyn Fn(&DoubleNet) -> f64,
) -> Vec<(usize, usize, f64)> {
    let mut slopes = Vec::new();
    for parameter in 0..net.parameters.len() {
        let count = net.parameters[parameter].len();
        for place in (0..count).step_by(count.div_ceil(12)) {
            let before = net.parameters[parameter][place];
            let value = slope(|h| {
                net.parameters[parameter][place] = before + h;
                loss(net)
            });
            net.parameters[parameter][place] = before;
            slopes.push((parameter, place, value));
        }
    }
    slopes
}

#[test]
fn pytorch_s_values() {
    let folder = Folder::open();
    let (Some(manifest), Some(file)) = (
        folder.json("expressions_manifest.json"),
        folder.tensors("expressions.safetensors"),
    ) else {
        return;
    };
    for (name, energy) in golden_nets() {
        let get = |what: &str| file[&format!("{name}.{what}")].1.clone();
        let mut net = Net::new(energy, 0).unwrap();
        let names: Vec<String> = net
            .parameters()
            .into_iter()
            .map(|(name, _)| name.to_string())
            .collect();
        let mut double = net.in_double();
        for ((parameter, own), doubles) in names
            .iter()
            .zip(net.parameters_mut())
            .zip(&mut double.parameters)
        {
            let (sizes, values) = &file[&format!("{name}.param.{parameter}")];
            assert!(
                own.1.sizes() == *sizes || sizes == &[1],
                "{name}: {parameter} {sizes:?}"
            );
            own.1.set(&singles(values)).unwrap();
            doubles.clone_from(values);
        }
        let d = net.dimension();
        let x = get("x");
        in_double(
            name,
            &mut double,
            &names,
            (&x, d),
            &file,
            &manifest["nets"][name],
        );
        in_single(name, &net, &names, (&x, d), &file, &manifest["nets"][name]);
    }
}

fn in_double(
    name: &str,
    net: &mut DoubleNet,
    names: &[String],
    (x, d): (&[f64], usize),
    file: &Tensors,
    manifest: &serde_json::Value,
) {
    let get = |what: &str| &file[&format!("{name}.{what}")].1;
    for (i, x) in x.chunks(d).enumerate() {
        assert_close(
            &format!("{name}: U"),
            net.energy(x).unwrap(),
            get("energy")[i],
            DOUBLE,
        );
        let jet = net.jet(x, &axes(d)).unwrap();
        for (k, axis) in axes(d).into_iter().enumerate() {
            let what = format!("{name}: row {i}, coordinate {k}");
            assert_close(&what, jet[1 + k], get("gradient")[i * d + k], DOUBLE);
            let own = net.jet(x, &[axis]).unwrap();
            assert_close(&what, own[2], get("curvature")[i * d + k], DOUBLE);
        }
    }
    let rows = groups(x, d, 0.5, get("xi"), get("xi2"));
    let ed = |net: &DoubleNet| discrepancy(net, &rows, d, 5);
    let sm = |net: &DoubleNet| matching(net, x, d);
    assert_close(
        &format!("{name}: ED"),
        ed(net),
        number(&manifest["ed"]),
        DOUBLE,
    );
    assert_close(
        &format!("{name}: SM"),
        sm(net),
        number(&manifest["sm"]),
        DOUBLE,
    );
    let losses: [(&str, &dyn Fn(&DoubleNet) -> f64); 2] = [("ed", &ed), ("sm", &sm)];
    for (loss, f) in losses {
        for (parameter, place, slope) in parameter_slopes(net, f) {
            let what = format!("grad.{loss}.{}", names[parameter]);
            let truth = get(&what)[place];
            assert_close(
                &format!("{name}: {what}"),
                slope,
                truth,
                DOUBLE * (1.0 + truth.abs()),
            );
        }
    }
}

fn in_single(
    name: &str,
    net: &Net,
    names: &[String],
    (x, d): (&[f64], usize),
    file: &Tensors,
    manifest: &serde_json::Value,
) {
    let get = |what: &str| &file[&format!("{name}.{what}")].1;
    let x = points(singles(x), (x.len() / d, d)).unwrap();
    let noise = given(0.5, get("xi"), get("xi2"));
    let losses: [(&str, Box<dyn Loss>); 2] = [
        ("ed", Box::new(EnergyDiscrepancy::with(noise).particles(4))),
        ("sm", Box::new(ScoreMatching)),
    ];
    for (loss, mut own) in losses {
        let (value, gradient) = own.gradient(net, &x, &mut rng(0)).unwrap();
        let truth = number(&manifest[loss]);
        assert_close(
            &format!("{name}: {loss}"),
            value,
            truth,
            SINGLE * (1.0 + truth.abs()),
        );
        let truth: Vec<f64> = names
            .iter()
            .flat_map(|parameter| get(&format!("grad.{loss}.{parameter}")))
            .copied()
            .collect();
        let most = truth
            .iter()
            .fold(0.0, |most: f64, value| most.max(value.abs()));
        for (value, truth) in doubles(&gradient).into_iter().zip(truth) {
            assert_close(
                &format!("{name}: gradient of {loss}"),
                value,
                truth,
                SINGLE * most,
            );
        }
    }
}

/// Each operation in an energy of three coordinates, smooth at the points that are tried.
fn operations() -> Vec<(&'static str, Expr)> {
    let x = || Expr::points(3);
    // Not too near the kinks of the piecewise ones.
    let h = || x().dense(6);
    let positive = || h().square() + 0.5;
    let image = || h().dense(32).image(2, 4, 4);
    vec![
        ("dense", h().sum()),
        ("softplus", h().softplus().sum()),
        ("silu", h().silu().sum()),
        ("relu", h().relu().sum()),
        ("leaky_relu", h().leaky_relu(0.2).sum()),
        ("elu", h().elu(0.7).sum()),
        ("gelu", h().gelu().sum()),
        ("tanh", h().tanh().sum()),
        ("sigmoid", h().sigmoid().sum()),
        ("sin", h().sin().sum()),
        ("cos", h().cos().sum()),
        ("exp", h().exp().sum()),
        ("ln", positive().ln().sum()),
        ("sqrt", positive().sqrt().sum()),
        ("powers", (h().powi(3) + h().powi(0) + h().powi(1)).sum()),
        ("negative power", positive().powi(-2).sum()),
        ("any power", positive().powf(1.3).sum()),
        ("products", (h() * h().dense(6)).sum() * h().mean()),
        (
            "quotients",
            (h() / positive()).sum() + 2.0 / positive().sum(),
        ),
        (
            "one feature with many",
            (h().sum() * h() + h().mean() - h()).tanh().sum(),
        ),
        ("log_sum_exp", (h() * 40.0).log_sum_exp()),
        (
            "concat and slice",
            Expr::concat(&[h(), x().sin(), Expr::parameter("own", &[0.3, 0.4])])
                .slice(2..11)
                .square()
                .sum(),
        ),
        ("squared_distances", (-h().squared_distances(4)).exp().sum()),
        (
            "conv2d",
            image()
                .conv2d(3, Window::new(3).stride(2).padding(1))
                .tanh()
                .sum(),
        ),
        (
            "conv2d to many channels",
            image()
                .conv2d(19, Window::new(2))
                .silu()
                .conv2d(2, Window::new(3).padding(1))
                .square()
                .sum(),
        ),
        (
            "conv_transpose2d",
            image()
                .conv_transpose2d(3, Window::new(4).stride(2).padding(1))
                .silu()
                .conv_transpose2d(1, Window::new(3))
                .tanh()
                .sum(),
        ),
        (
            "average_pool",
            image()
                .average_pool(Window::new(3).padding(1))
                .square()
                .sum(),
        ),
        (
            "parameters",
            (Expr::scalar("a", 0.4) * h().square() + Expr::parameter("b", &[0.5; 6]).exp())
                .sum()
                .square(),
        ),
        ("points alone", x().square().sum() * 0.5),
    ]
}

#[test]
fn each_operation_has_the_derivatives_of_its_values() {
    let (d, rows) = (3, 5);
    for (name, energy) in operations() {
        let net = Net::new(energy.clone(), 1).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut double = net.in_double();
        let points32 = normal_points(rows, d, &mut rng(2)).unwrap();
        let x = doubles(&to_vec(&points32));
        let directions: Vec<Vec<f64>> = vec![vec![1.0, 0.0, 0.0], vec![0.3, -0.4, 0.5]];
        for x in x.chunks(d) {
            let jet = double.jet(x, &directions).unwrap();
            assert_close(
                &format!("{name}: U"),
                jet[0],
                double.energy(x).unwrap(),
                1e-12,
            );
            let along = |v: &[f64], h: f64| -> Vec<f64> {
                x.iter().zip(v).map(|(x, v)| x + h * v).collect()
            };
            let mut curvature = 0.0;
            for (k, v) in directions.iter().enumerate() {
                let exact = slope(|h| double.energy(&along(v, h)).unwrap());
                assert_close(
                    &format!("{name}: slope"),
                    jet[1 + k],
                    exact,
                    1e-7 * (1.0 + exact.abs()),
                );
                curvature +=
                    slope(|h| double.jet(&along(v, h), std::slice::from_ref(v)).unwrap()[1]);
            }
            assert_close(
                &format!("{name}: curvature"),
                jet[3],
                curvature,
                1e-7 * (1.0 + curvature.abs()),
            );
        }

        // In single precision: U, its slopes, its curvature, and both losses' gradients.
        let jets = net.jets_taped(&points32, Along::Coordinates).unwrap();
        let (energies, (_, slopes)) = (
            net.energy(&points32).unwrap(),
            net.gradient(&points32).unwrap(),
        );
        let close = |what: &str, single: f32, double: f64| {
            assert_close(
                &format!("{name}: {what}"),
                f64::from(single),
                double,
                SINGLE * (1.0 + double.abs()),
            );
        };
        for (i, x) in x.chunks(d).enumerate() {
            let jet = double.jet(x, &axes(d)).unwrap();
            close("U", to_vec(&energies)[i], jet[0]);
            close("U with derivatives", to_vec(&jets.energy)[i], jet[0]);
            close("curvature", to_vec(&jets.curvature)[i], jet[d + 1]);
            for k in 0..d {
                close("slope", to_vec(&jets.slopes)[i * d + k], jet[1 + k]);
                close("∂U/∂x", to_vec(&slopes)[i * d + k], jet[1 + k]);
            }
        }
        let noise = [
            doubles(&normals(rows * d, &mut rng(3))),
            doubles(&normals(rows * 2 * d, &mut rng(4))),
        ];
        let group = groups(&x, d, 0.5, &noise[0], &noise[1]);
        let ed = |net: &DoubleNet| discrepancy(net, &group, d, 3);
        let sm = |net: &DoubleNet| matching(net, &x, d);
        let given = EnergyDiscrepancy::with(given(0.5, &noise[0], &noise[1])).particles(2);
        let losses: [(&dyn Fn(&DoubleNet) -> f64, Box<dyn Loss>); 2] =
            [(&ed, Box::new(given)), (&sm, Box::new(ScoreMatching))];
        for (exact, mut loss) in losses {
            let gradient = doubles(&loss.gradient(&net, &points32, &mut rng(0)).unwrap().1);
            let most = gradient
                .iter()
                .fold(1e-3, |most: f64, value| most.max(value.abs()));
            for (parameter, place, slope) in parameter_slopes(&mut double, exact) {
                let first: usize = double.parameters[..parameter].iter().map(Vec::len).sum();
                let what = format!("{name}: gradient of {loss:?}");
                assert_close(&what, gradient[first + place], slope, 10.0 * SINGLE * most);
            }
        }
    }
}

#[test]
fn an_embedding_takes_its_row_and_names_a_code_that_is_none() {
    let x = Expr::points(2);
    let energy = (x.embedding(1, 3, 4) * x.slice(0..1).dense(4)).sum();
    let net = Net::new(energy, 0).unwrap();
    let given = points(vec![0.5, 2.0, -1.0, 0.0], (2, 2)).unwrap();
    let energies = to_vec(&net.energy(&given).unwrap());
    let double = net.in_double();
    for (row, u) in energies.iter().enumerate() {
        let x = doubles(&to_vec(&given)[row * 2..][..2]);
        assert_close("embedding", f64::from(*u), double.energy(&x).unwrap(), 1e-5);
        let jet = double.jet(&x, &axes(2)).unwrap();
        assert!(jet[1] != 0.0 && jet[2] == 0.0);
    }
    let mut loss = EnergyDiscrepancy::with_std(1.0);
    let error = loss
        .gradient(&net, &given, &mut rng(0))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`embedding`: column 1 holds") && error.contains("from 0 to 2"),
        "{error}"
    );
}

#[test]
fn mistakes_are_one_line_that_names_the_operation() {
    let x = Expr::points(2);
    let cases: Vec<(Expr, &str)> = vec![
        (x.dense(64) + x.dense(32), "`+` of 64 and 32 features"),
        (x.dense(8) * x.dense(3), "`*` of 8 and 3 features"),
        (
            x.sum() + Expr::points(3).sum(),
            "`+` joins expressions of points with 2 and with 3 coordinates",
        ),
        (x.dense(8), "this has 8"),
        (
            x.dense(0).sum(),
            "`dense(0)` a layer has at least one output",
        ),
        (
            Expr::points(0).sum(),
            "`points` points have at least one coordinate",
        ),
        (Expr::scalar("a", 1.0) + 2.0, "does not depend on points"),
        (Expr::from(3.0), "does not depend on points"),
        (Expr::scalar("a", f64::NAN) * x.sum(), "`a` starts at [NaN]"),
        (x.sum() * f64::INFINITY, "a number in it is not finite"),
        (x.sum() / 0.0, "a number in it is not finite"),
        (
            x.image(1, 2, 2).sum(),
            "`image(1, 2, 2)` there are 2 features",
        ),
        (x.conv2d(3, Window::new(3)).sum(), "is of images"),
        (
            Expr::points(64)
                .image(1, 8, 8)
                .conv2d(3, Window::new(9))
                .sum(),
            "does not fit 1 x 8 x 8",
        ),
        (x.conv_transpose2d(3, Window::new(3)).sum(), "is of images"),
        (
            Expr::points(64)
                .image(1, 8, 8)
                .conv_transpose2d(0, Window::new(3))
                .sum(),
            "`conv_transpose2d(0, Window",
        ),
        (
            Expr::points(64)
                .image(1, 8, 8)
                .average_pool(Window::new(2).stride(0))
                .sum(),
            "does not fit",
        ),
        (x.slice(1..3).sum(), "`slice(1..3)` there are 2 features"),
        (
            Expr::scalar("a", 1.0).average_pool(Window::new(2)).sum(),
            "is of images",
        ),
        (
            Expr::points(64)
                .image(1, 8, 8)
                .conv2d(3, Window::new(1 << 40).padding((1 << 40) - 1))
                .sum(),
            "does not fit",
        ),
        (Expr::concat([]).sum(), "`concat` there is nothing to join"),
        (x.embedding(2, 3, 4).sum(), "columns are 0 to 1"),
        (
            x.dense(2).embedding(0, 3, 4).sum(),
            "call it on `Expr::points`",
        ),
        (
            x.tanh().named("a").sum(),
            "there are no parameters to be named \"a\"",
        ),
        (
            x.dense(1).named("a") + x.dense(1).named("a"),
            "two parameters are named `a.weight`",
        ),
        (x.dense(usize::MAX).sum(), "too many numbers"),
        (
            (0..6000).fold(x.clone(), |x, _| x.sin()).sum(),
            "more than 5000 operations",
        ),
    ];
    for (energy, expected) in cases {
        let error = Net::new(energy, 0).map(|_| ()).unwrap_err().to_string();
        assert!(
            error.contains(expected) && !error.contains('\n'),
            "{error}\nlacks {expected}"
        );
    }
}

/// Everything that a training asks of a net, as bits.
#[cfg(not(feature = "cuda"))]
fn everything(net: &Net, x: &Points, m: usize) -> Vec<u32> {
    let mut numbers = to_vec(&net.gradient(x).unwrap().1);
    let mut loss = EnergyDiscrepancy::with_std(0.5).particles(m);
    numbers.extend(loss.gradient(net, x, &mut rng(0)).unwrap().1);
    numbers.extend(ScoreMatching.gradient(net, x, &mut rng(0)).unwrap().1);
    numbers.into_iter().map(f32::to_bits).collect()
}

#[test]
#[cfg(not(feature = "cuda"))]
fn the_number_of_threads_changes_no_bit() {
    for ((name, energy), rows) in golden_nets().into_iter().zip([700, 700, 700, 700, 90]) {
        let net = Net::new(energy, 3).unwrap();
        let shape = (rows, net.dimension());
        let x = points(normals(shape.0 * shape.1, &mut rng(1)), shape).unwrap();
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let pool = pool.build().unwrap();
            pool.install(|| everything(&net, &x, 9))
        };
        let one = run(1);
        assert!(one.iter().any(|bits| f32::from_bits(*bits) != 0.0));
        for threads in [2, 5] {
            assert!(run(threads) == one, "{name}: {threads} threads");
        }
    }
}

#[test]
fn a_net_trains_saves_and_comes_back() {
    let build = || {
        let x = Expr::points(2);
        let h = x.dense(16).silu();
        let h = &h + h.dense(16).silu();
        Net::new(h.dense(1) + x.square().sum() * 0.5, 3).unwrap()
    };
    let net = build();
    let names: Vec<&str> = net.parameters().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names[2..4], ["dense2.weight", "dense2.bias"]);
    let mut run = Trainer::new(net, EnergyDiscrepancy::with_std(1.0))
        .steps(150)
        .batch(64)
        .adam(3e-3)
        .quiet();
    let _ = run.fit(&toy::gaussians_8()).unwrap();
    let losses = run.history().losses();
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    assert!(
        mean(&losses[130..]) < mean(&losses[..20]) - 0.05,
        "{losses:?}"
    );
    let path =
        std::env::temp_dir().join(format!("ed-expression-{}.safetensors", std::process::id()));
    run.ema().save_weights(&path).unwrap();
    let mut other = build();
    other.load_weights(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(other.flat_parameters(), run.ema().flat_parameters());
    let none = points(Vec::new(), (0, 2)).unwrap();
    assert_eq!(other.energy(&none).unwrap().shape(), &(0,));
    let jets = other.jets_taped(&none, Along::Coordinates).unwrap();
    assert_eq!(jets.slopes.shape(), &(0, 2));
    let wrong = device().unwrap().zeros_like(&(1, 1, 3));
    let error = other.jets_taped(&none, Along::Directions(&wrong));
    assert!(error.unwrap_err().to_string().contains("(0, K, 2)"));
    assert!(
        format!("{other:?}").starts_with("an energy of 2 coordinates"),
        "{other:?}"
    );
}
