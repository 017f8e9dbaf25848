//! `.pth` before PyTorch 1.6 (`torch/serialization.py`, `_legacy_save`): five pickles (magic number, protocol version,
//! system, state dict, storage keys), then each storage as its length in elements, 8 bytes, and its elements.

use std::collections::HashMap;

use super::ImportError;
use super::pickle;
use super::raw::{RawTensors, of_state_dict};
use super::value::Value;

/// The first pickle: 0x1950a86a20f9469cfc6c.
pub(super) const MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
const VERSION: i64 = 1001;

/// Reads a file that begins with [`MAGIC`].
pub(super) fn read(bytes: &[u8]) -> Result<RawTensors<'_>, ImportError> {
    let mut rest = &bytes[MAGIC.len()..];
    let mut next = || -> Result<Value<'_>, ImportError> {
        let (value, length) = pickle::read(rest)?;
        rest = &rest[length..];
        Ok(value)
    };
    let (version, system, state, keys) = (next()?, next()?, next()?, next()?);
    if !matches!(version, Value::Int(VERSION)) {
        return Err(ImportError::Damaged("its protocol version is not 1001"));
    }
    if !little_endian(&system) {
        return Err(ImportError::Damaged("it was not written on a little-endian machine"));
    }
    let Value::List(keys) = keys else { return Err(ImportError::Damaged("its storages have no keys")) };
    let storages = storages(&state, &keys.values, rest)?;
    of_state_dict(&state, |key, len| {
        let storage = storages.get(key).ok_or(ImportError::Damaged("a storage is missing"))?;
        if storage.len() == len { Ok(storage) } else { Err(ImportError::Damaged("a storage of another length")) }
    })
}

fn little_endian(system: &Value) -> bool {
    let Value::Dict(items) = system else { return false };
    items.values.chunks_exact(2).any(|item| matches!(item, [Value::Text("little_endian"), Value::Bool(true)]))
}

/// The storages by key, in the order of the keys.
fn storages<'a>(
    state: &Value<'a>,
    keys: &[Value<'a>],
    mut rest: &'a [u8],
) -> Result<HashMap<&'a str, &'a [u8]>, ImportError> {
    const CUT: ImportError = ImportError::Damaged("it ends within its storages");
    let Value::Dict(items) = state else { return Err(ImportError::Damaged("it holds no state dict")) };
    let widths: HashMap<&str, usize> = items
        .values
        .iter()
        .filter_map(|item| match item {
            Value::Tensor(tensor) => Some((tensor.storage.key, tensor.storage.element.bytes())),
            _ => None,
        })
        .collect();
    let mut storages = HashMap::new();
    for key in keys {
        let Value::Text(key) = key else { return Err(ImportError::Damaged("a storage's key is no text")) };
        // How long a storage of no tensor is nobody says.
        let width = *widths.get(key).ok_or(ImportError::Damaged("a storage that no tensor uses"))?;
        let (count, elements) = rest.split_first_chunk::<8>().ok_or(CUT)?;
        let len = usize::try_from(u64::from_le_bytes(*count)).ok().and_then(|count| count.checked_mul(width));
        let (storage, after) = len.and_then(|len| elements.split_at_checked(len)).ok_or(CUT)?;
        storages.insert(*key, storage);
        rest = after;
    }
    Ok(storages)
}
