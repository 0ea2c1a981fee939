//! One block of rows: forward through a program, and back.

use super::channels::Channels;
use super::features::{Affine, Copy, Largest, Multiply, Sum, Unmultiply};
use super::formula::{self, Scaled};
use super::function::{Apply, Bend, BendJets, UnbendJets};
use super::lanes::{shared, shared_by_two};
use super::network::Network;
use super::product::{Matrix, Product, Then, columns_at};
use super::program::{Filling, Into, Layer, Program, Slot, Step};
use super::scratch::{LINE, with_scratch};
use super::weight::{self, WeightGradient};
use super::windows::{Gather, Scatter, WindowGradient, room, together};
use std::ops::Range;

/// How a number of rows is cut into blocks for one program.
///
/// A block's memory holds the program's slots, one feature after the other with `stride` numbers each, and room for
/// single steps. All but the room should fit into the second-level cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocks {
    /// Rows in each block but the last.
    pub(crate) rows: usize,
    channels: Channels,
    tile: usize,
    /// Numbers of the slots.
    slots: usize,
    /// Numbers in one block's memory.
    pub(crate) len: usize,
}

/// Numbers in a block: 512 KB.
const CACHE: usize = 128 << 10;
/// Numbers in a block of jets: 1 MB. Twice as many columns in each channel make up for some of them coming from the next
/// cache.
const JET_CACHE: usize = 2 * CACHE;
/// Columns of all channels. More gain nothing where a network is narrow.
const MOST_COLUMNS: usize = 1024;
/// Columns of a network whose parameters must be fetched anew for each block.
const LARGE_COLUMNS: usize = 32;

impl Blocks {
    /// Blocks for so many rows, of equal size as nearly as possible; with K directions for jets.
    pub(crate) fn new(
        network: &Network,
        program: &Program,
        directions: Option<usize>,
        rows: usize,
    ) -> Self {
        let rows = rows.max(1);
        let tile = columns_at(network.level);
        // Jets have room for a seed behind them.
        let (count, seed) = directions.map_or((1, 0), |k| (k + 2, 1));
        let numbers = (count + seed) * program.features.max(1);
        let cache = if count > 1 { JET_CACHE } else { CACHE };
        let least = match network.is_large() {
            true => tile.max(LARGE_COLUMNS),
            false => tile,
        };
        let most = (cache / numbers).min(MOST_COLUMNS / count).max(least);
        let most = most - most % tile;
        let columns = rows.div_ceil(rows.div_ceil(most)).next_multiple_of(tile);
        let stride = odd_lines((count + seed) * columns);
        let slots = stride * program.features;
        let room = 3 * columns + tile * count * columns;
        Self {
            rows: columns,
            channels: Channels {
                count,
                columns,
                stride,
            },
            tile,
            slots,
            len: slots + room,
        }
    }

    /// How many blocks hold so many rows.
    pub(crate) fn count(&self, rows: usize) -> usize {
        rows.div_ceil(self.rows)
    }

    /// Moves what a forward pass has left of these rows in the memory of several blocks to their fronts: they are then
    /// as after a forward pass of these rows alone. Fewer and full blocks matter, as each costs a pass over the whole
    /// gradient.
    pub(crate) fn gather(&self, program: &Program, rows: &[usize], data: &mut [f32]) {
        let place = |row: usize| row / self.rows * self.len + row % self.rows;
        let moves = rows.iter().enumerate();
        let moves: Vec<_> = moves.map(|(to, from)| (place(to), place(*from))).collect();
        for feature in program.kept.iter().cloned().flatten() {
            let data = &mut data[feature * self.channels.stride..];
            for (to, from) in &moves {
                data[*to] = data[*from];
            }
        }
    }
}

/// A stride of at least `count` that is an odd number of cache lines, so that the rows of a matrix
/// do not all fall into the same few sets of the cache.
fn odd_lines(count: usize) -> usize {
    (count.div_ceil(LINE) | 1) * LINE
}

