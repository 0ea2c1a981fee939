//! A graph ready to be run, and with its parameters.

use super::graph::Graph;
use super::program::{Program, Purpose};
use super::simd::Level;
use crate::Misfit;
use std::sync::OnceLock;

/// A graph with what runs it: an energy U: R^D → R where the result is one number, a map of R^D otherwise.
#[derive(Clone, Debug)]
pub struct Engine {
    graph: Graph,
    work: usize,
    /// Features of the last operation.
    results: usize,
    /// For the result alone, with ∂L/∂x, with ∂L/∂θ, with both, and for jets.
    programs: [OnceLock<Program>; 5],
}

/// With more operations for a row, a step takes so long that threads share it.
const LARGE: usize = 1 << 20;

impl Engine {
    /// What runs this graph.
    ///
    /// # Errors
    /// If there is no operation, or rows have no coordinate.
    pub fn new(graph: Graph) -> Result<Self, Misfit> {
        if graph.dimension == 0 {
            return Err(Misfit::new("a row", 0, "at least one coordinate"));
        }
        let Some(last) = graph.nodes.last() else {
            return Err(Misfit::new("a graph", 0, "at least one operation"));
        };
        Ok(Self {
            work: graph.work(),
            results: last.width,
            graph,
            programs: Default::default(),
        })
    }

    fn program(&self, purpose: Purpose) -> &Program {
        let which = match purpose {
            Purpose { jets: true, .. } => 4,
            Purpose {
                points, parameters, ..
            } => usize::from(points) + 2 * usize::from(parameters),
        };
        self.programs[which].get_or_init(|| Program::new(&self.graph, purpose))
    }
}

/// An engine with parameters.
#[derive(Clone, Debug)]
pub struct Network<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) parameters: &'a [f32],
    pub(crate) level: Level,
}

impl<'a> Network<'a> {
    /// The engine with these parameters.
    ///
    /// # Errors
    /// If they are not as many as the graph has.
    pub fn new(engine: &'a Engine, parameters: &'a [f32]) -> Result<Self, Misfit> {
        check("the parameters", parameters.len(), engine.graph.parameters)?;
        Ok(Self {
            engine,
            parameters,
            level: Level::best(),
        })
    }

    /// The same network computed with another level's instructions.
    #[cfg(test)]
    pub(crate) fn at(self, level: Level) -> Self {
        Self { level, ..self }
    }

    pub(crate) fn program(&self, points: bool, parameters: bool) -> &'a Program {
        self.engine.program(Purpose {
            jets: false,
            points,
            parameters,
        })
    }

    pub(crate) fn jets(&self) -> &'a Program {
        self.engine.program(Purpose {
            jets: true,
            points: false,
            parameters: true,
        })
    }

    /// D.
    pub(crate) fn dimension(&self) -> usize {
        self.engine.graph.dimension
    }

    /// How many numbers the result of a row is.
    pub(crate) fn results(&self) -> usize {
        self.engine.results
    }

    /// Whether the work on a few rows is enough for several threads.
    pub(crate) fn is_large(&self) -> bool {
        self.engine.work > LARGE
    }

    /// # Errors
    /// If the result is not an energy.
    pub(crate) fn check_energy(&self) -> Result<(), Misfit> {
        check("the graph's result", self.results(), 1)
    }

    /// How many parameters there are, and so the length of a gradient.
    pub(crate) fn parameters(&self) -> usize {
        self.parameters.len()
    }

    /// Multiplications and additions of one row, about.
    pub(crate) fn work(&self) -> usize {
        self.engine.work
    }

    /// The number of rows of `x`, which is `rows x D`.
    ///
    /// # Errors
    /// If the length of `x` is no multiple of D.
    pub(crate) fn rows(&self, x: &[f32]) -> Result<usize, Misfit> {
        if !x.len().is_multiple_of(self.dimension()) {
            let expected = format!("(rows, {})", self.dimension());
            return Err(Misfit::new("x", x.len(), expected));
        }
        Ok(x.len() / self.dimension())
    }
}

/// Checks one slice's length.
pub(crate) fn check(what: &'static str, found: usize, expected: usize) -> Result<(), Misfit> {
    if found == expected {
        return Ok(());
    }
    Err(Misfit::new(what, found, format!("{expected}")))
}
