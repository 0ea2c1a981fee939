//! What a notebook cell imports: `use energy_discrepancy::prelude::*;`.

pub use crate::data::{Data, Dataset, Density, Images, Mnist, Toy, toy};
pub use crate::energy::{
    Energy, Expr, GaussianMixture, LatentPrior, Mlp, Net, Parameter, Parameters, Tilted, Trainable,
    Window,
};
pub use crate::eval::{Comparison, LogDensityMse, Population, fisher_divergence};
pub use crate::lebm::{Decoder, Generator, LatentEbm, Posterior};
pub use crate::loss::{
    ContrastiveDivergence, EnergyDiscrepancy, Loss, MaximumLikelihood, Perturbation, ScoreMatching,
    Terms,
};
pub use crate::notebook::{self, Claims, Live, Progress, Results, StopButton};
pub use crate::plot::{
    Chart, Color, ColorScale, DensityMap, Figure, ImageGrid, Legend, Line, PairMaps,
};
pub use crate::sample::{Hmc, Imputation, Langevin, Mala, Sampler};
pub use crate::train::{
    Adam, HeldOut, History, Metric, Objective, Optimiser, Schedule, Stopped, Sweep, Trainer,
    Training,
};
pub use crate::{
    Error, Preset, Quadrature, Rng, Table, device, normal_points, normals, points, rng, to_vec,
};
pub use crate::{GradientTape, Points, TapedPoints, TapedValues, Values};
pub use dfdx::shapes::HasShape;
pub use dfdx::tensor::AutoDevice;
