//! A multilayer perceptron with run-time widths as an energy.

use super::{Activation, Along, Energy, Expr, Jets, Net, Parameter, Parameters, Terms};
use crate::Error;
use crate::tensors::{Points, TapedPoints, TapedValues, Values};

/// A fully connected net as an energy, U: (B, D) → (B,).
///
/// z_1 = W_1 x + b_1, a_l = φ(z_l), z_l+1 = W_l+1 a_l + b_l+1, and U = z_L, which has width 1.
///
/// A [`Net`] of dense layers, which start uniform in ±1/√(fan in).
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
#[derive(Clone, Debug)]
pub struct Mlp {
    net: Net,
    widths: Vec<usize>,
    activation: Activation,
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
        Ok(Self {
            net: Net::new(layers(widths, activation), seed)?,
            widths: widths.to_vec(),
            activation,
        }
        .named(Naming::default()))
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
        self.net.rename(|name, _| format!("{prefix}.{name}"));
        self
    }

    /// The same net with its parameters named in another way.
    pub fn named(mut self, naming: Naming) -> Self {
        let kinds = ["weight", "bias"];
        self.net
            .rename(|_, i| format!("{}.{}", naming.layer(i / 2), kinds[i % 2]));
        self
    }

    /// The same net with the weights and the bias of its last layer at 0: U = 0 everywhere, until it is trained. For a net
    /// that tilts a density ([`Tilted`](super::Tilted)).
    ///
    /// # Errors
    /// If there is no memory for it.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let net = Mlp::softplus(&[2, 8, 1], 0)?.starting_at_zero()?;
    /// assert_eq!(net.energy(&points(vec![1.0, -2.0], (1, 2))?)?.as_vec(), [0.0]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn starting_at_zero(mut self) -> Result<Self, Error> {
        let mut values = self.flat_parameters();
        let last = self.widths[self.widths.len() - 2] + 1;
        values
            .iter_mut()
            .rev()
            .take(last)
            .for_each(|value| *value = 0.0);
        self.set_flat_parameters(&values)?;
        Ok(self)
    }

    /// The net as an expression of its points, for one of which it is a part.
    pub(super) fn expression(&self) -> Expr {
        layers(&self.widths, self.activation)
    }
}

/// The layers with an activation between them.
fn layers(widths: &[usize], activation: Activation) -> Expr {
    let mut a = Expr::points(widths[0]);
    for (l, width) in widths[1..].iter().enumerate() {
        if l > 0 {
            a = a.function(activation.function());
        }
        a = a.dense(*width);
    }
    a
}

/// All of it is the net's.
impl Energy for Mlp {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        self.net.energy_taped(x)
    }

    fn energy(&self, x: &Points) -> Result<Values, Error> {
        self.net.energy(x)
    }

    fn gradient(&self, x: &Points) -> Result<(Values, Points), Error> {
        self.net.gradient(x)
    }

    fn jets_taped(&self, x: &Points, along: Along) -> Result<Jets, Error> {
        self.net.jets_taped(x, along)
    }

    fn pull_back(&self, terms: &Terms, gradient: &mut [f32]) -> Result<Option<f64>, Error> {
        self.net.pull_back(terms, gradient)
    }

    fn value(&self, terms: &Terms) -> Result<Option<f64>, Error> {
        self.net.value(terms)
    }

    fn frozen(&self) -> Option<Box<dyn Energy>> {
        self.net.frozen()
    }

    fn is_tested(&self) -> bool {
        true
    }
}

impl Parameters for Mlp {
    fn parameters(&self) -> Vec<(&str, &dyn Parameter)> {
        self.net.parameters()
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut dyn Parameter)> {
        self.net.parameters_mut()
    }
}

/// The net that it is.
impl AsRef<Net> for Mlp {
    fn as_ref(&self) -> &Net {
        &self.net
    }
}
