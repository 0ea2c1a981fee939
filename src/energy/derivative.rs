//! Expressions for the derivatives of an expression.
//!
//! Derivatives along directions v_1, ..., v_K are carried forward: for each node u_k = v_k · ∇a, and the sum of
//! second derivatives w = Σ_k v_kᵀ (∇²a) v_k. Both are expressions again, of the same points and parameters, so
//! that whatever runs expressions runs their derivatives.

use super::Expr;
use super::expression::{Node, Op};
use super::function::Applied;
use crate::Error;
use std::collections::HashMap;
use std::sync::Arc;

/// What a node has beside its value; None for 0.
#[derive(Clone)]
struct Jet {
    slopes: Vec<Option<Expr>>,
    bend: Option<Expr>,
}

/// U, v_k · ∇U for each direction, and Σ_k v_kᵀ (∇²U) v_k, of which each but U may be 0: then it is None.
pub(super) struct Derivatives {
    pub(super) slopes: Vec<Option<Arc<Node>>>,
    pub(super) curvature: Option<Arc<Node>>,
}

/// Every node that this one needs, itself last: each behind its inputs, in the order in which a formula names
/// them.
pub(super) fn in_order<'a>(ends: impl IntoIterator<Item = &'a Arc<Node>>) -> Vec<Arc<Node>> {
    let mut seen = HashMap::new();
    let mut order = Vec::new();
    for end in ends {
        // A node is met twice: on the way to its inputs, and behind them.
        let mut way = vec![(Arc::clone(end), false)];
        while let Some((node, is_done)) = way.pop() {
            if is_done {
                order.push(node);
            } else if seen.insert(node.id, ()).is_none() {
                way.push((Arc::clone(&node), true));
                way.extend(
                    node.inputs
                        .iter()
                        .rev()
                        .map(|input| (Arc::clone(input), false)),
                );
            }
        }
    }
    order
}

/// The derivatives of an energy along K directions.
pub(super) fn derivatives(energy: &Arc<Node>, k: usize) -> Result<Derivatives, Error> {
    let mut jets: HashMap<usize, Jet> = HashMap::new();
    for node in in_order([energy]) {
        let inputs: Vec<&Jet> = node
            .inputs
            .iter()
            .filter_map(|input| jets.get(&input.id))
            .collect();
        let jet = carry(&node, &inputs, k);
        jets.insert(node.id, jet);
    }
    let Some(Jet { slopes, bend }) = jets.remove(&energy.id) else {
        return Ok(Derivatives {
            slopes: vec![None; k],
            curvature: None,
        });
    };
    let checked = |expr: Option<Expr>| expr.map(|expr| expr.checked().cloned()).transpose();
    Ok(Derivatives {
        slopes: slopes.into_iter().map(checked).collect::<Result<_, _>>()?,
        curvature: checked(bend)?,
    })
}

