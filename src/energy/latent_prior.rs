//! The energy of latent variables: a net on top of a standard normal density.

use super::{Along, Energy, Expr, Jets, Mlp, Naming, Net, Parameter, Parameters, Terms};
use crate::tensors::{Points, TapedPoints, TapedValues, Values, normal_points};
use crate::{Error, Rng};

/// U(z) = f(z) + |z|²/2: a net f that tilts the standard normal density.
///
/// The prior of a latent energy-based model (Pang et al., NeurIPS 2020). With f = 0 it is N(0, I), and
/// far out, where f grows linearly, |z|² keeps exp(-U) integrable.
///
/// # Examples
/// The prior of the paper's MNIST experiment:
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::dfdx::prelude::*;
///
/// let prior = LatentPrior::new(64, 200, 0)?;
/// assert_eq!(prior.flat_parameters().len(), 93_601);
/// let z: Points = device()?.ones_like(&(1, 64));
/// let tilt = prior.tilt()?.energy(&z)?.as_vec()[0];
/// assert_eq!(prior.energy(&z)?.as_vec(), [tilt + 32.0]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LatentPrior {
    net: Net,
    /// f as it was when the prior was made.
    tilt: Mlp,
}

impl LatentPrior {
    /// A prior over `latent` dimensions whose net has three hidden layers of this width and leaky
    /// ReLU of slope 0.2. Its parameters are named `ebm.0.weight`, `ebm.0.bias`, `ebm.2.weight` ...
    ///
    /// # Errors
    /// If a number is 0.
    pub fn new(latent: usize, width: usize, seed: u64) -> Result<Self, Error> {
        let widths = [latent, width, width, width, 1];
        let net = Mlp::leaky_relu(&widths, 0.2, seed)?;
        Self::tilted_by(net.named(Naming::Sequential("ebm")))
    }

    /// `n` points of N(0, I), `(n, L)`: where chains to the prior begin, and what it would be with f = 0.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub fn normal(&self, n: usize, rng: &mut Rng) -> Result<Points, Error> {
        normal_points(n, self.net.dimension(), rng)
    }

    /// Any net in f's place. Its parameters keep their names.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub fn tilted_by(tilt: Mlp) -> Result<Self, Error> {
        let half = Expr::points(tilt.widths()[0]).square().sum() * 0.5;
        let mut net = Net::new(tilt.expression() + half, 0)?;
        net.set_flat_parameters(&tilt.flat_parameters())?;
        let names = tilt.parameters();
        net.rename(|_, i| names[i].0.to_owned());
        drop(names);
        Ok(Self { net, tilt })
    }

    /// f with the parameters as they are now: a copy.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn tilt(&self) -> Result<Mlp, Error> {
        let mut tilt = self.tilt.clone();
        tilt.set_flat_parameters(&self.net.flat_parameters())?;
        Ok(tilt)
    }
}

/// All of it is the net's.
impl Energy for LatentPrior {
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

impl Parameters for LatentPrior {
    fn parameters(&self) -> Vec<(&str, &dyn Parameter)> {
        self.net.parameters()
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut dyn Parameter)> {
        self.net.parameters_mut()
    }
}

/// The net that it is.
impl AsRef<Net> for LatentPrior {
    fn as_ref(&self) -> &Net {
        &self.net
    }
}
