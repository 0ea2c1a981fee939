//! Whether an energy's gradients are the slopes of its values: anybody may have written it.
//!
//! A term that has lost its tape still adds to U, and nothing fails: samplers and training go on with a
//! gradient that lacks it. Differences of U show it.

use super::{Energy, Trainable, checked};
use crate::tensors::{Points, from_f64, to_vec};
use crate::{Error, Rng, rng};
use dfdx::prelude::*;
use rand_distr::{Distribution, StandardNormal};

/// At least so many points are looked at; of a small batch each several times.
const LOOKS: usize = 16;

/// So many rows of a batch are enough for the gradients in the parameters.
const ROWS: usize = 8;

/// Half the steps of the differences, as shares of the spread of the points or of a parameter's values.
/// Narrow ones see curved energies right, wide ones those whose values are large.
const STEPS: [f64; 4] = [1e-1, 1e-2, 1e-3, 1e-4];

/// The step that mostly decides by itself.
const USUAL: f64 = 1e-2;

/// Rounding of a value, as a share of it: of some operations that led to it.
const ROUNDING: f64 = 2.0 * f32::EPSILON as f64;

/// Points are moved by this share of their spread: data often lie exactly on the kinks of an energy, at 0
/// for example, where it has no slope.
const JITTER: f64 = 0.05;

/// The slope of a function along a line in two ways, each per step.
#[derive(Clone, Copy, Debug)]
struct Slope {
    by_difference: f64,
    by_gradient: f64,
    /// How far rounding and chance may move the difference.
    noise: f64,
}

impl Slope {
    /// From the values at both ends of a step, and the gradient times the step.
    fn new((plus, minus): (f64, f64), rise: f64, noise: f64, step: f64) -> Self {
        Self {
            by_difference: (plus - minus) / (2.0 * step),
            by_gradient: rise / (2.0 * step),
            noise: noise / (2.0 * step),
        }
    }

    fn size(&self) -> f64 {
        self.by_difference.abs().max(self.by_gradient.abs())
    }

    fn error(&self) -> f64 {
        (self.by_difference - self.by_gradient).abs()
    }

    fn is_right(&self) -> bool {
        let allowed = 0.02 * self.size();
        // Not a number where a value is none: that is no answer.
        self.size() > 0.0 && self.noise <= allowed && self.error() <= allowed + self.noise
    }

    fn is_wrong(&self) -> bool {
        self.noise <= 0.2 * self.size() && self.error() > 0.05 * self.size() + 3.0 * self.noise
    }

    /// Whether two steps of different sizes see one slope: not if both are wider than what U does between.
    fn is_as(&self, other: &Slope) -> bool {
        let (one, two) = (self.by_difference, other.by_difference);
        (one - two).abs() <= 0.03 * one.abs().max(two.abs()) + self.noise + other.noise
    }
}

#[derive(Clone, Copy, Debug)]
enum Verdict {
    Right,
    Wrong(Slope),
    /// A constant, a kink, values too large or too random for differences.
    Unknown,
}

/// Right if any step says so. Wrong if two neighbouring steps agree with each other, and neither with
/// the gradient: a kink between them, or rounding, does not look like that.
fn verdict(slopes: [Slope; STEPS.len()]) -> Verdict {
    if slopes.iter().any(Slope::is_right) {
        return Verdict::Right;
    }
    let mut pairs = slopes.windows(2);
    let wrong = |pair: &&[Slope]| pair.iter().all(Slope::is_wrong) && pair[0].is_as(&pair[1]);
    match pairs.find(wrong) {
        Some(pair) => Verdict::Wrong(pair[1]),
        None => Verdict::Unknown,
    }
}

/// Lines through points near those of a batch, one through each, and ∇U there.
struct Lines<'a> {
    energy: &'a dyn Energy,
    base: Points,
    start: Vec<f64>,
    direction: Vec<f64>,
    gradient: Vec<f64>,
    chance: f64,
}

impl<'a> Lines<'a> {
    fn new(energy: &'a dyn Energy, x: &Points, rng: &mut Rng) -> Result<Self, Error> {
        let spread = spread(&doubles(&to_vec(x)), x.shape().1);
        let base = jittered(x, &spread, rng)?;
        let start = doubles(&to_vec(&base));
        let spread = spread.iter().cycle().take(start.len());
        Ok(Self {
            energy,
            direction: spread.map(|spread| spread * normal(rng)).collect(),
            gradient: doubles(&to_vec(&checked::gradient(energy, &base)?.1)),
            chance: chance(energy, &base)?,
            start,
            base,
        })
    }

