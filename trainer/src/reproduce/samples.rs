//! Some images of the test set with what the answer rests on.

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cspine_domain::Class;
use cspine_imaging::{Limits, decode, overlay};
use cspine_nets::{Classifier, SaliencyMethod};
use image::RgbImage;
use image::imageops::thumbnail;
use serde::{Deserialize, Serialize};

use super::Call;
use crate::dataset::{Dataset, read};
use crate::page::{Picture, jpeg};

/// Right answers of each class, and wrong ones, that are shown.
const EACH: usize = 1;
/// Longer side of a picture, pixels.
const SIDE: u32 = 240;
/// Of a JPEG.
const QUALITY: u8 = 75;

/// A picture for the report, kept with the figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Label, answer and method.
    pub caption: String,
    /// A JPEG file, in base64.
    pub jpeg: String,
}

/// Of each class the first right answer and the first wrong one.
pub(super) fn of(model: &Classifier, test: &Dataset, calls: &[Call], limits: &Limits) -> Result<Vec<Sample>> {
    let mut chosen = Vec::new();
    for class in Class::ALL {
        for right in [true, false] {
            let of = (0..calls.len())
                .filter(|&i| calls[i].label == *class)
                .filter(|&i| calls[i].verdict.is_some_and(|verdict| (verdict == *class) == right));
            chosen.extend(of.take(EACH));
        }
    }
    chosen.into_iter().map(|i| sample(model, test, &calls[i], i, limits)).collect()
}

fn sample(model: &Classifier, test: &Dataset, call: &Call, index: usize, limits: &Limits) -> Result<Sample> {
    let example = &test.examples[index];
    let preprocessing = &model.card().preprocessing;
    let radiograph = decode(&read(example, limits)?, None, limits)?;
    let method = SaliencyMethod::default();
    let inference = model.infer(&preprocessing.apply(&radiograph), Some(method))?;
    let heatmap = inference.heatmap.context("a heatmap was asked for")?;
    let picture = overlay(&radiograph.oriented(inference.look.turn()), &heatmap, preprocessing)?;
    let probability = 100.0 * inference.probabilities[inference.class.index()];
    let ambiguous = if call.ambiguous { ", ambiguous" } else { "" };
    let caption = format!(
        "{}{ambiguous}: called {} at {probability:.0} %; {} for {}",
        call.label,
        inference.class,
        method.as_str(),
        inference.explained
    );
    Ok(Sample { caption, jpeg: STANDARD.encode(jpeg(&small(&picture), QUALITY)?) })
}

/// No side longer than [`SIDE`].
fn small(picture: &RgbImage) -> RgbImage {
    let longer = picture.width().max(picture.height());
    let scaled = |side: u32| (u64::from(side) * u64::from(SIDE.min(longer)) / u64::from(longer)).max(1) as u32;
    thumbnail(picture, scaled(picture.width()), scaled(picture.height()))
}

impl Sample {
    /// As a page takes it; what is no base64 shows as no picture.
    pub(super) fn picture(&self) -> Picture {
        Picture { jpeg: STANDARD.decode(&self.jpeg).unwrap_or_default(), caption: self.caption.clone() }
    }
}
