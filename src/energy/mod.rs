//! Energies U with p(x) ∝ exp(-U(x)), as functions of a batch of points.
//!
//! | trait | what it adds | needed for |
//! |---|---|---|
//! | [`Energy`] | U on a tape | sampling, energy discrepancy, contrastive divergence |
//! | [`TwiceDifferentiable`] | ∂U/∂x_d and ∂²U/∂x_d² on a tape | exact score matching |
//! | [`Parameters`], [`Trainable`] | named parameters | training, saving and loading |
//! | [`Density`] | ∫ exp(-U) = 1 | log-densities, exact comparisons |

mod activation;
pub(crate) mod check;
pub(crate) mod checked;
mod density;
mod latent_prior;
mod mixture;
mod mixture_ops;
mod mlp;
mod mlp_fused;
mod mlp_ops;
mod parameters;
mod tensors;
pub(crate) mod weights;

pub use crate::kernel::Activation;
pub use density::Density;
pub use latent_prior::LatentPrior;
pub use mixture::GaussianMixture;
pub(crate) use mlp::separate;
pub use mlp::{Mlp, Naming};
#[doc(hidden)]
pub use mlp_fused::FusedMlp;
pub(crate) use mlp_fused::add;
pub use mlp_ops::Plain;
pub use parameters::{Parameter, Parameters, Trainable};
pub(crate) use parameters::{backward, number};
pub use tensors::{GradientTape, Points, TapedPoints, TapedValues, Values};
pub(crate) use tensors::{for_each_backend, for_each_plain_backend, scalar, tensor};

use crate::Error;
use dfdx::prelude::*;

/// An energy U: p(x) ∝ exp(-U(x)).
///
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
/// let x: Points = device()?.tensor_from_vec(vec![3.0, 4.0], (1, 2));
/// assert_eq!(Quadratic.energy(&x)?.as_vec(), [12.5]);
/// let (_, slope) = Quadratic.gradient(&x)?;
/// assert_eq!(slope.as_vec(), [3.0, 4.0]);
/// # Ok::<(), Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no energy with this number type (if it is a `Result`, add `?` where it is made)",
    label = "a `Result` lacks its `?`; a type of your own implements `Energy`, in f32 or f64 as the points are"
)]
pub trait Energy<E: Dtype = f32, Dev: Device<E> = AutoDevice> {
    /// U at each point, `(B, D)` to `(B,)`, recorded on the tape that the points bring.
    ///
    /// # Errors
    /// If the points have the wrong dimension, or a tensor operation fails.
    fn energy_taped(&self, x: TapedPoints<E, Dev>) -> Result<TapedValues<E, Dev>, Error>;

    /// U at each point, `(B, D)` to `(B,)`.
    ///
    /// # Errors
    /// If the points have the wrong dimension, or a tensor operation fails.
    fn energy(&self, x: &Points<E, Dev>) -> Result<Values<E, Dev>, Error> {
        if x.shape().0 == 0 {
            return x.device().try_zeros_like(&(0,)).map_err(Error::tensor);
        }
        Ok(self.energy_taped(x.leaky_trace())?.split_tape().0)
    }

    /// U and ∇U, the negative score, at each point: `(B, D)` to `(B,)` and `(B, D)`.
    ///
    /// # Errors
    /// If the points have the wrong dimension, or a tensor operation fails.
    fn gradient(&self, x: &Points<E, Dev>) -> Result<(Values<E, Dev>, Points<E, Dev>), Error> {
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
    /// let x: Points = toy::gaussians_25().sample(64, &mut rng(0))?;
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
    fn check(&self, x: &Points<E, Dev>) -> Result<(), Error>
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
        Self::energy_taped as fn(&Self, TapedPoints<E, Dev>) -> _ as usize
    }

    /// A copy of the energy as it is now that is quicker to evaluate many times, if there is one.
    #[doc(hidden)]
    fn frozen(&self) -> Option<Box<dyn Energy<E, Dev>>> {
        None
    }

    /// The net behind this energy, where the fused kernels can take its place.
    #[doc(hidden)]
    fn fused(&self) -> Option<&FusedMlp> {
        None
    }
}

/// First and second derivatives of an energy along each axis.
#[derive(Debug)]
pub struct Derivatives<E: Dtype = f32, Dev: Device<E> = AutoDevice> {
    /// ∂U/∂x_d, `(B, D)`.
    pub gradient: Points<E, Dev>,
    /// ∂²U/∂x_d², the Hessian's diagonal, `(B, D)`.
    pub curvature: Points<E, Dev>,
    /// The operations that led from the parameters to both.
    pub tape: GradientTape<E, Dev>,
}

/// An energy with first and second derivatives in x that can be differentiated once more, in the
/// parameters: what exact score matching needs.
///
/// dfdx has no double backward. The derivatives are therefore carried forward through the net,
/// and one ordinary backward pass follows.
///
/// # Examples
/// A quadratic energy, U = |x|²/2, of which score matching is the mean of |x|²/2 - D:
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::dfdx::prelude::*;
/// use energy_discrepancy::energy::{Derivatives, TwiceDifferentiable};
///
/// struct Quadratic;
/// impl Energy for Quadratic {
///     fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
///         Ok(x.square().sum::<_, Axis<1>>() * 0.5)
///     }
/// }
/// impl TwiceDifferentiable for Quadratic {
///     fn derivatives_taped(&self, x: &Points) -> Result<Derivatives, Error> {
///         Ok(Derivatives {
///             gradient: x.clone(),
///             curvature: x.device().ones_like(x),
///             tape: GradientTape::default(), // of no parameters
///         })
///     }
/// }
///
/// let x: Points = device()?.tensor_from_vec(vec![3.0, 4.0], (1, 2));
/// assert_eq!(ScoreMatching.evaluate(&Quadratic, &x, &())?, 12.5 - 2.0);
/// # Ok::<(), Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no forward derivatives, which exact score matching needs",
    label = "`Mlp` and `GaussianMixture` have them; implement `TwiceDifferentiable` for an energy of your own, or fit it by energy discrepancy, which needs `Energy` alone"
)]
pub trait TwiceDifferentiable<E: Dtype = f32, Dev: Device<E> = AutoDevice>: Energy<E, Dev> {
    /// ∂U/∂x_d and ∂²U/∂x_d² at each point, `(B, D)` to two of `(B, D)`, on a tape.
    ///
    /// # Errors
    /// If the points have the wrong dimension, or a tensor operation fails.
    fn derivatives_taped(&self, x: &Points<E, Dev>) -> Result<Derivatives<E, Dev>, Error>;
}
