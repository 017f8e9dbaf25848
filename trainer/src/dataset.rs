//! Labelled images on disk: a folder per class, or a `manifest.csv` as `cspine-trainer phantoms` writes it.
//!
//! What is an image: a file ending in png, jpg, jpeg, jfif, tif, tiff, dcm or dicom, or, inside a class folder, one
//! whose name has no ending or a number for one (DICOM is often named by a UID). Left out and counted in
//! [`Dataset::ignored`]: every other file, folders named `masks` or `__MACOSX`, and whatever begins with a dot; of
//! pictures in formats that are not read the [`Survey`] warns. A folder whose name is not understood is an error, and so
//! is an image outside the class folders: images left out in silence would bend every figure.

mod duplicates;
mod folders;
mod manifest;
mod perceptual;
mod subjects;
mod survey;
mod union;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cspine_domain::{Class, Reason, Sha256};
use cspine_imaging::{DecodeError, Limits, Preprocessing, Radiograph, decode};

pub use duplicates::{Duplicates, Fingerprint, TOLERANCE, find};
pub use perceptual::Look;
pub use subjects::Subjects;
pub use survey::Survey;

/// Labelled images, sorted by name.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The folder that was opened.
    pub root: PathBuf,
    /// At least one image, sorted by name: results do not depend on the file system.
    pub examples: Vec<Example>,
    /// Files and folders that were left out as no images, relative to the root, sorted.
    pub ignored: Vec<String>,
}

/// One labelled image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Where it lies.
    pub path: PathBuf,
    /// Its path from the data set's folder, with forward slashes.
    pub name: String,
    /// Its label.
    pub class: Class,
    /// Whose it is; `None` if the data set does not say. Images of one patient must not be torn apart by a split.
    pub patient_key: Option<String>,
    /// The kind of injury, in the manifest's words.
    pub kind: Option<String>,
    /// Whether the manifest says that it lies close to a class's border.
    pub ambiguous: bool,
    /// The part that the data set's maker put it into; `None` if it was not split.
    pub part: Option<Part>,
    /// Where it was taken, if the manifest says.
    pub site: Option<String>,
    /// What its patient's images are for, in the manifest's word: training, validation or evaluation.
    pub set: Option<String>,
    /// Where the mask of its injury lies, if the manifest has one; an image as large as it is.
    pub mask: Option<PathBuf>,
}

/// A part of a data set that was split by its maker: a folder named train, val or test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "named after what they are for")]
pub enum Part {
    Training,
    Validation,
    Test,
}

impl Example {
    /// What must stay on one side of a split: its patient, or without one itself.
    pub fn side(&self) -> &str {
        self.patient_key.as_deref().unwrap_or(&self.name)
    }
}

/// Why an image of a data set cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be read.
    #[error("{name} cannot be read: {source}")]
    Read {
        /// The image.
        name: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It cannot be decoded.
    #[error("{name} cannot be decoded: {source}")]
    Decode {
        /// The image.
        name: String,
        /// What the decoder said.
        source: DecodeError,
    },
    /// It is sound, and the network has no business with it.
    #[error("{name} is not assessable: {reason}")]
    NotAssessable {
        /// The image.
        name: String,
        /// `colour`, `too_small` or `constant`.
        reason: Reason,
    },
}

impl Dataset {
    /// [`Dataset::open`], with near duplicates found and made to stay together.
    ///
    /// # Errors
    /// As [`Dataset::open`], or a file that cannot be read. One that cannot be decoded or assessed is none.
    pub fn open_together(dir: &Path) -> Result<(Dataset, Survey)> {
        let mut dataset = Dataset::open(dir)?;
        let duplicates = find(&dataset)?;
        let survey = Survey::of(&dataset, &duplicates);
        dataset.keep_together(&duplicates);
        Ok((dataset, survey))
    }

    /// Lists a data set. The images themselves are not read.
    ///
    /// `dir` holds a `manifest.csv`, or a folder for each class, or folders named train, val or test that hold either.
    /// A class folder's name may say more than the class, as in `1_Cervical Fracture`.
    ///
    /// # Errors
    /// No folder, no image, or a name, a manifest's line or a file that is not understood; the text names it.
    pub fn open(dir: &Path) -> Result<Dataset> {
        if !dir.is_dir() {
            bail!("{} is no folder", dir.display());
        }
        let mut dataset = Dataset { root: dir.to_owned(), examples: vec![], ignored: vec![] };
        folders::collect(&mut dataset, "").with_context(|| format!("cannot use the data set {}", dir.display()))?;
        if dataset.examples.is_empty() {
            bail!(
                "{} holds no images: it needs the folders dislocation, fracture and normal, or a manifest.csv",
                dir.display()
            );
        }
        Ok(dataset.sorted())
    }

