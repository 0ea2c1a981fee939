//! An energy that is an expression of its points.

use super::derivative::in_order;
use super::double::DoubleNet;
use super::expression::{Expr, Initial, Node, Op, code};
#[cfg(not(feature = "cuda"))]
use super::flat::Flat;
#[cfg(not(feature = "cuda"))]
use super::lowering;
use super::plan::{Derived, Plan};
use super::{Parameter, Parameters};
#[cfg(not(feature = "cuda"))]
use crate::kernel::Engine;
#[cfg(not(feature = "cuda"))]
use crate::tensors::Values;
use crate::tensors::{device, from_f64, separate, to_vec};
use crate::{Error, rng};
use dfdx::prelude::*;
use rand_distr::{Distribution, StandardNormal, Uniform};
use std::collections::HashMap;
use std::fmt;
#[cfg(not(feature = "cuda"))]
use std::sync::OnceLock;
use std::sync::{Arc, Mutex, PoisonError};

/// An energy U: (B, D) → (B,) that is an expression of its points, with the parameters of its layers.
///
/// It trains, saves and loads as any net, and knows its derivatives, so that exact score matching takes it. On a CPU it
/// runs as one fused operation, forward and back; on a GPU, and inside [`super::Plain`], in ordinary dfdx operations.
///
/// # Examples
/// A mixture of experts: -ln Σ_k exp(-u_k(x) - λ_k |x - c_k|²/2).
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let x = Expr::points(2);
/// let experts = x.dense(16).silu().dense(4);
/// let precision = Expr::parameter("log_precision", &[0.0; 4]).exp();
/// let distances = x.squared_distances(4).named("centres");
/// let net = Net::new(-(-(experts + precision * distances * 0.5)).log_sum_exp(), 0)?;
///
/// let x = toy::gaussians_25().sample(8, &mut rng(0))?;
/// assert!(ScoreMatching.evaluate(&net, &x, &mut rng(0))?.is_finite());
/// # Ok::<(), Error>(())
/// ```
pub struct Net {
    result: Arc<Node>,
    input: Arc<Input>,
    plan: Arc<Plan>,
    #[cfg(not(feature = "cuda"))]
    engine: Arc<Engine>,
    /// The parameters in one list, until they may change.
    #[cfg(not(feature = "cuda"))]
    flat: OnceLock<Arc<Flat>>,
    /// Those of the last number of directions.
    derivatives: Mutex<Option<Arc<Derived>>>,
    parameters: Vec<(String, Weight)>,
    /// The parameters' numbers by the nodes' ids.
    numbers: HashMap<usize, usize>,
}

/// The points that an expression is of.
#[derive(Debug)]
pub(super) struct Input {
    dimension: usize,
    /// The columns that hold codes, and of how many categories.
    codes: Vec<(usize, usize)>,
}

impl Input {
    /// Whether points of this shape, `(B, D)`, and with these values can enter.
    pub(super) fn check(&self, shape: &(usize, usize), values: &[f32]) -> Result<(), Error> {
        let d = self.dimension;
        if shape.1 != d {
            let expected = format!("(B, {d}), as the net's input has,");
            return Err(Error::shape("x", shape, expected));
        }
        for (column, categories) in &self.codes {
            for row in values.chunks_exact(d) {
                code(f64::from(row[*column]), *column, *categories)?;
            }
        }
        Ok(())
    }
}

/// A parameter: a list with the sizes that PyTorch gives it.
pub(super) struct Weight {
    pub(super) sizes: Vec<usize>,
    pub(super) values: Tensor<(usize,), f32, AutoDevice>,
}

impl Net {
    /// A net whose parameters start as a seed has it.
    ///
    /// # Errors
    /// If the expression has a mistake in it, which the error names, or is not one number for each point, or two
    /// parameters have one name.
    pub fn new(energy: impl Into<Expr>, seed: u64) -> Result<Self, Error> {
        let energy = energy.into();
        let width = energy.checked()?.width();
        if width != 1 {
            return Err(wrong(format!(
                "an energy is one number for each point, and this has {width}: end it in `sum()`, `dense(1)` or the like"
            )));
        }
        Self::of(&energy, seed)
    }