/// A block at work.
pub(crate) struct Block<'a> {
    network: &'a Network<'a>,
    program: &'a Program,
    rows: usize,
    channels: Channels,
    data: &'a mut [f32],
    room: &'a mut [f32],
}

/// Where the gradients go that are wanted.
#[derive(Default)]
pub struct Gradients<'a> {
    /// ∂L/∂θ, in the order of the parameters.
    pub parameters: Option<&'a mut [f32]>,
    /// ∂L/∂x, `rows x D`.
    pub points: Option<&'a mut [f32]>,
}

/// All of the memory but one slot.
struct Others<'a> {
    before: &'a [f32],
    after: &'a [f32],
    /// Where the part behind the slot begins.
    start: usize,
}

impl<'a> Others<'a> {
    fn at(&self, range: Range<usize>) -> &'a [f32] {
        match range.start.checked_sub(self.start) {
            Some(start) => &self.after[start..start + range.len()],
            None => &self.before[range],
        }
    }
}

/// One slot to be written, and the others to be read.
fn open(data: &mut [f32], range: Range<usize>) -> (&mut [f32], Others<'_>) {
    let (before, rest) = data.split_at_mut(range.start);
    let (slot, after) = rest.split_at_mut(range.len());
    let start = range.end;
    let others = Others {
        before,
        after,
        start,
    };
    (slot, others)
}

impl<'a> Block<'a> {
    /// A block for `rows` rows, at least one, in memory of [`Blocks::len`] numbers.
    pub(crate) fn new(
        network: &'a Network<'a>,
        program: &'a Program,
        blocks: Blocks,
        rows: usize,
        data: &'a mut [f32],
    ) -> Self {
        let columns = rows.next_multiple_of(blocks.tile);
        let channels = Channels {
            columns,
            ..blocks.channels
        };
        let (data, room) = data.split_at_mut(blocks.slots);
        Self {
            network,
            program,
            rows,
            channels,
            data,
            room,
        }
    }

    /// The numbers of so many features from this one on.
    fn range(&self, slot: Slot, width: usize) -> Range<usize> {
        slot * self.channels.stride..(slot + width) * self.channels.stride
    }

    /// Computes the result of each row of `x`; jets are left in the block, along these directions, `rows x K x D`, or
    /// without any the coordinates.
    pub(crate) fn forward(
        &mut self,
        x: &[f32],
        directions: Option<&[f32]>,
        results: Option<&mut [f32]>,
    ) {
        for step in &self.program.steps[..self.program.forward] {
            match step {
                Step::Load { to } => self.load(*to, x, directions),
                step => self.step(step),
            }
        }
        if let Some(results) = results {
            self.unload(self.program.result, self.network.results(), results);
        }
    }

    /// From ∂L/∂(result) of each row to the gradients: ∂L/∂θ is added to, ∂L/∂x written. Needs a forward pass, which it
    /// uses up.
    pub(crate) fn backward(&mut self, cotangent: &[f32], gradients: Gradients) {
        let width = self.network.results();
        let range = self.range(self.program.top, width);
        let top = self.data[range].chunks_exact_mut(self.channels.stride);
        for (i, top) in top.enumerate() {
            for (to, slopes) in top.iter_mut().zip(cotangent.chunks_exact(width)) {
                *to = slopes[i];
            }
            top[self.rows..self.channels.columns].fill(0.0);
        }
        self.reverse(gradients);
    }

    fn reverse(&mut self, mut gradients: Gradients) {
        for step in &self.program.steps[self.program.forward..] {
            match step {
                Step::Unload { from } => {
                    if let Some(x) = gradients.points.as_deref_mut() {
                        self.unload(*from, self.network.dimension(), x);
                    }
                }
                step => {
                    let gradient = gradients.parameters.as_deref_mut();
                    if !gradient.is_some_and(|gradient| self.adds(step, gradient)) {
                        self.step(step);
                    }
                }
            }
        }
    }

