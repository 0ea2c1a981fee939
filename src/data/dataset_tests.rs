use super::*;
use crate::{device, rng};
use dfdx::prelude::*;

/// Rows 0 to 9 of (i, 100 + i², -i).
fn ten() -> Dataset {
    let rows: Vec<[f64; 3]> = (0..10)
        .map(f64::from)
        .map(|i| [i, 100.0 + i * i, -i])
        .collect();
    Dataset::new(&rows)
        .unwrap()
        .with_names(&["a", "b", "c"])
        .unwrap()
}

fn message<T: fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_sample_has_different_rows_and_all_rows_keep_their_order() {
    let data = ten();
    let none: Points = data.sample(0, &mut rng(0)).unwrap();
    assert_eq!(none.shape(), &(0, 3));
    for n in 1..10 {
        let x: Points = data.sample(n, &mut rng(n as u64)).unwrap();
        assert_eq!(x.shape(), &(n, 3));
        let mut firsts: Vec<i32> = x.as_vec().chunks(3).map(|row| row[0] as i32).collect();
        firsts.sort_unstable();
        firsts.dedup();
        assert_eq!(firsts.len(), n);
        assert!(
            x.as_vec()
                .chunks(3)
                .all(|row| row[1] == 100.0 + row[0] * row[0])
        );
    }
    let all: Points = data.sample(10, &mut rng(0)).unwrap();
    let single: Vec<f32> = data.values.iter().map(|value| *value as f32).collect();
    assert_eq!(all.as_vec(), single);
    assert_eq!(data.points().unwrap().as_vec(), single);
    assert_eq!(
        data.points_at(&[3, 3]).unwrap().as_vec(),
        [&single[9..12]; 2].concat()
    );
    assert!(message(data.points_at(&[10])).contains("10 rows, and none of number 10"));
    let error = message(data.sample(11, &mut rng(0)));
    assert!(
        error.contains("the data set has shape (10, 3), but (11, 3) or more"),
        "{error}"
    );
}

#[test]
fn every_row_is_drawn_equally_often_and_by_the_seed() {
    let data = ten();
    let draw = |seed| data.sample(4, &mut rng(seed)).unwrap().as_vec();
    assert_eq!(draw(5), draw(5));
    assert_ne!(draw(5), draw(6));
    let mut counts = [0.0; 10];
    for seed in 0..5000 {
        draw(seed)
            .chunks(3)
            .for_each(|row| counts[row[0] as usize] += 1.0);
    }
    // Each row is in 4 of 10 samples: 2000 ± √(5000 · .4 · .6) = 35, five of which are allowed.
    assert!(
        counts
            .iter()
            .all(|count: &f64| (count - 2000.0).abs() < 175.0),
        "{counts:?}"
    );
}

#[test]
fn columns_are_chosen_by_name_and_by_number() {
    let data = ten();
    let by_name = data.columns(&["c", "a"]).unwrap();
    assert_eq!(by_name, data.columns_at(&[2, 0]).unwrap());
    assert_eq!(by_name.names().unwrap(), ["c", "a"]);
    assert_eq!(by_name.rows().unwrap().nth(3).unwrap(), [-3.0, 3.0]);
    assert_eq!((by_name.len(), by_name.dimension()), (10, 2));
    assert!(message(data.columns(&["A"])).contains("no column \"A\": the columns are \"a\", "));
    assert!(message(data.columns_at(&[3])).contains("no column 3: the last is 2"));
    assert!(message(data.columns_at(&[])).contains("name one at least"));
    let nameless = Dataset::new(&[[1.0]]).unwrap();
    assert!(message(nameless.columns(&["a"])).contains("`columns_at`"));
}

#[test]
fn impossible_sets_are_errors() {
    assert!(message(Dataset::new::<[f64; 2]>(&[])).contains("no points"));
    assert!(message(Dataset::new::<[f64; 0]>(&[[]])).contains("no points"));
    let ragged = [vec![1.0, 2.0], vec![3.0]];
    assert!(
        message(Dataset::new(&ragged)).contains("rows[1] has length 1 and rows[0] has length 2")
    );
    let error = message(Dataset::new(&[[1.0, 2.0], [3.0, f64::NAN]]));
    assert!(
        error.contains("at [1, 1] (row and column, from 0) is NaN"),
        "{error}"
    );
    let infinite = message(Dataset::new(&[[f64::INFINITY]]));
    assert!(
        infinite.contains("is inf: coordinates must be finite"),
        "{infinite}"
    );
    assert!(message(ten().with_names(&["a"])).contains("1 names for 3 columns"));
    assert!(message(ten().with_names(&["a", "b", "a"])).contains("two columns are called \"a\""));
}

