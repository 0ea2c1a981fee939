//! The generator as one fused operation: single precision on a CPU.

use super::decoder::check_images;
use super::generator::points;
use super::{Decoder, Generator};
use crate::Error;
use crate::backend::{Backend, append, read};
use crate::energy::add;
use crate::kernel::generator::{Packed, Wanted, backward, forward};
use dfdx::prelude::*;

// Of this device, whatever the default one is.
type Points = crate::energy::Points<f32, Cpu>;
type Values = crate::energy::Values<f32, Cpu>;
type TapedPoints = crate::energy::TapedPoints<f32, Cpu>;

impl Generator<f32, Cpu> {
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
        let truth = read(images);
        let error = |row: usize, decoded: &[f32], slopes: &mut [f32]| {
            let truth = &truth[row * pixels..(row + 1) * pixels];
            for ((decoded, truth), slope) in decoded.iter().zip(truth).zip(&mut *slopes) {
                *slope = 2.0 * (decoded - truth);
            }
            // Exact to single precision, whatever the number of pixels.
            let square: f64 = slopes.iter().map(|s| f64::from(*s).powi(2)).sum();
            (0.25 * square) as f32
        };
        backward(&self.stack, self.packed(), &read(z), error, wanted)
    }

    /// The mean over the images of |x - G(z)|², and its gradient with respect to all parameters in one
    /// list, in the order of [`crate::energy::Parameters::parameters`].
    ///
    /// # Errors
    /// If the latent points or the images have the wrong shape, or there are none.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    /// use energy_discrepancy::dfdx::prelude::*;
    ///
    /// let generator = Generator::new(8, 2, 0)?;
    /// let z: Points = device()?.zeros_like(&(3, 8));
    /// let grey: Points = device()?.zeros_like(&(3, 28 * 28));
    /// let (mean, gradient) = generator.reconstruction_gradient(&z, &grey)?;
    /// assert!(mean > 0.0 && gradient.len() == generator.flat_parameters().len());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn reconstruction_gradient(
        &self,
        z: &Points,
        images: &Points,
    ) -> Result<(f64, Vec<f32>), Error> {
        let rows = z.shape().0;
        if rows == 0 {
            return Err(Error::setting("images", 0, "at least 1"));
        }
        let mut gradient = vec![0.0; self.stack.parameters()];
        let wanted = Wanted {
            z: None,
            parameters: Some(&mut gradient),
        };
        let errors = self.errors(z, images, wanted)?;
        let mean = errors.into_iter().map(f64::from).sum::<f64>() / rows as f64;
        let share = 1.0 / rows as f32;
        gradient.iter_mut().for_each(|slope| *slope *= share);
        Ok((mean, gradient))
    }
}

impl Decoder<f32, Cpu> for Generator<f32, Cpu> {
    fn decode_taped(&self, z: TapedPoints) -> Result<TapedPoints, Error> {
        // The gradient of a view lies in the view's order, which dfdx keeps to itself.
        if Cpu::is_row_major(&z.retaped::<NoneTape>()) != Some(true) {
            return self.plain_decode(z);
        }
        let (z, mut tape) = z.split_tape();
        let images = self.decode(&z)?;
        let result = images.ghost();
        let net = self.clone_leaves();
        tape.add_backward_op(move |gradients| {
            let cotangent = gradients.get_or_alloc_mut(&result)?.to_vec();
            let values = read(&z);
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
        forward(&self.stack, self.packed(), &read(z), &mut images)?;
        points(z.device(), images, shape)
    }

    fn squared_error(&self, z: &Points, images: &Points) -> Result<(Values, Points), Error> {
        let mut slopes = vec![0.0; z.shape().num_elements()];
        let wanted = Wanted {
            z: Some(&mut slopes),
            parameters: None,
        };
        let errors = self.errors(z, images, wanted)?;
        let rows = (errors.len(),);
        let errors = z
            .device()
            .try_tensor_from_vec(errors, rows)
            .map_err(Error::tensor)?;
        Ok((errors, points(z.device(), slopes, *z.shape())?))
    }

    fn is_tested(&self) -> bool {
        true
    }
}

impl Generator<f32, Cpu> {
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
            packed: self.packed.clone(),
        }
    }
}
