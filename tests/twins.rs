//! Every loss on random nets, points and settings: the fused way, plain dfdx operations and the tape against
//! the oracle in f64, and each formula against its differences.

#![allow(clippy::unwrap_used)] // A test may.

mod oracle;

use energy_discrepancy::dfdx::prelude::*;
use energy_discrepancy::energy::{Activation, Plain};
use energy_discrepancy::prelude::*;
use energy_discrepancy::rand::RngExt;
use oracle::{Oracle, doubles};

/// A net and points of random size; the first cases are the smallest that there are.
struct Case {
    net: Mlp,
    x: Points,
    rng: Rng,
    name: String,
}

impl Case {
    fn all() -> impl Iterator<Item = Case> {
        // dfdx's kernels are slow where there is no GPU to run them.
        let nets = if cfg!(feature = "cuda") { 20 } else { 60 };
        (0..nets).map(Case::new)
    }

    fn new(seed: u64) -> Case {
        let mut rng = rng(seed);
        let small = seed < 4;
        let mut up_to = |most: usize| if small { 1 } else { rng.random_range(1..=most) };
        let (n, d, depth) = (up_to(70), up_to(3), up_to(4));
        let mut widths = vec![d];
        widths.extend((1..depth).map(|_| up_to(40)));
        widths.push(1);
        let activation = match seed % 4 {
            0 => Activation::Softplus,
            1 => Activation::Silu,
            2 => Activation::Tanh,
            _ => Activation::LeakyRelu(0.2),
        };
        let mut net = Mlp::new(&widths, activation, seed).unwrap();
        // Larger weights than at the start, so that every part of the activation is seen.
        let scale = rng.random_range(0.5..3.0);
        let values: Vec<f32> = net.flat_parameters().iter().map(|v| v * scale).collect();
        net.set_flat_parameters(&values).unwrap();
        let x = (0..n * d)
            .map(|_| rng.random_range(-3.0..3.0_f32))
            .collect();
        let x = points(x, (n, d)).unwrap();
        let name = format!("seed {seed}: {n} points, {widths:?}, {activation:?}");
        Case { net, x, rng, name }
    }

    /// Holds a loss and its gradient against the oracle's, for the net in every way.
    fn compare(&self, loss: &mut dyn Loss, what: &str) {
        let plain = Plain(self.net.clone());
        let prior = LatentPrior::tilted_by(self.net.clone()).unwrap();
        let ways: [(&str, &dyn Trainable, Oracle); 3] = [
            ("fused", &self.net, Oracle::of(&self.net)),
            ("plain", &plain, Oracle::of(&self.net)),
            ("prior", &prior, Oracle::of_prior(&prior)),
        ];
        for (way, energy, oracle) in ways {
            let what = format!("{}, {what}, {way}", self.name);
            let (value, gradient) = loss.gradient(energy, &self.x, &mut rng(1)).unwrap();
            let again = loss.evaluate(energy, &self.x, &mut rng(1)).unwrap();
            let taped = loss.taped(energy, &self.x, &mut rng(1)).unwrap();
            let terms = loss.terms(energy, &self.x, &mut rng(1)).unwrap();
            let (truth, slopes) = oracle.loss(&terms, &doubles(terms.rows()));
            // f32 keeps 1e-7 of each energy; losses are differences of them, gradients sums.
            let rows = terms.rows().chunks(terms.dimension());
            let largest = rows
                .map(|x| oracle.energy(&doubles(x)).abs())
                .fold(1.0, f64::max);
            let allowed = 1e-5 * (truth.abs() + largest);
            assert!(
                (value - truth).abs() <= allowed,
                "{what}: {value} instead of {truth}"
            );
            assert_near(&what, &gradient, &slopes, 1e-4 * largest);
            assert!(
                (again - truth).abs() <= allowed,
                "{what}: {again} instead of {truth}"
            );
            let (taped_value, tape) = taped.split_tape();
            assert!(
                (f64::from(taped_value.array()) - truth).abs() <= allowed,
                "{what}, taped"
            );
            let gradients = taped_value.put_tape(tape).backward();
            let each = energy.parameters().into_iter().flat_map(|(_, parameter)| {
                let mut own = vec![0.0; parameter.len()];
                parameter
                    .read_gradient(&mut gradients.clone(), &mut own)
                    .unwrap();
                own
            });
            assert_near(
                &format!("{what}, taped"),
                &each.collect::<Vec<_>>(),
                &slopes,
                1e-4 * largest,
            );
        }
    }
}