    /// Puts the points into a matrix with one coordinate after the other. Behind the rows the last one is repeated, so
    /// that no number there is stranger than those before.
    fn load(&mut self, to: Slot, x: &[f32], directions: Option<&[f32]>) {
        let d = self.network.dimension();
        let Channels {
            count,
            columns,
            stride,
        } = self.channels;
        let rows = self.rows;
        let range = self.range(to, d);
        for (i, to) in self.data[range].chunks_exact_mut(stride).enumerate() {
            for (to, x) in to.iter_mut().zip(x.chunks_exact(d)) {
                *to = x[i];
            }
            let last = to[rows - 1];
            to[rows..columns].fill(last);
            if !self.channels.are_jets() {
                continue;
            }
            to[columns..].fill(0.0);
            match directions {
                None => to[(1 + i) * columns..][..columns].fill(1.0),
                Some(directions) => {
                    let k = count - 2;
                    for (row, own) in directions.chunks_exact(k * d).enumerate() {
                        for (k, v) in own.chunks_exact(d).enumerate() {
                            to[(1 + k) * columns + row] = v[i];
                        }
                    }
                }
            }
        }
    }

    /// The inverse for some features' values.
    fn unload(&self, from: Slot, width: usize, x: &mut [f32]) {
        let features = self.data[self.range(from, width)].chunks_exact(self.channels.stride);
        for (i, from) in features.enumerate() {
            for (x, from) in x.chunks_exact_mut(width).zip(from) {
                x[i] = *from;
            }
        }
    }

    /// The formula's values at the rows, whose first has the number `first`, from their jets; the loss's gradient is
    /// added to `gradient`. Needs a forward pass, which it uses up.
    pub(crate) fn evaluate(&mut self, formula: Scaled, first: usize, gradient: &mut [f32]) -> f64 {
        let Channels {
            count,
            columns,
            stride,
        } = self.channels;
        let mut jets = vec![0.0; 2 * self.rows * count];
        let (jets, slopes) = jets.split_at_mut(self.rows * count);
        let energy = &self.data[self.program.result * stride..][..count * columns];
        for (row, jet) in jets.chunks_exact_mut(count).enumerate() {
            for (part, number) in jet.iter_mut().enumerate() {
                *number = energy[part * columns + row];
            }
        }
        let loss = formula::evaluate(formula, first, jets, slopes);
        let top = &mut self.data[self.program.top * stride..][..count * columns];
        top.fill(0.0);
        for (row, slopes) in slopes.chunks_exact(count).enumerate() {
            for (part, slope) in slopes.iter().enumerate() {
                top[part * columns + row] = *slope;
            }
        }
        self.reverse(Gradients {
            parameters: Some(gradient),
            points: None,
        });
        loss
    }

