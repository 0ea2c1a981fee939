//! Where training points come from: densities to draw from, or rows of a file.
//!
//! | from | by | exact density |
//! |---|---|---|
//! | a mixture | [`crate::energy::GaussianMixture`], [`toy::gaussians_8`], [`toy::gaussians_25`] | yes |
//! | rings, a checkerboard | [`toy::rings`], [`toy::circles`], [`toy::checkerboard`] | yes |
//! | curves with noise | [`Toy`]: moons, spirals, a pinwheel, a Swiss roll | no |
//! | a file | [`Dataset::read`]: CSV and its relatives, NumPy's `.npy`, Parquet | no |
//! | rows | [`Dataset::new`] | no |
//! | images | [`Mnist`], [`Images::read_png_folder`] | no |

mod columns;
mod csv;
mod dataset;
pub(crate) mod density;
mod foreign;
mod idx;
mod images;
mod layout;
mod lines;
mod missing;
mod mnist;
mod npy;
mod number;
#[cfg(feature = "parquet")]
mod parquet;
mod png_folder;
mod read;
mod record;
mod source;
mod split;
mod summary;
pub mod toy;
mod units;

pub use dataset::Dataset;
pub use density::Density;
pub use images::Images;
pub use mnist::Mnist;
pub use source::Data;
pub use toy::{Checkerboard, Rings, Toy};
