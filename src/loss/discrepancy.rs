//! Energy discrepancy, the paper's loss.

use super::Loss;
use crate::energy::{Energy, Points, Values, for_each_backend, scalar, tensor};
use crate::{Error, Rng};
use dfdx::prelude::*;
use rand_distr::{Distribution, StandardNormal};

/// Energy discrepancy with Gaussian perturbation.
///
/// With y_i = x_i + √t ξ_i and x_ij = y_i + √t ξ'_ij, all ξ standard normal,
///
/// L = 1/N Σ_i log( w + Σ_{j=1..M} exp( U(x_i) - U(x_ij) ) ).
///
/// A constant energy has L = log(M + w). No gradient of U with respect to x and no Markov chain
/// is needed. For t → 0, L - log(M + 1) approaches t M/(M + 1) times score matching (w = 1); for
/// large t and M it approaches maximum likelihood.
///
/// Source: Schröder et al., NeurIPS 2023. The paper writes w/M for this w and divides the sum
/// by M, which moves L by log M and leaves its gradient.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let p = GaussianMixture::new(&[0.2, 0.8], &[[-5.0], [5.0]], &[1.0, 1.0])?;
/// let q = GaussianMixture::new(&[0.8, 0.2], &[[-5.0], [5.0]], &[1.0, 1.0])?;
/// let x: Points<f64> = p.sample(4096, &mut rng(0))?;
///
/// let loss = EnergyDiscrepancy::with_variance(32.0).particles(4).stabilisation(1.0);
/// let noise = loss.draw(&x, &mut rng(1))?;
/// assert!(loss.evaluate(&p, &x, &noise)? < loss.evaluate(&q, &x, &noise)?);
/// # Ok::<(), Error>(())
/// ```
/// PyTorch equivalent, with `u_x: (N, 1)` and `u_y: (N, M)`:
/// `torch.logsumexp(torch.cat([u_x - u_y, log_w.expand(N, 1)], 1), 1).mean()`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EnergyDiscrepancy {
    std: f64,
    particles: usize,
    stabilisation: f64,
}

/// The perturbations of one evaluation of [`EnergyDiscrepancy`]: standard normal numbers.
#[derive(Clone, Debug)]
pub struct Noise<E: Dtype = f32, Dev: Device<E> = Cpu> {
    /// ξ, shared by a point's M particles: `(N, D)`.
    pub shared: Points<E, Dev>,
    /// ξ', each particle's own: `(N, M, D)`.
    pub own: Tensor<(usize, usize, usize), E, Dev>,
}

impl EnergyDiscrepancy {
    /// Noise of standard deviation s = √t, with M = 4 and w = 1.
    pub fn with_std(std: f64) -> Self {
        Self {
            std,
            particles: 4,
            stabilisation: 1.0,
        }
    }

    /// Noise of variance t = s², with M = 4 and w = 1.
    pub fn with_variance(t: f64) -> Self {
        Self::with_std(t.sqrt())
    }

    /// M, the number of particles x_ij for each data point.
    pub fn particles(self, m: usize) -> Self {
        Self {
            particles: m,
            ..self
        }
    }

    /// w, the constant in the logarithm. With 1 the minimum is unbiased for every M; with 0
    /// the loss has no lower bound.
    pub fn stabilisation(self, w: f64) -> Self {
        Self {
            stabilisation: w,
            ..self
        }
    }

    fn check(&self) -> Result<(), Error> {
        if !(self.std > 0.0 && self.std.is_finite()) {
            let allowed = "a standard deviation or variance: positive and finite";
            return Err(Error::setting("noise", self.std, allowed));
        }
        if self.particles == 0 {
            return Err(Error::setting("particles", 0, "at least 1"));
        }
        if !(self.stabilisation >= 0.0 && self.stabilisation.is_finite()) {
            let allowed = "finite and not negative";
            return Err(Error::setting("stabilisation", self.stabilisation, allowed));
        }
        Ok(())
    }

