//! The images that maps are made of.

use anyhow::{Context, Result, ensure};
use cspine_domain::{Class, Orientation, Sha256};
use cspine_imaging::{Intensity, Limits, Preprocessing, Radiograph, decode, oriented};
use cspine_nets::Classifier;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rayon::prelude::*;

use super::mask::Mask;
use crate::dataset::{Dataset, Example, LoadError, radiograph, read};

/// An image as the network sees it: turned and mirrored where it answers, and a worker explains, nothing but that.
pub struct Sample {
    /// Its name in the data set.
    pub name: String,
    /// Its label.
    pub class: Class,
    /// The kind of injury, in the manifest's words.
    pub kind: String,
    /// Grey values, `size * size`, 0 to 1.
    pub grey: Vec<f32>,
    /// The normalised input, `[3, size, size]`.
    pub input: Vec<f32>,
    /// What the model's own map explains: the likelier injury when flagged, else its class.
    pub explained: Class,
    /// Where the injury is; for an injured image whose data set says so.
    pub mask: Option<Mask>,
    /// How all of these are turned and mirrored, on top of what the file says.
    pub look: Orientation,
    /// The file's digest.
    pub sha256: Sha256,
}

/// At most `limit` injured images, drawn by `seed`, in the data set's order; of all images where none is injured.
pub fn draw(dataset: &Dataset, limit: usize, seed: u64) -> Vec<&Example> {
    let injured = dataset.examples.iter().any(|example| example.class.is_injury());
    let mut chosen: Vec<usize> =
        (0..dataset.examples.len()).filter(|&i| !injured || dataset.examples[i].class.is_injury()).collect();
    chosen.shuffle(&mut StdRng::seed_from_u64(seed));
    chosen.truncate(limit);
    chosen.sort_unstable();
    chosen.into_iter().map(|i| &dataset.examples[i]).collect()
}

/// Reads images; the first that cannot be used is an error that names it.
pub fn load(model: &Classifier, examples: &[&Example], limits: &Limits) -> Result<Vec<Sample>> {
    examples.par_iter().with_max_len(1).map(|example| Sample::load(model, example, limits)).collect()
}

impl Sample {
    fn load(model: &Classifier, example: &Example, limits: &Limits) -> Result<Self> {
        let preprocessing = &model.card().preprocessing;
        let bytes = read(example, limits)?;
        let film = radiograph(example, &bytes, limits)?;
        let mut grey = preprocessing.grey(&film);
        let mut mask = if example.class.is_injury() { mask(example, &film, preprocessing, limits)? } else { None };
        let inference = model.infer(&preprocessing.normalise(&grey), None).with_context(|| example.name.clone())?;
        let look = inference.look;
        grey = oriented(&grey, preprocessing.size as usize, look);
        mask = mask.map(|mask| mask.oriented(look));
        Ok(Self {
            name: example.name.clone(),
            class: example.class,
            kind: example.kind.clone().unwrap_or_else(|| example.class.to_string()),
            input: preprocessing.normalise(&grey),
            grey,
            explained: inference.explained,
            mask,
            look,
            sha256: Sha256::of(&bytes),
        })
    }
}

/// The injury's mask, by the geometry that the image went through. It is drawn on the pixels as they are stored.
fn mask(example: &Example, image: &Radiograph, preprocessing: &Preprocessing, limits: &Limits) -> Result<Option<Mask>> {
    let Some(path) = &example.mask else { return Ok(None) };
    let name = || format!("the mask of {}", example.name);
    let file = Example { name: name(), path: path.clone(), ..example.clone() };
    let mask =
        decode(&read(&file, limits)?, None, limits).map_err(|source| LoadError::Decode { name: name(), source })?;
    let mask = mask.posed(image.pose);
    ensure!(
        (mask.width, mask.height) == (image.width, image.height),
        "{} is {} × {} pixels, the image {} × {}",
        name(),
        mask.width,
        mask.height,
        image.width,
        image.height
    );
    ensure!(mask.luminance.iter().any(|&value| value > 0), "{} is empty", name());
    Ok(Some(Mask::of(&shares(&mask, preprocessing), preprocessing.size as usize)))
}

/// Of each of the network's pixels the share that a mask covers.
fn shares(mask: &Radiograph, preprocessing: &Preprocessing) -> Vec<f32> {
    Preprocessing { intensity: Intensity::FullRange, ..preprocessing.clone() }.grey(mask)
}
