//! Held-out losses, the weights that are kept, and runs that go back to good ones.

#![allow(clippy::unwrap_used)] // A test may.

use energy_discrepancy::prelude::*;
use energy_discrepancy::train::Sgd;

type Run = Trainer<Mlp, EnergyDiscrepancy>;

/// 200 points of 8 Gaussians, of which a fifth is held out.
fn parts() -> (Dataset, Points) {
    let points = toy::gaussians_8().sample(200, &mut rng(0)).unwrap();
    let data = Dataset::from_points(&points).unwrap();
    let (train, held_out) = data.split(0.8, 0).unwrap();
    (train, held_out.points().unwrap())
}

/// A wide net, which can learn 160 points by heart.
fn wide(rate: f64) -> Run {
    let net = Mlp::softplus(&[2, 64, 64, 1], 0).unwrap();
    let loss = EnergyDiscrepancy::with_std(0.3).particles(4);
    let run = Trainer::new(net, loss).batch(160).adam(rate);
    run.ema_decay(0.9).quiet()
}

fn held_out(energy: &Mlp, x: &Points) -> f64 {
    let mut loss = EnergyDiscrepancy::with_std(0.3).particles(4);
    let means = (0..20).map(|seed| loss.evaluate(energy, x, &mut rng(seed)).unwrap());
    means.sum::<f64>() / 20.0
}

fn bits(run: &Run) -> (Vec<f32>, Vec<f32>, Vec<f64>, Vec<f64>) {
    let history = run.history();
    let held_out = history.held_out().map(|series| series.values.clone());
    (
        run.energy().flat_parameters(),
        run.ema().flat_parameters(),
        history.losses().to_vec(),
        held_out.unwrap_or_default(),
    )
}

#[test]
fn a_wide_net_stops_before_it_learns_the_points_by_heart() {
    let (train, x) = parts();
    let mut blind = wide(1e-2).steps(4000);
    let _ = blind.fit(&train).unwrap();
    let mut watched = wide(1e-2).steps(4000).validate(&x, 10).patience(20);
    let stopped = watched.fit(&train).unwrap();
    let Stopped::Early { steps, best, loss } = stopped else {
        panic!("{stopped}");
    };
    // 20 looks after the best one, each after 10 steps.
    assert_eq!((steps, watched.best()), (best + 200, Some((best, loss))));
    let series = watched.history().held_out().unwrap();
    assert_eq!(series.least(), Some((best as f64 - 1.0, loss)));
    let (kept, overfitted) = (held_out(watched.ema(), &x), held_out(blind.ema(), &x));
    assert!(overfitted > kept + 0.1, "{overfitted} {kept}");

    // The weights are those of a run of so many steps, and looks change nothing of the training.
    let mut short = wide(1e-2).steps(best);
    let _ = short.fit(&train).unwrap();
    assert_eq!(
        watched.ema().flat_parameters(),
        short.ema().flat_parameters()
    );
    let mut same = wide(1e-2).steps(steps);
    let _ = same.fit(&train).unwrap();
    assert_eq!(
        watched.energy().flat_parameters(),
        same.energy().flat_parameters()
    );
    assert_eq!(watched.history().losses(), same.history().losses());

    // Called again it stays where it is; with more patience it goes on.
    assert_eq!(watched.fit(&train).unwrap(), stopped);
    let more = watched.patience(25).fit(&train).unwrap();
    assert!(matches!(more, Stopped::Early { steps: later, .. } if later >= steps + 50));
}

#[test]
fn a_run_that_goes_on_from_a_checkpoint_keeps_its_best_weights() {
    let (train, x) = parts();
    let whole = || {
        wide(1e-2)
            .validate(&x, 7)
            .patience(8)
            .clip_norm(1.0)
            .recover(2)
    };
    let mut once = whole().steps(1000);
    let stopped = once.fit(&train).unwrap();
    assert!(matches!(stopped, Stopped::Early { .. }));
    let (best, _) = once.best().unwrap();
    let folder = tempfile::tempdir().unwrap();
    // In the middle, at a look, before and behind the best one.
    for steps in [3, 8, best - 1, best, best + 1, best + 30] {
        let mut first = whole().steps(steps).checkpoints(folder.path(), 1000);
        let _ = first.fit(&train).unwrap();
        let mut second = whole().steps(1000);
        assert_eq!(second.resume(folder.path()).unwrap(), steps);
        assert_eq!(
            second.ema().flat_parameters(),
            first.ema().flat_parameters()
        );
        assert_eq!(second.fit(&train).unwrap(), stopped);
        assert_eq!(bits(&second), bits(&once));
        let error = wide(1e-2).resume(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("validation = \"40 points every 7 steps\""),
            "{error}"
        );
    }
}

