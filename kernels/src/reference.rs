//! The kernels' meaning in plain f64 code, and the networks that tests compare them on.

use super::{Engine, Function, Graph, Network, Operation};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

/// A network in f64.
#[derive(Clone)]
pub(crate) struct Reference {
    pub(crate) widths: Vec<usize>,
    pub(crate) activation: Function,
    pub(crate) parameters: Vec<f64>,
}

impl Reference {
    /// A network with parameters of such a size that all activations matter.
    pub(crate) fn random(widths: &[usize], activation: Function, seed: u64) -> Self {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let mut parameters = Vec::new();
        for widths in widths.windows(2) {
            let bound = 1.5 / (widths[0] as f32).sqrt();
            let count = (widths[0] + 1) * widths[1];
            parameters.extend((0..count).map(|_| f64::from(rng.random_range(-bound..bound))));
        }
        Self {
            widths: widths.to_vec(),
            activation,
            parameters,
        }
    }

    pub(crate) fn rounded(&self) -> Vec<f32> {
        self.parameters.iter().map(|p| *p as f32).collect()
    }

    /// What runs it.
    pub(crate) fn engine(&self) -> Engine {
        let mut graph = Graph::new(self.widths[0], self.parameters.len());
        let mut x = graph.push(Operation::Points, &[], self.widths[0]).unwrap();
        let mut weight = 0;
        for (l, widths) in self.widths.windows(2).enumerate() {
            if l > 0 {
                let function = Operation::Function(self.activation);
                x = graph.push(function, &[x], widths[0]).unwrap();
            }
            let bias = weight + widths[0] * widths[1];
            let layer = Operation::Dense {
                weight,
                bias: Some(bias),
            };
            x = graph.push(layer, &[x], widths[1]).unwrap();
            weight = bias + widths[1];
        }
        Engine::new(graph).unwrap()
    }

    /// U(x).
    pub(crate) fn energy(&self, x: &[f64]) -> f64 {
        let mut a = x.to_vec();
        let mut rest = &self.parameters[..];
        for (l, widths) in self.widths.windows(2).enumerate() {
            let (weight, after) = rest.split_at(widths[0] * widths[1]);
            let (bias, after) = after.split_at(widths[1]);
            let affine = |(weight, bias): (&[f64], &f64)| {
                weight.iter().zip(&a).map(|(w, a)| w * a).sum::<f64>() + bias
            };
            a = weight.chunks(widths[0]).zip(bias).map(affine).collect();
            if l + 2 < self.widths.len() {
                a.iter_mut().for_each(|z| *z = bend(self.activation, *z));
            }
            rest = after;
        }
        a[0]
    }

    /// ∇U(x), by differences.
    pub(crate) fn gradient(&self, x: &[f64]) -> Vec<f64> {
        (0..x.len())
            .map(|d| difference(x, d, 1e-5, |x| self.energy(x)))
            .collect()
    }

    /// ΔU(x), by differences.
    pub(crate) fn laplacian(&self, x: &[f64]) -> f64 {
        let h = 2e-3;
        let second = |d: usize| {
            let at = |t: f64| {
                let mut x = x.to_vec();
                x[d] += t * h;
                self.energy(&x)
            };
            // Of sixth order.
            let pairs = [(1.5, 1.0), (-0.15, 2.0), (1.0 / 90.0, 3.0)];
            let sum: f64 = pairs.iter().map(|(c, t)| c * (at(*t) + at(-t))).sum();
            (sum - 49.0 / 18.0 * at(0.0)) / (h * h)
        };
        (0..x.len()).map(second).sum()
    }

    /// The derivatives of a loss of the network with respect to some parameters, by differences.
    pub(crate) fn sensitivity(
        &self,
        at: &[usize],
        h: f64,
        loss: impl Fn(&Self) -> f64,
    ) -> Vec<f64> {
        let loss = |parameters: &[f64]| {
            loss(&Self {
                parameters: parameters.to_vec(),
                ..self.clone()
            })
        };
        at.iter()
            .map(|i| difference(&self.parameters, *i, h, loss))
            .collect()
    }
}

/// The derivative of f along coordinate `i` of x.
fn difference(x: &[f64], i: usize, h: f64, f: impl Fn(&[f64]) -> f64) -> f64 {
    let at = |t: f64| {
        let mut x = x.to_vec();
        x[i] += t * h;
        f(&x)
    };
    (8.0 * (at(1.0) - at(-1.0)) - (at(2.0) - at(-2.0))) / (12.0 * h)
}

