//! Training runs: going on after a stop, bad losses, settings, and the paper's smallest experiment.

#![allow(clippy::unwrap_used)] // A test may.

use energy_discrepancy::dfdx::prelude::*;
use energy_discrepancy::prelude::*;
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

type Run = Trainer<Mlp, EnergyDiscrepancy>;

fn data() -> GaussianMixture {
    GaussianMixture::new(&[0.5, 0.5], &[[-1.0, 0.0], [1.0, 0.5]], &[0.4, 0.4]).unwrap()
}

fn run(seed: u64) -> Run {
    let net = Mlp::softplus(&[2, 16, 16, 1], seed).unwrap();
    Trainer::new(net, EnergyDiscrepancy::with_std(0.5))
        .steps(40)
        .batch(32)
        .adam(1e-2)
        .schedule(Schedule::decay(0.9, 7))
        .ema_decay(0.9)
        .seed(seed)
        .quiet()
}

/// All that a run leaves behind, to be compared bit by bit.
fn traces(run: &Run) -> (Vec<f32>, Vec<f32>, Vec<f64>) {
    let losses = run.history().losses().to_vec();
    (
        run.energy().flat_parameters(),
        run.ema().flat_parameters(),
        losses,
    )
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_seed_others() {
    let trained = |seed| {
        let mut run = run(seed);
        assert_eq!(run.fit(&data()).unwrap(), Stopped::AtEnd { steps: 40 });
        traces(&run)
    };
    assert_eq!(trained(1), trained(1));
    assert_ne!(trained(1).2, trained(2).2);
}

/// Data that is fine for some batches, and then is not.
struct Spoilt(AtomicUsize);

impl Data for Spoilt {
    fn dimension(&self) -> usize {
        2
    }

    fn sample(&self, n: usize, rng: &mut Rng) -> Result<Points, Error> {
        let calls = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        let x: Points = data().sample(n, rng)?;
        Ok(if calls == 6 { x * f32::NAN } else { x })
    }
}

#[test]
fn a_loss_that_is_no_number_ends_the_run_with_the_weights_from_before() {
    let mut spoilt = run(4);
    let outcome = spoilt.fit(&Spoilt(AtomicUsize::new(0))).unwrap();
    assert!(matches!(outcome, Stopped::NonFinite { step: 5, loss } if loss.is_nan()));
    let mut short = run(4).steps(5);
    let _ = short.fit(&data()).unwrap();
    assert_eq!(traces(&spoilt), traces(&short));
    let says = outcome.to_string();
    assert!(
        says.contains("step 5") && says.contains("the weights are those"),
        "{says}"
    );
}

#[test]
fn an_error_leaves_the_last_complete_step() {
    let mut fails = run(5).metric("fails", 3, {
        let calls = Cell::new(0);
        move |_: &dyn Energy, _: &mut Rng| {
            calls.set(calls.get() + 1);
            if calls.get() == 2 {
                Err(Error::Tensor("no luck".into()))
            } else {
                Ok(0.0)
            }
        }
    });
    assert!(
        fails
            .fit(&data())
            .unwrap_err()
            .to_string()
            .contains("no luck")
    );
    let mut short = run(5).steps(4);
    let _ = short.fit(&data()).unwrap();
    assert_eq!(traces(&fails), traces(&short));
}

/// Data that panics in its 7th call, once.
struct Bursts(AtomicUsize);

impl Data for Bursts {
    fn dimension(&self) -> usize {
        2
    }

    fn sample(&self, n: usize, rng: &mut Rng) -> Result<Points, Error> {
        let x = data().sample(n, rng)?;
        assert!(self.0.fetch_add(1, Ordering::Relaxed) != 6, "burst");
        Ok(x)
    }
}

fn payload<T>(work: impl FnOnce() -> T) -> String {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    let panic = caught.err().unwrap();
    panic.downcast_ref::<&str>().unwrap().to_string()
}

/// A metric that panics at its first value after some calls, and then works.
fn bursting(run: Run, calls: usize) -> Run {
    let made = AtomicUsize::new(0);
    run.metric_fn("mean", 3, move |energy, rng| {
        let x = data().sample(16, rng)?;
        assert!(made.fetch_add(1, Ordering::Relaxed) != calls, "burst");
        Ok(f64::from(energy.energy(&x)?.mean().array()))
    })
}

#[test]
fn a_run_goes_on_after_a_panic_with_the_same_bits() {
    let mut whole = bursting(run(6), usize::MAX);
    let _ = whole.fit(&data()).unwrap();
    // In a metric, in the middle of a run with checkpoints; they too are whole.
    let folder = tempfile::tempdir().unwrap();
    let mut broken = bursting(run(6), 4).checkpoints(folder.path(), 5);
    assert_eq!(payload(|| broken.fit(&data())), "burst");
    assert_eq!(broken.history().losses().len(), 13);
    let mut other = bursting(run(6), usize::MAX);
    assert_eq!(other.resume(folder.path()).unwrap(), 10);
    let _ = other.fit(&data()).unwrap();
    assert_eq!(broken.fit(&data()).unwrap(), Stopped::AtEnd { steps: 40 });
    for again in [&broken, &other] {
        assert_eq!(traces(again), traces(&whole));
        assert_eq!(again.history(), whole.history());
    }
    // In the data, and there in a sweep.
    let mut broken = bursting(run(6), usize::MAX);
    let bursts = Bursts(AtomicUsize::new(0));
    assert_eq!(payload(|| broken.fit(&bursts)), "burst");
    let _ = broken.fit(&bursts).unwrap();
    assert_eq!(traces(&broken), traces(&whole));
    let (mut one, mut two) = (bursting(run(6), 2), bursting(run(6), usize::MAX));
    let sweep = |one: &mut Run, two: &mut Run| {
        let sweep = Sweep::new().run("one", one).run("two", two);
        sweep.fit(&data()).unwrap()
    };
    assert_eq!(payload(|| sweep(&mut one, &mut two)), "burst");
    let _ = sweep(&mut one, &mut two);
    assert_eq!(
        (traces(&one), traces(&two)),
        (traces(&whole), traces(&whole))
    );
}

#[test]
fn a_metric_that_failed_is_taken_again() {
    let failing = |fails: usize| {
        let calls = AtomicUsize::new(0);
        run(7).metric_fn("mean", 3, move |energy, rng| {
            let x = data().sample(16, rng)?;
            if calls.fetch_add(1, Ordering::Relaxed) == fails {
                return Err(Error::Tensor("no luck".into()));
            }
            Ok(f64::from(energy.energy(&x)?.mean().array()))
        })
    };
    let (mut whole, mut fails) = (failing(usize::MAX), failing(5));
    let _ = whole.fit(&data()).unwrap();
    assert!(fails.fit(&data()).is_err());
    let _ = fails.fit(&data()).unwrap();
    assert_eq!(fails.history(), whole.history());
    assert_eq!(traces(&fails), traces(&whole));
}

#[test]
fn energies_that_grow_without_bound_end_the_run_with_weights_from_before() {
    let net = || Mlp::softplus(&[2, 32, 32, 1], 0).unwrap();
    let free = ContrastiveDivergence::default().regularisation(0.0);
    let flat = EnergyDiscrepancy::with_std(1.0).stabilisation(0.0);
    let size = |net: &Mlp| {
        let u = net.energy(&toy::gaussians_25().sample(200, &mut rng(1)).unwrap());
        u.unwrap().abs().mean().array()
    };
    let check = |stopped: Stopped, energy: &Mlp, ema: &Mlp| {
        let said = stopped.to_string();
        assert!(said.contains("the energies grow without bound"), "{said}");
        assert!(said.contains("mean |U|") && said.contains("weights are those after"));
        assert!(size(energy) < 2e6 && size(ema) < 2e6);
        let Stopped::Unbounded { steps, kept, .. } = stopped else {
            return;
        };
        assert!(kept <= steps);
    };
    for (step, rate) in [(10.0, 1e-2), (100.0, 1e-2)] {
        let mut run = Trainer::new(net(), free.step_size(step))
            .steps(3000)
            .adam(rate)
            .ema_decay(0.9)
            .quiet();
        let stopped = run.fit(&toy::gaussians_25()).unwrap();
        check(stopped, run.energy(), run.ema());
        assert!(run.history().losses().len() < 3000);
        assert!(run.history().losses().iter().all(|loss| loss.abs() < 1e9));
    }
    let mut run = Trainer::new(net(), flat).steps(20_000).adam(1e-1).quiet();
    let stopped = run.fit(&toy::gaussians_25()).unwrap();
    check(stopped, run.energy(), run.ema());
    // Energies that are large from the start on, because the data are in large units, are no growth.
    let rows: Vec<[f64; 2]> = (0..200)
        .map(|i| [1e6 + f64::from(i), f64::from(i * i)])
        .collect();
    let prior = LatentPrior::new(2, 8, 0).unwrap();
    let mut run = Trainer::new(prior, EnergyDiscrepancy::with_std(1.0))
        .steps(50)
        .quiet();
    let stopped = run.fit(&Dataset::new(&rows).unwrap()).unwrap();
    assert_eq!(stopped, Stopped::AtEnd { steps: 50 });
}

#[test]
fn a_batch_larger_than_the_data_names_the_setting() {
    let rows: Vec<[f64; 2]> = (0..15).map(|i| [f64::from(i), 0.5]).collect();
    let rows = Dataset::new(&rows).unwrap();
    let mut run = run(0).batch(128);
    let said = run.fit(&rows).unwrap_err().to_string();
    assert!(
        said.contains("(15, 2)") && said.contains("`.batch(128)`"),
        "{said}"
    );
    assert!(!said.contains('\n'));
    let _ = run.batch(15).fit(&rows).unwrap();
}

#[test]
fn impossible_settings_say_what_is_allowed() {
    let message = |mut run: Run| run.fit(&data()).unwrap_err().to_string();
    assert!(message(run(0).batch(0)).contains("batch = 0"));
    assert!(message(run(0).adam(-1.0)).contains("learning rate = -1"));
    assert!(message(run(0).ema_decay(1.5)).contains("ema = 1.5"));
    assert!(message(run(0).schedule(Schedule::decay(0.5, 0))).contains("0.5 every 0 steps"));
    let never = |_: &dyn Energy, _: &mut Rng| Ok(0.0);
    assert!(message(run(0).metric("mse", 0, never)).contains("mse every 0 steps"));
    let twice = run(0).metric("mse", 5, never).metric("mse", 7, never);
    assert!(message(twice).contains("metric = mse is not possible: a name of its own"));
    assert!(message(run(0).adam(f64::NAN)).contains("learning rate = NaN"));
    assert_eq!(
        run(0).steps(0).fit(&data()).unwrap().to_string(),
        "nothing to do: the run is set to 0 steps"
    );
    let adam = Adam::new(1e-3).betas(1.0, 0.9);
    assert!(message(run(0).optimiser(adam)).contains("first beta = 1"));
    let wrong = Trainer::new(
        Mlp::tanh(&[3, 1], 0).unwrap(),
        EnergyDiscrepancy::with_std(1.0),
    );
    assert!(message(wrong.quiet()).contains("(B, 3), as the net's input has"));
}

/// The paper's w-stabilisation experiment: N(0, 1), a net of width 2. The accepted ranges span 17
/// seeds of the reference.
#[test]
fn w_stabilisation_finds_the_reference_s_energies() {
    let normal = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0]).unwrap();
    let x = normal.sample(4096, &mut rng(0)).unwrap();
    let rows: Vec<[f64; 1]> = x.as_vec().into_iter().map(|x| [f64::from(x)]).collect();
    let data = Dataset::new(&rows).unwrap();
    let grid: Vec<f32> = (0..401).map(|i| -2.0 + i as f32 / 100.0).collect();
    let points = device().unwrap().tensor_from_vec(grid.clone(), (401, 1));
    let run = |w: f64| {
        let net = Mlp::silu(&[1, 2, 2, 1], 0).unwrap();
        let loss = EnergyDiscrepancy::with_variance(1.0)
            .particles(4)
            .stabilisation(w);
        Trainer::new(net, loss)
            .steps(3200)
            .batch(4096)
            .adam(1e-2)
            .quiet()
    };
    let expected = [
        (0.1, 2.6..3.4, 0.92..1.03),
        (1.0, 1.8..2.25, 1.32..1.38),
        (4.0, 1.25..1.75, 1.93..1.98),
    ];
    let mut runs: Vec<Run> = expected.iter().map(|(w, ..)| run(*w)).collect();
    let labels = expected.iter().map(|(w, ..)| format!("w = {w}"));
    // Each run takes several turns.
    let _ = Sweep::new().runs(labels.zip(&mut runs)).fit(&data).unwrap();
    for ((w, ends, final_loss), run) in expected.into_iter().zip(&runs) {
        let u = run.energy().energy(&points).unwrap().as_vec();
        let least = u.iter().copied().fold(f32::INFINITY, f32::min);
        let end = f64::from(u[0] + u[400]) / 2.0 - f64::from(least);
        assert!(ends.contains(&end), "w = {w}: U(±2) = {end}");
        let losses = run.history().losses();
        let last = losses[3100..].iter().sum::<f64>() / 100.0;
        assert!(final_loss.contains(&last), "w = {w}: loss {last}");
    }
    // A GPU adds in no fixed order.
    if cfg!(not(feature = "cuda")) {
        let mut alone = run(4.0);
        let _ = alone.fit(&data).unwrap();
        assert_eq!(traces(&alone), traces(&runs[2]));
    }
}
