//! Values that are missing, drawn given those that are there.

use super::{Hmc, Sampler};
use crate::data::Dataset;
use crate::energy::{Energy, check, closed_form};
use crate::notebook::StopButton;
use crate::table::{Table, short};
use crate::tensors::{Points, TapedPoints, TapedValues, Values, from_vec, points, to_vec};
use crate::{Error, Rng};
use dfdx::prelude::*;
use rand::RngExt;
use std::fmt;

/// The ends of the band of a cell: so much of its draws lies below it, and above it.
const TAIL: f64 = 0.05;

/// Conditional samples: rows of which some columns are known, and draws of the others from
///
/// p(x_missing | x_known) ∝ exp(-U(x_known, x_missing)).
///
/// An energy needs no training for it, and no constant: chains of Hamiltonian Monte Carlo move in the plane of the points whose
/// known columns have their values, whichever columns these are.
///
/// # Examples
/// The second column of a normal density, of which the first is known:
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let noise = normals(4000, &mut rng(0));
/// let rows = noise.chunks(2).map(|ξ| [ξ[0].into(), f64::from(2.0 * ξ[0] + 0.5 * ξ[1])]);
/// let data = Dataset::new(&rows.collect::<Vec<[f64; 2]>>())?;
/// let energy = GaussianMixture::fit(&data.points()?, 1, 0)?;
///
/// let rows = data.missing_at(&[(0, 1)])?; // row 0 without its column 1
/// let imputed = Imputation::around(&data).draw(&energy, &rows, &mut rng(1))?;
/// let cell = &imputed.cells()[0];
/// assert!((cell.mean() - 2.0 * data.rows()?.next().unwrap()[0]).abs() < 0.2);
/// assert!((cell.deviation() - 0.5).abs() < 0.1);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Imputation {
    data: Dataset,
    draws: usize,
    steps: usize,
}

impl Imputation {
    /// For energies of points like those of `data`, standardised or whitened as it was for training: 200 draws of each row,
    /// each the end of a chain of its own, of 100 steps of which half find the step size.
    pub fn around(data: &Dataset) -> Self {
        Self {
            data: data.clone(),
            draws: 200,
            steps: 100,
        }
    }

    /// Draws of each row.
    pub fn draws(self, draws: usize) -> Self {
        Self { draws, ..self }
    }

    /// Steps of each chain, of which half find the step size.
    pub fn steps(self, steps: usize) -> Self {
        Self { steps, ..self }
    }

    /// Draws the missing values of these rows from p ∝ exp(-U), which have the columns of the data and the units of its file. The chains begin at
    /// values of rows of the data that are drawn at random.
    ///
    /// # Errors
    /// If the rows have other columns or text in them, none has a missing value, a setting is 0, the energy fails, or Stop is
    /// pressed.
    pub fn draw(
        &self,
        energy: &dyn Energy,
        rows: &Dataset,
        rng: &mut Rng,
    ) -> Result<Imputed, Error> {
        for (name, value) in [("draws", self.draws), ("steps", self.steps)] {
            if value == 0 {
                return Err(Error::setting(name, 0, "at least 1"));
            }
        }
        let known = rows.with_gaps_like(&self.data)?;
        let frozen = energy.frozen();
        if !energy.is_tested() {
            check::points(energy, &self.data.points()?)?;
        }
        let energy = frozen.as_deref().unwrap_or(energy);
        let d = self.data.dimension();
        let mut cells = Vec::new();
        let mut patterns: Vec<(Vec<bool>, Vec<usize>)> = Vec::new();
        for (at, row) in known.chunks_exact(d).enumerate() {
            let pattern: Vec<bool> = row.iter().map(|value| value.is_nan()).collect();
            if !pattern.contains(&true) {
                continue;
            }
            match patterns.iter_mut().find(|(other, _)| *other == pattern) {
                Some((_, rows)) => rows.push(at),
                None => patterns.push((pattern, vec![at])),
            }
        }
        if patterns.is_empty() {
            let reason = "no value is missing in these rows: there is nothing to draw";
            return Err(Error::Data(reason.to_owned()));
        }
        // The chains leave early by themselves, with what is no draw yet.
        let stop = StopButton::watch();
        for (pattern, of_pattern) in patterns {
            cells.extend(self.draw_like(energy, &known, (&pattern, &of_pattern), rng)?);
            if stop.pressed() {
                let reason = "stopped before the chains' ends, which alone are draws";
                return Err(Error::Chain(reason.to_owned()));
            }
        }
        cells.sort_by_key(|cell| (cell.row, cell.column));
        let names = (0..d).map(|column| self.data.name(column));
        Ok(Imputed {
            cells,
            names: names.collect(),
        })
    }

