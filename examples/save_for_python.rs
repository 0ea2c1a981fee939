//! Saves an energy and a latent model for Python, with values to compare:
//!
//!     cargo run --example save_for_python -- FOLDER
//!
//! `tests/python` computes the same values from the files in numpy.

use energy_discrepancy::prelude::*;
use std::path::Path;

fn main() -> Result<(), Error> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".into());
    let folder = Path::new(&folder);

    let net = Mlp::softplus(&[2, 16, 16, 1], 3)?;
    let mut run = Trainer::new(net, EnergyDiscrepancy::with_std(1.0))
        .steps(50)
        .quiet();
    let data = toy::gaussians_25();
    let _ = run.fit(&data)?;
    run.save(folder.join("energy.safetensors"))?;
    let x: Points = data.sample(5, &mut rng(0))?;
    println!("{:?}", x.as_vec());
    println!("{:?}", run.ema().energy(&x)?.as_vec());

    let generator = Generator::new(4, 2, 1)?;
    let prior = LatentPrior::new(4, 8, 2)?;
    generator.save_weights(folder.join("generator.safetensors"))?;
    prior.save_weights(folder.join("prior.safetensors"))?;
    let z = prior.normal(3, &mut rng(0))?;
    println!("{:?}", z.as_vec());
    println!("{:?}", prior.energy(&z)?.as_vec());
    println!("{:?}", generator.decode(&z)?.as_vec());
    Ok(())
}
