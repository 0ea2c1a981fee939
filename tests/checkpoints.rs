//! Checkpoints that are damaged, foreign or cut off, and programs that are killed.

#![allow(clippy::unwrap_used)] // A test may.

use energy_discrepancy::prelude::*;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn model(features: usize) -> LatentEbm {
    let (generator, prior) = (Generator::new(6, features, 0), LatentPrior::new(6, 12, 0));
    let loss = EnergyDiscrepancy::with_std(0.5).particles(4);
    let run = LatentEbm::new(generator.unwrap(), prior.unwrap(), loss);
    let adam = |rate| Adam::new(rate).betas(0.5, 0.999);
    let run = run.optimisers([adam(1e-3), adam(5e-4)]);
    run.posterior(3, 0.1, 0.3).epochs(1).batch(8).quiet()
}

fn digits(count: usize) -> Images {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mnist");
    let digits = Mnist::read(folder).unwrap().train;
    digits.first(count).unwrap()
}

fn file(folder: &Path) -> PathBuf {
    folder.join("checkpoint.safetensors.gz")
}

/// A run that has nothing to do but be asked whether it may write.
fn asks(folder: &Path) -> Result<Stopped, Error> {
    trainer(3).checkpoints(folder, 1).fit(&mixture())
}

#[test]
fn two_runs_do_not_write_into_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_path_buf();
    let said = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let (inner, heard) = (path.clone(), said.clone());
    let mut first = trainer(7)
        .checkpoints(&path, 2)
        .metric_fn("asks", 3, move |_, _| {
            let asked = asks(&inner).map(|stopped| stopped.to_string());
            heard
                .lock()
                .unwrap()
                .push(asked.map_err(|error| error.to_string()));
            let latent = model(2).checkpoints(&inner, 1).fit(&digits(8));
            heard
                .lock()
                .unwrap()
                .push(Err(latent.unwrap_err().to_string()));
            Ok(0.0)
        });
    assert_eq!(first.fit(&mixture()).unwrap(), Stopped::AtEnd { steps: 7 });
    let said = said.lock().unwrap();
    assert_eq!(said.len(), 6);
    for said in said.iter() {
        let said = said.as_ref().unwrap_err();
        assert!(
            said.contains("another run is writing its checkpoints there"),
            "{said}"
        );
        assert!(said.contains(&path.display().to_string()), "{said}");
    }
    // Once it has ended the folder is free.
    assert_eq!(asks(&path).unwrap(), Stopped::AtEnd { steps: 3 });
    let (mut one, mut two) = (trainer(3), trainer(4));
    (one, two) = (one.checkpoints(&path, 1), two.checkpoints(&path, 1));
    let sweep = Sweep::new().run("one", &mut one).run("two", &mut two);
    let said = sweep.fit(&mixture()).unwrap_err().to_string();
    assert!(said.contains("a folder of its own for each run"), "{said}");
}

/// The name of the variable that tells a test's second process what to do.
const FULL: &str = "ED_TEST_FULL_DISK";

