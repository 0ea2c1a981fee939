//! Losses: functions of an energy and a batch of data, small where the energy fits the data.
//!
//! | loss | needs of the energy | noise |
//! |---|---|---|
//! | [`EnergyDiscrepancy`] | [`Energy`] | of the perturbation |
//! | [`ContrastiveDivergence`] | [`Energy`] | of the Langevin chain |
//! | [`MaximumLikelihood`] | [`Energy`] | none |
//! | [`ScoreMatching`] | [`TwiceDifferentiable`] | none |

mod contrast;
mod contrastive_divergence;
mod discrepancy;
mod fisher;
mod fused;
mod likelihood;
mod perturbation;
mod score_matching;

pub use contrastive_divergence::ContrastiveDivergence;
pub use discrepancy::EnergyDiscrepancy;
pub use fisher::fisher_divergence;
pub use likelihood::MaximumLikelihood;
pub use perturbation::{Gaussian, Noise, Perturbation};
pub use score_matching::ScoreMatching;

use crate::backend::{Backend, Number};
use crate::energy::{
    Energy, GradientTape, Parameter, Points, Trainable, TwiceDifferentiable, backward,
    for_each_backend, number,
};
use crate::{Error, Rng};
use dfdx::prelude::*;

/// A loss on a tape: one number, and how it came about.
pub type TapedLoss<E = f32, Dev = AutoDevice> = Tensor<Rank0, E, Dev, GradientTape<E, Dev>>;

/// A function of an energy and a batch of data, with noise that is given or drawn.
///
/// # Examples
/// The gradient of a loss with respect to a net's parameters, in one list:
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let net = Mlp::softplus(&[1, 8, 1], 0)?;
/// let x: Points = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?.sample(64, &mut rng(0))?;
///
/// let loss = EnergyDiscrepancy::with_std(1.0);
/// let noise = loss.draw(&x, &mut rng(1))?;
/// let (value, gradient) = loss.gradient(&net, &x, &noise)?;
/// assert!((value - loss.evaluate(&net, &x, &noise)?).abs() < 1e-5);
/// assert_eq!(gradient.len(), net.flat_parameters().len());
/// # Ok::<(), Error>(())
/// ```
///
/// `Debug` tells one loss from another with other settings: a checkpoint keeps what it says.
pub trait Loss<E: Number = f32, Dev: Backend<E> = AutoDevice>: std::fmt::Debug {
    /// What the loss asks of an energy: `dyn Energy + 'a`, or `dyn TwiceDifferentiable + 'a`.
    type Of<'a>: ?Sized;

    /// The noise that one evaluation needs.
    type Noise;

    /// Draws the noise for one evaluation at `x`.
    ///
    /// # Errors
    /// If the loss's settings are impossible, or a tensor operation fails.
    fn draw(&self, x: &Points<E, Dev>, rng: &mut Rng) -> Result<Self::Noise, Error>;

    /// The loss on a tape, for an energy behind its trait: what [`Loss::taped`] calls.
    ///
    /// # Errors
    /// If the loss's settings are impossible, the noise does not fit the batch, or the energy
    /// fails.
    fn taped_of(
        &self,
        energy: &Self::Of<'_>,
        x: &Points<E, Dev>,
        noise: &Self::Noise,
    ) -> Result<TapedLoss<E, Dev>, Error>;

    /// The loss and its gradient by a quicker way than the tape, where the loss knows one.
    #[doc(hidden)]
    fn fused_of(
        &self,
        _energy: &Self::Of<'_>,
        _x: &Points<E, Dev>,
        _noise: &Self::Noise,
        _gradient: &mut [E],
    ) -> Result<Option<f64>, Error> {
        Ok(None)
    }

