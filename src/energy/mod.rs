//! Energies U with p(x) ∝ exp(-U(x)), as functions of a batch of points.
//!
//! | trait | what it adds | needed for |
//! |---|---|---|
//! | [`Energy`] | U on a tape; more where an energy knows better | sampling, every loss |
//! | [`Parameters`], [`Trainable`] | named parameters | training, saving and loading |
//! | [`Density`](crate::data::Density) | ∫ exp(-U) = 1 | log-densities, exact comparisons |
//!
//! A loss asks an energy for [`Terms`], and gets the gradient in the parameters back.

mod activation;
pub(crate) mod check;
pub(crate) mod checked;
pub(crate) mod closed_form;
mod derivative;
mod double;
mod expectation_maximisation;
mod expression;
#[cfg(not(feature = "cuda"))]
mod flat;
mod function;
mod kernel_density;
mod latent_prior;
#[cfg(not(feature = "cuda"))]
mod lowering;
mod mixture;
mod mixture_file;
mod mlp;
mod net;
#[cfg(not(feature = "cuda"))]
mod net_fused;
mod net_ops;
mod parameters;
mod plan;
mod pull_back;
mod terms;
mod tilted;
mod trainable;
pub(crate) mod weights;
mod window;

pub use activation::Activation;
pub use double::DoubleNet;
pub use expression::Expr;
pub use latent_prior::LatentPrior;
pub use mixture::GaussianMixture;
pub use mlp::{Mlp, Naming};
pub use net::Net;
pub use net_ops::Plain;
pub(crate) use parameters::backward;
pub use parameters::{Parameter, Parameters};
pub use pull_back::TapedLoss;
pub use terms::{Asks, Terms};
pub use tilted::Tilted;
pub use trainable::Trainable;
pub use window::Window;

use crate::Error;
use crate::tensors::{GradientTape, Points, TapedPoints, TapedValues, Values};
use dfdx::prelude::*;

/// An energy U: p(x) ∝ exp(-U(x)).
///
/// One method is to be written, U on a tape; an energy that knows a quicker way to anything else says so.
/// Object-safe, so that the loops over it are compiled in this crate while the energy itself may
/// be written in a notebook cell.
///
/// # Examples
/// A quadratic energy in ordinary dfdx operations:
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::dfdx::prelude::*;
///
/// struct Quadratic;
/// impl Energy for Quadratic {
///     fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
///         Ok(x.square().sum::<_, Axis<1>>() * 0.5)
///     }
/// }
///
/// let x = points(vec![3.0, 4.0], (1, 2))?;
/// assert_eq!(Quadratic.energy(&x)?.as_vec(), [12.5]);
/// let (_, slope) = Quadratic.gradient(&x)?;
/// assert_eq!(slope.as_vec(), [3.0, 4.0]);
/// # Ok::<(), Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no energy (if it is a `Result`, add `?` where it is made)",
    label = "a `Result` lacks its `?`; a type of your own implements `Energy`, whose one method is U on a tape"
)]
pub trait Energy {
    /// U at each point, `(B, D)` to `(B,)`, recorded on the tape that the points bring.
    ///
    /// # Errors
    /// If the points have the wrong dimension, or a tensor operation fails.
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error>;

    /// U at each point, `(B, D)` to `(B,)`.
    ///
    /// # Errors
    /// If the points have the wrong dimension, or a tensor operation fails.
    fn energy(&self, x: &Points) -> Result<Values, Error> {
        if x.shape().0 == 0 {
            return x.device().try_zeros_like(&(0,)).map_err(Error::tensor);
        }
        Ok(self.energy_taped(x.leaky_trace())?.split_tape().0)
    }

