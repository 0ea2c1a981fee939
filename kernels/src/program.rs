//! A graph as steps over a block of rows, forward and back, with a place for every number.
//!
//! Each node gets a slot, some features of the block's memory, from its first to its last use. A step may take over the
//! slot of an input that nothing else needs: a function leaves its slopes there, and on the way back they become the
//! loss's derivatives with respect to the input.

use super::function::Function;
use super::graph::{Graph, Node, Operation, Sums, Windows};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// What a program is to give beside the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Purpose {
    /// First and second derivatives.
    pub(crate) jets: bool,
    /// ∂L/∂x.
    pub(crate) points: bool,
    /// ∂L/∂θ.
    pub(crate) parameters: bool,
}

/// The first of a slot's features.
pub(crate) type Slot = usize;

/// What becomes of what was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Into {
    Store,
    Add,
    Scale,
}

/// z = W x + b: where the parameters begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layer {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) weight: usize,
    pub(crate) bias: Option<usize>,
}

/// A layer that is applied to each window.
#[derive(Clone, Debug)]
pub(crate) struct WindowLayer {
    pub(crate) windows: Arc<Windows>,
    /// On the windows' side, and on the image's.
    pub(crate) channels: usize,
    pub(crate) planes: usize,
    pub(crate) weight: usize,
}

/// What fills a slot that no step computes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Filling {
    Number(f32),
    /// This parameter on.
    Parameters(usize),
    /// One parameter for so many features.
    PerPlane(usize, usize),
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Load {
        to: Slot,
    },
    Fill {
        to: Slot,
        width: usize,
        with: Filling,
    },
    Dense {
        from: Slot,
        to: Slot,
        layer: Layer,
    },
    /// W times each window.
    Gather {
        from: Slot,
        to: Slot,
        layer: WindowLayer,
        bias: Option<usize>,
        into: Into,
    },
    /// Wᵀ times each channel's numbers, added at each window's places.
    Scatter {
        from: Slot,
        to: Slot,
        layer: WindowLayer,
    },
    Apply {
        function: Function,
        at: Slot,
        width: usize,
    },
    Bend {
        function: Function,
        before: Slot,
        after: Slot,
        width: usize,
    },
    Affine {
        from: Slot,
        to: Slot,
        width: usize,
        by: f32,
        plus: f32,
        into: Into,
    },
    /// Some features behind the first so many of each slot.
    Copy {
        from: Slot,
        to: Slot,
        skip: (usize, usize),
        width: usize,
        into: Into,
    },
    Multiply {
        a: Slot,
        b: Slot,
        to: Slot,
        width: usize,
    },
    Sums {
        from: Slot,
        to: Slot,
        sums: Arc<Sums>,
        reversed: bool,
        scale: f32,
        into: Into,
    },
    Largest {
        from: Slot,
        to: Slot,
        width: usize,
    },
    Embed {
        from: Slot,
        to: Slot,
        column: usize,
        width: usize,
        table: usize,
        categories: usize,
    },
    /// The result is complete.
    Result {
        from: Slot,
    },
    /// The loss's derivatives with respect to the result are given.
    Top {
        to: Slot,
    },
    DenseGradient {
        outer: Slot,
        inner: Slot,
        layer: Layer,
    },
    DenseReverse {
        outer: Slot,
        to: Slot,
        layer: Layer,
        into: Into,
    },
    /// Of a window layer's W: `channels` features of each window beside the image.
    WindowGradient {
        channels: Slot,
        image: Slot,
        layer: WindowLayer,
    },
    Unbend {
        function: Function,
        before: Slot,
        outer: Slot,
        width: usize,
    },
    Unmultiply {
        outer: Slot,
        other: Slot,
        to: Slot,
        width: usize,
        into: Into,
    },
    /// Of parameters that fill slots, each for so many features.
    ParameterGradient {
        from: Slot,
        parameter: usize,
        count: usize,
        each: usize,
    },
    EmbedGradient {
        points: Slot,
        outer: Slot,
        column: usize,
        width: usize,
        table: usize,
        categories: usize,
    },
    /// ∂L/∂x is complete.
    Unload {
        from: Slot,
    },
}

