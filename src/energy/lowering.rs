//! From an expression's plan to the fused engine's operations.

use super::expression::Op;
use super::plan::{Plan, Step};
use super::window::Taps;
use crate::Error;
use crate::kernel::{Engine, Function, Graph, Operation, Sums, Windows};
use std::sync::Arc;

/// The engine of a plan, with parameters of these numbers of values.
pub(super) fn engine(plan: &Plan, dimension: usize, counts: &[usize]) -> Result<Engine, Error> {
    let starts = counts.iter().scan(0, |end, count| {
        *end += count;
        Some(*end - count)
    });
    let mut lowering = Lowering {
        steps: &plan.steps,
        starts: starts.collect(),
        graph: Graph::new(dimension, counts.iter().sum()),
        nodes: Vec::with_capacity(plan.steps.len()),
        points: None,
    };
    for step in &plan.steps {
        let node = lowering.step(step)?;
        lowering.nodes.push(node);
    }
    Ok(Engine::new(lowering.graph)?)
}

struct Lowering<'a> {
    steps: &'a [Step],
    /// Where each parameter begins among all.
    starts: Vec<usize>,
    graph: Graph,
    /// Of each step its node; a parameter has none until its value is asked for.
    nodes: Vec<Option<usize>>,
    points: Option<usize>,
}

