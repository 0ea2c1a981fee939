//! Which pixels of a layer's input reach which of its output.

/// A transposed convolution's window over images of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Height and width of the input.
    pub size: (usize, usize),
    /// The window's edge k.
    pub kernel: usize,
    /// s, pixels of the output between two of the input.
    pub stride: usize,
    /// p, pixels that are cut off at each edge of the output.
    pub padding: usize,
}

/// Target pixels that are reached through the same taps.
#[derive(Clone, Debug)]
pub(crate) struct Class {
    /// The taps, as row-major indices into the kernel.
    pub(crate) taps: Vec<usize>,
    /// The pixels.
    pub(crate) targets: Vec<usize>,
    /// For each pixel the source pixel of each tap.
    pub(crate) sources: Vec<usize>,
}

impl Geometry {
    /// Height and width of the output: s (h - 1) + k - 2 p. None where that is not positive.
    pub fn output(&self) -> Option<(usize, usize)> {
        let side = |input: usize| {
            let whole = self.stride * input.checked_sub(1)? + self.kernel;
            whole.checked_sub(2 * self.padding).filter(|side| *side > 0)
        };
        Some((side(self.size.0)?, side(self.size.1)?))
    }

    /// k², the window's taps.
    pub fn taps(&self) -> usize {
        self.kernel * self.kernel
    }

    /// The output's pixels with the inputs that reach them.
    pub(crate) fn forward(&self) -> Vec<Class> {
        self.classes(self.output().unwrap_or_default(), self.size, |o, k| {
            let shifted = (o + self.padding).checked_sub(k)?;
            let is_whole = shifted.is_multiple_of(self.stride);
            is_whole.then_some(shifted / self.stride)
        })
    }

    /// The input's pixels with the outputs that they reach.
    pub(crate) fn reverse(&self) -> Vec<Class> {
        self.classes(self.size, self.output().unwrap_or_default(), |i, k| {
            (self.stride * i + k).checked_sub(self.padding)
        })
    }

    /// For each tap all pairs of an input pixel and the output pixel that it reaches.
    pub fn pairs(&self) -> Vec<Vec<(usize, usize)>> {
        let mut pairs = vec![Vec::new(); self.taps()];
        for class in self.reverse() {
            let sources = class.sources.chunks_exact(class.taps.len());
            for (target, sources) in class.targets.iter().zip(sources) {
                for (tap, source) in class.taps.iter().zip(sources) {
                    pairs[*tap].push((*target, *source));
                }
            }
        }
        pairs.iter_mut().for_each(|pairs| pairs.sort_unstable());
        pairs
    }

    /// Every group of rows with every group of columns, where `source` says along one axis which position
    /// a tap takes to a target.
    fn classes(
        &self,
        targets: (usize, usize),
        sources: (usize, usize),
        source: impl Fn(usize, usize) -> Option<usize>,
    ) -> Vec<Class> {
        let axis = |targets: usize, sources: usize| {
            let inside = |target, tap| source(target, tap).filter(|at| *at < sources);
            groups(targets, self.kernel, inside)
        };
        let columns = axis(targets.1, sources.1);
        let mut classes = Vec::new();
        for row in axis(targets.0, sources.0) {
            for column in &columns {
                let mut class = Class {
                    taps: Vec::new(),
                    targets: Vec::new(),
                    sources: Vec::new(),
                };
                for ky in &row.taps {
                    class
                        .taps
                        .extend(column.taps.iter().map(|kx| ky * self.kernel + kx));
                }
                for (y, from_y) in &row.members {
                    for (x, from_x) in &column.members {
                        class.targets.push(y * targets.1 + x);
                        for y in from_y {
                            let along = from_x.iter().map(|x| y * sources.1 + x);
                            class.sources.extend(along);
                        }
                    }
                }
                classes.push(class);
            }
        }
        classes
    }
}

/// Positions along one axis that are reached through the same taps, each with its sources.
struct Group {
    taps: Vec<usize>,
    members: Vec<(usize, Vec<usize>)>,
}

fn groups(
    targets: usize,
    kernel: usize,
    source: impl Fn(usize, usize) -> Option<usize>,
) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for target in 0..targets {
        let reached = (0..kernel).filter_map(|tap| Some((tap, source(target, tap)?)));
        let (taps, sources): (Vec<_>, Vec<_>) = reached.unzip();
        match groups.iter_mut().find(|group| group.taps == taps) {
            Some(group) => group.members.push((target, sources)),
            None => groups.push(Group {
                taps,
                members: vec![(target, sources)],
            }),
        }
    }
    groups
}
