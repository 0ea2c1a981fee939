//! Times whole training steps: noise, loss, gradient, Adam and running mean.
//!
//! Prints `case<TAB>threads<TAB>milliseconds`, the median over the steps; with the feature `cuda` the nets
//! and points are on the GPU, and `cuda` stands in the place of threads. Options: `--threads N`
//! (otherwise 1, and 2 where there are two cores), `--cases a,b`, `--seconds S` for each case.
//! The same steps in JAX (without those of the latent model) and PyTorch are in `benches/peers`, all
//! but `ed_wide` and `ed_trained`: `ed_m32` with noise of standard deviation 50 and a net from 500 steps
//! of training, and `ed_m4` on 25 Gaussians with one from 1,500. Only such nets tell the data from their
//! particles so sharply that many of these count for nothing in the gradient, and only their activations come
//! near the smallest numbers, which are slow on some processors. `own_ed_m4` is `ed_m4` and `own_sm` is `sm` with the loss written here, as a
//! reader would; `own_dsm` is denoising score matching so. `annealing` is a run of annealed importance sampling,
//! 1,000 chains in ten dimensions at 50 temperatures; only JAX has it beside us.

#![allow(clippy::unwrap_used, clippy::panic)] // Not part of the library.

use energy_discrepancy::energy::Activation;
use energy_discrepancy::eval::Annealing;
use energy_discrepancy::lebm::reconstruction_gradient;
use energy_discrepancy::prelude::*;
use std::time::Instant;

const CASES: [&str; 23] = [
    "ed_m1",
    "ed_m4",
    "ed_m32",
    "ed_m512",
    "ed_wide",
    "ed_trained",
    "sm",
    "cd",
    "wstab",
    "langevin128",
    "annealing",
    "ed_residual",
    "sm_residual",
    "ed_conv28",
    "expr_ed_m4",
    "expr_sm",
    "generator32_forward",
    "generator32_input",
    "generator32_full",
    "lebm_mini",
    "own_ed_m4",
    "own_sm",
    "own_dsm",
];

struct Options {
    threads: Vec<usize>,
    cases: Vec<String>,
    seconds: f64,
}

impl Options {
    fn read() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut options = Options {
            threads: match cfg!(feature = "cuda") {
                true => vec![cores],
                false => (1..=cores.min(2)).collect(),
            },
            cases: CASES.map(String::from).into(),
            seconds: 3.0,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .unwrap_or_else(|| panic!("{name} needs a value"))
            };
            match name.as_str() {
                "--threads" => options.threads = vec![value().parse().unwrap()],
                "--cases" => options.cases = value().split(',').map(String::from).collect(),
                "--seconds" => options.seconds = value().parse().unwrap(),
                "--bench" => {} // cargo says so
                _ => panic!("unknown option {name}: --threads, --cases, --seconds"),
            }
        }
        options
    }
}

/// The median time of `step` in milliseconds, after a warm-up.
fn time(seconds: f64, mut step: impl FnMut()) -> f64 {
    let mut run = |seconds: f64| {
        let (start, mut times) = (Instant::now(), Vec::new());
        while times.len() < 5 || start.elapsed().as_secs_f64() < seconds {
            let before = Instant::now();
            step();
            times.push(before.elapsed().as_secs_f64() * 1e3);
        }
        times
    };
    run(0.2 * seconds);
    let mut times = run(seconds);
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The time of a whole training step with this net, loss and rate on fixed points.
fn training(
    seconds: f64,
    mut net: impl Trainable,
    mut loss: impl Loss,
    x: &Points,
    rate: f64,
) -> f64 {
    let (mut rng, mut adam, mut steps) = (rng(1), Adam::new(rate), 0);
    let mut parameters = net.flat_parameters();
    let (mut mean, mut gradient) = (parameters.clone(), parameters.clone());
    time(seconds, || {
        let terms = loss.terms(&net, x, &mut rng).unwrap();
        terms.gradient(&net, &mut gradient).unwrap();
        steps += 1;
        adam.step(steps, 1.0, &mut parameters, &gradient).unwrap();
        for (mean, parameter) in mean.iter_mut().zip(&parameters) {
            *mean = 0.999 * *mean + 0.001 * parameter;
        }
        net.set_flat_parameters(&parameters).unwrap();
    })
}

/// Energy discrepancy as a reader writes it.
#[derive(Debug)]
struct OwnDiscrepancy;

impl Loss for OwnDiscrepancy {
    fn terms(&mut self, _: &dyn Energy, x: &Points, rng: &mut Rng) -> Result<Terms<'_>, Error> {
        let (rows, d, m) = (to_vec(x), x.shape().1, 4);
        let (shared, own) = (normals(rows.len(), rng), normals(rows.len() * m, rng));
        let mut groups = Vec::with_capacity(rows.len() * (1 + m));
        for (i, x) in rows.chunks(d).enumerate() {
            groups.extend_from_slice(x);
            for own in own[i * m * d..(i + 1) * m * d].chunks(d) {
                groups.extend((0..d).map(|k| x[k] + shared[i * d + k] + own[k]));
            }
        }
        Terms::of_energies(groups, d, 1 + m, |_, u, slope| {
            let others = u[1..].iter();
            let most = others.fold(0.0, |most: f64, other| most.max(u[0] - other));
            slope[0] = 0.0;
            let mut sum = (-most).exp();
            for j in 1..u.len() {
                slope[j] = -(u[0] - u[j] - most).exp();
                sum -= slope[j];
            }
            for j in 1..u.len() {
                slope[j] /= sum;
                slope[0] -= slope[j];
            }
            most + sum.ln()
        })
    }
}

