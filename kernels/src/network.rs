//! A graph ready to be run, and with its parameters.

use super::graph::Graph;
use super::program::{Program, Purpose};
use super::simd::Level;
use crate::Misfit;
use std::sync::OnceLock;

/// A graph whose result is one number for each row, an energy U: R^D → R, with what runs it.
#[derive(Clone, Debug)]
pub struct Engine {
    graph: Graph,
    work: usize,
    /// For U alone, with ∂U/∂x, with ∂L/∂θ, with both, and for jets.
    programs: [OnceLock<Program>; 5],
}

impl Engine {
    /// What runs this graph.
    ///
    /// # Errors
    /// If the last operation has not one feature, or rows have no coordinate.
    pub fn new(graph: Graph) -> Result<Self, Misfit> {
        if graph.dimension == 0 {
            return Err(Misfit::new("a row", 0, "at least one coordinate"));
        }
        if graph.nodes.last().is_none_or(|last| last.width != 1) {
            let found = graph.nodes.last().map(|last| last.width);
            return Err(Misfit::new("the graph's result", found, "one feature"));
        }
        Ok(Self {
            work: graph.work(),
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
