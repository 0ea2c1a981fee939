//! Energy discrepancy's perturbed points.

use super::network::check;
use crate::Misfit;

/// Groups of a data point and its M particles: x_i, then x_ij = x_i + s (ξ_i + ξ'_ij).
///
/// `x` and ξ (`shared`) are `N x D`, ξ' (`own`) is `N x M x D`; the result, which replaces `out`,
/// is `N x (1 + M) x D`, as [`super::group_gradient`] takes it.
///
/// # Errors
/// If the slices' lengths do not fit, or the dimension is 0.
pub fn perturb(
    x: &[f32],
    dimension: usize,
    std: f32,
    shared: &[f32],
    own: &[f32],
    out: &mut [f32],
) -> Result<(), Misfit> {
    check("the shared noise", shared.len(), x.len())?;
    check("the groups", out.len(), x.len().saturating_add(own.len()))?;
    if dimension == 0 || !x.len().is_multiple_of(dimension) {
        let expected = format!("(N, {dimension}), with D not 0");
        return Err(Misfit::new("x", x.len(), expected));
    }
    if x.is_empty() {
        return check("the particles' noise", own.len(), 0);
    }
    let width = own.len() / x.len() * dimension;
    check(
        "the particles' noise",
        own.len(),
        width * (x.len() / dimension),
    )?;
    if dimension == 1 {
        points::<1>(x, std, shared, own, out);
    } else if dimension == 2 {
        points::<2>(x, std, shared, own, out);
    } else {
        let groups = out.chunks_exact_mut(dimension + width);
        let points = x
            .chunks_exact(dimension)
            .zip(shared.chunks_exact(dimension));
        for (i, (group, (x, shared))) in groups.zip(points).enumerate() {
            let (first, particles) = group.split_at_mut(dimension);
            first.copy_from_slice(x);
            let own = own[i * width..].chunks_exact(dimension);
            for (particle, own) in particles.chunks_exact_mut(dimension).zip(own) {
                for d in 0..dimension {
                    particle[d] = x[d] + std * (shared[d] + own[d]);
                }
            }
        }
    }
    Ok(())
}

/// The same for a dimension that the compiler knows.
fn points<const D: usize>(x: &[f32], std: f32, shared: &[f32], own: &[f32], out: &mut [f32]) {
    let (x, shared, own) = (
        x.as_chunks::<D>().0,
        shared.as_chunks::<D>().0,
        own.as_chunks::<D>().0,
    );
    let particles = own.len() / x.len().max(1);
    let groups = out.as_chunks_mut::<D>().0.chunks_exact_mut(1 + particles);
    for (i, (group, (x, shared))) in groups.zip(x.iter().zip(shared)).enumerate() {
        let own = &own[i * particles..][..particles];
        if let [first, group @ ..] = group {
            *first = *x;
            for (particle, own) in group.iter_mut().zip(own) {
                *particle = std::array::from_fn(|d| x[d] + std * (shared[d] + own[d]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_follow_the_formula() {
        for (n, d, m) in [(3, 1, 4), (2, 2, 1), (5, 3, 2), (0, 2, 3), (2, 1, 0)] {
            let x: Vec<f32> = (0..n * d).map(|i| i as f32).collect();
            let shared: Vec<f32> = (0..n * d).map(|i| (i as f32).sin()).collect();
            let own: Vec<f32> = (0..n * m * d).map(|i| (i as f32).cos()).collect();
            let mut out = vec![f32::NAN; n * (1 + m) * d];
            perturb(&x, d, 0.5, &shared, &own, &mut out).unwrap();
            for (i, value) in out.iter().enumerate() {
                let (group, member, k) = (i / d / (1 + m), i / d % (1 + m), i % d);
                let at = group * d + k;
                let expected = match member {
                    0 => x[at],
                    j => x[at] + 0.5 * (shared[at] + own[(group * m + j - 1) * d + k]),
                };
                assert_eq!(*value, expected);
            }
        }
    }

    #[test]
    fn shapes_that_do_not_fit_are_errors() {
        assert!(perturb(&[0.0; 4], 2, 1.0, &[0.0; 3], &[0.0; 4], &mut [0.0; 8]).is_err());
        assert!(perturb(&[0.0; 4], 2, 1.0, &[0.0; 4], &[0.0; 6], &mut [0.0; 10]).is_err());
        assert!(perturb(&[0.0; 4], 2, 1.0, &[0.0; 4], &[0.0; 4], &mut [0.0; 9]).is_err());
        assert!(perturb(&[], 0, 1.0, &[], &[], &mut []).is_err());
        assert!(perturb(&[0.0; 3], 2, 1.0, &[0.0; 3], &[], &mut [0.0; 3]).is_err());
    }
}