/// Steps over a block of rows, with the features of its memory as slots.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) steps: Vec<Step>,
    /// How many of them lead to the result.
    pub(crate) forward: usize,
    /// Features of the memory.
    pub(crate) features: usize,
    /// Those that the way back needs from the way there.
    pub(crate) kept: Vec<Range<usize>>,
    pub(crate) result: Slot,
    /// The loss's derivatives with respect to it.
    pub(crate) top: Slot,
}

impl Step {
    /// Every slot that it reads or writes.
    fn slots(&mut self) -> Vec<&mut Slot> {
        match self {
            Self::Load { to } | Self::Fill { to, .. } | Self::Top { to } => vec![to],
            Self::Result { from } | Self::Unload { from } => vec![from],
            Self::ParameterGradient { from, .. } => vec![from],
            Self::Apply { at, .. } => vec![at],
            Self::Dense { from, to, .. }
            | Self::Gather { from, to, .. }
            | Self::Scatter { from, to, .. }
            | Self::Affine { from, to, .. }
            | Self::Copy { from, to, .. }
            | Self::Sums { from, to, .. }
            | Self::Largest { from, to, .. }
            | Self::Embed { from, to, .. } => vec![from, to],
            Self::Bend { before, after, .. } => vec![before, after],
            Self::Unbend { before, outer, .. } => vec![before, outer],
            Self::DenseReverse { outer, to, .. } => vec![outer, to],
            Self::DenseGradient { outer, inner, .. } => vec![outer, inner],
            Self::WindowGradient {
                channels, image, ..
            } => vec![channels, image],
            Self::EmbedGradient { points, outer, .. } => vec![points, outer],
            Self::Multiply { a, b, to, .. } => vec![a, b, to],
            Self::Unmultiply {
                outer, other, to, ..
            } => vec![outer, other, to],
        }
    }
}

impl Program {
    pub(crate) fn new(graph: &Graph, purpose: Purpose) -> Self {
        let mut writer = Writer::new(graph, purpose);
        for node in 0..graph.nodes.len() {
            writer.forward(node);
        }
        let last = graph.nodes.len() - 1;
        let result = writer.values[last];
        writer.steps.push(Step::Result { from: result });
        let forward = writer.steps.len();
        let top = writer.slot(graph.nodes[last].width);
        if writer.needs[last] {
            writer.steps.push(Step::Top { to: top });
            writer.slopes[last] = Some(top);
            writer.holders[top] = 1;
            for node in (0..=last).rev() {
                writer.backward(node);
            }
        }
        let Writer { steps, sizes, .. } = writer;
        Self::placed(steps, forward, &sizes, [result, top])
    }

    /// The program with the slots in their places: each from its first to its last use, in the smallest gap.
    fn placed(mut steps: Vec<Step>, forward: usize, sizes: &[usize], ends: [Slot; 2]) -> Self {
        let mut uses: Vec<Option<(usize, usize)>> = vec![None; sizes.len()];
        for (at, step) in steps.iter_mut().enumerate() {
            for slot in step.slots() {
                uses[*slot] = Some(uses[*slot].map_or((at, at), |(first, _)| (first, at)));
            }
        }
        let mut places = vec![0; sizes.len()];
        let mut gaps: Vec<Range<usize>> = Vec::new();
        let mut features = 0;
        let mut order: Vec<usize> = (0..sizes.len())
            .filter(|slot| uses[*slot].is_some())
            .collect();
        order.sort_by_key(|slot| uses[*slot]);
        let mut order = order.into_iter().peekable();
        let mut alive: Vec<Slot> = Vec::new();
        for at in 0..steps.len() {
            while let Some(slot) =
                order.next_if(|slot| uses[*slot].is_some_and(|use_| use_.0 == at))
            {
                let size = sizes[slot];
                let fit = gaps.iter().enumerate().filter(|(_, gap)| gap.len() >= size);
                match fit.min_by_key(|(_, gap)| gap.len()).map(|(i, _)| i) {
                    Some(i) => {
                        places[slot] = gaps[i].start;
                        gaps[i].start += size;
                    }
                    None => {
                        // A gap at the end grows.
                        let start = match gaps.iter().position(|gap| gap.end == features) {
                            Some(last) => gaps.swap_remove(last).start,
                            None => features,
                        };
                        places[slot] = start;
                        features = start + size;
                    }
                }
                alive.push(slot);
            }
            alive.retain(|slot| {
                let is_over = uses[*slot].is_some_and(|use_| use_.1 == at);
                if is_over {
                    gaps.push(places[*slot]..places[*slot] + sizes[*slot]);
                }
                !is_over
            });
            gaps = joined(gaps);
        }
        let kept = (0..sizes.len())
            .filter(|slot| uses[*slot].is_some_and(|use_| use_.0 < forward && use_.1 >= forward));
        let kept = joined(
            kept.map(|slot| places[slot]..places[slot] + sizes[slot])
                .collect(),
        );
        for step in &mut steps {
            for slot in step.slots() {
                *slot = places[*slot];
            }
        }
        let [result, top] = ends.map(|slot| places[slot]);
        Self {
            steps,
            forward,
            features,
            kept,
            result,
            top,
        }
    }
}

