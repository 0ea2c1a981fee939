//! Lists of numbers in double precision, to and from safetensors files.

use crate::{Error, file};
use safetensors::tensor::{Dtype as FileType, SafeTensors, TensorView};
use std::path::Path;

/// Writes lists under names, each with its sizes.
pub(crate) fn save(path: &Path, lists: &[(&str, Vec<usize>, Vec<f64>)]) -> Result<(), Error> {
    let bytes = lists.iter().map(|(name, sizes, values)| {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        (*name, sizes.clone(), bytes.collect::<Vec<u8>>())
    });
    let bytes: Vec<_> = bytes.collect();
    let views = bytes.iter().map(|(name, sizes, bytes)| {
        let view = TensorView::new(FileType::F64, sizes.clone(), bytes);
        Ok((*name, view.map_err(|error| Error::write(path, error))?))
    });
    let views = views.collect::<Result<Vec<_>, Error>>()?;
    let packed = safetensors::serialize(views, None);
    file::write(path, &packed.map_err(|error| Error::write(path, error))?)
}

/// Reads the lists of these names, with their sizes.
pub(crate) fn load<const N: usize>(
    path: &Path,
    names: [&str; N],
) -> Result<[(Vec<usize>, Vec<f64>); N], Error> {
    let bytes = std::fs::read(path).map_err(|error| Error::read(path, error))?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|error| Error::read(path, format!("not a complete safetensors file ({error})")))?;
    let mut lists = std::array::from_fn(|_| (Vec::new(), Vec::new()));
    for (name, list) in names.into_iter().zip(&mut lists) {
        let found = file.tensor(name);
        let found = found.map_err(|_| Error::read(path, format!("it holds no {name}")))?;
        if found.dtype() != FileType::F64 {
            let reason = format!("{name} has type {}, but F64 is needed", found.dtype());
            return Err(Error::read(path, reason));
        }
        let (values, _) = found.data().as_chunks();
        *list = (
            found.shape().to_vec(),
            values
                .iter()
                .map(|bytes| f64::from_le_bytes(*bytes))
                .collect(),
        );
    }
    Ok(lists)
}
