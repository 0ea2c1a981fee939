//! Losses of one-dimensional mixtures in the limit of infinitely many samples.

use super::grid::Grid;
use crate::Error;
use crate::energy::GaussianMixture;
use rayon::prelude::*;

/// The losses of a model q under data from p, both one-dimensional Gaussian mixtures, by
/// quadrature: what the sampled losses estimate.
///
/// The integrands are analytic and vanish at both ends, so that the trapezoidal rule converges
/// exponentially: 1e-9 and better on densities with modes a few dozen standard deviations apart.
///
/// # Examples
/// Score matching is blind to the weights of well separated modes, maximum likelihood is not:
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let mixture = |rho: f64| {
///     GaussianMixture::new(&[rho, 1.0 - rho], &[[-5.0], [5.0]], &[1.0, 1.0])
/// };
/// let data = Population::new(&mixture(0.2)?)?;
/// assert!(data.fisher_divergence(&mixture(0.8)?)? < 2e-5);
/// let kl = data.cross_entropy(&mixture(0.8)?)? - data.cross_entropy(&mixture(0.2)?)?;
/// assert!(kl > 0.8);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Population {
    truth: GaussianMixture,
}

impl Population {
    /// Data distributed as `truth`.
    ///
    /// # Errors
    /// If the mixture is not one-dimensional.
    pub fn new(truth: &GaussianMixture) -> Result<Self, Error> {
        one_dimensional(truth)?;
        Ok(Self {
            truth: truth.clone(),
        })
    }

    /// The cross entropy -∫ p log q, which maximum likelihood minimises.
    ///
    /// # Errors
    /// If the model is not one-dimensional.
    pub fn cross_entropy(&self, model: &GaussianMixture) -> Result<f64, Error> {
        one_dimensional(model)?;
        let grid = Grid::around(&[&self.truth, model])?;
        Ok(-grid.integrate(|x| density(&self.truth, x) * log_density(model, x)))
    }

    /// The Fisher divergence 1/2 ∫ p (∂ log q - ∂ log p)², which score matching minimises.
    ///
    /// # Errors
    /// If the model is not one-dimensional.
    pub fn fisher_divergence(&self, model: &GaussianMixture) -> Result<f64, Error> {
        one_dimensional(model)?;
        let grid = Grid::around(&[&self.truth, model])?;
        let difference = |x| score(model, x) - score(&self.truth, x);
        Ok(0.5 * grid.integrate(|x| density(&self.truth, x) * difference(x).powi(2)))
    }

    /// Energy discrepancy in the limit M → ∞, less log M: CE(p, q) - CE(p_t, q_t), where p_t and
    /// q_t are p and q convolved with N(0, t).
    ///
    /// Between score matching (t times the Fisher divergence, up to a constant, as t → 0) and
    /// maximum likelihood (as t → ∞).
    ///
    /// # Errors
    /// If the model is not one-dimensional, or t is not a variance.
    pub fn energy_discrepancy_limit(&self, model: &GaussianMixture, t: f64) -> Result<f64, Error> {
        let smoothed = Population::new(&self.truth.smoothed(t)?)?;
        Ok(self.cross_entropy(model)? - smoothed.cross_entropy(&model.smoothed(t)?)?)
    }

    /// Energy discrepancy with noise of variance t, M particles and stabilisation w: the
    /// expectation of [`crate::EnergyDiscrepancy`]'s loss.
    ///
    /// With log a = ∫_0^∞ (e^-s - e^-sa) ds/s the expectation over the M particles factorises:
    ///
    /// L = CE(p, q) + ∫ ds/s [ e^-s - ∫ p(x) e^{-s w q(x)} N(y; x, t) ψ_s(y)^M dx dy ],
    /// ψ_s(y) = ∫ N(v; y, t) e^{-s q(v)} dv.
    ///
    /// # Errors
    /// If the model is not one-dimensional, t is not positive or too small for a grid, M = 0, or w
    /// is negative.
    pub fn energy_discrepancy(
        &self,
        model: &GaussianMixture,
        t: f64,
        m: usize,
        w: f64,
    ) -> Result<f64, Error> {
        if !(t > 0.0 && t.is_finite()) {
            return Err(Error::setting("t", t, "a variance: positive and finite"));
        }
        let Some(power) = i32::try_from(m).ok().filter(|m| *m > 0) else {
            return Err(Error::setting("particles", m, "between 1 and 2³¹ - 1"));
        };
        if !(w >= 0.0 && w.is_finite()) {
            return Err(Error::setting(
                "stabilisation",
                w,
                "finite and not negative",
            ));
        }
        let cross_entropy = self.cross_entropy(model)?;
        let (inner, outer) = Grid::for_blur(&[&self.truth, model], t, m)?;
        let s: Vec<f64> = LOG_S.points().map(f64::exp).collect();

        // Column by column: p(x) e^{-s w q(x)}, then 1 - e^{-s q(v)}, at the inner grid's points.
        let mut columns = Vec::with_capacity(inner.count * 2 * s.len());
        for x in inner.points() {
            let (p, q) = (density(&self.truth, x), density(model, x));
            columns.extend(s.iter().map(|s| p * (1.0 - hidden(s * w * q))));
            columns.extend(s.iter().map(|s| hidden(s * q)));
        }
        let blur = outer.points().flat_map(|y| {
            let scale = inner.step / (2.0 * std::f64::consts::PI * t).sqrt();
            inner
                .points()
                .map(move |x| scale * (-(y - x).powi(2) / (2.0 * t)).exp())
        });
        let blur: Vec<f64> = blur.collect();
        let mut blurred = vec![0.0; outer.count * 2 * s.len()];
        let rows = blurred
            .par_chunks_mut(2 * s.len())
            .zip(blur.par_chunks(inner.count));
        rows.for_each(|(row, blur)| {
            for (share, columns) in blur.iter().zip(columns.chunks(row.len())) {
                row.iter_mut()
                    .zip(columns)
                    .for_each(|(to, from)| *to += share * from);
            }
        });

        let mut inside = vec![0.0; s.len()];
        for row in blurred.chunks(2 * s.len()) {
            let (data, hidden) = row.split_at(s.len());
            for ((inside, data), hidden) in inside.iter_mut().zip(data).zip(hidden) {
                *inside += outer.step * data * (1.0 - hidden).powi(power);
            }
        }
        let differences = s.iter().zip(&inside).map(|(s, inside)| (-s).exp() - inside);
        Ok(cross_entropy + LOG_S.step * differences.sum::<f64>())
    }
}