    fn draw_on<E: Dtype, Dev: Device<E>>(
        &self,
        x: &Points<E, Dev>,
        rng: &mut Rng,
    ) -> Result<Noise<E, Dev>, Error> {
        self.check()?;
        let (n, d) = *x.shape();
        let m = self.particles;
        if (n as u128) * (m as u128) * (d as u128) > 1 << 32 {
            let allowed = "fewer: N x M x D is the number of noise values, 2^32 at most";
            return Err(Error::setting("particles", m, allowed));
        }
        let mut normal =
            |count: usize| -> Vec<f64> { (0..count).map(|_| StandardNormal.sample(rng)).collect() };
        let (shared, own) = (normal(n * d), normal(n * m * d));
        Ok(Noise {
            shared: tensor(x.device(), shared.into_iter(), (n, d))?,
            own: tensor(x.device(), own.into_iter(), (n, m, d))?,
        })
    }

    fn evaluate_on<E: Dtype, Dev: Device<E>>(
        &self,
        energy: &dyn Energy<E, Dev>,
        x: &Points<E, Dev>,
        noise: &Noise<E, Dev>,
    ) -> Result<f64, Error> {
        self.check()?;
        let (n, d) = *x.shape();
        let m = self.particles;
        if *noise.shared.shape() != (n, d) || *noise.own.shape() != (n, m, d) {
            let found = (noise.shared.shape(), noise.own.shape());
            let expected = format!("(({n}, {d}), ({n}, {m}, {d})) for this batch and M = {m}");
            return Err(Error::shape("noise", found, expected));
        }
        if n == 0 {
            return Err(Error::shape("x", (n, d), "at least one point"));
        }
        let perturbed = self.perturb(x, noise).map_err(Error::tensor)?;
        let at_data = energy_at(energy, x)?;
        let at_particles = energy_at(energy, &perturbed)?;
        let loss = self
            .contrast(at_data, at_particles)
            .map_err(Error::tensor)?;
        let value = loss.as_vec().first().and_then(E::to_f64);
        value.ok_or_else(|| Error::Tensor("the loss is not a number".into()))
    }

    /// x_ij = x_i + s (ξ_i + ξ'_ij), `(N M, D)`.
    fn perturb<E: Dtype, Dev: Device<E>>(
        &self,
        x: &Points<E, Dev>,
        noise: &Noise<E, Dev>,
    ) -> Result<Points<E, Dev>, Dev::Err> {
        let (n, m, d) = *noise.own.shape();
        let both = noise.own.clone().try_add(
            noise
                .shared
                .clone()
                .try_broadcast_like::<_, Axis<1>>(&(n, m, d))?,
        )?;
        both.try_mul(scalar::<E>(self.std))?
            .try_add(x.clone().try_broadcast_like::<_, Axis<1>>(&(n, m, d))?)?
            .try_reshape_like(&(n * m, d))
    }

    /// 1/N Σ_i log( w + Σ_j exp( U(x_i) - U(x_ij) ) ) from the energies.
    fn contrast<E: Dtype, Dev: Device<E>>(
        &self,
        at_data: Values<E, Dev>,
        at_particles: Values<E, Dev>,
    ) -> Result<Tensor<Rank0, E, Dev>, Dev::Err> {
        let (n, m) = (at_data.shape().0, self.particles);
        let log_sum = at_data
            .try_broadcast_like::<_, Axis<1>>(&(n, m))?
            .try_sub(at_particles.try_reshape_like(&(n, m))?)?
            .try_logsumexp::<_, Axis<1>>()?;
        if self.stabilisation == 0.0 {
            return log_sum.try_mean();
        }
        // log(w + e^a) = log w + max(a', 0) + log(1 + e^-|a'|) with a' = a - log w.
        let log_w: E = scalar(self.stabilisation.ln());
        let above = log_sum.try_sub(log_w)?;
        let rest = above
            .clone()
            .try_abs()?
            .try_negate()?
            .try_exp()?
            .try_add(scalar::<E>(1.0))?
            .try_ln()?;
        above.try_relu()?.try_add(rest)?.try_add(log_w)?.try_mean()
    }
}

