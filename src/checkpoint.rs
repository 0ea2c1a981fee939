//! Checkpoints: all that a run needs to go on, in one file that is whole or an error.
//!
//! The file is a safetensors file of lists under names, whose metadata hold settings and state as JSON.
//! It is packed by gzip without compression, for gzip's checksum: `gunzip` gives what Python's
//! safetensors package reads.

use crate::energy::Parameters;
use crate::{Error, file};
use flate2::{Compression, bufread::GzDecoder, write::GzEncoder};
use safetensors::tensor::{Dtype as FileType, SafeTensors, TensorView};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

const FILE: &str = "checkpoint.safetensors.gz";
/// Raised whenever old files can no longer be read.
const FORMAT: &str = "energy-discrepancy checkpoint 2";

/// The numbers of lists.
pub(crate) trait Number: Copy {
    const TYPE: FileType;

    fn encode(values: &[Self]) -> Vec<u8>;

    fn decode(bytes: &[u8]) -> Vec<Self>;
}

impl Number for f32 {
    const TYPE: FileType = FileType::F32;

    fn encode(values: &[f32]) -> Vec<u8> {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    }

    fn decode(bytes: &[u8]) -> Vec<f32> {
        bytes
            .as_chunks()
            .0
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect()
    }
}

impl Number for f64 {
    const TYPE: FileType = FileType::F64;

    fn encode(values: &[f64]) -> Vec<u8> {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    }

    fn decode(bytes: &[u8]) -> Vec<f64> {
        bytes
            .as_chunks()
            .0
            .iter()
            .map(|bytes| f64::from_le_bytes(*bytes))
            .collect()
    }
}

/// Where a run writes checkpoints on its way, and every how many steps.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Schedule {
    pub(crate) folder: PathBuf,
    pub(crate) every: usize,
}

impl Schedule {
    /// # Errors
    /// If there is a checkpoint every 0 steps.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.every {
            0 => Err(Error::setting(
                "checkpoints",
                "every 0 steps",
                "every 1 at least",
            )),
            _ => Ok(()),
        }
    }

    /// Keeps other runs from the folder, as long as what this returns lives: each would overwrite what the
    /// other needs. The system frees it when the program ends, however that comes.
    ///
    /// # Errors
    /// If another run has it. A folder that cannot be made or locked is no error: writing says so.
    pub(crate) fn lock(&self) -> Result<Option<File>, Error> {
        let opened = std::fs::create_dir_all(&self.folder).and_then(|()| File::open(&self.folder));
        let Ok(folder) = opened else {
            return Ok(None);
        };
        match folder.try_lock() {
            Ok(()) => Ok(Some(folder)),
            Err(TryLockError::Error(_)) => Ok(None),
            Err(TryLockError::WouldBlock) => Err(Error::setting(
                "checkpoints",
                self.folder.display(),
                "another run is writing its checkpoints there, so choose another folder or wait for its end",
            )),
        }
    }

    /// Whether so many steps end in a checkpoint.
    pub(crate) fn is_due(&self, steps: usize) -> bool {
        steps.is_multiple_of(self.every)
    }
}

/// A checkpoint that is being put together.
pub(crate) struct Checkpoint {
    kind: &'static str,
    settings: Value,
    state: Map<String, Value>,
    lists: Vec<(String, List)>,
}

struct List {
    number: FileType,
    sizes: Vec<usize>,
    bytes: Vec<u8>,
}

impl Checkpoint {
    /// Of a run of this kind, with the settings that a run which goes on from it must share.
    pub(crate) fn new(kind: &'static str, settings: Value) -> Self {
        Self {
            kind,
            settings,
            state: Map::new(),
            lists: Vec::new(),
        }
    }

    /// Adds a value of the state under a name.
    pub(crate) fn value(&mut self, name: &str, value: &impl Serialize) {
        self.state.insert(name.to_owned(), json!(value));
    }

    /// Adds a list of numbers under a name.
    pub(crate) fn list<E: Number>(&mut self, name: &str, values: &[E]) {
        self.shaped(name.to_owned(), vec![values.len()], values);
    }

    /// Adds the parameters of a net under their names, behind a prefix, with values from one list.
    pub(crate) fn parameters(&mut self, prefix: &str, net: &dyn Parameters, values: &[f32]) {
        let mut rest = values;
        for (name, parameter) in net.parameters() {
            let (own, others) = rest.split_at(parameter.len().min(rest.len()));
            self.shaped(format!("{prefix}.{name}"), parameter.sizes(), own);
            rest = others;
        }
    }

    fn shaped<E: Number>(&mut self, name: String, sizes: Vec<usize>, values: &[E]) {
        let list = List {
            number: E::TYPE,
            sizes,
            bytes: E::encode(values),
        };
        self.lists.push((name, list));
    }

    /// Writes the checkpoint into the folder, in the place of an older one. At any moment one of the two
    /// is there and complete.
    ///
    /// # Errors
    /// If the folder cannot be made, or the file not be written.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(FILE);
        let fails = |error: &dyn std::fmt::Display| Error::write(&path, error);
        std::fs::create_dir_all(folder).map_err(|error| fails(&error))?;
        let views = self.lists.iter().map(|(name, list)| {
            let view = TensorView::new(list.number, list.sizes.clone(), &list.bytes);
            view.map(|view| (name, view))
        });
        let views: Vec<_> = views
            .collect::<Result<_, _>>()
            .map_err(|error| fails(&error))?;
        let metadata = [
            ("format", FORMAT.to_owned()),
            ("kind", self.kind.to_owned()),
            ("settings", self.settings.to_string()),
            ("state", json!(self.state).to_string()),
        ];
        let metadata = metadata.map(|(key, value)| (key.to_owned(), value));
        let bytes =
            safetensors::serialize(views, Some(metadata.into())).map_err(|error| fails(&error))?;
        let mut packed = GzEncoder::new(Vec::with_capacity(bytes.len()), Compression::none());
        let packed = packed.write_all(&bytes).and_then(|()| packed.finish());
        file::write(&path, &packed.map_err(|error| fails(&error))?)
    }
}

