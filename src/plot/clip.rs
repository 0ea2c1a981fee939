//! Cutting a line at the edges of a chart: plotters would draw across them.

/// The parts of a polyline within the box, which has the corners `low` and `high`. A point that
/// is not finite ends a part.
pub(crate) fn clip(
    points: impl Iterator<Item = (f64, f64)>,
    low: (f64, f64),
    high: (f64, f64),
) -> Vec<Vec<(f64, f64)>> {
    let mut parts: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut previous: Option<(f64, f64)> = None;
    let mut joined = false;
    for point in points {
        let finite = point.0.is_finite() && point.1.is_finite();
        let piece = previous
            .filter(|_| finite)
            .and_then(|from| segment(from, point, low, high));
        match piece {
            Some((start, end)) => {
                match parts.last_mut() {
                    Some(part) if joined => part.push(end),
                    _ => parts.push(vec![start, end]),
                }
                joined = end == point;
            }
            None => joined = false,
        }
        previous = finite.then_some(point);
    }
    parts
}

/// The part of a segment within the box (Liang and Barsky, 1984).
fn segment(
    from: (f64, f64),
    to: (f64, f64),
    low: (f64, f64),
    high: (f64, f64),
) -> Option<((f64, f64), (f64, f64))> {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    if !(dx.is_finite() && dy.is_finite()) {
        // Numbers can lie further apart than numbers reach. A quarter and back is exact.
        let times = |factor: f64| move |(x, y): (f64, f64)| (factor * x, factor * y);
        let small = times(0.25);
        let (start, end) = segment(small(from), small(to), small(low), small(high))?;
        return Some((times(4.0)(start), times(4.0)(end)));
    }
    // The share of the way at which the box is entered and left, and the edge that is crossed there.
    let (mut enter, mut leave) = ((0.0_f64, (None, None)), (1.0_f64, (None, None)));
    let edges = [
        (-dx, from.0 - low.0, (Some(low.0), None)),
        (dx, high.0 - from.0, (Some(high.0), None)),
        (-dy, from.1 - low.1, (None, Some(low.1))),
        (dy, high.1 - from.1, (None, Some(high.1))),
    ];
    for (direction, room, edge) in edges {
        let share = room / direction;
        if direction == 0.0 {
            if room < 0.0 {
                return None;
            }
        } else if direction < 0.0 {
            if share > enter.0 {
                enter = (share, edge);
            }
        } else if share < leave.0 {
            leave = (share, edge);
        }
    }
    if enter.0 > leave.0 {
        return None;
    }
    // On an edge exactly, however far away the ends are.
    let at = |(share, (x, y)): (f64, (Option<f64>, Option<f64>))| {
        let way = |edge: Option<f64>, from: f64, way: f64| edge.unwrap_or(from + share * way);
        (way(x, from.0, dx), way(y, from.1, dy))
    };
    let end = if leave.0 == 1.0 { to } else { at(leave) };
    Some((if enter.0 == 0.0 { from } else { at(enter) }, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(points: &[(f64, f64)]) -> Vec<Vec<(f64, f64)>> {
        clip(points.iter().copied(), (0.0, 0.0), (1.0, 1.0))
    }

    #[test]
    fn inside_stays_whole() {
        let line = [(0.0, 0.0), (0.5, 1.0), (1.0, 0.2)];
        assert_eq!(cut(&line), [line.to_vec()]);
    }

    #[test]
    fn a_peak_above_the_edge_is_cut_into_two() {
        let parts = cut(&[(0.0, 0.0), (0.5, 2.0), (1.0, 0.0)]);
        assert_eq!(
            parts,
            [vec![(0.0, 0.0), (0.25, 1.0)], vec![(0.75, 1.0), (1.0, 0.0)]]
        );
    }

    #[test]
    fn outside_vanishes_and_gaps_separate() {
        assert!(cut(&[(0.0, 2.0), (1.0, 2.0)]).is_empty());
        let parts = cut(&[
            (0.0, 0.5),
            (0.1, 0.5),
            (0.2, f64::NAN),
            (0.3, 0.5),
            (0.4, 0.5),
        ]);
        assert_eq!(parts.len(), 2);
        assert_eq!(cut(&[(0.0, 0.5), (0.5, f64::INFINITY)]).len(), 0);
        let parts = cut(&[(0.0, -1e308), (1.0, 1e308)]);
        assert_eq!(parts, [vec![(0.5, 0.0), (0.5, 1.0)]]);
    }
}