/// A loss that is no number in some steps.
#[derive(Debug)]
struct Failing(EnergyDiscrepancy, usize, Vec<usize>);

impl Loss for Failing {
    fn terms(
        &mut self,
        energy: &dyn Energy,
        x: &Points,
        rng: &mut Rng,
    ) -> Result<Terms<'_>, Error> {
        // Held-out losses are on more points.
        if x.shape().0 == 160 {
            self.1 += 1;
        }
        if x.shape().0 == 160 && self.2.contains(&self.1) {
            return Terms::of_energies(vec![0.0; 2], 2, 1, |_, _, slope| {
                slope.fill(f64::NAN);
                f64::NAN
            });
        }
        self.0.terms(energy, x, rng)
    }
}

#[test]
fn a_step_that_is_no_number_is_gone_back_from() {
    let (train, x) = parts();
    let run = |validated: bool| {
        let net = Mlp::softplus(&[2, 16, 1], 0).unwrap();
        let loss = Failing(EnergyDiscrepancy::with_std(0.3), 0, vec![31, 43, 57]);
        let run = Trainer::new(net, loss)
            .batch(160)
            .steps(60)
            .ema_decay(0.9)
            .quiet();
        match validated {
            true => run.validate(&x, 10),
            false => run,
        }
    };
    // Step 30 fails, counted from 0; the attempt after it is step 30 again.
    let mut none = run(false);
    assert!(matches!(
        none.fit(&train).unwrap(),
        Stopped::NonFinite { step: 30, .. }
    ));
    let mut back = run(false).recover(2);
    let stopped = back.fit(&train).unwrap();
    assert!(
        matches!(stopped, Stopped::NonFinite { step: 54, .. }),
        "{stopped}"
    );
    let said: Vec<String> = back
        .history()
        .recoveries()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        said,
        [
            "step 30 could not be taken: back to the weights after 20 steps, with 0.5 of the learning rate",
            "step 41 could not be taken: back to the weights after 40 steps, with 0.25 of the learning rate"
        ]
    );
    let mut back = run(true).recover(3);
    assert_eq!(back.fit(&train).unwrap(), Stopped::AtEnd { steps: 60 });
    let kept: Vec<usize> = back.history().recoveries().iter().map(|r| r.kept).collect();
    // Looks are after steps 0, 10, 20 and so on, and this loss still falls.
    assert_eq!(kept, [21, 41, 51]);
}

#[test]
fn a_rate_that_is_much_too_high_ends_as_a_sane_one() {
    let normal = GaussianMixture::new(&[1.0], &[[0.0, 0.0]], &[1.0]).unwrap();
    let x = normal.sample(1000, &mut rng(1)).unwrap();
    let run = |rate: f64| {
        let net = Mlp::softplus(&[2, 32, 32, 1], 0).unwrap();
        let run = Trainer::new(net, ScoreMatching)
            .steps(1000)
            .optimiser(Sgd::new(rate));
        run.ema_decay(0.9).validate(&x, 10).quiet()
    };
    let mut lost = run(30.0 * 0.05);
    let stopped = lost.fit(&normal).unwrap();
    assert!(
        matches!(
            stopped,
            Stopped::NonFinite { .. } | Stopped::Unbounded { .. }
        ),
        "{stopped}"
    );
    let mut sane = run(0.05).recover(10);
    assert_eq!(sane.fit(&normal).unwrap(), Stopped::AtEnd { steps: 1000 });
    assert!(sane.history().recoveries().is_empty());
    let mut fast = run(30.0 * 0.05).recover(10);
    assert_eq!(fast.fit(&normal).unwrap(), Stopped::AtEnd { steps: 1000 });
    assert!(!fast.history().recoveries().is_empty());
    // The truth has -1.
    let ((_, sane), (_, fast)) = (sane.best().unwrap(), fast.best().unwrap());
    println!("{sane} {fast} {:?}", lost.best());
    assert!((fast - sane).abs() < 0.05 * sane.abs(), "{fast} {sane}");
}

