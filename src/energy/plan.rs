//! The operations of some expressions in the order in which they run.

use super::derivative::{derivatives, in_order};
use super::expression::{Node, Op};
use crate::Error;
use std::collections::HashMap;
use std::sync::Arc;

/// One operation.
pub(super) struct Step {
    pub(super) op: Op,
    /// Steps before this one.
    pub(super) inputs: Vec<usize>,
    pub(super) sizes: Vec<usize>,
    /// Of a parameter, its number.
    pub(super) parameter: Option<usize>,
    /// Steps whose numbers nothing needs behind this one.
    pub(super) frees: Vec<usize>,
}

impl Step {
    pub(super) fn width(&self) -> usize {
        self.sizes.iter().product()
    }
}

/// All operations that some expressions need.
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// The expressions' own steps.
    pub(super) ends: Vec<usize>,
}

impl Plan {
    /// `parameters` are the numbers of parameters by the nodes' ids.
    pub(super) fn new(ends: &[&Arc<Node>], parameters: &HashMap<usize, usize>) -> Self {
        let nodes = in_order(ends.iter().copied());
        let places: HashMap<usize, usize> = nodes
            .iter()
            .enumerate()
            .map(|(at, node)| (node.id, at))
            .collect();
        let place = |node: &Arc<Node>| places.get(&node.id).copied();
        let steps = nodes.iter().map(|node| Step {
            op: node.op.clone(),
            inputs: node.inputs.iter().filter_map(place).collect(),
            sizes: node.sizes.clone(),
            parameter: parameters.get(&node.id).copied(),
            frees: Vec::new(),
        });
        let mut steps: Vec<Step> = steps.collect();
        let ends: Vec<usize> = ends.iter().filter_map(|end| place(end)).collect();
        let mut is_needed = vec![false; steps.len()];
        ends.iter().for_each(|end| is_needed[*end] = true);
        for at in (0..steps.len()).rev() {
            let inputs = std::mem::take(&mut steps[at].inputs);
            for input in &inputs {
                if !std::mem::replace(&mut is_needed[*input], true) {
                    steps[at].frees.push(*input);
                }
            }
            steps[at].inputs = inputs;
        }
        Self { steps, ends }
    }
}

/// What computes U with its derivatives along K directions.
pub(super) struct Derived {
    pub(super) directions: usize,
    pub(super) plan: Plan,
    /// Which of the plan's ends is the derivative along each direction, where it is not 0.
    pub(super) slopes: Vec<Option<usize>>,
    pub(super) curvature: Option<usize>,
}

impl Derived {
    pub(super) fn new(
        energy: &Arc<Node>,
        numbers: &HashMap<usize, usize>,
        directions: usize,
    ) -> Result<Self, Error> {
        let made = derivatives(energy, directions)?;
        let mut ends = vec![energy];
        let slopes = made
            .slopes
            .iter()
            .map(|slope| place(&mut ends, slope))
            .collect();
        let curvature = place(&mut ends, &made.curvature);
        Ok(Self {
            directions,
            plan: Plan::new(&ends, numbers),
            slopes,
            curvature,
        })
    }
}

/// The number that this expression gets among the ends, if it is one.
fn place<'a>(ends: &mut Vec<&'a Arc<Node>>, expression: &'a Option<Arc<Node>>) -> Option<usize> {
    ends.push(expression.as_ref()?);
    Some(ends.len() - 1)
}