/// Compares lists; errors are measured by the largest value, and at least 1.
fn assert_near(what: &str, found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1.0, |a: f64, b| a.max(b.abs()));
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - expected).abs();
        assert!(
            error <= tolerance * largest,
            "{what} [{i}]: {found} instead of {expected}"
        );
    }
}

#[test]
fn energies_and_their_gradients_agree() {
    for case in Case::all() {
        let d = case.x.shape().1;
        let prior = LatentPrior::tilted_by(case.net.clone()).unwrap();
        // On a GPU nets have none.
        let frozen = (case.net.frozen(), prior.frozen());
        let plain = Plain(case.net.clone());
        let (oracle, tilted) = (Oracle::of(&case.net), Oracle::of_prior(&prior));
        let mut ways: Vec<(&dyn Energy, &Oracle)> =
            vec![(&case.net, &oracle), (&plain, &oracle), (&prior, &tilted)];
        ways.extend(frozen.0.as_deref().map(|energy| (energy, &oracle)));
        ways.extend(frozen.1.as_deref().map(|energy| (energy, &tilted)));
        let rows: Vec<Vec<f64>> = to_vec(&case.x).chunks(d).map(doubles).collect();
        for (energy, oracle) in ways {
            let (u, slopes) = energy.gradient(&case.x).unwrap();
            let exact: Vec<f64> = rows.iter().map(|x| oracle.energy(x)).collect();
            assert_near(&case.name, &u.as_vec(), &exact, 1e-5);
            assert_near(
                &case.name,
                &energy.energy(&case.x).unwrap().as_vec(),
                &exact,
                1e-5,
            );
            let exact: Vec<f64> = rows.iter().flat_map(|x| oracle.gradient(x)).collect();
            assert_near(&case.name, &slopes.as_vec(), &exact, 1e-4);
        }
    }
}

#[test]
fn the_tape_operation_has_the_gradients_of_the_plain_path() {
    for case in Case::all() {
        // Σ U(x)², so that every energy has another cotangent.
        let gradients = |net: &dyn Trainable| {
            let loss = net
                .energy_taped(case.x.leaky_trace())
                .unwrap()
                .square()
                .sum();
            let gradients = loss.backward();
            let mut all = gradients.get(&case.x).as_vec();
            for (_, parameter) in net.parameters() {
                let mut values = vec![0.0; parameter.len()];
                parameter
                    .read_gradient(&mut gradients.clone(), &mut values)
                    .unwrap();
                all.extend(values);
            }
            all
        };
        let expected = doubles(&gradients(&Plain(case.net.clone())));
        assert_near(&case.name, &gradients(&case.net), &expected, 1e-4);
        // A permuted view, whose values lie in another order.
        let turned = case.x.clone().permute::<_, Axes2<1, 0>>();
        if let Ok(u) = case.net.energy(&turned) {
            let plain = Plain(case.net.clone()).energy(&turned).unwrap().as_vec();
            assert_near(&case.name, &u.as_vec(), &doubles(&plain), 1e-5);
            assert!(case.net.energy_taped(turned.leaky_traced()).is_ok());
        }
    }
}