    /// Lists the images of a manifest, whatever its file is called; they lie in its folder or below.
    ///
    /// # Errors
    /// No image, or a line that is not understood; the text names it.
    pub fn of_manifest(file: &Path) -> Result<Dataset> {
        let what = || format!("cannot use the manifest {}", file.display());
        let name = file.file_name().and_then(OsStr::to_str).with_context(what)?;
        let root = file.parent().unwrap_or(Path::new(""));
        let mut dataset = Dataset { root: root.to_owned(), examples: vec![], ignored: vec![] };
        manifest::collect(&mut dataset, "", name).with_context(what)?;
        if dataset.examples.is_empty() {
            bail!("{} lists no images", file.display());
        }
        Ok(dataset.sorted())
    }

    fn sorted(mut self) -> Dataset {
        self.examples.sort_by(|a, b| a.name.cmp(&b.name));
        self.ignored.sort();
        self
    }

    /// Makes near duplicates stay together: each image's patient becomes the side that [`Duplicates::sides`] names.
    fn keep_together(&mut self, duplicates: &Duplicates) {
        let sides: Vec<String> = duplicates.sides(self).into_iter().map(str::to_owned).collect();
        for (example, side) in self.examples.iter_mut().zip(sides) {
            example.patient_key = Some(side);
        }
    }

    /// Pictures that were left out because their format is not read.
    pub fn unread(&self) -> Vec<String> {
        self.ignored.iter().filter(|path| folders::is_unread_picture(path)).cloned().collect()
    }

    /// How many images of each class, by class index.
    pub fn counts(&self) -> [usize; Class::COUNT] {
        let mut counts = [0; Class::COUNT];
        for example in &self.examples {
            counts[example.class.index()] += 1;
        }
        counts
    }

    fn path_of(&self, name: &str) -> PathBuf {
        // Part by part, so that every system's own separator stands between them.
        name.split('/').fold(self.root.clone(), |path, part| path.join(part))
    }
}

/// An image as the network's card wants it, before normalisation: `size * size` grey values from 0 to 1.
///
/// # Errors
/// [`LoadError`]; its text names the image.
pub fn load(example: &Example, preprocessing: &Preprocessing, limits: &Limits) -> Result<Vec<f32>, LoadError> {
    grey(example, &read(example, limits)?, preprocessing, limits)
}

/// An image's bytes; a file over `limits.max_bytes` is not read.
///
/// # Errors
/// [`LoadError::Read`], or [`LoadError::Decode`] for a file that is too large.
pub fn read(example: &Example, limits: &Limits) -> Result<Vec<u8>, LoadError> {
    let failed = |source| LoadError::Read { name: example.name.clone(), source };
    if fs::metadata(&example.path).map_err(failed)?.len() > limits.max_bytes {
        let source = DecodeError::OverLimit(cspine_imaging::Limit::Bytes);
        return Err(LoadError::Decode { name: example.name.clone(), source });
    }
    fs::read(&example.path).map_err(failed)
}

/// [`load`] of an image whose bytes are at hand.
///
/// # Errors
/// [`LoadError::Decode`] or [`LoadError::NotAssessable`].
pub fn grey(
    example: &Example,
    bytes: &[u8],
    preprocessing: &Preprocessing,
    limits: &Limits,
) -> Result<Vec<f32>, LoadError> {
    Ok(preprocessing.grey(&radiograph(example, bytes, limits)?))
}

/// An image whose bytes are at hand, decoded and found assessable.
///
/// # Errors
/// [`LoadError::Decode`] or [`LoadError::NotAssessable`].
pub fn radiograph(example: &Example, bytes: &[u8], limits: &Limits) -> Result<Radiograph, LoadError> {
    let name = || example.name.clone();
    let radiograph = decode(bytes, None, limits).map_err(|source| LoadError::Decode { name: name(), source })?;
    radiograph.assessable().map_err(|reason| LoadError::NotAssessable { name: name(), reason })?;
    Ok(radiograph)
}

/// What names a set of images, whatever they are called and wherever they lie: SHA-256 over their digests, sorted.
pub fn digest(images: impl IntoIterator<Item = Sha256>) -> Sha256 {
    let mut digests: Vec<[u8; 32]> = images.into_iter().map(|digest| digest.0).collect();
    digests.sort_unstable();
    Sha256::of(&digests.concat())
}
