//! Equidistant grids, fine and wide enough for mixtures.

use crate::Error;
use crate::energy::GaussianMixture;

/// Equidistant points.
pub(super) struct Grid {
    pub start: f64,
    pub step: f64,
    pub count: usize,
}

impl Grid {
    /// Where the densities live, 16 points to the narrowest standard deviation. So fine because
    /// e^{-s q(x)} is a front of width σ²/|x - μ| where q falls through 1/s.
    pub fn around(densities: &[&GaussianMixture]) -> Result<Self, Error> {
        let (low, high, narrowest) = support(densities);
        Self::spanning(low, high, narrowest / 16.0)
    }

    /// Two grids for functions that live where the densities do, and for their convolutions with
    /// N(0, t): the first fine enough for the kernel too, the second wider, and coarser where the
    /// kernel allows it (a product of M + 1 such convolutions has a Fourier transform of width
    /// √((M + 1)/t)).
    pub fn for_blur(
        densities: &[&GaussianMixture],
        t: f64,
        m: usize,
    ) -> Result<(Self, Self), Error> {
        let (low, high, narrowest) = support(densities);
        let (fine, std) = (narrowest / 12.0, t.sqrt());
        let inner = Self::spanning(low, high, fine.min(0.5 * std))?;
        let (low, high) = (low - 9.0 * std, high + 9.0 * std);
        let smooth = 0.8 * std / (m as f64 + 1.0).sqrt();
        let outer = Self::spanning(low, high, fine.max(smooth))?;
        if inner.count * outer.count > 1 << 24 {
            let allowed = "larger: quadrature needs too fine a grid for so small a variance";
            return Err(Error::setting("t", t, allowed));
        }
        Ok((inner, outer))
    }

    fn spanning(low: f64, high: f64, step: f64) -> Result<Self, Error> {
        let count = ((high - low) / step).ceil() + 1.0;
        if count > f64::from(1 << 20) {
            let allowed = "2^20 for quadrature: bring the modes closer, or widen the narrowest one";
            return Err(Error::setting("number of grid points", count, allowed));
        }
        Ok(Self {
            start: low,
            step,
            count: count as usize,
        })
    }

    pub fn points(&self) -> impl Iterator<Item = f64> + use<> {
        let (start, step) = (self.start, self.step);
        (0..self.count).map(move |i| start + step * i as f64)
    }

    pub fn integrate(&self, f: impl Fn(f64) -> f64) -> f64 {
        self.step * self.points().map(f).sum::<f64>()
    }
}

/// What all densities' supports span, and the smallest standard deviation.
fn support(densities: &[&GaussianMixture]) -> (f64, f64, f64) {
    let none = (f64::INFINITY, f64::NEG_INFINITY, f64::INFINITY);
    densities
        .iter()
        .map(|p| p.support())
        .fold(none, |a, b| (a.0.min(b.0), a.1.max(b.1), a.2.min(b.2)))
}