/// Score matching, and denoising score matching with noise of this standard deviation.
#[derive(Debug)]
enum OwnScoreMatching {
    Exact,
    Denoising(f32),
}

impl Loss for OwnScoreMatching {
    fn terms(&mut self, _: &dyn Energy, x: &Points, rng: &mut Rng) -> Result<Terms<'_>, Error> {
        let d = x.shape().1;
        match *self {
            Self::Exact => Terms::of_jets(to_vec(x), d, move |_, jet, slopes| {
                slopes.copy_from_slice(jet);
                (slopes[0], slopes[d + 1]) = (0.0, -1.0);
                jet[1..=d].iter().map(|g| 0.5 * g * g).sum::<f64>() - jet[d + 1]
            }),
            Self::Denoising(std) => {
                let noise = normals(x.shape().0 * d, rng);
                let x = to_vec(x);
                let noisy = x.iter().zip(&noise).map(|(x, n)| x + std * n);
                Terms::of_jets(noisy.collect(), d, move |i, jet, slopes| {
                    slopes.fill(0.0);
                    for k in 0..d {
                        slopes[1 + k] = jet[1 + k] - f64::from(noise[i * d + k] / std);
                    }
                    0.5 * slopes[1..=d].iter().map(|s| s * s).sum::<f64>()
                })
            }
        }
    }
}

/// The time of a step of energy discrepancy, with noise of this standard deviation and so many particles, after
/// a training of some steps.
fn trained(seconds: f64, net: Mlp, (std, m): (f64, usize), steps: usize, data: &dyn Data) -> f64 {
    let loss = EnergyDiscrepancy::with_std(std).particles(m);
    let mut run = Trainer::new(net, loss).steps(steps).quiet();
    let _ = run.fit(data).unwrap();
    let x = data.sample(128, &mut rng(0)).unwrap();
    // The rate is next to none, so that a quick program does not time a better net.
    training(seconds, run.energy().clone(), loss, &x, 1e-9)
}

/// Three residual blocks of SiLU on 128 features, and |x|²/2.
fn residual() -> Net {
    let x = Expr::points(2);
    let mut h = x.dense(128).silu();
    for _ in 0..3 {
        h = &h + h.dense(128).silu();
    }
    Net::new(h.dense(1) + x.square().sum() * 0.5, 0).unwrap()
}

/// Two convolutions of digits and two dense layers, with SiLU between them.
fn convolutional() -> Net {
    let x = Expr::points(784).image(1, 28, 28);
    let h = x.conv2d(16, Window::new(5).stride(2).padding(2)).silu();
    let h = h.conv2d(32, Window::new(3).stride(2).padding(1)).silu();
    Net::new(h.flatten().dense(64).silu().dense(1), 0).unwrap()
}

/// What `Mlp::softplus(&[2, 128, 128, 128, 128, 1], 0)` is, as a reader writes it.
fn expression() -> Net {
    Net::new(hidden(Expr::points(2), 4).dense(1), 0).unwrap()
}

/// So many layers of 128 and softplus.
fn hidden(mut h: Expr, layers: usize) -> Expr {
    for _ in 0..layers {
        h = h.dense(128).softplus();
    }
    h
}

fn normal(d: usize) -> GaussianMixture {
    GaussianMixture::new(&[1.0], &[vec![0.0; d]], &[2.0]).unwrap()
}

fn sample(n: usize, d: usize) -> Points {
    normal(d).sample(n, &mut rng(0)).unwrap()
}

