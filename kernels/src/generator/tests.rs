//! The fused passes beside the definition, at every level of instructions.

use super::*;
use crate::simd::Level;
use rand::SeedableRng;
use rand_chacha::ChaCha12Rng;
use rand_distr::{Distribution, StandardNormal};

const SLOPE: f32 = 0.1;

fn window(side: usize, kernel: usize, stride: usize, padding: usize) -> Geometry {
    Geometry {
        size: (side, side),
        kernel,
        stride,
        padding,
    }
}

/// Channels that fill no block, and windows as the generator's.
fn small() -> (Vec<usize>, Vec<Geometry>) {
    let windows = vec![
        window(1, 4, 1, 0),
        window(4, 3, 2, 1),
        window(7, 4, 2, 1),
        window(14, 4, 2, 1),
    ];
    (vec![5, 19, 33, 9, 1], windows)
}

fn normals(n: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    (0..n).map(|_| StandardNormal.sample(&mut rng)).collect()
}

/// The definition, in f64: pictures of one latent point, and each layer's values.
fn reference(channels: &[usize], windows: &[Geometry], parameters: &[f64], z: &[f64]) -> Vec<f64> {
    let mut values = z.to_vec();
    let mut rest = parameters;
    for (l, window) in windows.iter().enumerate() {
        let (inputs, outputs, k) = (channels[l], channels[l + 1], window.kernel);
        let (weight, after) = rest.split_at(inputs * outputs * k * k);
        let (bias, after) = after.split_at(outputs);
        rest = after;
        let ((h, w), (oh, ow)) = (window.size, window.output().unwrap());
        let mut out = vec![0.0; outputs * oh * ow];
        for o in 0..outputs {
            out[o * oh * ow..][..oh * ow].fill(bias[o]);
        }
        for i in 0..inputs {
            for o in 0..outputs {
                for (y, x) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
                    for (ky, kx) in (0..k).flat_map(|ky| (0..k).map(move |kx| (ky, kx))) {
                        let (ty, tx) = (y * window.stride + ky, x * window.stride + kx);
                        let inside =
                            |t: usize, n: usize| t.checked_sub(window.padding).filter(|t| *t < n);
                        if let (Some(ty), Some(tx)) = (inside(ty, oh), inside(tx, ow)) {
                            let w = weight[((i * outputs + o) * k + ky) * k + kx];
                            out[(o * oh + ty) * ow + tx] +=
                                w * values[(i * h + y) * window.size.1 + x];
                        }
                    }
                }
            }
        }
        let last = l + 1 == windows.len();
        let slope = f64::from(SLOPE);
        values = out
            .into_iter()
            .map(|z| match last {
                true => z.tanh(),
                false if z > 0.0 => z,
                false => slope * z,
            })
            .collect();
    }
    values
}

/// Σ picture · c, whose gradient the passes are to give.
fn loss(parameters: &[f64], z: &[f64], c: &[f32]) -> f64 {
    let (channels, windows) = small();
    let images = z
        .chunks(channels[0])
        .flat_map(|z| reference(&channels, &windows, parameters, z));
    images.zip(c).map(|(y, c)| y * f64::from(*c)).sum()
}

#[test]
fn every_level_agrees_with_the_definition() {
    let (channels, windows) = small();
    let stack = Stack::new(&channels, &windows, SLOPE).unwrap();
    let parameters: Vec<f32> = normals(stack.parameters(), 1)
        .iter()
        .map(|w| 0.1 * w)
        .collect();
    // One image alone, and more than go together.
    for rows in [1, 33] {
        let z = normals(rows * stack.latent(), 2);
        let c = normals(rows * stack.pixels(), 3);
        let (exact, exact_z) = (double(&parameters), double(&z));
        let truth = exact_z.chunks(stack.latent());
        let truth = truth.flat_map(|z| reference(&channels, &windows, &exact, z));
        let truth: Vec<f64> = truth.collect();
        for level in Level::available() {
            let packed = Packed::at(level, &stack, &parameters);
            let mut images = vec![0.0; c.len()];
            forward(&stack, &packed, &z, &mut images).unwrap();
            for (found, truth) in images.iter().zip(&truth) {
                let error = (f64::from(*found) - truth).abs();
                assert!(error < 2e-6, "{}: {found} for {truth}", level.name());
            }
            let mut of_z = vec![0.0; z.len()];
            let mut of_parameters = vec![7.0; parameters.len()];
            let wanted = Wanted {
                z: Some(&mut of_z),
                parameters: Some(&mut of_parameters),
            };
            let pixels = stack.pixels();
            let loss = |row: usize, seen: &[f32], out: &mut [f32]| {
                assert_eq!(seen, &images[row * pixels..(row + 1) * pixels]);
                out.copy_from_slice(&c[row * pixels..(row + 1) * pixels]);
                row as f32
            };
            let losses = backward(&stack, &packed, &z, loss, wanted).unwrap();
            assert!(
                losses
                    .iter()
                    .enumerate()
                    .all(|(row, loss)| row as f32 == *loss)
            );
            // With the weights as they are, threads may share the images instead of the channels.
            let mut alone = vec![0.0; z.len()];
            let wanted = Wanted {
                z: Some(&mut alone),
                parameters: None,
            };
            backward(&stack, &packed, &z, loss, wanted).unwrap();
            assert_eq!(alone, of_z);
            assert_slopes(
                &stack,
                [&parameters, &z, &c],
                [&of_parameters, &of_z],
                level,
            );
        }
    }
}

