//! The multilayer perceptron as one fused operation: single precision on a CPU.

use super::{Energy, Mlp, TapedPoints, TapedValues};
use crate::Error;
use dfdx::prelude::*;

impl Energy<f32, Cpu> for Mlp<f32, Cpu> {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        self.plain_energy(x)
    }
}

impl Energy<f64, Cpu> for Mlp<f64, Cpu> {
    fn energy_taped(&self, x: TapedPoints<f64>) -> Result<TapedValues<f64>, Error> {
        self.plain_energy(x)
    }
}