/// A node's derivatives from those of its inputs.
fn carry(node: &Arc<Node>, inputs: &[&Jet], k: usize) -> Jet {
    let value = |i: usize| Expr(Ok(Arc::clone(&node.inputs[i])));
    let slopes = |of: &dyn Fn(usize) -> Option<Expr>| (0..k).map(of).collect::<Vec<_>>();
    // The same operation, without its constant, on what belongs to the first input.
    let linear = |apply: &dyn Fn(&Expr) -> Expr| Jet {
        slopes: inputs[0]
            .slopes
            .iter()
            .map(|slope| slope.as_ref().map(apply))
            .collect(),
        bend: inputs[0].bend.as_ref().map(apply),
    };
    let again = |x: &Expr, op: &Op, others: usize| match &x.0 {
        Ok(x) => {
            let mut parts = vec![Arc::clone(x)];
            parts.extend(node.inputs[1..][..others].iter().cloned());
            Expr::node(op.clone(), parts, node.sizes.clone())
        }
        Err(_) => x.clone(),
    };
    match &node.op {
        Op::Points => Jet {
            slopes: slopes(&|k| Some(Expr::node(Op::Direction(k), Vec::new(), node.sizes.clone()))),
            bend: None,
        },
        Op::Direction(_) | Op::Parameter(_) | Op::Constant(_) | Op::Largest | Op::Embedding(_) => {
            Jet {
                slopes: vec![None; k],
                bend: None,
            }
        }
        Op::Affine { by, .. } => linear(&|x| x.affine(*by, 0.0)),
        Op::Sum | Op::Spread | Op::Slice(_) | Op::Reshape | Op::Pool(_) => {
            linear(&|x| again(x, &node.op, 0))
        }
        Op::Dense | Op::Convolution(_) | Op::TransposedConvolution(_) => {
            linear(&|x| again(x, &node.op, 1))
        }
        Op::Function(function) => {
            let [first, second] = function.derivatives(&value(0), &Expr(Ok(Arc::clone(node))));
            let along = slopes(&|k| product(first.as_ref(), inputs[0].slopes[k].as_ref()));
            let squares = inputs[0]
                .slopes
                .iter()
                .flatten()
                .map(Expr::square)
                .reduce(|a, b| a + b);
            let bend = plus(
                product(first.as_ref(), inputs[0].bend.as_ref()),
                product(second.as_ref(), squares.as_ref()),
            );
            Jet {
                slopes: along,
                bend,
            }
        }
        Op::Add => {
            let each = |a: Option<&Expr>, b: Option<&Expr>| {
                plus(a.cloned(), b.cloned()).map(|sum| sum.spread(&node.sizes))
            };
            Jet {
                slopes: slopes(&|k| {
                    each(inputs[0].slopes[k].as_ref(), inputs[1].slopes[k].as_ref())
                }),
                bend: each(inputs[0].bend.as_ref(), inputs[1].bend.as_ref()),
            }
        }
        Op::Multiply => {
            let (a, b) = (value(0), value(1));
            let rule = |da: Option<&Expr>, db: Option<&Expr>| {
                plus(product(da, Some(&b)), product(Some(&a), db))
            };
            let [one, other] = [&inputs[0].slopes, &inputs[1].slopes];
            let both = one
                .iter()
                .zip(other)
                .filter_map(|(a, b)| product(a.as_ref(), b.as_ref()));
            let twice = both.reduce(|a, b| a + b).map(|sum| sum * 2.0);
            Jet {
                slopes: slopes(&|k| rule(one[k].as_ref(), other[k].as_ref())),
                bend: plus(
                    rule(inputs[0].bend.as_ref(), inputs[1].bend.as_ref()),
                    twice,
                ),
            }
        }
        Op::Concat => {
            let join = |part: &dyn Fn(&Jet) -> Option<Expr>| {
                let parts: Vec<Option<Expr>> = inputs.iter().map(|input| part(input)).collect();
                if parts.iter().all(Option::is_none) {
                    return None;
                }
                let parts = parts.into_iter().zip(&node.inputs).map(|(part, input)| {
                    let sizes = [input.width()];
                    part.unwrap_or_else(|| {
                        Expr::node(Op::Constant(0.0), Vec::new(), vec![1]).spread(&sizes)
                    })
                });
                let parts: Vec<Expr> = parts.collect();
                Some(Expr::concat(&parts))
            };
            Jet {
                slopes: slopes(&|k| join(&|jet| jet.slopes[k].clone())),
                bend: join(&|jet| jet.bend.clone()),
            }
        }
        // r_j = |x - c_j|²: u_k = 2 (x - c_j) · ∂x, w = 2 (x - c_j) · ∂²x + 2 Σ |∂x|².
        Op::Distances => {
            let x = value(0);
            let along = |d: &Expr| {
                let own = (&x * d).sum();
                let of_centres = match &d.0 {
                    Ok(d) => Expr::node(
                        Op::Dense,
                        vec![Arc::clone(d), Arc::clone(&node.inputs[1])],
                        node.sizes.clone(),
                    ),
                    Err(_) => d.clone(),
                };
                (own - of_centres) * 2.0
            };
            let squares = inputs[0]
                .slopes
                .iter()
                .flatten()
                .map(|d| d.square().sum())
                .reduce(|a, b| a + b);
            let squares = squares.map(|sum| (sum * 2.0).spread(&node.sizes));
            Jet {
                slopes: slopes(&|k| inputs[0].slopes[k].as_ref().map(along)),
                bend: plus(inputs[0].bend.as_ref().map(along), squares),
            }
        }
    }
}

fn plus(a: Option<Expr>, b: Option<Expr>) -> Option<Expr> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (one, None) | (None, one) => one,
    }
}

fn product(a: Option<&Expr>, b: Option<&Expr>) -> Option<Expr> {
    Some(a? * b?)
}
