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
fn a_figure_that_cannot_be_saved_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let names = || {
        let all = std::fs::read_dir(folder.path()).unwrap();
        let all = all.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        all.collect::<Vec<_>>()
    };
    let path = folder.path().join("waves.svg");
    std::fs::write(&path, "old").unwrap();
    assert!(Chart::new("empty").figure().save(&path).is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
    waves().figure().save(&path).unwrap();
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        waves().figure().svg().unwrap()
    );
    assert_eq!(names(), ["waves.svg"]);
    // A folder has the name.
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let message = waves().figure().save(&path).unwrap_err().to_string();
    assert!(message.contains("waves.svg"), "{message}");
    assert_eq!(names(), ["waves.svg"]);
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

/// The pixels of a figure's PNG as it is saved, and its width.
fn decoded(figure: Figure) -> (Vec<[u8; 3]>, usize) {
    let png = figure.png().unwrap();
    let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
    let size = reader.next_frame(&mut rgb).unwrap();
    let pixels = rgb.chunks_exact(3).map(|p| [p[0], p[1], p[2]]);
    (pixels.collect(), size.width as usize)
}

/// Columns and rows of a title's ink.
fn ink(title: &str) -> Vec<(usize, usize)> {
    let chart = Chart::new(title).x_limits(0.0, 1.0).y_limits(0.0, 1.0);
    let (pixels, width) = decoded(chart.figure());
    let title = pixels[..30 * width].iter().enumerate();
    let dark = title.filter(|(i, pixel)| i % width > 100 && pixel[0] < 200);
    dark.map(|(i, _)| (i % width, i / width)).collect()
}

/// The texts of an SVG document, by a parser that refuses what is not well-formed.
fn texts(svg: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(svg).unwrap();
    let elements = document
        .descendants()
        .filter(|node| node.has_tag_name("text"));
    let text = |node: roxmltree::Node| node.text().unwrap_or_default().trim().to_owned();
    elements.map(text).collect()
}

#[test]
fn any_text_is_text_in_an_svg() {
    let rude = "<b a=\"1\" c='2'>&amp; ]]> <!-- \u{0}\u{1b}\u{ffff}";
    let shown = "<b a=\"1\" c='2'>&amp; ]]> <!-- \u{fffd}\u{fffd}\u{fffd}";
    let line = |x: &[f64]| Line::new(x, x).label(rude);
    let chart = || {
        Chart::new(rude)
            .x_label(rude)
            .y_label(rude)
            .line(line(&[0.0, 1.0]))
    };
    let figure = Figure::row([chart(), chart()])
        .title(rude)
        .row_labels([rude])
        .column_labels([rude, rude])
        .color_bar(ColorScale::up_to(1.0), rude);
    let svg = figure.size(900, 600).svg().unwrap();
    let found = texts(&svg).iter().filter(|text| *text == shown).count();
    assert_eq!(found, 13);
    let broken = Chart::new("height\n(cm)\r\nof\tall").line(line(&[0.0]));
    assert!(texts(&broken.figure().svg().unwrap()).contains(&"height (cm) of all".into()));
}

#[test]
fn letters_of_many_alphabets_are_drawn_and_others_are_boxes() {
    for name in [
        "žluť",
        "łódź",
        "Энергия",
        "Ελλάδα",
        "ế",
        "ǅ",
        "∇²U ⊗ ℝ",
        "Երևան",
    ] {
        let boxes: Vec<_> = name.chars().map(|_| '\u{e000}').collect::<Vec<char>>();
        let boxes: String = boxes.into_iter().collect();
        assert!(ink(name).len() > 20, "{name} is blank");
        assert_ne!(ink(name), ink(&boxes), "{name}");
    }
    for missing in ["能", "🦀", "א"] {
        assert_eq!(ink(missing), ink("\u{e000}"), "{missing}");
        assert!(ink(missing).len() > 20, "{missing} is blank");
    }
    // What has no width and no ink leaves nothing.
    assert_eq!(ink("a\u{200b}\u{200d}\u{feff}b"), ink("ab"));
}