fn double(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

/// Central differences in random directions, of z and of each layer's parameters.
fn assert_slopes(
    stack: &Stack,
    [parameters, z, c]: [&[f32]; 3],
    [of_parameters, of_z]: [&[f32]; 2],
    level: Level,
) {
    let h = 1e-6;
    let (exact, exact_z) = (double(parameters), double(z));
    let moved = |list: &[f64], direction: &[f64], h: f64| -> Vec<f64> {
        list.iter().zip(direction).map(|(v, d)| v + h * d).collect()
    };
    let compare = |what: &str, slope: f64, direction: &[f64], found: &[f32]| {
        let products = double(found).into_iter().zip(direction).map(|(a, b)| a * b);
        let (sum, size) = products.fold((0.0, 0.0), |(sum, size), p| (sum + p, size + p * p));
        let error = (slope - sum).abs() / f64::sqrt(size);
        assert!(error < 1e-4, "{}, {what}: {sum} for {slope}", level.name());
    };
    let direction = double(&normals(z.len(), 10));
    let [up, down] = [h, -h].map(|h| loss(&exact, &moved(&exact_z, &direction, h), c));
    compare("z", (up - down) / (2.0 * h), &direction, of_z);
    for (l, layer) in stack.layers.iter().enumerate() {
        let weights = layer.offset..layer.offset + layer.weights();
        let biases = weights.end..weights.end + layer.biases;
        for (what, range) in [("weight", weights), ("bias", biases)] {
            let mut direction = vec![0.0; parameters.len()];
            direction[range.clone()].copy_from_slice(&double(&normals(range.len(), 20)));
            let [up, down] = [h, -h].map(|h| loss(&moved(&exact, &direction, h), &exact_z, c));
            let what = format!("{what} {l}");
            compare(&what, (up - down) / (2.0 * h), &direction, of_parameters);
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let (channels, windows) = small();
    let stack = Stack::new(&channels, &windows, SLOPE).unwrap();
    let packed = Packed::new(&stack, &normals(stack.parameters(), 1));
    let z = normals(9 * stack.latent(), 2);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let (mut of_z, mut of_parameters) = (vec![0.0; z.len()], vec![0.0; stack.parameters()]);
            let wanted = Wanted {
                z: Some(&mut of_z),
                parameters: Some(&mut of_parameters),
            };
            let loss = |_: usize, seen: &[f32], out: &mut [f32]| {
                out.copy_from_slice(seen);
                seen[0]
            };
            let losses = backward(&stack, &packed, &z, loss, wanted).unwrap();
            let (mut alone, mut images) = (vec![0.0; z.len()], vec![0.0; 9 * stack.pixels()]);
            let wanted = Wanted {
                z: Some(&mut alone),
                parameters: None,
            };
            backward(&stack, &packed, &z, loss, wanted).unwrap();
            forward(&stack, &packed, &z, &mut images).unwrap();
            (of_z, of_parameters, losses, alone, images)
        })
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn lists_of_the_wrong_length_are_errors() {
    let (channels, windows) = small();
    assert!(Stack::new(&channels[..4], &windows, SLOPE).is_err());
    assert!(Stack::new(&channels, &[windows[0]; 4], SLOPE).is_err());
    let stack = Stack::new(&channels, &windows, SLOPE).unwrap();
    let packed = Packed::new(&stack, &normals(stack.parameters(), 1));
    assert!(forward(&stack, &packed, &[0.0; 6], &mut [0.0; 784]).is_err());
    assert!(forward(&stack, &packed, &[0.0; 5], &mut [0.0; 783]).is_err());
}
