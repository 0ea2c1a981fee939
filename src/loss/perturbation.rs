//! How energy discrepancy disturbs the data.

use crate::backend::{Backend, Number, read};
use crate::energy::{Points, for_each_backend, scalar};
use crate::{Error, Rng, kernel};
use dfdx::prelude::*;

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
/// use energy_discrepancy::dfdx::prelude::*;
/// use energy_discrepancy::loss::Perturbation;
///
/// #[derive(Debug)]
/// struct Uniform;
/// impl Perturbation for Uniform {
///     type Noise = Points;
///
///     fn draw(&self, x: &Points, m: usize, rng: &mut Rng) -> Result<Points, Error> {
///         let (n, d) = *x.shape();
///         let mut offsets = Vec::with_capacity(n * m * d);
///         for _ in 0..n {
///             let shared: Vec<f32> = (0..d).map(|_| rng.random_range(-0.5..0.5)).collect();
///             for _ in 0..m {
///                 offsets.extend(shared.iter().map(|u| u + rng.random_range(-0.5..0.5)));
///             }
///         }
///         Ok(x.device().tensor_from_vec(offsets, (n * m, d)))
///     }
///
///     fn perturb(&self, x: &Points, noise: &Points) -> Result<Points, Error> {
///         let (n, d) = *x.shape();
///         let m = noise.shape().0 / n;
///         let offsets: Tensor<(usize, usize, usize), f32, AutoDevice> =
///             noise.clone().reshape_like(&(n, m, d));
///         let repeated = x.clone().broadcast_like::<_, Axis<1>>(&(n, m, d));
///         Ok((repeated + offsets).reshape_like(&(n * m, d)))
///     }
/// }
///
/// use energy_discrepancy::rand::RngExt;
/// let loss = EnergyDiscrepancy::with(Uniform).particles(16);
/// let x: Points = GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])?.sample(64, &mut rng(0))?;
/// let noise = loss.draw(&x, &mut rng(1))?;
/// assert!(loss.evaluate(&Mlp::tanh(&[1, 4, 1], 0)?, &x, &noise)?.is_finite());
/// # Ok::<(), Error>(())
/// ```
pub trait Perturbation<E: Number = f32, Dev: Backend<E> = AutoDevice>: std::fmt::Debug {
    /// What one perturbation of a batch draws.
    type Noise;

    /// Draws the noise that leads to `particles` points for each of x, `(N, D)`.
    ///
    /// # Errors
    /// If a setting is impossible, or a tensor operation fails.
    fn draw(
        &self,
        x: &Points<E, Dev>,
        particles: usize,
        rng: &mut Rng,
    ) -> Result<Self::Noise, Error>;

    /// The points x_ij, those of each x_i together: `(N M, D)`.
    ///
    /// # Errors
    /// If the noise does not fit the batch, or a tensor operation fails.
    fn perturb(&self, x: &Points<E, Dev>, noise: &Self::Noise) -> Result<Points<E, Dev>, Error>;

    /// Each point x_i followed by its x_ij, `(N, 1 + M, D)`, where there is a quick way.
    #[doc(hidden)]
    fn groups(&self, _x: &Points<E, Dev>, _noise: &Self::Noise) -> Option<Vec<E>> {
        None
    }
}

/// Gaussian noise twice: y_i = x_i + s ξ_i, and x_ij = y_i + s ξ'_ij, all ξ standard normal.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::dfdx::prelude::*;
/// use energy_discrepancy::loss::{Gaussian, Perturbation};
///
/// let x: Points<f64> = device()?.zeros_like(&(1000, 1));
/// let gaussian = Gaussian::with_variance(2.0);
/// let particles = gaussian.perturb(&x, &gaussian.draw(&x, 4, &mut rng(0))?)?;
/// assert_eq!(particles.shape(), &(4000, 1));
/// // Noise of variance t twice: 2t around the data, with a standard error of 0.12.
/// assert!((particles.square().mean::<Rank0, _>().array() - 4.0).abs() < 0.5);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gaussian {
    std: f64,
}

/// The perturbations of one evaluation of [`Gaussian`]: standard normal numbers.
#[derive(Clone, Debug)]
pub struct Noise<E: Dtype = f32, Dev: Device<E> = AutoDevice> {
    /// ξ, shared by a point's M particles: `(N, D)`.
    pub shared: Points<E, Dev>,
    /// ξ', each particle's own: `(N, M, D)`.
    pub own: Tensor<(usize, usize, usize), E, Dev>,
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

