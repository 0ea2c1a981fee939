//! The GPU as the device: ordinary dfdx operations, nothing fused.

use crate::Error;
use cudarc::driver::result::{device, init};
use dfdx::prelude::*;
use std::cell::OnceCell;
use std::fmt::Debug;

/// The first GPU.
///
/// dfdx's device stays on its thread, so each thread has one of its own; all share the GPU's memory.
pub(crate) fn first_gpu() -> Result<Cuda, Error> {
    thread_local!(static FIRST: OnceCell<Cuda> = const { OnceCell::new() });
    FIRST.with(|first| {
        if let Some(first) = first.get() {
            return Ok(first.clone());
        }
        // dfdx panics where there is none: the driver is asked before.
        init().and_then(|()| device::get(0)).map_err(unusable)?;
        let built = Cuda::try_build(0, 0).map_err(unusable)?;
        Ok(first.get_or_init(|| built).clone())
    })
}

fn unusable(error: impl Debug) -> Error {
    Error::Tensor(format!("no GPU can be used: {error:?}"))
}