    /// The loss, for an energy behind its trait; its gradient goes into a list that is as long as
    /// the parameters together. What [`Loss::gradient`] calls.
    ///
    /// # Errors
    /// As [`Loss::taped_of`].
    fn gradient_of(
        &self,
        energy: &Self::Of<'_>,
        parameters: &[(String, &dyn Parameter<E, Dev>)],
        x: &Points<E, Dev>,
        noise: &Self::Noise,
        gradient: &mut [E],
    ) -> Result<f64, Error> {
        match self.fused_of(energy, x, noise, gradient)? {
            Some(loss) => Ok(loss),
            None => backward(self.taped_of(energy, x, noise)?, parameters, gradient),
        }
    }

    /// The loss of `energy` on the batch `x`, `(N, D)`.
    ///
    /// # Errors
    /// If the loss's settings are impossible, the noise does not fit the batch, or the energy
    /// fails.
    fn evaluate<'a, N: Behind<Self::Of<'a>> + ?Sized>(
        &self,
        energy: &N,
        x: &Points<E, Dev>,
        noise: &Self::Noise,
    ) -> Result<f64, Error> {
        number(&self.taped_of(energy.behind(), x, noise)?.split_tape().0)
    }

    /// The same on a tape, so that further terms may be added before the backward pass.
    ///
    /// # Errors
    /// As [`Loss::evaluate`].
    fn taped<'a, N: Behind<Self::Of<'a>> + ?Sized>(
        &self,
        energy: &N,
        x: &Points<E, Dev>,
        noise: &Self::Noise,
    ) -> Result<TapedLoss<E, Dev>, Error> {
        self.taped_of(energy.behind(), x, noise)
    }

    /// The loss, and its gradient with respect to the energy's parameters in one list.
    ///
    /// # Errors
    /// As [`Loss::evaluate`].
    fn gradient<'a, N: Behind<Self::Of<'a>> + Trainable<E, Dev> + ?Sized>(
        &self,
        energy: &N,
        x: &Points<E, Dev>,
        noise: &Self::Noise,
    ) -> Result<(f64, Vec<E>), Error> {
        let parameters = energy.parameters();
        let count = parameters
            .iter()
            .map(|(_, parameter)| parameter.len())
            .sum();
        let mut gradient = vec![E::default(); count];
        let loss = self.gradient_of(energy.behind(), &parameters, x, noise, &mut gradient)?;
        Ok((loss, gradient))
    }
}

/// An energy that has what a loss asks for: it can stand behind the trait `T`.
///
/// Implemented for all energies; nothing to do for an energy of your own.
#[diagnostic::on_unimplemented(
    message = "`{Self}` lacks what this loss asks of an energy: `{T}`",
    label = "exact score matching asks for forward derivatives, `TwiceDifferentiable`, which `Mlp` and `GaussianMixture` have; the other losses ask for `Energy` alone"
)]
pub trait Behind<T: ?Sized> {
    /// The energy behind its trait.
    fn behind(&self) -> &T;
}

macro_rules! implement {
    ($E:ty, $Dev:ty) => {
        implement!($E, $Dev, Energy);
        implement!($E, $Dev, TwiceDifferentiable);
    };
    ($E:ty, $Dev:ty, $Trait:ident) => {
        impl<'a, N: $Trait<$E, $Dev> + 'a> Behind<dyn $Trait<$E, $Dev> + 'a> for N {
            fn behind(&self) -> &(dyn $Trait<$E, $Dev> + 'a) {
                self
            }
        }

        impl<'a> Behind<dyn $Trait<$E, $Dev> + 'a> for dyn $Trait<$E, $Dev> + 'a {
            fn behind(&self) -> &(dyn $Trait<$E, $Dev> + 'a) {
                self
            }
        }
    };
}
for_each_backend!(implement);

/// Every energy can stand behind this too, which no loss asks for. With a second choice the
/// compiler waits until it knows what the loss asks for, and then names the trait that is missing;
/// without, it would take the only choice and complain about a type.
#[doc(hidden)]
#[derive(Debug)]
pub struct Undecided;

impl<N> Behind<Undecided> for N {
    fn behind(&self) -> &Undecided {
        &Undecided
    }
}
