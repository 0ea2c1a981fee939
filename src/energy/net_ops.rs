//! Expressions in dfdx operations, on any device: a row of each tensor for a point.

use super::expression::{Op, code};
use super::function::Applied;
use super::net::Net;
use super::plan::{Derived, Plan, Step};
use super::window::Taps;
use super::{Along, Energy, Jets, Parameter, Parameters};
use crate::Error;
use crate::tensors::{
    DeviceError, GradientTape, Points, TapedPoints, TapedValues, Values, from_vec, to_vec,
};
use dfdx::prelude::*;
use dfdx::tensor::Tape;

type Rows<T> = Tensor<(usize, usize), f32, AutoDevice, T>;

/// Numbers of the steps so far, and the one tape for all.
struct Running<'a, T> {
    net: &'a Net,
    steps: &'a [Step],
    device: AutoDevice,
    rows: usize,
    values: Vec<Option<Points>>,
    tape: T,
}

/// A net that runs in ordinary dfdx operations everywhere: what the fused operations are held against, several times
/// slower.
///
/// # Examples
/// ```
/// use energy_discrepancy::energy::Plain;
/// use energy_discrepancy::prelude::*;
/// use energy_discrepancy::dfdx::prelude::*;
///
/// let net = Mlp::tanh(&[2, 16, 1], 0)?;
/// let x: Points = device()?.ones_like(&(1, 2));
/// let (fused, plain) = (net.energy(&x)?.as_vec(), Plain(net).energy(&x)?.as_vec());
/// assert!((fused[0] - plain[0]).abs() < 1e-6);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Plain<N>(pub N);

impl Net {
    /// The result of each point, and the tape with all that led to it.
    fn values<T: Tape<f32, AutoDevice>>(&self, x: &Points, tape: T) -> Result<(Points, T), Error> {
        self.input().check(x.shape(), &[])?;
        if x.shape().0 == 0 {
            let none = x.device().try_zeros_like(&(0, self.width()));
            return Ok((none.map_err(Error::tensor)?, tape));
        }
        let (mut ends, tape) = self.run(self.plan(), x, &[], tape)?;
        let end = ends.pop();
        let end = end.ok_or_else(|| Error::Tensor("an expression without an end".into()))?;
        Ok((end, tape))
    }

    /// The result of each point, `(B, D)` to `(B, W)`.
    pub(crate) fn plain_results(&self, x: TapedPoints) -> Result<TapedPoints, Error> {
        let (x, tape) = x.split_tape();
        let (results, tape) = self.values(&x, tape)?;
        Ok(results.put_tape(tape))
    }

    pub(super) fn plain_energy(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        let (x, tape) = x.split_tape();
        let (energy, tape) = self.values(&x, tape)?;
        let (energy, tape) = reshaped(energy, (x.shape().0,), tape)?;
        Ok(energy.put_tape(tape))
    }

    /// U without a tape.
    fn plain_values(&self, x: &Points) -> Result<Values, Error> {
        let energy = self.values(x, NoneTape)?.0;
        Ok(reshaped(energy, (x.shape().0,), NoneTape)?.0)
    }

