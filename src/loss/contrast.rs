//! Energy discrepancy's equation, from the energies of the data and of their particles.

use super::{TapedLoss, fused};
use crate::backend::{Backend, Number, read};
use crate::energy::{Energy, GradientTape, Points, TapedValues, checked, for_each_backend, scalar};
use crate::{Error, kernel};
use dfdx::prelude::*;

/// scale/N Σ_i log( w + Σ_j exp( U(x_i) - U(x_ij) ) ).
#[derive(Clone, Copy, Debug)]
pub struct Contrast {
    pub particles: usize,
    pub stabilisation: f64,
    pub scale: f64,
}

/// The equation for every number type and device, compiled here whatever the perturbation.
pub trait Core<E: Number, Dev: Backend<E>> {
    fn taped(
        &self,
        energy: &dyn Energy<E, Dev>,
        x: &Points<E, Dev>,
        particles: &Points<E, Dev>,
    ) -> Result<TapedLoss<E, Dev>, Error>;

    fn fused(
        &self,
        energy: &dyn Energy<E, Dev>,
        x: &Points<E, Dev>,
        perturb: &dyn Fn() -> Result<Points<E, Dev>, Error>,
        groups: &dyn Fn() -> Option<Vec<E>>,
        gradient: &mut [E],
    ) -> Result<Option<f64>, Error>;
}

impl Contrast {
    fn check<E: Dtype, Dev: Device<E>>(
        &self,
        x: &Points<E, Dev>,
        particles: &Points<E, Dev>,
    ) -> Result<(), Error> {
        let (n, d) = *x.shape();
        if n == 0 {
            return Err(Error::shape("x", (n, d), "at least one point"));
        }
        let m = self.particles;
        if *particles.shape() != (n * m, d) {
            let expected = format!("({}, {d}) for this batch and M = {m}", n * m);
            return Err(Error::shape("the particles", particles.shape(), expected));
        }
        Ok(())
    }

    fn taped_on<E: Number, Dev: Backend<E>>(
        &self,
        energy: &dyn Energy<E, Dev>,
        x: &Points<E, Dev>,
        particles: &Points<E, Dev>,
    ) -> Result<TapedLoss<E, Dev>, Error> {
        self.check(x, particles)?;
        let at_data = checked::energies_taped(energy, x)?;
        let at_particles = checked::energies_taped(energy, particles)?;
        self.loss(at_data, at_particles).map_err(Error::tensor)
    }

    /// `perturb` gives the particles; `groups` gives each point with its particles, if there is a
    /// quick way.
    fn fused_on<E: Number, Dev: Backend<E>>(
        &self,
        energy: &dyn Energy<E, Dev>,
        x: &Points<E, Dev>,
        perturb: &dyn Fn() -> Result<Points<E, Dev>, Error>,
        groups: &dyn Fn() -> Option<Vec<E>>,
        gradient: &mut [E],
    ) -> Result<Option<f64>, Error> {
        let ((n, d), m) = (*x.shape(), self.particles);
        let rows = || match groups() {
            Some(rows) if n > 0 && rows.len() == n * (1 + m) * d => Ok(rows),
            _ => {
                let particles = perturb()?;
                self.check(x, &particles)?;
                Ok(fused::interleave(&read(x), &read(&particles), m, d))
            }
        };
        let loss = kernel::Discrepancy {
            particles: m,
            stabilisation: self.stabilisation as f32,
            scale: (self.scale / n as f64) as f32,
        };
        // The kernel fails on lengths that do not fit, and it is the kernels that call it.
        let contrast =
            |_, u: &[f32], slope: &mut [f32]| loss.evaluate(u, slope).unwrap_or(f64::NAN);
        fused::contrast(energy, x, 1 + m, rows, &contrast, gradient)
    }

    fn loss<E: Dtype, Dev: Device<E>>(
        &self,
        at_data: TapedValues<E, Dev>,
        at_particles: TapedValues<E, Dev>,
    ) -> Result<TapedLoss<E, Dev>, Dev::Err> {
        let (n, m) = (at_data.shape().0, self.particles);
        let log_sum = at_data
            .try_broadcast_like::<_, Axis<1>>(&(n, m))?
            .try_sub(at_particles.try_reshape_like(&(n, m))?)?
            .try_logsumexp::<_, Axis<1>>()?;
        if self.stabilisation == 0.0 {
            return log_sum.try_mean()?.try_mul(scalar::<E>(self.scale));
        }
        // log(w + e^a) = log w + max(a', 0) + log(1 + e^-|a'|) with a' = a - log w, and
        // max(a', 0) = (a' + |a'|)/2, whose slope at 0 is that of the sum.
        let (log_w, half): (E, E) = (scalar(self.stabilisation.ln()), scalar(0.5));
        let above = log_sum.try_sub(log_w)?;
        let size = || above.retaped::<GradientTape<E, Dev>>().try_abs();
        let rest = size()?
            .try_negate()?
            .try_exp()?
            .try_add(scalar::<E>(1.0))?
            .try_ln()?;
        let size = size()?.try_mul(half)?;
        let sum = above.try_mul(half)?.try_add(size)?.try_add(rest)?;
        sum.try_add(log_w)?
            .try_mean()?
            .try_mul(scalar::<E>(self.scale))
    }
}

macro_rules! implement {
    ($E:ty, $Dev:ty) => {
        impl Core<$E, $Dev> for Contrast {
            fn taped(
                &self,
                energy: &dyn Energy<$E, $Dev>,
                x: &Points<$E, $Dev>,
                particles: &Points<$E, $Dev>,
            ) -> Result<TapedLoss<$E, $Dev>, Error> {
                self.taped_on(energy, x, particles)
            }

            fn fused(
                &self,
                energy: &dyn Energy<$E, $Dev>,
                x: &Points<$E, $Dev>,
                perturb: &dyn Fn() -> Result<Points<$E, $Dev>, Error>,
                groups: &dyn Fn() -> Option<Vec<$E>>,
                gradient: &mut [$E],
            ) -> Result<Option<f64>, Error> {
                self.fused_on(energy, x, perturb, groups, gradient)
            }
        }
    };
}
for_each_backend!(implement);
