//! Layers of windows beside the definition, at every level of instructions.

use super::reference::points;
use super::simd::Level;
use super::*;
use std::sync::Arc;

/// Sides of an image and of its windows; `planes` on the image's side, `channels` on the other.
#[derive(Clone, Copy, Debug)]
struct Layer {
    side: usize,
    size: usize,
    stride: usize,
    padding: usize,
    planes: usize,
    channels: usize,
}

impl Layer {
    fn count(self) -> usize {
        (self.side + 2 * self.padding - self.size) / self.stride + 1
    }

    fn image(self) -> usize {
        self.planes * self.side * self.side
    }

    fn outputs(self) -> usize {
        self.channels * self.count() * self.count()
    }

    fn weights(self) -> usize {
        self.channels * self.planes * self.size * self.size
    }

    /// Where in the image each tap of each window is.
    fn places(self) -> Vec<Option<usize>> {
        let along = |window: usize, tap: usize| {
            let at = (window * self.stride + tap).checked_sub(self.padding);
            at.filter(|at| *at < self.side)
        };
        let (count, size) = (self.count(), self.size);
        let windows = (0..count * count).map(|w| (w / count, w % count));
        let places = windows.flat_map(|(y, x)| {
            (0..size * size).map(move |t| {
                let at = along(y, t / size).zip(along(x, t % size));
                at.map(|(y, x)| y * self.side + x)
            })
        });
        places.collect()
    }

    fn windows(self) -> Arc<Windows> {
        let windows = Windows::new(self.side * self.side, self.size * self.size, &self.places());
        Arc::new(windows.unwrap())
    }
}

/// A stack of layers with tanh between them, which ends in many numbers; transposed where `reversed`.
struct Stack {
    layers: Vec<Layer>,
    reversed: bool,
}

impl Stack {
    fn parameters(&self) -> usize {
        let each = self.layers.iter().map(|layer| {
            layer.weights()
                + if self.reversed {
                    layer.planes
                } else {
                    layer.channels
                }
        });
        each.sum()
    }

    fn inputs(&self) -> usize {
        let first = self.layers[0];
        if self.reversed {
            first.outputs()
        } else {
            first.image()
        }
    }

    fn engine(&self) -> Engine {
        let mut graph = Graph::new(self.inputs(), self.parameters());
        let mut x = graph.push(Operation::Points, &[], self.inputs()).unwrap();
        let mut weight = 0;
        for layer in &self.layers {
            let (windows, bias) = (layer.windows(), Some(weight + layer.weights()));
            let (operation, width) = match self.reversed {
                true => (
                    Operation::TransposedConvolution {
                        windows,
                        weight,
                        bias,
                    },
                    layer.image(),
                ),
                false => (
                    Operation::Convolution {
                        windows,
                        weight,
                        bias,
                    },
                    layer.outputs(),
                ),
            };
            let z = graph.push(operation, &[x], width).unwrap();
            x = graph
                .push(Operation::Function(Function::Tanh), &[z], width)
                .unwrap();
            weight += layer.weights()
                + if self.reversed {
                    layer.planes
                } else {
                    layer.channels
                };
        }
        Engine::new(graph).unwrap()
    }

