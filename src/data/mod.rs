//! Where training points come from: densities to draw from, or rows of a file.
//!
//! | from | by | exact density |
//! |---|---|---|
//! | a mixture | [`crate::energy::GaussianMixture`], [`toy::gaussians_8`], [`toy::gaussians_25`] | yes |
//! | rings, a checkerboard | [`toy::rings`], [`toy::circles`], [`toy::checkerboard`] | yes |
//! | curves with noise | [`Toy`]: moons, spirals, a pinwheel, a Swiss roll | no |
//! | a file | [`Dataset::read`]: CSV and its relatives, NumPy's `.npy` | no |
//! | rows | [`Dataset::new`] | no |
//! | images | [`Mnist`], [`Images::read_png_folder`] | no |

mod columns;
mod csv;
mod dataset;
mod foreign;
mod idx;
mod images;
mod layout;
mod lines;
mod missing;
mod mnist;
mod npy;
mod number;
mod png_folder;
mod read;
mod record;
pub mod toy;
mod units;

pub use dataset::Dataset;
pub use images::Images;
pub use mnist::Mnist;
pub use toy::{Checkerboard, Rings, Toy};

use crate::energy::Points;
use crate::{Error, Rng};
use dfdx::prelude::*;

/// A source of points: a distribution to draw from, or a finite set. Several runs can draw from it
/// at once, hence `Sync`.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let p = GaussianMixture::new(&[0.2, 0.8], &[[-5.0], [5.0]], &[1.0, 1.0])?;
/// let source: &dyn Data = &p;
/// let x = source.sample(128, &mut rng(0))?;
/// assert_eq!(x.shape(), &(128, source.dimension()));
/// # Ok::<(), Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no source of points (if it is a `Result`, add `?` where it is made)",
    label = "a `Result` lacks its `?`; rows become a source by `Dataset::new(&rows)?`"
)]
pub trait Data<E: Dtype = f32, Dev: Device<E> = AutoDevice>: Sync {
    /// D, the number of coordinates of a point.
    fn dimension(&self) -> usize;

    /// `n` points, shape `(n, D)`: independent draws from a distribution, or different rows of a
    /// finite set.
    ///
    /// # Errors
    /// If a finite set has fewer than `n` points, or a tensor operation fails.
    fn sample(&self, n: usize, rng: &mut Rng) -> Result<Points<E, Dev>, Error>;
}
