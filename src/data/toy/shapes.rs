//! One point of each shape that has no density in closed form.

use crate::Rng;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use std::f64::consts::PI;

fn normal(rng: &mut Rng) -> f64 {
    StandardNormal.sample(rng)
}

fn blurred([x, y]: [f64; 2], std: f64, rng: &mut Rng) -> [f64; 2] {
    [x + std * normal(rng), y + std * normal(rng)]
}

pub fn moons(rng: &mut Rng) -> [f64; 2] {
    let upper: bool = rng.random();
    let (sin, cos) = (PI * rng.random::<f64>()).sin_cos();
    let on_arc = match upper {
        true => [2.0 * cos - 1.0, 2.0 * sin - 0.2],
        false => [1.0 - 2.0 * cos, 0.8 - 2.0 * sin],
    };
    blurred(on_arc, 0.2, rng)
}

pub fn pinwheel(rng: &mut Rng) -> [f64; 2] {
    let arm = f64::from(rng.random_range(0..5u32));
    let along = 1.0 + 0.3 * normal(rng);
    let across = 0.1 * normal(rng);
    let (sin, cos) = (2.0 * PI * arm / 5.0 + 0.25 * along.exp()).sin_cos();
    [
        2.0 * (along * cos + across * sin),
        2.0 * (across * cos - along * sin),
    ]
}

pub fn swiss_roll(rng: &mut Rng) -> [f64; 2] {
    let t = 1.5 * PI * (1.0 + 2.0 * rng.random::<f64>());
    blurred([t * t.cos() / 5.0, t * t.sin() / 5.0], 0.2, rng)
}

pub fn two_spirals(rng: &mut Rng) -> [f64; 2] {
    let sign = if rng.random() { 1.0 } else { -1.0 };
    let t = 3.0 * PI * rng.random::<f64>().sqrt();
    let x = 0.5 * rng.random::<f64>() - t * t.cos();
    let y = 0.5 * rng.random::<f64>() + t * t.sin();
    blurred([sign * x / 3.0, sign * y / 3.0], 0.1, rng)
}
