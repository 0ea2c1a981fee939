//! The nets in plain f64, written as the equations are: what tests hold the crate against.

#![allow(dead_code)] // Not all of it in every test.

use energy_discrepancy::energy::{Activation, Asks, Terms};
use energy_discrepancy::loss::Perturbation;
use energy_discrepancy::prelude::*;
use energy_discrepancy::sample::{Info, State};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A perceptron, perhaps with |x|²/2 beside it.
#[derive(Clone)]
pub struct Oracle {
    pub widths: Vec<usize>,
    pub activation: Activation,
    pub parameters: Vec<f64>,
    pub has_half_square: bool,
}

/// What a layer has of a point: a value for each unit, a derivative along each of K directions, and the sum of
/// the second ones.
struct Jet {
    value: Vec<f64>,
    slopes: Vec<Vec<f64>>,
    bend: Vec<f64>,
}

impl Oracle {
    pub fn of(net: &Mlp) -> Self {
        let parameters = net.flat_parameters().into_iter().map(f64::from);
        Self {
            widths: net.widths().to_vec(),
            activation: net.activation(),
            parameters: parameters.collect(),
            has_half_square: false,
        }
    }

    pub fn of_prior(prior: &LatentPrior) -> Self {
        Self {
            has_half_square: true,
            ..Self::of(&prior.tilt().unwrap())
        }
    }

    fn layers(&self) -> Vec<(&[usize], usize)> {
        let mut at = 0;
        let each = self.widths.windows(2).map(|widths| {
            let start = at;
            at += (widths[0] + 1) * widths[1];
            (widths, start)
        });
        each.collect()
    }

    /// W v of a layer, and b if it is asked for.
    fn weigh(&self, (widths, start): (&[usize], usize), v: &[f64], with_bias: bool) -> Vec<f64> {
        let (weights, rest) = self.parameters[start..].split_at(widths[0] * widths[1]);
        let rows = weights.chunks(widths[0]).zip(rest);
        let row = |(row, bias): (&[f64], &f64)| -> f64 {
            let sum: f64 = row.iter().zip(v).map(|(w, v)| w * v).sum();
            sum + if with_bias { *bias } else { 0.0 }
        };
        rows.map(row).collect()
    }

    /// The jets before and after each activation, and of U.
    fn forward(&self, x: &[f64], directions: &[Vec<f64>]) -> (Vec<Jet>, Vec<Jet>) {
        let mut after = vec![Jet {
            value: x.to_vec(),
            slopes: directions.to_vec(),
            bend: vec![0.0; x.len()],
        }];
        let mut before = Vec::new();
        for (l, layer) in self.layers().into_iter().enumerate() {
            let input = after.last().unwrap();
            let z = Jet {
                value: self.weigh(layer, &input.value, true),
                slopes: input
                    .slopes
                    .iter()
                    .map(|p| self.weigh(layer, p, false))
                    .collect(),
                bend: self.weigh(layer, &input.bend, false),
            };
            if l + 2 < self.widths.len() {
                let f: Vec<[f64; 4]> = z.value.iter().map(|z| bend(self.activation, *z)).collect();
                let slopes = z
                    .slopes
                    .iter()
                    .map(|p| p.iter().zip(&f).map(|(p, f)| f[1] * p).collect());
                let squares = |i: usize| z.slopes.iter().map(|p| p[i] * p[i]).sum::<f64>();
                let bend = z
                    .bend
                    .iter()
                    .zip(&f)
                    .enumerate()
                    .map(|(i, (q, f))| f[1] * q + f[2] * squares(i));
                after.push(Jet {
                    value: f.iter().map(|f| f[0]).collect(),
                    slopes: slopes.collect(),
                    bend: bend.collect(),
                });
            }
            before.push(z);
        }
        (before, after)
    }

    /// U, its slopes along the directions, and the sum of its second derivatives along them.
    pub fn jet(&self, x: &[f64], directions: &[Vec<f64>]) -> Vec<f64> {
        let (before, _) = self.forward(x, directions);
        let top = before.last().unwrap();
        let mut jet = vec![top.value[0]];
        jet.extend(top.slopes.iter().map(|p| p[0]));
        jet.push(top.bend[0]);
        if self.has_half_square {
            jet[0] += 0.5 * dot(x, x);
            for (k, v) in directions.iter().enumerate() {
                jet[1 + k] += dot(x, v);
                *jet.last_mut().unwrap() += dot(v, v);
            }
        }
        jet
    }