/// The same features in as few ranges as possible.
fn joined(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => joined.push(range),
        }
    }
    joined
}

/// A program on its way, with a new slot for everything.
struct Writer<'g> {
    nodes: &'g [Node],
    purpose: Purpose,
    steps: Vec<Step>,
    /// Features of each slot.
    sizes: Vec<usize>,
    /// Of each node where its value is.
    values: Vec<Slot>,
    /// How often each node's value is still read.
    readers: Vec<usize>,
    /// How many nodes have each as an input.
    users: Vec<usize>,
    /// Whether the loss's derivative with respect to each is wanted.
    needs: Vec<bool>,
    /// Of functions, where their slopes are.
    bent: HashMap<usize, Slot>,
    /// Of each node the loss's derivatives with respect to it, as far as they are known.
    slopes: Vec<Option<Slot>>,
    /// By how many nodes each slot of derivatives is shared.
    holders: Vec<usize>,
}

impl<'g> Writer<'g> {
    fn new(graph: &'g Graph, purpose: Purpose) -> Self {
        let nodes = &graph.nodes[..];
        let mut needs = vec![false; nodes.len()];
        for (i, node) in nodes.iter().enumerate() {
            let own = match node.operation {
                Operation::Points => purpose.points,
                Operation::Parameter(_)
                | Operation::Dense { .. }
                | Operation::Convolution { .. }
                | Operation::TransposedConvolution { .. }
                | Operation::Embedding { .. } => purpose.parameters,
                _ => false,
            };
            let is_constant = matches!(
                node.operation,
                Operation::Largest | Operation::Embedding { .. }
            );
            needs[i] = own || !is_constant && node.inputs.iter().any(|input| needs[*input]);
        }
        let mut users = vec![0; nodes.len()];
        for input in nodes.iter().flat_map(|node| &node.inputs) {
            users[*input] += 1;
        }
        let mut readers = users.clone();
        if let Some(last) = readers.last_mut() {
            *last += 1;
        }
        for (i, node) in nodes.iter().enumerate() {
            match node.operation {
                Operation::Dense { .. }
                | Operation::Convolution { .. }
                | Operation::TransposedConvolution { .. }
                | Operation::Embedding { .. }
                    if purpose.parameters =>
                {
                    readers[node.inputs[0]] += 1;
                }
                Operation::Multiply if needs[i] => {
                    let [a, b] = [node.inputs[0], node.inputs[1]];
                    readers[a] += usize::from(needs[b]);
                    readers[b] += usize::from(needs[a]);
                }
                _ => {}
            }
        }
        Self {
            nodes,
            purpose,
            steps: Vec::new(),
            sizes: Vec::new(),
            values: Vec::new(),
            readers,
            users,
            needs,
            bent: HashMap::new(),
            slopes: vec![None; nodes.len()],
            holders: Vec::new(),
        }
    }