    /// The same for an expression of any width: for what is no energy, and has a net in it.
    pub(crate) fn of(result: &Expr, seed: u64) -> Result<Self, Error> {
        let result = result.checked()?;
        let nodes = in_order([result]);
        let Some(points) = nodes.iter().find(|node| matches!(node.op, Op::Points)) else {
            return Err(wrong(
                "it does not depend on points: begin with `Expr::points`".into(),
            ));
        };
        let (device, mut rng) = (device()?, rng(seed));
        let named = names(&nodes);
        let (mut numbers, mut parameters) = (HashMap::new(), Vec::<(String, Weight)>::new());
        for node in &nodes {
            let Op::Parameter(initial) = &node.op else {
                continue;
            };
            let name = named.get(&node.id).cloned().unwrap_or_default();
            if parameters.iter().any(|(other, _)| *other == name) {
                return Err(wrong(format!("two parameters are named `{name}`")));
            }
            let count = node.width();
            let values: Vec<f64> = match initial {
                Initial::Uniform { inputs } => {
                    let bound = 1.0 / (*inputs as f64).sqrt();
                    let uniform = Uniform::new(-bound, bound).map_err(Error::tensor)?;
                    uniform.sample_iter(&mut rng).take(count).collect()
                }
                Initial::Normal => StandardNormal.sample_iter(&mut rng).take(count).collect(),
                Initial::Values(values) => values.clone(),
            };
            numbers.insert(node.id, parameters.len());
            let values = from_f64(&device, values.into_iter(), (count,))?;
            parameters.push((
                name,
                Weight {
                    sizes: node.sizes.clone(),
                    values,
                },
            ));
        }
        let plan = Plan::new(&[result], &numbers);
        let codes = nodes.iter().filter_map(|node| match node.op {
            Op::Embedding(column) => Some((column, node.inputs[1].sizes[0])),
            _ => None,
        });
        let input = Input {
            dimension: points.width(),
            codes: codes.collect(),
        };
        Ok(Self {
            #[cfg(not(feature = "cuda"))]
            engine: {
                let counts: Vec<usize> =
                    parameters.iter().map(|(_, weight)| weight.len()).collect();
                Arc::new(lowering::engine(&plan, input.dimension, &counts)?)
            },
            plan: Arc::new(plan),
            result: Arc::clone(result),
            input: Arc::new(input),
            #[cfg(not(feature = "cuda"))]
            flat: OnceLock::new(),
            derivatives: Mutex::new(None),
            parameters,
            numbers,
        })
    }

    /// Other names for the parameters, from their names and numbers.
    pub(super) fn rename(&mut self, name: impl Fn(&str, usize) -> String) {
        for (i, (own, _)) in self.parameters.iter_mut().enumerate() {
            *own = name(own, i);
        }
    }

    /// D.
    pub fn dimension(&self) -> usize {
        self.input.dimension
    }

    /// The same net in double precision, operation by operation and row by row: for checks.
    pub fn in_double(&self) -> DoubleNet {
        let parameters = self
            .parameters
            .iter()
            .map(|(_, weight)| to_vec(&weight.values));
        let parameters = parameters.map(|values| values.into_iter().map(f64::from).collect());
        DoubleNet::new(
            Arc::clone(&self.result),
            self.numbers.clone(),
            parameters.collect(),
        )
    }

    /// How many numbers the result of each point is.
    pub(crate) fn width(&self) -> usize {
        self.result.width()
    }

