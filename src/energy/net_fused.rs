//! A net as one fused operation, on the CPU.

use super::flat::Flat;
use super::net::{Input, Net};
use super::{Along, Asks, Energy, Jets, Terms};
use crate::Error;
use crate::kernel::{self, Engine, Gradients, Network};
use crate::tensors::{
    GradientTape, Points, TapedPoints, TapedValues, Values, add, from_vec, is_row_major, to_vec,
};
use dfdx::prelude::*;
use dfdx::shapes::Shape;
use std::sync::Arc;

/// A net as it is now.
#[derive(Clone, Debug)]
struct FusedNet {
    input: Arc<Input>,
    engine: Arc<Engine>,
    parameters: Arc<Flat>,
}

impl FusedNet {
    fn network(&self) -> Result<Network<'_>, Error> {
        Ok(Network::new(&self.engine, self.parameters.numbers())?)
    }

    /// The results of all points, one behind the other, of which each has so many.
    fn results(&self, x: &Points, width: usize) -> Result<Vec<f32>, Error> {
        let values = to_vec(x);
        self.input.check(x.shape(), &values)?;
        let mut results = vec![0.0; x.shape().0 * width];
        kernel::results(&self.network()?, &values, &mut results)?;
        Ok(results)
    }

    /// The loss of each point's result.
    fn losses(
        &self,
        x: &Points,
        loss: impl Fn(usize, &[f32], &mut [f32]) -> f32 + Sync,
        wanted: Gradients,
    ) -> Result<Vec<f32>, Error> {
        let values = to_vec(x);
        self.input.check(x.shape(), &values)?;
        Ok(kernel::pull_back(&self.network()?, &values, loss, wanted)?)
    }
}

impl Energy for FusedNet {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        let shape = (x.shape().0,);
        record(self.clone(), Vec::new(), x, shape)
    }

    fn energy(&self, x: &Points) -> Result<Values, Error> {
        from_vec(x.device(), self.results(x, 1)?, (x.shape().0,))
    }

    fn gradient(&self, x: &Points) -> Result<(Values, Points), Error> {
        let mut slopes = vec![0.0; x.shape().num_elements()];
        let wanted = Gradients {
            points: Some(&mut slopes),
            ..Default::default()
        };
        let energy = |_: usize, u: &[f32], slope: &mut [f32]| {
            slope[0] = 1.0;
            u[0]
        };
        let energies = self.losses(x, energy, wanted)?;
        let energies = from_vec(x.device(), energies, (x.shape().0,))?;
        Ok((energies, from_vec(x.device(), slopes, *x.shape())?))
    }

    fn pull_back(&self, terms: &Terms, gradient: &mut [f32]) -> Result<Option<f64>, Error> {
        self.input
            .check(&(terms.count(), terms.dimension()), terms.rows())?;
        let (network, rows, scale) = (self.network()?, terms.rows(), 1.0 / terms.count() as f64);
        let total = match terms.asks() {
            Asks::Energies(group) => {
                kernel::group_gradient(&network, rows, *group, (terms.formula(), scale), gradient)?
            }
            Asks::Jets => {
                kernel::jet_gradient(&network, rows, None, (terms.formula(), scale), gradient)?
            }
            Asks::JetsAlong(directions, count) => {
                let directions = Some((&**directions, *count));
                kernel::jet_gradient(
                    &network,
                    rows,
                    directions,
                    (terms.formula(), scale),
                    gradient,
                )?
            }
        };
        Ok(Some(total))
    }

    fn value(&self, terms: &Terms) -> Result<Option<f64>, Error> {
        if matches!(terms.asks(), Asks::Energies(_)) {
            return Ok(None);
        }
        // The derivatives are nearly all of the work.
        self.pull_back(terms, &mut vec![0.0; self.parameters.numbers().len()])
    }

    fn is_tested(&self) -> bool {
        true
    }
}