#[test]
fn standardised_columns_have_mean_0_and_variance_1_and_come_back() {
    let data = ten();
    let z = data.standardised().unwrap();
    for d in 0..3 {
        let column: Vec<f64> = z.rows().unwrap().map(|row| row[d]).collect();
        let mean = column.iter().sum::<f64>() / 10.0;
        let variance = column.iter().map(|v| v * v).sum::<f64>() / 10.0;
        assert!(mean.abs() < 1e-14 && (variance - 1.0).abs() < 1e-14);
    }
    assert!((z.mean().unwrap()[0] - 4.5).abs() < 1e-14);
    assert!((z.std().unwrap()[0] - 8.25f64.sqrt()).abs() < 1e-14);

    // Twice, and after a choice of columns, the way back is the same.
    let twice = z.standardised().unwrap().columns(&["b", "a"]).unwrap();
    let back = twice.restore_rows(&twice.points().unwrap()).unwrap();
    let original = data.columns(&["b", "a"]).unwrap();
    let close =
        |tolerance: f64| move |(a, b): (&f64, &f64)| (a - b).abs() <= tolerance * b.abs().max(1.0);
    // By way of points in single precision.
    assert!(back.iter().zip(&original.values).all(close(1e-6)));
    let single: Points = z.restore(&z.points().unwrap()).unwrap();
    let single: Vec<f64> = single.as_vec().into_iter().map(f64::from).collect();
    assert!(single.iter().zip(&data.values).all(close(1e-6)));
}

#[test]
fn rescaling_refuses_what_cannot_be_done() {
    let constant = Dataset::new(&[[0.1, 1.0], [0.1, 2.0], [0.1, 4.0]]).unwrap();
    let error = message(constant.standardised());
    assert!(
        error.contains("column 0 (from 0) is 0.1 everywhere"),
        "{error}"
    );
    let named = constant.with_names(&["flat", "steep"]).unwrap();
    assert!(message(named.standardised()).contains("column \"flat\""));

    let (data, z) = (ten(), ten().standardised().unwrap());
    assert!(
        message(data.scaled_like(&data)).contains("call `standardised` or `whitened` on it first")
    );
    assert!(message(z.scaled_like(&z)).contains("standardised already"));
    assert_eq!(data.scaled_like(&z).unwrap(), z);
    let turned = data.columns(&["c", "b", "a"]).unwrap();
    assert!(message(turned.scaled_like(&z)).contains("c, b, a here and a, b, c"));
    assert!(message(named.scaled_like(&z)).contains("(N, 3)"));
    let flat: Points = device().unwrap().zeros_like(&(4, 2));
    assert!(message(z.restore(&flat)).contains("(4, 2), but (B, 3), as the data set has"));
    let same: Points = device().unwrap().ones_like(&(4, 3));
    assert_eq!(data.restore(&same).unwrap().as_vec(), same.as_vec());
}

#[test]
fn the_debug_text_is_one_line() {
    let shown = format!("{:?}", ten().standardised().unwrap());
    assert_eq!(shown, "Dataset of shape (10, 3): a, b, c (standardised)");
}

