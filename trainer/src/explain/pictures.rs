//! Maps laid over films, small enough for a page.

use anyhow::{Context, Result};
use cspine_imaging::{Geometry, Heatmap, Intensity, Preprocessing, Radiograph, RgbImage, overlay};

use super::explainer::{Explainer, Scene};
use super::mask::Mask;
use super::rotation::{self, ANGLES, Answer, turn};
use crate::page::{Picture, jpeg};
use cspine_nets::SaliencyMethod;

const QUALITY: u8 = 72;
/// The line around an injury.
const OUTLINE: [u8; 3] = [0, 230, 200];

/// The film of a sample with its injury outlined, then each explainer's map of its true class over it.
pub fn maps(scene: &Scene<'_>, explainers: &[Explainer], i: usize, tolerance: f32) -> Result<Vec<Picture>> {
    let sample = &scene.samples[i];
    let film = picture(&sample.grey, &vec![0.0; sample.grey.len()], sample.mask.as_ref(), scene.side())?;
    let turned = match sample.look.quarters() {
        0 => String::new(),
        quarters => format!(", turned by {}°", 90 * u16::from(quarters)),
    };
    let mirrored = if sample.look.is_mirrored() { ", left for right" } else { "" };
    let caption = format!("the film{turned}{mirrored}: {}", sample.kind.replace('_', " "));
    let mut pictures = vec![Picture { jpeg: film, caption }];
    for explainer in explainers {
        let map = scene.map(*explainer, i, sample.class)?;
        let verdict = match sample.mask.as_ref().map(|mask| mask.grown(tolerance).hit(&map)) {
            Some(1.0) => ": hit",
            Some(_) => ": missed",
            None => "",
        };
        let jpeg = picture(&sample.grey, &map, sample.mask.as_ref(), scene.side())?;
        pictures.push(Picture { jpeg, caption: format!("{explainer}{verdict}") });
    }
    Ok(pictures)
}

/// A film at each angle with a method's map over it.
pub fn turned(scene: &Scene<'_>, method: SaliencyMethod, i: usize) -> Result<Vec<Picture>> {
    let turned = |angle: f32| {
        let grey = turn(&scene.samples[i].grey, scene.side(), angle);
        let jpeg = picture(&grey, &rotation::map(scene, method, i, angle)?, None, scene.side())?;
        let Answer { probability, refused, .. } = rotation::answer(scene, i, angle)?;
        let refused = if refused { ", refused by the scope gate" } else { "" };
        let caption = format!("{angle}°: {} {probability:.2}{refused}", scene.samples[i].explained);
        Ok(Picture { jpeg, caption })
    };
    ANGLES.iter().map(|angle| turned(*angle)).collect()
}

fn picture(grey: &[f32], map: &[f32], mask: Option<&Mask>, side: usize) -> Result<Vec<u8>> {
    let size = side as u32;
    let luminance = grey.iter().map(|v| (v * f32::from(u16::MAX)).round() as u16).collect();
    let film = Radiograph::grey(size, size, luminance);
    let heatmap = Heatmap::from_saliency(size, size, map).context("a map for a picture")?;
    // The plane has gone through the model's own preprocessing.
    let shown =
        Preprocessing { geometry: Geometry::Stretch, intensity: Intensity::FullRange, ..Preprocessing::default() };
    let mut picture = overlay(&film, &heatmap, &shown).context("an overlay for a picture")?;
    if let Some(mask) = mask {
        outline(&mut picture, mask);
    }
    jpeg(&picture, QUALITY)
}

/// Draws the pixels next to a mask.
fn outline(picture: &mut RgbImage, mask: &Mask) {
    let around = mask.grown(1.5);
    for (i, _) in around.inside.iter().zip(&mask.inside).enumerate().filter(|(_, (near, inside))| **near && !**inside) {
        picture.get_pixel_mut((i % mask.side) as u32, (i / mask.side) as u32).0 = OUTLINE;
    }
}
