//! A generator of images: an expression of latent points.

use super::Decoder;
use crate::energy::{Expr, Net, Parameter, Parameters, Plain, Window};
use crate::tensors::TapedPoints;
use crate::{Error, rng};
use rand_distr::{Distribution, Normal, Uniform};

/// The slope of leaky ReLU between the layers.
const SLOPE: f64 = 0.1;

/// Images from latent points, z (B, L) → (B, side²) in [-1, 1]: a net of four transposed convolutions, or an expression
/// of one's own.
///
/// With F features the channels are L, 8F, 4F, 2F, 1; for the 28 x 28 pixels of MNIST the sides are
/// 1, 4, 7, 14, 28, with windows of 4, 3, 4 and 4 pixels. Leaky ReLU of slope 0.1 stands between the
/// layers, tanh at the end.
///
/// Weights start normal with variance 2/(fan in + fan out) (Xavier), biases uniform in ±1/√(out k²). On
/// the CPU each pass is one fused operation; on a GPU, and inside [`Plain`], it runs in ordinary dfdx operations.
///
/// # Examples
/// The generator of the paper's MNIST experiment has 128 features:
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let generator = Generator::new(32, 16, 0)?;
/// let z = points(vec![1.0; 96], (3, 32))?;
/// assert_eq!(generator.decode(&z)?.shape(), &(3, 28 * 28));
/// assert_eq!(generator.parameters()[0].0, "gen.0.weight");
/// # Ok::<(), Error>(())
/// ```
/// PyTorch equivalent: `nn.Sequential(nn.ConvTranspose2d(64, 1024, 4, 1, 0), nn.LeakyReLU(0.1), ...,
/// nn.ConvTranspose2d(256, 1, 4, 2, 1), nn.Tanh())` in a field `gen`.
#[derive(Clone, Debug)]
pub struct Generator {
    pub(super) net: Net,
}

impl Generator {
    /// A generator of 28 x 28 pixels with `latent` dimensions (L) and `features` (F).
    ///
    /// # Errors
    /// If a number is 0.
    pub fn new(latent: usize, features: usize, seed: u64) -> Result<Self, Error> {
        Self::for_side(28, latent, features, seed)
    }

    /// A generator of `side` x `side` pixels. The windows of the first two layers follow from the side:
    /// the first makes side/8 pixels, rounded up, and the second twice as many, or one less.
    ///
    /// # Errors
    /// If a number is 0, or the side is no multiple of 4.
    pub fn for_side(side: usize, latent: usize, features: usize, seed: u64) -> Result<Self, Error> {
        let layers = layers(side, latent, features)?;
        let mut x = Expr::points(latent).image(latent, 1, 1);
        for (index, (channels, window)) in layers.into_iter().enumerate() {
            if index > 0 {
                x = x.leaky_relu(SLOPE);
            }
            let layer = x.conv_transpose2d(channels, window);
            x = layer.named(format!("gen.{}", 2 * index));
        }
        let mut generator = Self::of(x.tanh(), seed)?;
        let mut rng = rng(seed);
        let mut inputs = 0;
        for (_, parameter) in generator.net.parameters_mut() {
            let values: Vec<f32> = match parameter.sizes()[..] {
                [own, outputs, height, width] => {
                    inputs = outputs * height * width;
                    let fan = (own * height * width + inputs) as f64;
                    let normal = Normal::new(0.0, (2.0 / fan).sqrt()).map_err(Error::tensor)?;
                    let values = normal.sample_iter(&mut rng).take(own * inputs);
                    values.map(|value| value as f32).collect()
                }
                _ => {
                    let bound = 1.0 / (inputs as f64).sqrt();
                    let uniform = Uniform::new(-bound, bound).map_err(Error::tensor)?;
                    let values = uniform.sample_iter(&mut rng).take(parameter.len());
                    values.map(|value| value as f32).collect()
                }
            };
            parameter.set(&values)?;
        }
        Ok(generator)
    }