    pub fn energy(&self, x: &[f64]) -> f64 {
        self.jet(x, &[])[0]
    }

    /// ∇U.
    pub fn gradient(&self, x: &[f64]) -> Vec<f64> {
        let jet = self.jet(x, &axes(x.len()));
        jet[1..=x.len()].to_vec()
    }

    /// Adds c · ∂jet/∂θ to the gradient.
    pub fn pull_back(&self, x: &[f64], directions: &[Vec<f64>], c: &[f64], gradient: &mut [f64]) {
        let (before, after) = self.forward(x, directions);
        let k = directions.len();
        // What the loss has to each number of the layer's output.
        let mut g = Jet {
            value: vec![c[0]],
            slopes: c[1..=k].iter().map(|c| vec![*c]).collect(),
            bend: vec![c[k + 1]],
        };
        for (l, (widths, start)) in self.layers().into_iter().enumerate().rev() {
            let input = &after[l];
            let weights = &self.parameters[start..][..widths[0] * widths[1]];
            let channels = || {
                g.slopes
                    .iter()
                    .zip(&input.slopes)
                    .chain([(&g.value, &input.value), (&g.bend, &input.bend)])
            };
            for out in 0..widths[1] {
                for i in 0..widths[0] {
                    gradient[start + out * widths[0] + i] +=
                        channels().map(|(g, a)| g[out] * a[i]).sum::<f64>();
                }
                gradient[start + weights.len() + out] += g.value[out];
            }
            if l == 0 {
                break;
            }
            let back = |g: &[f64]| -> Vec<f64> {
                (0..widths[0])
                    .map(|i| {
                        (0..widths[1])
                            .map(|out| weights[out * widths[0] + i] * g[out])
                            .sum()
                    })
                    .collect()
            };
            let (g_a, g_p, g_q) = (
                back(&g.value),
                g.slopes.iter().map(|g| back(g)),
                back(&g.bend),
            );
            let g_p: Vec<Vec<f64>> = g_p.collect();
            let z = &before[l - 1];
            let f: Vec<[f64; 4]> = z.value.iter().map(|z| bend(self.activation, *z)).collect();
            let value = (0..widths[0]).map(|i| {
                let products: f64 = g_p.iter().zip(&z.slopes).map(|(g, p)| g[i] * p[i]).sum();
                let squares: f64 = z.slopes.iter().map(|p| p[i] * p[i]).sum();
                g_a[i] * f[i][1]
                    + f[i][2] * products
                    + g_q[i] * (f[i][2] * z.bend[i] + f[i][3] * squares)
            });
            let slopes = g_p.iter().zip(&z.slopes).map(|(g, p)| {
                (0..widths[0])
                    .map(|i| g[i] * f[i][1] + 2.0 * g_q[i] * f[i][2] * p[i])
                    .collect()
            });
            g = Jet {
                value: value.collect(),
                slopes: slopes.collect(),
                bend: (0..widths[0]).map(|i| g_q[i] * f[i][1]).collect(),
            };
        }
    }

    /// The loss that the terms say and its gradient in the parameters, with the points given in f64.
    pub fn loss(&self, terms: &Terms, rows: &[f64]) -> (f64, Vec<f64>) {
        let d = terms.dimension();
        let each = rows.chunks(d).enumerate();
        let directions = |i: usize| -> Vec<Vec<f64>> {
            match terms.asks() {
                Asks::Energies(_) => Vec::new(),
                Asks::Jets => axes(d),
                Asks::JetsAlong(all, k) => {
                    let own = &all[i * k * d..(i + 1) * k * d];
                    own.chunks(d).map(doubles).collect()
                }
            }
        };
        let is_energies = matches!(terms.asks(), Asks::Energies(_));
        let numbers = each.clone().flat_map(|(i, x)| {
            let jet = self.jet(x, &directions(i));
            if is_energies { vec![jet[0]] } else { jet }
        });
        let numbers: Vec<f64> = numbers.collect();
        let mut slopes = vec![f64::NAN; numbers.len()];
        let value = terms.evaluate(&numbers, &mut slopes);
        let mut gradient = vec![0.0; self.parameters.len()];
        let width = if is_energies { 1 } else { terms.width() };
        for ((i, x), c) in each.zip(slopes.chunks(width)) {
            let c = if is_energies {
                vec![c[0], 0.0]
            } else {
                c.to_vec()
            };
            self.pull_back(x, &directions(i), &c, &mut gradient);
        }
        (value, gradient)
    }
}