#[test]
fn a_gradient_is_no_longer_than_it_may_be() {
    let (train, _) = parts();
    let start = Mlp::softplus(&[2, 16, 1], 0).unwrap();
    let step = |norm: Option<f64>| {
        let run = Trainer::new(start.clone(), EnergyDiscrepancy::with_std(1.0)).steps(1);
        let run = run.optimiser(Sgd::new(1.0)).quiet();
        let mut run = match norm {
            Some(norm) => run.clip_norm(norm),
            None => run,
        };
        let _ = run.fit(&train).unwrap();
        let pairs = start
            .flat_parameters()
            .into_iter()
            .zip(run.energy().flat_parameters());
        pairs.map(|(a, b)| f64::from(b - a)).collect::<Vec<f64>>()
    };
    let length = |step: &[f64]| step.iter().map(|s| s * s).sum::<f64>().sqrt();
    let (free, short) = (step(None), step(Some(0.01)));
    assert!(length(&free) > 0.05 && (length(&short) - 0.01).abs() < 1e-6);
    let along: f64 = free.iter().zip(&short).map(|(a, b)| a * b).sum();
    assert!(along > 0.999 * length(&free) * length(&short));
    assert_eq!(step(Some(10.0)), free);
}

#[test]
fn settings_that_cannot_be_are_errors() {
    let (train, x) = parts();
    let said = |run: Run| {
        let mut run = run.steps(2);
        run.fit(&train).unwrap_err().to_string()
    };
    assert!(said(wide(1e-3).patience(3)).contains("patience = 3"));
    assert!(said(wide(1e-3).validate(&x, 1).patience(0)).contains("patience = 0"));
    assert!(said(wide(1e-3).validate(&x, 0)).contains("every 0 steps"));
    assert!(said(wide(1e-3).clip_norm(0.0)).contains("clip_norm = 0"));
    let narrow = points(vec![0.0; 3], (3, 1)).unwrap();
    assert!(said(wide(1e-3).validate(&narrow, 1)).contains("(B, 2)"));
    let named = wide(1e-3).metric_fn("held-out loss", 1, |_, _| Ok(0.0));
    assert!(said(named).contains("a name of its own"));
}

#[test]
fn a_recovery_never_takes_larger_steps_than_half_the_rate() {
    // The first look is the best one, and the step that fails comes much later: Adam's moments of one step must
    // not be taken for those of hundreds.
    let (train, x) = parts();
    let net = Mlp::softplus(&[2, 16, 1], 0).unwrap();
    let loss = Failing(EnergyDiscrepancy::with_std(0.3), 0, vec![301]);
    let rate = 1e-2;
    let mut run = Trainer::new(net, loss)
        .batch(160)
        .adam(rate)
        .steps(300)
        .recover(1);
    run = run.validate(&x, 1000).quiet();
    let _ = run.fit(&train).unwrap();
    let mut run = run.steps(301);
    assert_eq!(run.fit(&train).unwrap(), Stopped::AtEnd { steps: 301 });
    let recovery = run.history().recoveries()[0];
    assert_eq!((recovery.step, recovery.kept), (300, 1));
    // One step from the weights after one: at most the rate by two.
    let mut one = Trainer::new(
        Mlp::softplus(&[2, 16, 1], 0).unwrap(),
        EnergyDiscrepancy::with_std(0.3),
    );
    one = one.batch(160).adam(rate).steps(1).quiet();
    let _ = one.fit(&train).unwrap();
    let pairs = one
        .energy()
        .flat_parameters()
        .into_iter()
        .zip(run.energy().flat_parameters());
    let largest = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(
        largest > 1e-4 && largest < 0.5 * 1.1 * rate as f32,
        "{largest}"
    );
}
