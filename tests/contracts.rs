//! What is promised to losses, samplers, optimisers, data and nets of a user's own: state that a checkpoint
//! holds, gradients that are not asked for twice, and the same bits after every stop.

#![allow(clippy::unwrap_used)] // A test may.

use energy_discrepancy::dfdx::prelude::*;
use energy_discrepancy::lebm::LatentModel;
use energy_discrepancy::prelude::*;
use energy_discrepancy::rand::RngExt;
use energy_discrepancy::train::{At, Sgd};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// |x|²/2 that counts how often it is asked for gradients.
struct Counting(AtomicUsize);

impl Energy for Counting {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        Ok(x.square().sum::<_, Axis<1>>() * 0.5)
    }

    fn gradient(&self, x: &Points) -> Result<(Values, Points), Error> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok((self.energy(x)?, x.clone()))
    }
}

#[test]
fn a_step_asks_for_one_gradient() {
    let start = normal_points(50, 2, &mut rng(0)).unwrap();
    let asked = |sampler: &dyn Sampler, steps: usize| {
        let energy = Counting(AtomicUsize::new(0));
        let end = sampler.walk(&energy, &start, steps, &mut rng(1));
        assert_eq!(end.unwrap().shape(), &(50, 2));
        energy.0.into_inner()
    };
    for steps in [1, 7, 30] {
        assert_eq!(asked(&Langevin::with_step_size(0.1), steps), steps);
        // One more for the start.
        assert_eq!(asked(&Mala::with_step_size(0.5), steps), steps + 1);
    }
}

fn data() -> GaussianMixture {
    GaussianMixture::new(&[0.5, 0.5], &[[-1.0, 0.0], [1.0, 0.5]], &[0.4, 0.4]).unwrap()
}

/// Persistent contrastive divergence (Tieleman, ICML 2008): chains that go on from step to step, one in
/// twenty of them anew.
#[derive(Debug)]
struct Persistent<S> {
    sampler: S,
    chains: Vec<f32>,
    /// The call that fails, once.
    fails_at: usize,
    calls: usize,
}

impl<S> Persistent<S> {
    fn new(sampler: S) -> Self {
        Self {
            sampler,
            chains: Vec::new(),
            fails_at: usize::MAX,
            calls: 0,
        }
    }
}

impl<S: Sampler> Loss for Persistent<S> {
    fn terms(
        &mut self,
        energy: &dyn Energy,
        x: &Points,
        rng: &mut Rng,
    ) -> Result<Terms<'_>, Error> {
        let (n, d) = *x.shape();
        if self.chains.is_empty() {
            self.chains = normals(n * d, rng);
        }
        for chain in self.chains.chunks_exact_mut(d) {
            if rng.random::<f32>() < 0.05 {
                chain.copy_from_slice(&normals(d, rng));
            }
        }
        let start = points(self.chains.clone(), (n, d))?;
        self.chains = to_vec(&self.sampler.walk(energy, &start, 3, rng)?);
        self.calls += 1;
        if self.calls == self.fails_at {
            return Err(Error::Tensor("no luck".into()));
        }
        let pairs = to_vec(x)
            .chunks(d)
            .zip(self.chains.chunks(d))
            .flat_map(|(x, y)| [x, y].concat())
            .collect();
        Terms::of_energies(pairs, d, 2, |_, u, slope| {
            slope.copy_from_slice(&[1.0 + 0.2 * u[0], -1.0 + 0.2 * u[1]]);
            u[0] - u[1] + 0.1 * (u[0] * u[0] + u[1] * u[1])
        })
    }

    fn state(&mut self) -> Vec<(&'static str, &mut Vec<f32>)> {
        vec![("chains", &mut self.chains)]
    }
}

fn persistent(steps: usize) -> Trainer<Mlp, Persistent<Mala>> {
    let net = Mlp::softplus(&[2, 16, 16, 1], 3).unwrap();
    let loss = Persistent::new(Mala::with_step_size(0.1));
    Trainer::new(net, loss)
        .steps(steps)
        .batch(32)
        .ema_decay(0.9)
        .quiet()
}

/// All that a run leaves behind, to be compared bit by bit.
fn traces<L>(run: &Trainer<Mlp, L>) -> (Vec<f32>, Vec<f32>, Vec<f64>) {
    let losses = run.history().losses().to_vec();
    (
        run.energy().flat_parameters(),
        run.ema().flat_parameters(),
        losses,
    )
}

