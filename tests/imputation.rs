//! Conditional samples against the conditionals of a normal density, which are known.

#![allow(clippy::unwrap_used)] // A test may.

use energy_discrepancy::prelude::*;
use energy_discrepancy::sample::Imputed;

/// x = (a, 3 + 2 a + b, 100 (a - b + c)) with a, b, c of N(0, 1).
fn data() -> Dataset {
    let noise = normals(3 * 500, &mut rng(0));
    let rows = noise.chunks(3).map(|ξ| {
        let [a, b, c] = [0, 1, 2].map(|i| f64::from(ξ[i]));
        [a, 3.0 + 2.0 * a + b, 100.0 * (a - b + c)]
    });
    let data = Dataset::new(&rows.collect::<Vec<_>>()).unwrap();
    data.with_names(&["x", "y", "z"]).unwrap()
}

/// The energy, of points of this set, of the normal density that the file's values have.
struct Exact<'a>(&'a Dataset);

impl Energy for Exact<'_> {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        let (energies, slopes) = self.gradient(&x.retaped())?;
        // U is the linear function of this slope, and a constant.
        use energy_discrepancy::dfdx::prelude::*;
        let linear = (x * slopes).sum::<_, Axis<1>>();
        let (linear, tape) = linear.split_tape();
        let rest = energies - linear.clone();
        Ok(linear.put_tape(tape) + rest)
    }

    fn gradient(&self, x: &Points) -> Result<(Values, Points), Error> {
        let d = 3;
        let u = |row: &[f64]| {
            let (a, b) = (row[0], row[1] - 3.0 - 2.0 * row[0]);
            let c = row[2] / 100.0 - a + b;
            0.5 * (a * a + b * b + c * c)
        };
        let original = |row: &[f32]| {
            let row = points(row.to_vec(), (1, d)).unwrap();
            self.0.restore_rows(&row).unwrap()
        };
        let rows = to_vec(x);
        let energies = rows.chunks(d).map(|row| u(&original(row)) as f32).collect();
        // By differences, in double precision: U is quadratic.
        let slope = |row: &[f32], i: usize| {
            let at = |step: f32| {
                let mut row = row.to_vec();
                row[i] += step;
                u(&original(&row))
            };
            ((at(0.5) - at(-0.5)) / 1.0) as f32
        };
        let slopes = rows
            .chunks(d)
            .flat_map(|row| [0, 1, 2].map(|i| slope(row, i)));
        let values = points(energies, (x.shape().0, 1))?;
        use energy_discrepancy::dfdx::prelude::*;
        Ok((
            values.reshape_like(&(x.shape().0,)),
            points(slopes.collect(), *x.shape())?,
        ))
    }
}

/// Whether mean and deviation lie within three standard errors of the exact ones.
fn check(imputed: &Imputed, at: usize, mean: f64, deviation: f64) {
    let cell = &imputed.cells()[at];
    let n = cell.draws.len() as f64;
    let (found, spread) = (cell.mean(), cell.deviation());
    println!("{found:.3} ({mean:.3}), {spread:.3} ({deviation:.3})");
    assert!(
        (found - mean).abs() < 3.0 * deviation / n.sqrt(),
        "{found} {mean}"
    );
    assert!(
        (spread - deviation).abs() < 3.0 * deviation / (2.0 * n).sqrt(),
        "{spread} {deviation}"
    );
}

#[test]
fn draws_have_the_conditional_mean_and_deviation() {
    let data = data();
    let row: Vec<f64> = data.rows().unwrap().next().unwrap().to_vec();
    for space in [data.standardised().unwrap(), data.whitened().unwrap()] {
        let energy = Exact(&space);
        let imputation = Imputation::around(&space).draws(400);
        // z is known given the others: 100 (a - b), ± 100.
        let rows = data.missing_at(&[(0, 2), (7, 0), (7, 1)]).unwrap();
        let imputed = imputation.draw(&energy, &rows, &mut rng(1)).unwrap();
        let (a, b) = (row[0], row[1] - 3.0 - 2.0 * row[0]);
        check(&imputed, 0, 100.0 * (a - b), 100.0);
        // x and y given z: of v = z/100 = a - b + c, E a = v/3 and Var a = 2/3; E y = 3 + 2 v/3 - v/3,
        // Var y = Var(2 a + b) - Cov(2 a + b, v)²/Var v = 5 - 1/3.
        let v = data.rows().unwrap().nth(7).unwrap()[2] / 100.0;
        check(&imputed, 1, v / 3.0, (2.0f64 / 3.0).sqrt());
        check(&imputed, 2, 3.0 + v / 3.0, (14.0f64 / 3.0).sqrt());
        let places: Vec<(usize, usize)> =
            imputed.cells().iter().map(|c| (c.row, c.column)).collect();
        assert_eq!(places, [(0, 2), (7, 0), (7, 1)]);
        // 1.645 standard deviations to either side.
        let (low, high) = imputed.cells()[0].band();
        assert!((high - low - 329.0).abs() < 60.0, "{low} {high}");
    }
}

#[test]
fn all_that_is_missing_is_the_density_itself() {
    let data = data();
    let space = data.whitened().unwrap();
    let rows = data.missing_at(&[(3, 0), (3, 1), (3, 2)]).unwrap();
    let energy = Exact(&space);
    let imputed = Imputation::around(&space)
        .draws(400)
        .draw(&energy, &rows, &mut rng(2))
        .unwrap();
    check(&imputed, 0, 0.0, 1.0);
    check(&imputed, 1, 3.0, 5.0f64.sqrt());
    check(&imputed, 2, 0.0, 3.0f64.sqrt() * 100.0);
}

#[test]
fn rows_that_do_not_fit_are_errors() {
    let data = data();
    let space = data.standardised().unwrap();
    let energy = Exact(&space);
    let imputation = || Imputation::around(&space);
    let said = |rows: &Dataset| {
        imputation()
            .draw(&energy, rows, &mut rng(0))
            .unwrap_err()
            .to_string()
    };
    assert!(said(&data).contains("no value is missing"));
    let gaps = data.missing_at(&[(0, 0)]).unwrap();
    assert!(said(&gaps.columns(&["x", "y"]).unwrap()).contains("(N, 3)"));
    assert!(said(&gaps.columns(&["y", "x", "z"]).unwrap()).contains("the columns y, x, z"));
    let imputed = imputation().draw(&energy, &gaps, &mut rng(0)).unwrap();
    assert_eq!(imputed.against(&data).unwrap().coverage, 1.0);
    let other = data.columns(&["y", "x", "z"]).unwrap();
    let said = imputed.against(&other).unwrap_err().to_string();
    assert!(
        said.contains("x, y, z, and the truth has y, x, z"),
        "{said}"
    );
    let none = imputation()
        .draws(0)
        .draw(&energy, &gaps, &mut rng(0))
        .unwrap_err()
        .to_string();
    assert!(none.contains("draws = 0"));
    assert!(
        data.missing_at(&[(0, 3)])
            .unwrap_err()
            .to_string()
            .contains("[0, 3]")
    );
}