/// Noise so wide, and energies that rise so steeply around the data, that nearly no particle counts.
#[test]
fn energy_discrepancy_with_wide_noise_agrees() {
    for mut case in Case::all().filter(|case| !case.name.contains("Tanh")) {
        // Energies that add up positive parts rise on all sides.
        let first = case.net.parameters()[0].1.len();
        let mut values = case.net.flat_parameters();
        values[first..].iter_mut().for_each(|v| *v = v.abs());
        case.net.set_flat_parameters(&values).unwrap();
        for w in [0.0, 1.0] {
            let loss = EnergyDiscrepancy::with_std(50.0).particles(32);
            case.compare(&mut loss.stabilisation(w), &format!("wide ED, w = {w}"));
        }
    }
}

#[test]
fn energy_discrepancy_agrees() {
    for mut case in Case::all() {
        let m = if case.x.shape().0 == 1 {
            1
        } else {
            case.rng.random_range(1..=9)
        };
        for w in [0.0, 0.3, 1.0, 50.0] {
            let loss = EnergyDiscrepancy::with_std(0.7).particles(m);
            case.compare(&mut loss.stabilisation(w), &format!("ED M = {m}, w = {w}"));
        }
    }
}

#[test]
fn the_other_losses_agree() {
    for case in Case::all() {
        case.compare(&mut ScoreMatching, "SM");
        case.compare(&mut Sliced(2), "sliced SM");
        // A chain in f32 ends where it ends: the loss is compared there.
        case.compare(&mut ContrastiveDivergence::default().steps(3), "CD");
        let grid = match case.x.shape().1 {
            1 => Quadrature::interval(-4.0..4.0, 61),
            2 => Quadrature::square(-4.0..4.0, 61),
            _ => continue,
        };
        case.compare(&mut MaximumLikelihood::on(grid.unwrap()), "likelihood");
    }
}

/// Score matching along K random directions (Song et al., UAI 2019): ½ (v · ∇U)² - vᵀ ∇²U v.
#[derive(Debug)]
struct Sliced(usize);

impl Loss for Sliced {
    fn terms(&mut self, _: &dyn Energy, x: &Points, rng: &mut Rng) -> Result<Terms<'_>, Error> {
        let (rows, k) = (to_vec(x), self.0);
        let directions = normals(k * rows.len(), rng);
        Terms::of_jets_along(rows, x.shape().1, directions, move |_, jet, slopes| {
            slopes[0] = 0.0;
            slopes[1..=k].copy_from_slice(&jet[1..=k]);
            slopes[k + 1] = -1.0;
            0.5 * jet[1..=k].iter().map(|s| s * s).sum::<f64>() - jet[k + 1]
        })
    }
}

