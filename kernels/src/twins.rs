//! The kernels against [`super::reference`], on every level.

use super::reference::{
    ACTIVATIONS, Reference, WIDTHS, assert_close, discrepancy, each, jets, points, row,
    score_matching, some,
};
use super::simd::Level;
use super::*;

/// Every network of the reference with some rows, on every level that this machine has.
fn for_each_case(mut test: impl FnMut(&Reference, &Network, &[f32], &str)) {
    for level in Level::available() {
        for activation in ACTIVATIONS {
            for widths in WIDTHS {
                let reference = Reference::random(widths, activation, 3);
                let parameters = reference.rounded();
                let engine = reference.engine();
                let network = Network::new(&engine, &parameters).unwrap().at(level);
                for rows in [0, 1, 7, 40] {
                    let what = format!("{} {activation:?} {widths:?} {rows}", level.name());
                    test(&reference, &network, &points(rows, widths[0], 4), &what);
                }
            }
        }
    }
}

/// Both gradients, or one.
fn wanted<'a>(
    parameters: Option<&'a mut Vec<f32>>,
    points: Option<&'a mut Vec<f32>>,
) -> Gradients<'a> {
    Gradients {
        parameters: parameters.map(|all| &mut all[..]),
        points: points.map(|all| &mut all[..]),
    }
}

/// U and ∇U.
fn input_gradient(network: &Network, x: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let mut gradient = vec![f32::NAN; x.len()];
    let energy = |_: usize, u: &[f32], slope: &mut [f32]| {
        slope[0] = 1.0;
        u[0]
    };
    let u = pull_back(network, x, energy, wanted(None, Some(&mut gradient))).unwrap();
    (u, gradient)
}

#[test]
fn energies_and_input_gradients() {
    for_each_case(|reference, network, x, what| {
        let d = network.dimension();
        let rows = x.len() / d;
        let mut u = vec![f32::NAN; rows];
        results(network, x, &mut u).unwrap();
        let (again, gradient) = input_gradient(network, x);
        assert_eq!(u, again, "{what}");
        for r in 0..rows {
            let x = row(x, d, r);
            assert_close(u[r], reference.energy(&x), 1.0, 2e-6, what);
            for (value, exact) in gradient[r * d..].iter().zip(reference.gradient(&x)) {
                assert_close(*value, exact, 1.0, 3e-6, what);
            }
        }
    });
}

#[test]
fn gradients_of_a_weighted_sum() {
    for_each_case(|reference, network, x, what| {
        let d = network.dimension();
        let rows = x.len() / d;
        let c: Vec<f32> = (0..rows).map(|r| (r as f32 * 1.3).sin()).collect();
        let mut gradient = vec![f32::NAN; network.parameters()];
        let mut input = vec![f32::NAN; x.len()];
        let both = wanted(Some(&mut gradient), Some(&mut input));
        backward(network, x, &c, both).unwrap();
        let at = some(gradient.len());
        let exact = reference.sensitivity(&at, 1e-5, |reference| {
            (0..rows)
                .map(|r| f64::from(c[r]) * reference.energy(&row(x, d, r)))
                .sum()
        });
        for (i, exact) in at.iter().zip(exact) {
            assert_close(gradient[*i], exact, 3.0, 3e-6, what);
        }
        for r in 0..rows {
            for (value, exact) in input[r * d..].iter().zip(reference.gradient(&row(x, d, r))) {
                assert_close(*value, f64::from(c[r]) * exact, 1.0, 3e-6, what);
            }
        }
        let (mut alone, mut input_alone) = (gradient.clone(), input.clone());
        backward(network, x, &c, wanted(Some(&mut alone), None)).unwrap();
        backward(network, x, &c, wanted(None, Some(&mut input_alone))).unwrap();
        assert_eq!((alone, input_alone), (gradient, input), "{what}");
    });
}

/// log(1 + Σ exp(U_0 - U_j)) of one group in f64.
fn exact_loss(reference: &Reference, x: &[f32], d: usize, group: usize) -> f64 {
    let energy = |r: usize| reference.energy(&row(x, d, r));
    let groups = x.len() / d / group;
    let loss = |g: usize| {
        let terms = (1..group).map(|j| (energy(g * group) - energy(g * group + j)).exp());
        (1.0 + terms.sum::<f64>()).ln()
    };
    (0..groups).map(loss).sum::<f64>() / groups.max(1) as f64
}