/// f, f', f'' and f'''.
fn bend(activation: Activation, z: f64) -> [f64; 4] {
    let s = 1.0 / (1.0 + (-z).exp());
    let bell = s * (1.0 - s);
    match activation {
        Activation::Softplus => {
            let value = z.max(0.0) + (-z.abs()).exp().ln_1p();
            [value, s, bell, bell * (1.0 - 2.0 * s)]
        }
        Activation::Silu => {
            let (second, third) = (bell * (1.0 - 2.0 * s), bell * (1.0 - 6.0 * bell));
            [
                z * s,
                s + z * bell,
                2.0 * bell + z * second,
                3.0 * second + z * third,
            ]
        }
        Activation::Tanh => {
            let t = z.tanh();
            let s = 1.0 - t * t;
            [t, s, -2.0 * t * s, s * (6.0 * t * t - 2.0)]
        }
        Activation::LeakyRelu(slope) if z > 0.0 => [z, 1.0, 0.0, 0.0 * slope],
        Activation::LeakyRelu(slope) => [slope * z, slope, 0.0, 0.0],
    }
}

pub fn axes(d: usize) -> Vec<Vec<f64>> {
    (0..d)
        .map(|i| (0..d).map(|j| f64::from(u8::from(i == j))).collect())
        .collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

pub fn doubles(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

pub fn singles(values: &[f64]) -> Vec<f32> {
    values.iter().map(|value| *value as f32).collect()
}

/// x_i, then x_ij = x_i + s (ξ_i + ξ'_ij), in f64.
pub fn groups(x: &[f64], d: usize, s: f64, shared: &[f64], own: &[f64]) -> Vec<f64> {
    let m = own.len() / x.len();
    let mut rows = Vec::new();
    for (i, (x, shared)) in x.chunks(d).zip(shared.chunks(d)).enumerate() {
        rows.extend(x);
        for own in own[i * m * d..(i + 1) * m * d].chunks(d) {
            rows.extend((0..d).map(|k| x[k] + s * (shared[k] + own[k])));
        }
    }
    rows
}

/// Gaussian noise that is given.
#[derive(Clone, Debug)]
pub struct Given {
    pub std: f64,
    pub shared: Vec<f32>,
    pub own: Vec<f32>,
}

impl Perturbation for Given {
    fn perturb(&self, _: &[f32], _: &mut [f32], _: &mut Rng) -> Result<(), Error> {
        unreachable!("the whole batch is given")
    }

    fn groups(&self, x: &[f32], d: usize, _: usize, _: &mut Rng) -> Result<Vec<f32>, Error> {
        energy_discrepancy::loss::Gaussian::with_std(self.std).groups_of(
            x,
            d,
            &self.shared,
            &self.own,
        )
    }
}

/// Langevin steps whose noise is given, step after step.
#[derive(Debug)]
pub struct GivenLangevin {
    pub step_size: f64,
    pub noise: Vec<Vec<f32>>,
    pub next: AtomicUsize,
}

impl GivenLangevin {
    pub fn new(step_size: f64, noise: Vec<Vec<f32>>) -> Self {
        let next = AtomicUsize::new(0);
        Self {
            step_size,
            noise,
            next,
        }
    }
}

impl Sampler for GivenLangevin {
    fn step(&self, energy: &dyn Energy, state: &mut State, _: &mut Rng) -> Result<Info, Error> {
        let step = self.next.fetch_add(1, Ordering::Relaxed) % self.noise.len();
        Langevin::with_step_size(self.step_size).step_with(energy, state, &self.noise[step])?;
        Ok(Info { acceptance: 1.0 })
    }
}