/// The whole net as one operation on the tape, with these tensors as the parameters' leaves; its results have this shape.
fn record<S: Shape>(
    net: FusedNet,
    leaves: Vec<Values>,
    x: TapedPoints,
    shape: S,
) -> Result<Tensor<S, f32, AutoDevice, GradientTape>, Error> {
    let (x, mut tape) = x.split_tape();
    let width = shape.num_elements() / x.shape().0.max(1);
    let results = from_vec(x.device(), net.results(&x, width)?, shape)?;
    let result = results.ghost();
    tape.add_backward_op(move |gradients| {
        let cotangent = gradients.get_or_alloc_mut(&result)?.to_vec();
        let values = to_vec(&x);
        let mut of_x = vec![0.0; values.len()];
        let mut of_parameters = vec![0.0; net.parameters.numbers().len()];
        let wanted = Gradients {
            parameters: (!leaves.is_empty()).then_some(of_parameters.as_mut_slice()),
            points: Some(&mut of_x),
        };
        // The lengths fit, because the forward pass succeeded with them.
        let network = net
            .network()
            .map_err(|_| dfdx::tensor::CpuError::WrongNumElements)?;
        kernel::backward(&network, &values, &cotangent, wanted)
            .map_err(|_| dfdx::tensor::CpuError::WrongNumElements)?;
        add(gradients.get_or_alloc_mut(&x)?, &of_x);
        let mut rest = of_parameters.as_slice();
        for leaf in &leaves {
            rest = add(gradients.get_or_alloc_mut(leaf)?, rest);
        }
        Ok(())
    });
    Ok(results.put_tape(tape))
}

impl Net {
    fn fused(&self) -> FusedNet {
        FusedNet {
            input: Arc::clone(self.input()),
            engine: Arc::clone(self.engine()),
            parameters: self.flat(),
        }
    }

    /// The result of each point, `(B, D)` to `(B, W)`.
    pub(crate) fn results(&self, x: &Points) -> Result<Points, Error> {
        let (rows, width) = (x.shape().0, self.width());
        from_vec(x.device(), self.fused().results(x, width)?, (rows, width))
    }

    /// The same on a tape.
    pub(crate) fn results_taped(&self, x: TapedPoints) -> Result<TapedPoints, Error> {
        // The gradient of a view lies in the view's order, which dfdx keeps to itself.
        if is_row_major(&x.retaped::<NoneTape>()) != Some(true) {
            return self.plain_results(x);
        }
        let (shape, leaves) = ((x.shape().0, self.width()), self.leaves().cloned());
        record(self.fused(), leaves.collect(), x, shape)
    }

    /// The loss L(result) of each point, and the gradients of their sum. `loss` gets a row's number, its result and the
    /// place for ∂L/∂(result), and returns L.
    pub(crate) fn losses(
        &self,
        x: &Points,
        loss: impl Fn(usize, &[f32], &mut [f32]) -> f32 + Sync,
        wanted: Gradients,
    ) -> Result<Vec<f32>, Error> {
        self.fused().losses(x, loss, wanted)
    }
}

impl Energy for Net {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        // The gradient of a view lies in the view's order, which dfdx keeps to itself.
        if is_row_major(&x.retaped::<NoneTape>()) != Some(true) {
            return self.plain_energy(x);
        }
        let (shape, leaves) = ((x.shape().0,), self.leaves().cloned());
        record(self.fused(), leaves.collect(), x, shape)
    }

    fn energy(&self, x: &Points) -> Result<Values, Error> {
        self.fused().energy(x)
    }

    fn gradient(&self, x: &Points) -> Result<(Values, Points), Error> {
        self.fused().gradient(x)
    }

    fn jets_taped(&self, x: &Points, along: Along) -> Result<Jets, Error> {
        self.plain_jets(x, along)
    }

    fn pull_back(&self, terms: &Terms, gradient: &mut [f32]) -> Result<Option<f64>, Error> {
        self.fused().pull_back(terms, gradient)
    }

    fn value(&self, terms: &Terms) -> Result<Option<f64>, Error> {
        self.fused().value(terms)
    }

    fn frozen(&self) -> Option<Box<dyn Energy>> {
        Some(Box::new(self.fused()))
    }

    fn is_tested(&self) -> bool {
        true
    }
}
