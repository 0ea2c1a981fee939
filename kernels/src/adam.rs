//! Adam's step, in one pass over the parameters.

use super::network::check;
use super::simd::{Kernel, Level, Width};
use crate::Misfit;

/// Adam's settings, with PyTorch's names and meaning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Learning rate.
    pub lr: f64,
    /// Shares of the first and the second moment that a step keeps.
    pub betas: [f64; 2],
    /// Added to the denominator √v̂.
    pub eps: f64,
    /// This times the parameters is added to the gradient.
    pub weight_decay: f64,
}

/// What a step changes; all slices have one length.
pub struct State<'a> {
    /// p.
    pub parameters: &'a mut [f32],
    /// m.
    pub first: &'a mut [f32],
    /// v.
    pub second: &'a mut [f32],
}

impl Adam {
    /// Step number `step`, counted from 1, with the gradient g of the loss.
    ///
    /// g ← g + λ p, m ← β₁ m + (1 - β₁) g, v ← β₂ v + (1 - β₂) g²,
    /// p ← p - lr / (1 - β₁ᵗ) m / (√v / √(1 - β₂ᵗ) + ε).
    ///
    /// Moments that fade below the smallest normal number become 0: processors take many times as long for
    /// numbers below.
    ///
    /// PyTorch equivalent: `torch.optim.Adam(..., weight_decay=λ).step()`.
    ///
    /// # Errors
    /// If the slices differ in length.
    pub fn step(self, step: u64, gradient: &[f32], state: State) -> Result<(), Misfit> {
        self.step_at(Level::best(), step, gradient, state)
    }

    fn step_at(
        self,
        level: Level,
        step: u64,
        gradient: &[f32],
        state: State,
    ) -> Result<(), Misfit> {
        let count = state.parameters.len();
        check("the gradient", gradient.len(), count)?;
        check("the first moment", state.first.len(), count)?;
        check("the second moment", state.second.len(), count)?;
        let correction = self.betas.map(|beta| 1.0 - beta.powf(step as f64));
        level.run(Step {
            gradient,
            state,
            betas: self.betas.map(|beta| beta as f32),
            rest: self.betas.map(|beta| (1.0 - beta) as f32),
            rate: (self.lr / correction[0]) as f32,
            root: correction[1].sqrt() as f32,
            eps: self.eps as f32,
            decay: self.weight_decay as f32,
        });
        Ok(())
    }
}

struct Step<'a> {
    gradient: &'a [f32],
    state: State<'a>,
    betas: [f32; 2],
    rest: [f32; 2],
    rate: f32,
    root: f32,
    eps: f32,
    decay: f32,
}

impl Kernel for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Width>(self, _: W) {
        let State {
            parameters,
            first,
            second,
        } = self.state;
        let count = parameters.len();
        let (gradient, first) = (&self.gradient[..count], &mut first[..count]);
        let second = &mut second[..count];
        let inverse_root = 1.0 / self.root;
        for i in 0..count {
            let p = parameters[i];
            let g = W::multiply_add(self.decay, p, gradient[i]);
            let m = W::multiply_add(self.betas[0], first[i], self.rest[0] * g);
            let v = W::multiply_add(self.betas[1], second[i], self.rest[1] * g * g);
            let p = p - self.rate * m / W::multiply_add(v.sqrt(), inverse_root, self.eps);
            (parameters[i], first[i], second[i]) = (p, normal(m), normal(v));
        }
    }
}

/// The number, or 0 below the smallest normal one.
#[inline(always)]
fn normal(x: f32) -> f32 {
    if x.abs() < f32::MIN_POSITIVE { 0.0 } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADAM: Adam = Adam {
        lr: 1e-3,
        betas: [0.9, 0.999],
        eps: 1e-8,
        weight_decay: 0.01,
    };

    #[test]
    fn every_level_follows_the_formula() {
        const N: usize = 37;
        for level in Level::available() {
            let mut state: [Vec<f32>; 3] = [vec![0.5; N], vec![0.0; N], vec![0.0; N]];
            let mut exact = [0.5_f64, 0.0, 0.0];
            for step in 1..=50_u64 {
                let g = ((step as f32) * 0.7).sin();
                let [p, m, v] = &mut state;
                let slices = State {
                    parameters: p,
                    first: m,
                    second: v,
                };
                ADAM.step_at(level, step, &[g; N], slices).unwrap();
                let [p, m, v] = &mut exact;
                let g = f64::from(g) + 0.01 * *p;
                *m = 0.9 * *m + 0.1 * g;
                *v = 0.999 * *v + 0.001 * g * g;
                let (c1, c2) = (
                    1.0 - 0.9_f64.powf(step as f64),
                    1.0 - 0.999_f64.powf(step as f64),
                );
                *p -= 1e-3 / c1 * *m / (v.sqrt() / c2.sqrt() + 1e-8);
                for (state, exact) in state.iter().zip(exact) {
                    for value in state {
                        let error = (f64::from(*value) - exact).abs();
                        assert!(error < 1e-6 * exact.abs().max(0.1), "{}", level.name());
                    }
                }
            }
        }
    }

    #[test]
    fn lengths_that_differ_are_an_error() {
        let [mut p, mut m, mut v] = [[0.0; 3], [0.0; 3], [0.0; 3]];
        let state = State {
            parameters: &mut p,
            first: &mut m,
            second: &mut v[..2],
        };
        assert!(ADAM.step(1, &[0.0; 3], state).is_err());
    }
}
