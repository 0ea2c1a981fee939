//! The generator as one fused operation, on the CPU.

use super::decoder::check_images;
use super::{Decoder, Generator};
use crate::Error;
use crate::kernel::generator::{Packed, Wanted, backward, forward};
use crate::tensors::{Points, TapedPoints, Values, add, append, from_vec, is_row_major, to_vec};
use dfdx::prelude::*;
use dfdx::tensor::CpuError;

impl Generator {
    fn packed(&self) -> &Packed {
        self.packed.get_or_init(|| {
            let mut parameters = Vec::with_capacity(self.stack.parameters());
            for layer in &self.layers {
                append(&layer.weight, &mut parameters);
                append(&layer.bias, &mut parameters);
            }
            Packed::new(&self.stack, &parameters)
        })
    }

    /// |x - G(z)|² of each image; its gradients, of whatever is wanted.
    fn errors(&self, z: &Points, images: &Points, wanted: Wanted) -> Result<Vec<f32>, Error> {
        self.check(z.shape())?;
        let pixels = self.stack.pixels();
        check_images(images, &(z.shape().0, pixels))?;
        let truth = to_vec(images);
        let error = |row: usize, decoded: &[f32], slopes: &mut [f32]| {
            let truth = &truth[row * pixels..(row + 1) * pixels];
            for ((decoded, truth), slope) in decoded.iter().zip(truth).zip(&mut *slopes) {
                *slope = 2.0 * (decoded - truth);
            }
            // Exact to single precision, whatever the number of pixels.
            let square: f64 = slopes.iter().map(|s| f64::from(*s).powi(2)).sum();
            (0.25 * square) as f32
        };
        Ok(backward(
            &self.stack,
            self.packed(),
            &to_vec(z),
            error,
            wanted,
        )?)
    }
}

impl Decoder for Generator {
    fn latent(&self) -> usize {
        self.latent()
    }

    fn size(&self) -> Option<(usize, usize)> {
        Some(self.size())
    }

    fn pull_back(
        &self,
        z: &Points,
        images: &Points,
        gradient: &mut [f32],
    ) -> Result<Option<f64>, Error> {
        if gradient.len() != self.stack.parameters() {
            let expected = format!(
                "{} values, as the parameters have,",
                self.stack.parameters()
            );
            return Err(Error::shape("the gradient", gradient.len(), expected));
        }
        gradient.fill(0.0);
        let wanted = Wanted {
            z: None,
            parameters: Some(&mut *gradient),
        };
        let errors = self.errors(z, images, wanted)?;
        let rows = errors.len();
        let share = 1.0 / rows as f32;
        gradient.iter_mut().for_each(|slope| *slope *= share);
        Ok(Some(
            errors.into_iter().map(f64::from).sum::<f64>() / rows as f64,
        ))
    }

    fn decode_taped(&self, z: TapedPoints) -> Result<TapedPoints, Error> {
        // The gradient of a view lies in the view's order, which dfdx keeps to itself.
        if is_row_major(&z.retaped::<NoneTape>()) != Some(true) {
            return self.plain_decode(z);
        }
        let (z, mut tape) = z.split_tape();
        let images = self.decode(&z)?;
        let result = images.ghost();
        let net = self.clone_leaves();
        tape.add_backward_op(move |gradients| {
            let cotangent = gradients.get_or_alloc_mut(&result)?.to_vec();
            let values = to_vec(&z);
            let mut of_z = vec![0.0; values.len()];
            let mut of_parameters = vec![0.0; net.stack.parameters()];
            let wanted = Wanted {
                z: Some(&mut of_z),
                parameters: Some(&mut of_parameters),
            };
            let pixels = net.stack.pixels();
            let seed = |row: usize, _: &[f32], slopes: &mut [f32]| {
                slopes.copy_from_slice(&cotangent[row * pixels..(row + 1) * pixels]);
                0.0
            };
            // The lengths fit, because the forward pass succeeded with them.
            backward(&net.stack, net.packed(), &values, seed, wanted)
                .map_err(|_| CpuError::WrongNumElements)?;
            add(gradients.get_or_alloc_mut(&z)?, &of_z);
            let mut rest = of_parameters.as_slice();
            for layer in &net.layers {
                rest = add(gradients.get_or_alloc_mut(&layer.weight)?, rest);
                rest = add(gradients.get_or_alloc_mut(&layer.bias)?, rest);
            }
            Ok(())
        });
        Ok(images.put_tape(tape))
    }

    fn decode(&self, z: &Points) -> Result<Points, Error> {
        self.check(z.shape())?;
        let shape = (z.shape().0, self.stack.pixels());
        let mut images = vec![0.0; shape.0 * shape.1];
        forward(&self.stack, self.packed(), &to_vec(z), &mut images)?;
        from_vec(z.device(), images, shape)
    }

    fn squared_error(&self, z: &Points, images: &Points) -> Result<(Values, Points), Error> {
        let mut slopes = vec![0.0; z.shape().num_elements()];
        let wanted = Wanted {
            z: Some(&mut slopes),
            parameters: None,
        };
        let errors = self.errors(z, images, wanted)?;
        let rows = (errors.len(),);
        let errors = from_vec(z.device(), errors, rows)?;
        Ok((errors, from_vec(z.device(), slopes, *z.shape())?))
    }

    fn is_tested(&self) -> bool {
        true
    }
}

impl Generator {
    /// The same tensors, with their identities: the leaves of a tape.
    fn clone_leaves(&self) -> Self {
        let layers = self.layers.iter().map(|layer| super::generator::Layer {
            weight: layer.weight.clone(),
            bias: layer.bias.clone(),
        });
        Self {
            layers: layers.collect(),
            windows: self.windows.clone(),
            stack: self.stack.clone(),
            names: self.names.clone(),
            packed: self.packed.clone(),
        }
    }
}