#[test]
fn a_loss_with_chains_goes_on_from_a_checkpoint_with_the_same_bits() {
    let mut whole = persistent(40);
    let _ = whole.fit(&data()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut at = rng(5);
    for _ in 0..6 {
        let steps = at.random_range(0..40);
        let _ = persistent(steps)
            .checkpoints(folder.path(), 1000)
            .fit(&data())
            .unwrap();
        let mut again = persistent(40);
        assert_eq!(again.resume(folder.path()).unwrap(), steps);
        let _ = again.fit(&data()).unwrap();
        assert_eq!(traces(&again), traces(&whole), "stopped after {steps}");
    }
    // A step that fails after its chains have moved is taken again from where they were.
    let mut fails = persistent(40);
    let net = fails.energy().clone();
    let mut loss = Persistent::new(Mala::with_step_size(0.1));
    loss.fails_at = 11;
    let set_up = format!("{:?}", Persistent::new(Mala::with_step_size(0.1)));
    assert!(set_up.contains("chains: []"));
    fails = Trainer::new(net, loss)
        .steps(40)
        .batch(32)
        .ema_decay(0.9)
        .quiet();
    assert!(
        fails
            .fit(&data())
            .unwrap_err()
            .to_string()
            .contains("no luck")
    );
    let _ = fails.fit(&data()).unwrap();
    assert_eq!(traces(&fails), traces(&whole));
    // Side by side with others.
    let (mut one, mut two) = (persistent(40), persistent(40));
    let _ = Sweep::new()
        .run("one", &mut one)
        .run("two", &mut two)
        .fit(&data())
        .unwrap();
    assert_eq!(
        (traces(&one), traces(&two)),
        (traces(&whole), traces(&whole))
    );
}

/// Says by how much the schedule multiplies the rate, and keeps a list.
#[derive(Debug)]
struct Recorder {
    factors: Arc<Mutex<Vec<f64>>>,
    inner: Sgd,
    sum: Vec<f32>,
}

impl Optimiser for Recorder {
    fn step(
        &mut self,
        step: usize,
        factor: f64,
        w: &mut [f32],
        gradient: &[f32],
    ) -> Result<(), Error> {
        let mut factors = self.factors.lock().unwrap();
        factors.push(factor);
        self.sum.resize(w.len(), 0.0);
        for ((w, sum), g) in w.iter_mut().zip(&mut self.sum).zip(gradient) {
            *sum += g * g;
            *w -= 1e-3 * g / (sum.sqrt() + 1e-8);
        }
        self.inner.step(step, factor, w, gradient)
    }

    fn state(&mut self) -> Vec<(&'static str, &mut Vec<f32>)> {
        let mut lists = self.inner.state();
        lists.push(("sum", &mut self.sum));
        lists
    }
}

fn recorded(
    steps: usize,
    schedule: Schedule,
) -> (Trainer<Mlp, EnergyDiscrepancy>, Arc<Mutex<Vec<f64>>>) {
    let factors = Arc::new(Mutex::new(Vec::new()));
    let inner = Sgd::new(1e-2).momentum(0.5);
    let recorder = Recorder {
        factors: factors.clone(),
        inner,
        sum: Vec::new(),
    };
    let net = Mlp::softplus(&[2, 8, 1], 3).unwrap();
    let run = Trainer::new(net, EnergyDiscrepancy::with_std(0.5)).optimiser(recorder);
    (
        run.schedule(schedule).steps(steps).batch(16).quiet(),
        factors,
    )
}

#[test]
fn optimisers_and_schedules_of_one_s_own_resume_to_the_bits() {
    let schedule = || Schedule::warm_up(5).times(Schedule::cosine(30));
    let (mut whole, factors) = recorded(20, schedule());
    let _ = whole.fit(&data()).unwrap();
    for (step, factor) in factors.lock().unwrap().iter().enumerate() {
        let warm = f64::min(1.0, (step + 1) as f64 / 5.0);
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * step as f64 / 30.0).cos());
        assert!((factor - warm * cosine).abs() < 1e-15);
    }
    let folder = tempfile::tempdir().unwrap();
    let (first, _) = recorded(7, schedule());
    let _ = first.checkpoints(folder.path(), 3).fit(&data()).unwrap();
    let (mut again, _) = recorded(20, schedule());
    assert_eq!(again.resume(folder.path()).unwrap(), 7);
    let _ = again.fit(&data()).unwrap();
    assert_eq!(traces(&again), traces(&whole));
    let said = |mut run: Trainer<Mlp, EnergyDiscrepancy>| {
        run.resume(folder.path()).unwrap_err().to_string()
    };
    let other = said(recorded(20, Schedule::decay(0.5, 3)).0);
    assert!(
        other.contains("warm-up over 5 steps") && other.contains("times 0.5 every 3 steps"),
        "{other}"
    );
    let other = said(recorded(20, schedule()).0.adam(1e-3));
    assert!(
        other.contains("Recorder") && other.contains("Adam"),
        "{other}"
    );
    for schedule in [
        Schedule::cosine(0),
        Schedule::warm_up(0),
        Schedule::decay_by_epoch(f64::NAN),
    ] {
        let said = recorded(5, schedule)
            .0
            .fit(&data())
            .unwrap_err()
            .to_string();
        assert!(said.contains("schedule = "), "{said}");
    }
    let negative = Schedule::of("negative", |at: At| -(at.step as f64));
    let said = recorded(5, negative)
        .0
        .fit(&data())
        .unwrap_err()
        .to_string();
    assert!(said.contains("learning rate = -0.01"), "{said}");
}

