//! Parameters to and from safetensors files, under the names that PyTorch gives them.

use super::{Parameter, scalar};
use crate::{Error, file};
use dfdx::prelude::*;
use safetensors::tensor::{Dtype as FileType, SafeTensors, TensorView};
use std::path::Path;

/// Writes all parameters, in the number type that they have.
pub(super) fn save<E: Dtype, Dev: Device<E>>(
    path: &Path,
    parameters: &[(String, &dyn Parameter<E, Dev>)],
) -> Result<(), Error> {
    let each = parameters
        .iter()
        .map(|(name, parameter)| (name, parameter.sizes(), encode(&parameter.values())));
    let each: Vec<_> = each.collect();
    let mut views = Vec::new();
    for (name, sizes, bytes) in &each {
        let view = TensorView::new(file_type::<E>(), sizes.clone(), bytes);
        views.push((name, view.map_err(|error| Error::write(path, error))?));
    }
    let bytes = safetensors::serialize(views, None);
    file::write(path, &bytes.map_err(|error| Error::write(path, error))?)
}

/// Reads all parameters. The file may hold others; nothing is changed unless all are there.
pub(super) fn load<E: Dtype, Dev: Device<E>>(
    path: &Path,
    prefix: &str,
    parameters: &mut [(String, &mut dyn Parameter<E, Dev>)],
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
        let values = decode::<E>(found.dtype(), found.data()).ok_or_else(|| {
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

/// The bytes of numbers in the type that they have.
pub(crate) fn encode<E: Dtype>(values: &[E]) -> Vec<u8> {
    let double = |value: &E| value.to_f64().unwrap_or(f64::NAN).to_le_bytes();
    let single = |value: &E| value.to_f32().unwrap_or(f32::NAN).to_le_bytes();
    match file_type::<E>() {
        FileType::F64 => values.iter().flat_map(double).collect(),
        _ => values.iter().flat_map(single).collect(),
    }
}

/// Numbers from their bytes, if those are of a float of 4 or 8.
pub(crate) fn decode<E: Dtype>(number: FileType, values: &[u8]) -> Option<Vec<E>> {
    match number {
        FileType::F32 => {
            let (values, _) = values.as_chunks();
            let values = values.iter().map(|bytes| f32::from_le_bytes(*bytes));
            Some(values.map(|value| scalar(f64::from(value))).collect())
        }
        FileType::F64 => {
            let (values, _) = values.as_chunks();
            Some(
                values
                    .iter()
                    .map(|bytes| scalar(f64::from_le_bytes(*bytes)))
                    .collect(),
            )
        }
        _ => None,
    }
}

/// Every dfdx number type in use is a float of 4 or 8 bytes.
pub(crate) fn file_type<E>() -> FileType {
    if size_of::<E>() == 8 {
        FileType::F64
    } else {
        FileType::F32
    }
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::energy::{Mlp, Naming, Parameters};
    use dfdx::prelude::*;

    fn message(result: Result<(), Error>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn a_saved_net_comes_back_in_either_number_type() {
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
        let mut double: Mlp<f64, Cpu> = other.cast(&Cpu::default()).unwrap();
        double.save_weights(&path).unwrap();
        double.load_weights(&path).unwrap();
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
