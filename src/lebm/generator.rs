//! A generator of images: transposed convolutions.

use crate::energy::{Parameter, Parameters};
use crate::kernel::generator::{Geometry, Packed, Stack};
use crate::tensors::{device, from_f64, separate};
use crate::{Error, rng};
use dfdx::prelude::*;
use rand_distr::{Distribution, Normal, Uniform};
use std::sync::OnceLock;

/// The slope of leaky ReLU between the layers.
pub(super) const SLOPE: f64 = 0.1;

/// Images from latent points by four transposed convolutions: z (B, L) → (B, side²) in [-1, 1].
///
/// With F features the channels are L, 8F, 4F, 2F, 1; for the 28 x 28 pixels of MNIST the sides are
/// 1, 4, 7, 14, 28, with windows of 4, 3, 4 and 4 pixels. Leaky ReLU of slope 0.1 stands between the
/// layers, tanh at the end.
///
/// Weights start normal with variance 2/(fan in + fan out) (Xavier), biases uniform in ±1/√(out k²). On
/// the CPU each pass is one fused operation; on a GPU, and inside [`crate::energy::Plain`], it runs in ordinary
/// dfdx operations.
///
/// # Examples
/// The generator of the paper's MNIST experiment has 128 features:
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let generator = Generator::new(32, 16, 0)?;
/// let z = points(vec![1.0; 96], (3, 32))?;
/// assert_eq!(generator.decode(&z)?.shape(), &(3, 28 * 28));
/// assert_eq!(generator.parameters()[2].0, "gen.2.weight");
/// # Ok::<(), Error>(())
/// ```
/// PyTorch equivalent: `nn.Sequential(nn.ConvTranspose2d(64, 1024, 4, 1, 0), nn.LeakyReLU(0.1), ...,
/// nn.ConvTranspose2d(256, 1, 4, 2, 1), nn.Tanh())` in a field `gen`.
#[derive(Debug)]
pub struct Generator {
    pub(super) layers: Vec<Layer>,
    pub(super) windows: Vec<Geometry>,
    pub(super) stack: Stack,
    /// Of weight and bias of each layer.
    pub(super) names: Vec<[String; 2]>,
    /// The weights as the fused operation reads them, until they change.
    pub(super) packed: OnceLock<Packed>,
}

#[derive(Debug)]
pub(super) struct Layer {
    /// (in, out, k, k), as PyTorch keeps it.
    pub weight: Tensor<(usize, usize, usize, usize), f32, AutoDevice>,
    /// (out,).
    pub bias: Tensor<(usize,), f32, AutoDevice>,
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
        let (mut rng, device) = (rng(seed), device()?);
        let Spec { channels, windows } = Spec::new(side, latent, features)?;
        let stack = Stack::new(&channels, &windows, SLOPE as f32)?;
        let (mut layers, mut names) = (Vec::new(), Vec::new());
        for (index, (pair, window)) in channels.windows(2).zip(&windows).enumerate() {
            let (inputs, outputs, k) = (pair[0], pair[1], window.kernel);
            let area = k * k;
            let std = (2.0 / ((inputs + outputs) * area) as f64).sqrt();
            let bound = 1.0 / ((outputs * area) as f64).sqrt();
            let weight = Normal::new(0.0, std).map_err(Error::tensor)?;
            let bias = Uniform::new(-bound, bound).map_err(Error::tensor)?;
            let values = weight.sample_iter(&mut rng).take(inputs * outputs * area);
            let weight = from_f64(&device, values, (inputs, outputs, k, k))?;
            let values = bias.sample_iter(&mut rng).take(outputs);
            layers.push(Layer {
                weight,
                bias: from_f64(&device, values, (outputs,))?,
            });
            names.push(["weight", "bias"].map(|part| format!("gen.{}.{part}", 2 * index)));
        }
        Ok(Self {
            layers,
            windows,
            stack,
            names,
            packed: OnceLock::new(),
        })
    }

    /// L, the dimension of latent points.
    pub fn latent(&self) -> usize {
        self.stack.latent()
    }

    /// Height and width of the images.
    pub fn size(&self) -> (usize, usize) {
        let last = self.windows.last().and_then(Geometry::output);
        last.unwrap_or_default()
    }

    pub(super) fn check(&self, z: &(usize, usize)) -> Result<(), Error> {
        if z.1 == self.latent() {
            return Ok(());
        }
        let expected = format!("(B, {}), as the generator's input has,", self.latent());
        Err(Error::shape("z", z, expected))
    }
}

impl Parameters for Generator {
    fn parameters(&self) -> Vec<(&str, &dyn Parameter)> {
        let layers = self.layers.iter().zip(&self.names);
        let named = layers.flat_map(|(layer, [weight, bias])| -> [(&str, &dyn Parameter); 2] {
            [(weight, &layer.weight), (bias, &layer.bias)]
        });
        named.collect()
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut dyn Parameter)> {
        // Whoever asks for this may change them.
        self.packed.take();
        let layers = self.layers.iter_mut().zip(&self.names);
        let named = layers.flat_map(
            |(layer, [weight, bias])| -> [(&str, &mut dyn Parameter); 2] {
                [(weight, &mut layer.weight), (bias, &mut layer.bias)]
            },
        );
        named.collect()
    }
}

/// Channels and windows of the layers.
struct Spec {
    channels: Vec<usize>,
    windows: Vec<Geometry>,
}

impl Spec {
    fn new(side: usize, latent: usize, features: usize) -> Result<Self, Error> {
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
        let first = quarter.div_ceil(2);
        let window = |side, kernel, stride, padding| Geometry {
            size: (side, side),
            kernel,
            stride,
            padding,
        };
        Ok(Self {
            channels: vec![latent, 8 * features, 4 * features, 2 * features, 1],
            windows: vec![
                window(1, first, 1, 0),
                window(first, if quarter.is_multiple_of(2) { 4 } else { 3 }, 2, 1),
                window(quarter, 4, 2, 1),
                window(2 * quarter, 4, 2, 1),
            ],
        })
    }
}

/// The copy has tensors of its own: gradients of the two never mix.
impl Clone for Generator {
    fn clone(&self) -> Self {
        let layers = self.layers.iter().map(|layer| Layer {
            weight: separate(&layer.weight),
            bias: separate(&layer.bias),
        });
        Self {
            layers: layers.collect(),
            windows: self.windows.clone(),
            stack: self.stack.clone(),
            names: self.names.clone(),
            packed: OnceLock::new(),
        }
    }
}
