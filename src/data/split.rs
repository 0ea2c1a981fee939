//! Rows to train on and rows to judge by.

use super::dataset::Dataset;
use crate::{Error, rng};

impl Dataset {
    /// A share of the rows, drawn at random by the seed, and the others: to train on, and to judge by. Both keep the order
    /// of the rows, the columns' names and, of a standardised set, its units.
    ///
    /// Three parts are two calls: the rest is split once more. Standardise after splitting, by the rows to train on
    /// alone ([`Dataset::scaled_like`]), or the others are no longer unseen.
    ///
    /// # Errors
    /// If the share does not lie between 0 and 1, or a part would have no row.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let rows: Vec<[f64; 1]> = (0..10).map(|i| [i.into()]).collect();
    /// let (train, test) = Dataset::new(&rows)?.split(0.8, 0)?;
    /// assert_eq!((train.len(), test.len()), (8, 2));
    /// # Ok::<(), Error>(())
    /// ```
    /// scikit-learn equivalent: `train_test_split(data, train_size=0.8, random_state=0)`.
    pub fn split(&self, share: f64, seed: u64) -> Result<(Self, Self), Error> {
        if !(share > 0.0 && share < 1.0) {
            return Err(Error::setting("share", share, "between 0 and 1"));
        }
        let rows = self.len();
        let first = (share * rows as f64).round() as usize;
        if first == 0 || first == rows {
            return Err(Error::Data(format!(
                "{share} of {rows} rows leaves {first} and {} in the two parts: give each one row at least",
                rows - first
            )));
        }
        let mut is_first = vec![false; rows];
        let chosen = rand::seq::index::sample(&mut rng(seed), rows, first);
        chosen.into_iter().for_each(|row| is_first[row] = true);
        let part = |wanted: bool| {
            let rows = self.raw_rows().zip(&is_first);
            let rows = rows.filter(|(_, is_first)| **is_first == wanted);
            Self {
                dropped: 0,
                filled: vec![0; self.dimension],
                ..self.with_values(rows.flat_map(|(row, _)| row).copied().collect())
            }
        };
        Ok((part(true), part(false)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_part() {
        let rows: Vec<[f64; 1]> = (0..101).map(|i| [i.into()]).collect();
        let data = Dataset::new(&rows).unwrap();
        let (a, b) = data.split(0.3, 1).unwrap();
        assert_eq!((a.len(), b.len()), (30, 71));
        let mut all: Vec<f64> = a.values.iter().chain(&b.values).copied().collect();
        assert!(a.values.is_sorted() && b.values.is_sorted());
        all.sort_by(f64::total_cmp);
        assert_eq!(all, data.values);
        assert_eq!(data.split(0.3, 1).unwrap().0, a);
        assert_ne!(data.split(0.3, 2).unwrap().0, a);
    }

    #[test]
    fn impossible_shares_are_errors() {
        let data = Dataset::new(&[[0.0], [1.0]]).unwrap();
        for share in [0.0, 1.0, -1.0, f64::NAN] {
            assert!(
                data.split(share, 0)
                    .unwrap_err()
                    .to_string()
                    .contains("between 0 and 1")
            );
        }
        assert!(
            data.split(0.1, 0)
                .unwrap_err()
                .to_string()
                .contains("leaves 0 and 2")
        );
    }
}