    /// Any expression of latent points as a generator. What ends in an image of one channel is drawn while a run goes on.
    ///
    /// # Errors
    /// If the expression has a mistake in it, which the error names, or two parameters have one name.
    ///
    /// # Examples
    /// Images of 8 x 8 pixels from 4 latent dimensions:
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let z = Expr::points(4);
    /// let small = z.dense(16 * 4 * 4).silu().image(16, 4, 4);
    /// let images = small.conv_transpose2d(1, Window::new(4).stride(2).padding(1)).tanh();
    /// let generator = Generator::of(images, 0)?;
    /// assert_eq!((generator.latent(), generator.size()), (4, Some((8, 8))));
    ///
    /// let images = Images::new((8, 8), vec![127; 20 * 64], None)?;
    /// let loss = EnergyDiscrepancy::with_std(0.5).particles(16);
    /// let prior = LatentPrior::new(4, 16, 1)?;
    /// let mut run = LatentEbm::new(generator, prior, loss).epochs(1).batch(8).quiet();
    /// assert_eq!(run.fit(&images)?, Stopped::AtEnd { steps: 3 });
    /// # Ok::<(), Error>(())
    /// ```
    pub fn of(images: impl Into<Expr>, seed: u64) -> Result<Self, Error> {
        let net = Net::of(&images.into(), seed)?;
        Ok(Self { net })
    }

    pub(super) fn picture(&self) -> Option<(usize, usize)> {
        match self.net.sizes() {
            [1, height, width] => Some((*height, *width)),
            _ => None,
        }
    }
}

impl Parameters for Generator {
    fn parameters(&self) -> Vec<(&str, &dyn Parameter)> {
        self.net.parameters()
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut dyn Parameter)> {
        self.net.parameters_mut()
    }
}

/// On a GPU these are the generator's own operations; on the CPU they are fused.
#[cfg(feature = "cuda")]
impl Decoder for Generator {
    fn latent(&self) -> usize {
        self.net.dimension()
    }

    fn decode_taped(&self, z: TapedPoints) -> Result<TapedPoints, Error> {
        self.net.plain_results(z)
    }

    fn size(&self) -> Option<(usize, usize)> {
        self.picture()
    }

    fn is_tested(&self) -> bool {
        true
    }
}

impl Decoder for Plain<Generator> {
    fn latent(&self) -> usize {
        self.0.net.dimension()
    }

    fn decode_taped(&self, z: TapedPoints) -> Result<TapedPoints, Error> {
        self.0.net.plain_results(z)
    }

    fn size(&self) -> Option<(usize, usize)> {
        self.0.picture()
    }

    fn is_tested(&self) -> bool {
        true
    }
}

impl Parameters for Plain<Generator> {
    fn parameters(&self) -> Vec<(&str, &dyn Parameter)> {
        self.0.parameters()
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut dyn Parameter)> {
        self.0.parameters_mut()
    }
}

/// The channels behind each layer, and its window.
fn layers(side: usize, latent: usize, features: usize) -> Result<[(usize, Window); 4], Error> {
    for (name, value) in [("latent", latent), ("features", features)] {
        if value == 0 || value > 1 << 16 {
            return Err(Error::setting(name, value, "from 1 to 65,536"));
        }
    }
    if side == 0 || !side.is_multiple_of(4) || side > 1 << 12 {
        return Err(Error::setting(
            "side",
            side,
            "a multiple of 4, from 4 to 4,096",
        ));
    }
    let quarter = side / 4;
    let doubling = Window::new(4).stride(2).padding(1);
    let second = match quarter.is_multiple_of(2) {
        true => doubling,
        false => Window::new(3).stride(2).padding(1),
    };
    Ok([
        (8 * features, Window::new(quarter.div_ceil(2))),
        (4 * features, second),
        (2 * features, doubling),
        (1, doubling),
    ])
}
