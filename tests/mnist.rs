//! MNIST's files and folders of images: what is read, and that nothing bad gets through or panics.

#![allow(clippy::unwrap_used, clippy::panic)] // A test may.

use energy_discrepancy::prelude::*;
use proptest::prelude::*;
use std::io::Write;
use std::path::Path;

const NAMES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

fn images(count: u32, height: u32, width: u32) -> Vec<u8> {
    let header = [0x0803, count, height, width]
        .map(u32::to_be_bytes)
        .concat();
    let pixels = (0..count * height * width).map(|i| (i * 7) as u8);
    header.into_iter().chain(pixels).collect()
}

fn labels(count: u32) -> Vec<u8> {
    let header = [0x0801, count].map(u32::to_be_bytes).concat();
    header
        .into_iter()
        .chain((0..count).map(|i| (i % 10) as u8))
        .collect()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn small() -> [Vec<u8>; 4] {
    [images(5, 3, 2), labels(5), images(2, 3, 2), labels(2)]
}

/// What is read from these four files.
fn read(files: &[Vec<u8>; 4]) -> Result<Mnist, String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in NAMES.iter().zip(files) {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    Mnist::read(folder.path()).map_err(|error| error.to_string())
}

fn subset() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mnist")
}

#[test]
fn the_subset_holds_digits() {
    let digits = Mnist::read(subset()).unwrap();
    assert_eq!((digits.train.len(), digits.test.len()), (400, 100));
    assert_eq!(digits.test.labels().unwrap()[..4], [7, 2, 1, 0]);
    let seven = digits.train.with_label(7).unwrap();
    assert_eq!(
        digits.train.without_label(7).unwrap().len(),
        400 - seven.len()
    );
    // A digit's border is black, and about a fifth of its pixels is not.
    let points = digits.train.points().unwrap().as_vec();
    assert!(points.chunks(784).all(|image| image[0] == -1.0));
    let ink = points.iter().filter(|p| **p > -1.0).count() as f64 / points.len() as f64;
    assert!((0.15..0.25).contains(&ink), "{ink}");
}

