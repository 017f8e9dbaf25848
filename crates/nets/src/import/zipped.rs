//! `.pth` since PyTorch 1.6: a zip archive, `NAME/data.pkl` and `NAME/data/KEY` for each storage, not compressed.

use std::collections::HashMap;
use std::io::Cursor;

use zip::{CompressionMethod, ZipArchive};

use super::ImportError;
use super::pickle;
use super::raw::{RawTensors, of_state_dict};

/// How a zip archive begins.
pub(super) const MAGIC: &[u8] = b"PK\x03\x04";

/// Reads a file that begins with [`MAGIC`].
pub(super) fn read(bytes: &[u8]) -> Result<RawTensors<'_>, ImportError> {
    let entries = entries(bytes)?;
    let is_pickle =
        |name: &&String| name.strip_suffix("data.pkl").is_some_and(|folder| folder.matches('/').count() <= 1);
    let Some(name) = entries.keys().find(is_pickle) else {
        return Err(ImportError::Damaged("a zip archive without PyTorch's data.pkl"));
    };
    let folder = name.strip_suffix("data.pkl").expect("found by this ending");
    if entries.get(&format!("{folder}byteorder")).is_some_and(|order| *order != b"little") {
        return Err(ImportError::Damaged("it was not written on a little-endian machine"));
    }
    let (state, _) = pickle::read(entries[name])?;
    of_state_dict(&state, |key, len| {
        let storage =
            entries.get(&format!("{folder}data/{key}")).ok_or(ImportError::Damaged("a storage is missing"))?;
        if storage.len() == len { Ok(storage) } else { Err(ImportError::Damaged("a storage of another length")) }
    })
}

/// The archive's files by name, as they lie in it.
fn entries(bytes: &[u8]) -> Result<HashMap<String, &[u8]>, ImportError> {
    const BROKEN: ImportError = ImportError::Damaged("a broken zip archive");
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|_| BROKEN)?;
    let mut entries = HashMap::new();
    for i in 0..archive.len() {
        let file = archive.by_index_raw(i).map_err(|_| BROKEN)?;
        if file.compression() != CompressionMethod::Stored || file.encrypted() {
            return Err(ImportError::Damaged("a zip archive that is compressed or encrypted; PyTorch's are neither"));
        }
        let start = file.data_start().and_then(|start| usize::try_from(start).ok()).ok_or(BROKEN)?;
        let len = usize::try_from(file.size()).map_err(|_| BROKEN)?;
        let end = start.checked_add(len).ok_or(BROKEN)?;
        entries.insert(file.name().map_err(|_| BROKEN)?.into_owned(), bytes.get(start..end).ok_or(BROKEN)?);
    }
    Ok(entries)
}