    fn slot(&mut self, width: usize) -> Slot {
        self.sizes.push(width);
        self.holders.push(0);
        self.sizes.len() - 1
    }

    /// The value of an input, for a step that reads it.
    fn read(&mut self, input: usize) -> Slot {
        self.readers[input] -= 1;
        self.values[input]
    }

    /// The same for a step that changes it: a copy if anything else still reads it.
    fn take(&mut self, input: usize) -> Slot {
        let slot = self.read(input);
        if self.readers[input] == 0 {
            return slot;
        }
        let width = self.nodes[input].width;
        let to = self.slot(width);
        self.copy(slot, to, (0, 0), width, Into::Store);
        to
    }

    fn copy(&mut self, from: Slot, to: Slot, skip: (usize, usize), width: usize, into: Into) {
        self.steps.push(Step::Copy {
            from,
            to,
            skip,
            width,
            into,
        });
    }

    fn forward(&mut self, node: usize) {
        let Node {
            operation,
            inputs,
            width,
        } = &self.nodes[node];
        let width = *width;
        let value = match operation {
            Operation::Points => {
                let to = self.slot(width);
                self.steps.push(Step::Load { to });
                to
            }
            Operation::Parameter(at) => self.filled(width, Filling::Parameters(*at)),
            Operation::Constant(number) => self.filled(width, Filling::Number(*number)),
            Operation::Dense { weight, bias } => {
                let (from, to) = (self.read(inputs[0]), self.slot(width));
                let layer = Layer {
                    inputs: self.nodes[inputs[0]].width,
                    outputs: width,
                    weight: *weight,
                    bias: *bias,
                };
                self.steps.push(Step::Dense { from, to, layer });
                to
            }
            Operation::Convolution {
                windows,
                weight,
                bias,
            } => {
                let (from, to) = (self.read(inputs[0]), self.slot(width));
                let layer = self.window_layer(windows, *weight, node, inputs[0]);
                let (bias, into) = (*bias, Into::Store);
                self.steps.push(Step::Gather {
                    from,
                    to,
                    layer,
                    bias,
                    into,
                });
                to
            }
            Operation::TransposedConvolution {
                windows,
                weight,
                bias,
            } => {
                let from = self.read(inputs[0]);
                let with = match bias {
                    Some(bias) => Filling::PerPlane(*bias, windows.pixels),
                    None => Filling::Number(0.0),
                };
                let to = self.filled(width, with);
                let layer = self.window_layer(windows, *weight, inputs[0], node);
                self.steps.push(Step::Scatter { from, to, layer });
                to
            }
            Operation::Function(function) => {
                let before = self.take(inputs[0]);
                let function = *function;
                if !self.needs[node] && !self.purpose.jets {
                    self.steps.push(Step::Apply {
                        function,
                        at: before,
                        width,
                    });
                    before
                } else {
                    let after = self.slot(width);
                    self.bent.insert(node, before);
                    self.steps.push(Step::Bend {
                        function,
                        before,
                        after,
                        width,
                    });
                    after
                }
            }
            Operation::Affine { by, plus } => {
                let from = self.read(inputs[0]);
                let to = match self.readers[inputs[0]] {
                    0 => from,
                    _ => self.slot(width),
                };
                self.steps.push(Step::Affine {
                    from,
                    to,
                    width,
                    by: *by,
                    plus: *plus,
                    into: Into::Store,
                });
                to
            }
            Operation::Add => {
                let [mut a, mut b] = [inputs[0], inputs[1]];
                if self.readers[a] > 1 && self.readers[b] == 1 {
                    (a, b) = (b, a);
                }
                let to = self.take(a);
                let from = self.read(b);
                self.copy(from, to, (0, 0), width, Into::Add);
                to
            }
            Operation::Multiply => {
                let (a, b) = (self.read(inputs[0]), self.read(inputs[1]));
                let to = self.slot(width);
                self.steps.push(Step::Multiply { a, b, to, width });
                to
            }
            Operation::Sums(sums, scale) => {
                let (from, to) = (self.read(inputs[0]), self.slot(width));
                self.steps.push(Step::Sums {
                    from,
                    to,
                    sums: Arc::clone(sums),
                    reversed: false,
                    scale: *scale,
                    into: Into::Store,
                });
                to
            }
            Operation::Concat => {
                let to = self.slot(width);
                let mut first = 0;
                for input in inputs {
                    let (from, width) = (self.read(*input), self.nodes[*input].width);
                    self.copy(from, to, (0, first), width, Into::Store);
                    first += width;
                }
                to
            }
            Operation::Largest => {
                let (from, to) = (self.read(inputs[0]), self.slot(1));
                let width = self.nodes[inputs[0]].width;
                self.steps.push(Step::Largest { from, to, width });
                to
            }
            Operation::Embedding {
                column,
                table,
                categories,
            } => {
                let (from, to) = (self.read(inputs[0]), self.slot(width));
                self.steps.push(Step::Embed {
                    from,
                    to,
                    column: *column,
                    width,
                    table: *table,
                    categories: *categories,
                });
                to
            }
        };
        self.values.push(value);
    }

