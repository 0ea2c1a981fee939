//! Parameters to and from safetensors files, under the names that PyTorch gives them.

use super::Parameter;
use crate::{Error, file};
use safetensors::tensor::{Dtype as FileType, SafeTensors, TensorView};
use std::path::Path;

/// Writes all parameters, in single precision.
pub(crate) fn save(path: &Path, parameters: &[(&str, &dyn Parameter)]) -> Result<(), Error> {
    let each = parameters
        .iter()
        .map(|(name, parameter)| (name, parameter.sizes(), encode(&parameter.values())));
    let each: Vec<_> = each.collect();
    let twice = each
        .iter()
        .enumerate()
        .find(|(i, (name, ..))| each[..*i].iter().any(|(other, ..)| other == name));
    if let Some((_, (name, ..))) = twice {
        let reason =
            format!("two parameters are named {name}: give each net a prefix, as by `Mlp::under`");
        return Err(Error::write(path, reason));
    }
    let mut views = Vec::new();
    for (name, sizes, bytes) in &each {
        let view = TensorView::new(FileType::F32, sizes.clone(), bytes);
        views.push((name, view.map_err(|error| Error::write(path, error))?));
    }
    let bytes = safetensors::serialize(views, None);
    file::write(path, &bytes.map_err(|error| Error::write(path, error))?)
}

/// Reads all parameters. The file may hold others; nothing is changed unless all are there.
pub(super) fn load(
    path: &Path,
    prefix: &str,
    parameters: &mut [(&str, &mut dyn Parameter)],
) -> Result<(), Error> {
    let bytes = std::fs::read(path).map_err(|error| Error::read(path, error))?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|error| Error::read(path, format!("not a complete safetensors file ({error})")))?;
    let mut lists = Vec::new();
    for (name, parameter) in parameters.iter() {
        let name = format!("{prefix}{name}");
        let Ok(found) = file.tensor(&name) else {
            let mut names = file.names();
            names.sort_unstable();
            let reason = format!("no tensor {name}; it holds {}", names.join(", "));
            return Err(Error::read(path, reason));
        };
        if found.shape() != parameter.sizes() {
            let (found, expected) = (found.shape(), parameter.sizes());
            let reason = format!("{name} has shape {found:?}, but {expected:?} is needed");
            return Err(Error::read(path, reason));
        }
        let values = decode(found.dtype(), found.data()).ok_or_else(|| {
            let reason = format!(
                "{name} has type {}, but F32 or F64 is needed",
                found.dtype()
            );
            Error::read(path, reason)
        })?;
        lists.push(values);
    }
    for ((_, parameter), values) in parameters.iter_mut().zip(lists) {
        parameter.set(&values)?;
    }
    Ok(())
}

/// The bytes of numbers.
fn encode(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// Numbers from the bytes of floats of 4 or 8.
fn decode(number: FileType, values: &[u8]) -> Option<Vec<f32>> {
    match number {
        FileType::F32 => Some(
            values
                .as_chunks()
                .0
                .iter()
                .map(|bytes| f32::from_le_bytes(*bytes))
                .collect(),
        ),
        FileType::F64 => Some(
            values
                .as_chunks()
                .0
                .iter()
                .map(|bytes| f64::from_le_bytes(*bytes) as f32)
                .collect(),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::energy::{Mlp, Naming, Parameters};

    fn message(result: Result<(), Error>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn a_saved_net_comes_back() {
        let folder = std::env::temp_dir().join(format!("ed-weights-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("net.safetensors");
        let net = Mlp::silu(&[2, 3, 1], 5)
            .unwrap()
            .named(Naming::Sequential("net"));
        net.save_weights(&path).unwrap();
        let mut other = Mlp::silu(&[2, 3, 1], 6)
            .unwrap()
            .named(Naming::Sequential("net"));
        other.load_weights(&path).unwrap();
        assert_eq!(other.flat_parameters(), net.flat_parameters());

        let names = message(Mlp::silu(&[2, 3, 1], 0).unwrap().load_weights(&path));
        assert!(
            names.contains("no tensor lin1.weight; it holds net.0.bias"),
            "{names}"
        );
        let mut wide = Mlp::silu(&[2, 4, 1], 0)
            .unwrap()
            .named(Naming::Sequential("net"));
        let before = wide.flat_parameters();
        let shape = message(wide.load_weights(&path));
        assert!(
            shape.contains("net.0.weight has shape [3, 2], but [4, 2]"),
            "{shape}"
        );
        assert_eq!(wide.flat_parameters(), before);

        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let cut = message(wide.load_weights(&path));
        assert!(cut.contains("not a complete safetensors file"), "{cut}");
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(message(wide.load_weights(&path)).contains("net.safetensors"));
        assert!(message(wide.save_weights(&path)).contains("cannot write"));
    }
}
