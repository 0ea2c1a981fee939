//! What is computed of each row: operations on features, in their order.

use crate::{Function, Misfit};
use std::sync::Arc;

/// A computation of one or more numbers of each row, with parameters in one list.
///
/// # Examples
/// U = w · x + b:
/// ```
/// use energy_discrepancy_kernels::{Engine, Graph, Network, Operation, energies};
///
/// let mut graph = Graph::new(2, 3);
/// let x = graph.push(Operation::Points, &[], 2)?;
/// let layer = Operation::Dense { weight: 0, bias: Some(2) };
/// graph.push(layer, &[x], 1)?;
/// let engine = Engine::new(graph)?;
/// let mut energy = [0.0];
/// energies(&Network::new(&engine, &[2.0, 3.0, 0.5])?, &[1.0, 1.0], &mut energy)?;
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
    /// W w + b for each window w of an image, with W `channels x (numbers in a window)`; `channels x windows` features.
    Convolution {
        /// Over the input.
        windows: Arc<Windows>,
        /// W.
        weight: usize,
        /// b, of each channel.
        bias: Option<usize>,
    },
    /// The sum over windows w of Wᵀ x_w, at their places in the output image, and a bias of each of its channels. The
    /// input is `channels x windows`, and W `channels x (numbers in a window)`.
    TransposedConvolution {
        /// Over the output.
        windows: Arc<Windows>,
        /// W.
        weight: usize,
        /// Of each of so many channels of the output.
        bias: Option<(usize, usize)>,
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

/// Which features of an image lie in each window over it.
#[derive(Clone, Debug)]
pub struct Windows {
    /// Features of the image.
    pub(crate) image: usize,
    /// Numbers in one window.
    pub(crate) inputs: usize,
    /// Window by window; the image's width stands for a number in the padding.
    pub(crate) places: Vec<usize>,
}

impl Windows {
    /// Windows of `inputs` numbers over an image of so many features; None is in the padding.
    ///
    /// # Errors
    /// If there are no windows, or a place is none.
    pub fn new(image: usize, inputs: usize, places: &[Option<usize>]) -> Result<Self, Misfit> {
        let fits = inputs > 0 && !places.is_empty() && places.len().is_multiple_of(inputs);
        if !fits || places.iter().flatten().any(|place| *place >= image) {
            let expected = format!("windows of {inputs} numbers of {image} features");
            return Err(Misfit::new("the windows", places.len(), expected));
        }
        Ok(Self {
            image,
            inputs,
            places: places.iter().map(|place| place.unwrap_or(image)).collect(),
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.places.len() / self.inputs
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
                let channels = width / windows.count();
                windows.image == *x
                    && channels * windows.count() == width
                    && list(*weight, channels.checked_mul(windows.inputs))
                    && bias(b, channels)
            }
            (
                Operation::TransposedConvolution {
                    windows,
                    weight,
                    bias: b,
                },
                [x],
            ) => {
                let channels = x / windows.count();
                windows.image == width
                    && channels * windows.count() == *x
                    && list(*weight, channels.checked_mul(windows.inputs))
                    && b.is_none_or(|(b, own)| {
                        own > 0 && width.is_multiple_of(own) && list(b, Some(own))
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
            Operation::Convolution { windows, .. } => node.width * windows.inputs,
            Operation::TransposedConvolution { windows, .. } => {
                self.nodes[node.inputs[0]].width * windows.inputs
            }
            Operation::Function(_) => 64 * node.width,
            _ => node.width,
        };
        self.nodes.iter().map(of_node).sum()
    }
}
