//! Samples of a model beside rows that it has not seen.

use super::energy_distance::energy_distance;
use super::two_sample::{TwoSample, c2st, energy_test, mmd};
use crate::table::Table;
use crate::tensors::{Points, normal_points};
use crate::{Error, Rng};
use dfdx::shapes::HasShape;
use evcxr_notebook::debug_markdown;
use std::fmt;

/// How far samples of a model are from held-out rows, by three tests, and how far a normal density is.
///
/// # Examples
/// ```
/// use energy_discrepancy::eval::Judgement;
/// use energy_discrepancy::prelude::*;
///
/// let data = toy::gaussians_8();
/// let (held_out, good) = (data.sample(200, &mut rng(0))?, data.sample(200, &mut rng(1))?);
/// let judged = Judgement::of(&good, &held_out, &mut rng(2))?;
/// assert!(judged.warning().is_none());
/// // All of them in one place: farther away than N(0, I).
/// let bad = points(vec![3.0; 400], (200, 2))?;
/// let warning = Judgement::of(&bad, &held_out, &mut rng(2))?.warning().unwrap();
/// assert!(warning.contains("farther from the held-out rows than N(0, I)"));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, PartialEq)]
pub struct Judgement {
    /// The energy distance.
    pub energy: TwoSample,
    /// The maximum mean discrepancy, squared.
    pub mmd: TwoSample,
    /// The classifier two-sample test.
    pub c2st: TwoSample,
    /// The energy distance of as many points of N(0, I).
    pub normal: f64,
}

impl Judgement {
    /// Of samples and held-out rows, `(N, D)` and `(M, D)`, in the standardised or whitened space in which N(0, I) has the
    /// means and deviations of the data.
    ///
    /// # Errors
    /// If the dimensions differ, or a set has fewer than four points or both more than 10,000.
    pub fn of(samples: &Points, held_out: &Points, rng: &mut Rng) -> Result<Self, Error> {
        let (count, d) = *samples.shape();
        Ok(Self {
            energy: energy_test(samples, held_out, rng)?,
            mmd: mmd(samples, held_out, rng)?,
            c2st: c2st(samples, held_out, rng)?,
            normal: energy_distance(&normal_points(count, d, rng)?, held_out)?,
        })
    }

    /// What to do, where the samples are farther from the held-out rows than N(0, I) is, and not by chance alone
    /// (p < 0.05).
    pub fn warning(&self) -> Option<String> {
        let is_worse = self.energy.statistic > self.normal.max(0.0);
        (is_worse && self.energy.p_value < 0.05).then(|| {
            format!(
                "the samples are farther from the held-out rows than N(0, I) (energy distances {:.3} and {:.3}): if chains made \
                 them, they may need more steps, and `Annealing::sample` gives each mode its share; otherwise train with a \
                 held-out loss (`validate`) above a density (`EnergyDiscrepancy::above`, `Tilted`)",
                self.energy.statistic, self.normal
            )
        })
    }

    /// The tests with their p-values, and N(0, I).
    pub fn table(&self) -> Table {
        let row = |table: Table, name: &str, test: TwoSample| {
            let (statistic, p) = (
                format!("{:.4}", test.statistic),
                format!("{:.3}", test.p_value),
            );
            table.row(&[&name, &statistic, &p])
        };
        let table = Table::new(["samples against held-out rows", "statistic", "p-value"]);
        let table = row(table, "energy distance", self.energy);
        let table = row(table, "MMD²", self.mmd);
        let table = row(table, "classifier's share of right answers", self.c2st);
        table.row(&[
            &"energy distance of N(0, I)",
            &format!("{:.4}", self.normal),
        ])
    }

    /// Shows the table below a notebook cell that ends in it, and the warning; evcxr calls it.
    pub fn evcxr_display(&self) {
        self.table().show();
        if let Some(warning) = self.warning() {
            crate::println!("{warning}");
        }
    }
}

/// The table as text, and the warning.
impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.table())?;
        match self.warning() {
            Some(warning) => write!(f, "\n{warning}"),
            None => Ok(()),
        }
    }
}

/// The same, and below a notebook cell the table.
impl fmt::Debug for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let markdown = || {
            let warning = self.warning().unwrap_or_default();
            format!("{}\n{warning}", self.table().markdown())
        };
        f.write_str(&debug_markdown(&self.to_string(), markdown))
    }
}
