//! Latent energy-based models: images that a generator makes of latent points, whose density is
//! learned as an energy.
//!
//! z ~ p(z) ∝ exp(-U(z)) with U a [`LatentPrior`](crate::energy::LatentPrior), x = G(z) + σ ξ with G a
//! [`Decoder`]. To learn both, latent points are drawn from the [`Posterior`] of each image; G comes
//! closer to the images from there, and U learns their density by energy discrepancy.
//!
//! Source: Schröder et al., NeurIPS 2023, section 5.2; Pang et al., NeurIPS 2020.

mod decoder;
mod generator;
#[cfg(not(feature = "cuda"))]
mod generator_fused;
mod interpolation;
mod latent_model;
mod posterior;

pub use decoder::{Decoder, reconstruction_gradient};
pub use generator::Generator;
pub use interpolation::interpolate;
pub use latent_model::{LatentEbm, LatentModel};
pub use posterior::Posterior;
