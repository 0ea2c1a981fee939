//! Fused operations against the plain dfdx path that defines them, and gradients against finite
//! differences, on random nets, points and settings.

#![allow(clippy::unwrap_used)] // A test may.

use energy_discrepancy::dfdx::prelude::*;
use energy_discrepancy::energy::{Activation, Plain};
use energy_discrepancy::loss::{Behind, Gaussian, Noise};
use energy_discrepancy::prelude::*;
use rand::RngExt;

/// A net and points of random size; the first cases are the smallest that there are.
struct Case {
    net: Mlp,
    double: Plain<Mlp<f64, AutoDevice>>,
    x: Vec<f64>,
    shape: (usize, usize),
    rng: Rng,
    name: String,
}

impl Case {
    fn all() -> impl Iterator<Item = Case> {
        (0..60).map(Case::new)
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
        let points = (0..n * d).map(|_| rng.random_range(-3.0..3.0_f32));
        let x: Vec<f64> = points.map(f64::from).collect();
        let double = Plain(net.cast(&device().unwrap()).unwrap());
        let name = format!("seed {seed}: {n} points, {widths:?}, {activation:?}");
        Case {
            net,
            double,
            x,
            shape: (n, d),
            rng,
            name,
        }
    }

    fn single(&self) -> Points {
        let x = self.x.iter().map(|v| *v as f32).collect();
        device().unwrap().tensor_from_vec(x, self.shape)
    }

    fn double(&self) -> Points<f64> {
        device()
            .unwrap()
            .tensor_from_vec(self.x.clone(), self.shape)
    }

    fn normals(&mut self, rows: usize) -> Vec<f64> {
        use rand_distr::{Distribution, StandardNormal};
        let normal = |rng: &mut Rng| -> f32 { StandardNormal.sample(rng) };
        (0..rows * self.shape.1)
            .map(|_| f64::from(normal(&mut self.rng)))
            .collect()
    }

    /// Holds a fused loss and its gradient against the plain ones in f64.
    fn compare<L, S, D>(&self, loss: &L, noise: S, exact: D, what: &str)
    where
        L: Loss<f32, AutoDevice, Noise = S> + Loss<f64, AutoDevice, Noise = D>,
        Mlp: Behind<<L as Loss<f32, AutoDevice>>::Of<'static>>,
        Plain<Mlp<f64, AutoDevice>>: Behind<<L as Loss<f64, AutoDevice>>::Of<'static>>,
    {
        let (value, gradient) = loss.gradient(&self.net, &self.single(), &noise).unwrap();
        let (truth, slopes) = loss.gradient(&self.double, &self.double(), &exact).unwrap();
        let what = format!("{}, {what}", self.name);
        // f32 keeps 1e-7 of each energy; losses are differences of them, gradients sums.
        let largest = self.double.energy(&self.double()).unwrap().as_vec();
        let largest = largest.iter().fold(1.0, |a: f64, b| a.max(b.abs()));
        let allowed = 1e-5 * (truth.abs() + largest);
        assert!(
            (value - truth).abs() <= allowed,
            "{what}: {value} instead of {truth}"
        );
        assert_near(&what, &gradient, &slopes, 1e-4 * largest);
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
        let (u, slope) = case.net.gradient(&case.single()).unwrap();
        let (exact_u, exact_slope) = case.double.gradient(&case.double()).unwrap();
        assert_near(&case.name, &u.as_vec(), &exact_u.as_vec(), 1e-5);
        assert_near(
            &case.name,
            &case.net.energy(&case.single()).unwrap().as_vec(),
            &exact_u.as_vec(),
            1e-5,
        );
        assert_near(&case.name, &slope.as_vec(), &exact_slope.as_vec(), 1e-4);
    }
}