/// The energies of a batch, one for each point whoever wrote the energy.
fn energy_at<E: Dtype, Dev: Device<E>>(
    energy: &dyn Energy<E, Dev>,
    x: &Points<E, Dev>,
) -> Result<Values<E, Dev>, Error> {
    let values = energy.energy(x)?;
    let (found, (points, _)) = (values.shape().0, *x.shape());
    if found != points {
        let expected = format!("({points},), one value for each point");
        return Err(Error::shape("the energy", (found,), expected));
    }
    Ok(values)
}

macro_rules! implement {
    ($E:ty, $Dev:ty) => {
        impl Loss<$E, $Dev> for EnergyDiscrepancy {
            type Noise = Noise<$E, $Dev>;

            fn draw(&self, x: &Points<$E, $Dev>, rng: &mut Rng) -> Result<Self::Noise, Error> {
                self.draw_on(x, rng)
            }

            fn evaluate(
                &self,
                energy: &dyn Energy<$E, $Dev>,
                x: &Points<$E, $Dev>,
                noise: &Self::Noise,
            ) -> Result<f64, Error> {
                self.evaluate_on(energy, x, noise)
            }
        }
    };
}
for_each_backend!(implement);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;

    struct Constant;
    impl Energy<f64> for Constant {
        fn energy(&self, x: &Points<f64>) -> Result<Values<f64>, Error> {
            Ok(x.device().zeros_like(&(x.shape().0,)) + 3.0)
        }
    }

    fn points() -> Points<f64> {
        Cpu::default().zeros_like(&(8, 2))
    }

    #[test]
    fn a_constant_energy_gives_log_of_m_plus_w() {
        for w in [0.0, 0.1, 1.0, 50.0] {
            let loss = EnergyDiscrepancy::with_std(1.0)
                .particles(5)
                .stabilisation(w);
            let noise = loss.draw(&points(), &mut rng(0)).unwrap();
            let value = loss.evaluate(&Constant, &points(), &noise).unwrap();
            assert!((value - (5.0 + w).ln()).abs() < 1e-12, "w = {w}: {value}");
        }
    }

    #[test]
    fn impossible_settings_are_errors() {
        let ok = EnergyDiscrepancy::with_variance(1.0);
        let bad = [
            (EnergyDiscrepancy::with_std(-1.0), "noise = -1"),
            (EnergyDiscrepancy::with_variance(-1.0), "noise = NaN"),
            (ok.particles(0), "particles = 0"),
            (ok.particles(usize::MAX), "N x M x D"),
            (ok.stabilisation(-0.5), "stabilisation = -0.5"),
        ];
        for (loss, message) in bad {
            let error = Loss::<f64>::draw(&loss, &points(), &mut rng(0)).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
        }
    }

    #[test]
    fn noise_of_another_batch_is_an_error() {
        let loss = EnergyDiscrepancy::with_variance(1.0);
        let noise = loss.draw(&points(), &mut rng(0)).unwrap();
        let error = loss
            .particles(3)
            .evaluate(&Constant, &points(), &noise)
            .unwrap_err();
        assert!(error.to_string().contains("((8, 2), (8, 3, 2))"), "{error}");
    }

    #[test]
    fn a_batch_or_an_energy_of_the_wrong_size_is_an_error() {
        struct Single;
        impl Energy<f64> for Single {
            fn energy(&self, x: &Points<f64>) -> Result<Values<f64>, Error> {
                Ok(x.device().zeros_like(&(1,)))
            }
        }
        let loss = EnergyDiscrepancy::with_variance(1.0);
        let message = |energy: &dyn Energy<f64>, x: &Points<f64>| {
            let noise = loss.draw(x, &mut rng(0)).unwrap();
            loss.evaluate(energy, x, &noise).unwrap_err().to_string()
        };
        let none: Points<f64> = Cpu::default().zeros_like(&(0, 2));
        assert!(message(&Constant, &none).contains("at least one point"));
        assert!(message(&Single, &points()).contains("the energy has shape (1,)"));
    }
}