    fn filled(&mut self, width: usize, with: Filling) -> Slot {
        let to = self.slot(width);
        self.steps.push(Step::Fill { to, width, with });
        to
    }

    /// W beginning at `weight`, between the nodes with the windows' channels and with the image.
    fn window_layer(
        &self,
        windows: &Arc<Windows>,
        weight: usize,
        channels: usize,
        image: usize,
    ) -> WindowLayer {
        WindowLayer {
            windows: Arc::clone(windows),
            channels: self.nodes[channels].width / windows.count(),
            planes: self.nodes[image].width / windows.pixels,
            weight,
        }
    }

    fn backward(&mut self, node: usize) {
        let Some(outer) = self.slopes[node].take() else {
            return;
        };
        let Node {
            operation,
            inputs,
            width,
        } = &self.nodes[node];
        let width = *width;
        match operation {
            Operation::Points => self.steps.push(Step::Unload { from: outer }),
            Operation::Parameter(at) => self.steps.push(Step::ParameterGradient {
                from: outer,
                parameter: *at,
                count: width,
                each: 1,
            }),
            Operation::Constant(_) | Operation::Largest => {}
            Operation::Dense { weight, bias } => {
                let layer = Layer {
                    inputs: self.nodes[inputs[0]].width,
                    outputs: width,
                    weight: *weight,
                    bias: *bias,
                };
                if self.purpose.parameters {
                    let inner = self.read(inputs[0]);
                    self.steps.push(Step::DenseGradient {
                        outer,
                        inner,
                        layer,
                    });
                }
                if self.needs[inputs[0]] {
                    let (to, into) = self
                        .scaled(inputs[0])
                        .unwrap_or_else(|| self.accumulate(inputs[0]));
                    self.steps.push(Step::DenseReverse {
                        outer,
                        to,
                        layer,
                        into,
                    });
                }
            }
            Operation::Convolution {
                windows,
                weight,
                bias,
            } => {
                let layer = self.window_layer(windows, *weight, node, inputs[0]);
                if self.purpose.parameters {
                    let image = self.read(inputs[0]);
                    if let Some(bias) = bias {
                        self.steps.push(Step::ParameterGradient {
                            from: outer,
                            parameter: *bias,
                            count: layer.channels,
                            each: windows.count(),
                        });
                    }
                    self.steps.push(Step::WindowGradient {
                        channels: outer,
                        image,
                        layer: layer.clone(),
                    });
                }
                if self.needs[inputs[0]] {
                    let (to, into) = self.accumulate(inputs[0]);
                    if into == Into::Store {
                        let (width, with) = (self.nodes[inputs[0]].width, Filling::Number(0.0));
                        self.steps.push(Step::Fill { to, width, with });
                    }
                    self.steps.push(Step::Scatter {
                        from: outer,
                        to,
                        layer,
                    });
                }
            }
            Operation::TransposedConvolution {
                windows,
                weight,
                bias,
            } => {
                let layer = self.window_layer(windows, *weight, inputs[0], node);
                if self.purpose.parameters {
                    let channels = self.read(inputs[0]);
                    if let Some(bias) = bias {
                        self.steps.push(Step::ParameterGradient {
                            from: outer,
                            parameter: *bias,
                            count: layer.planes,
                            each: windows.pixels,
                        });
                    }
                    self.steps.push(Step::WindowGradient {
                        channels,
                        image: outer,
                        layer: layer.clone(),
                    });
                }
                if self.needs[inputs[0]] {
                    // Sums in several parts are complete only at the end.
                    let scaled = match windows.is_shallow(layer.planes) {
                        true => self.scaled(inputs[0]),
                        false => None,
                    };
                    let (to, into) = scaled.unwrap_or_else(|| self.accumulate(inputs[0]));
                    self.steps.push(Step::Gather {
                        from: outer,
                        to,
                        layer,
                        bias: None,
                        into,
                    });
                }
            }
            Operation::Function(function) => {
                // Some slopes were scaled where they are.
                let before = self.bent.remove(&node).unwrap_or(outer);
                if before != outer {
                    self.steps.push(Step::Unbend {
                        function: *function,
                        before,
                        outer,
                        width,
                    });
                    self.holders[before] = 1;
                }
                self.share(inputs[0], before);
                if before != outer {
                    self.holders[before] -= 1;
                }
            }
            Operation::Affine { by, .. } => self.affine(inputs[0], outer, *by),
            Operation::Add => {
                self.share(inputs[0], outer);
                self.share(inputs[1], outer);
            }
            Operation::Multiply => {
                let [a, b] = [inputs[0], inputs[1]];
                for (own, other) in [(a, b), (b, a)] {
                    if self.needs[own] {
                        let other = self.read(other);
                        let (to, into) = self.accumulate(own);
                        self.steps.push(Step::Unmultiply {
                            outer,
                            other,
                            to,
                            width,
                            into,
                        });
                    }
                }
            }
            Operation::Sums(sums, scale) => {
                if self.needs[inputs[0]] {
                    let (to, into) = self.accumulate(inputs[0]);
                    self.steps.push(Step::Sums {
                        from: outer,
                        to,
                        sums: Arc::clone(sums),
                        reversed: true,
                        scale: *scale,
                        into,
                    });
                }
            }
            Operation::Concat => {
                let mut first = 0;
                for input in inputs {
                    let width = self.nodes[*input].width;
                    if self.needs[*input] {
                        let (to, into) = self.accumulate(*input);
                        self.copy(outer, to, (first, 0), width, into);
                    }
                    first += width;
                }
            }
            Operation::Embedding {
                column,
                table,
                categories,
            } => {
                let points = self.read(inputs[0]);
                self.steps.push(Step::EmbedGradient {
                    points,
                    outer,
                    column: *column,
                    width,
                    table: *table,
                    categories: *categories,
                });
            }
        }
        self.holders[outer] -= 1;
    }