#[test]
fn gradients_of_energy_discrepancy() {
    for_each_case(|reference, network, x, what| {
        let d = network.dimension();
        let group = if x.len() / d == 40 { 5 } else { 7 };
        if !(x.len() / d).is_multiple_of(group) {
            let mut gradient = vec![0.0; network.parameters()];
            assert!(
                group_gradient(
                    network,
                    x,
                    group,
                    (&each(group, discrepancy), 1.0),
                    &mut gradient
                )
                .is_err()
            );
            return;
        }
        let scale = (group * d) as f64 / (x.len() as f64).max(1.0);
        let mut gradient = vec![f32::NAN; network.parameters()];
        let formula = each(group, discrepancy);
        let formula = (&formula as &Formula, scale);
        let loss = group_gradient(network, x, group, formula, &mut gradient).unwrap();
        let exact = exact_loss(reference, x, d, group);
        assert_close(loss as f32, exact, 1.0, 3e-6, what);
        let at = some(gradient.len());
        let exact = reference.sensitivity(&at, 1e-5, |net| exact_loss(net, x, d, group));
        for (i, exact) in at.iter().zip(exact) {
            assert_close(gradient[*i], exact, 1.0, 4e-6, what);
        }
    });
}

#[test]
fn first_and_second_derivatives() {
    for_each_case(|reference, network, x, what| {
        let d = network.dimension();
        let rows = x.len() / d;
        // Along the coordinates, given as directions too, and along each twice as far.
        let mut axes = vec![0.0; rows * d * d];
        axes.chunks_exact_mut(d * d)
            .for_each(|axes| (0..d).for_each(|i| axes[i * (d + 1)] = 1.0));
        let twice: Vec<f32> = axes.iter().map(|v| 2.0 * v).collect();
        let along = [
            (None, 1.0),
            (Some((&*axes, d)), 1.0),
            (Some((&*twice, d)), 2.0),
        ];
        for (directions, far) in along {
            for (r, jet) in jets(network, x, directions).chunks_exact(d + 2).enumerate() {
                let x = row(x, d, r);
                assert_close(jet[0], reference.energy(&x), 1.0, 2e-6, what);
                for (value, exact) in jet[1..].iter().zip(reference.gradient(&x)) {
                    assert_close(*value, far * exact, 1.0, 3e-6, what);
                }
                let kinks = matches!(reference.activation, Function::LeakyRelu(_));
                let exact = if kinks { 0.0 } else { reference.laplacian(&x) };
                assert_close(jet[d + 1], far * far * exact, 1.0, 5e-6, what);
            }
        }
    });
}

#[test]
fn one_direction_is_a_mixture_of_coordinates() {
    let reference = Reference::random(&[3, 20, 11, 1], Function::Silu, 2);
    let parameters = reference.rounded();
    for level in Level::available() {
        let engine = reference.engine();
        let network = Network::new(&engine, &parameters).unwrap().at(level);
        let (x, v) = (points(13, 3, 5), points(13, 3, 6));
        for (r, jet) in jets(&network, &x, Some((&v, 1)))
            .chunks_exact(3)
            .enumerate()
        {
            let (x, v) = (row(&x, 3, r), row(&v, 3, r));
            let slope: f64 = reference
                .gradient(&x)
                .iter()
                .zip(&v)
                .map(|(g, v)| g * v)
                .sum();
            assert_close(jet[1], slope, 1.0, 5e-6, level.name());
            let at = |t: f64| reference.energy(&[0, 1, 2].map(|i| x[i] + t * v[i]));
            let h = 1e-3;
            let bend = (at(h) - 2.0 * at(0.0) + at(-h)) / (h * h);
            assert_close(jet[2], bend, 1.0, 2e-5, level.name());
        }
    }
}

#[test]
fn gradients_of_score_matching() {
    for_each_case(|reference, network, x, what| {
        let d = network.dimension();
        let rows = x.len() / d;
        let kinks = matches!(reference.activation, Function::LeakyRelu(_));
        let exact_loss = |reference: &Reference| {
            let loss = |r: usize| {
                let x = row(x, d, r);
                let squares: f64 = reference.gradient(&x).iter().map(|u| 0.5 * u * u).sum();
                squares - if kinks { 0.0 } else { reference.laplacian(&x) }
            };
            (0..rows).map(loss).sum::<f64>() / rows.max(1) as f64
        };
        let mut gradient = vec![f32::NAN; network.parameters()];
        let formula = each(d + 2, score_matching);
        let formula = (&formula as &Formula, 1.0 / rows.max(1) as f64);
        let loss = jet_gradient(network, x, None, formula, &mut gradient).unwrap();
        assert_close(loss as f32, exact_loss(reference), 1.0, 5e-6, what);
        let at = some(gradient.len());
        let exact = reference.sensitivity(&at, 1e-3, exact_loss);
        for (i, exact) in at.iter().zip(exact) {
            assert_close(gradient[*i], exact, 1.0, 3e-5, what);
        }
    });
}

