//! A layer's products, forward and in reverse.

use super::network::Layer;
use super::product::{Matrix, Product, Then};

impl<'a> Layer<'a> {
    /// W A for the activations A (`inputs x columns`) before the layer.
    pub(crate) fn forward<'b>(
        &self,
        input: Matrix<'b>,
        columns: usize,
        out: &'b mut [f32],
        then: Then<'b>,
    ) -> Product<'b>
    where
        'a: 'b,
    {
        Product {
            rows: self.outputs,
            columns,
            depth: self.inputs,
            left: self.matrix(),
            transposed: false,
            right: input,
            out,
            // A single row need not be as long as the stride.
            out_stride: if self.outputs == 1 {
                columns
            } else {
                input.stride
            },
            then,
        }
    }

    /// Wᵀ G for the loss's derivatives G (`outputs x columns`) behind the layer.
    pub(crate) fn reverse<'b>(
        &self,
        outer: Matrix<'b>,
        columns: usize,
        out: &'b mut [f32],
        then: Then<'b>,
    ) -> Product<'b>
    where
        'a: 'b,
    {
        Product {
            rows: self.inputs,
            columns,
            depth: self.outputs,
            left: self.matrix(),
            transposed: true,
            right: outer,
            out,
            out_stride: outer.stride,
            then,
        }
    }

    fn matrix(&self) -> Matrix<'a> {
        Matrix {
            data: self.weight,
            stride: self.inputs,
        }
    }
}