    /// Rows in which the same columns are missing.
    fn draw_like(
        &self,
        energy: &dyn Energy,
        known: &[f64],
        (pattern, rows): (&[bool], &[usize]),
        rng: &mut Rng,
    ) -> Result<Vec<Cell>, Error> {
        let d = pattern.len();
        let chains = rows.len() * self.draws;
        let originals: Vec<f64> = self.data.originals().collect();
        let (mut origins, mut starts, mut directions) = (Vec::new(), Vec::new(), Vec::new());
        for row in rows {
            let own = &known[row * d..(row + 1) * d];
            let (origin, along) = self.data.plane(own);
            for _ in 0..self.draws {
                let other = rng.random_range(0..self.data.len()) * d;
                let mut start: Vec<f64> = own.to_vec();
                let gaps = start.iter_mut().zip(&originals[other..]);
                gaps.filter(|(value, _)| value.is_nan())
                    .for_each(|(value, other)| *value = *other);
                let start = self.data.plane(&start).0;
                let coordinate = |direction: &Vec<f64>| -> f64 {
                    let each = direction.iter().zip(&start).zip(&origin);
                    each.map(|((a, x), o)| a * (x - o)).sum()
                };
                starts.extend(along.iter().map(|direction| coordinate(direction) as f32));
                origins.extend(origin.iter().map(|value| *value as f32));
            }
            directions = along;
        }
        let free = directions.len();
        let plane = Plane {
            energy,
            origins,
            directions: directions.iter().flatten().map(|a| *a as f32).collect(),
            free,
        };
        let start = points(starts, (chains, free))?;
        let half = self.steps.div_ceil(2);
        let hmc = Hmc::with_step_size(0.5, 5).unchecked();
        let (hmc, warm) = hmc.warm_up(&plane, &start, half, rng)?;
        let ends = hmc.chain(&plane, &warm, self.steps - half, None, rng)?.last;
        let ends = points(plane.lifted(&to_vec(&ends)), (chains, d))?;
        let drawn = self.data.restore_rows(&ends)?;
        let mut cells = Vec::new();
        for (i, row) in rows.iter().enumerate() {
            let own = &drawn[i * self.draws * d..(i + 1) * self.draws * d];
            for column in (0..d).filter(|column| pattern[*column]) {
                cells.push(Cell {
                    row: *row,
                    column,
                    draws: own.iter().skip(column).step_by(d).copied().collect(),
                });
            }
        }
        Ok(cells)
    }
}

/// An energy on the planes o_i + Σ_k u_k v_k, one for each row.
struct Plane<'a> {
    energy: &'a dyn Energy,
    /// `(B, D)`.
    origins: Vec<f32>,
    /// `(K, D)`.
    directions: Vec<f32>,
    free: usize,
}

impl Plane<'_> {
    /// The points of the plane's coordinates.
    fn lifted(&self, coordinates: &[f32]) -> Vec<f32> {
        let d = self.directions.len() / self.free;
        let mut rows = self.origins.clone();
        let each = rows
            .chunks_exact_mut(d)
            .zip(coordinates.chunks_exact(self.free));
        for (row, coordinates) in each {
            for (direction, u) in self.directions.chunks_exact(d).zip(coordinates) {
                row.iter_mut().zip(direction).for_each(|(x, v)| *x += u * v);
            }
        }
        rows
    }

    fn points(&self, x: &Points) -> Result<Points, Error> {
        let d = self.directions.len() / self.free;
        let rows = self.origins.len() / d;
        if *x.shape() != (rows, self.free) {
            let expected = format!("{:?}, a row for each plane,", (rows, self.free));
            return Err(Error::shape("x", x.shape(), expected));
        }
        points(self.lifted(&to_vec(x)), (rows, d))
    }
}

impl Energy for Plane<'_> {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        let (energies, slopes) = self.gradient(&x.retaped::<NoneTape>())?;
        closed_form::taped(x, energies, slopes)
    }

    fn energy(&self, x: &Points) -> Result<Values, Error> {
        self.energy.energy(&self.points(x)?)
    }

    fn gradient(&self, x: &Points) -> Result<(Values, Points), Error> {
        let (energies, slopes) = self.energy.gradient(&self.points(x)?)?;
        let d = self.directions.len() / self.free;
        let slopes = to_vec(&slopes);
        let along = slopes.chunks_exact(d).flat_map(|slope| {
            let directions = self.directions.chunks_exact(d);
            directions.map(|v| slope.iter().zip(v).map(|(a, b)| a * b).sum())
        });
        Ok((energies, from_vec(x.device(), along.collect(), *x.shape())?))
    }
}

