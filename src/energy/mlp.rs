//! A multilayer perceptron with run-time widths as an energy.

use super::{Activation, Parameter, Parameters};
use crate::tensors::{device, from_f64, separate};
use crate::{Error, rng};
use dfdx::prelude::*;
use rand_distr::{Distribution, Uniform};

/// A fully connected net as an energy, U: (B, D) → (B,).
///
/// z_1 = W_1 x + b_1, a_l = φ(z_l), z_l+1 = W_l+1 a_l + b_l+1, and U = z_L, which has width 1.
///
/// Weights and biases start uniform in ±1/√(fan in). On a CPU the net runs as one fused operation; on a GPU,
/// and inside [`super::Plain`], in ordinary dfdx operations.
///
/// # Examples
/// The net of the paper's density experiments:
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::dfdx::prelude::*;
///
/// let net = Mlp::softplus(&[2, 128, 128, 128, 128, 1], 0)?;
/// let x: Points = device()?.zeros_like(&(7, 2));
/// assert_eq!(net.energy(&x)?.shape(), &(7,));
/// assert_eq!(net.parameters()[0].0, "lin1.weight");
/// # Ok::<(), Error>(())
/// ```
/// PyTorch equivalent: `nn.Sequential(nn.Linear(2, 128), nn.Softplus(), ..., nn.Linear(128, 1))`,
/// whose initialisation this is.
#[derive(Debug)]
pub struct Mlp {
    pub(super) layers: Vec<Layer>,
    pub(super) widths: Vec<usize>,
    activation: Activation,
    /// Of weight and bias of each layer.
    names: Vec<[String; 2]>,
}

/// z = W a + b.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    /// W, (out, in), as PyTorch keeps it.
    pub weight: Tensor<(usize, usize), f32, AutoDevice>,
    /// b, (out,).
    pub bias: Tensor<(usize,), f32, AutoDevice>,
}

/// How PyTorch would name the layers' parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Naming {
    /// `lin1.weight`, `lin1.bias`, `lin2.weight` ...: a module with a field for each layer.
    #[default]
    Fields,
    /// `net.0.weight`, `net.0.bias`, `net.2.weight` ...: an `nn.Sequential` of this name, here `net`,
    /// in which activations count.
    Sequential(&'static str),
}

impl Naming {
    /// The name of a layer, counted from 0.
    pub(super) fn layer(self, index: usize) -> String {
        match self {
            Naming::Fields => format!("lin{}", index + 1),
            Naming::Sequential(module) => format!("{module}.{}", 2 * index),
        }
    }
}

impl Mlp {
    /// A net with these widths, input first and 1 last, and softplus, log(1 + e^z).
    ///
    /// # Errors
    /// If there are fewer than two widths, one is 0, or the last is not 1.
    pub fn softplus(widths: &[usize], seed: u64) -> Result<Self, Error> {
        Self::new(widths, Activation::Softplus, seed)
    }

    /// A net with these widths, input first and 1 last, and SiLU, z/(1 + e^-z).
    ///
    /// # Errors
    /// If there are fewer than two widths, one is 0, or the last is not 1.
    pub fn silu(widths: &[usize], seed: u64) -> Result<Self, Error> {
        Self::new(widths, Activation::Silu, seed)
    }

    /// A net with these widths, input first and 1 last, and leaky ReLU: z, or `slope` z below 0.
    ///
    /// # Errors
    /// If there are fewer than two widths, one is 0, the last is not 1, or the slope is not
    /// finite.
    pub fn leaky_relu(widths: &[usize], slope: f64, seed: u64) -> Result<Self, Error> {
        Self::new(widths, Activation::LeakyRelu(slope), seed)
    }

    /// A net with these widths, input first and 1 last, and tanh.
    ///
    /// # Errors
    /// If there are fewer than two widths, one is 0, or the last is not 1.
    pub fn tanh(widths: &[usize], seed: u64) -> Result<Self, Error> {
        Self::new(widths, Activation::Tanh, seed)
    }

