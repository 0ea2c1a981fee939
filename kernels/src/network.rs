//! A network as the kernels see it: borrowed weights and what to do with them.

use super::activation::Activation;
use super::simd::Level;
use crate::Misfit;

/// A multilayer perceptron U: R^D → R.
///
/// a_0 = x, a_l = f(W_l a_{l-1} + b_l), U = W_L a_{L-1} + b_L, with any number L ≥ 1 of layers of
/// any width.
#[derive(Clone, Debug)]
pub struct Network<'a> {
    pub(crate) layers: Vec<Layer<'a>>,
    pub(crate) activation: Activation,
    pub(crate) level: Level,
}

/// One affine map of a network.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layer<'a> {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// W, `outputs x inputs`, row after row as in PyTorch.
    pub(crate) weight: &'a [f32],
    /// b, one number for each output.
    pub(crate) bias: &'a [f32],
    /// Where W begins among all parameters in the order W_1, b_1, W_2, b_2, ...
    pub(crate) offset: usize,
}

impl Layer<'_> {
    /// The layer's part of a gradient over all parameters: of its weight, of its bias.
    pub(crate) fn split<'g>(&self, gradient: &'g mut [f32]) -> (&'g mut [f32], &'g mut [f32]) {
        let own = &mut gradient[self.offset..][..self.weight.len() + self.bias.len()];
        own.split_at_mut(self.weight.len())
    }
}

impl<'a> Network<'a> {
    /// A network of the widths D, h_1, ..., 1 whose parameters lie in one slice, in the order W_1, b_1, W_2,
    /// b_2, ...
    ///
    /// # Errors
    /// If the widths are fewer than two, one is 0, the last is not 1, or the slice has another length than
    /// they ask for.
    pub fn from_flat(
        widths: &[usize],
        activation: Activation,
        parameters: &'a [f32],
    ) -> Result<Self, Misfit> {
        if widths.len() < 2 || widths.contains(&0) || widths.last() != Some(&1) {
            let expected = "at least two widths, each positive and the last 1";
            return Err(Misfit::new("the network", widths, expected));
        }
        let (mut layers, mut offset) = (Vec::new(), 0);
        for pair in widths.windows(2) {
            let (inputs, outputs) = (pair[0], pair[1]);
            let count = inputs.checked_mul(outputs);
            let parts = count.and_then(|count| parameters[offset..].split_at_checked(count));
            let parts = parts.and_then(|(weight, rest)| Some((weight, rest.get(..outputs)?)));
            let Some((weight, bias)) = parts else {
                let expected = format!("as many as the widths {widths:?} ask for");
                return Err(Misfit::new("the parameters", parameters.len(), expected));
            };
            layers.push(Layer {
                inputs,
                outputs,
                weight,
                bias,
                offset,
            });
            offset += weight.len() + bias.len();
        }
        if offset != parameters.len() {
            let expected = format!("{offset} for these widths");
            return Err(Misfit::new("the parameters", parameters.len(), expected));
        }
        Ok(Self {
            layers,
            activation,
            level: Level::best(),
        })
    }

    /// The same network computed with another level's instructions.
    #[cfg(test)]
    pub(crate) fn at(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// D.
    pub(crate) fn dimension(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.inputs)
    }

    /// How many parameters there are, and so the length of a gradient.
    pub(crate) fn parameters(&self) -> usize {
        self.layers.last().map_or(0, |layer| {
            layer.offset + layer.weight.len() + layer.bias.len()
        })
    }

    /// All layers but the last, which has no activation.
    pub(crate) fn hidden(&self) -> &[Layer<'a>] {
        &self.layers[..self.layers.len() - 1]
    }

    /// Σ_l h_l.
    pub(crate) fn units(&self) -> usize {
        self.hidden().iter().map(|layer| layer.outputs).sum()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_that_do_not_fit_are_errors() {
        let p = [0.0; 9];
        let network =
            |widths: &[usize], p| Network::from_flat(widths, Activation::Tanh, p).map(|_| ());
        assert!(network(&[1, 2, 1], &p[..7]).is_ok());
        for widths in [
            &[1, 2, 1][..],
            &[1, 0, 1],
            &[1],
            &[],
            &[2, 3],
            &[0, 1],
            &[usize::MAX, 2, 1],
        ] {
            assert!(network(widths, &p).is_err(), "{widths:?}");
        }
        assert!(network(&[1, 2, 1], &p[..3]).is_err());
        assert!(network(&[1, 2, 1], &p[..8]).is_err());
        assert!(network(&[2, 1], &p[..4]).is_err());
        let network = Network::from_flat(&[2, 1], Activation::Tanh, &p[..3]).unwrap();
        assert!(network.rows(&p[..3]).is_err());
    }
}
