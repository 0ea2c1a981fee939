//! Expressions in double precision, operation by operation: what the others are held against.

use super::expression::{Node, Op, code};
use super::function::Applied;
use super::plan::{Derived, Plan, Step};
use super::window::Taps;
use crate::Error;
use std::collections::HashMap;
use std::sync::Arc;

/// A net in double precision, with parameters of its own: [`Net::in_double`](super::Net::in_double).
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let x = Expr::points(2);
/// let net = Net::new(x.square().sum() * 0.5 + x.dense(8).tanh().sum(), 0)?;
/// let point = points(vec![0.5, -1.0], (1, 2))?;
/// let single = f64::from(to_vec(&net.energy(&point)?)[0]);
/// assert!((net.in_double().energy(&[0.5, -1.0])? - single).abs() < 1e-6);
/// # Ok::<(), Error>(())
/// ```
pub struct DoubleNet {
    energy: Arc<Node>,
    numbers: HashMap<usize, usize>,
    plan: Plan,
    /// The parameters, in the order of [`Parameters::parameters`](super::Parameters::parameters).
    pub parameters: Vec<Vec<f64>>,
}

impl DoubleNet {
    pub(super) fn new(
        energy: Arc<Node>,
        numbers: HashMap<usize, usize>,
        parameters: Vec<Vec<f64>>,
    ) -> Self {
        Self {
            plan: Plan::new(&[&energy], &numbers),
            energy,
            numbers,
            parameters,
        }
    }

    /// U of a point.
    ///
    /// # Errors
    /// If the point has another dimension, or a code in it is none.
    pub fn energy(&self, x: &[f64]) -> Result<f64, Error> {
        Ok(self.run(&self.plan, x, &[])?[0])
    }

    /// U, v_k · ∇U for each direction v_k, and Σ_k v_kᵀ (∇²U) v_k, of a point.
    ///
    /// # Errors
    /// As [`DoubleNet::energy`].
    pub fn jet(&self, x: &[f64], directions: &[Vec<f64>]) -> Result<Vec<f64>, Error> {
        let derived = Derived::new(&self.energy, &self.numbers, directions.len())?;
        let ends = self.run(&derived.plan, x, directions)?;
        let value = |end: &Option<usize>| end.map_or(0.0, |end| ends[end]);
        let mut jet = vec![ends[0]];
        jet.extend(derived.slopes.iter().map(value));
        jet.push(value(&derived.curvature));
        Ok(jet)
    }

    fn run(&self, plan: &Plan, x: &[f64], directions: &[Vec<f64>]) -> Result<Vec<f64>, Error> {
        let mut values: Vec<Vec<f64>> = Vec::with_capacity(plan.steps.len());
        for step in &plan.steps {
            let value = self.step(step, &plan.steps, &values, (x, directions))?;
            values.push(value);
        }
        Ok(plan.ends.iter().map(|end| values[*end][0]).collect())
    }

    fn step(
        &self,
        step: &Step,
        steps: &[Step],
        values: &[Vec<f64>],
        (x, directions): (&[f64], &[Vec<f64>]),
    ) -> Result<Vec<f64>, Error> {
        let input = |i: usize| -> &[f64] { &values[step.inputs[i]] };
        let of = |i: usize, feature: usize| input(i)[if input(i).len() == 1 { 0 } else { feature }];
        let each = |f: &dyn Fn(usize) -> f64| (0..step.width()).map(f).collect::<Vec<f64>>();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let bias = |i: usize| {
            if step.inputs.len() > 2 {
                input(2)[i]
            } else {
                0.0
            }
        };
        Ok(match &step.op {
            Op::Points | Op::Direction(_) => {
                let given = match &step.op {
                    Op::Direction(k) => &directions[*k],
                    _ => x,
                };
                if given.len() != step.width() {
                    let expected = format!("{} coordinates", step.width());
                    return Err(Error::shape(
                        "the point or direction",
                        given.len(),
                        expected,
                    ));
                }
                given.to_vec()
            }
            Op::Parameter(_) => match step
                .parameter
                .and_then(|number| self.parameters.get(number))
            {
                Some(values) if values.len() == step.width() => values.clone(),
                found => {
                    let expected = format!("{} values", step.width());
                    return Err(Error::shape("a parameter", found.map(Vec::len), expected));
                }
            },
            Op::Constant(number) => vec![*number],
            Op::Function(function) => each(&|i| function.double(input(0)[i])),
            Op::Affine { by, plus } => each(&|i| by * input(0)[i] + plus),
            Op::Add => each(&|i| of(0, i) + of(1, i)),
            Op::Multiply => each(&|i| of(0, i) * of(1, i)),
            Op::Sum => vec![input(0).iter().sum()],
            Op::Spread => each(&|_| input(0)[0]),
            Op::Largest => vec![input(0).iter().copied().fold(f64::NEG_INFINITY, f64::max)],
            Op::Reshape => input(0).to_vec(),
            Op::Concat => (0..step.inputs.len())
                .flat_map(|i| input(i).to_vec())
                .collect(),
            Op::Slice(first) => each(&|i| input(0)[first + i]),
            Op::Dense => {
                let d = input(0).len();
                each(&|i| dot(&input(1)[i * d..][..d], input(0)) + bias(i))
            }
            Op::Distances => {
                let d = input(0).len();
                let square = |x: f64, c: f64| (x - c) * (x - c);
                each(&|i| {
                    input(0)
                        .iter()
                        .zip(&input(1)[i * d..])
                        .map(|(x, c)| square(*x, *c))
                        .sum()
                })
            }
            Op::Convolution(window) => {
                let taps = Taps::new(&steps[step.inputs[0]].sizes, &step.sizes, *window);
                let pixels = taps.of_pixels();
                let numbers: Vec<f64> = pixels
                    .iter()
                    .map(|at| at.map_or(0.0, |at| input(0)[at]))
                    .collect();
                each(&|i| {
                    let (channel, pixel) = (i / taps.pixels, i % taps.pixels);
                    let weights = &input(1)[channel * taps.inputs()..][..taps.inputs()];
                    dot(weights, &numbers[pixel * taps.inputs()..]) + bias(channel)
                })
            }
            Op::TransposedConvolution(window) => {
                let from = &steps[step.inputs[0]].sizes;
                let taps = Taps::new(&step.sizes, from, *window);
                let places = taps.of_pixels();
                let area = step.width() / step.sizes[0];
                let mut image = each(&|i| bias(i / area));
                for (i, x) in input(0).iter().enumerate() {
                    let (channel, pixel) = (i / taps.pixels, i % taps.pixels);
                    let weights = &input(1)[channel * taps.inputs()..][..taps.inputs()];
                    let window = &places[pixel * taps.inputs()..][..taps.inputs()];
                    for (place, weight) in window.iter().zip(weights) {
                        if let Some(place) = place {
                            image[*place] += weight * x;
                        }
                    }
                }
                image
            }
            Op::Pool(window) => {
                let taps = Taps::new(&steps[step.inputs[0]].sizes, &step.sizes, *window);
                let per_window = window.size * window.size;
                let numbers = taps.of_channels();
                let sum = |numbers: &[Option<usize>]| -> f64 {
                    numbers.iter().flatten().map(|at| input(0)[*at]).sum()
                };
                numbers
                    .chunks(per_window)
                    .map(|numbers| sum(numbers) / per_window as f64)
                    .collect()
            }
            Op::Embedding(column) => {
                let categories = steps[step.inputs[1]].sizes[0];
                let row = code(input(0)[*column], *column, categories)?;
                input(1)[row * step.width()..][..step.width()].to_vec()
            }
        })
    }
}