    /// U and ∇U, the negative score, at each point: `(B, D)` to `(B,)` and `(B, D)`.
    ///
    /// # Errors
    /// If the points have the wrong dimension, or a tensor operation fails.
    fn gradient(&self, x: &Points) -> Result<(Values, Points), Error> {
        let none = || x.device().try_zeros_like(x).map_err(Error::tensor);
        if x.shape().0 == 0 {
            return Ok((self.energy(x)?, none()?));
        }
        let (energy, tape) = self.energy_taped(x.leaky_trace())?.split_tape();
        if energy.shape().0 == 0 {
            // Not as many as points, which whoever reads them finds. dfdx would divide by their number.
            return Ok((energy, none()?));
        }
        let sum = energy.clone().put_tape(tape).try_sum::<Rank0, _>();
        let mut gradients = sum
            .and_then(|sum| sum.try_backward())
            .map_err(Error::tensor)?;
        // An energy that ignores the points leaves them without a gradient: it is zero.
        gradients.try_alloc_for(x).map_err(Error::tensor)?;
        Ok((energy, gradients.get(x)))
    }

    /// U with first and second derivatives along directions, on a tape that leads to the parameters: what
    /// score matching and its kin ask for.
    ///
    /// dfdx has no double backward. The derivatives are therefore carried forward through the energy, and
    /// one ordinary backward pass follows.
    ///
    /// # Errors
    /// If the energy has none, which is the default, the points have the wrong dimension, or a tensor
    /// operation fails.
    ///
    /// # Examples
    /// A quadratic energy, U = |x|²/2, of which score matching is the mean of |x|²/2 - D:
    /// ```
    /// use energy_discrepancy::prelude::*;
    /// use energy_discrepancy::dfdx::prelude::*;
    /// use energy_discrepancy::energy::{Along, Jets};
    ///
    /// struct Quadratic;
    /// impl Energy for Quadratic {
    ///     fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
    ///         Ok(x.square().sum::<_, Axis<1>>() * 0.5)
    ///     }
    ///     fn jets_taped(&self, x: &Points, along: Along) -> Result<Jets, Error> {
    ///         along.coordinates_only("Quadratic")?;
    ///         let curvature: Values = x.device().ones_like(&(x.shape().0,));
    ///         Ok(Jets {
    ///             energy: self.energy(x)?,
    ///             slopes: x.clone(),
    ///             curvature: curvature * x.shape().1 as f32,
    ///             tape: GradientTape::default(), // of no parameters
    ///         })
    ///     }
    /// }
    ///
    /// let x = points(vec![3.0, 4.0], (1, 2))?;
    /// assert_eq!(ScoreMatching.evaluate(&Quadratic, &x, &mut rng(0))?, 12.5 - 2.0);
    /// # Ok::<(), Error>(())
    /// ```
    fn jets_taped(&self, _x: &Points, _along: Along) -> Result<Jets, Error> {
        Err(Error::Energy {
            energy: self.type_name().to_owned(),
            reason: "it has no forward derivatives, which exact score matching and losses of its kind ask for. \
                `Mlp`, `LatentPrior` and `GaussianMixture` have them; write `jets_taped` for an energy of your \
                own, or fit it by energy discrepancy, which asks for U alone"
                .to_owned(),
        })
    }

    /// A loss's value and its gradient in the parameters, by a quicker way than the tape, if this energy
    /// knows one. The gradient is one list in the order of [`Parameters::parameters`], and is overwritten.
    ///
    /// # Errors
    /// If the points have the wrong dimension, or a tensor operation fails.
    fn pull_back(&self, _terms: &Terms, _gradient: &mut [f32]) -> Result<Option<f64>, Error> {
        Ok(None)
    }

    /// A loss's value by a quicker way than the tape, if this energy knows one.
    ///
    /// # Errors
    /// As [`Energy::pull_back`].
    fn value(&self, _terms: &Terms) -> Result<Option<f64>, Error> {
        Ok(None)
    }

    /// A copy of the energy as it is now that is quicker to evaluate many times, if there is one: for chains.
    fn frozen(&self) -> Option<Box<dyn Energy>> {
        None
    }