/// Runs this test once more in a process whose files cannot grow beyond 1 kB: a full disk.
#[test]
fn a_full_disk_replaces_nothing_and_loses_nothing() {
    if let Some(folder) = std::env::var_os(FULL) {
        return on_a_full_disk(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let mut run = trainer(5).checkpoints(folder.path().join("run"), 100);
    let _ = run.fit(&mixture()).unwrap();
    run.save(folder.path().join("net.safetensors")).unwrap();
    results(&run).write(folder.path().join("results")).unwrap();
    let files = || {
        let folders = ["run", "results", "."].map(|name| folder.path().join(name));
        let files = folders
            .iter()
            .flat_map(|folder| std::fs::read_dir(folder).unwrap());
        let files = files
            .map(|file| file.unwrap().path())
            .filter(|path| path.is_file());
        let mut files: Vec<_> = files
            .map(|path| (std::fs::read(&path).unwrap(), path))
            .collect();
        files.sort();
        files
    };
    let before = files();
    let limited = "trap '' XFSZ; ulimit -f 1; exec \"$0\" --exact --nocapture \
                   a_full_disk_replaces_nothing_and_loses_nothing >/dev/null";
    let status = Command::new("bash")
        .args(["-c", limited])
        .arg(std::env::current_exe().unwrap())
        .env(FULL, folder.path())
        .status();
    assert!(status.unwrap().success());
    assert_eq!(files(), before);
}

fn results(run: &Trainer<Mlp, EnergyDiscrepancy>) -> Results {
    let chart = run.history().chart();
    Results::new()
        .history("run", run.history())
        .figure("losses", chart)
}

fn on_a_full_disk(folder: &Path) {
    let fails = |result: Result<(), Error>| {
        let said = result.unwrap_err().to_string();
        assert!(
            said.contains("cannot write") && said.contains("File too large"),
            "{said}"
        );
    };
    let mut whole = trainer(40);
    let _ = whole.fit(&mixture()).unwrap();
    let mut run = trainer(40).checkpoints(folder.join("run"), 7);
    fails(run.fit(&mixture()).map(|_| ()));
    assert_eq!(run.history().losses().len(), 7);
    fails(run.checkpoint(folder.join("run")));
    fails(whole.save(folder.join("net.safetensors")));
    fails(results(&whole).write(folder.join("results")));
    // Each call goes on to the next checkpoint.
    fails(run.fit(&mixture()).map(|_| ()));
    assert_eq!(run.history().losses().len(), 14);
    let mut free = run.checkpoints("/dev/null/none", 1000);
    fails_otherwise(free.fit(&mixture()));
    assert_eq!(free.history(), whole.history());
    assert_eq!(
        free.energy().flat_parameters(),
        whole.energy().flat_parameters()
    );
}

fn fails_otherwise(result: Result<Stopped, Error>) {
    assert!(result.unwrap_err().to_string().contains("cannot write"));
}

/// What a run says that is to go on from the folder; its weights must not change.
fn refused(mut run: LatentEbm, folder: &Path) -> String {
    let before = run.decoder().flat_parameters();
    let error = run.resume(folder).unwrap_err().to_string();
    assert_eq!(run.decoder().flat_parameters(), before);
    assert_eq!(run.history().losses().len(), 0);
    error
}

#[test]
fn what_is_no_checkpoint_of_this_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let error = model(2).checkpoint(folder).unwrap_err().to_string();
    assert!(error.contains("call `fit` first"), "{error}");
    let error = refused(model(2), folder);
    assert!(error.contains("No such file"), "{error}");

    let mut run = model(2).checkpoints(folder, 100);
    assert_eq!(run.fit(&digits(20)).unwrap(), Stopped::AtEnd { steps: 3 });
    // Other settings, each by its name; those that change no result are free.
    let cases = [
        (model(2).batch(4), "batch = 8 where this one has 4"),
        (
            model(2).seed(7).schedule(Schedule::decay_by_epoch(0.5)),
            "learning rate = \"times 0.99 every epoch\" where this one has \"times 0.5 every epoch\", seed = 0 where this one has 7",
        ),
        (
            model(3),
            "generator.gen.0.weight has shape [6, 16, 4, 4] of F32, but [6, 24, 4, 4]",
        ),
    ];
    for (run, expected) in cases {
        let error = refused(run, folder);
        assert!(error.contains(expected), "{error}");
    }
    let mut free = model(2).epochs(9).prior_noise_std(0.1);
    assert_eq!(free.resume(folder).unwrap(), 3);
    // Another number of images than the run began with.
    let error = free.fit(&digits(21)).unwrap_err().to_string();
    assert!(
        error.contains("shape 21, but 20 points, as those that the run began with"),
        "{error}"
    );
    assert_eq!(
        free.epochs(2).fit(&digits(20)).unwrap(),
        Stopped::AtEnd { steps: 6 }
    );

    // Another version's, and another kind's, in a sound file.
    let whole = std::fs::read(file(folder)).unwrap();
    let mut bytes = Vec::new();
    GzDecoder::new(whole.as_slice())
        .read_to_end(&mut bytes)
        .unwrap();
    let change = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let mut changed = bytes.clone();
        let at = bytes
            .windows(from.len())
            .position(|window| window == from.as_bytes());
        changed[at.unwrap()..][..to.len()].copy_from_slice(to.as_bytes());
        let mut packed = GzEncoder::new(Vec::new(), Compression::none());
        packed.write_all(&changed).unwrap();
        std::fs::write(file(folder), packed.finish().unwrap()).unwrap();
        refused(model(2), folder)
    };
    let error = change("discrepancy checkpoint 2", "discrepancy checkpoint 9");
    assert!(error.contains("this version reads"), "{error}");
    let error = change("training run", "other    run");
    assert!(
        error.contains("it is of a other    run, not of a training run"),
        "{error}"
    );
    let error = change("generator.optimiser.first", "generator.optimiser.fir5t");
    assert!(
        error.contains("it holds no generator.optimiser.first"),
        "{error}"
    );

    // What no longer can be written is an error, and nothing of the run is lost.
    let mut blocked = model(2).checkpoints(file(folder), 1);
    let error = blocked.fit(&digits(20)).unwrap_err().to_string();
    assert!(error.contains("cannot write"), "{error}");
    assert_eq!(blocked.history().losses().len(), 1);
    let mut moved = blocked.checkpoints(folder.join("new"), 1);
    assert_eq!(moved.fit(&digits(20)).unwrap(), Stopped::AtEnd { steps: 3 });
    assert_eq!(
        moved.decoder().flat_parameters(),
        run.decoder().flat_parameters()
    );
}

