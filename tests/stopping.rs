//! The Stop button, pressed in the middle of a run. Alone in its process, because all runs see it.

#![allow(clippy::unwrap_used)] // A test may.

use energy_discrepancy::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

type Run = Trainer<Mlp, EnergyDiscrepancy>;

fn data() -> GaussianMixture {
    GaussianMixture::new(&[0.5, 0.5], &[[-1.0, 0.0], [1.0, 0.5]], &[0.4, 0.4]).unwrap()
}

fn run() -> Run {
    let net = Mlp::softplus(&[2, 16, 16, 1], 3).unwrap();
    Trainer::new(net, EnergyDiscrepancy::with_std(0.5))
        .steps(40)
        .batch(32)
        .schedule(Schedule::decay(0.9, 7))
        .ema_decay(0.9)
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
fn a_run_that_was_stopped_goes_on_to_the_same_bits() {
    let mut whole = run();
    let _ = whole.fit(&data()).unwrap();
    // The Stop button, pressed from within: by a metric after step 11.
    let presses = |_: &dyn Energy, _: &mut Rng| {
        signal_hook::low_level::raise(signal_hook::consts::SIGINT).unwrap();
        Ok(0.0)
    };
    let calls = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&calls);
    let mut stopped = run().metric("press", 11, move |energy: &dyn Energy, rng: &mut Rng| {
        if seen.fetch_add(1, Ordering::Relaxed) == 1 {
            presses(energy, rng)
        } else {
            Ok(1.0)
        }
    });
    assert_eq!(stopped.fit(&data()).unwrap(), Stopped::ByUser { steps: 12 });
    assert_eq!(stopped.history().losses().len(), 12);
    assert_eq!(stopped.fit(&data()).unwrap(), Stopped::AtEnd { steps: 40 });
    assert_eq!(traces(&stopped), traces(&whole));
    assert_eq!(calls.load(Ordering::Relaxed), 4);
    // More steps than at first: the run goes on.
    a_sweep_goes_on_too(&whole);
    let mut longer = stopped.steps(50);
    assert_eq!(longer.fit(&data()).unwrap(), Stopped::AtEnd { steps: 50 });
    assert_eq!(longer.history().losses().len(), 50);
}

/// Two runs side by side, of which one presses after its step 11.
fn a_sweep_goes_on_too(whole: &Run) {
    let presses = |_: &dyn Energy, _: &mut Rng| {
        signal_hook::low_level::raise(signal_hook::consts::SIGINT).unwrap();
        Ok(0.0)
    };
    let (mut first, mut second) = (run().metric("press", 11, presses), run().steps(1_000_000));
    let both = Sweep::new()
        .run("first", &mut first)
        .run("second", &mut second);
    let ended = both.fit(&data()).unwrap();
    // The metric is taken after step 0 already.
    assert_eq!(
        ended.iter().next().unwrap().stopped,
        Stopped::ByUser { steps: 1 }
    );
    assert!(
        ended
            .iter()
            .all(|run| matches!(run.stopped, Stopped::ByUser { .. }))
    );
    let before = second.history().losses().len();
    let mut second = second.steps(before.max(40));
    let _ = second.fit(&data()).unwrap();
    assert_eq!(
        second.history().losses()[..40],
        whole.history().losses()[..]
    );
}