/// A metric that keeps what the last batches were.
fn epochs_of(data: &Dataset, run: Trainer<Mlp, Spy>) -> Trainer<Mlp, Spy> {
    let mut run = run.epochs(3).batch(4).quiet();
    let _ = run.fit(data).unwrap();
    run
}

/// Energy discrepancy that keeps the first column of its batches.
#[derive(Clone)]
struct Spy(EnergyDiscrepancy, Arc<Mutex<Vec<Vec<i32>>>>);

impl std::fmt::Debug for Spy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("spy")
    }
}

impl Loss for Spy {
    fn terms(
        &mut self,
        energy: &dyn Energy,
        x: &Points,
        rng: &mut Rng,
    ) -> Result<Terms<'_>, Error> {
        let batch = to_vec(x).chunks(2).map(|row| row[0] as i32).collect();
        self.1.lock().unwrap().push(batch);
        self.0.terms(energy, x, rng)
    }
}

#[test]
fn an_epoch_sees_each_row_once() {
    let rows: Vec<[f64; 2]> = (0..10).map(|i| [f64::from(i), 0.5]).collect();
    let rows = Dataset::new(&rows).unwrap();
    let run = || {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let loss = Spy(EnergyDiscrepancy::with_std(0.5), seen.clone());
        (Trainer::new(Mlp::tanh(&[2, 4, 1], 0).unwrap(), loss), seen)
    };
    let (trainer, seen) = run();
    let whole = epochs_of(&rows, trainer);
    assert_eq!(whole.history().epochs("loss").len(), 3);
    let batches = seen.lock().unwrap().clone();
    assert_eq!(
        batches.iter().map(Vec::len).collect::<Vec<_>>(),
        [4, 4, 2, 4, 4, 2, 4, 4, 2]
    );
    let epochs: Vec<Vec<i32>> = batches.chunks(3).map(<[_]>::concat).collect();
    assert!(epochs[0] != epochs[1] && epochs[1] != epochs[2]);
    for mut epoch in epochs {
        epoch.sort_unstable();
        assert_eq!(epoch, (0..10).collect::<Vec<_>>());
    }
    // In the middle of an epoch, from a checkpoint.
    let folder = tempfile::tempdir().unwrap();
    let stops = AtomicUsize::new(0);
    let (trainer, _) = run();
    let mut broken = trainer
        .epochs(3)
        .batch(4)
        .checkpoints(folder.path(), 1)
        .quiet()
        .metric_fn("stops", 1, move |_, _| {
            match stops.fetch_add(1, Ordering::Relaxed) {
                4 => Err(Error::Tensor("no luck".into())),
                _ => Ok(0.0),
            }
        });
    assert!(broken.fit(&rows).is_err());
    let (trainer, _) = run();
    let mut again = trainer
        .epochs(3)
        .batch(4)
        .quiet()
        .metric_fn("stops", 1, |_, _| Ok(0.0));
    assert_eq!(again.resume(folder.path()).unwrap(), 4);
    let _ = again.fit(&rows).unwrap();
    assert_eq!(traces(&again), traces(&whole));
    let (trainer, seen) = run();
    let _ = trainer
        .in_order()
        .epochs(2)
        .batch(10)
        .quiet()
        .fit(&rows)
        .unwrap();
    assert_eq!(
        seen.lock().unwrap().concat(),
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].repeat(2)
    );
    let (trainer, _) = run();
    let said = trainer
        .epochs(2)
        .quiet()
        .fit(&data())
        .unwrap_err()
        .to_string();
    assert!(
        said.contains("`.steps(..)`") && said.contains("no finite set"),
        "{said}"
    );
}

type Matrix = Tensor<(usize, usize), f32, AutoDevice>;

/// tanh(z W): a decoder of a user's own.
struct Linear(Matrix);

impl Linear {
    fn new() -> Self {
        Self(points(normals(12, &mut rng(1)), (2, 6)).unwrap())
    }
}

impl Decoder for Linear {
    fn latent(&self) -> usize {
        2
    }

