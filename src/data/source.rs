//! What points come from.

use crate::tensors::{Points, points};
use crate::{Error, Rng};

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
/// A distribution of one's own, uniform on a circle:
/// ```
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::rand::RngExt;
///
/// struct Circle;
/// impl Data for Circle {
///     fn dimension(&self) -> usize {
///         2
///     }
///     fn sample(&self, n: usize, rng: &mut Rng) -> Result<Points, Error> {
///         let angles = (0..n).map(|_| rng.random_range(0.0..std::f32::consts::TAU));
///         points(angles.flat_map(|a| [a.cos(), a.sin()]).collect(), (n, 2))
///     }
/// }
///
/// assert_eq!(Circle.sample(5, &mut rng(0))?.shape(), &(5, 2));
/// # Ok::<(), Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no source of points (if it is a `Result`, add `?` where it is made)",
    label = "a `Result` lacks its `?`; rows become a source by `Dataset::new(&rows)?`, points by `Dataset::from_points(&points)?`"
)]
pub trait Data: Sync {
    /// D, the number of coordinates of a point.
    fn dimension(&self) -> usize;

    /// `n` points, shape `(n, D)`: independent draws from a distribution, or different rows of a
    /// finite set.
    ///
    /// # Errors
    /// If a finite set has fewer than `n` points, or a tensor operation fails.
    fn sample(&self, n: usize, rng: &mut Rng) -> Result<Points, Error>;

    /// The number of points of a finite set.
    fn count(&self) -> Option<usize> {
        None
    }

    /// The points of a finite set with these numbers, counted from 0: what a run in epochs asks for.
    ///
    /// # Errors
    /// If it is no finite set, or has no point of such a number.
    fn points_at(&self, _numbers: &[usize]) -> Result<Points, Error> {
        Err(Error::Data(
            "a distribution has no rows: give a number of steps, not of epochs".into(),
        ))
    }
}

/// `n` draws of a point with `d` coordinates, `(n, d)`.
pub(crate) fn drawn<R: IntoIterator<Item = f64>>(
    n: usize,
    d: usize,
    mut draw: impl FnMut() -> R,
) -> Result<Points, Error> {
    let values = (0..n).flat_map(|_| draw()).map(|x| x as f32);
    points(values.collect(), (n, d))
}