    /// Holds ∇U against differences of U along random directions, at 16 points or more around these,
    /// `(B, D)`. The first [`Trainer::fit`](crate::train::Trainer::fit) and a sampler's
    /// [`chain`](crate::sample::Sampler::chain) do so by themselves.
    ///
    /// # Errors
    /// If ∇U is not the slope of U, or the energy fails. Where differences cannot tell (a constant, a kink,
    /// values so large that f32 rounds the slope away, values that are drawn anew in each call) there is no
    /// error.
    ///
    /// # Examples
    /// A term that has lost its tape. U is right, and ∇U lacks x:
    /// ```
    /// use energy_discrepancy::prelude::*;
    /// use energy_discrepancy::dfdx::prelude::*;
    ///
    /// struct Confined(Mlp);
    /// impl Energy for Confined {
    ///     fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
    ///         let (x, tape) = x.split_tape();
    ///         let half = x.clone().square().sum::<_, Axis<1>>() * 0.5; // `x.clone()` has no tape
    ///         Ok(self.0.energy_taped(x.put_tape(tape))? + half)
    ///     }
    /// }
    ///
    /// let x = toy::gaussians_25().sample(64, &mut rng(0))?;
    /// let error = Confined(Mlp::softplus(&[2, 16, 1], 0)?).check(&x).unwrap_err();
    /// assert!(error.to_string().contains("∇U is not the slope of U"));
    ///
    /// struct Mended(Mlp);
    /// impl Energy for Mended {
    ///     fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
    ///         let half = x.retaped::<GradientTape>().square().sum::<_, Axis<1>>() * 0.5;
    ///         Ok(self.0.energy_taped(x)? + half)
    ///     }
    /// }
    /// Mended(Mlp::softplus(&[2, 16, 1], 0)?).check(&x)?;
    /// # Ok::<(), Error>(())
    /// ```
    fn check(&self, x: &Points) -> Result<(), Error>
    where
        Self: Sized,
    {
        check::points(self, x)
    }

    /// The energy's type, for messages about what it returned.
    #[doc(hidden)]
    fn type_name(&self) -> &'static str {
        std::any::type_name::<Self>()
    }

    /// Whether the crate's own tests hold the gradients against the values.
    #[doc(hidden)]
    fn is_tested(&self) -> bool {
        false
    }

    /// Which code the energy is: another one of the same name has another.
    #[doc(hidden)]
    fn code(&self) -> usize {
        Self::energy_taped as fn(&Self, TapedPoints) -> _ as usize
    }
}

/// The directions along which an energy is differentiated at each point.
#[derive(Clone, Copy, Debug)]
pub enum Along<'a> {
    /// Each coordinate: K = D.
    Coordinates,
    /// K directions of each point, `(B, K, D)`.
    Directions(&'a Tensor<(usize, usize, usize), f32, AutoDevice>),
}

impl Along<'_> {
    /// For an energy that knows its derivatives along the coordinates alone.
    ///
    /// # Errors
    /// If directions are given.
    pub fn coordinates_only(&self, energy: &str) -> Result<(), Error> {
        match self {
            Along::Coordinates => Ok(()),
            Along::Directions(_) => Err(Error::Energy {
                energy: energy.to_owned(),
                reason:
                    "it knows its derivatives along the coordinates, and not along other directions"
                        .to_owned(),
            }),
        }
    }
}

/// An energy with its first and second derivatives along K directions at each point.
#[derive(Debug)]
pub struct Jets {
    /// U, `(B,)`.
    pub energy: Values,
    /// v_k · ∇U, `(B, K)`.
    pub slopes: Points,
    /// Σ_k v_kᵀ (∇²U) v_k, `(B,)`: along the coordinates the Laplacian ΔU.
    pub curvature: Values,
    /// The operations that led from the parameters to all three.
    pub tape: GradientTape,
}
