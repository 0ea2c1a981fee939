//! An energy that is an expression of its points.

use super::derivative::in_order;
use super::double::DoubleNet;
use super::expression::{Expr, Initial, Node, Op};
use super::plan::{Derived, Plan};
use super::{Along, Energy, Jets, Parameter, Parameters};
use crate::tensors::{
    Points, TapedPoints, TapedValues, Values, device, from_f64, separate, to_vec,
};
use crate::{Error, rng};
use dfdx::prelude::*;
use rand_distr::{Distribution, StandardNormal, Uniform};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// An energy U: (B, D) → (B,) that is an expression of its points, with the parameters of its layers.
///
/// It trains, saves and loads as any net, and knows its derivatives, so that exact score matching takes it. It runs in
/// dfdx operations: eight to ten times slower than [`Mlp`](super::Mlp), which is fused.
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
    energy: Arc<Node>,
    dimension: usize,
    plan: Arc<Plan>,
    /// Those of the last number of directions.
    derivatives: Mutex<Option<Arc<Derived>>>,
    parameters: Vec<(String, Weight)>,
    /// The parameters' numbers by the nodes' ids.
    numbers: HashMap<usize, usize>,
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
        let wrong = |reason: String| Error::Energy {
            energy: "expression".into(),
            reason,
        };
        let energy = energy.into();
        let energy = energy.checked()?;
        if energy.width() != 1 {
            return Err(wrong(format!(
                "an energy is one number for each point, and this has {}: end it in `sum()`, `dense(1)` or the like",
                energy.width()
            )));
        }
        let nodes = in_order([energy]);
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
        Ok(Self {
            plan: Arc::new(Plan::new(&[energy], &numbers)),
            energy: Arc::clone(energy),
            dimension: points.width(),
            derivatives: Mutex::new(None),
            parameters,
            numbers,
        })
    }

    /// D.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The same net in double precision, operation by operation and row by row: for checks.
    pub fn in_double(&self) -> DoubleNet {
        let parameters = self
            .parameters
            .iter()
            .map(|(_, weight)| to_vec(&weight.values));
        let parameters = parameters.map(|values| values.into_iter().map(f64::from).collect());
        DoubleNet::new(
            Arc::clone(&self.energy),
            self.numbers.clone(),
            parameters.collect(),
        )
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
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
        let made = Arc::new(Derived::new(&self.energy, &self.numbers, directions)?);
        *last = Some(Arc::clone(&made));
        Ok(made)
    }

    fn check(&self, shape: &(usize, usize)) -> Result<(), Error> {
        if shape.1 == self.dimension {
            return Ok(());
        }
        let expected = format!("(B, {}), as the expression's points have,", self.dimension);
        Err(Error::shape("x", shape, expected))
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

impl Energy for Net {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        self.check(x.shape())?;
        let (x, tape) = x.split_tape();
        let (energy, tape) = self.values(&x, tape)?;
        Ok(energy.put_tape(tape))
    }

    fn energy(&self, x: &Points) -> Result<Values, Error> {
        self.check(x.shape())?;
        Ok(self.values(x, NoneTape)?.0)
    }

    fn jets_taped(&self, x: &Points, along: Along) -> Result<Jets, Error> {
        self.check(x.shape())?;
        self.jets(x, along)
    }

    fn is_tested(&self) -> bool {
        true
    }
}

impl Parameters for Net {
    fn parameters(&self) -> Vec<(&str, &dyn Parameter)> {
        let each = self.parameters.iter();
        each.map(|(name, weight)| (name.as_str(), weight as &dyn Parameter))
            .collect()
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut dyn Parameter)> {
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
            self.dimension
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
            energy: Arc::clone(&self.energy),
            dimension: self.dimension,
            plan: Arc::clone(&self.plan),
            derivatives: Mutex::new(None),
            parameters: parameters.collect(),
            numbers: self.numbers.clone(),
        }
    }
}