#[test]
fn the_tape_operation_has_the_gradients_of_the_plain_path() {
    for case in Case::all() {
        // Σ U(x)², so that every energy has another cotangent.
        macro_rules! gradients {
            ($net:expr, $x:expr) => {{
                let (net, x) = ($net, $x);
                let loss = net.energy_taped(x.leaky_trace()).unwrap().square().sum();
                let gradients = loss.backward();
                let mut all = gradients.get(&x).as_vec();
                for (_, parameter) in net.parameters() {
                    let mut values = vec![Default::default(); parameter.len()];
                    parameter
                        .read_gradient(&mut gradients.clone(), &mut values)
                        .unwrap();
                    all.extend(values);
                }
                all
            }};
        }
        let found = gradients!(&case.net, case.single());
        let expected = gradients!(&case.double, case.double());
        assert_near(&case.name, &found, &expected, 1e-4);
        // A permuted view, whose values lie in another order.
        let turned = case.single().permute::<_, Axes2<1, 0>>();
        if let Ok(u) = case.net.energy(&turned) {
            let plain = Plain(case.net.clone()).energy(&turned).unwrap().as_vec();
            let plain: Vec<f64> = plain.into_iter().map(f64::from).collect();
            assert_near(&case.name, &u.as_vec(), &plain, 1e-5);
            assert!(case.net.energy_taped(turned.leaky_traced()).is_ok());
        }
    }
}

/// Given normal numbers as an energy discrepancy's noise, in single or double precision.
macro_rules! noise {
    ($E:ty, $shared:ident $shape:tt, $own:ident $own_shape:tt) => {
        Noise::<$E> {
            shared: device()
                .unwrap()
                .tensor_from_vec($shared.iter().map(|v| *v as $E).collect(), $shape),
            own: device()
                .unwrap()
                .tensor_from_vec($own.iter().map(|v| *v as $E).collect(), $own_shape),
        }
    };
}

/// Noise so wide, and energies that rise so steeply around the data, that nearly no particle counts.
#[test]
fn energy_discrepancy_with_wide_noise_agrees() {
    for mut case in Case::all().filter(|case| !case.name.contains("Tanh")) {
        let ((n, d), m) = (case.shape, 32);
        // Energies that add up positive parts rise on all sides.
        let first = case.net.parameters()[0].1.len();
        let mut values = case.net.flat_parameters();
        values[first..].iter_mut().for_each(|v| *v = v.abs());
        case.net.set_flat_parameters(&values).unwrap();
        case.double = Plain(case.net.cast(&device().unwrap()).unwrap());
        let (shared, own) = (case.normals(n), case.normals(n * m));
        for w in [0.0, 1.0] {
            let loss = EnergyDiscrepancy::with_std(50.0)
                .particles(m)
                .stabilisation(w);
            case.compare(
                &loss,
                noise!(f32, shared(n, d), own(n, m, d)),
                noise!(f64, shared(n, d), own(n, m, d)),
                &format!("wide ED, w = {w}"),
            );
        }
    }
}

#[test]
fn energy_discrepancy_agrees() {
    for mut case in Case::all() {
        let (n, d) = case.shape;
        let m = if n == 1 {
            1
        } else {
            case.rng.random_range(1..=9)
        };
        let (shared, own) = (case.normals(n), case.normals(n * m));
        for w in [0.0, 0.3, 1.0, 50.0] {
            let loss = EnergyDiscrepancy::with(Gaussian::with_std(0.7))
                .particles(m)
                .stabilisation(w);
            case.compare(
                &loss,
                noise!(f32, shared(n, d), own(n, m, d)),
                noise!(f64, shared(n, d), own(n, m, d)),
                &format!("ED M = {m}, w = {w}"),
            );
        }
    }
}

#[test]
fn score_matching_and_likelihood_agree() {
    for case in Case::all() {
        case.compare(&ScoreMatching, (), (), "SM");
        let grid = match case.shape.1 {
            1 => Quadrature::interval(-4.0..4.0, 61),
            2 => Quadrature::square(-4.0..4.0, 61),
            _ => continue,
        };
        case.compare(&MaximumLikelihood::on(grid.unwrap()), (), (), "likelihood");
    }
}