    /// A step between slots.
    fn step(&mut self, step: &Step) {
        let (channels, level) = (self.channels, self.network.level);
        let Channels {
            columns, stride, ..
        } = channels;
        let parameters = self.network.parameters;
        let all = channels.all();
        let is_large = self.network.is_large();
        match step {
            Step::Fill { to, width, with } => {
                let range = self.range(*to, *width);
                shared(&mut self.data[range], stride, is_large, |first, to| {
                    for (i, to) in to.chunks_exact_mut(stride).enumerate() {
                        let number = match with {
                            Filling::Number(number) => *number,
                            Filling::Parameters(at) => parameters[at + first + i],
                            Filling::PerPlane(at, each) => parameters[at + (first + i) / each],
                        };
                        to[..columns].fill(number);
                        to[columns..].fill(0.0);
                    }
                });
            }
            Step::Dense { from, to, layer } => {
                let from = self.range(*from, layer.inputs);
                let own = self.range(*to, layer.outputs);
                let (out, others) = open(self.data, own);
                shared(out, stride, is_large, |first, out| {
                    level.run(Product {
                        rows: out.len() / stride,
                        columns: all,
                        depth: layer.inputs,
                        left: matrix(layer, parameters, first * layer.inputs),
                        transposed: false,
                        right: Matrix {
                            data: others.at(from.clone()),
                            stride,
                        },
                        out,
                        out_stride: stride,
                        then: match layer.bias {
                            Some(bias) => Then::Bias(&parameters[bias + first..], columns),
                            None => Then::Store,
                        },
                    });
                });
            }
            Step::DenseReverse {
                outer,
                to,
                layer,
                into,
            } => {
                let outer = self.range(*outer, layer.outputs);
                let own = self.range(*to, layer.inputs);
                let (out, others) = open(self.data, own);
                shared(out, stride, is_large, |first, out| {
                    level.run(Product {
                        rows: out.len() / stride,
                        columns: all,
                        depth: layer.outputs,
                        left: matrix(layer, parameters, first),
                        transposed: true,
                        right: Matrix {
                            data: others.at(outer.clone()),
                            stride,
                        },
                        out,
                        out_stride: stride,
                        then: match into {
                            Into::Store => Then::Store,
                            Into::Add => Then::Add,
                            Into::Scale => Then::Scale,
                        },
                    });
                });
            }
            Step::Gather {
                from,
                to,
                layer,
                bias,
                into,
            } => {
                let windows = &*layer.windows;
                let (inputs, unit) = (layer.planes * windows.taps, windows.count() * stride);
                let from = self.range(*from, layer.planes * windows.pixels);
                let to = self.range(*to, layer.channels * windows.count());
                let (out, others) = open(self.data, to);
                shared(out, unit, is_large, |first, out| {
                    with_scratch(room(windows), |room| {
                        level.run(Gather {
                            windows,
                            planes: layer.planes,
                            columns: all,
                            stride,
                            weight: &parameters[layer.weight + first * inputs..],
                            bias: bias.map(|bias| (&parameters[bias + first..], columns)),
                            image: others.at(from.clone()),
                            out,
                            into: *into,
                            room,
                        });
                    });
                });
            }
            Step::Scatter { from, to, layer } => {
                let windows = &*layer.windows;
                let together = together(windows, layer.planes);
                let from = self.range(*from, layer.channels * windows.count());
                let to = self.range(*to, layer.planes * windows.pixels);
                let (image, others) = open(self.data, to);
                shared(image, together * stride, is_large, |first, image| {
                    with_scratch(room(windows), |room| {
                        level.run(Scatter {
                            windows,
                            columns: all,
                            stride,
                            weight: &parameters[layer.weight..],
                            planes: layer.planes,
                            from: others.at(from.clone()),
                            image,
                            first: first * together,
                            room,
                        });
                    });
                });
            }
            Step::Apply {
                function,
                at,
                width,
            } => {
                let range = self.range(*at, *width);
                shared(&mut self.data[range], stride, is_large, |_, values| {
                    level.run(Apply {
                        function: *function,
                        channels,
                        values,
                    });
                });
            }
            Step::Bend {
                function,
                before,
                after,
                width,
            } => {
                let ranges = [self.range(*before, *width), self.range(*after, *width)];
                // The places of a program never overlap.
                let Ok([before, after]) = self.data.get_disjoint_mut(ranges) else {
                    return;
                };
                match channels.are_jets() {
                    false => shared_by_two([before, after], stride, is_large, |[before, after]| {
                        level.run(Bend {
                            function: *function,
                            channels,
                            before,
                            after,
                        });
                    }),
                    true => level.run(BendJets {
                        function: *function,
                        channels,
                        before,
                        after,
                        room: self.room,
                    }),
                }
            }
            Step::Unbend {
                function,
                before,
                outer,
                width,
            } => {
                let outer = self.range(*outer, *width);
                let own = self.range(*before, *width);
                let (before, others) = open(self.data, own);
                let outer = others.at(outer);
                match channels.are_jets() {
                    false => shared(before, stride, is_large, |first, to| {
                        level.run(Copy {
                            channels,
                            from: &outer[first * stride..][..to.len()],
                            to,
                            into: Into::Scale,
                        });
                    }),
                    true => level.run(UnbendJets {
                        function: *function,
                        channels,
                        before,
                        outer,
                        room: self.room,
                    }),
                }
            }
            Step::Affine {
                from,
                to,
                width,
                by,
                plus,
                into,
            } => {
                let source = (from != to).then(|| self.range(*from, *width));
                let own = self.range(*to, *width);
                let (to, others) = open(self.data, own);
                level.run(Affine {
                    channels,
                    by: *by,
                    plus: *plus,
                    from: source.map(|source| others.at(source)),
                    to,
                    into: *into,
                });
            }
            Step::Copy {
                from,
                to,
                skip,
                width,
                into,
            } => {
                let from = self.range(from + skip.0, *width);
                let own = self.range(to + skip.1, *width);
                let (to, others) = open(self.data, own);
                level.run(Copy {
                    channels,
                    from: others.at(from),
                    to,
                    into: *into,
                });
            }
            Step::Multiply { a, b, to, width } => {
                let (a, b) = (self.range(*a, *width), self.range(*b, *width));
                let own = self.range(*to, *width);
                let (to, others) = open(self.data, own);
                level.run(Multiply {
                    channels,
                    a: others.at(a),
                    b: others.at(b),
                    to,
                });
            }
            Step::Unmultiply {
                outer,
                other,
                to,
                width,
                into,
            } => {
                let (outer, other) = (self.range(*outer, *width), self.range(*other, *width));
                let own = self.range(*to, *width);
                let (to, others) = open(self.data, own);
                level.run(Unmultiply {
                    channels,
                    outer: others.at(outer),
                    other: others.at(other),
                    to,
                    into: *into,
                });
            }
            Step::Sums {
                from,
                to,
                sums,
                reversed,
                scale,
                into,
            } => {
                let (lists, other) = match reversed {
                    false => (&sums.forward, &sums.reverse),
                    true => (&sums.reverse, &sums.forward),
                };
                let from = self.range(*from, other.len());
                let own = self.range(*to, lists.len());
                let (to, others) = open(self.data, own);
                level.run(Sum {
                    channels,
                    lists,
                    scale: *scale,
                    from: others.at(from),
                    to,
                    into: *into,
                });
            }
            Step::Largest { from, to, width } => {
                let from = self.range(*from, *width);
                let own = self.range(*to, 1);
                let (to, others) = open(self.data, own);
                level.run(Largest {
                    channels,
                    from: others.at(from),
                    to,
                });
            }
            Step::Embed {
                from,
                to,
                column,
                width,
                table,
                categories,
            } => {
                let codes = self.range(from + column, 1);
                let own = self.range(*to, *width);
                let (to, others) = open(self.data, own);
                let codes = &others.at(codes)[..columns];
                for (i, to) in to.chunks_exact_mut(stride).enumerate() {
                    for (to, number) in to.iter_mut().zip(codes) {
                        *to = code(*number, *categories)
                            .map_or(f32::NAN, |code| parameters[table + code * width + i]);
                    }
                    to[columns..].fill(0.0);
                }
            }
            // Those that concern the world outside of the slots.
            Step::Load { .. }
            | Step::Result { .. }
            | Step::Top { .. }
            | Step::Unload { .. }
            | Step::DenseGradient { .. }
            | Step::WindowGradient { .. }
            | Step::ParameterGradient { .. }
            | Step::EmbedGradient { .. } => {}
        }
    }

