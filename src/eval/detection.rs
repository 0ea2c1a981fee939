//! How well a score finds what is to be found.

use crate::Error;

/// The average precision of a score that is to be high for the positives: the area under the curve of
/// precision over recall, as a sum over thresholds,
///
/// AP = Σ_k (R_k - R_{k-1}) P_k,
///
/// where of the k highest scores the share P_k is positive, and of all positives R_k is among them. Equal
/// scores are one threshold. A score that knows nothing has the share of positives; the best has 1.
///
/// PyTorch users know it as scikit-learn's `average_precision_score`.
///
/// # Errors
/// If there are not as many scores as labels, none is positive, or a score is not a number.
///
/// # Examples
/// ```
/// use energy_discrepancy::eval::average_precision;
///
/// let found = average_precision(&[0.9, 0.8, 0.3, 0.1], &[true, false, true, false])?;
/// // The first positive is first, the second third: (1/1 + 2/3)/2.
/// assert!((found - 5.0 / 6.0).abs() < 1e-12);
/// # Ok::<(), energy_discrepancy::Error>(())
/// ```
pub fn average_precision(scores: &[f64], is_positive: &[bool]) -> Result<f64, Error> {
    if scores.len() != is_positive.len() {
        let expected = format!("{}, as there are scores,", scores.len());
        return Err(Error::shape("the labels", is_positive.len(), expected));
    }
    if let Some(index) = scores.iter().position(|score| score.is_nan()) {
        return Err(Error::Data(format!("score {index} is not a number")));
    }
    let positives = is_positive.iter().filter(|positive| **positive).count();
    if positives == 0 {
        return Err(Error::Data("no label is positive".into()));
    }
    let mut ranked: Vec<(f64, bool)> = scores
        .iter()
        .copied()
        .zip(is_positive.iter().copied())
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut seen, mut found, mut sum) = (0, 0, 0.0);
    for equal in ranked.chunk_by(|a, b| a.0 == b.0) {
        let new = equal.iter().filter(|(_, positive)| *positive).count();
        seen += equal.len();
        found += new;
        sum += new as f64 * found as f64 / seen as f64;
    }
    Ok(sum / positives as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_scores_are_one_threshold() {
        // Whatever the order of the rows: nothing is known, so the share of positives.
        for labels in [[true, false, false, false], [false, false, false, true]] {
            assert_eq!(average_precision(&[0.5; 4], &labels).unwrap(), 0.25);
        }
        // scikit-learn's documentation has this one.
        let found = average_precision(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true]);
        assert!((found.unwrap() - 0.8333333333333333).abs() < 1e-15);
    }

    #[test]
    fn what_cannot_be_ranked_is_an_error() {
        assert!(average_precision(&[0.0], &[]).is_err());
        assert!(average_precision(&[0.0], &[false]).is_err());
        assert!(average_precision(&[f64::NAN], &[true]).is_err());
    }
}
