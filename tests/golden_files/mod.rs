//! The folder of golden files: which cases it holds, and what they say.

#![allow(dead_code)] // Not all of it in every test.

use energy_discrepancy::prelude::*;
use safetensors::SafeTensors;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// All numbers of a safetensors file, by name.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<f64>)>;

pub struct Folder(PathBuf);

impl Folder {
    pub fn open() -> Self {
        let default = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
        let path = PathBuf::from(std::env::var_os("ED_GOLDEN").unwrap_or(default.into()));
        let files = std::fs::read_dir(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert!(
            files.count() > 0,
            "{} is empty: no golden values",
            path.display()
        );
        Self(path)
    }

    pub fn json(&self, name: &str) -> Option<Value> {
        let Ok(text) = std::fs::read_to_string(self.0.join(name)) else {
            eprintln!("skipped: {name} is missing in {}", self.0.display());
            return None;
        };
        Some(serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}")))
    }

    pub fn tensors(&self, name: &str) -> Option<Tensors> {
        let Ok(bytes) = std::fs::read(self.0.join(name)) else {
            eprintln!("skipped: {name} is missing in {}", self.0.display());
            return None;
        };
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let each = file.iter().map(|(name, view)| {
            let values = match view.dtype() {
                safetensors::Dtype::F64 => doubles(view.data()),
                safetensors::Dtype::F32 => singles(view.data()),
                other => panic!("{name} has type {other}"),
            };
            (name.to_string(), (view.shape().to_vec(), values))
        });
        Some(each.collect())
    }

    /// Every `toy<width>_manifest.json`, with the inputs that it names.
    pub fn toys(&self) -> Vec<Case> {
        let names = std::fs::read_dir(&self.0).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut toys: Vec<String> = names
            .filter_map(|name| Some(name.strip_suffix("_manifest.json")?.to_string()))
            .filter(|name| name.starts_with("toy"))
            .collect();
        toys.sort();
        if toys.is_empty() {
            eprintln!("skipped: no toy*_manifest.json in {}", self.0.display());
        }
        toys.into_iter().filter_map(|name| self.toy(name)).collect()
    }

    fn toy(&self, name: String) -> Option<Case> {
        let manifest = self.json(&format!("{name}_manifest.json"))?;
        // "inputs = toy16_inputs ...": nets whose weights follow a formula share their points.
        let what = manifest["what"].as_str().unwrap();
        let shared = what
            .split("inputs = ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        let inputs = shared.map_or(format!("{name}_inputs"), str::to_string);
        Some(Case {
            inputs: self.tensors(&format!("{inputs}.safetensors"))?,
            outputs: match shared {
                None => self.tensors(&format!("{name}_outputs.safetensors"))?,
                Some(_) => Tensors::new(),
            },
            by_formula: shared.is_some(),
            manifest,
            name,
        })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// One net with everything that is known of it.
pub struct Case {
    pub name: String,
    pub manifest: Value,
    inputs: Tensors,
    outputs: Tensors,
    by_formula: bool,
}

impl Case {
    pub fn input(&self, name: &str) -> Vec<f64> {
        self.inputs[name].1.clone()
    }

    pub fn output(&self, name: &str) -> Option<Vec<f64>> {
        Some(self.outputs.get(name)?.1.clone())
    }

    pub fn list(&self, name: &str) -> Option<Vec<f64>> {
        self.manifest.get(name).map(numbers)
    }

    /// N, the largest M, and D.
    pub fn particles(&self) -> [usize; 3] {
        self.inputs["xi"].0[..].try_into().unwrap()
    }

    pub fn skipped(&self, what: &str) {
        eprintln!("skipped: {} has no {what}", self.name);
    }

    pub fn net(&self) -> Mlp {
        match self.by_formula {
            true => self.net_by_formula(),
            false => self.net_from_file(),
        }
    }

    fn net_from_file(&self) -> Mlp {
        let mut widths = vec![self.particles()[2]];
        while let Some((shape, _)) = self.inputs.get(&format!("w.lin{}.bias", widths.len())) {
            widths.push(shape[0]);
        }
        let mut net = Mlp::softplus(&widths, 0).unwrap();
        let named = net.parameters().into_iter();
        let values = named.flat_map(|(name, _)| self.input(&format!("w.{name}")));
        let values: Vec<f32> = values.map(|v| v as f32).collect();
        net.set_flat_parameters(&values).unwrap();
        net
    }

    /// The weights by the formula in the manifest: hashes of the tensor's number and the index.
    fn net_by_formula(&self) -> Mlp {
        let hidden = self.name.trim_start_matches("toy").parse().unwrap();
        let gradients = self.manifest["ed"][0]["grads"].as_object().unwrap();
        let layers = gradients.len() / 2;
        let mut widths = vec![hidden; layers + 1];
        (widths[0], widths[layers]) = (self.particles()[2], 1);
        let mut net = Mlp::softplus(&widths, 0).unwrap();
        let mut values = Vec::new();
        for (p, (_, parameter)) in net.parameters().into_iter().enumerate() {
            let sizes = parameter.sizes();
            let fan: usize = if sizes.len() > 1 {
                sizes[1..].iter().product()
            } else {
                30
            };
            values.extend((0..parameter.len()).map(|k| {
                let mut h = (k as u32).wrapping_mul(2_654_435_761);
                h = h.wrapping_add((p as u32).wrapping_mul(362_437));
                for _ in 0..2 {
                    h ^= h >> 16;
                    h = h.wrapping_mul(0x45d9f3b);
                }
                h ^= h >> 16;
                let u = f64::from(h) / 2f64.powi(32);
                (2.0 * (2.0 * u - 1.0) * (3.0 / fan as f64).sqrt()) as f32
            }));
        }
        net.set_flat_parameters(&values).unwrap();
        net
    }

    /// Holds a gradient against the whole of it where that is known, and against sums otherwise.
    /// Errors are measured by the gradient's largest value.
    pub fn assert_gradient(
        &self,
        what: &str,
        truth: &Value,
        name: &str,
        found: &[f64],
        tolerance: f64,
    ) {
        if let Some((shape, all)) = self.outputs.get(name) {
            let expected = match (shape.len(), truth.get("row")) {
                (2, Some(row)) => {
                    let row = number(row) as usize;
                    &all[row * shape[1]..(row + 1) * shape[1]]
                }
                _ => all,
            };
            return assert_list(what, found, expected, tolerance);
        }
        let largest = found.iter().fold(0f64, |a, b| a.max(b.abs()));
        let mut rest = found;
        for (parameter, values) in self.net().parameters() {
            let (own, others) = rest.split_at(values.len());
            rest = others;
            let expected = &truth["grads"][parameter];
            let signed = |(k, g): (usize, &f64)| if (k * 7919) % 13 < 6 { *g } else { -g };
            let sums = [
                ("l2", own.iter().map(|g| g * g).sum::<f64>().sqrt()),
                ("sum", own.iter().sum()),
                ("probe", own.iter().enumerate().map(signed).sum()),
                ("maxabs", own.iter().fold(0f64, |a, b| a.max(b.abs()))),
            ];
            // Rounding errors of n values add up to √n of one.
            let allowed = tolerance * largest * (own.len() as f64).sqrt();
            for (sum, value) in sums {
                let what = format!("{what}, {parameter}, {sum}");
                assert_close(&what, value, number(&expected[sum]), allowed);
            }
            for (i, expected) in numbers(&expected["first"]).into_iter().enumerate() {
                let what = format!("{what}, {parameter}[{i}]");
                assert_close(&what, own[i], expected, tolerance * largest);
            }
        }
    }
}

pub fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is not a number"))
}

/// All numbers of a list, however deep.
pub fn numbers(value: &Value) -> Vec<f64> {
    match value.as_array() {
        Some(list) => list.iter().flat_map(numbers).collect(),
        None => vec![number(value)],
    }
}

pub fn assert_close(what: &str, found: f64, expected: f64, allowed: f64) {
    let error = (found - expected).abs();
    assert!(
        error <= allowed,
        "{what}: {found} instead of {expected}, off by {error:e} > {allowed:e}"
    );
}

/// Compares lists; errors are measured by the largest expected value.
pub fn assert_list(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}: another length");
    let largest = expected
        .iter()
        .fold(f64::MIN_POSITIVE, |a, b| a.max(b.abs()));
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_close(
            &format!("{what}[{i}]"),
            *found,
            *expected,
            tolerance * largest,
        );
    }
}

fn doubles(bytes: &[u8]) -> Vec<f64> {
    bytes
        .as_chunks()
        .0
        .iter()
        .map(|bytes| f64::from_le_bytes(*bytes))
        .collect()
}

fn singles(bytes: &[u8]) -> Vec<f64> {
    bytes
        .as_chunks()
        .0
        .iter()
        .map(|bytes| f64::from(f32::from_le_bytes(*bytes)))
        .collect()
}