impl Lowering<'_> {
    fn push(
        &mut self,
        operation: Operation,
        inputs: &[usize],
        width: usize,
    ) -> Result<usize, Error> {
        Ok(self.graph.push(operation, inputs, width)?)
    }

    /// The node with a step's numbers.
    fn value(&mut self, step: usize) -> Result<usize, Error> {
        if let Some(node) = self.nodes[step] {
            return Ok(node);
        }
        let node = self.push(
            Operation::Parameter(self.start(step)?),
            &[],
            self.steps[step].width(),
        )?;
        self.nodes[step] = Some(node);
        Ok(node)
    }

    /// Where a step's parameters begin.
    fn start(&self, step: usize) -> Result<usize, Error> {
        let number = self.steps[step].parameter;
        let start = number.and_then(|number| self.starts.get(number));
        start
            .copied()
            .ok_or_else(|| Error::Tensor("an operation without its parameter".into()))
    }

    /// The same with a single feature as so many.
    fn wide(&mut self, step: usize, width: usize) -> Result<usize, Error> {
        let node = self.value(step)?;
        match self.steps[step].width() {
            1 if width > 1 => self.sums(node, 1, vec![vec![0]; width], 1.0),
            _ => Ok(node),
        }
    }

    /// Sums of the features of a node.
    fn sums(
        &mut self,
        node: usize,
        width: usize,
        lists: Vec<Vec<usize>>,
        by: f32,
    ) -> Result<usize, Error> {
        let sums = Operation::Sums(Arc::new(Sums::new(width, &lists)?), by);
        self.push(sums, &[node], lists.len())
    }

    /// Windows over the image before a step or, of the transposed ones, behind it.
    fn windows(taps: &Taps) -> Result<Arc<Windows>, Error> {
        let windows = Windows::new(taps.area, taps.size, &taps.places)?;
        Ok(Arc::new(windows))
    }

    /// The node of a step, but for parameters.
    fn step(&mut self, step: &Step) -> Result<Option<usize>, Error> {
        let (inputs, width) = (&step.inputs[..], step.width());
        let before = |i: usize| &self.steps[inputs[i]];
        let node = match &step.op {
            Op::Parameter(_) => return Ok(None),
            Op::Points => match self.points {
                Some(points) => points,
                None => {
                    let points = self.push(Operation::Points, &[], width)?;
                    self.points = Some(points);
                    points
                }
            },
            Op::Direction(_) => return Err(Error::Tensor("a direction in an energy".into())),
            Op::Constant(number) => self.push(Operation::Constant(*number as f32), &[], 1)?,
            Op::Dense => {
                let weight = self.start(inputs[1])?;
                let bias = inputs.get(2).map(|bias| self.start(*bias)).transpose()?;
                let x = self.value(inputs[0])?;
                self.push(Operation::Dense { weight, bias }, &[x], width)?
            }
            Op::Function(function) => {
                let x = self.value(inputs[0])?;
                self.push(Operation::Function(*function), &[x], width)?
            }
            Op::Affine { by, plus } => {
                let (by, plus) = (*by as f32, *plus as f32);
                let x = self.value(inputs[0])?;
                self.push(Operation::Affine { by, plus }, &[x], width)?
            }
            Op::Add | Op::Multiply => {
                let both = [self.wide(inputs[0], width)?, self.wide(inputs[1], width)?];
                let operation = match step.op {
                    Op::Add => Operation::Add,
                    _ => Operation::Multiply,
                };
                self.push(operation, &both, width)?
            }
            Op::Sum => {
                let count = before(0).width();
                let x = self.value(inputs[0])?;
                self.sums(x, count, vec![(0..count).collect()], 1.0)?
            }
            Op::Spread => self.wide(inputs[0], width)?,
            Op::Largest => {
                let x = self.value(inputs[0])?;
                self.push(Operation::Largest, &[x], 1)?
            }
            Op::Concat => {
                let parts: Result<Vec<usize>, Error> =
                    inputs.iter().map(|input| self.value(*input)).collect();
                self.push(Operation::Concat, &parts?, width)?
            }
            Op::Slice(first) => {
                let count = before(0).width();
                let x = self.value(inputs[0])?;
                let own = (0..width).map(|feature| vec![first + feature]);
                self.sums(x, count, own.collect(), 1.0)?
            }
            Op::Reshape => self.value(inputs[0])?,
            // x - c_k, its square, and the sum of each d.
            Op::Distances => {
                let d = before(0).width();
                let all = width * d;
                let x = self.value(inputs[0])?;
                let x = self.sums(x, d, (0..all).map(|i| vec![i % d]).collect(), 1.0)?;
                let centres = self.value(inputs[1])?;
                let negative = Operation::Affine {
                    by: -1.0,
                    plus: 0.0,
                };
                let negative = self.push(negative, &[centres], all)?;
                let apart = self.push(Operation::Add, &[x, negative], all)?;
                let squares = self.push(Operation::Function(Function::Power(2)), &[apart], all)?;
                let own = (0..width).map(|k| (k * d..(k + 1) * d).collect());
                self.sums(squares, all, own.collect(), 1.0)?
            }
            Op::Convolution(window) => {
                let taps = Taps::new(&before(0).sizes, &step.sizes, *window);
                let windows = Self::windows(&taps)?;
                let weight = self.start(inputs[1])?;
                let bias = inputs.get(2).map(|bias| self.start(*bias)).transpose()?;
                let x = self.value(inputs[0])?;
                let operation = Operation::Convolution {
                    windows,
                    weight,
                    bias,
                };
                self.push(operation, &[x], width)?
            }
            Op::TransposedConvolution(window) => {
                let taps = Taps::new(&step.sizes, &before(0).sizes, *window);
                let windows = Self::windows(&taps)?;
                let weight = self.start(inputs[1])?;
                let bias = inputs.get(2).map(|bias| self.start(*bias)).transpose()?;
                let x = self.value(inputs[0])?;
                let operation = Operation::TransposedConvolution {
                    windows,
                    weight,
                    bias,
                };
                self.push(operation, &[x], width)?
            }
            Op::Pool(window) => {
                let taps = Taps::new(&before(0).sizes, &step.sizes, *window);
                let (count, per_window) = (before(0).width(), window.size * window.size);
                let places = taps.of_channels();
                let lists = places
                    .chunks(per_window)
                    .map(|places| places.iter().flatten().copied().collect());
                let x = self.value(inputs[0])?;
                self.sums(x, count, lists.collect(), 1.0 / per_window as f32)?
            }
            Op::Embedding(column) => {
                let table = self.start(inputs[1])?;
                let categories = before(1).sizes[0];
                let x = self.value(inputs[0])?;
                let operation = Operation::Embedding {
                    column: *column,
                    table,
                    categories,
                };
                self.push(operation, &[x], width)?
            }
        };
        Ok(Some(node))
    }
}