#[test]
fn what_single_precision_cannot_hold_says_to_standardise() {
    let column = |values: &[f64]| {
        let rows: Vec<[f64; 2]> = values
            .iter()
            .map(|value| [1.0 + value % 7.0, *value])
            .collect();
        Dataset::new(&rows)
            .unwrap()
            .with_names(&["a", "time"])
            .unwrap()
    };
    let each = |n: usize, start: f64, step: f64| -> Vec<f64> {
        (0..n).map(|i| start + step * i as f64).collect()
    };
    for values in [
        each(3, 1_700_000_000.0, 60.0),
        each(100, 1_700_000_000.0, 1.0),
        // A fortnight in seconds: the deviation is large, and yet a hundred seconds are one number.
        each(200_000, 1_700_000_000.0, 6.0),
        each(50, 1_700_000_000_000.0, 1000.0),
        each(10, 45_321.25, 0.001),
        vec![1e39, 2e39, -1e39],
        vec![1e200, 2e200, -3e200],
        vec![-5e307, 2e307, 5e307],
    ] {
        let data = column(&values);
        let error = message(data.points());
        assert!(
            error.contains("column \"time\"") && error.contains("call `standardised()`"),
            "{error}"
        );
        assert_eq!(message(data.sample(2, &mut rng(0))), error);
        assert!(data.columns(&["a"]).unwrap().points().is_ok());

        let z = data.standardised().unwrap();
        assert!((z.std().unwrap()[1].ln() - (values[1] - values[0]).abs().ln()).abs() < 20.0);
        let single: Points = z.points().unwrap();
        // The way back needs double precision too, where the whole column is one number otherwise.
        if values.len() < 200_000 {
            let error = message(z.restore(&single));
            assert!(error.contains("`restore_rows`"), "{error}");
        }
        // Exact to single precision of the column's own spread.
        let back = z.restore_rows(&single).unwrap();
        assert!((back[1] - values[0]).abs() <= 1e-6 * z.std().unwrap()[1]);
    }
    for values in [
        each(100, 0.0, 0.1),
        each(100, 1000.0, 0.123_456_789),
        each(100, 16_000_000.0, 1.0),
        each(100, 1e9, 64.0),
        vec![1_700_000_000.0; 3],
        // People in countries: each apart.
        vec![67_751_023.0, 331_002_651.0, 1_439_323_776.0, 38_928_346.0],
    ] {
        assert!(column(&values).points().is_ok(), "{values:?}");
    }
}

#[test]
fn scales_far_from_one_are_standardised() {
    for scale in [1e-200, 1e-30, 1e30, 1e200] {
        let data = Dataset::new(&[[scale], [3.0 * scale]]).unwrap();
        let z = data.standardised().unwrap();
        let z: Vec<f64> = z.rows().unwrap().flatten().copied().collect();
        assert!(
            (z[0] + 1.0).abs() < 1e-12 && (z[1] - 1.0).abs() < 1e-12,
            "{scale}: {z:?}"
        );
    }
    let error = message(Dataset::new(&[[0.0], [5e-324]]).unwrap().standardised());
    assert!(error.contains("beyond double precision"), "{error}");
    let error = message(
        Dataset::new(&[[1.0, 2.0, 5.0], [1.0, 2.0, 6.0]])
            .unwrap()
            .standardised(),
    );
    assert!(
        error.contains("column 0 (from 0) is 1 everywhere, column 1 (from 0) is 2 everywhere")
            && error.contains("`.columns_at(&[2])`"),
        "{error}"
    );
}

#[test]
fn a_whitened_set_has_covariance_one_and_comes_back() {
    let normal = |seed| {
        let noise = crate::normals(600, &mut crate::rng(seed));
        let rows = noise.chunks(3).map(|ξ| {
            let ξ: Vec<f64> = ξ.iter().map(|ξ| f64::from(*ξ)).collect();
            [10.0 + ξ[0], 5.0 * ξ[0] + 0.1 * ξ[1], 1e6 * (ξ[2] - ξ[1])]
        });
        Dataset::new(&rows.collect::<Vec<_>>()).unwrap()
    };
    let (data, others) = (normal(0), normal(1));
    let z = data.whitened().unwrap();
    let (mean, covariance) = crate::cholesky::moments(&z.values, 3, &[1.0; 200]);
    for (i, entry) in covariance.iter().enumerate() {
        let exact = f64::from(u8::from(i % 4 == 0));
        assert!((entry - exact).abs() < 1e-9 && mean[i % 3].abs() < 1e-12);
    }
    let near = |a: &[f64], b: &[f64]| {
        a.iter()
            .zip(b)
            .all(|(a, b)| (a - b).abs() < 1e-5 * b.abs().max(1.0))
    };
    assert!(near(
        &z.restore_rows(&z.points().unwrap()).unwrap(),
        &data.values
    ));
    let like = others.scaled_like(&z).unwrap();
    assert!(near(
        &like.restore_rows(&like.points().unwrap()).unwrap(),
        &others.values
    ));
    // The volume of the covariance: det Σ = 1 · 0.1² · (1e6)² in expectation, as the columns were made.
    assert!(
        (z.log_volume() - 1e5f64.ln()).abs() < 0.3,
        "{}",
        z.log_volume()
    );
    assert_eq!(
        (z.whitened().unwrap(), z.standardised().unwrap()),
        (z.clone(), z.clone())
    );
    assert!(message(z.columns_at(&[0])).contains("belong together"));
    assert!(format!("{z}").contains("(whitened)"));
    let twice = Dataset::new(&[[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]]).unwrap();
    assert!(message(twice.whitened()).contains("column 1 (from 0) is a sum of multiples"));
}