    fn draw_on<E: Number, Dev: Backend<E>>(
        &self,
        x: &Points<E, Dev>,
        m: usize,
        rng: &mut Rng,
    ) -> Result<Noise<E, Dev>, Error> {
        if !(self.std > 0.0 && self.std.is_finite()) {
            let allowed = "a standard deviation or variance: positive and finite";
            return Err(Error::setting("noise", self.std, allowed));
        }
        let (n, d) = *x.shape();
        if (n as u128) * (m as u128) * (d as u128) > 1 << 32 {
            let allowed = "fewer: N x M x D is the number of noise values, 2^32 at most";
            return Err(Error::setting("particles", m, allowed));
        }
        let device = x.device();
        let shared = device.try_tensor_from_vec(E::normals(n * d, rng), (n, d));
        let own = device.try_tensor_from_vec(E::normals(n * m * d, rng), (n, m, d));
        Ok(Noise {
            shared: shared.map_err(Error::tensor)?,
            own: own.map_err(Error::tensor)?,
        })
    }

    /// Each x_i followed by its x_ij, for the fused kernels.
    fn groups_on<E: Number, Dev: Backend<E>>(
        &self,
        x: &Points<E, Dev>,
        noise: &Noise<E, Dev>,
    ) -> Option<Vec<E>> {
        let (x, d) = (read(x), x.shape().1);
        let (shared, own) = (read(&noise.shared), read(&noise.own));
        let mut groups = vec![E::default(); x.len() + own.len()];
        let (x, shared, own) = (E::single(&x)?, E::single(&shared)?, E::single(&own)?);
        let into = E::single_mut(&mut groups)?;
        // Noise that does not fit has an error of its own, where the points are perturbed.
        kernel::perturb(x, d, self.std as f32, shared, own, into).ok()?;
        Some(groups)
    }

    /// x_ij = x_i + s (ξ_i + ξ'_ij), `(N M, D)`. A loop, where dfdx's broadcasts cost as much as
    /// the whole net.
    fn perturb_on<E: Number, Dev: Backend<E>>(
        &self,
        x: &Points<E, Dev>,
        noise: &Noise<E, Dev>,
    ) -> Result<Points<E, Dev>, Error> {
        let (n, d) = *x.shape();
        let (rows, m, columns) = *noise.own.shape();
        if *noise.shared.shape() != (n, d) || (rows, columns) != (n, d) {
            let found = (noise.shared.shape(), noise.own.shape());
            let expected = format!("(({n}, {d}), ({n}, M, {d})) for this batch");
            return Err(Error::shape("noise", found, expected));
        }
        let std = scalar::<E>(self.std);
        let mut points = read(&noise.own);
        if m * d > 0 {
            let centers = read(x).into_iter().zip(read(&noise.shared));
            let centers: Vec<E> = centers.map(|(x, shared)| x + std * shared).collect();
            for (points, center) in points.chunks_exact_mut(m * d).zip(centers.chunks_exact(d)) {
                for point in points.chunks_exact_mut(d) {
                    for (value, center) in point.iter_mut().zip(center) {
                        *value = *center + std * *value;
                    }
                }
            }
        }
        let points = x.device().try_tensor_from_vec(points, (n * m, d));
        points.map_err(Error::tensor)
    }
}

macro_rules! implement {
    ($E:ty, $Dev:ty) => {
        impl Perturbation<$E, $Dev> for Gaussian {
            type Noise = Noise<$E, $Dev>;

            fn draw(
                &self,
                x: &Points<$E, $Dev>,
                particles: usize,
                rng: &mut Rng,
            ) -> Result<Self::Noise, Error> {
                self.draw_on(x, particles, rng)
            }

            fn perturb(
                &self,
                x: &Points<$E, $Dev>,
                noise: &Self::Noise,
            ) -> Result<Points<$E, $Dev>, Error> {
                self.perturb_on(x, noise)
            }

            fn groups(&self, x: &Points<$E, $Dev>, noise: &Self::Noise) -> Option<Vec<$E>> {
                self.groups_on(x, noise)
            }
        }
    };
}
for_each_backend!(implement);