#[test]
fn raw_and_packed_files_under_both_spellings_are_the_same() {
    let raw = read(&small()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in NAMES.iter().zip(small()) {
        let name = name.replace("-idx", ".idx") + ".gz";
        std::fs::write(folder.path().join(name), packed(&bytes)).unwrap();
    }
    assert_eq!(Mnist::read(folder.path()).unwrap(), raw);
}

/// By the crate `mnist`, which takes this size alone.
#[test]
fn a_complete_set_is_read_where_it_lies_and_what_is_packed_elsewhere() {
    let files = [
        images(60_000, 28, 28),
        labels(60_000),
        images(10_000, 28, 28),
        labels(10_000),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in NAMES.iter().zip(&files).take(3) {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let path = folder.path().join(format!("{}.gz", NAMES[3]));
    std::fs::write(path, packed(&files[3])).unwrap();
    let digits = Mnist::read(folder.path()).unwrap();
    assert!(digits.train.pixels() == &files[0][16..]);
    assert!(digits.train.labels() == Some(&files[1][8..]));
    assert!(digits.test.pixels() == &files[2][16..]);
    assert!(digits.test.labels() == Some(&files[3][8..]));
}

#[test]
fn a_missing_file_is_one_error_that_names_all() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(NAMES[0]), images(1, 2, 2)).unwrap();
    let message = Mnist::read(folder.path()).unwrap_err().to_string();
    for part in NAMES
        .iter()
        .chain(&["make data", "md5 27ae3e4e09519cfbb04c329615203637"])
    {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn each_kind_of_bad_file_says_what_it_is() {
    let says = |change: &dyn Fn(&mut [Vec<u8>; 4]), part: &str| {
        let mut files = small();
        change(&mut files);
        let message = read(&files).unwrap_err();
        assert!(message.contains(part), "{message}");
    };
    says(
        &|files| files.swap(0, 1),
        "it holds labels where images are expected",
    );
    says(
        &|files| files.swap(2, 3),
        "t10k-images-idx3-ubyte: it holds labels",
    );
    says(
        &|files| files[1] = images(5, 3, 2),
        "it holds images where labels are expected",
    );
    says(
        &|files| files[0][0] = 9,
        "it starts with 0x09000803, not with 0x00000803",
    );
    says(&|files| files[1] = labels(4), "4 labels for the 5 images");
    says(&|files| files[3][8] = 10, "label 0 is 10, not a digit");
    says(
        &|files| files[0].push(0),
        "are 30 bytes, but 31 follow the header",
    );
    says(
        &|files| files[2].truncate(10),
        "it ends after 10 bytes, in its header",
    );
    says(&|files| files[0] = images(0, 3, 2), "nothing");
}

#[test]
fn a_file_that_unpacks_to_too_much_is_left() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in NAMES.iter().zip(small()) {
        std::fs::write(folder.path().join(format!("{name}.gz")), packed(&bytes)).unwrap();
    }
    let bomb = folder.path().join(format!("{}.gz", NAMES[0]));
    std::fs::write(&bomb, packed(&vec![0; 200 << 20])).unwrap();
    assert!(std::fs::metadata(&bomb).unwrap().len() < 2 << 20);
    let message = Mnist::read(folder.path()).unwrap_err().to_string();
    assert!(message.contains("unpacks to more than"), "{message}");
    std::fs::write(&bomb, &packed(&images(5, 3, 2))[..20]).unwrap();
    let message = Mnist::read(folder.path()).unwrap_err().to_string();
    assert!(message.contains("no complete gzip file"), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn a_cut_file_is_an_error(file in 0usize..4, share in 0.0f64..1.0) {
        let mut files = small();
        let length = (files[file].len() as f64 * share) as usize;
        files[file].truncate(length);
        let message = read(&files).unwrap_err();
        prop_assert!(message.contains(NAMES[file]), "{}", message);
    }

    #[test]
    fn another_number_in_a_header_is_an_error(file in 0usize..4, place in 0usize..8, bit in 0u8..8) {
        let mut files = small();
        files[file][place] ^= 1 << bit;
        prop_assert!(read(&files).is_err());
    }

    #[test]
    fn random_bytes_are_an_error(file in 0usize..4, bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut files = small();
        files[file] = bytes;
        let message = read(&files).unwrap_err();
        prop_assert!(message.contains(NAMES[file]), "{}", message);
    }

    #[test]
    fn sizes_that_overflow_are_an_error(count in any::<u32>(), height in any::<u32>(), width in 3u32..) {
        let mut files = small();
        files[0][4..16].copy_from_slice(&[count, height, width].map(u32::to_be_bytes).concat());
        prop_assume!(u128::from(count) * u128::from(height) * u128::from(width) != 30);
        prop_assert!(read(&files).is_err());
    }
}

fn write_png(path: &Path, size: (u32, u32), color: png::ColorType, bytes: &[u8]) {
    let mut encoder = png::Encoder::new(std::fs::File::create(path).unwrap(), size.1, size.0);
    encoder.set_color(color);
    encoder
        .write_header()
        .unwrap()
        .write_image_data(bytes)
        .unwrap();
}

#[test]
fn a_folder_of_png_images_is_read_in_the_order_of_names() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let message = || {
        Images::read_png_folder(folder.path())
            .unwrap_err()
            .to_string()
    };
    assert!(message().contains("no file in it ends in .png"));
    write_png(
        &at("b.png"),
        (1, 2),
        png::ColorType::Rgb,
        &[255, 255, 255, 255, 0, 0],
    );
    write_png(&at("a.PNG"), (1, 2), png::ColorType::Grayscale, &[9, 8]);
    write_png(
        &at("c.png"),
        (1, 2),
        png::ColorType::Rgba,
        &[255, 255, 255, 0, 0, 0, 255, 255],
    );
    std::fs::write(at("notes.txt"), "not an image").unwrap();
    let images = Images::read_png_folder(folder.path()).unwrap();
    assert_eq!(images.size(), (1, 2));
    assert_eq!(images.pixels(), [9, 8, 255, 76, 0, 29]);
    for (images, expected) in [
        (
            images.clone(),
            "3 images of 1 x 2 pixels; 2 colour images became grey",
        ),
        (
            images.first(2).unwrap(),
            "2 images of 1 x 2 pixels; 1 colour image became grey",
        ),
        (images.first(1).unwrap(), "1 image of 1 x 2 pixels"),
    ] {
        assert_eq!(
            [format!("{images}"), format!("{images:?}")],
            [expected, expected]
        );
    }
    assert_eq!(
        images.first(1).unwrap(),
        Images::new((1, 2), vec![9, 8], None).unwrap()
    );
    write_png(&at("d.png"), (2, 2), png::ColorType::Grayscale, &[0; 4]);
    let error = message();
    assert!(
        error.contains("d.png") && error.contains("2 x 2 pixels, but") && error.contains("1 x 2"),
        "{error}"
    );
    std::fs::write(at("d.png"), &std::fs::read(at("b.png")).unwrap()[..30]).unwrap();
    assert!(message().contains("d.png: it is no complete PNG image"));
    assert!(
        Images::read_png_folder(at("none"))
            .unwrap_err()
            .to_string()
            .contains("none")
    );
}

/// Saved with three values a pixel, or with a colour that nobody sees: nothing is lost.
#[test]
fn grey_images_saved_as_colours_are_not_called_coloured() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write_png(
        &at("a.png"),
        (1, 2),
        png::ColorType::Rgb,
        &[7, 7, 7, 255, 255, 255],
    );
    write_png(
        &at("b.png"),
        (1, 2),
        png::ColorType::Rgba,
        &[9, 9, 9, 255, 200, 0, 0, 0],
    );
    let images = Images::read_png_folder(folder.path()).unwrap();
    assert_eq!(format!("{images}"), "2 images of 1 x 2 pixels");
}

#[test]
fn images_that_do_not_fit_are_errors() {
    assert!(Images::new((2, 2), vec![0; 5], None).is_err());
    assert!(Images::new((0, 2), vec![], None).is_err());
    assert!(Images::new((1, 1), vec![0; 5], Some(vec![1])).is_err());
    let images = Images::new((1, 1), vec![0; 5], None).unwrap();
    let message = |result: Result<Images, Error>| result.unwrap_err().to_string();
    assert!(message(images.first(6)).contains("take 1 to 5"));
    assert!(message(images.first(0)).contains("take 1 to 5"));
    assert!(message(images.with_label(3)).contains("no labels"));
    let images = Images::new((1, 1), vec![0; 2], Some(vec![1, 1])).unwrap();
    assert!(message(images.with_label(3)).contains("no image with label 3"));
}

/// Folders as other programs leave them, and images that are not what they seem.
mod png_kinds {
    use super::*;

    fn folder_of(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        folder
    }

    fn png(size: (u32, u32), color: png::ColorType, depth: png::BitDepth, data: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, size.1, size.0);
        encoder.set_color(color);
        encoder.set_depth(depth);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(data).unwrap();
        writer.finish().unwrap();
        bytes
    }

    fn deep(values: &[u16]) -> Vec<u8> {
        let data: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_be_bytes())
            .collect();
        let size = (1, values.len() as u32);
        png(
            size,
            png::ColorType::Grayscale,
            png::BitDepth::Sixteen,
            &data,
        )
    }

    fn read(files: &[(&str, &[u8])]) -> Result<Images, energy_discrepancy::Error> {
        Images::read_png_folder(folder_of(files).path())
    }

    fn message(files: &[(&str, &[u8])]) -> String {
        read(files).unwrap_err().to_string()
    }

    fn four() -> Vec<u8> {
        png(
            (2, 2),
            png::ColorType::Grayscale,
            png::BitDepth::Eight,
            &[0, 255, 128, 64],
        )
    }

    #[test]
    fn hidden_files_are_skipped() {
        let image = four();
        let files: [(&str, &[u8]); 4] = [
            ("00000.png", &image),
            ("._00000.png", b"\0\x05\x16\x07Mac OS X"),
            (".hidden.png", b"no image"),
            (".thumbs/00000.png", b"no image"),
        ];
        let images = read(&files).unwrap();
        assert_eq!(
            (images.len(), images.pixels()),
            (1, [0, 255, 128, 64].as_slice())
        );
        assert!(message(&files[1..]).contains("no file in it ends in .png"));
    }

    #[test]
    fn sixteen_bits_use_the_range_that_is_in_use() {
        for (values, expected) in [
            ([0, 4095, 2048, 1024], [0, 255, 128, 64]),
            ([0, 65535, 32768, 257], [0, 255, 128, 1]),
            ([0, 1000, 500, 1023], [0, 249, 125, 255]),
            ([0, 255, 7, 1], [0, 255, 7, 1]),
            ([0; 4], [0; 4]),
        ] {
            assert_eq!(
                read(&[("a.png", &deep(&values))]).unwrap().pixels(),
                expected
            );
        }
        // One scale for all, and none for images of 8 bits among them.
        let dark = png(
            (1, 4),
            png::ColorType::Grayscale,
            png::BitDepth::Eight,
            &[1, 2, 3, 4],
        );
        let images = read(&[
            ("a.png", &deep(&[0, 4095, 0, 0])),
            ("b.png", &deep(&[0, 255, 0, 0])),
            ("c.png", &dark),
        ]);
        assert_eq!(
            images.unwrap().pixels(),
            [0, 255, 0, 0, 0, 16, 0, 0, 1, 2, 3, 4]
        );
        let rgba: Vec<u8> = [65535u16, 65535, 65535, 32768]
            .iter()
            .flat_map(|value| value.to_be_bytes())
            .collect();
        let rgba = png((1, 1), png::ColorType::Rgba, png::BitDepth::Sixteen, &rgba);
        // 32768 of 65535.
        assert_eq!(read(&[("a.png", &rgba)]).unwrap().pixels(), [128]);
    }

    #[test]
    fn black_over_transparency_is_an_error() {
        let grey_alpha = |data: &[u8]| {
            png(
                (1, 2),
                png::ColorType::GrayscaleAlpha,
                png::BitDepth::Eight,
                data,
            )
        };
        let error = message(&[("a.png", &grey_alpha(&[0, 0, 0, 255]))]);
        assert!(
            error.contains("it is black, with its shapes in the transparency"),
            "{error}"
        );
        let rgba = png(
            (1, 2),
            png::ColorType::Rgba,
            png::BitDepth::Eight,
            &[0, 0, 0, 9, 0, 0, 0, 200],
        );
        assert!(message(&[("a.png", &rgba)]).contains("its shapes in the transparency"));
        for black in [[0, 255, 0, 255], [9, 0, 7, 0]] {
            assert_eq!(
                read(&[("a.png", &grey_alpha(&black))]).unwrap().pixels(),
                [0, 0]
            );
        }
    }

    /// A chunk of a PNG file.
    fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
        let mut bytes = (data.len() as u32).to_be_bytes().to_vec();
        bytes.extend(kind);
        bytes.extend(data);
        let mut crc = flate2::Crc::new();
        crc.update(&bytes[4..]);
        bytes.extend(crc.sum().to_be_bytes());
        bytes
    }

    /// Width, height, bits and colour type, with one byte of data.
    fn claims(width: u32, height: u32, bits: u8, color: u8, palette: &[u8]) -> Vec<u8> {
        let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
        header.extend([bits, color, 0, 0, 0]);
        let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut packed, &[0, 0]).unwrap();
        let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
        bytes.extend(chunk(b"IHDR", &header));
        if !palette.is_empty() {
            bytes.extend(chunk(b"PLTE", palette));
        }
        bytes.extend(chunk(b"IDAT", &packed.finish().unwrap()));
        bytes.extend(chunk(b"IEND", &[]));
        bytes
    }

    #[test]
    fn a_header_that_claims_too_much_is_an_error_and_takes_no_memory() {
        for (width, height) in [
            (32768, 32768),
            (1 << 30, 1),
            (u32::MAX / 2, u32::MAX / 2),
            (4000, 2000),
        ] {
            for (bits, color) in [(8, 0), (16, 6), (1, 0)] {
                let error = message(&[("0.png", &claims(width, height, bits, color, &[]))]);
                assert!(
                    error.contains("0.png: it is no complete PNG image ("),
                    "{error}"
                );
            }
        }
        // What is as large as it says is too large.
        let zeros = vec![0; 6000 * 6000];
        let large = png(
            (6000, 6000),
            png::ColorType::Grayscale,
            png::BitDepth::Eight,
            &zeros,
        );
        assert!(message(&[("0.png", &large)]).contains("more than 33554432 bytes unpacked"));
        let error = message(&[("0.png", &claims(1, 1, 8, 3, &[9; 23]))]);
        assert!(error.contains("it is no complete PNG image"), "{error}");
    }

    #[test]
    fn what_is_no_folder_of_png_images_says_what_it_is() {
        let image = four();
        let file = folder_of(&[("a.png", &image)]);
        let error = Images::read_png_folder(file.path().join("a.png"))
            .unwrap_err()
            .to_string();
        assert!(
            error.ends_with("a.png: it is a file: name the folder that it is in"),
            "{error}"
        );
        let error = message(&[("7/a.png", &image), ("3/b.png", &image)]);
        assert!(
            error.contains("its sub-folders have such: read one at a time")
                && error.contains("/3 for example"),
            "{error}"
        );
        let error = message(&[("a.jpg", b"\xff\xd8\xff"), ("b.JPEG", b"\xff\xd8\xff")]);
        assert!(
            error.contains("no file in it ends in .png, and 2 in .jpg or the like: convert"),
            "{error}"
        );
        let error = message(&[("a.png", b"\xff\xd8\xff\xe0")]);
        assert!(
            error.contains("a.png: it is a JPEG image: convert it to PNG"),
            "{error}"
        );
        let wide = png(
            (1, 2),
            png::ColorType::Grayscale,
            png::BitDepth::Eight,
            &[1, 2],
        );
        assert_eq!(read(&[("a.png", &wide)]).unwrap().size(), (1, 2));
    }
}