/// Everything that a network computes, in one list.
fn everything(network: &Network, rows: usize, group: usize) -> Vec<f32> {
    let x = points(rows, network.dimension(), 6);
    let parts = [
        rows,
        x.len(),
        network.parameters(),
        network.parameters(),
        network.parameters(),
        x.len(),
    ];
    let mut out = vec![f32::NAN; parts.iter().sum()];
    let mut rest = &mut out[..];
    let [u, g, first, second, third, input] =
        parts.map(|count| rest.split_off_mut(..count).unwrap());
    let (energies, slopes) = input_gradient(network, &x);
    u.copy_from_slice(&energies);
    g.copy_from_slice(&slopes);
    let contrast = each(group, discrepancy);
    let loss = group_gradient(network, &x, group, (&contrast, 0.1), first).unwrap();
    let matching = each(network.dimension() + 2, score_matching);
    let score = jet_gradient(network, &x, None, (&matching, 0.1), second).unwrap();
    let both = Gradients {
        parameters: Some(third),
        points: Some(input),
    };
    backward(network, &x, u, both).unwrap();
    out.extend([loss as f32, score as f32]);
    out.extend(jets(network, &x, None));
    out
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let cases: [(&[usize], usize, usize); 4] = [
        (&[2, 64, 64, 1], 1000, 5),
        (&[1, 2, 2, 1], 20_000, 5),
        (&[2, 40, 40, 1], 3 * 2100, 2100),
        (&[2, 40, 40, 1], 5 * 700, 700),
    ];
    for (widths, rows, group) in cases {
        let reference = Reference::random(widths, Function::Softplus, 1);
        let parameters = reference.rounded();
        let engine = reference.engine();
        let network = Network::new(&engine, &parameters)
            .unwrap()
            .at(Level::best());
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| everything(&network, rows, group))
        };
        let one = run(1);
        assert!(one.iter().all(|value| value.is_finite()));
        for threads in [2, 3, 8] {
            assert!(run(threads) == one, "{widths:?} with {threads} threads");
        }
    }
}

#[test]
fn large_groups_give_what_small_ones_give() {
    let reference = Reference::random(&[2, 24, 24, 1], Function::Tanh, 1);
    let parameters = reference.rounded();
    for level in Level::available() {
        let engine = reference.engine();
        let network = Network::new(&engine, &parameters).unwrap().at(level);
        let x = points(2 * 3000, 2, 2);
        // A loss that does not care how rows are grouped.
        let formula = |_: usize, u: &[f64], c: &mut [f64]| {
            c.copy_from_slice(u);
            u.iter().map(|u| 0.5 * u * u).sum()
        };
        let gradient = |group| {
            let mut gradient = vec![0.0; network.parameters()];
            let loss = group_gradient(&network, &x, group, (&formula, 1.0), &mut gradient).unwrap();
            (loss, gradient)
        };
        let (loss, expected) = gradient(4);
        for group in [600, 3000, 6000] {
            let (again, gradient) = gradient(group);
            assert!((again / loss - 1.0).abs() < 1e-6);
            for (value, exact) in gradient.iter().zip(&expected) {
                assert_close(*value, f64::from(*exact), 100.0, 2e-5, level.name());
            }
        }
    }
}

#[test]
fn huge_energies_do_not_overflow() {
    for level in Level::available() {
        for activation in ACTIVATIONS {
            let mut reference = Reference::random(&[1, 8, 8, 1], activation, 9);
            let last = reference.parameters.len() - 9;
            reference.parameters[last..]
                .iter_mut()
                .for_each(|w| *w *= 1e4);
            let parameters = reference.rounded();
            let engine = reference.engine();
            let network = Network::new(&engine, &parameters).unwrap().at(level);
            let out = everything(&network, 50, 5);
            assert!(out.iter().all(|value| value.is_finite()), "{activation:?}");
        }
    }
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    let p = [0.1; 7];
    let engine = Reference::random(&[2, 1, 1], Function::Tanh, 0).engine();
    assert!(Network::new(&engine, &p[..4]).is_err());
    let network = Network::new(&engine, &p[..5]).unwrap();
    let (x, mut g, mut u) = ([0.0; 6], [0.0; 5], [0.0; 3]);
    let (mut short, mut d) = (vec![0.0; 4], vec![0.0; 5]);
    assert!(results(&network, &x[..5], &mut u).is_err());
    assert!(results(&network, &x, &mut u[..2]).is_err());
    let none = |_: usize, _: &[f32], _: &mut [f32]| 0.0;
    assert!(pull_back(&network, &x, none, wanted(None, Some(&mut d))).is_err());
    assert!(backward(&network, &x, &[0.0; 2], wanted(None, None)).is_err());
    assert!(backward(&network, &x, &[0.0; 3], wanted(Some(&mut short), None)).is_err());
    let formula = (&score_matching as &Formula, 1.0);
    assert!(group_gradient(&network, &x, 2, formula, &mut g).is_err());
    assert!(group_gradient(&network, &x, 0, formula, &mut g).is_err());
    assert!(jet_gradient(&network, &x, None, formula, &mut g[..3]).is_err());
    assert!(jet_gradient(&network, &x, Some((&[0.0; 5], 1)), formula, &mut g).is_err());
}
