//! A net as one fused operation, on the CPU.

use super::net::{Net, Shape};
use super::{Along, Asks, Energy, Jets, Terms};
use crate::Error;
use crate::kernel::{self, Engine, Network};
use crate::tensors::{
    Points, TapedPoints, TapedValues, Values, add, append, from_vec, is_row_major, to_vec,
};
use dfdx::prelude::*;
use std::cell::Cell;
use std::sync::Arc;

/// A net's parameters as they are now, for the fused kernels.
///
/// dfdx keeps a tensor's values to itself; the copy costs about a hundredth of a training step. Its
/// memory is kept for the next copy: to map it anew in each step would cost several times that.
#[derive(Clone, Debug)]
struct FusedNet {
    shape: Arc<Shape>,
    engine: Arc<Engine>,
    /// One behind the other.
    parameters: Vec<f32>,
}

thread_local! {
    /// The memory of the last copy that is no longer used.
    static SPARE: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

impl Drop for FusedNet {
    fn drop(&mut self) {
        // At a thread's end there may be no place left to keep it: then it is freed.
        let _ = SPARE.try_with(|spare| spare.set(std::mem::take(&mut self.parameters)));
    }
}

impl FusedNet {
    fn network(&self) -> Result<Network<'_>, Error> {
        Ok(Network::new(&self.engine, &self.parameters)?)
    }
}

impl Energy for FusedNet {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        record(self.clone(), Vec::new(), x)
    }

    fn energy(&self, x: &Points) -> Result<Values, Error> {
        let (rows, values) = (x.shape().0, to_vec(x));
        self.shape.check(x.shape(), &values)?;
        let mut energies = vec![0.0; rows];
        kernel::energies(&self.network()?, &values, &mut energies)?;
        from_vec(x.device(), energies, (rows,))
    }

    fn gradient(&self, x: &Points) -> Result<(Values, Points), Error> {
        let (rows, values) = (x.shape().0, to_vec(x));
        self.shape.check(x.shape(), &values)?;
        let (mut energies, mut slopes) = (vec![0.0; rows], vec![0.0; values.len()]);
        kernel::input_gradient(&self.network()?, &values, &mut energies, &mut slopes)?;
        let energies = from_vec(x.device(), energies, (rows,))?;
        Ok((energies, from_vec(x.device(), slopes, *x.shape())?))
    }

    fn pull_back(&self, terms: &Terms, gradient: &mut [f32]) -> Result<Option<f64>, Error> {
        self.shape
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
        self.pull_back(terms, &mut vec![0.0; self.parameters.len()])
    }

    fn is_tested(&self) -> bool {
        true
    }
}

/// The whole net as one operation on the tape, with these tensors as the parameters' leaves.
fn record(net: FusedNet, leaves: Vec<Values>, x: TapedPoints) -> Result<TapedValues, Error> {
    let (x, mut tape) = x.split_tape();
    let energies = net.energy(&x)?;
    let result = energies.ghost();
    tape.add_backward_op(move |gradients| {
        let cotangent = gradients.get_or_alloc_mut(&result)?.to_vec();
        let values = to_vec(&x);
        let mut of_x = vec![0.0; values.len()];
        let mut of_parameters = vec![0.0; net.parameters.len()];
        let wanted = (!leaves.is_empty()).then_some(of_parameters.as_mut_slice());
        // The lengths fit, because the forward pass succeeded with them.
        let network = net
            .network()
            .map_err(|_| dfdx::tensor::CpuError::WrongNumElements)?;
        kernel::backward(&network, &values, &cotangent, wanted, Some(&mut of_x))
            .map_err(|_| dfdx::tensor::CpuError::WrongNumElements)?;
        add(gradients.get_or_alloc_mut(&x)?, &of_x);
        let mut rest = of_parameters.as_slice();
        for leaf in &leaves {
            rest = add(gradients.get_or_alloc_mut(leaf)?, rest);
        }
        Ok(())
    });
    Ok(energies.put_tape(tape))
}

impl Net {
    fn to_fused(&self) -> FusedNet {
        let mut parameters = SPARE.take();
        parameters.clear();
        for values in self.leaves() {
            append(values, &mut parameters);
        }
        FusedNet {
            shape: Arc::clone(self.shape()),
            engine: Arc::clone(self.engine()),
            parameters,
        }
    }
}

impl Energy for Net {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        // The gradient of a view lies in the view's order, which dfdx keeps to itself.
        if is_row_major(&x.retaped::<NoneTape>()) != Some(true) {
            return self.plain_energy(x);
        }
        record(self.to_fused(), self.leaves().cloned().collect(), x)
    }

    fn energy(&self, x: &Points) -> Result<Values, Error> {
        self.to_fused().energy(x)
    }

    fn gradient(&self, x: &Points) -> Result<(Values, Points), Error> {
        self.to_fused().gradient(x)
    }

    fn jets_taped(&self, x: &Points, along: Along) -> Result<Jets, Error> {
        self.plain_jets(x, along)
    }

    fn pull_back(&self, terms: &Terms, gradient: &mut [f32]) -> Result<Option<f64>, Error> {
        self.to_fused().pull_back(terms, gradient)
    }

    fn value(&self, terms: &Terms) -> Result<Option<f64>, Error> {
        self.to_fused().value(terms)
    }

    fn frozen(&self) -> Option<Box<dyn Energy>> {
        Some(Box::new(self.to_fused()))
    }

    fn is_tested(&self) -> bool {
        true
    }
}