    /// Adds to the gradient, if this is what the step does.
    fn adds(&mut self, step: &Step, gradient: &mut [f32]) -> bool {
        let (channels, level) = (self.channels, self.network.level);
        let stride = channels.stride;
        // Only rows count, where they lie side by side.
        let depth = match channels.are_jets() {
            false => self.rows,
            true => channels.all(),
        };
        match step {
            Step::DenseGradient {
                outer,
                inner,
                layer,
            } => {
                let (outer, inner) = (
                    self.range(*outer, layer.outputs),
                    self.range(*inner, layer.inputs),
                );
                let (weight, bias) = layer.split(gradient);
                level.run(WeightGradient {
                    outputs: layer.outputs,
                    inputs: layer.inputs,
                    depth,
                    bias_depth: self.rows,
                    outer: Matrix {
                        data: &self.data[outer],
                        stride,
                    },
                    inner: Matrix {
                        data: &self.data[inner],
                        stride,
                    },
                    weight,
                    bias,
                    panel: self.room,
                });
            }
            Step::WindowGradient {
                channels: of_channels,
                image,
                layer,
            } => {
                let (windows, planes) = (&*layer.windows, layer.planes);
                let inputs = planes * windows.taps;
                let image = &self.data[self.range(*image, planes * windows.pixels)];
                let outer = &self.data[self.range(*of_channels, layer.channels * windows.count())];
                let weight = &mut gradient[layer.weight..][..layer.channels * inputs];
                // Whole tiles of channels.
                let tile = columns_at(level);
                shared(
                    weight,
                    tile * inputs,
                    self.network.is_large(),
                    |first, weight| {
                        with_scratch(WindowGradient::room(tile, depth), |room| {
                            level.run(WindowGradient {
                                windows,
                                planes,
                                depth,
                                stride,
                                outer: &outer[first * tile * windows.count() * stride..],
                                image,
                                weight,
                                room,
                            });
                        });
                    },
                );
            }
            Step::ParameterGradient {
                from,
                parameter,
                count,
                each,
            } => {
                let range = self.range(*from, count * each);
                level.run(weight::RowSums {
                    rows: &self.data[range],
                    stride,
                    columns: self.rows,
                    each: *each,
                    to: &mut gradient[*parameter..][..*count],
                });
            }
            Step::EmbedGradient {
                points,
                outer,
                column,
                width,
                table,
                categories,
            } => {
                let codes = &self.data[self.range(points + column, 1)][..self.rows];
                let outer = self.data[self.range(*outer, *width)].chunks_exact(stride);
                for (i, outer) in outer.enumerate() {
                    for (number, slope) in codes.iter().zip(outer) {
                        if let Some(code) = code(*number, *categories) {
                            gradient[table + code * width + i] += slope;
                        }
                    }
                }
            }
            _ => return false,
        }
        true
    }
}

/// A layer's W from a number on.
fn matrix<'a>(layer: &Layer, parameters: &'a [f32], first: usize) -> Matrix<'a> {
    Matrix {
        data: &parameters[layer.weight..][first..layer.inputs * layer.outputs],
        stride: layer.inputs,
    }
}

/// The row of a table that a number names.
fn code(number: f32, categories: usize) -> Option<usize> {
    let code = number as usize;
    (number >= 0.0 && code < categories).then_some(code)
}

impl Layer {
    /// The layer's part of a gradient over all parameters: of its weight, of its bias.
    fn split<'g>(&self, gradient: &'g mut [f32]) -> (&'g mut [f32], &'g mut [f32]) {
        let count = self.inputs * self.outputs;
        match self.bias {
            None => (&mut gradient[self.weight..][..count], &mut []),
            Some(bias) if bias >= self.weight + count => {
                let (weight, rest) = gradient[self.weight..].split_at_mut(bias - self.weight);
                (&mut weight[..count], &mut rest[..self.outputs])
            }
            Some(bias) => {
                let (before, weight) = gradient.split_at_mut(self.weight);
                (&mut weight[..count], &mut before[bias..][..self.outputs])
            }
        }
    }
}
