//! The two-dimensional toy densities that people know, by name.
//!
//! They live in [-4, 4]²; noise carries at most one point in 4000 beyond. Sizes and noise are
//! those of [FFJORD's toy data](https://github.com/rtqichen/ffjord/blob/master/lib/toy_data.py) (Grathwohl
//! et al., ICLR 2019, arXiv 1810.01367), from which most papers took theirs; each item gives its
//! formula.

mod checkerboard;
mod rings;
mod shapes;

pub use checkerboard::{Checkerboard, checkerboard};
pub use rings::{Rings, circles, rings};

use super::density::Density;
use super::source::{Data, drawn};
use crate::energy::GaussianMixture;
use crate::tensors::Points;
use crate::{Error, Rng};
use std::fmt;

/// FFJORD's and this paper's √2.
const ROOT_2: f64 = 1.414;

/// 25 Gaussians on a grid, the data of the paper's density experiments.
///
/// p(x) = 1/25 Σ_k N(x; μ_k, σ² I), μ_k ∈ {-4, -2, 0, 2, 4}²/1.414, σ = 0.2/1.414.
///
/// Source: <https://github.com/J-zin/energy-discrepancy>; 1.414 is the reference's, not √2.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let p = toy::gaussians_25();
/// let x: Points = p.sample(200, &mut rng(0))?;
/// assert_eq!(x.shape(), &(200, 2));
/// let at_a_mode = 1.0 / (25.0 * 2.0 * std::f64::consts::PI * (0.2f64 / 1.414).powi(2));
/// assert!((p.log_density(&[0.0, 0.0])? - at_a_mode.ln()).abs() < 1e-9);
/// # Ok::<(), Error>(())
/// ```
pub fn gaussians_25() -> GaussianMixture {
    let steps = || {
        [-1.0, -0.5, 0.0, 0.5, 1.0]
            .map(|step| 4.0 * step / ROOT_2)
            .into_iter()
    };
    let means = steps().flat_map(|x| steps().map(move |y| vec![x, y]));
    GaussianMixture::equal(means.collect(), 0.2 / ROOT_2)
}

/// 8 Gaussians on a circle.
///
/// p(x) = 1/8 Σ_k N(x; μ_k, σ² I), μ_k = 4 (cos kπ/4, sin kπ/4)/1.414, σ = 0.5/1.414.
///
/// Source: FFJORD's `8gaussians`.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let p = toy::gaussians_8();
/// let (mode, centre) = (p.log_density(&[4.0 / 1.414, 0.0])?, p.log_density(&[0.0, 0.0])?);
/// assert!(mode - centre > 20.0);
/// # Ok::<(), Error>(())
/// ```
pub fn gaussians_8() -> GaussianMixture {
    let mean = |k: i32| {
        let (sin, cos) = (f64::from(k) * std::f64::consts::FRAC_PI_4).sin_cos();
        vec![4.0 * cos / ROOT_2, 4.0 * sin / ROOT_2]
    };
    GaussianMixture::equal((0..8).map(mean).collect(), 0.5 / ROOT_2)
}

/// A toy density that a notebook picks by a variable.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let data: Toy = "2spirals".parse()?;
/// assert_eq!(data, Toy::TwoSpirals);
/// let sources: Vec<Box<dyn Data>> = Toy::ALL.map(|toy| Box::new(toy) as Box<dyn Data>).into();
/// for source in &sources {
///     assert_eq!(source.sample(100, &mut rng(0))?.shape(), &(100, 2));
/// }
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Toy {
    /// [`gaussians_8`], `8gaussians`.
    Gaussians8,
    /// [`gaussians_25`], `25gaussians`.
    Gaussians25,
    /// [`checkerboard`], `checkerboard`.
    Checkerboard,
    /// [`circles`], `circles`.
    Circles,
    /// [`rings`], `rings`.
    Rings,
    /// Two half circles that reach into each other, `moons`: with t uniform in [0, π] and
    /// ξ ~ N(0, I), x = (2 cos t - 1, 2 sin t - 0.2) + 0.2 ξ or
    /// x = (1 - 2 cos t, 0.8 - 2 sin t) + 0.2 ξ, each for half of the points.
    ///
    /// Source: scikit-learn's `make_moons(noise=0.1)`, doubled and moved as in FFJORD.
    Moons,
    /// Five bent arms, `pinwheel`: with ξ ~ N(0, I), f = (1 + 0.3 ξ_1, 0.1 ξ_2) and k uniform in
    /// 0..5, x = 2 f turned clockwise by 2πk/5 + e^{f_1}/4.
    ///
    /// Source: FFJORD's `pinwheel`, first in Johnson et al., NeurIPS 2016 (arXiv 1603.06277).
    Pinwheel,
    /// One spiral, `swissroll`: with t = 3π/2 (1 + 2u), u uniform in [0, 1] and ξ ~ N(0, I),
    /// x = t (cos t, sin t)/5 + 0.2 ξ.
    ///
    /// Source: scikit-learn's `make_swiss_roll(noise=1)` from above, a fifth its size as in FFJORD.
    SwissRoll,
    /// Two spirals, `2spirals`: with t = 3π√u, u, v_1 and v_2 uniform in [0, 1] and
    /// ξ ~ N(0, I), x = ±(v_1/2 - t cos t, v_2/2 + t sin t)/3 + 0.1 ξ, each sign for half of the
    /// points.
    ///
    /// Source: FFJORD's `2spirals`.
    TwoSpirals,
}

