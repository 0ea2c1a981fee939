//! What a notebook cell imports: `use energy_discrepancy::prelude::*;`.

pub use crate::data::{Data, Dataset, Images, Mnist, Toy, toy};
pub use crate::energy::{
    Density, Energy, GaussianMixture, GradientTape, LatentPrior, Mlp, Parameter, Parameters,
    Points, TapedPoints, TapedValues, Trainable, Values,
};
pub use crate::eval::{Comparison, LogDensityMse, Population};
pub use crate::lebm::{Decoder, Generator, LatentEbm, Posterior};
pub use crate::loss::{
    ContrastiveDivergence, EnergyDiscrepancy, Loss, MaximumLikelihood, ScoreMatching,
    fisher_divergence,
};
pub use crate::notebook::{self, Claims, Live, Progress, Results, StopButton};
pub use crate::plot::{
    Chart, Color, ColorScale, DensityMap, Figure, ImageGrid, Legend, Line, PairMaps,
};
pub use crate::sample::{Langevin, Mala, Sampler};
pub use crate::train::{Adam, HeldOut, History, Metric, Stopped, Sweep, Trainer};
pub use crate::{Error, Preset, Quadrature, Rng, device, rng};
pub use dfdx::shapes::HasShape;
pub use dfdx::tensor::AutoDevice;
