//! Figures as a whole: what their pictures hold, and what is refused.

use super::{Chart, ColorScale, DensityMap, Figure, ImageGrid, Legend, Line};
use base64::Engine;

fn waves() -> Chart {
    let x: Vec<f64> = (0..200).map(|i| f64::from(i) / 20.0).collect();
    let wave = |k: i32| -> Vec<f64> { x.iter().map(|x| (x + f64::from(k)).sin()).collect() };
    let lines = (0..6).map(|k| Line::new(&x, &wave(k)).label(format!("wave {k}")));
    Chart::new("Waves")
        .x_label("x")
        .y_label("sin(x + k)")
        .lines(lines)
}

#[test]
fn a_line_chart_is_small_and_always_the_same() {
    let png = waves().figure().png().unwrap();
    assert!(png.len() < 40_000, "{} bytes", png.len());
    assert_eq!(png, waves().figure().png().unwrap());
}

#[test]
fn svg_holds_the_words() {
    let svg = Figure::row([waves(), waves()]).svg().unwrap();
    assert!(svg.contains("Waves") && svg.contains("wave 5") && svg.contains("sin(x + k)"));
    assert!(svg.contains(r#"width="960""#));
}

#[test]
fn text_is_drawn_with_the_bundled_font() {
    // The same charts but for the title: what differs is its ink.
    let pixels = |title: &str| {
        let png = waves().title(title).figure().png().unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(png))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        pixels
    };
    let (blank, greek, latin) = (pixels(" "), pixels("ρ ξ ∞ →"), pixels("a b c d"));
    let differing = |a: &[u8], b: &[u8]| a.iter().zip(b).filter(|(a, b)| a != b).count();
    assert!(differing(&blank, &greek) > 100 && differing(&greek, &latin) > 100);
}

#[test]
fn extremes_are_drawn_or_refused_and_never_panic() {
    let long = "very ".repeat(500);
    let line = |y: &[f64]| Line::new(&(0..y.len()).map(|i| i as f64).collect::<Vec<_>>(), y);
    let small = |chart: Chart| chart.figure().size(200, 150);
    let charts = [
        Chart::new(&long)
            .x_label(&long)
            .y_label(&long)
            .line(line(&[0.0, 1.0]).label(&long)),
        Chart::new("").line(line(&[
            f64::NAN,
            1.0,
            f64::INFINITY,
            2.0,
            f64::NEG_INFINITY,
        ])),
        Chart::new("").line(line(&[1e300, -1e300, 5e-324])),
        Chart::new("").line(line(&[1e-300, 1e300]).dashed()).log_y(),
        Chart::new("")
            .line(line(&[1.0]).markers().width(20.0).label("a"))
            .legend(Legend::TopLeft),
        Chart::new("")
            .line(line(&[1.0, 1.0 + 1e-15]).dotted())
            .vertical(1e9),
    ];
    for (i, chart) in charts.into_iter().enumerate() {
        for figure in [chart.clone().figure(), small(chart)] {
            assert!(figure.png().is_ok() && figure.svg().is_ok(), "chart {i}");
        }
    }
    assert!(
        waves()
            .line(line(&[0.0]).width(1e9))
            .figure()
            .png()
            .is_err()
    );
    assert!(waves().x_limits(0.0, f64::INFINITY).figure().png().is_err());
}

#[test]
fn a_band_lies_between_its_ends() {
    let (x, nan) = ([0.0, 1.0, 2.0, 3.0, 4.0], f64::NAN);
    let line = Line::new(&x, &[0.5; 5]).band(&[0.0, 0.0, nan, 0.0, -9e300], &[1.0; 5]);
    let chart = Chart::new("").y_limits(-1.0, 2.0);
    let svg = chart.clone().line(line).figure().svg().unwrap();
    let areas: Vec<_> = svg.matches("<polygon").collect();
    assert_eq!(areas.len(), 2, "one on each side of the gap");
    let line = Line::new(&x, &x).band(&x[..4], &x);
    let error = chart.line(line).figure().svg().unwrap_err().to_string();
    assert!(error.contains("as many ends as x"), "{error}");
}

#[test]
fn a_grid_has_its_labels_and_one_bar() {
    let scale = ColorScale::up_to(1.0).power(0.5);
    let values: Vec<f64> = (0..2500).map(|i| f64::from(i % 50) / 50.0).collect();
    let map = || DensityMap::square(-1.0..1.0, &values).scale(scale);
    let chart = |i: i32| Chart::new(format!("panel {i}")).bare().density_map(map());
    let grid = |columns: i32| Figure::grid([0, 1].map(|i| [chart(i), chart(columns)]));
    let figure = grid(7)
        .title("Both")
        .row_labels(["first row", "second row"])
        .column_labels(["left", "right"])
        .color_bar(scale, "density p");
    let svg = figure.svg().unwrap();
    for words in ["Both", "panel 7", "first row", "right", "density p"] {
        assert!(svg.contains(words), "{words}");
    }
    assert!(figure.png().unwrap().len() < 20_000);
    let error = |figure: Figure| figure.png().unwrap_err().to_string();
    let labels = grid(7).row_labels(["one"]);
    assert!(error(labels).contains("1 row labels for 2 rows"));
    let ragged = Figure::grid([vec![chart(0)], vec![]]);
    assert!(error(ragged).contains("row 2 of the grid has 0 charts, but row 1 has 1"));
    let many = Figure::grid([(0..65).map(chart)]);
    assert!(error(many).contains("64 at most"));
}

#[test]
fn what_cannot_be_drawn_says_why() {
    let error = |figure: Figure| figure.png().unwrap_err().to_string();
    assert!(error(Figure::row([])).contains("no chart"));
    assert!(error(waves().figure().size(10, 10)).contains("10 x 10 pixels"));
    assert!(error(Chart::new("empty").figure()).contains("no finite value on the x axis"));
    let path = std::env::temp_dir().join("figure.gif");
    let message = waves().figure().save(&path).unwrap_err().to_string();
    assert!(message.contains("ends in .png or .svg"), "{message}");
}

#[test]
fn pictures_are_small_in_an_svg_and_have_their_colours() {
    // 128 images of 28 x 28 pixels whose neighbours all differ, and a map beside them.
    let pixels: Vec<f32> = (0..128 * 28 * 28)
        .map(|i| (i * 7 % 41) as f32 / 20.0 - 1.0)
        .collect();
    let values: Vec<f64> = (0..10_000).map(|i| f64::from(i * 13 % 97)).collect();
    let figure = Figure::row([
        Chart::new("digits").images(ImageGrid::new(&pixels, (28, 28)).columns(16)),
        Chart::new("map").density_map(DensityMap::square(-1.0..1.0, &values)),
    ]);
    let svg = figure.svg().unwrap();
    assert_eq!(svg.matches("<image ").count(), 2);
    assert!(!svg.contains("fill=\"#0102"), "a place without a picture");
    assert!(svg.len() < 600_000, "{} bytes", svg.len());
    let picture = Chart::new("")
        .bare()
        .images(ImageGrid::new(&[-1.0, 1.0, 1.0, -1.0], (2, 2)));
    let svg = picture.figure().svg().unwrap();
    let data = svg
        .split("base64,")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let png = base64::engine::general_purpose::STANDARD
        .decode(data)
        .unwrap();
    let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
    let size = reader.next_frame(&mut rgb).unwrap();
    // Twice the 48 pixels of the document; a line around 2 x 2 pixels, each 24 times as large.
    assert_eq!((size.width, size.height), (96, 96));
    let at = |x: usize, y: usize| rgb[3 * (96 * y + x)];
    assert_eq!(
        [at(24, 24), at(71, 24), at(24, 71), at(71, 71)],
        [0, 255, 255, 0]
    );
    // The line is grey up to the last corner.
    assert_eq!([at(0, 0), at(23, 24), at(72, 71), at(95, 95)], [140; 4]);
}