/// The slopes of every loss's formula are those of its values.
#[test]
fn formulae_have_their_slopes() {
    let x = toy::gaussians_8().sample(6, &mut rng(0)).unwrap();
    let net = Mlp::silu(&[2, 4, 1], 0).unwrap();
    let discrepancy = |m, w| {
        EnergyDiscrepancy::with_std(1.0)
            .particles(m)
            .stabilisation(w)
    };
    let grid = Quadrature::square(-2.0..2.0, 5).unwrap();
    let mut losses: Vec<Box<dyn Loss>> = vec![
        Box::new(ScoreMatching),
        Box::new(Sliced(3)),
        Box::new(ContrastiveDivergence::default()),
        Box::new(MaximumLikelihood::on(grid)),
        Box::new(EnergyDiscrepancy::with_variance(0.3).divided_by_variance()),
    ];
    for (m, w) in [(1, 0.0), (4, 0.3), (4, 1.0), (33, 1.0), (33, 0.0)] {
        losses.push(Box::new(discrepancy(m, w)));
    }
    for loss in &mut losses {
        let what = format!("{loss:?}");
        let terms = loss.terms(&net, &x, &mut rng(1)).unwrap();
        let count = terms.count() * terms.width();
        for size in [1.0, 20.0] {
            let numbers: Vec<f64> = normals(count, &mut rng(2))
                .into_iter()
                .map(|v| size * f64::from(v))
                .collect();
            let mut slopes = vec![f64::NAN; count];
            let value = terms.evaluate(&numbers, &mut slopes);
            assert!(value.is_finite());
            for i in 0..count {
                let at = |h: f64| {
                    let mut moved = numbers.clone();
                    moved[i] += h;
                    terms.evaluate(&moved, &mut vec![0.0; count])
                };
                // Differences of fourth order: h⁴ = 1e-12 and rounding 1e-16 value/h.
                let h = 1e-3;
                let slope = (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
                let allowed = 1e-10 * (1.0 + slope.abs() + value.abs());
                assert!(
                    (slope - slopes[i]).abs() < allowed,
                    "{what} [{i}]: {slope} {}",
                    slopes[i]
                );
            }
        }
    }
}

#[test]
fn huge_energies_neither_overflow_nor_lose_the_gradient() {
    // U = a x with a = ±1e4: energy differences of 1e4 and more.
    for a in [1e4_f32, -1e4, 1e-30] {
        let mut net = Mlp::tanh(&[1, 1], 0).unwrap();
        net.set_flat_parameters(&[a, 0.0]).unwrap();
        let x = points(vec![-1.0, 0.5, 2.0], (3, 1)).unwrap();
        for w in [0.0, 1.0] {
            let mut loss = EnergyDiscrepancy::with_std(1.0).stabilisation(w);
            let (value, gradient) = loss.gradient(&net, &x, &mut rng(1)).unwrap();
            assert!(
                value.is_finite() && gradient.iter().all(|g| g.is_finite()),
                "{a} {w}"
            );
            let again = loss.evaluate(&net, &x, &mut rng(1)).unwrap();
            assert!(
                (value - again).abs() <= 1e-5 * again.abs() + 1e-6,
                "{value} {again}"
            );
        }
    }
}

/// An infinite energy that counts nothing leaves the taped loss a number.
#[test]
fn an_infinite_energy_counts_nothing_on_a_tape() {
    #[derive(Debug)]
    struct Walled;
    impl Energy for Walled {
        fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
            // 1/0 beyond the wall at 2.
            let inside = x.retaped::<GradientTape>().negate() + 2.0;
            Ok((x.square() + inside.relu().recip()).sum::<_, Axis<1>>())
        }
    }
    let x = points(vec![0.0, 1.0, 1.5], (3, 1)).unwrap();
    let mut loss = EnergyDiscrepancy::with_std(1.0).particles(8);
    let value = loss.evaluate(&Walled, &x, &mut rng(3)).unwrap();
    let taped = loss.taped(&Walled, &x, &mut rng(3)).unwrap();
    assert!(
        value.is_finite() && (f64::from(taped.array()) - value).abs() < 1e-5,
        "{value} {}",
        taped.array()
    );
}

#[test]
#[cfg_attr(feature = "cuda", ignore = "a GPU adds in no fixed order")]
fn the_number_of_threads_changes_no_bit() {
    let data = GaussianMixture::new(&[1.0], &[[0.0, 0.0]], &[1.0]).unwrap();
    let train = |threads: usize, loss: Box<dyn Loss>| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| {
            let net = Mlp::softplus(&[2, 64, 64, 1], 3).unwrap();
            let run = Trainer::new(net, loss).steps(20).batch(600).ema_decay(0.9);
            let mut run = run.quiet();
            let _ = run.fit(&data).unwrap();
            (
                run.energy().flat_parameters(),
                run.history().losses().to_vec(),
            )
        })
    };
    let losses: [fn() -> Box<dyn Loss>; 3] = [
        || Box::new(EnergyDiscrepancy::with_std(1.0).particles(16)),
        || Box::new(ScoreMatching),
        || Box::new(ContrastiveDivergence::with(Mala::with_step_size(0.1))),
    ];
    for loss in losses {
        let one = train(1, loss());
        assert_eq!(one, train(2, loss()));
        assert_eq!(one, train(5, loss()));
    }
}