#[test]
fn combining_marks_stand_over_their_letters() {
    let middle = |ink: &[(usize, usize)], of: fn(&(usize, usize)) -> usize| {
        ink.iter().map(of).sum::<usize>() as f64 / ink.len() as f64
    };
    for (letter, mark, above) in [
        ("x", "x\u{302}", true),
        ("E", "E\u{301}", true),
        ("s", "s\u{323}", false),
    ] {
        let (bare, whole) = (ink(letter), ink(mark));
        let added: Vec<_> = whole
            .iter()
            .filter(|p| !bare.contains(p))
            .copied()
            .collect();
        assert!(added.len() > 1, "{mark}");
        assert!(bare.iter().all(|pixel| whole.contains(pixel)), "{mark}");
        let aside = middle(&added, |p| p.0) - middle(&bare, |p| p.0);
        assert!(aside.abs() < 2.5, "{mark}: {aside} pixels aside");
        let higher = bare.iter().map(|p| p.1).min() >= added.iter().map(|p| p.1).max();
        assert_eq!(higher, above, "{mark}");
    }
}

#[test]
fn axes_of_the_field_have_labels_that_say_where_they_are() {
    let x: Vec<f64> = (0..50).map(f64::from).collect();
    let of = |f: &dyn Fn(f64) -> f64| x.iter().map(|x| f(*x)).collect::<Vec<f64>>();
    let labels = |chart: Chart| {
        let labels = texts(&chart.figure().svg().unwrap());
        let numbers = labels
            .into_iter()
            .filter_map(|label| label.replace('−', "-").parse().ok());
        numbers.collect::<Vec<f64>>()
    };
    // The grid's and axis's labels along x and along y.
    let decade = of(&|x| 3.0 + 5.9 * (-x / 10.0).exp());
    let chart = Chart::new("").log_y().line(Line::new(&x, &decade));
    assert!(
        [3.0, 4.0, 6.0, 8.0]
            .iter()
            .all(|tick| labels(chart.clone()).contains(tick))
    );
    let flat = Chart::new("").line(Line::new(&x, &of(&|x| 0.6831 + 1e-5 * x.sin())));
    assert!(
        [0.683_095, 0.683_105]
            .iter()
            .all(|tick| labels(flat.clone()).contains(tick))
    );
    let time = Chart::new("").line(Line::new(&of(&|x| 1.7e9 + 2.0 * x), &x));
    assert!(
        [1_700_000_020.0, 1_700_000_060.0]
            .iter()
            .all(|tick| labels(time.clone()).contains(tick))
    );
    let tiny = Chart::new("").line(Line::new(&x, &of(&|x| 1e-30 * x)));
    let svg = tiny.clone().figure().svg().unwrap();
    assert!(labels(tiny).contains(&2e-29) && texts(&svg).iter().all(|label| label.len() < 12));
}

