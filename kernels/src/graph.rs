//! What is computed of each row: operations on features, in their order.

use crate::{Function, Misfit};
use std::sync::Arc;

/// A computation of one or more numbers of each row, with parameters in one list.
///
/// # Examples
/// U = w · x + b:
/// ```
/// use energy_discrepancy_kernels::{Engine, Graph, Network, Operation, results};
///
/// let mut graph = Graph::new(2, 3);
/// let x = graph.push(Operation::Points, &[], 2)?;
/// let layer = Operation::Dense { weight: 0, bias: Some(2) };
/// graph.push(layer, &[x], 1)?;
/// let engine = Engine::new(graph)?;
/// let mut energy = [0.0];
/// results(&Network::new(&engine, &[2.0, 3.0, 0.5])?, &[1.0, 1.0], &mut energy)?;
/// assert_eq!(energy, [5.5]);
/// # Ok::<(), energy_discrepancy_kernels::Misfit>(())
/// ```
#[derive(Clone, Debug)]
pub struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) dimension: usize,
    pub(crate) parameters: usize,
}

/// One operation.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) operation: Operation,
    /// Nodes before this one.
    pub(crate) inputs: Vec<usize>,
    /// How many features it has.
    pub(crate) width: usize,
}

/// What a node computes of its inputs. A parameter is named by where it begins among all.
#[derive(Clone, Debug)]
pub enum Operation {
    /// The row itself.
    Points,
    /// These parameters, the same for each row.
    Parameter(usize),
    /// A number.
    Constant(f32),
    /// W x + b, with W `outputs x inputs`.
    Dense {
        /// W.
        weight: usize,
        /// b.
        bias: Option<usize>,
    },
    /// W w + b for each window w of an image, with W `channels x planes x taps`; `channels x windows` features.
    Convolution {
        /// Over the input.
        windows: Arc<Windows>,
        /// W.
        weight: usize,
        /// b, of each channel.
        bias: Option<usize>,
    },
    /// The sum over windows w of Wᵀ x_w, at their places in the output image, and a bias of each of its planes. The
    /// input is `channels x windows`, and W `channels x planes x taps`.
    TransposedConvolution {
        /// Over the output.
        windows: Arc<Windows>,
        /// W.
        weight: usize,
        /// b, of each plane of the output.
        bias: Option<usize>,
    },
    /// A function of each feature.
    Function(Function),
    /// `by` x + `plus`.
    Affine {
        /// The factor.
        by: f32,
        /// The other.
        plus: f32,
    },
    /// Of two nodes of one width.
    Add,
    /// Of two nodes of one width.
    Multiply,
    /// Sums of features, times a number.
    Sums(Arc<Sums>, f32),
    /// All features of all inputs.
    Concat,
    /// The largest feature, as a constant.
    Largest,
    /// The row of a table, `categories x width`, that a coordinate of the point names.
    Embedding {
        /// Which coordinate.
        column: usize,
        /// The table.
        table: usize,
        /// Its rows.
        categories: usize,
    },
}

/// Which pixels of a plane lie in each window over it. An image has one or more planes, one behind the other.
#[derive(Clone, Debug)]
pub struct Windows {
    /// Of a plane.
    pub(crate) pixels: usize,
    /// Places in a window, in each plane.
    pub(crate) taps: usize,
    /// Window by window the pixel of each tap, or [`PADDING`].
    pub(crate) places: Vec<usize>,
    /// Of each window the taps that are not in the padding, with their pixels.
    pub(crate) of_windows: Vec<Vec<(usize, usize)>>,
    /// Of each tap the windows in which it is not in the padding, with its pixels.
    pub(crate) of_taps: Vec<Vec<(usize, usize)>>,
}

/// Numbers of a window that are added up at a time, where W is large.
pub(crate) const DEPTH: usize = 512;

/// In the place of a pixel.
pub(crate) const PADDING: usize = usize::MAX;

