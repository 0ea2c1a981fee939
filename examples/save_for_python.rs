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

    let rows = x.as_vec().into_iter().map(f64::from).collect::<Vec<f64>>();
    let rows: Vec<[f64; 2]> = rows
        .chunks(2)
        .map(|x| [10.0 + x[0], x[0] - 3.0 * x[1]])
        .collect();
    let table = Dataset::new(&rows)?.whitened()?;
    let many = Dataset::from_points(&data.sample(500, &mut rng(1))?)?.whitened()?;
    let mut tilted = Trainer::for_table(&many, 0)?.steps(20).quiet();
    let _ = tilted.fit(&many)?;
    tilted.save(folder.join("tilt.safetensors"))?;
    tilted
        .ema()
        .base()
        .save(folder.join("mixture.safetensors"))?;
    table.save_units(folder.join("units.safetensors"))?;
    println!("{:?}", rows.concat());
    println!("{:?}", tilted.ema().energy(&table.points()?)?.as_vec());
    Ok(())
}
