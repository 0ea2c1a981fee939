//! A multilayer perceptron with run-time widths as an energy.

use super::{Activation, Parameter, tensor};
use crate::backend::{Backend, Number, device, read};
use crate::{Error, rng};
use dfdx::prelude::*;
use rand_distr::{Distribution, Uniform};

/// A fully connected net as an energy, U: (B, D) → (B,).
///
/// z_1 = W_1 x + b_1, a_l = φ(z_l), z_l+1 = W_l+1 a_l + b_l+1, and U = z_L, which has width 1.
///
/// Weights and biases start uniform in ±1/√(fan in). On a CPU in single precision the net runs as
/// one fused operation; everywhere else, and inside [`super::Plain`], in ordinary dfdx operations.
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
pub struct Mlp<E: Dtype = f32, Dev: Device<E> = AutoDevice> {
    pub(super) layers: Vec<Layer<E, Dev>>,
    pub(super) widths: Vec<usize>,
    activation: Activation,
    naming: Naming,
}

/// z = W a + b.
#[derive(Clone, Debug)]
pub(super) struct Layer<E: Dtype, Dev: Device<E>> {
    /// W, (out, in), as PyTorch keeps it.
    pub weight: Tensor<(usize, usize), E, Dev>,
    /// b, (out,).
    pub bias: Tensor<(usize,), E, Dev>,
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
        let mut rng = rng(seed);
        Self::build(
            widths,
            activation,
            Naming::default(),
            &device()?,
            |fan_in, n| {
                let bound = 1.0 / (fan_in as f64).sqrt();
                let uniform = Uniform::new(-bound, bound).map_err(Error::tensor)?;
                Ok(uniform.sample_iter(&mut rng).take(n).collect())
            },
        )
    }
}

impl<E: Number, Dev: Backend<E>> Mlp<E, Dev> {
    /// A net whose parameters come from `fill(fan in, number of values)`, W_1, b_1, W_2, ...
    pub(super) fn build(
        widths: &[usize],
        activation: Activation,
        naming: Naming,
        device: &Dev,
        mut fill: impl FnMut(usize, usize) -> Result<Vec<f64>, Error>,
    ) -> Result<Self, Error> {
        if widths.len() < 2 || widths.contains(&0) || widths.last() != Some(&1) {
            let allowed = "at least an input and an output width, none of them 0, the last one 1";
            return Err(Error::setting("widths", format!("{widths:?}"), allowed));
        }
        if let Activation::LeakyRelu(slope) = activation
            && !slope.is_finite()
        {
            return Err(Error::setting("slope", slope, "finite"));
        }
        let mut layers = Vec::with_capacity(widths.len() - 1);
        for pair in widths.windows(2) {
            let (inputs, outputs) = (pair[0], pair[1]);
            let weight = fill(inputs, outputs * inputs)?.into_iter();
            let weight = tensor(device, weight, (outputs, inputs))?;
            let bias = tensor(device, fill(inputs, outputs)?.into_iter(), (outputs,))?;
            layers.push(Layer { weight, bias });
        }
        Ok(Self {
            layers,
            widths: widths.to_vec(),
            activation,
            naming,
        })
    }

    /// The widths, input first and 1 last.
    pub fn widths(&self) -> &[usize] {
        &self.widths
    }

    /// The activation between the layers.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// The same net with its parameters named in another way.
    pub fn named(self, naming: Naming) -> Self {
        Self { naming, ..self }
    }

    /// The same net with another number type, or on another device.
    ///
    /// # Errors
    /// If the device has no memory left.
    pub fn cast<F: Number, To: Backend<F>>(&self, device: &To) -> Result<Mlp<F, To>, Error> {
        let lists = self.layers.iter();
        let mut lists = lists.flat_map(|layer| [read(&layer.weight), read(&layer.bias)]);
        Mlp::build(
            &self.widths,
            self.activation,
            self.naming,
            device,
            |_, _| {
                let values = lists.next().unwrap_or_default().into_iter();
                Ok(values
                    .map(|value| value.to_f64().unwrap_or(f64::NAN))
                    .collect())
            },
        )
    }

    pub(super) fn named_parameters(&self) -> Vec<(String, &dyn Parameter<E, Dev>)> {
        let mut named: Vec<(String, &dyn Parameter<E, Dev>)> = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let name = self.naming.layer(index);
            named.push((format!("{name}.weight"), &layer.weight));
            named.push((format!("{name}.bias"), &layer.bias));
        }
        named
    }

    pub(super) fn named_parameters_mut(&mut self) -> Vec<(String, &mut dyn Parameter<E, Dev>)> {
        let mut named: Vec<(String, &mut dyn Parameter<E, Dev>)> = Vec::new();
        for (index, layer) in self.layers.iter_mut().enumerate() {
            let name = self.naming.layer(index);
            named.push((format!("{name}.weight"), &mut layer.weight));
            named.push((format!("{name}.bias"), &mut layer.bias));
        }
        named
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
impl<E: Dtype, Dev: Device<E>> Clone for Mlp<E, Dev> {
    fn clone(&self) -> Self {
        let layers = self.layers.iter().map(|layer| Layer {
            weight: separate(&layer.weight),
            bias: separate(&layer.bias),
        });
        Self {
            layers: layers.collect(),
            widths: self.widths.clone(),
            ..*self
        }
    }
}

/// A copy with an identity of its own, which a plain clone of a tensor does not have. Without
/// memory for it the clone has to do.
pub(crate) fn separate<S: Shape, E: Dtype, Dev: Device<E>>(
    tensor: &Tensor<S, E, Dev>,
) -> Tensor<S, E, Dev> {
    let copy = tensor
        .device()
        .try_tensor_from_vec(tensor.as_vec(), *tensor.shape());
    copy.unwrap_or_else(|_| tensor.clone())
}
