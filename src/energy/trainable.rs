//! What training needs of an energy.

use super::{Energy, Parameters, check};
use crate::Error;
use crate::tensors::Points;

/// An energy with named parameters: what training needs. Nothing to implement beside the two.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no energy with named parameters (if it is a `Result`, add `?` where it is made)",
    label = "a `Result` lacks its `?`; an energy of your own lacks `Energy` or `Parameters`, whose two methods list the fields to train"
)]
pub trait Trainable: Energy + Parameters {
    /// Holds the gradient of U in each parameter against differences of U at 8 of these points, `(B, D)`.
    /// The first [`Trainer::fit`](crate::train::Trainer::fit) does so by itself. The parameters are afterwards
    /// as before.
    ///
    /// # Errors
    /// If no gradient reaches a parameter with which U changes, or a wrong one, or the energy fails. A
    /// parameter with which U does not change at these points is no error: a unit that is not active,
    /// the row of a table that no point asks for.
    ///
    /// # Examples
    /// Experts that are joined through clones of their energies. U is right, and they never train:
    /// ```
    /// use energy_discrepancy::prelude::*;
    /// use energy_discrepancy::dfdx::prelude::*;
    ///
    /// struct Product(Vec<Mlp>);
    /// impl Energy for Product {
    ///     fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
    ///         let (x, tape) = x.split_tape();
    ///         let mut sum = self.0[0].energy_taped(x.clone().put_tape(tape))?;
    ///         for expert in &self.0[1..] {
    ///             let energy = expert.energy_taped(x.retaped::<GradientTape>())?;
    ///             sum = sum + energy.split_tape().0; // the values alone
    ///         }
    ///         Ok(sum)
    ///     }
    /// }
    /// impl Parameters for Product {
    ///     fn parameters(&self) -> Vec<(&str, &dyn Parameter)> {
    ///         self.0.iter().flat_map(|expert| expert.parameters()).collect()
    ///     }
    ///     fn parameters_mut(&mut self) -> Vec<(&str, &mut dyn Parameter)> {
    ///         self.0.iter_mut().flat_map(|expert| expert.parameters_mut()).collect()
    ///     }
    /// }
    ///
    /// let experts = (0..2).map(|seed| Mlp::softplus(&[2, 8, 1], seed));
    /// let mut product = Product(experts.collect::<Result<_, Error>>()?);
    /// let x = toy::gaussians_25().sample(64, &mut rng(0))?;
    /// let error = product.check_parameters(&x).unwrap_err();
    /// assert!(error.to_string().contains("no gradient reaches `lin1.weight`"));
    /// # Ok::<(), Error>(())
    /// ```
    fn check_parameters(&mut self, x: &Points) -> Result<(), Error>
    where
        Self: Sized,
    {
        check::parameters(self, x)
    }
}

#[diagnostic::do_not_recommend]
impl<N: Energy + Parameters> Trainable for N {}
