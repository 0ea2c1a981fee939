//! How energy discrepancy disturbs the data.

use crate::tensors::normals;
use crate::{Error, Rng, kernel};
use std::fmt::Debug;

/// A random map from each data point x_i to M points x_ij around it.
///
/// Energy discrepancy draws one y_i from a kernel q(y | x_i), and then the x_ij from the density that
/// is proportional to q(y_i | x) in x: only then is the data's density the minimum. Noise that is
/// added and symmetric is used twice: once for y_i, and for each x_ij again.
///
/// # Examples
/// Uniform noise on a square, in place of a Gaussian:
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::rand::RngExt;
///
/// #[derive(Debug)]
/// struct Uniform;
/// impl Perturbation for Uniform {
///     fn perturb(&self, x: &[f32], particles: &mut [f32], rng: &mut Rng) -> Result<(), Error> {
///         let y: Vec<f32> = x.iter().map(|x| x + rng.random_range(-0.5..0.5)).collect();
///         for particle in particles.chunks_exact_mut(x.len()) {
///             for (value, y) in particle.iter_mut().zip(&y) {
///                 *value = y + rng.random_range(-0.5..0.5);
///             }
///         }
///         Ok(())
///     }
/// }
///
/// let mut loss = EnergyDiscrepancy::with(Uniform).particles(16);
/// let x = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?.sample(64, &mut rng(0))?;
/// assert!(loss.evaluate(&Mlp::tanh(&[1, 4, 1], 0)?, &x, &mut rng(1))?.is_finite());
/// # Ok::<(), Error>(())
/// ```
pub trait Perturbation: Debug + Send + Sync {
    /// Draws the points x_ij around one x_i, D numbers, into `particles`, `(M, D)`.
    ///
    /// # Errors
    /// If a setting is impossible.
    fn perturb(&self, x: &[f32], particles: &mut [f32], rng: &mut Rng) -> Result<(), Error>;

    /// The energy -ln p_0(x) of a reference density p_0, up to a constant, if the x_ij are drawn from what is proportional to
    /// p_0(x) q(y_i | x) and not to q(y_i | x): energy discrepancy then takes U above it.
    fn reference(&self, _x: &[f32]) -> Option<f64> {
        None
    }

    /// The same for a batch, `(N, D)`: each point x_i followed by its x_ij, `(N, 1 + M, D)`.
    ///
    /// # Errors
    /// As [`Perturbation::perturb`].
    fn groups(
        &self,
        x: &[f32],
        dimension: usize,
        particles: usize,
        rng: &mut Rng,
    ) -> Result<Vec<f32>, Error> {
        let mut groups = vec![0.0; x.len() * (1 + particles)];
        let each = groups.chunks_exact_mut((1 + particles) * dimension);
        for (group, x) in each.zip(x.chunks_exact(dimension)) {
            let (first, others) = group.split_at_mut(dimension);
            first.copy_from_slice(x);
            self.perturb(x, others, rng)?;
        }
        Ok(groups)
    }
}

/// Gaussian noise twice: y_i = x_i + s ξ_i, and x_ij = y_i + s ξ'_ij, all ξ standard normal.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::loss::Gaussian;
///
/// let groups = Gaussian::with_variance(2.0).groups(&[0.0; 1000], 1, 4, &mut rng(0))?;
/// // Noise of variance t twice: 2t around the data, with a standard error of 0.13. Of five, one is the point.
/// let mean_square = groups.iter().map(|x| x * x).sum::<f32>() / 4000.0;
/// assert!((mean_square - 4.0).abs() < 0.5);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gaussian {
    std: f64,
}

impl Gaussian {
    /// Noise of standard deviation s = √t.
    pub fn with_std(std: f64) -> Self {
        Self { std }
    }

    /// Noise of variance t = s².
    pub fn with_variance(t: f64) -> Self {
        Self { std: t.sqrt() }
    }

    /// The variance t.
    pub fn variance(&self) -> f64 {
        self.std * self.std
    }

    /// Each point x_i, `(N, D)`, followed by its x_ij = x_i + s (ξ_i + ξ'_ij), `(N, 1 + M, D)`, for given standard
    /// normal numbers: the shared ξ, `(N, D)`, and the particles' own ξ', `(N, M, D)`.
    ///
    /// # Errors
    /// If s is no standard deviation, or the lists do not fit each other.
    pub fn groups_of(
        &self,
        x: &[f32],
        dimension: usize,
        shared: &[f32],
        own: &[f32],
    ) -> Result<Vec<f32>, Error> {
        if !(self.std > 0.0 && self.std.is_finite()) {
            let allowed = "a standard deviation or variance: positive and finite";
            return Err(Error::setting("noise", self.std, allowed));
        }
        let mut groups = vec![0.0; x.len() + own.len()];
        kernel::perturb(x, dimension, self.std as f32, shared, own, &mut groups)?;
        Ok(groups)
    }
}

impl Perturbation for Gaussian {
    fn perturb(&self, x: &[f32], particles: &mut [f32], rng: &mut Rng) -> Result<(), Error> {
        let groups = self.groups(x, x.len(), particles.len() / x.len().max(1), rng)?;
        particles.copy_from_slice(&groups[x.len()..]);
        Ok(())
    }

    fn groups(
        &self,
        x: &[f32],
        dimension: usize,
        particles: usize,
        rng: &mut Rng,
    ) -> Result<Vec<f32>, Error> {
        let (shared, own) = (normals(x.len(), rng), normals(x.len() * particles, rng));
        self.groups_of(x, dimension, &shared, &own)
    }
}