#[test]
fn contrastive_divergence_agrees() {
    for mut case in Case::all() {
        let (n, d) = case.shape;
        let steps: Vec<Vec<f64>> = (0..3).map(|_| case.normals(n)).collect();
        macro_rules! noise {
            ($E:ty) => {
                steps
                    .iter()
                    .map(|step| {
                        device()
                            .unwrap()
                            .tensor_from_vec(step.iter().map(|v| *v as $E).collect(), (n, d))
                    })
                    .collect::<Vec<Points<$E>>>()
            };
        }
        let loss = ContrastiveDivergence::default().steps(3);
        case.compare(&loss, noise!(f32), noise!(f64), "CD");
    }
}

/// The gradient of every loss in f64 against central differences.
#[test]
fn gradients_are_slopes() {
    for mut case in Case::all()
        .filter(|case| !case.name.contains("LeakyRelu"))
        .take(20)
    {
        let x = case.double();
        let discrepancy = EnergyDiscrepancy::with_std(0.7).stabilisation(0.3);
        let noise = discrepancy.draw(&x, &mut rng(1)).unwrap();
        let mut net = case.double.clone();
        let values = net.flat_parameters();
        let step = 1e-5;
        let indices: Vec<usize> = (0..8)
            .map(|_| case.rng.random_range(0..values.len()))
            .collect();
        macro_rules! check {
            ($loss:expr, $noise:expr) => {{
                let (loss, noise) = ($loss, $noise);
                let (_, gradient) = loss.gradient(&case.double, &x, noise).unwrap();
                let scale = gradient.iter().fold(1.0, |a: f64, b| a.max(b.abs()));
                for i in &indices {
                    let mut at = |by: f64| {
                        let mut moved = values.clone();
                        moved[*i] += by;
                        net.set_flat_parameters(&moved).unwrap();
                        loss.evaluate(&net, &x, noise).unwrap()
                    };
                    let slope = (at(step) - at(-step)) / (2.0 * step);
                    let error = (slope - gradient[*i]).abs();
                    // Of second order in the step, plus rounding: 1e-10 and 1e-11.
                    assert!(
                        error < 1e-6 * scale,
                        "{} [{i}]: {slope} {}",
                        case.name,
                        gradient[*i]
                    );
                }
            }};
        }
        check!(discrepancy, &noise);
        check!(ScoreMatching, &());
        if case.shape.1 == 1 {
            let grid = Quadrature::interval(-4.0..4.0, 61).unwrap();
            check!(MaximumLikelihood::on(grid), &());
        }
    }
}

#[test]
fn huge_energies_neither_overflow_nor_lose_the_gradient() {
    // U = a x with a = ±1e4: energy differences of 1e4 and more.
    for a in [1e4_f32, -1e4, 1e-30] {
        let mut net = Mlp::tanh(&[1, 1], 0).unwrap();
        net.set_flat_parameters(&[a, 0.0]).unwrap();
        let x: Points = device()
            .unwrap()
            .tensor_from_vec(vec![-1.0, 0.5, 2.0], (3, 1));
        for w in [0.0, 1.0] {
            let loss = EnergyDiscrepancy::with_std(1.0).stabilisation(w);
            let noise = loss.draw(&x, &mut rng(1)).unwrap();
            let (value, gradient) = loss.gradient(&net, &x, &noise).unwrap();
            assert!(
                value.is_finite() && gradient.iter().all(|g| g.is_finite()),
                "{a} {w}"
            );
            let taped = loss.evaluate(&net, &x, &noise).unwrap();
            assert!(
                (value - taped).abs() <= 1e-5 * taped.abs() + 1e-6,
                "{value} {taped}"
            );
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let data = GaussianMixture::new(&[1.0], &[[0.0, 0.0]], &[1.0]).unwrap();
    let train = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let net = Mlp::softplus(&[2, 64, 64, 1], 3).unwrap();
            let mut run = Trainer::new(net, EnergyDiscrepancy::with_std(1.0).particles(16))
                .steps(20)
                .ema_decay(0.9)
                .quiet();
            let _ = run.fit(&data).unwrap();
            (
                run.energy().flat_parameters(),
                run.history().losses().to_vec(),
            )
        })
    };
    let (one, two, five) = (train(1), train(2), train(5));
    assert_eq!(one, two);
    assert_eq!(one, five);
}