    /// A net with these widths, input first and 1 last.
    ///
    /// # Errors
    /// If there are fewer than two widths, one is 0, the last is not 1, or a slope is not finite.
    pub fn new(widths: &[usize], activation: Activation, seed: u64) -> Result<Self, Error> {
        if widths.len() < 2 || widths.contains(&0) || widths.last() != Some(&1) {
            let allowed = "at least an input and an output width, none of them 0, the last one 1";
            return Err(Error::setting("widths", format!("{widths:?}"), allowed));
        }
        if let Activation::LeakyRelu(slope) = activation
            && !slope.is_finite()
        {
            return Err(Error::setting("slope", slope, "finite"));
        }
        let (device, mut rng) = (device()?, rng(seed));
        let mut layers = Vec::with_capacity(widths.len() - 1);
        for pair in widths.windows(2) {
            let (inputs, outputs) = (pair[0], pair[1]);
            let bound = 1.0 / (inputs as f64).sqrt();
            let uniform = Uniform::new(-bound, bound).map_err(Error::tensor)?;
            let mut values = |n: usize| {
                uniform
                    .sample_iter(&mut rng)
                    .take(n)
                    .collect::<Vec<f64>>()
                    .into_iter()
            };
            let weight = from_f64(&device, values(outputs * inputs), (outputs, inputs))?;
            let bias = from_f64(&device, values(outputs), (outputs,))?;
            layers.push(Layer { weight, bias });
        }
        let net = Self {
            layers,
            widths: widths.to_vec(),
            activation,
            names: Vec::new(),
        };
        Ok(net.named(Naming::default()))
    }

    /// The widths, input first and 1 last.
    pub fn widths(&self) -> &[usize] {
        &self.widths
    }

    /// The activation between the layers.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// The same net with its parameters' names behind a prefix and a point, as PyTorch names those of a module in
    /// a field of this name: for an energy of several nets.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let net = Mlp::tanh(&[2, 8, 1], 0)?.under("expert0");
    /// assert_eq!(net.parameters()[0].0, "expert0.lin1.weight");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn under(mut self, prefix: &str) -> Self {
        for name in self.names.iter_mut().flatten() {
            *name = format!("{prefix}.{name}");
        }
        self
    }

    /// The same net with its parameters named in another way.
    pub fn named(self, naming: Naming) -> Self {
        let name = |index| {
            let layer = naming.layer(index);
            [format!("{layer}.weight"), format!("{layer}.bias")]
        };
        Self {
            names: (0..self.layers.len()).map(name).collect(),
            ..self
        }
    }
}

impl Parameters for Mlp {
    fn parameters(&self) -> Vec<(&str, &dyn Parameter)> {
        let layers = self.layers.iter().zip(&self.names);
        let named = layers.flat_map(|(layer, [weight, bias])| -> [(&str, &dyn Parameter); 2] {
            [(weight, &layer.weight), (bias, &layer.bias)]
        });
        named.collect()
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut dyn Parameter)> {
        let layers = self.layers.iter_mut().zip(&self.names);
        let named = layers.flat_map(
            |(layer, [weight, bias])| -> [(&str, &mut dyn Parameter); 2] {
                [(weight, &mut layer.weight), (bias, &mut layer.bias)]
            },
        );
        named.collect()
    }
}

/// Whether points of this shape, `(B, D)`, can enter a net with these widths.
pub(super) fn check_input(widths: &[usize], shape: &(usize, usize)) -> Result<(), Error> {
    if shape.1 == widths[0] {
        return Ok(());
    }
    let expected = format!("(B, {}), as the net's input has,", widths[0]);
    Err(Error::shape("x", shape, expected))
}

/// The copy has tensors of its own: gradients of the two nets never mix.
impl Clone for Mlp {
    fn clone(&self) -> Self {
        let layers = self.layers.iter().map(|layer| Layer {
            weight: separate(&layer.weight),
            bias: separate(&layer.bias),
        });
        Self {
            layers: layers.collect(),
            widths: self.widths.clone(),
            activation: self.activation,
            names: self.names.clone(),
        }
    }
}
