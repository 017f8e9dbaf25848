//! Files, sound and hostile.

mod codecs;
mod colour_forms;
mod foreign;
mod form;
mod grey_forms;
mod hostile;
mod hostile_dicom;
mod late_forms;
mod lossless_jpeg;
mod odd_dicom;
mod odd_forms;
mod odd_pixels;
mod orientation;
mod padding;
mod progressive;
mod scope;
mod scope_in_files;
mod tiff;
mod writer;
