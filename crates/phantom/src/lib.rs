//! Synthetic lateral cervical-spine radiographs with exact lesion masks.
//!
//! A [`Case`] is everything about one radiograph, drawn from one seed through independent streams: anatomy, posture,
//! degeneration and acquisition never depend on the class, so [`Case::counterfactual`] is the same patient on the
//! same day without the injury. [`Case::render`] projects three-dimensional primitives (path lengths in mm, summed a
//! material), and runs the X-ray chain of `docs/phantoms.md`: spectrum, scatter, noise, MTF, LUT.
//!
//! ```
//! use cspine_domain::Class;
//! use cspine_phantom::{Case, Preset};
//!
//! let case = Case::sample(7, Class::Dislocation);
//! let film = case.render(256, Preset::Reference);
//! assert!(film.mask.iter().any(|&m| m == 255));
//! ```
//!
//! Pure: the same seed gives the same bytes, on one thread; callers parallelise over cases.

mod acquisition;
mod anatomy;
mod atlas_axis;
mod body;
mod case;
mod coarse;
mod fastmath;
mod film;
mod geometry;
mod hardware;
mod lesion;
mod primitives;
mod render;
mod rng;
mod scene;
mod skull;
mod soft;
mod spine;
mod texture;
mod vertebra;

pub use acquisition::{Acquisition, Preset, UnknownPreset};
pub use anatomy::{Anatomy, LEVELS, Mimic};
pub use case::Case;
pub use film::Film;
pub use lesion::{Kind, Lesion};
