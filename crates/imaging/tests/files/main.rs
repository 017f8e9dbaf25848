//! Files, sound and hostile.

mod foreign;
mod hostile;
mod hostile_dicom;
mod scope;
