//! Real tables: held-out rows under energy discrepancy, a kernel density estimate and a mixture.

#![allow(clippy::unwrap_used)] // A test may.

use energy_discrepancy::eval::{Annealing, Judgement, Nats, average_precision, nll, nll_of};
use energy_discrepancy::prelude::*;
use std::path::Path;

/// All columns of numbers, without labels and rows with gaps.
fn table(name: &str) -> Dataset {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if name == "penguins" {
        let table = Dataset::read(root.join("notebooks/penguins.csv")).unwrap();
        let names = [
            "bill_length_mm",
            "bill_depth_mm",
            "flipper_length_mm",
            "body_mass_g",
        ];
        return table.columns(&names).unwrap().drop_missing().unwrap();
    }
    let table = Dataset::read(root.join(format!("tests/tables/{name}.csv"))).unwrap();
    let features: Vec<usize> = (0..table.dimension() - 1).collect();
    table.columns_at(&features).unwrap()
}

/// In nats per point of standardised columns.
struct Scores {
    ed: Nats,
    kde: Nats,
    mixture: Nats,
    dimension: usize,
    judgement: Judgement,
}

/// 64 % of the rows to train on, 16 % to stop by, 20 % to judge by.
fn scores(name: &str, seed: u64) -> Scores {
    let (rest, test) = table(name).split(0.8, seed).unwrap();
    let (train, stop) = rest.split(0.8, seed).unwrap();
    let z = train.whitened().unwrap();
    let like = |set: &Dataset| set.scaled_like(&z).unwrap().points().unwrap();
    let (stop, own) = (like(&stop), like(&test));
    let mut run = Trainer::for_table(&z, seed)
        .unwrap()
        .validate(&stop, 50)
        .patience(10)
        .quiet();
    let stopped = run.fit(&z).unwrap();
    let energy = run.ema();
    let annealing = Annealing::around(&z.points().unwrap())
        .unwrap()
        .temperatures(1000)
        .chains(300);
    let log_z = annealing.forward(energy, &mut rng(seed)).unwrap();
    // In the columns' own spreads.
    let standard = train.standardised().unwrap();
    let volume = z.log_volume() - standard.log_volume();
    let ed = nll(energy, &log_z, &own).unwrap().plus(volume);
    let mixture = GaussianMixture::fit_best(&z.points().unwrap(), 5, seed).unwrap();
    let components = mixture.components().count();
    let mixture = nll_of(&mixture, &own).unwrap().plus(volume);
    let kde = GaussianMixture::kde(&standard.points().unwrap()).unwrap();
    let kde = nll_of(
        &kde,
        &test.scaled_like(&standard).unwrap().points().unwrap(),
    )
    .unwrap();
    let samples = annealing
        .sample(energy, own.shape().0.max(100), &mut rng(seed))
        .unwrap();
    let judgement = Judgement::of(&samples, &own, &mut rng(seed)).unwrap();
    println!(
        "{name}: ED {ed}, KDE {kde}, mixture of {components} {mixture}; {stopped}; log Z {log_z:?}\n{judgement}"
    );
    Scores {
        ed,
        kde,
        mixture,
        dimension: z.dimension(),
        judgement,
    }
}

fn check(name: &str, seed: u64) {
    let scores = scores(name, seed);
    let best = scores.kde.mean.min(scores.mixture.mean);
    let most = best + 0.1 * scores.dimension as f64;
    assert!(scores.ed.mean < most, "{name}, seed {seed}: {}", scores.ed);
    // Samples that are farther away than N(0, I) are said to be.
    let energy = scores.judgement.energy;
    let is_worse = energy.statistic > scores.judgement.normal.max(0.0) && energy.p_value < 0.05;
    assert_eq!(scores.judgement.warning().is_some(), is_worse);
}

#[test]
fn held_out_rows_are_about_as_likely_as_under_the_best_baseline() {
    for name in ["penguins", "iris", "wine", "breast_cancer"] {
        check(name, 0);
    }
}

#[test]
fn tumours_stand_out_from_rows_that_are_benign() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tables/breast_cancer.csv");
    let all = Dataset::read(path).unwrap();
    let of_class = |class: f64| {
        let rows = all.rows().unwrap().filter(|row| row[30] == class);
        Dataset::new(&rows.map(|row| row[..30].to_vec()).collect::<Vec<_>>()).unwrap()
    };
    let (malignant, benign) = (of_class(0.0), of_class(1.0));
    assert_eq!((malignant.len(), benign.len()), (212, 357));
    // Trained on benign rows alone, of which some are kept to judge by, and some to stop by.
    let (rest, unseen) = benign.split(0.8, 0).unwrap();
    let (train, stop) = rest.split(0.8, 0).unwrap();
    let z = train.whitened().unwrap();
    let like = |set: &Dataset| set.scaled_like(&z).unwrap().points().unwrap();
    let run = Trainer::for_table(&z, 0)
        .unwrap()
        .validate(&like(&stop), 50);
    let mut run = run.patience(10).quiet();
    let _ = run.fit(&z).unwrap();
    let score = |energy: &dyn Energy| {
        let of = |set: &Dataset| to_vec(&energy.energy(&like(set)).unwrap());
        let (strange, usual) = (of(&malignant), of(&unseen));
        let labels = [vec![true; strange.len()], vec![false; usual.len()]].concat();
        let scores: Vec<f64> = strange.into_iter().chain(usual).map(f64::from).collect();
        average_precision(&scores, &labels).unwrap()
    };
    let (own, mixture) = (score(run.ema()), score(run.ema().base()));
    println!(
        "average precision {own:.3}, of the mixture alone {mixture:.3}, chance {:.3}",
        212.0 / 284.0
    );
    assert!(own > 0.95, "{own}");
}

#[test]
#[ignore = "a minute: the same of other divisions of the rows"]
fn so_they_are_in_other_divisions() {
    for name in ["penguins", "iris", "wine", "breast_cancer"] {
        (1..4).for_each(|seed| check(name, seed));
    }
}
