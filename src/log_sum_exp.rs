//! log Σ exp.

/// log Σ exp, without overflow. It is no number if one of the values is none.
pub(crate) fn log_sum_exp(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    // `f64::max` passes over what is no number.
    let larger = |a: f64, b: f64| if b.is_nan() || a < b { b } else { a };
    let largest = terms.clone().fold(f64::NEG_INFINITY, larger);
    if largest.is_infinite() {
        return largest;
    }
    largest + terms.map(|term| (term - largest).exp()).sum::<f64>().ln()
}