#[test]
fn a_checkpoint_that_is_cut_off_or_changed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let _ = model(2).checkpoints(folder, 100).fit(&digits(8)).unwrap();
    let whole = std::fs::read(file(folder)).unwrap();
    let refuse = |bytes: &[u8]| {
        std::fs::write(file(folder), bytes).unwrap();
        let error = refused(model(2), folder);
        assert!(error.contains("damaged"), "{error}");
    };
    let places = (0..whole.len()).step_by(whole.len() / 40);
    for length in places.clone() {
        refuse(&whole[..length]);
    }
    refuse(&[whole.as_slice(), b"more"].concat());
    // The gzip header's time and system, bytes 4 to 9, mean nothing to us.
    for (bit, place) in places.filter(|place| !(4..10).contains(place)).enumerate() {
        let mut flipped = whole.clone();
        flipped[place] ^= 1 << (bit % 8);
        refuse(&flipped);
    }
    std::fs::write(file(folder), &whole).unwrap();
    assert_eq!(model(2).resume(folder).unwrap(), 1);
}

fn mixture() -> GaussianMixture {
    GaussianMixture::new(&[0.5, 0.5], &[[-1.0, 0.0], [1.0, 0.5]], &[0.4, 0.4]).unwrap()
}

fn trainer(steps: usize) -> Trainer<Mlp, EnergyDiscrepancy> {
    let net = Mlp::softplus(&[2, 16, 16, 1], 3).unwrap();
    Trainer::new(net, EnergyDiscrepancy::with_std(0.5))
        .steps(steps)
        .batch(32)
        .schedule(Schedule::decay(0.9, 7))
        .ema_decay(0.9)
        .metric("mse", 5, LogDensityMse::new(mixture(), 50))
        .quiet()
}

