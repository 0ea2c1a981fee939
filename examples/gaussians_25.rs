//! Learns a grid of 25 Gaussians by energy discrepancy, and draws the density that it found.
//!
//!     cargo run --release --example gaussians_25 -- 10000 gaussians_25.png
//!
//! Both arguments may be left out. The paper takes 50 001 steps; the mean square error of the
//! log-density then is near 0.01.

use energy_discrepancy::eval::density_on;
use energy_discrepancy::prelude::*;

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let steps = arguments
        .next()
        .and_then(|steps| steps.parse().ok())
        .unwrap_or(10_000);
    let path = arguments.next().unwrap_or("gaussians_25.png".into());

    let data = toy::gaussians_25();
    let net = Mlp::softplus(&[2, 128, 128, 128, 128, 1], 0)?;
    let mut run = Trainer::new(net, EnergyDiscrepancy::with_std(1.0).particles(4))
        .steps(steps)
        .batch(128)
        .adam(1e-3)
        .ema_decay(0.999)
        .metric("mse", 100, LogDensityMse::new(data.clone(), 5000));
    println!("{}", run.fit(&data)?);

    let grid = Quadrature::square(-4.0..4.0, 161)?;
    let found = Comparison::on(run.ema(), &data, &grid)?;
    println!(
        "KL {:.4}   total variation {:.4}",
        found.kl, found.total_variation
    );

    let truth = density_on(&data, &grid)?;
    let learned = density_on(run.ema(), &grid)?;
    let scale = ColorScale::up_to(truth.iter().copied().fold(0.0, f64::max));
    let map = |density: &[f64]| DensityMap::square(-4.0..4.0, density).scale(scale);
    Figure::row([
        Chart::new("Truth").density_map(map(&truth)),
        Chart::new(format!("Energy discrepancy, {steps} steps")).density_map(map(&learned)),
    ])
    .size(420, 420)
    .color_bar(scale, "density p(x)")
    .save(&path)?;
    println!("{path}");
    Ok(())
}