    /// U with its derivatives.
    pub(super) fn plain_jets(&self, x: &Points, along: Along) -> Result<Jets, Error> {
        self.input().check(x.shape(), &[])?;
        let rows = x.shape().0;
        let (k, all) = directions(x, along)?;
        if rows == 0 {
            let none = || x.device().try_zeros_like(&(0,)).map_err(Error::tensor);
            let slopes = x.device().try_zeros_like(&(0, k)).map_err(Error::tensor)?;
            let tape = GradientTape::default();
            return Ok(Jets {
                energy: none()?,
                slopes,
                curvature: none()?,
                tape,
            });
        }
        let all = to_vec(&all);
        let each = all.chunks(x.shape().0.max(1) * x.shape().1);
        let each: Vec<Points> = each
            .map(|one| from_vec(x.device(), one.to_vec(), *x.shape()))
            .collect::<Result<_, _>>()?;
        let derived = self.derived(k)?;
        let Derived {
            plan,
            slopes,
            curvature,
            ..
        } = &*derived;
        let (ends, tape) = self.run(plan, x, &each, GradientTape::default())?;
        let (energy, tape) = reshaped(ends[0].clone(), (rows,), tape)?;
        let (curvature, tape) = match curvature {
            Some(end) => reshaped(ends[*end].clone(), (rows,), tape)?,
            None => (
                x.device().try_zeros_like(&(rows,)).map_err(Error::tensor)?,
                tape,
            ),
        };
        // The k-th number of a row is the k-th derivative: a column beside columns.
        let mut tape = tape;
        let mut all: Points = x
            .device()
            .try_zeros_like(&(rows, k))
            .map_err(Error::tensor)?;
        for (column, end) in slopes.iter().enumerate() {
            let Some(end) = end else { continue };
            let mut place = vec![0.0; k];
            place[column] = 1.0;
            let place = from_vec(x.device(), place, (1, k))?;
            let added = || -> Result<_, DeviceError> {
                let beside = ends[*end].retaped::<GradientTape>().try_matmul(place)?;
                all.retaped::<GradientTape>().try_add(beside)
            };
            let (sum, own) = added().map_err(Error::tensor)?.split_tape();
            (all, tape) = (sum, tape.merge(own));
        }
        Ok(Jets {
            energy,
            slopes: all,
            curvature,
            tape,
        })
    }

    /// The numbers of a plan's ends.
    fn run<T: Tape<f32, AutoDevice>>(
        &self,
        plan: &Plan,
        x: &Points,
        directions: &[Points],
        tape: T,
    ) -> Result<(Vec<Points>, T), Error> {
        let mut running = Running {
            net: self,
            steps: &plan.steps,
            device: x.device().clone(),
            rows: x.shape().0,
            values: Vec::with_capacity(plan.steps.len()),
            tape,
        };
        for step in &plan.steps {
            let value = match &step.op {
                Op::Points => Some(x.clone()),
                Op::Direction(k) => Some(directions[*k].clone()),
                // They are no rows until something asks for rows of them.
                Op::Parameter(_) | Op::Constant(_) => None,
                Op::Embedding(column) => Some(running.embedding(step, *column)?),
                _ => {
                    let value = running.step(step).map_err(Error::tensor)?;
                    Some(running.keep(value))
                }
            };
            running.values.push(value);
            for free in &step.frees {
                running.values[*free] = None;
            }
        }
        let mut ends = Vec::with_capacity(plan.ends.len());
        for end in &plan.ends {
            let value = running.feed(*end).map_err(Error::tensor)?;
            ends.push(running.keep(value));
        }
        Ok((ends, running.tape))
    }
}

/// The number of directions of each point, and all of them, (K B, D): the first of each point, then the second.
fn directions(x: &Points, along: Along) -> Result<(usize, Points), Error> {
    let (b, d) = *x.shape();
    if let Along::Directions(given) = along
        && (given.shape().0, given.shape().2) != (b, d)
    {
        let expected = format!("({b}, K, {d}), as the points have,");
        return Err(Error::shape("the directions", given.shape(), expected));
    }
    let k = match along {
        Along::Coordinates => d,
        Along::Directions(given) => given.shape().1,
    };
    let mut values = vec![0.0; k * b * d];
    match along {
        Along::Coordinates => {
            for (row, values) in values.chunks_exact_mut(d).enumerate() {
                values[row / b] = 1.0;
            }
        }
        Along::Directions(given) => {
            let given = crate::tensors::to_vec(given);
            for (row, values) in values.chunks_exact_mut(d).enumerate() {
                values.copy_from_slice(&given[(row % b * k + row / b) * d..][..d]);
            }
        }
    }
    Ok((k, from_vec(x.device(), values, (k * b, d))?))
}

/// Where each number of a matrix with so many columns and rows is in its transpose.
fn turned(columns: usize, rows: usize) -> Vec<usize> {
    let places = (0..columns).flat_map(|column| (0..rows).map(move |row| row * columns + column));
    places.collect()
}

fn reshaped<T: Tape<f32, AutoDevice>>(
    rows: Points,
    shape: (usize,),
    tape: T,
) -> Result<(Values, T), Error> {
    let values = rows
        .put_tape(tape)
        .try_reshape_like(&shape)
        .map_err(Error::tensor)?;
    Ok(values.split_tape())
}