#[test]
fn a_trainer_goes_on_with_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut whole = trainer(40);
    let _ = whole.fit(&mixture()).unwrap();
    for steps in [0, 7, 11, 40] {
        let mut first = trainer(steps).checkpoints(folder, 4);
        assert_eq!(first.fit(&mixture()).unwrap(), Stopped::AtEnd { steps });
        let mut again = trainer(40);
        assert_eq!(again.resume(folder).unwrap(), steps);
        assert_eq!(again.time(), first.time());
        assert_eq!(again.fit(&mixture()).unwrap(), Stopped::AtEnd { steps: 40 });
        assert_eq!(again.history(), whole.history());
        assert_eq!(
            again.energy().flat_parameters(),
            whole.energy().flat_parameters()
        );
        assert_eq!(again.ema().flat_parameters(), whole.ema().flat_parameters());
    }
    // Several runs side by side write theirs too.
    let mut runs = [trainer(9).checkpoints(folder, 4)];
    let _ = Sweep::new()
        .run("one", &mut runs[0])
        .fit(&mixture())
        .unwrap();
    assert_eq!(trainer(9).resume(folder).unwrap(), 9);

    // The result alone, under PyTorch's names.
    whole.save(folder.join("net.safetensors")).unwrap();
    let mut loaded = Mlp::softplus(&[2, 16, 16, 1], 0).unwrap();
    loaded.load_weights(folder.join("net.safetensors")).unwrap();
    assert_eq!(loaded.flat_parameters(), whole.ema().flat_parameters());

    let said =
        |mut run: Trainer<Mlp, EnergyDiscrepancy>| run.resume(folder).unwrap_err().to_string();
    let error = said(
        trainer(9)
            .adam(0.1)
            .metric("other", 5, LogDensityMse::new(mixture(), 50)),
    );
    assert!(
        error.contains("learning_rate") && error.contains("other every 5 steps"),
        "{error}"
    );
    let net = Mlp::softplus(&[2, 16, 16, 1], 3).unwrap();
    let mut other = Trainer::new(net.clone(), EnergyDiscrepancy::with_std(0.6)).batch(32);
    let error = other.resume(folder).unwrap_err().to_string();
    assert!(
        error.contains("std: 0.5") && error.contains("std: 0.6"),
        "{error}"
    );
    let error = refused(model(2), folder);
    assert!(error.contains("objective = "), "{error}");
    let mut impossible = Trainer::new(net, ScoreMatching)
        .checkpoints(folder, 0)
        .quiet();
    let error = impossible.fit(&mixture()).unwrap_err().to_string();
    assert!(error.contains("checkpoints = every 0 steps"), "{error}");
}

/// Where the program that is to be killed trains. Set only by the test below.
const FOLDER: &str = "ED_KILLED_RUN";

#[test]
#[ignore = "half a minute: make test-slow"]
fn the_last_checkpoint_outlives_a_kill() {
    let set_up = |folder: &Path| model(2).epochs(200).checkpoints(folder, 1);
    if let Some(folder) = std::env::var_os(FOLDER) {
        let folder = PathBuf::from(folder);
        let mut run = set_up(&folder);
        if file(&folder).exists() {
            run.resume(&folder).unwrap();
        }
        let _ = run.fit(&digits(200)).unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut delays = rng(0);
    let (mut reached, mut kills) = (0, 0);
    while kills < 50 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--ignored",
                "--exact",
                "the_last_checkpoint_outlives_a_kill",
            ])
            .env(FOLDER, folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let wait = rand::RngExt::random_range(&mut delays, 20..200);
        let until = Instant::now() + Duration::from_millis(wait);
        while Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        kills += 1;
        let _ = child.wait().unwrap();
        if !file(folder.path()).exists() {
            continue; // Killed before its first.
        }
        let mut run = set_up(folder.path());
        let steps = run.resume(folder.path()).unwrap();
        assert!(steps >= reached, "{steps} after {reached}");
        reached = steps;
    }
    println!("{reached} iterations after {kills} kills");
    // The last kill hit a run that was under way, and so did all before.
    assert!(reached > 0 && reached < 200 * 25, "{reached}");
    let mut last = set_up(folder.path());
    last.resume(folder.path()).unwrap();
    let _ = last.fit(&digits(200)).unwrap();
    let mut whole = model(2).epochs(200);
    let _ = whole.fit(&digits(200)).unwrap();
    assert_eq!(
        last.decoder().flat_parameters(),
        whole.decoder().flat_parameters()
    );
    assert_eq!(last.history(), whole.history());
}