fn bend(activation: Function, z: f64) -> f64 {
    match activation {
        Function::Softplus => z.max(0.0) + (-z.abs()).exp().ln_1p(),
        Function::Silu => z / (1.0 + (-z).exp()),
        Function::LeakyRelu(slope) => z.max(0.0) + slope * z.min(0.0),
        Function::Tanh => z.tanh(),
        other => panic!("{other:?} is no activation"),
    }
}

/// All activations.
pub(crate) const ACTIVATIONS: [Function; 4] = [
    Function::Softplus,
    Function::Silu,
    Function::LeakyRelu(0.05),
    Function::Tanh,
];

/// Widths that meet every path: one layer, width 1, few and many inputs, widths that no tile
/// divides.
pub(crate) const WIDTHS: [&[usize]; 8] = [
    &[1, 1],
    &[3, 1],
    &[1, 2, 2, 1],
    &[2, 1, 1],
    &[2, 37, 1],
    &[1, 19, 5, 33, 1],
    &[3, 16, 4, 6, 7, 1],
    &[9, 50, 64, 1],
];

/// `rows x D` points.
pub(crate) fn points(rows: usize, dimension: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    (0..rows * dimension)
        .map(|_| rng.random_range(-2.0..2.0))
        .collect()
}

/// One row in f64.
pub(crate) fn row(x: &[f32], dimension: usize, r: usize) -> Vec<f64> {
    x[r * dimension..][..dimension]
        .iter()
        .map(|x| f64::from(*x))
        .collect()
}

/// Some parameters, those of every call: the first, the last and others.
pub(crate) fn some(count: usize) -> Vec<usize> {
    let mut some: Vec<usize> = (0..count).step_by((count / 6).max(1)).collect();
    some.push(count - 1);
    some
}

/// Asserts that a value has an error below `tolerance` times the larger of the exact one and
/// `scale`.
pub(crate) fn assert_close(value: f32, exact: f64, scale: f64, tolerance: f64, what: &str) {
    let error = (f64::from(value) - exact).abs();
    assert!(
        error <= tolerance * exact.abs().max(scale),
        "{what}: {value} is not {exact}"
    );
}

/// A formula of single terms of this width.
pub(crate) fn each(
    width: usize,
    term: impl Fn(usize, &[f64], &mut [f64]) -> f64 + Sync,
) -> impl Fn(usize, &[f64], &mut [f64]) -> f64 + Sync {
    move |first, numbers, slopes| {
        let terms = numbers
            .chunks_exact(width)
            .zip(slopes.chunks_exact_mut(width));
        terms
            .enumerate()
            .map(|(i, (numbers, slopes))| term(first + i, numbers, slopes))
            .sum()
    }
}

/// log(1 + Σ exp(U_0 - U_j)) and its slopes.
pub(crate) fn discrepancy(_: usize, u: &[f64], slopes: &mut [f64]) -> f64 {
    let most = u.iter().map(|other| u[0] - other).fold(0.0, f64::max);
    let mut sum = (-most).exp();
    slopes[0] = 0.0;
    for j in 1..u.len() {
        slopes[j] = -(u[0] - u[j] - most).exp();
        sum -= slopes[j];
    }
    for j in 1..u.len() {
        slopes[j] /= sum;
        slopes[0] -= slopes[j];
    }
    most + sum.ln()
}

/// ½ |∇U|² - ΔU of a jet and its slopes.
pub(crate) fn score_matching(_: usize, jet: &[f64], slopes: &mut [f64]) -> f64 {
    let d = jet.len() - 2;
    slopes[0] = 0.0;
    slopes[1..=d].copy_from_slice(&jet[1..=d]);
    slopes[d + 1] = -1.0;
    0.5 * jet[1..=d].iter().map(|g| g * g).sum::<f64>() - jet[d + 1]
}

/// U, ∇U and ΔU of each row, as a loss sees them.
pub(crate) fn jets(network: &Network, x: &[f32], directions: Option<(&[f32], usize)>) -> Vec<f32> {
    let rows = network.rows(x).unwrap();
    let width = 2 + directions.map_or(network.dimension(), |(_, k)| k);
    let jets = std::sync::Mutex::new(vec![f32::NAN; rows * width]);
    let keep = |i: usize, jet: &[f64], slopes: &mut [f64]| {
        slopes.fill(0.0);
        let own = &mut jets.lock().unwrap()[i * width..(i + 1) * width];
        own.iter_mut()
            .zip(jet)
            .for_each(|(to, from)| *to = *from as f32);
        0.0
    };
    let mut gradient = vec![0.0; network.parameters()];
    let keep = each(width, &keep);
    super::jet_gradient(network, x, directions, (&keep, 1.0), &mut gradient).unwrap();
    jets.lock().unwrap().clone()
}
