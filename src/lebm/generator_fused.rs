//! The generator as one fused operation, on the CPU.

use super::decoder::check_images;
use super::{Decoder, Generator};
use crate::Error;
use crate::energy::Parameters;
use crate::kernel::Gradients;
use crate::tensors::{Points, TapedPoints, Values, from_vec, to_vec};
use dfdx::prelude::*;

impl Generator {
    /// |x - G(z)|² of each image; its gradients, of whatever is wanted.
    fn errors(&self, z: &Points, images: &Points, wanted: Gradients) -> Result<Vec<f32>, Error> {
        let pixels = self.net.width();
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
        self.net.losses(z, error, wanted)
    }
}

impl Decoder for Generator {
    fn latent(&self) -> usize {
        self.net.dimension()
    }

    fn size(&self) -> Option<(usize, usize)> {
        self.picture()
    }

    fn pull_back(
        &self,
        z: &Points,
        images: &Points,
        gradient: &mut [f32],
    ) -> Result<Option<f64>, Error> {
        let count: usize = self.parameters().iter().map(|(_, own)| own.len()).sum();
        if gradient.len() != count {
            let expected = format!("{count} values, as the parameters have,");
            return Err(Error::shape("the gradient", gradient.len(), expected));
        }
        let wanted = Gradients {
            parameters: Some(&mut *gradient),
            ..Default::default()
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
        self.net.results_taped(z)
    }

    fn decode(&self, z: &Points) -> Result<Points, Error> {
        self.net.results(z)
    }

    fn squared_error(&self, z: &Points, images: &Points) -> Result<(Values, Points), Error> {
        let mut slopes = vec![0.0; z.shape().num_elements()];
        let wanted = Gradients {
            points: Some(&mut slopes),
            ..Default::default()
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
