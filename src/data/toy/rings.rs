//! Concentric rings in closed form.

use crate::data::density::Density;
use crate::data::source::{Data, drawn};
use crate::energy::{Energy, closed_form};
use crate::tensors::{Points, TapedPoints, TapedValues, Values};
use crate::{Error, Rng};
use dfdx::prelude::*;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use std::f64::consts::PI;

/// |x| is computed as √(|x|² + SOFTENING²), which has a slope at the centre too.
const SOFTENING: f64 = 1e-8;

/// Four rings, radii 0.75, 1.5, 2.25 and 3, σ = 0.08.
///
/// Sizes and noise are those of the `rings` that circulate with FFJORD's toy data. There the noise
/// is added to x and y; here to the radius, which gives the exact density of [`Rings`].
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let p = toy::rings();
/// let on_a_ring = p.log_density(&[0.0, 1.5])?;
/// let between = p.log_density(&[0.0, 1.875])?;
/// assert!(on_a_ring - between > 9.0);
/// # Ok::<(), Error>(())
/// ```
pub fn rings() -> Rings {
    Rings {
        radii: vec![0.75, 1.5, 2.25, 3.0],
        std: 0.08,
    }
}

/// Two rings, radii 1.5 and 3, σ = 0.24.
///
/// Sizes and noise are those of FFJORD's `circles`. There the noise is added to x and y; here to
/// the radius, which gives the exact density of [`Rings`].
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let x = toy::circles().sample(1000, &mut rng(0))?;
/// let radii: Vec<f32> = x.as_vec().chunks(2).map(|x| x[0].hypot(x[1])).collect();
/// let outer = radii.iter().filter(|r| **r > 2.25).count();
/// assert!((450..550).contains(&outer));
/// # Ok::<(), Error>(())
/// ```
pub fn circles() -> Rings {
    Rings {
        radii: vec![1.5, 3.0],
        std: 0.24,
    }
}

/// K concentric rings around the origin of the plane, each with the same weight.
///
/// The radius is drawn from N(R_k, σ²), the angle uniformly; a negative radius points the other
/// way. With r = |x|,
///
/// p(x) = 1/K Σ_k [N(r; R_k, σ²) + N(r; -R_k, σ²)] / (2π r), U(x) = -log p(x), normalised.
///
/// Towards the centre p grows as 1/r, with a factor of N(0; R_k, σ²): next to nothing where
/// R_k > 5σ. r is computed as √(|x|² + 10⁻¹⁶), so that energy and gradient are finite there too.
#[derive(Clone, Debug, PartialEq)]
pub struct Rings {
    radii: Vec<f64>,
    std: f64,
}

impl Rings {
    /// Rings of these radii R, all with the standard deviation σ across.
    ///
    /// # Errors
    /// If there is no radius, one is negative or not finite, or σ is not positive and finite.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::data::Rings;
    /// let one = Rings::new(&[2.0], 0.1)?;
    /// assert!(Rings::new(&[2.0], 0.0).is_err());
    /// # Ok::<(), energy_discrepancy::Error>(())
    /// ```
    pub fn new(radii: &[f64], std: f64) -> Result<Self, Error> {
        if radii.is_empty() {
            return Err(Error::shape("radii", 0, "one at least"));
        }
        if let Some(radius) = radii.iter().find(|r| !(**r >= 0.0 && r.is_finite())) {
            return Err(Error::setting("radius", radius, "finite and not negative"));
        }
        if !(std > 0.0 && std.is_finite()) {
            return Err(Error::setting("std", std, "positive and finite"));
        }
        Ok(Self {
            radii: radii.to_vec(),
            std,
        })
    }

    /// log p at one point.
    ///
    /// # Errors
    /// If the point is not two-dimensional.
    pub fn log_density(&self, x: &[f64]) -> Result<f64, Error> {
        if x.len() != 2 {
            return Err(Error::shape("the point", x.len(), "2 coordinates"));
        }
        Ok(-self.at(x).0)
    }

    /// U, and its slope in r.
    fn at(&self, x: &[f64]) -> (f64, f64) {
        let r = self.radius(x);
        let log = |centre: f64| -0.5 * ((r - centre) / self.std).powi(2);
        let largest = self.centres().map(log).fold(f64::NEG_INFINITY, f64::max);
        let (mut sum, mut pull) = (0.0, 0.0);
        for centre in self.centres() {
            let weight = (log(centre) - largest).exp();
            sum += weight;
            pull += weight * (r - centre);
        }
        let energy = r.ln() - largest - sum.ln() - self.log_scale();
        (energy, 1.0 / r + pull / (sum * self.std * self.std))
    }

    /// r, softened.
    fn radius(&self, x: &[f64]) -> f64 {
        (x[0] * x[0] + x[1] * x[1] + SOFTENING * SOFTENING).sqrt()
    }

    fn slopes(&self, x: &[f64]) -> Vec<f64> {
        let share = self.at(x).1 / self.radius(x);
        vec![share * x[0], share * x[1]]
    }

    /// R_k and -R_k.
    fn centres(&self) -> impl Iterator<Item = f64> {
        self.radii.iter().flat_map(|radius| [*radius, -radius])
    }

    /// -log(K √(2π) σ 2π).
    fn log_scale(&self) -> f64 {
        let k = self.radii.len() as f64;
        -(k * (2.0 * PI).sqrt() * self.std * 2.0 * PI).ln()
    }

    fn draw(&self, rng: &mut Rng) -> [f64; 2] {
        let radius = self.radii[rng.random_range(0..self.radii.len() as u32) as usize];
        let noise: f64 = StandardNormal.sample(rng);
        let r = radius + self.std * noise;
        let (sin, cos) = (2.0 * PI * rng.random::<f64>()).sin_cos();
        [r * cos, r * sin]
    }
}

impl Energy for Rings {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        let (energies, slopes) = self.gradient(&x.retaped::<NoneTape>())?;
        closed_form::taped(x, energies, slopes)
    }

    fn energy(&self, x: &Points) -> Result<Values, Error> {
        let rows = closed_form::rows("the plane", 2, x)?;
        closed_form::energies(x, &rows, |x| self.at(x).0)
    }

    fn gradient(&self, x: &Points) -> Result<(Values, Points), Error> {
        let rows = closed_form::rows("the plane", 2, x)?;
        let energies = closed_form::energies(x, &rows, |x| self.at(x).0)?;
        Ok((energies, closed_form::slopes(x, &rows, |x| self.slopes(x))?))
    }

    fn is_tested(&self) -> bool {
        true
    }
}

impl Data for Rings {
    fn dimension(&self) -> usize {
        2
    }

    fn sample(&self, n: usize, rng: &mut Rng) -> Result<Points, Error> {
        drawn(n, 2, || self.draw(rng))
    }
}

impl Density for Rings {
    fn log_densities(&self, x: &Points) -> Result<Vec<f64>, Error> {
        let rows = closed_form::rows("the plane", 2, x)?;
        Ok(rows.iter().map(|x| -self.at(x).0).collect())
    }

    fn scores(&self, x: &Points) -> Result<Vec<f64>, Error> {
        let rows = closed_form::rows("the plane", 2, x)?;
        Ok(rows
            .iter()
            .flat_map(|x| self.slopes(x))
            .map(|slope| -slope)
            .collect())
    }
}