impl<T: Tape<f32, AutoDevice>> Running<'_, T> {
    /// A result's numbers; its tape joins the others.
    fn keep(&mut self, result: Rows<T>) -> Points {
        let (result, tape) = result.split_tape();
        self.tape = std::mem::take(&mut self.tape).merge(tape);
        result
    }

    /// A step's numbers, row by row.
    fn feed(&self, at: usize) -> Result<Rows<T>, DeviceError> {
        let step = &self.steps[at];
        if let Some(value) = &self.values[at] {
            return Ok(value.retaped::<T>());
        }
        let shape = (self.rows, step.width());
        match (&step.op, step.parameter) {
            (Op::Constant(number), _) => {
                let ones: Points = self.device.try_ones_like(&shape)?;
                Ok(ones.retaped::<T>().try_mul(*number as f32)?)
            }
            (_, Some(number)) => {
                let values = self.net.weight(number).values.retaped::<T>();
                self.solid(values.try_broadcast_like::<_, Axis<0>>(&shape)?)
            }
            _ => Ok(self.device.try_zeros_like(&shape)?.retaped::<T>()),
        }
    }

    /// The same numbers with a place of their own each: dfdx's GPU multiplies no matrix whose rows or columns are one.
    fn solid(&self, view: Rows<T>) -> Result<Rows<T>, DeviceError> {
        let zeros: Points = self.device.try_zeros_like(view.shape())?;
        view.try_add(zeros)
    }

    /// The same with a single feature as so many; of parameters a view.
    fn wide(&self, at: usize, width: usize) -> Result<Rows<T>, DeviceError> {
        let step = &self.steps[at];
        if let (Some(number), true) = (step.parameter, step.width() == width) {
            let values = self.net.weight(number).values.retaped::<T>();
            return values.try_broadcast_like::<_, Axis<0>>(&(self.rows, width));
        }
        let value = self.feed(at)?;
        if value.shape().1 == width {
            return Ok(value);
        }
        let column = value.try_reshape_like(&(self.rows,))?;
        column.try_broadcast_like::<_, Axis<1>>(&(self.rows, width))
    }

    /// A parameter as a matrix.
    fn matrix(&self, at: usize, shape: (usize, usize)) -> Result<Rows<T>, DeviceError> {
        match self.steps[at].parameter {
            Some(number) => self
                .net
                .weight(number)
                .values
                .retaped::<T>()
                .try_reshape_like(&shape),
            None => self.feed(at)?.try_reshape_like(&shape),
        }
    }

    fn step(&self, step: &Step) -> Result<Rows<T>, DeviceError> {
        let (rows, width) = (self.rows, step.width());
        let inputs = &step.inputs;
        match &step.op {
            Op::Function(function) => function.plain(self.feed(inputs[0])?),
            Op::Affine { by, plus } => self
                .feed(inputs[0])?
                .try_mul(*by as f32)?
                .try_add(*plus as f32),
            Op::Add => self
                .wide(inputs[0], width)?
                .try_add(self.wide(inputs[1], width)?),
            Op::Multiply => self
                .wide(inputs[0], width)?
                .try_mul(self.wide(inputs[1], width)?),
            Op::Sum => {
                let sum = self.feed(inputs[0])?.try_sum::<_, Axis<1>>()?;
                sum.try_reshape_like(&(rows, 1))
            }
            Op::Spread => self.solid(self.wide(inputs[0], width)?),
            Op::Largest => {
                let (value, tape) = self.feed(inputs[0])?.split_tape();
                let largest = value
                    .try_max::<_, Axis<1>>()?
                    .try_reshape_like(&(rows, 1))?;
                Ok(largest.put_tape(tape))
            }
            Op::Reshape => self.feed(inputs[0]),
            Op::Concat => {
                let mut joined: Option<Rows<T>> = None;
                let mut first = 0;
                for input in inputs {
                    let part = self.feed(*input)?;
                    let count = part.shape().1;
                    let placed =
                        part.try_matmul(self.places(count, width, |feature| feature + first)?)?;
                    joined = Some(match joined {
                        Some(joined) => joined.try_add(placed)?,
                        None => placed,
                    });
                    first += count;
                }
                joined.map_or_else(|| self.feed(inputs[0]), Ok)
            }
            Op::Slice(first) => {
                let value = self.feed(inputs[0])?;
                let all = value.shape().1;
                let places = self.places(width, all, |feature| feature + first)?;
                value.try_matmul(places.try_permute::<_, Axes2<1, 0>>()?)
            }
            Op::Dense => {
                let value = self.feed(inputs[0])?;
                let weight = self.matrix(inputs[1], (width, value.shape().1))?;
                let product = value.try_matmul(weight.try_permute::<_, Axes2<1, 0>>()?)?;
                match inputs.get(2) {
                    Some(bias) => product.try_add(self.wide(*bias, width)?),
                    None => Ok(product),
                }
            }
            Op::Distances => {
                let value = self.feed(inputs[0])?;
                let d = value.shape().1;
                let all = (rows, width, d);
                let centres = self.matrix(inputs[1], (width, d))?;
                let centres = centres.try_broadcast_like::<_, Axis<0>>(&all)?;
                let value = value.try_broadcast_like::<_, Axis<1>>(&all)?;
                value
                    .try_sub(centres)?
                    .try_square()?
                    .try_sum::<_, Axis<2>>()
            }
            Op::Convolution(window) => {
                let taps = Taps::new(&self.steps[inputs[0]].sizes, &step.sizes, *window);
                let (pixels, per_pixel) = (taps.pixels, taps.inputs());
                let channels = step.sizes[0];
                let gathered = self.gather(self.feed(inputs[0])?, taps.of_pixels())?;
                let gathered = gathered.try_reshape_like(&(rows * pixels, per_pixel))?;
                let weight = self.matrix(inputs[1], (channels, per_pixel))?;
                let mut product = gathered.try_matmul(weight.try_permute::<_, Axes2<1, 0>>()?)?;
                if let Some(number) = inputs.get(2).and_then(|bias| self.steps[*bias].parameter) {
                    let bias = self.net.weight(number).values.retaped::<T>();
                    product = product.try_add(
                        bias.try_broadcast_like::<_, Axis<0>>(&(rows * pixels, channels))?,
                    )?;
                }
                // Channels are last here, and first in an image.
                let turned = self.numbers(turned(channels, pixels))?;
                product
                    .try_reshape_like(&(rows, pixels * channels))?
                    .try_gather(turned)
            }
            Op::TransposedConvolution(window) => {
                let from = &self.steps[inputs[0]].sizes;
                let taps = Taps::new(&step.sizes, from, *window);
                let (pixels, per_pixel, own) = (taps.pixels, taps.inputs(), from[0]);
                let value = self.feed(inputs[0])?;
                let value: Rows<T> = value.try_gather(self.numbers(turned(pixels, own))?)?;
                let value = value.try_reshape_like(&(rows * pixels, own))?;
                let product = value.try_matmul(self.matrix(inputs[1], (own, per_pixel))?)?;
                let product = product.try_reshape_like(&(rows, pixels * per_pixel))?;
                // All that is added to each number of the image, as many for each.
                let mut added = vec![Vec::new(); width];
                for (at, place) in taps.of_pixels().into_iter().enumerate() {
                    if let Some(place) = place {
                        added[place].push(Some(at));
                    }
                }
                let most = added.iter().map(Vec::len).max().unwrap_or(0).max(1);
                added.iter_mut().for_each(|list| list.resize(most, None));
                let gathered = self.gather(product, added.concat())?;
                let gathered = gathered.try_reshape_like(&(rows * width, most))?;
                let image = gathered.try_sum::<_, Axis<1>>()?;
                let image = image.try_reshape_like(&(rows, width))?;
                match inputs.get(2) {
                    None => Ok(image),
                    Some(bias) => {
                        let area = width / step.sizes[0];
                        let of_channels = self.numbers((0..width).map(|i| i / area).collect())?;
                        image.try_add(self.feed(*bias)?.try_gather(of_channels)?)
                    }
                }
            }
            Op::Pool(window) => {
                let taps = Taps::new(&self.steps[inputs[0]].sizes, &step.sizes, *window);
                let per_window = window.size * window.size;
                let gathered = self.gather(self.feed(inputs[0])?, taps.of_channels())?;
                let gathered = gathered.try_reshape_like(&(rows * width, per_window))?;
                let sum = gathered
                    .try_sum::<_, Axis<1>>()?
                    .try_mul(1.0 / per_window as f32)?;
                sum.try_reshape_like(&(rows, width))
            }
            Op::Points
            | Op::Direction(_)
            | Op::Parameter(_)
            | Op::Constant(_)
            | Op::Embedding(_) => self.feed(inputs[0]),
        }
    }

    /// A matrix that puts the first of `count` features into the place that `to` gives of it, and so on.
    fn places(
        &self,
        count: usize,
        width: usize,
        to: impl Fn(usize) -> usize,
    ) -> Result<Points, DeviceError> {
        let mut places = vec![0.0; count * width];
        for feature in 0..count {
            places[feature * width + to(feature)] = 1.0;
        }
        self.device.try_tensor_from_vec(places, (count, width))
    }

    /// The same features of each row.
    fn numbers(
        &self,
        features: Vec<usize>,
    ) -> Result<Tensor<(usize, usize), usize, AutoDevice>, DeviceError> {
        let count = features.len();
        let all = features.repeat(self.rows);
        self.device.try_tensor_from_vec(all, (self.rows, count))
    }

    /// These features of each row, 0 where there is none.
    fn gather(&self, value: Rows<T>, features: Vec<Option<usize>>) -> Result<Rows<T>, DeviceError> {
        let count = features.len();
        let counts: Vec<f32> = features
            .iter()
            .map(|feature| if feature.is_some() { 1.0 } else { 0.0 })
            .collect();
        let is_padded = counts.contains(&0.0);
        let features = features.into_iter().map(|feature| feature.unwrap_or(0));
        let gathered = value.try_gather(self.numbers(features.collect())?)?;
        if !is_padded {
            return Ok(gathered);
        }
        let counts: Tensor<(usize,), f32, AutoDevice> =
            self.device.try_tensor_from_vec(counts, (count,))?;
        gathered.try_mul(counts.try_broadcast_like::<_, Axis<0>>(&(self.rows, count))?)
    }

    /// Rows of a table.
    fn embedding(&mut self, step: &Step, column: usize) -> Result<Points, Error> {
        let points = self
            .feed(step.inputs[0])
            .map_err(Error::tensor)?
            .split_tape()
            .0;
        let d = points.shape().1;
        let categories = self.steps[step.inputs[1]].sizes[0];
        let codes = to_vec(&points);
        let codes = codes
            .chunks_exact(d)
            .map(|row| code(f64::from(row[column]), column, categories));
        let codes: Vec<usize> = codes.collect::<Result<_, _>>()?;
        let made = || -> Result<_, DeviceError> {
            let codes: Tensor<(usize,), usize, AutoDevice> =
                self.device.try_tensor_from_vec(codes, (self.rows,))?;
            self.matrix(step.inputs[1], (categories, step.width()))?
                .try_gather(codes)
        };
        let value = made().map_err(Error::tensor)?;
        Ok(self.keep(value))
    }
}