    /// The slopes along the lines. All points move in each evaluation: an energy may belong to as many
    /// points as there are.
    fn at(&self, step: f64) -> Result<Vec<Slope>, Error> {
        let (b, d) = *self.base.shape();
        let moved = |sign: f64| {
            let each = self.start.iter().zip(&self.direction);
            let values = each.map(|(x, v)| x + sign * step * v);
            from_f64(self.base.device(), values, (b, d))
        };
        let (plus, minus) = (moved(1.0)?, moved(-1.0)?);
        let (above, below) = (
            energies(self.energy, &plus)?,
            energies(self.energy, &minus)?,
        );
        // By the points as they were rounded.
        let (plus, minus) = (doubles(&to_vec(&plus)), doubles(&to_vec(&minus)));
        let slope = |i: usize| {
            let rise = (i * d..(i + 1) * d).map(|k| self.gradient[k] * (plus[k] - minus[k]));
            let noise = ROUNDING * (above[i].abs() + below[i].abs()) + self.chance;
            Slope::new((above[i], below[i]), rise.sum(), noise, step)
        };
        Ok((0..b).map(slope).collect())
    }

    fn verdicts(&self) -> Result<Vec<Verdict>, Error> {
        let usual = self.at(USUAL)?;
        let clear = usual.iter().filter(|slope| slope.is_right()).count();
        if 8 * clear >= 7 * usual.len() {
            let right = usual.iter().filter(|slope| slope.is_right());
            return Ok(right.map(|_| Verdict::Right).collect());
        }
        let [wide, narrow, least] = [self.at(STEPS[0])?, self.at(STEPS[2])?, self.at(STEPS[3])?];
        let each = (0..usual.len()).map(|i| verdict([wide[i], usual[i], narrow[i], least[i]]));
        Ok(each.collect())
    }

