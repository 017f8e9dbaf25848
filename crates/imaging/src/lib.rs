//! Bytes to bounded pixels to the network's input, and saliency back onto the picture.
//!
//! Everything here is a function of its arguments: no I/O, no environment, no state but the input's. A file is hostile
//! until it is decoded: sizes are read from headers and held against [`Limits`] before anything is allocated, and
//! whatever a file contains the answer is a [`Radiograph`] or a [`DecodeError`] with a reason code.
//!
//! ```text
//! bytes --decode--> Radiograph --Preprocessing::apply--> [3, size, size] --(network)--> Heatmap --overlay--> RGB
//! ```

mod blur;
mod contain;
mod decode;
mod dicom;
mod error;
mod exif;
mod grey;
mod heatmap;
mod jpeg;
mod limits;
mod media_type;
mod orientation;
mod overlay;
mod packbits;
mod preprocessing;
mod radiograph;
mod raster;
mod resize;
mod scope;
mod tiff;

pub use blur::blur;
pub use decode::decode;
pub use dicom::{Header, TextEvidence};
pub(crate) use error::Fault;
pub use error::{DecodeError, EncodeError, Limit};
pub use heatmap::Heatmap;
pub use image::RgbImage;
pub use limits::Limits;
pub use media_type::{MediaType, sniff};
pub use orientation::oriented;
pub use overlay::{encode_png, overlay};
pub use preprocessing::{Filter, Geometry, Intensity, Preprocessing, PreprocessingError};
pub use radiograph::Radiograph;
pub use resize::resize;
pub use scope::{DeclaredScope, Rejection, Ruling, Scope, ScopeWords, scope};