/// For [`Plain`].
impl AsRef<Net> for Net {
    fn as_ref(&self) -> &Net {
        self
    }
}

impl<N: AsRef<Net>> Energy for Plain<N> {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        self.0.as_ref().plain_energy(x)
    }

    fn energy(&self, x: &Points) -> Result<Values, Error> {
        self.0.as_ref().plain_values(x)
    }

    fn jets_taped(&self, x: &Points, along: Along) -> Result<Jets, Error> {
        self.0.as_ref().plain_jets(x, along)
    }

    fn is_tested(&self) -> bool {
        true
    }
}

impl<N: AsRef<Net> + Parameters> Parameters for Plain<N> {
    fn parameters(&self) -> Vec<(&str, &dyn Parameter)> {
        self.0.parameters()
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut dyn Parameter)> {
        self.0.parameters_mut()
    }
}

/// On a GPU these are the net's own operations; on the CPU they are fused.
#[cfg(feature = "cuda")]
impl Energy for Net {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        self.plain_energy(x)
    }

    fn energy(&self, x: &Points) -> Result<Values, Error> {
        self.plain_values(x)
    }

    fn jets_taped(&self, x: &Points, along: Along) -> Result<Jets, Error> {
        self.plain_jets(x, along)
    }

    fn is_tested(&self) -> bool {
        true
    }
}