    /// The sizes of the result: the number of features, or channels, height and width.
    pub(crate) fn sizes(&self) -> &[usize] {
        &self.result.sizes
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(super) fn input(&self) -> &Arc<Input> {
        &self.input
    }

    #[cfg(not(feature = "cuda"))]
    pub(super) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The parameters in one list.
    #[cfg(not(feature = "cuda"))]
    pub(super) fn flat(&self) -> Arc<Flat> {
        let flat = || Arc::new(Flat::of(self.leaves()));
        Arc::clone(self.flat.get_or_init(flat))
    }

    /// The parameters' tensors.
    #[cfg(not(feature = "cuda"))]
    pub(super) fn leaves(&self) -> impl Iterator<Item = &Values> {
        self.parameters.iter().map(|(_, weight)| &weight.values)
    }

    pub(super) fn weight(&self, number: usize) -> &Weight {
        &self.parameters[number].1
    }

    /// The operations for U and its derivatives along so many directions.
    pub(super) fn derived(&self, directions: usize) -> Result<Arc<Derived>, Error> {
        let mut last = self
            .derivatives
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = last.as_ref().filter(|last| last.directions == directions) {
            return Ok(Arc::clone(last));
        }
        let made = Arc::new(Derived::new(&self.result, &self.numbers, directions)?);
        *last = Some(Arc::clone(&made));
        Ok(made)
    }
}

fn wrong(reason: String) -> Error {
    Error::Energy {
        energy: "expression".into(),
        reason,
    }
}

/// Parameters' names by their nodes' ids.
fn names(nodes: &[Arc<Node>]) -> HashMap<usize, String> {
    let (mut names, mut counts) = (HashMap::new(), HashMap::<&str, usize>::new());
    for node in nodes {
        if let (Op::Parameter(_), Some(name)) = (&node.op, &node.name) {
            names.insert(node.id, name.clone());
        }
        let kind = match node.op {
            Op::Dense => "dense",
            Op::Convolution(_) => "conv",
            Op::TransposedConvolution(_) => "conv_transpose",
            Op::Distances => "centres",
            Op::Embedding(_) => "embedding",
            _ => continue,
        };
        let own: Vec<&Arc<Node>> = node.inputs[1..]
            .iter()
            .filter(|input| input.name.is_none())
            .collect();
        let layer = node.name.clone().unwrap_or_else(|| {
            let count = counts.entry(kind).or_default();
            *count += 1;
            format!("{kind}{count}")
        });
        match own[..] {
            [weight, bias] => {
                names.insert(weight.id, format!("{layer}.weight"));
                names.insert(bias.id, format!("{layer}.bias"));
            }
            [table] => {
                names.insert(table.id, layer);
            }
            _ => {}
        }
    }
    names
}

impl Parameters for Net {
    fn parameters(&self) -> Vec<(&str, &dyn Parameter)> {
        let each = self.parameters.iter();
        each.map(|(name, weight)| (name.as_str(), weight as &dyn Parameter))
            .collect()
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut dyn Parameter)> {
        #[cfg(not(feature = "cuda"))]
        self.flat.take();
        let each = self.parameters.iter_mut();
        each.map(|(name, weight)| (name.as_str(), weight as &mut dyn Parameter))
            .collect()
    }
}

impl Parameter for Weight {
    fn sizes(&self) -> Vec<usize> {
        self.sizes.clone()
    }

    fn values(&self) -> Vec<f32> {
        to_vec(&self.values)
    }

    fn set(&mut self, values: &[f32]) -> Result<(), Error> {
        self.values.set(values)
    }

    fn read_gradient(
        &self,
        gradients: &mut Gradients<f32, AutoDevice>,
        into: &mut [f32],
    ) -> Result<(), Error> {
        self.values.read_gradient(gradients, into)
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count: usize = self.parameters.iter().map(|(_, weight)| weight.len()).sum();
        let operations = self
            .plan
            .steps
            .iter()
            .filter(|step| step.parameter.is_none())
            .count()
            - 1;
        write!(
            f,
            "an energy of {} coordinates: {operations} operations, {count} parameters",
            self.dimension()
        )?;
        for (name, weight) in &self.parameters {
            write!(f, "\n{name} {:?}", weight.sizes)?;
        }
        Ok(())
    }
}

/// The copy has tensors of its own: gradients of the two nets never mix.
impl Clone for Net {
    fn clone(&self) -> Self {
        let parameters = self.parameters.iter().map(|(name, weight)| {
            let (sizes, values) = (weight.sizes.clone(), separate(&weight.values));
            (name.clone(), Weight { sizes, values })
        });
        Self {
            result: Arc::clone(&self.result),
            input: Arc::clone(&self.input),
            plan: Arc::clone(&self.plan),
            #[cfg(not(feature = "cuda"))]
            engine: Arc::clone(&self.engine),
            #[cfg(not(feature = "cuda"))]
            flat: OnceLock::new(),
            derivatives: Mutex::new(None),
            parameters: parameters.collect(),
            numbers: self.numbers.clone(),
        }
    }
}