    fn affine(&mut self, input: usize, outer: Slot, by: f32) {
        if by == 1.0 || !self.needs[input] {
            return self.share(input, outer);
        }
        let width = self.nodes[input].width;
        let is_free = self.slopes[input].is_none() && self.holders[outer] == 1;
        let (to, into) = match is_free {
            true => (outer, Into::Store),
            false => self.accumulate(input),
        };
        self.steps.push(Step::Affine {
            from: outer,
            to,
            width,
            by,
            plus: 0.0,
            into,
        });
        if is_free {
            self.share(input, outer);
        }
    }

    /// Where a product goes whose result is all that a function's slopes are to be multiplied with.
    fn scaled(&mut self, node: usize) -> Option<(Slot, Into)> {
        if self.purpose.jets || self.users[node] > 1 || self.slopes[node].is_some() {
            return None;
        }
        let slot = self.bent.remove(&node)?;
        self.slopes[node] = Some(slot);
        self.holders[slot] = 1;
        Some((slot, Into::Scale))
    }

    /// Where derivatives with respect to a node are to be put, and how.
    fn accumulate(&mut self, node: usize) -> (Slot, Into) {
        let width = self.nodes[node].width;
        let Some(slot) = self.slopes[node] else {
            let slot = self.slot(width);
            self.holders[slot] = 1;
            self.slopes[node] = Some(slot);
            return (slot, Into::Store);
        };
        if self.holders[slot] == 1 {
            return (slot, Into::Add);
        }
        let own = self.slot(width);
        self.copy(slot, own, (0, 0), width, Into::Store);
        self.holders[slot] -= 1;
        self.holders[own] = 1;
        self.slopes[node] = Some(own);
        (own, Into::Add)
    }

