//! Several runs side by side: each as if it were alone.

#![allow(clippy::unwrap_used)] // A test may.

use energy_discrepancy::prelude::*;
use energy_discrepancy::train::EndedRun;

type Run<L> = Trainer<Mlp, L>;

fn run<L: Loss>(loss: L, seed: u64) -> Run<L> {
    let net = Mlp::softplus(&[2, 32, 32, 1], seed).unwrap();
    Trainer::new(net, loss)
        .steps(60)
        .batch(64)
        .ema_decay(0.9)
        .seed(seed)
        .quiet()
}

fn ed(std: f64, seed: u64) -> Run<EnergyDiscrepancy> {
    run(EnergyDiscrepancy::with_std(std), seed)
}

fn traces<L>(run: &Run<L>) -> (Vec<f32>, Vec<f32>, Vec<f64>) {
    (
        run.energy().flat_parameters(),
        run.ema().flat_parameters(),
        run.history().losses().to_vec(),
    )
}

#[test]
#[cfg_attr(feature = "cuda", ignore = "a GPU adds in no fixed order")]
fn each_run_ends_with_the_bits_that_it_has_alone() {
    let data = toy::gaussians_25();
    let mse = || LogDensityMse::new(toy::gaussians_25(), 100);
    let mut discrepancy = ed(1.0, 0).metric("mse", 20, mse());
    let mut divergence = run(ContrastiveDivergence::default(), 1).metric("mse", 20, mse());
    let ended = Sweep::new()
        .run("ED", &mut discrepancy)
        .run("CD", &mut divergence)
        .fit(&data)
        .unwrap();
    let mut alone = (ed(1.0, 0), run(ContrastiveDivergence::default(), 1));
    let _ = alone.0.fit(&data).unwrap();
    let _ = alone.1.fit(&data).unwrap();
    assert_eq!(traces(&discrepancy), traces(&alone.0));
    assert_eq!(traces(&divergence), traces(&alone.1));
    assert_eq!(discrepancy.history().metrics()[0].steps, [0.0, 20.0, 40.0]);
    let labels: Vec<&str> = ended.iter().map(|run| run.label.as_str()).collect();
    assert_eq!(labels, ["ED", "CD"]);
    assert!(format!("{ended:?}").starts_with("ED  finished after 60 steps ("));
}

/// More runs than cores, of very different costs, and one that goes astray: no other is harmed.
#[test]
fn a_run_that_goes_astray_ends_alone() {
    let data = toy::gaussians_25();
    let mut runs: Vec<_> = (0..5).map(|seed| ed(1.0, seed)).collect();
    runs[2] = ed(1.0, 2).adam(1e30);
    runs[4] = ed(1.0, 4).steps(7);
    let labels = (0..5).map(|seed| format!("seed {seed}"));
    let ended = Sweep::new().runs(labels.zip(&mut runs)).fit(&data).unwrap();
    let stopped: Vec<Stopped> = ended.iter().map(|run| run.stopped).collect();
    let finished = Stopped::AtEnd { steps: 60 };
    assert!(matches!(stopped[2], Stopped::NonFinite { .. }));
    assert_eq!(
        (stopped[0], stopped[1], stopped[3], stopped[4]),
        (finished, finished, finished, Stopped::AtEnd { steps: 7 })
    );
}

#[test]
#[cfg_attr(feature = "cuda", ignore = "a GPU adds in no fixed order")]
fn an_error_ends_all_and_each_can_go_on() {
    let data = toy::gaussians_25();
    let wrong = |_: &dyn Energy, _: &mut Rng| Err(Error::Tensor("no luck".into()));
    let (mut good, mut bad) = (ed(1.0, 0), ed(1.0, 1).metric("fails", 10, wrong));
    let both = Sweep::new().run("good", &mut good).run("bad", &mut bad);
    assert!(both.fit(&data).unwrap_err().to_string().contains("no luck"));
    let _ = good.fit(&data).unwrap();
    let mut alone = ed(1.0, 0);
    let _ = alone.fit(&data).unwrap();
    assert_eq!(traces(&good), traces(&alone));
}

#[test]
fn nothing_to_do_is_done_at_once() {
    let data = toy::gaussians_25();
    let none: Vec<EndedRun> = Sweep::new().fit(&data).unwrap().iter().cloned().collect();
    assert!(none.is_empty());
    let mut run = ed(1.0, 0);
    let _ = run.fit(&data).unwrap();
    let before = traces(&run);
    let again = Sweep::new().run("again", &mut run).fit(&data).unwrap();
    assert_eq!(
        again.iter().next().unwrap().stopped,
        Stopped::AtEnd { steps: 60 }
    );
    assert_eq!(traces(&run), before);
}