/// log s, so that ds/s is uniform. The error falls as |Γ(2πi/h)|, 1e-11 at h = 0.4; beyond the
/// ends both e^-s and the integral are 1, or below 1e-11.
const LOG_S: Grid = Grid {
    start: -28.0,
    step: 0.4,
    count: 144,
};

/// 1 - e^-a, without the exponential where it is a or 1: most of the values here.
fn hidden(a: f64) -> f64 {
    match a {
        _ if a < 1e-17 => a,
        _ if a > 40.0 => 1.0,
        _ => -(-a).exp_m1(),
    }
}

fn one_dimensional(p: &GaussianMixture) -> Result<(), Error> {
    match p.dimension() {
        1 => Ok(()),
        d => Err(Error::shape(
            "the mixture",
            (d,),
            "one dimension, for quadrature",
        )),
    }
}

fn log_density(p: &GaussianMixture, x: f64) -> f64 {
    p.log_density_unchecked(&[x])
}

fn density(p: &GaussianMixture, x: f64) -> f64 {
    log_density(p, x).exp()
}

fn score(p: &GaussianMixture, x: f64) -> f64 {
    -p.slopes(&[x])[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(mean: f64, std: f64) -> GaussianMixture {
        GaussianMixture::new(&[1.0], &[[mean]], &[std]).unwrap()
    }

    #[test]
    fn normal_densities_have_closed_forms() {
        let data = Population::new(&normal(0.0, 1.0)).unwrap();
        let model = normal(1.0, 2.0);
        let ce = 0.5 * (8.0 * std::f64::consts::PI).ln() + (1.0 + 1.0) / 8.0;
        assert!((data.cross_entropy(&model).unwrap() - ce).abs() < 1e-12);
        // Scores -(x - 1)/4 and -x: half the expectation of (3x/4 + 1/4)².
        let fisher = 0.5 * (9.0 / 16.0 + 1.0 / 16.0);
        assert!((data.fisher_divergence(&model).unwrap() - fisher).abs() < 1e-12);
    }

    #[test]
    fn small_noise_tells_nothing_apart() {
        // M = w = 1: the loss of a classifier of data against perturbed data.
        let p = normal(0.0, 1.0);
        let loss = Population::new(&p)
            .unwrap()
            .energy_discrepancy(&p, 1e-4, 1, 1.0)
            .unwrap();
        assert!((loss - 2f64.ln()).abs() < 1e-4, "{loss}");
    }

    #[test]
    fn finite_m_approaches_the_limit() {
        let (p, q) = (normal(0.0, 1.0), normal(0.5, 1.2));
        let data = Population::new(&p).unwrap();
        let limit = data.energy_discrepancy_limit(&q, 1.0).unwrap();
        let gap = |m: usize| {
            let loss = data.energy_discrepancy(&q, 1.0, m, 1.0).unwrap();
            (loss - (m as f64).ln() - limit).abs()
        };
        // The gap falls as 1/M.
        assert!(
            gap(512) < 0.6 * gap(256) && gap(512) < 0.01,
            "{} {}",
            gap(256),
            gap(512)
        );
    }

    #[test]
    fn two_dimensions_are_an_error() {
        let p = GaussianMixture::new(&[1.0], &[[0.0, 0.0]], &[1.0]).unwrap();
        assert!(Population::new(&p).is_err());
        let data = Population::new(&normal(0.0, 1.0)).unwrap();
        assert!(
            data.energy_discrepancy(&normal(0.0, 1.0), 0.0, 4, 1.0)
                .is_err()
        );
        assert!(
            data.energy_discrepancy(&normal(0.0, 1.0), 1.0, 0, 1.0)
                .is_err()
        );
    }
}