const NAMES: &str = "one of 8gaussians, 25gaussians, checkerboard, circles, rings, moons, \
                     pinwheel, swissroll, 2spirals";

impl Toy {
    /// All of them.
    pub const ALL: [Toy; 9] = [
        Toy::Gaussians8,
        Toy::Gaussians25,
        Toy::Checkerboard,
        Toy::Circles,
        Toy::Rings,
        Toy::Moons,
        Toy::Pinwheel,
        Toy::SwissRoll,
        Toy::TwoSpirals,
    ];

    /// The one of this name, as FFJORD's code calls it, in capitals or not; the same as
    /// `name.parse()`.
    ///
    /// # Errors
    /// If there is none of this name; the message lists all.
    pub fn from_name(name: &str) -> Result<Self, Error> {
        let known = Toy::ALL
            .into_iter()
            .find(|toy| toy.name().eq_ignore_ascii_case(name.trim()));
        known.ok_or_else(|| Error::setting("toy", format!("{name:?}"), NAMES))
    }

    /// The name that [`Toy::from_name`] knows it by.
    pub fn name(self) -> &'static str {
        match self {
            Toy::Gaussians8 => "8gaussians",
            Toy::Gaussians25 => "25gaussians",
            Toy::Checkerboard => "checkerboard",
            Toy::Circles => "circles",
            Toy::Rings => "rings",
            Toy::Moons => "moons",
            Toy::Pinwheel => "pinwheel",
            Toy::SwissRoll => "swissroll",
            Toy::TwoSpirals => "2spirals",
        }
    }

    /// The density in closed form, where there is one.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let x = Toy::Checkerboard.sample(10, &mut rng(0))?;
    /// if let Some(p) = Toy::Checkerboard.density() {
    ///     assert_eq!(p.log_densities(&x)?, [-32f64.ln(); 10]);
    /// }
    /// assert!(Toy::Moons.density().is_none());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn density(self) -> Option<Box<dyn Density>> {
        match self {
            Toy::Gaussians8 => Some(Box::new(gaussians_8())),
            Toy::Gaussians25 => Some(Box::new(gaussians_25())),
            Toy::Checkerboard => Some(Box::new(checkerboard())),
            Toy::Circles => Some(Box::new(circles())),
            Toy::Rings => Some(Box::new(rings())),
            Toy::Moons | Toy::Pinwheel | Toy::SwissRoll | Toy::TwoSpirals => None,
        }
    }
}

impl std::str::FromStr for Toy {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Toy::from_name(name)
    }
}

impl fmt::Display for Toy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Data for Toy {
    fn dimension(&self) -> usize {
        2
    }

    fn sample(&self, n: usize, rng: &mut Rng) -> Result<Points, Error> {
        match self {
            Toy::Gaussians8 => gaussians_8().sample(n, rng),
            Toy::Gaussians25 => gaussians_25().sample(n, rng),
            Toy::Checkerboard => checkerboard().sample(n, rng),
            Toy::Circles => circles().sample(n, rng),
            Toy::Rings => rings().sample(n, rng),
            Toy::Moons => drawn(n, 2, || shapes::moons(rng)),
            Toy::Pinwheel => drawn(n, 2, || shapes::pinwheel(rng)),
            Toy::SwissRoll => drawn(n, 2, || shapes::swiss_roll(rng)),
            Toy::TwoSpirals => drawn(n, 2, || shapes::two_spirals(rng)),
        }
    }
}

#[cfg(test)]
mod density_tests;
#[cfg(test)]
mod sample_tests;