    fn decode_taped(&self, z: TapedPoints) -> Result<TapedPoints, Error> {
        Ok(z.matmul(self.0.retaped::<GradientTape>()).tanh())
    }
}

impl Parameters for Linear {
    fn parameters(&self) -> Vec<(&str, &dyn Parameter)> {
        vec![("matrix", &self.0)]
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut dyn Parameter)> {
        vec![("matrix", &mut self.0)]
    }
}

/// c |z|²/2: a prior of a user's own.
#[derive(Clone)]
struct Precision(Tensor<Rank0, f32, AutoDevice>);

impl Energy for Precision {
    fn energy_taped(&self, z: TapedPoints) -> Result<TapedValues, Error> {
        let half = z.square().sum::<_, Axis<1>>() * 0.5;
        let shape = *half.shape();
        Ok(half * self.0.retaped::<GradientTape>().broadcast_like(&shape))
    }
}

impl Parameters for Precision {
    fn parameters(&self) -> Vec<(&str, &dyn Parameter)> {
        vec![("precision", &self.0)]
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut dyn Parameter)> {
        vec![("precision", &mut self.0)]
    }
}

type Own = LatentEbm<Linear, Precision, Box<dyn Loss>>;

fn latent(epochs: usize) -> Own {
    let prior = Precision(device().unwrap().tensor(1.5));
    let loss: Box<dyn Loss> = Box::new(Persistent::new(Langevin::with_step_size(0.1)));
    let adam = [Adam::new(1e-2), Adam::new(1e-2)];
    LatentEbm::new(Linear::new(), prior, loss)
        .optimisers(adam)
        .epochs(epochs)
        .batch(5)
        .quiet()
}

#[test]
fn a_latent_model_of_one_s_own_nets_is_trained_watched_and_resumed() {
    let images = Dataset::from_points(&points(normals(60, &mut rng(2)), (10, 6)).unwrap()).unwrap();
    let mean = |energy: &dyn Energy, rng: &mut Rng| {
        let u = to_vec(&energy.energy(&normal_points(20, 2, rng)?)?);
        Ok(u.into_iter().map(f64::from).sum::<f64>() / 20.0)
    };
    let traces = |run: &Own| {
        let losses: Vec<Vec<f64>> = run
            .history()
            .all_losses()
            .map(|(_, losses)| losses.to_vec())
            .collect();
        let nets = [
            run.decoder().flat_parameters(),
            run.prior().flat_parameters(),
            run.ema().flat_parameters(),
        ];
        (nets, losses, run.history().metric("mean").cloned())
    };
    let set_up = |epochs| latent(epochs).metric("mean", 2, mean);
    let mut whole = set_up(8);
    assert_eq!(whole.fit(&images).unwrap(), Stopped::AtEnd { steps: 16 });
    assert_ne!(
        whole.decoder().flat_parameters(),
        Linear::new().flat_parameters()
    );
    assert_eq!(whole.history().epochs("generator").len(), 8);
    assert_ne!(
        whole.ema().flat_parameters(),
        whole.prior().flat_parameters()
    );
    let folder = tempfile::tempdir().unwrap();
    let _ = set_up(3)
        .checkpoints(folder.path(), 1)
        .fit(&images)
        .unwrap();
    let mut again = set_up(8);
    assert_eq!(again.resume(folder.path()).unwrap(), 6);
    let _ = again.fit(&images).unwrap();
    assert_eq!(traces(&again), traces(&whole));
    // Beside a run of another kind, on the same data.
    let (mut one, net) = (set_up(8), Mlp::tanh(&[6, 4, 1], 0).unwrap());
    let mut other = Trainer::new(net, ScoreMatching).steps(30).batch(5);
    let ended = Sweep::new()
        .run("latent", &mut one)
        .run("score matching", &mut other)
        .fit(&images);
    assert!(
        ended
            .unwrap()
            .iter()
            .all(|run| matches!(run.stopped, Stopped::AtEnd { .. }))
    );
    assert_eq!(traces(&one), traces(&whole));
    saved(&mut whole, folder.path());
}

/// The result as a file, by PyTorch's names: the decoder, and the prior with its running mean.
fn saved(run: &mut Own, folder: &Path) {
    let path = folder.join("model.safetensors");
    run.save(&path).unwrap();
    let (mut decoder, mut prior) = (Linear::new(), Precision(device().unwrap().tensor(0.0)));
    decoder.load_weights(&path).unwrap();
    prior.load_weights(&path).unwrap();
    assert_eq!(decoder.flat_parameters(), run.decoder().flat_parameters());
    assert_eq!(prior.flat_parameters(), run.ema().flat_parameters());
    let _: &LatentModel<Linear, Precision, Box<dyn Loss>> = run.objective();
}
