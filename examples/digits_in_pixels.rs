//! Energy discrepancy on images without a latent space: a convolutional energy of MNIST's pixels.
//!
//!     make data
//!     cargo run --release --example digits_in_pixels -- 1000 digits_in_pixels.png
//!
//! Both arguments may be left out. It shows why the paper's images have a latent space: Gaussian noise in 784
//! dimensions lies far from every image, so that the energy learns to tell digits from noise, and nearly nothing of
//! which image is a digit. The notebook `edlebm_mnist` learns where the data fill the space instead.

use energy_discrepancy::prelude::*;

const SIZE: (usize, usize) = (28, 28);
const PIXELS: usize = SIZE.0 * SIZE.1;

/// U(x): two convolutions, two dense layers.
fn energy() -> Result<Net, Error> {
    let x = Expr::points(PIXELS).image(1, SIZE.0, SIZE.1);
    let h = x.conv2d(16, Window::new(5).stride(2).padding(2)).silu();
    let h = h.conv2d(32, Window::new(3).stride(2).padding(1)).silu();
    Net::new(h.flatten().dense(64).silu().dense(1), 0)
}

/// How often a member of the first list is below one of the second: 1 where U tells all apart, 1/2 by chance.
fn lower(energy: &dyn Energy, first: &Points, second: &Points) -> Result<f64, Error> {
    let (low, high) = (
        to_vec(&energy.energy(first)?),
        to_vec(&energy.energy(second)?),
    );
    let below = low.iter().flat_map(|a| high.iter().map(move |b| a < b));
    Ok(below.filter(|is_below| *is_below).count() as f64 / (low.len() * high.len()) as f64)
}

/// Points with each value changed.
fn changed(x: &Points, mut change: impl FnMut(usize, f32) -> f32) -> Result<Points, Error> {
    let values = to_vec(x).into_iter().enumerate();
    points(
        values.map(|(i, value)| change(i, value)).collect(),
        *x.shape(),
    )
}

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let steps = arguments
        .next()
        .and_then(|steps| steps.parse().ok())
        .unwrap_or(1000);
    let path = arguments.next().unwrap_or("digits_in_pixels.png".into());

    let digits = Mnist::read("data/mnist")?;
    let mut run = Trainer::new(energy()?, EnergyDiscrepancy::with_std(0.3).particles(4))
        .steps(steps)
        .batch(32)
        .adam(1e-3)
        .ema_decay(0.999);
    println!(
        "{}",
        run.fit(&Dataset::from_points(&digits.train.points()?)?)?
    );

    let real = digits.test.sample(500, &mut rng(1))?.points()?;
    let other = digits.test.sample(500, &mut rng(2))?.points()?;
    let noise = normals(500 * PIXELS, &mut rng(3));
    let mean: Vec<f32> = {
        let values = to_vec(&real);
        (0..PIXELS)
            .map(|i| values.iter().skip(i).step_by(PIXELS).sum::<f32>() / 500.0)
            .collect()
    };
    let doubled = to_vec(&other);
    let tests = [
        (
            "noise of s = 0.3",
            changed(&real, |i, x| x + 0.3 * noise[i])?,
        ),
        (
            "noise of s = 0.05",
            changed(&real, |i, x| x + 0.05 * noise[i])?,
        ),
        (
            "two digits on one image",
            changed(&real, |i, x| x.max(doubled[i]))?,
        ),
        ("black and white exchanged", changed(&real, |_, x| -x)?),
        (
            "the mean of all digits",
            changed(&real, |i, _| mean[i % PIXELS])?,
        ),
        ("black", changed(&real, |_, _| -1.0)?),
    ];
    println!("U of a digit is below that of");
    for (name, images) in &tests {
        println!("{:5.1} %  {name}", 100.0 * lower(run.ema(), &real, images)?);
    }

    // Chains of the density of digits would stay with digits.
    let chain = Langevin::with_step_size(1e-3).chain(run.ema(), &real, 500, None, &mut rng(4))?;
    let first = |x: &Points| to_vec(x)[..40 * PIXELS].to_vec();
    let grid = |title: &str, x: &Points| {
        Chart::new(title).images(ImageGrid::new(&first(x), SIZE).columns(8))
    };
    Figure::row([
        grid("Digits", &real),
        grid("With noise: what ED compares them with", &tests[0].1),
        grid("The digits after 500 Langevin steps along U", &chain.last),
    ])
    .save(&path)?;
    println!("{path}");
    Ok(())
}