    /// The result for one row, and its gradients along `c` back to x and the parameters, in f64.
    fn exact(&self, parameters: &[f64], x: &[f64], c: &[f64]) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let mut values = vec![x.to_vec()];
        let mut starts = Vec::new();
        let mut start = 0;
        for layer in &self.layers {
            starts.push(start);
            let bias = start + layer.weights();
            let (count, taps, pixels) =
                (layer.count().pow(2), layer.size.pow(2), layer.side.pow(2));
            let width = if self.reversed {
                layer.image()
            } else {
                layer.outputs()
            };
            let each = if self.reversed { pixels } else { count };
            let mut z: Vec<f64> = (0..width).map(|i| parameters[bias + i / each]).collect();
            let before = values.last().unwrap();
            layer.each(|channel, window, plane, tap, pixel| {
                let w = parameters[start + (channel * layer.planes + plane) * taps + tap];
                let (out, inner) = (channel * count + window, plane * pixels + pixel);
                match self.reversed {
                    true => z[inner] += w * before[out],
                    false => z[out] += w * before[inner],
                }
            });
            values.push(z.into_iter().map(f64::tanh).collect());
            start = bias + width / each;
        }
        let mut gradient = vec![0.0; parameters.len()];
        let mut outer = c.to_vec();
        for (l, layer) in self.layers.iter().enumerate().rev() {
            let (count, taps, pixels) =
                (layer.count().pow(2), layer.size.pow(2), layer.side.pow(2));
            for (g, y) in outer.iter_mut().zip(&values[l + 1]) {
                *g *= 1.0 - y * y;
            }
            let each = if self.reversed { pixels } else { count };
            for (i, g) in outer.iter().enumerate() {
                gradient[starts[l] + layer.weights() + i / each] += g;
            }
            let mut inner_slopes = vec![0.0; values[l].len()];
            layer.each(|channel, window, plane, tap, pixel| {
                let at = starts[l] + (channel * layer.planes + plane) * taps + tap;
                let (out, inner) = (channel * count + window, plane * pixels + pixel);
                let (to, from) = if self.reversed {
                    (inner, out)
                } else {
                    (out, inner)
                };
                gradient[at] += outer[to] * values[l][from];
                inner_slopes[from] += parameters[at] * outer[to];
            });
            outer = inner_slopes;
        }
        (values.pop().unwrap(), gradient, outer)
    }
}

impl Layer {
    /// Every product: channel, window, plane, tap and pixel.
    fn each(self, mut product: impl FnMut(usize, usize, usize, usize, usize)) {
        let (taps, places) = (self.size.pow(2), self.places());
        for channel in 0..self.channels {
            for plane in 0..self.planes {
                for (i, pixel) in places.iter().enumerate() {
                    if let Some(pixel) = pixel {
                        product(channel, i / taps, plane, i % taps, *pixel);
                    }
                }
            }
        }
    }
}

fn layer(
    side: usize,
    size: usize,
    stride: usize,
    padding: usize,
    planes: usize,
    channels: usize,
) -> Layer {
    Layer {
        side,
        size,
        stride,
        padding,
        planes,
        channels,
    }
}

/// Stacks that meet every way through a layer: few planes and many, one window and many, W in one part and in several.
fn stacks() -> [Stack; 4] {
    [
        Stack {
            layers: vec![layer(9, 3, 2, 1, 1, 5), layer(5, 3, 1, 1, 5, 19)],
            reversed: false,
        },
        // As a generator, and large: threads share its steps. With 75 planes of 9 taps a window is cut into parts, and so
        // are the 140 channels; the first layer has one window, the last few planes.
        Stack {
            layers: vec![
                layer(4, 4, 1, 0, 140, 6),
                layer(7, 3, 2, 1, 75, 140),
                layer(14, 4, 2, 1, 2, 75),
            ],
            reversed: true,
        },
        // Behind windows that leave pixels out.
        Stack {
            layers: vec![layer(7, 2, 3, 0, 13, 33)],
            reversed: false,
        },
        // Large: threads share its steps.
        Stack {
            layers: vec![layer(8, 3, 1, 1, 40, 40), layer(8, 3, 1, 1, 40, 64)],
            reversed: false,
        },
    ]
}