    /// Adds a slot of derivatives to a node's; the first of them is only looked at.
    fn share(&mut self, node: usize, slot: Slot) {
        if !self.needs[node] {
            return;
        }
        if self.slopes[node].is_none() {
            self.slopes[node] = Some(slot);
            self.holders[slot] += 1;
            return;
        }
        let (to, into) = self.accumulate(node);
        let width = self.nodes[node].width;
        self.copy(slot, to, (0, 0), width, into);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2 to 128, three residual blocks of SiLU, and |x|²/2.
    fn residual() -> Graph {
        let (d, width) = (2, 128);
        let mut graph = Graph::new(d, 3 * width + 3 * (width + 1) * width + width + 1);
        let x = graph.push(Operation::Points, &[], d).unwrap();
        let mut weight = 0;
        let mut dense = |graph: &mut Graph, x, inputs, outputs| {
            let bias = Some(weight + inputs * outputs);
            let layer = Operation::Dense { weight, bias };
            weight += (inputs + 1) * outputs;
            graph.push(layer, &[x], outputs).unwrap()
        };
        let silu = |graph: &mut Graph, z| {
            let function = Operation::Function(Function::Silu);
            graph.push(function, &[z], width).unwrap()
        };
        let z = dense(&mut graph, x, d, width);
        let mut h = silu(&mut graph, z);
        for _ in 0..3 {
            let z = dense(&mut graph, h, width, width);
            let a = silu(&mut graph, z);
            h = graph.push(Operation::Add, &[h, a], width).unwrap();
        }
        let u = dense(&mut graph, h, width, 1);
        let square = Operation::Function(Function::Power(2));
        let square = graph.push(square, &[x], d).unwrap();
        let sum = Arc::new(Sums::new(d, &[(0..d).collect()]).unwrap());
        let half = graph.push(Operation::Sums(sum, 0.5), &[square], 1).unwrap();
        graph.push(Operation::Add, &[u, half], 1).unwrap();
        graph
    }

    #[test]
    fn buffers_are_used_again() {
        let graph = residual();
        // x, and layers of 128 features: a layer and what it is added to; slopes of four layers, what is added to, and
        // one layer for the way back; slopes and activations of four layers, whose places the way back uses.
        for (what, jets, points, parameters, features) in [
            ("U", false, false, false, 2 + 2 * 128),
            ("∂U/∂x", false, true, false, 2 + 6 * 128),
            ("∂L/∂θ", false, false, true, 6 + 8 * 128),
            ("∂L/∂θ of jets", true, false, true, 7 + 8 * 128),
        ] {
            let purpose = Purpose {
                jets,
                points,
                parameters,
            };
            let program = Program::new(&graph, purpose);
            println!(
                "{what}: {} features in {} steps",
                program.features,
                program.steps.len()
            );
            for step in &program.steps {
                println!("    {step:.100?}");
            }
            assert_eq!(program.features, features, "{what}");
        }
    }

    #[test]
    fn no_two_numbers_in_use_share_a_place() {
        let graph = residual();
        for purpose in [(false, true), (true, true), (true, false)] {
            let purpose = Purpose {
                jets: purpose.0,
                points: purpose.1,
                parameters: true,
            };
            for mut step in Program::new(&graph, purpose).steps {
                let is_in_place = matches!(&step, Step::Affine { from, to, .. } if from == to);
                let mut slots: Vec<Slot> = step.slots().into_iter().map(|slot| *slot).collect();
                let count = slots.len();
                slots.sort_unstable();
                slots.dedup();
                assert!(is_in_place || slots.len() == count, "{step:?}");
            }
        }
    }
}