impl Windows {
    /// Windows of so many taps over planes of so many pixels: window by window the pixel of each tap, None in the padding.
    ///
    /// # Errors
    /// If there are no windows, or a pixel is none.
    pub fn new(pixels: usize, taps: usize, places: &[Option<usize>]) -> Result<Self, Misfit> {
        let fits = taps > 0 && !places.is_empty() && places.len().is_multiple_of(taps);
        if !fits || places.iter().flatten().any(|pixel| *pixel >= pixels) {
            let expected = format!("windows of {taps} numbers of {pixels} pixels");
            return Err(Misfit::new("the windows", places.len(), expected));
        }
        let count = places.len() / taps;
        let (mut of_windows, mut of_taps) = (vec![Vec::new(); count], vec![Vec::new(); taps]);
        for (window, own) in places.chunks_exact(taps).enumerate() {
            for (tap, pixel) in own.iter().enumerate() {
                if let Some(pixel) = pixel {
                    of_windows[window].push((tap, *pixel));
                    of_taps[tap].push((window, *pixel));
                }
            }
        }
        Ok(Self {
            pixels,
            taps,
            places: places
                .iter()
                .map(|place| place.unwrap_or(PADDING))
                .collect(),
            of_windows,
            of_taps,
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.of_windows.len()
    }

    /// The features of an image that are in a window at M places from this one on, over all planes, or [`PADDING`].
    #[inline(always)]
    pub(crate) fn features<const M: usize>(&self, window: usize, first: usize) -> [usize; M] {
        let places = &self.places[window * self.taps..][..self.taps];
        let (mut plane, mut tap) = (first / self.taps * self.pixels, first % self.taps);
        let mut features = [PADDING; M];
        for feature in &mut features {
            if places[tap] != PADDING {
                *feature = plane + places[tap];
            }
            tap += 1;
            if tap == self.taps {
                (plane, tap) = (plane + self.pixels, 0);
            }
        }
        features
    }

    /// Whether all numbers of a window over so many planes are added up at once.
    pub(crate) fn is_shallow(&self, planes: usize) -> bool {
        planes * self.taps <= DEPTH
    }

    /// How many planes a number of features is. None if it is not whole planes.
    fn planes(&self, width: usize) -> Option<usize> {
        let is_whole = width > 0 && width.is_multiple_of(self.pixels);
        is_whole.then(|| width / self.pixels)
    }

    /// How many channels a number of features behind the windows is.
    fn channels(&self, width: usize) -> Option<usize> {
        let is_whole = width > 0 && width.is_multiple_of(self.count());
        is_whole.then(|| width / self.count())
    }

    /// How many numbers W is.
    fn weights(&self, channels: usize, planes: usize) -> Option<usize> {
        channels.checked_mul(planes)?.checked_mul(self.taps)
    }
}

/// Which features are added up, in both directions.
#[derive(Clone, Debug)]
pub struct Sums {
    pub(crate) forward: Lists,
    /// Of each input the sums that it is in.
    pub(crate) reverse: Lists,
}

/// Lists of features, one behind the other.
#[derive(Clone, Debug)]
pub(crate) struct Lists {
    ends: Vec<usize>,
    entries: Vec<usize>,
}

impl Lists {
    fn new<'a>(lists: impl Iterator<Item = &'a [usize]>) -> Self {
        let (mut ends, mut entries) = (Vec::new(), Vec::new());
        for list in lists {
            entries.extend_from_slice(list);
            ends.push(entries.len());
        }
        Self { ends, entries }
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[usize]> {
        let starts = std::iter::once(&0).chain(&self.ends);
        let ranges = starts.zip(&self.ends);
        ranges.map(|(start, end)| &self.entries[*start..*end])
    }
}

impl Sums {
    /// Of so many features, one sum for each list of them.
    ///
    /// # Errors
    /// If a feature is none.
    pub fn new(inputs: usize, lists: &[Vec<usize>]) -> Result<Self, Misfit> {
        let mut reverse = vec![Vec::new(); inputs];
        for (sum, list) in lists.iter().enumerate() {
            for feature in list {
                let Some(own) = reverse.get_mut(*feature) else {
                    let expected = format!("features of {inputs}");
                    return Err(Misfit::new("the sums", feature, expected));
                };
                own.push(sum);
            }
        }
        Ok(Self {
            forward: Lists::new(lists.iter().map(Vec::as_slice)),
            reverse: Lists::new(reverse.iter().map(Vec::as_slice)),
        })
    }
}

impl Graph {
    /// Of rows of D coordinates, with so many parameters, still without an operation.
    pub fn new(dimension: usize, parameters: usize) -> Self {
        Self {
            nodes: Vec::new(),
            dimension,
            parameters,
        }
    }

    /// An operation behind the others; the last one is the result. Returns its number.
    ///
    /// # Errors
    /// If the inputs are none or of other widths than the operation asks for, or a parameter lies outside the list.
    pub fn push(
        &mut self,
        operation: Operation,
        inputs: &[usize],
        width: usize,
    ) -> Result<usize, Misfit> {
        if !self.fits(&operation, inputs, width) {
            let widths: Vec<_> = inputs
                .iter()
                .map(|i| self.nodes.get(*i).map(|node| node.width))
                .collect();
            let expected = format!("what {operation:.60?} of these inputs has");
            return Err(Misfit::new("an operation", (widths, width), expected));
        }
        self.nodes.push(Node {
            operation,
            inputs: inputs.to_vec(),
            width,
        });
        Ok(self.nodes.len() - 1)
    }

    fn fits(&self, operation: &Operation, inputs: &[usize], width: usize) -> bool {
        let widths: Option<Vec<usize>> = inputs
            .iter()
            .map(|i| self.nodes.get(*i).map(|node| node.width))
            .collect();
        let Some(widths) = widths else {
            return false;
        };
        let list = |start: usize, count: Option<usize>| {
            let end = count.and_then(|count| count.checked_add(start));
            end.is_some_and(|end| end <= self.parameters)
        };
        let bias = |bias: &Option<usize>, count| bias.is_none_or(|bias| list(bias, Some(count)));
        let fits = match (operation, &widths[..]) {
            (Operation::Points, []) => width == self.dimension,
            (Operation::Parameter(at), []) => list(*at, Some(width)),
            (Operation::Constant(_), []) => true,
            (Operation::Dense { weight, bias: b }, [x]) => {
                let is_apart = |b: usize| b + width <= *weight || b >= weight + x * width;
                list(*weight, x.checked_mul(width)) && bias(b, width) && b.is_none_or(is_apart)
            }
            (
                Operation::Convolution {
                    windows,
                    weight,
                    bias: b,
                },
                [x],
            ) => {
                let sizes = windows.channels(width).zip(windows.planes(*x));
                sizes.is_some_and(|(channels, planes)| {
                    list(*weight, windows.weights(channels, planes)) && bias(b, channels)
                })
            }
            (
                Operation::TransposedConvolution {
                    windows,
                    weight,
                    bias: b,
                },
                [x],
            ) => {
                let sizes = windows.channels(*x).zip(windows.planes(width));
                sizes.is_some_and(|(channels, planes)| {
                    list(*weight, windows.weights(channels, planes)) && bias(b, planes)
                })
            }
            (Operation::Function(_) | Operation::Affine { .. }, [x]) => *x == width,
            (Operation::Add | Operation::Multiply, [a, b]) => *a == width && *b == width,
            (Operation::Sums(sums, _), [x]) => {
                sums.reverse.len() == *x && sums.forward.len() == width
            }
            (Operation::Concat, [_, ..]) => widths.iter().sum::<usize>() == width,
            (Operation::Largest, [_]) => width == 1,
            (
                Operation::Embedding {
                    column,
                    table,
                    categories,
                },
                [x],
            ) => {
                let is_points = matches!(self.nodes[inputs[0]].operation, Operation::Points);
                is_points
                    && column < x
                    && *categories > 0
                    && list(*table, categories.checked_mul(width))
            }
            _ => false,
        };
        fits && width > 0
    }

    /// Multiplications and additions of one row, about; a function costs as much as 64 of them.
    pub(crate) fn work(&self) -> usize {
        let of_node = |node: &Node| match &node.operation {
            Operation::Dense { .. } => node.width * (self.nodes[node.inputs[0]].width + 1),
            Operation::Convolution { windows, .. } => {
                let planes = self.nodes[node.inputs[0]].width / windows.pixels;
                node.width * planes * windows.taps
            }
            Operation::TransposedConvolution { windows, .. } => {
                let planes = node.width / windows.pixels;
                self.nodes[node.inputs[0]].width * planes * windows.taps
            }
            Operation::Function(_) => 64 * node.width,
            _ => node.width,
        };
        self.nodes.iter().map(of_node).sum()
    }
}