    /// Whether the energies' sum has the slope that the gradients give it together.
    fn sum_is_right(&self) -> Result<bool, Error> {
        for step in STEPS {
            let slopes = self.at(step)?;
            let sum = |part: fn(&Slope) -> f64| slopes.iter().map(part).sum();
            let sum = Slope {
                by_difference: sum(|slope| slope.by_difference),
                by_gradient: sum(|slope| slope.by_gradient),
                noise: sum(|slope| slope.noise),
            };
            if sum.is_right() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// ∇U against differences of U along random directions, around these points.
pub(crate) fn points(energy: &dyn Energy, x: &Points) -> Result<(), Error> {
    let (b, d) = *x.shape();
    if b * d == 0 {
        return Ok(());
    }
    let mut rng = rng(0);
    let (mut right, mut wrong) = (0, Vec::new());
    for _ in 0..LOOKS.div_ceil(b) {
        for verdict in Lines::new(energy, x, &mut rng)?.verdicts()? {
            match verdict {
                Verdict::Right => right += 1,
                Verdict::Wrong(slope) => wrong.push(slope),
                Verdict::Unknown => {}
            }
        }
    }
    // One of several terms may be wrong alone, and matter at few points. Chance does not err thrice.
    if wrong.len() < 3 || 4 * wrong.len() < right + wrong.len() {
        return Ok(());
    }
    // The energy of a point may depend on the others, by a normalised batch say. Then the sum decides.
    let mut sums_are_right = true;
    for _ in 0..3 {
        sums_are_right &= Lines::new(energy, x, &mut rng)?.sum_is_right()?;
    }
    let by_size = |a: &&Slope, b: &&Slope| a.size().total_cmp(&b.size());
    let Some(example) = wrong.iter().max_by(by_size).filter(|_| !sums_are_right) else {
        return Ok(());
    };
    let what = if wrong.iter().all(|slope| slope.by_gradient == 0.0) {
        "∇U is 0, though U changes with the points".to_owned()
    } else {
        let (count, by_difference, by_gradient) = (
            right + wrong.len(),
            example.by_difference,
            example.by_gradient,
        );
        format!(
            "∇U is not the slope of U at {} of {count} points (along a line U rises by {by_difference:.3e}, \
             by ∇U {by_gradient:.3e})",
            wrong.len()
        )
    };
    Err(Error::Energy {
        energy: energy.type_name().to_owned(),
        reason: format!("{what}. {LOST_POINTS}"),
    })
}

const LOST_POINTS: &str = "A term of U has lost its tape, as `x.clone()` has none after \
    `x.split_tape()`: begin each further term with `x.retaped::<GradientTape>()`. (`unchecked()` \
    leaves this check out)";

const LOST_PARAMETER: &str = "A term of U has lost its tape, as a `clone()` of taped values has none: \
    add the taped values themselves, and begin terms with `self.field.retaped::<GradientTape>()`. \
    (`unchecked()` leaves this check out)";

/// Both checks, at the first few points of a batch.
pub(crate) fn training(energy: &mut dyn Trainable, batch: &Points) -> Result<(), Error> {
    let few = first(batch, LOOKS)?;
    points(&*energy, &few)?;
    parameters(energy, &few)
}

/// The gradient in each parameter against differences of U at some of these points. The parameters are
/// as before when this returns.
pub(crate) fn parameters(energy: &mut dyn Trainable, x: &Points) -> Result<(), Error> {
    if x.shape().0 * x.shape().1 == 0 {
        return Ok(());
    }
    let before = energy.flat_parameters();
    let found = wrong_parameters(energy, x);
    let restored = energy.set_flat_parameters(&before);
    let wrong = found?;
    restored?;
    let names: Vec<String> = energy
        .parameters()
        .into_iter()
        .map(|(name, _)| name.to_owned())
        .collect();
    let listed = |chosen: &dyn Fn(&Slope) -> bool| {
        let chosen = wrong.iter().filter(|(_, slope)| chosen(slope));
        let names: Vec<String> = chosen.map(|(k, _)| format!("`{}`", names[*k])).collect();
        let more = match names.len() {
            ..=4 => String::new(),
            n => format!(" and {} more", n - 3),
        };
        let few = if names.len() > 4 { 3 } else { names.len() };
        (!names.is_empty()).then(|| names[..few].join(", ") + &more)
    };
    let missing = listed(&|slope| slope.by_gradient == 0.0);
    let foreign = listed(&|slope| slope.by_difference.abs() < 0.05 * slope.by_gradient.abs());
    let reason = match (missing, foreign) {
        (Some(names), _) => format!(
            "no gradient reaches {names}, though U depends on it: it would never train. {LOST_PARAMETER}"
        ),
        (None, Some(names)) => format!(
            "a gradient reaches {names}, though U does not change with it: a tensor that is the clone of \
             another shares its gradient. Make each tensor by itself, as by \
             `device()?.tensor_from_vec(..)`. (`unchecked()` leaves this check out)"
        ),
        (None, None) => match wrong.first() {
            Some((k, slope)) => format!(
                "the gradient in `{}` is not the slope of U (U rises by {:.3e} along a line, the gradient \
                 says {:.3e}). {LOST_PARAMETER}",
                names[*k], slope.by_difference, slope.by_gradient
            ),
            None => return Ok(()),
        },
    };
    let energy = energy.type_name().to_owned();
    Err(Error::Energy { energy, reason })
}

/// The parameters, by number, whose gradient is wrong in two trials of three and right in none.
fn wrong_parameters(energy: &mut dyn Trainable, x: &Points) -> Result<Vec<(usize, Slope)>, Error> {
    let mut rng = rng(1);
    let spread = spread(&doubles(&to_vec(x)), x.shape().1);
    let some = first(x, ROWS)?;
    let rows = some.shape().0;
    let mut open: Vec<usize> = (0..energy.parameters().len()).collect();
    let mut wrong: Vec<Vec<Slope>> = vec![Vec::new(); open.len()];
    for _ in 0..3 {
        let x = jittered(&some, &spread, &mut rng)?;
        // A sum of the energies with random signs and sizes: no parameter moves all of it by nothing.
        let weights: Vec<f64> = (0..rows).map(|_| normal(&mut rng)).collect();
        let gradients = gradients(&*energy, &x, &weights)?;
        let chance = chance(&*energy, &x)? * weights.iter().map(|c| c.abs()).sum::<f64>();
        let mut still = Vec::new();
        for k in open {
            let start = energy.parameters()[k].1.values();
            let values = doubles(&start);
            let square: f64 = values.iter().map(|θ| θ * θ).sum();
            let rms = (square / values.len().max(1) as f64).sqrt();
            let scale = if rms > 0.0 { rms } else { 1.0 };
            let direction: Vec<f64> = values.iter().map(|_| scale * normal(&mut rng)).collect();
            let mut at = |step: f64| -> Result<Slope, Error> {
                let mut end = |sign: f64| -> Result<_, Error> {
                    let each = values.iter().zip(&direction);
                    let moved: Vec<f32> = each.map(|(θ, v)| (θ + sign * step * v) as f32).collect();
                    set(energy, k, &moved)?;
                    let terms = energies(&*energy, &x)?.into_iter().zip(&weights);
                    let terms: Vec<f64> = terms.map(|(u, c)| u * c).collect();
                    let size = terms.iter().map(|term| term.abs()).sum::<f64>();
                    Ok((terms.iter().sum::<f64>(), size, doubles(&moved)))
                };
                let ((above, one, plus), (below, other, minus)) = (end(1.0)?, end(-1.0)?);
                let each = gradients[k].iter().zip(plus.iter().zip(&minus));
                let rise = each.map(|(g, (plus, minus))| g * (plus - minus)).sum();
                let noise = ROUNDING * (one + other) + chance;
                Ok(Slope::new((above, below), rise, noise, step))
            };
            let usual = at(USUAL)?;
            let verdict = match usual.is_right() {
                true => Verdict::Right,
                false => verdict([at(STEPS[0])?, usual, at(STEPS[2])?, at(STEPS[3])?]),
            };
            set(energy, k, &start)?;
            match verdict {
                Verdict::Right => continue,
                Verdict::Wrong(slope) => wrong[k].push(slope),
                Verdict::Unknown => {}
            }
            still.push(k);
        }
        open = still;
    }
    let wrong = open.into_iter().filter_map(|k| match wrong[k][..] {
        [_, slope, ..] => Some((k, slope)),
        _ => None,
    });
    Ok(wrong.collect())
}

/// The gradient of Σ_i c_i U(x_i) in each parameter, as training takes it.
fn gradients(energy: &dyn Trainable, x: &Points, weights: &[f64]) -> Result<Vec<Vec<f64>>, Error> {
    let weights = from_f64(x.device(), weights.iter().copied(), (weights.len(),))?;
    let energies = checked::energies_taped(energy, x)?;
    let sum = energies
        .try_mul(weights)
        .and_then(|terms| terms.try_sum::<Rank0, _>());
    let gradients = sum.and_then(|sum| sum.try_backward());
    let mut gradients = gradients.map_err(Error::tensor)?;
    let each = energy.parameters().into_iter().map(|(_, parameter)| {
        let mut own = vec![0.0; parameter.len()];
        parameter.read_gradient(&mut gradients, &mut own)?;
        Ok(doubles(&own))
    });
    each.collect()
}

fn set(energy: &mut dyn Trainable, k: usize, values: &[f32]) -> Result<(), Error> {
    match energy.parameters_mut().get_mut(k) {
        Some((_, parameter)) => parameter.set(values),
        None => Ok(()),
    }
}

fn energies(energy: &dyn Energy, x: &Points) -> Result<Vec<f64>, Error> {
    Ok(doubles(&to_vec(&checked::energies(energy, x)?)))
}

/// How much the energy of a point changes from call to call, as it does if parts of it are drawn: perhaps
/// only on a tape, for training.
fn chance(energy: &dyn Energy, x: &Points) -> Result<f64, Error> {
    let taped = || -> Result<_, Error> {
        let values = checked::energies_taped(energy, x)?.split_tape().0;
        Ok(doubles(&to_vec(&values)))
    };
    let plain = (energies(energy, x)?, energies(energy, x)?);
    let mut most = 0.0_f64;
    for (once, again) in [plain, (taped()?, taped()?)] {
        let changes = once.iter().zip(&again).map(|(a, b)| (a - b).abs());
        // `max` passes over what is no number.
        most = changes.fold(most, f64::max);
    }
    Ok(4.0 * most)
}

/// The first rows, at most so many.
fn first(x: &Points, most: usize) -> Result<Points, Error> {
    let (b, d) = *x.shape();
    let rows = b.min(most);
    let values = doubles(&to_vec(x)).into_iter().take(rows * d);
    from_f64(x.device(), values, (rows, d))
}

/// The points, a little moved.
fn jittered(x: &Points, spread: &[f64], rng: &mut Rng) -> Result<Points, Error> {
    let values = doubles(&to_vec(x)).into_iter().zip(spread.iter().cycle());
    let moved = values.map(|(x, s)| x + JITTER * s * normal(rng));
    from_f64(x.device(), moved, *x.shape())
}

/// The standard deviation of each coordinate; of one that is the same everywhere, its size or 1.
fn spread(values: &[f64], d: usize) -> Vec<f64> {
    let rows = (values.len() / d) as f64;
    let of = |k: usize| {
        let column = || values.iter().skip(k).step_by(d);
        let mean = column().sum::<f64>() / rows;
        let square = column().map(|x| (x - mean).powi(2)).sum::<f64>() / rows;
        // Less than rounding leaves of equal values is no spread.
        [square.sqrt(), mean.abs(), 1.0]
            .into_iter()
            .find(|size| size.is_finite() && *size > 1e-6 * mean.abs())
            .unwrap_or(1.0)
    };
    (0..d).map(of).collect()
}

fn normal(rng: &mut Rng) -> f64 {
    StandardNormal.sample(rng)
}

fn doubles(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}