/// A value that was missing.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Cell {
    /// Its row, from 0.
    pub row: usize,
    /// Its column, from 0.
    pub column: usize,
    /// Draws, in the units of the file.
    pub draws: Vec<f64>,
}

impl Cell {
    /// The mean of the draws.
    pub fn mean(&self) -> f64 {
        self.draws.iter().sum::<f64>() / self.draws.len() as f64
    }

    /// Their standard deviation.
    pub fn deviation(&self) -> f64 {
        let mean = self.mean();
        let squares = self.draws.iter().map(|draw| (draw - mean).powi(2));
        (squares.sum::<f64>() / self.draws.len() as f64).sqrt()
    }

    /// The band that 90 % of the draws lie in: from their 5 % to their 95 % quantile.
    pub fn band(&self) -> (f64, f64) {
        let mut sorted = self.draws.clone();
        sorted.sort_by(f64::total_cmp);
        let last = (sorted.len() - 1) as f64;
        let at = |share: f64| sorted[(share * last).round() as usize];
        (at(TAIL), at(1.0 - TAIL))
    }
}

/// How close draws are to values that were hidden.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recovered {
    /// √(1/n Σ (mean of the draws - value)²), in the units of the file.
    pub rmse: f64,
    /// The share of values that lie in the band of 90 % of their draws.
    pub coverage: f64,
}

impl fmt::Display for Recovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.4}, {:.0} % in their band of 90 %",
            self.rmse,
            100.0 * self.coverage
        )
    }
}

/// What [`Imputation::draw`] found. A cell that ends in it shows a table.
#[derive(Clone, PartialEq)]
pub struct Imputed {
    cells: Vec<Cell>,
    names: Vec<String>,
}

impl Imputed {
    /// The values that were missing, in the order of the rows.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// How close the draws are to values that are known after all, of the rows as they were before some were left out
    /// ([`Dataset::missing_at`]), in the units of the file.
    ///
    /// # Errors
    /// If it has other columns, or fewer rows than the draws are of, or one of the values is missing there too.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let normal = GaussianMixture::new(&[1.0], &[[0.0, 0.0]], &[1.0])?;
    /// let data = Dataset::from_points(&normal.sample(100, &mut rng(0))?)?;
    /// let gaps: Vec<(usize, usize)> = (0..100).map(|row| (row, 1)).collect();
    /// let imputed = Imputation::around(&data).draw(&normal, &data.missing_at(&gaps)?, &mut rng(1))?;
    /// let recovered = imputed.against(&data)?;
    /// // The other column knows nothing of it.
    /// assert!((recovered.rmse - 1.0).abs() < 0.25 && recovered.coverage > 0.8);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn against(&self, truth: &Dataset) -> Result<Recovered, Error> {
        let (d, values) = (truth.dimension(), truth.originals().collect::<Vec<f64>>());
        let names: Vec<String> = (0..d).map(|column| truth.name(column)).collect();
        if names != self.names {
            let (here, there) = (self.names.join(", "), names.join(", "));
            return Err(Error::Data(format!(
                "the draws are of the columns {here}, and the truth has {there}: choose the same with `columns`"
            )));
        }
        let (mut square, mut inside) = (0.0, 0);
        for cell in &self.cells {
            let value = values.get(cell.row * d + cell.column).copied();
            let Some(value) = value.filter(|value| !value.is_nan()) else {
                let (row, column) = (cell.row, cell.column);
                return Err(Error::Data(format!(
                    "there is no value at [{row}, {column}] (from 0) to hold draws against: give the rows before values were left out"
                )));
            };
            let (low, high) = cell.band();
            square += (cell.mean() - value).powi(2);
            inside += usize::from(low <= value && value <= high);
        }
        let count = self.cells.len() as f64;
        Ok(Recovered {
            rmse: (square / count).sqrt(),
            coverage: inside as f64 / count,
        })
    }

    /// Row, column, mean, standard deviation and the band that 90 % of the draws lie in.
    pub fn table(&self) -> Table {
        let mut table = Table::new(["row", "column", "mean", "deviation", "5 %", "95 %"]);
        for cell in &self.cells {
            let (low, high) = cell.band();
            let mut row = vec![cell.row.to_string(), self.names[cell.column].clone()];
            row.extend([cell.mean(), cell.deviation(), low, high].map(short));
            table.push(row);
        }
        table
    }

    /// Shows the table below a notebook cell that ends in it; evcxr calls it.
    pub fn evcxr_display(&self) {
        self.table().show();
    }
}

impl fmt::Debug for Imputed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.table(), f)
    }
}