#[test]
fn a_legend_has_as_many_lines_as_have_room() {
    let x = [0.0, 1.0];
    let chart = |label: &dyn Fn(i32) -> String, legend| {
        let lines = (0..80).map(|i| Line::new(&x, &x).label(label(i)));
        Chart::new("").lines(lines).legend(legend)
    };
    let all = [
        Legend::Right,
        Legend::TopLeft,
        Legend::TopRight,
        Legend::BottomLeft,
        Legend::BottomRight,
    ];
    for legend in all {
        for size in [(660, 410), (300, 200), (320, 900)] {
            let chart = chart(&|i| format!("seed {i}"), legend);
            let svg = chart.figure().size(size.0, size.1).svg().unwrap();
            let document = roxmltree::Document::parse(&svg).unwrap();
            let nodes = document
                .descendants()
                .filter(|node| node.has_tag_name("text"));
            let mut places = Vec::new();
            let (mut listed, mut rest) = (0, 0);
            for node in nodes {
                let text = node.text().unwrap_or_default().trim();
                let at = |name| node.attribute(name).unwrap().parse::<i32>().unwrap();
                if text.starts_with("seed") {
                    listed += 1;
                } else if let Some(count) = text.strip_prefix("… and ") {
                    rest = count.trim_end_matches(" more").parse().unwrap();
                } else {
                    continue;
                }
                places.push((at("x"), at("y")));
            }
            assert!(
                listed > 0 && listed + rest == 80,
                "{legend:?}, {size:?}: {listed} and {rest}"
            );
            assert!(
                places
                    .iter()
                    .all(|(_, y)| (10..size.1 as i32 - 5).contains(y)),
                "{places:?}"
            );
            let far =
                |a: &(i32, i32), b: &(i32, i32)| (a.1 - b.1).abs() > 15 || (a.0 - b.0).abs() > 60;
            for (i, a) in places.iter().enumerate() {
                assert!(
                    places[..i].iter().all(|b| far(a, b)),
                    "{legend:?}, {size:?}: {places:?}"
                );
            }
        }
    }
    let long = chart(&|i| format!("{i} {}", "long ".repeat(30)), Legend::Right);
    let labels = texts(&long.figure().svg().unwrap());
    let labels: Vec<_> = labels
        .iter()
        .filter(|label| label.contains("long"))
        .collect();
    assert!(
        !labels.is_empty() && labels.iter().all(|label| label.ends_with('…')),
        "{labels:?}"
    );
}

#[test]
fn a_single_point_is_a_marker() {
    let (nan, blue) = (f64::NAN, [0, 114, 178]);
    let seen = |x: &[f64], y: &[f64]| {
        let chart = Chart::new("").y_limits(-1.0, 2.0).line(Line::new(x, y));
        let (pixels, _) = decoded(chart.figure());
        pixels.iter().filter(|pixel| **pixel == blue).count()
    };
    let one = seen(&[0.0], &[0.5]);
    assert!(one > 10, "{one} pixels");
    assert_eq!(seen(&[0.0, 0.0], &[0.5, 0.5]), one);
    let three = seen(
        &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
        &[nan, 0.5, nan, 1.5, f64::INFINITY, 0.1],
    );
    assert!(three > 2 * one, "{three} pixels for three points");
    // One that lies outside is not drawn at the edge.
    assert_eq!(seen(&[0.0], &[5.0]), 0);
}

#[test]
fn long_lines_look_as_if_all_points_were_drawn() {
    // Just below and above the number from which lines are thinned.
    let wave = |count: u32| {
        let x: Vec<f64> = (0..count)
            .map(|i| f64::from(i) / f64::from(count))
            .collect();
        let y: Vec<f64> = x.iter().map(|x| (40.0 * x).sin()).collect();
        let chart = Chart::new("").x_limits(0.0, 1.0).y_limits(-1.2, 1.2);
        decoded(chart.line(Line::new(&x, &y)).figure()).0
    };
    let (all, thinned) = (wave(199_999), wave(200_001));
    let differ = |(a, b): &(&[u8; 3], &[u8; 3])| a[0].abs_diff(b[0]) > 60;
    let different = all.iter().zip(&thinned).filter(differ).count();
    // Plotters leaves ragged edges where it joins very near points: a pixel of a hundred.
    assert!(different < 2700, "{different} pixels differ");
    let noise: Vec<f64> = (0..300_000_u32)
        .map(|i| f64::from(i * 7919 % 10_007))
        .collect();
    let line = || Line::new(&noise, &noise);
    let error = Chart::new("").line(line()).figure().png().unwrap_err();
    assert!(
        error.to_string().contains("a line of 300000 points"),
        "{error}"
    );
    assert!(Chart::new("").line(line().markers()).figure().png().is_ok());
    // What is not seen does not count.
    let x: Vec<f64> = (0..300_000_u32).map(f64::from).collect();
    let gap = Line::new(&x, &vec![f64::NAN; x.len()]);
    let near = Chart::new("").x_limits(0.0, 10.0).line(Line::new(&x, &x));
    assert!(near.line(gap).figure().png().is_ok());
}
