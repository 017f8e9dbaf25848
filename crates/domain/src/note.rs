//! Notes: what was odd about an image or its event, and was tolerated.

use std::collections::BTreeSet;

/// A code of `findings.notes`. Stable: a site finds the device that writes such files by it. A note never changes an answer
/// and never stands in its way; what does has a [`Reason`](crate::Reason).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Note {
    // The structure of a DICOM file.
    /// The 128 bytes and `DICM` before the meta header are missing.
    MissingPreamble,
}

crate::words!(Note, "note", {
    MissingPreamble => "missing_preamble",
});

/// The notes of one image, each once, in the order of declaration.
pub type Notes = BTreeSet<Note>;
