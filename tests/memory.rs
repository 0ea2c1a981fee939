//! How much memory a step takes: in a process of its own, as its peak is the system's to tell.

#![cfg(all(target_os = "linux", not(feature = "cuda")))]
#![allow(clippy::unwrap_used)] // A test may.

use energy_discrepancy::prelude::*;

/// The most memory that this process has had so far, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<usize>()
        .unwrap()
        << 10
}

#[test]
fn five_hundred_particles_need_little() {
    let x = Expr::points(2);
    let mut h = x.dense(128).silu();
    for _ in 0..3 {
        h = &h + h.dense(128).silu();
    }
    let net = Net::new(h.dense(1) + x.square().sum() * 0.5, 0).unwrap();
    let x = toy::gaussians_25().sample(128, &mut rng(0)).unwrap();
    let step = |particles| {
        let mut loss = EnergyDiscrepancy::with_std(1.0).particles(particles);
        let _ = loss.gradient(&net, &x, &mut rng(1)).unwrap();
        peak()
    };
    let before = step(1);
    let more = step(512) - before;
    println!("{:.1} MB for 65,664 points", more as f64 / 1e6);
    assert!(more < 20_000_000, "{more}");
}