fn measure(case: &str, seconds: f64) -> f64 {
    let wide = || Mlp::softplus(&[2, 128, 128, 128, 128, 1], 0).unwrap();
    let x = sample(128, 2);
    match case {
        "own_ed_m4" => training(seconds, wide(), OwnDiscrepancy, &x, 1e-3),
        "own_sm" => training(seconds, wide(), OwnScoreMatching::Exact, &x, 1e-3),
        "own_dsm" => training(seconds, wide(), OwnScoreMatching::Denoising(0.5), &x, 1e-3),
        "sm" => training(seconds, wide(), ScoreMatching, &x, 1e-3),
        "cd" => training(seconds, wide(), ContrastiveDivergence::default(), &x, 1e-3),
        "ed_wide" => trained(seconds, wide(), (50.0, 32), 500, &normal(2)),
        "ed_trained" => trained(seconds, wide(), (1.0, 4), 1500, &toy::gaussians_25()),
        "ed_residual" | "expr_ed_m4" => {
            let loss = EnergyDiscrepancy::with_std(1.0).particles(4);
            let net = if case == "ed_residual" {
                residual()
            } else {
                expression()
            };
            training(seconds, net, loss, &x, 1e-3)
        }
        "sm_residual" => training(seconds, residual(), ScoreMatching, &x, 1e-3),
        "expr_sm" => training(seconds, expression(), ScoreMatching, &x, 1e-3),
        "ed_conv28" => {
            let loss = EnergyDiscrepancy::with_std(0.3).particles(4);
            training(seconds, convolutional(), loss, &sample(32, 784), 1e-3)
        }
        "wstab" => {
            let net = Mlp::new(&[1, 2, 2, 1], Activation::Silu, 0).unwrap();
            let loss = EnergyDiscrepancy::with_variance(1.0).particles(4);
            training(seconds, net, loss, &sample(4096, 1), 1e-2)
        }
        "langevin128" => {
            let (net, langevin) = (wide(), Langevin::with_step_size(0.01));
            let (mut rng, mut x, chain) = (rng(1), x, 100);
            let mut walk = || {
                x = langevin
                    .chain(&net, &x, chain, None, &mut rng)
                    .unwrap()
                    .last;
            };
            time(seconds, &mut walk) / chain as f64
        }
        "annealing" => {
            let x = Expr::points(10);
            let half = x.square().sum() * 0.5;
            let energy = Net::new(hidden(x, 4).dense(1) + half, 0).unwrap();
            let annealing = Annealing::around(&sample(1000, 10)).unwrap();
            let annealing = annealing.temperatures(50).chains(1000);
            let mut rng = rng(1);
            let mut forward = || {
                let _ = annealing.forward(&energy, &mut rng).unwrap();
            };
            time(seconds, &mut forward)
        }
        "generator32_forward" | "generator32_input" | "generator32_full" => {
            let generator = Generator::new(64, 128, 0).unwrap();
            let mut gradient = vec![0.0; generator.flat_parameters().len()];
            let (z, images) = (sample(32, 64), sample(32, 784));
            time(seconds, || match case {
                "generator32_forward" => drop(generator.decode(&z).unwrap()),
                "generator32_input" => drop(generator.squared_error(&z, &images).unwrap()),
                _ => drop(reconstruction_gradient(&generator, &z, &images, &mut gradient).unwrap()),
            })
        }
        "lebm_mini" => {
            let (generator, prior) = (Generator::new(32, 16, 0), LatentPrior::new(32, 200, 1));
            let loss = EnergyDiscrepancy::with_std(0.5).particles(16);
            let run = LatentEbm::new(generator.unwrap(), prior.unwrap(), loss);
            let mut run = Some(run.batch(64).quiet());
            let images = Dataset::from_points(&sample(64, 784)).unwrap();
            let mut epochs = 0;
            time(seconds, || {
                epochs += 1;
                let mut longer = run.take().unwrap().epochs(epochs);
                let _ = longer.fit(&images).unwrap();
                run = Some(longer);
            })
        }
        _ => {
            let m = case.strip_prefix("ed_m").and_then(|m| m.parse().ok());
            let m = m.unwrap_or_else(|| panic!("no case {case}: {}", CASES.join(", ")));
            let loss = EnergyDiscrepancy::with_std(1.0).particles(m);
            training(seconds, wide(), loss, &x, 1e-3)
        }
    }
}

fn main() {
    let options = Options::read();
    for threads in options.threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().unwrap();
        for case in &options.cases {
            // dfdx's GPU stays on its thread, and would end with the pool's.
            let (milliseconds, threads) = match cfg!(feature = "cuda") {
                true => (measure(case, options.seconds), "cuda".into()),
                false => {
                    let run = || measure(case, options.seconds);
                    (pool.install(run), threads.to_string())
                }
            };
            println!("{case}\t{threads}\t{milliseconds:.4}");
        }
    }
}