/// A checkpoint that was read: whole, of this version, and of the kind and the settings that were asked for.
pub(crate) struct Saved {
    path: PathBuf,
    state: Map<String, Value>,
    lists: HashMap<String, List>,
}

impl Saved {
    /// Reads the folder's checkpoint.
    ///
    /// # Errors
    /// If there is none, it is cut off or changed, or of another version, another kind of run, or other
    /// settings: the message names those that differ.
    pub(crate) fn read(folder: &Path, kind: &str, settings: &Value) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let packed = std::fs::read(&path).map_err(|error| Error::read(&path, error))?;
        let damaged = |error: &dyn std::fmt::Display| {
            Error::read(&path, format!("the checkpoint is damaged ({error})"))
        };
        let mut bytes = Vec::new();
        let mut unpacking = GzDecoder::new(packed.as_slice());
        // A checkpoint is not compressed: what would unpack to much more is none.
        let most = 2 * packed.len() as u64 + 1024;
        let read = unpacking.by_ref().take(most).read_to_end(&mut bytes);
        read.map_err(|error| damaged(&error))?;
        if bytes.len() as u64 == most || !unpacking.into_inner().is_empty() {
            return Err(damaged(&"more bytes than it should have"));
        }
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| damaged(&error))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| damaged(&error))?;
        let entries = header.metadata().clone().unwrap_or_default();
        let entry = |key: &str| entries.get(key).cloned().unwrap_or_default();
        let refuse = |reason: String| Err(Error::read(&path, reason));
        if entry("format") != FORMAT {
            let found = entry("format");
            return refuse(format!(
                "its format is {found:?}, but this version reads {FORMAT:?}"
            ));
        }
        if entry("kind") != kind {
            return refuse(format!("it is of a {}, not of a {kind}", entry("kind")));
        }
        let there = serde_json::from_str(&entry("settings")).map_err(|error| damaged(&error))?;
        let state = serde_json::from_str(&entry("state")).map_err(|error| damaged(&error))?;
        let differences = differences(&there, settings);
        if !differences.is_empty() {
            return refuse(format!("its run has {}", differences.join(", ")));
        }
        let list = |(name, view): (String, TensorView<'_>)| {
            let list = List {
                number: view.dtype(),
                sizes: view.shape().to_vec(),
                bytes: view.data().to_vec(),
            };
            (name, list)
        };
        Ok(Self {
            state,
            lists: file.tensors().into_iter().map(list).collect(),
            path,
        })
    }

    /// A value of the state.
    ///
    /// # Errors
    /// If it has another type, or there is none.
    pub(crate) fn value<T: DeserializeOwned>(&self, name: &str) -> Result<T, Error> {
        let value = self.state.get(name).cloned().unwrap_or_default();
        serde_json::from_value(value)
            .map_err(|error| Error::read(&self.path, format!("{name}: {error}")))
    }

    /// The list under a name.
    ///
    /// # Errors
    /// If there is none, or one of tensors, or of another number type or length.
    pub(crate) fn list<E: Number>(
        &self,
        name: &str,
        length: Option<usize>,
    ) -> Result<Vec<E>, Error> {
        let found = self.lists.get(name).map(|list| list.sizes.clone());
        let sizes = length.map_or(found.unwrap_or_default(), |length| vec![length]);
        self.shaped(name, &sizes)
    }

    /// A net's parameters in one list.
    ///
    /// # Errors
    /// If one is missing, or has another shape or number type.
    pub(crate) fn parameters(&self, prefix: &str, net: &dyn Parameters) -> Result<Vec<f32>, Error> {
        let mut values = Vec::new();
        for (name, parameter) in net.parameters() {
            values.extend(self.shaped::<f32>(&format!("{prefix}.{name}"), &parameter.sizes())?);
        }
        Ok(values)
    }

    fn shaped<E: Number>(&self, name: &str, sizes: &[usize]) -> Result<Vec<E>, Error> {
        let Some(list) = self.lists.get(name) else {
            return Err(Error::read(&self.path, format!("it holds no {name}")));
        };
        if list.sizes != sizes || list.number != E::TYPE {
            let (number, needed) = (list.number, E::TYPE);
            let reason = format!(
                "{name} has shape {:?} of {number}, but {sizes:?} of {needed} is needed",
                list.sizes
            );
            return Err(Error::read(&self.path, reason));
        }
        Ok(E::decode(&list.bytes))
    }
}

/// What differs between the settings of a checkpoint and those of a run, in words.
fn differences(there: &Value, here: &Value) -> Vec<String> {
    let empty = serde_json::Map::new();
    let [there, here] = [there, here].map(|value| value.as_object().unwrap_or(&empty));
    let mut keys: Vec<&String> = there.keys().chain(here.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let differing = keys
        .into_iter()
        .filter(|key| there.get(*key) != here.get(*key));
    let words = |value: Option<&Value>| value.map_or("nothing".into(), Value::to_string);
    let line = |key: &String| {
        let name = key.replace('_', " ");
        format!(
            "{name} = {} where this one has {}",
            words(there.get(key)),
            words(here.get(key))
        )
    };
    differing.map(line).collect()
}