fn double(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

#[track_caller]
fn close(found: &[f32], exact: &[f64], what: &str) {
    let size = exact.iter().map(|e| e * e).sum::<f64>() / exact.len() as f64;
    for (i, (found, exact)) in found.iter().zip(exact).enumerate() {
        let error = (f64::from(*found) - exact).abs();
        assert!(
            error <= 2e-5 * (size.sqrt() + exact.abs()),
            "{what}, {i}: {found} for {exact}"
        );
    }
}

#[test]
fn every_level_agrees_with_the_definition() {
    for (s, stack) in stacks().iter().enumerate() {
        let engine = stack.engine();
        let parameters: Vec<f32> = points(stack.parameters(), 1, 1)
            .iter()
            .map(|w| 0.05 * w)
            .collect();
        // More than a block holds of a large network.
        for rows in [1, 35] {
            let x = points(rows, stack.inputs(), 2);
            let exact = double(&parameters);
            for level in Level::available() {
                let network = Network::new(&engine, &parameters).unwrap().at(level);
                let width = network.results();
                let c = points(rows, width, 3);
                let what = format!("{} {s} {rows}", level.name());
                let mut found = vec![f32::NAN; c.len()];
                results(&network, &x, &mut found).unwrap();
                let mut gradient = vec![f32::NAN; parameters.len()];
                let mut of_x = vec![f32::NAN; x.len()];
                let seen = |row: usize, result: &[f32], slopes: &mut [f32]| {
                    assert_eq!(result, &found[row * width..][..width]);
                    slopes.copy_from_slice(&c[row * width..][..width]);
                    row as f32
                };
                let wanted = Gradients {
                    parameters: Some(&mut gradient),
                    points: Some(&mut of_x),
                };
                let losses = pull_back(&network, &x, seen, wanted).unwrap();
                assert!(
                    losses
                        .iter()
                        .enumerate()
                        .all(|(row, loss)| row as f32 == *loss)
                );
                let mut sum = vec![0.0; parameters.len()];
                for row in 0..rows {
                    let x = double(&x[row * stack.inputs()..][..stack.inputs()]);
                    let c = double(&c[row * width..][..width]);
                    let (result, of_parameters, slopes) = stack.exact(&exact, &x, &c);
                    close(&found[row * width..], &result, &what);
                    close(&of_x[row * x.len()..], &slopes, &what);
                    sum.iter_mut()
                        .zip(of_parameters)
                        .for_each(|(sum, g)| *sum += g);
                }
                close(&gradient, &sum, &what);
                let mut alone = vec![f32::NAN; x.len()];
                let wanted = Gradients {
                    parameters: None,
                    points: Some(&mut alone),
                };
                backward(&network, &x, &c, wanted).unwrap();
                assert_eq!(alone, of_x, "{what}");
            }
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    for stack in stacks() {
        let engine = stack.engine();
        let parameters: Vec<f32> = points(stack.parameters(), 1, 1)
            .iter()
            .map(|w| 0.05 * w)
            .collect();
        let network = Network::new(&engine, &parameters).unwrap();
        let x = points(70, stack.inputs(), 2);
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                let mut gradient = vec![0.0; parameters.len()];
                let (mut of_x, mut alone) = (vec![0.0; x.len()], vec![0.0; x.len()]);
                let mut found = vec![0.0; 70 * network.results()];
                results(&network, &x, &mut found).unwrap();
                let wanted = Gradients {
                    parameters: Some(&mut gradient),
                    points: Some(&mut of_x),
                };
                backward(&network, &x, &found, wanted).unwrap();
                let wanted = Gradients {
                    parameters: None,
                    points: Some(&mut alone),
                };
                backward(&network, &x, &found, wanted).unwrap();
                (gradient, of_x, alone, found)
            })
        };
        let one = run(1);
        assert!(run(2) == one && run(3) == one);
    }
}

#[test]
fn a_map_is_no_energy() {
    let engine = stacks()[0].engine();
    let parameters = vec![0.0; stacks()[0].parameters()];
    let network = Network::new(&engine, &parameters).unwrap();
    let formula = |_: usize, _: &[f64], _: &mut [f64]| 0.0;
    let (x, mut gradient) = (vec![0.0; 81], parameters.clone());
    let error = group_gradient(&network, &x, 1, (&formula, 1.0), &mut gradient).unwrap_err();
    assert!(error.to_string().contains("the graph's result"), "{error}");
    assert!(jet_gradient(&network, &x, None, (&formula, 1.0), &mut gradient).is_err());
}
