//! The GPU as a device: ordinary dfdx operations, nothing fused.

use crate::Error;
use crate::backend::{Backend, Number};
use dfdx::prelude::*;
use std::cell::OnceCell;

/// The first GPU. Points that data sets make for dfdx's `Cuda` lie on it.
///
/// # Errors
/// If there is no GPU, or its driver is too old.
///
/// # Examples
/// ```no_run
/// use energy_discrepancy::prelude::*;
///
/// let gpu = energy_discrepancy::cuda()?;
/// let net = Mlp::softplus(&[2, 128, 128, 128, 128, 1], 0)?.cast::<f32, _>(&gpu)?;
/// let mut run = Trainer::new(net, EnergyDiscrepancy::with_std(1.0)).steps(1000);
/// run.fit(&toy::gaussians_25())?;
/// # Ok::<(), Error>(())
/// ```
pub fn cuda() -> Result<Cuda, Error> {
    // dfdx's device stays on its thread. Those of several threads share the GPU's memory.
    thread_local!(static FIRST: OnceCell<Cuda> = const { OnceCell::new() });
    FIRST.with(|first| {
        if let Some(first) = first.get() {
            return Ok(first.clone());
        }
        let built = Cuda::try_build(0, 0)
            .map_err(|error| Error::Tensor(format!("no GPU can be used: {error:?}")))?;
        Ok(first.get_or_init(|| built).clone())
    })
}

impl<E: Number> Backend<E> for Cuda
where
    Cuda: Device<E>,
{
    // dfdx keeps to itself how a tensor's values lie in the GPU's memory.
    fn is_row_major<S: Shape>(_: &Tensor<S, E, Self>) -> Option<bool> {
        None
    }

    fn shared() -> Result<Self, Error> {
        cuda()
    }
}
