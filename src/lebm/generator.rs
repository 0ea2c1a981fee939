//! A generator of images: transposed convolutions.

use crate::backend::{Backend, Number, device, read};
use crate::energy::{Parameter, Points, separate, tensor};
use crate::kernel::generator::{Geometry, Packed, Stack};
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
/// a CPU in single precision each pass is one fused operation; everywhere else, and inside
/// [`crate::energy::Plain`], it runs in ordinary dfdx operations.
///
/// # Examples
/// The generator of the paper's MNIST experiment has 128 features:
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::dfdx::prelude::*;
///
/// let generator = Generator::new(32, 16, 0)?;
/// let z: Points = device()?.ones_like(&(3, 32));
/// assert_eq!(generator.decode(&z)?.shape(), &(3, 28 * 28));
/// assert_eq!(generator.parameters()[2].0, "gen.2.weight");
/// # Ok::<(), Error>(())
/// ```
/// PyTorch equivalent: `nn.Sequential(nn.ConvTranspose2d(64, 1024, 4, 1, 0), nn.LeakyReLU(0.1), ...,
/// nn.ConvTranspose2d(256, 1, 4, 2, 1), nn.Tanh())` in a field `gen`.
#[derive(Debug)]
pub struct Generator<E: Dtype = f32, Dev: Device<E> = AutoDevice> {
    pub(super) layers: Vec<Layer<E, Dev>>,
    pub(super) windows: Vec<Geometry>,
    pub(super) stack: Stack,
    /// The weights as the fused operation reads them, until they change.
    pub(super) packed: OnceLock<Packed>,
}

#[derive(Debug)]
pub(super) struct Layer<E: Dtype, Dev: Device<E>> {
    /// (in, out, k, k), as PyTorch keeps it.
    pub weight: Tensor<(usize, usize, usize, usize), E, Dev>,
    /// (out,).
    pub bias: Tensor<(usize,), E, Dev>,
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
        let mut rng = rng(seed);
        let spec = Spec::new(side, latent, features)?;
        Self::build(&spec.channels, &spec.windows, &device()?, |shape, n| {
            let [inputs, outputs, area] = shape;
            let std = (2.0 / ((inputs + outputs) * area) as f64).sqrt();
            let bound = 1.0 / ((outputs * area) as f64).sqrt();
            let weight = Normal::new(0.0, std).map_err(Error::tensor)?;
            let bias = Uniform::new(-bound, bound).map_err(Error::tensor)?;
            Ok(match n {
                Part::Weight(n) => weight.sample_iter(&mut rng).take(n).collect(),
                Part::Bias(n) => bias.sample_iter(&mut rng).take(n).collect(),
            })
        })
    }
}

/// How many values of which kind are asked for.
pub(super) enum Part {
    Weight(usize),
    Bias(usize),
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

impl<E: Number, Dev: Backend<E>> Generator<E, Dev> {
    /// A generator whose parameters come from `fill([in, out, k²], part)`, W_1, b_1, W_2, ...
    fn build(
        channels: &[usize],
        windows: &[Geometry],
        device: &Dev,
        mut fill: impl FnMut([usize; 3], Part) -> Result<Vec<f64>, Error>,
    ) -> Result<Self, Error> {
        let stack = Stack::new(channels, windows, SLOPE as f32)?;
        let mut layers = Vec::new();
        for (pair, window) in channels.windows(2).zip(windows) {
            let (inputs, outputs, k) = (pair[0], pair[1], window.kernel);
            let shape = [inputs, outputs, k * k];
            let weight = fill(shape, Part::Weight(inputs * outputs * k * k))?;
            let bias = fill(shape, Part::Bias(outputs))?;
            layers.push(Layer {
                weight: tensor(device, weight.into_iter(), (inputs, outputs, k, k))?,
                bias: tensor(device, bias.into_iter(), (outputs,))?,
            });
        }
        Ok(Self {
            layers,
            windows: windows.to_vec(),
            stack,
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

    /// The same generator with another number type, or on another device.
    ///
    /// # Errors
    /// If the device has no memory left.
    pub fn cast<F: Number, To: Backend<F>>(&self, device: &To) -> Result<Generator<F, To>, Error> {
        let lists = self.layers.iter();
        let mut lists = lists.flat_map(|layer| [read(&layer.weight), read(&layer.bias)]);
        let mut channels = vec![self.latent()];
        channels.extend(self.layers.iter().map(|layer| layer.bias.shape().0));
        Generator::build(&channels, &self.windows, device, |_, _| {
            let values = lists.next().unwrap_or_default().into_iter();
            Ok(values
                .map(|value| value.to_f64().unwrap_or(f64::NAN))
                .collect())
        })
    }

    pub(super) fn check(&self, z: &(usize, usize)) -> Result<(), Error> {
        if z.1 == self.latent() {
            return Ok(());
        }
        let expected = format!("(B, {}), as the generator's input has,", self.latent());
        Err(Error::shape("z", z, expected))
    }

    pub(super) fn named_parameters(&self) -> Vec<(String, &dyn Parameter<E, Dev>)> {
        let mut named: Vec<(String, &dyn Parameter<E, Dev>)> = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            named.push((format!("gen.{}.weight", 2 * index), &layer.weight));
            named.push((format!("gen.{}.bias", 2 * index), &layer.bias));
        }
        named
    }

    pub(super) fn named_parameters_mut(&mut self) -> Vec<(String, &mut dyn Parameter<E, Dev>)> {
        // Whoever asks for this may change them.
        self.packed.take();
        let mut named: Vec<(String, &mut dyn Parameter<E, Dev>)> = Vec::new();
        for (index, layer) in self.layers.iter_mut().enumerate() {
            named.push((format!("gen.{}.weight", 2 * index), &mut layer.weight));
            named.push((format!("gen.{}.bias", 2 * index), &mut layer.bias));
        }
        named
    }
}

/// The copy has tensors of its own: gradients of the two never mix.
impl<E: Number, Dev: Backend<E>> Clone for Generator<E, Dev> {
    fn clone(&self) -> Self {
        let layers = self.layers.iter().map(|layer| Layer {
            weight: separate(&layer.weight),
            bias: separate(&layer.bias),
        });
        Self {
            layers: layers.collect(),
            windows: self.windows.clone(),
            stack: self.stack.clone(),
            packed: OnceLock::new(),
        }
    }
}

/// Rows of pixels from a list.
pub(super) fn points<E: Number, Dev: Backend<E>>(
    device: &Dev,
    values: Vec<E>,
    shape: (usize, usize),
) -> Result<Points<E, Dev>, Error> {
    device
        .try_tensor_from_vec(values, shape)
        .map_err(Error::tensor)
}
