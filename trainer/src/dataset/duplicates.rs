//! Near duplicates: images that come twice, byte for byte or turned, resized or encoded again. On two sides of a split
//! they would be learned by heart on one and pass for knowledge on the other.

use std::collections::BTreeMap;

use anyhow::Result;
use cspine_domain::Sha256;
use cspine_imaging::{Limits, Radiograph};
use rayon::prelude::*;

use super::perceptual::Look;
use super::union::UnionFind;
use super::{Dataset, radiograph, read};

/// Bits of 255 in which the hashes of near duplicates may differ, in the nearest of the eight rotations and flips.
///
/// Measured on 2009 phantoms: copies resized from 256 to 100 × 140 pixels and encoded as JPEG of quality 60 differ in 10
/// bits at most, the nearest two of all pairs of strangers in 38 (`trainer/tests/duplicates.rs`). pHash's own 8 × 8
/// coefficients do not tell them apart: there the nearest strangers are as near as the farthest copies.
pub const TOLERANCE: u32 = 20;

/// What an image is compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    /// Of the file.
    pub sha256: Sha256,
    /// Of the picture; `None` if it cannot be decoded or is not assessable: then only its bytes are compared.
    pub look: Option<Look>,
}

/// Near duplicates of a data set. Images are indices of [`Dataset::examples`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicates {
    /// Images that are near duplicates of each other, directly or by others between them: two or more, ascending.
    pub groups: Vec<Vec<usize>>,
    /// Of each image's file.
    pub digests: Vec<Sha256>,
    /// How many images have the bytes of an earlier one.
    pub same_bytes: usize,
    /// How many more images are near duplicates of an earlier one by their look.
    pub look_alikes: usize,
    /// Groups whose images have different labels: at least one of them is wrong.
    pub conflicting: Vec<Vec<usize>>,
    /// Why images could not be decoded or assessed, each text with its image's name: they were compared by their bytes
    /// alone. Whoever read them knows: [`Duplicates::among`] leaves it empty.
    pub unusable: Vec<String>,
}

/// Finds the near duplicates of a data set, on rayon's current pool, each thread with one image in memory.
///
/// # Errors
/// A file that cannot be read, or is too large to be; the text names it.
pub fn find(images: &Dataset) -> Result<Duplicates> {
    let limits = Limits::default();
    let looked = images.examples.par_iter().with_max_len(1).map(|example| {
        let bytes = read(example, &limits)?;
        let film = radiograph(example, &bytes, &limits);
        let look = film.as_ref().ok().map(Look::of);
        Ok((Fingerprint { sha256: Sha256::of(&bytes), look }, film.err()))
    });
    let (fingerprints, refused): (Vec<_>, Vec<_>) = looked.collect::<Result<Vec<_>>>()?.into_iter().unzip();
    let unusable = refused.into_iter().flatten().map(|why| why.to_string()).collect();
    Ok(Duplicates { unusable, ..Duplicates::among(images, &fingerprints) })
}

impl Fingerprint {
    /// Of a file that was decoded and found assessable.
    pub fn of_film(sha256: Sha256, film: &Radiograph) -> Fingerprint {
        Fingerprint { sha256, look: Some(Look::of(film)) }
    }
}

impl Duplicates {
    /// Finds them by fingerprints, one an example. Takes the time of n²/2 comparisons, 2000 images well under a second.
    ///
    /// # Panics
    /// If there is not one fingerprint an example.
    pub fn among(images: &Dataset, fingerprints: &[Fingerprint]) -> Duplicates {
        assert_eq!(images.examples.len(), fingerprints.len(), "one fingerprint an example");
        let mut union = UnionFind::new(fingerprints.len());
        let mut first = BTreeMap::new();
        for (i, fingerprint) in fingerprints.iter().enumerate() {
            union.unite(*first.entry(fingerprint.sha256).or_insert(i), i);
        }
        let mut distinct: Vec<usize> = first.into_values().collect();
        distinct.sort_unstable();
        for (one, other) in look_alikes(fingerprints, &distinct) {
            union.unite(one, other);
        }
        let groups = union.groups();
        let same_bytes = fingerprints.len() - distinct.len();
        let class = |i: usize| images.examples[i].class;
        Duplicates {
            digests: fingerprints.iter().map(|fingerprint| fingerprint.sha256).collect(),
            same_bytes,
            look_alikes: groups.iter().map(|group| group.len() - 1).sum::<usize>() - same_bytes,
            conflicting: groups
                .iter()
                .filter(|group| group.iter().any(|i| class(*i) != class(group[0])))
                .cloned()
                .collect(),
            unusable: Vec::new(),
            groups,
        }
    }

    /// For each image the name of what must stay on one side of a split: its patient, or without one itself, and for near
    /// duplicates that of the first of them. In a data set without near duplicates, patients and nothing else.
    pub fn sides<'a>(&self, images: &'a Dataset) -> Vec<&'a str> {
        let mut union = UnionFind::new(images.examples.len());
        let mut first = BTreeMap::new();
        for (i, example) in images.examples.iter().enumerate() {
            if let Some(patient) = &example.patient_key {
                union.unite(*first.entry(patient).or_insert(i), i);
            }
        }
        for group in &self.groups {
            group.iter().for_each(|&i| union.unite(group[0], i));
        }
        (0..images.examples.len()).map(|i| images.examples[union.root(i)].side()).collect()
    }

    /// The images in a given part whose side is in an earlier part too: of training, validation and test images that
    /// should be apart, the training image stays. Empty for a data set without parts.
    pub fn leaking(&self, images: &Dataset) -> Vec<usize> {
        let sides = self.sides(images);
        let mut earliest = BTreeMap::new();
        for (side, part) in sides.iter().zip(images.examples.iter().map(|example| example.part)) {
            let Some(part) = part else { continue };
            earliest.entry(*side).and_modify(|first| *first = part.min(*first)).or_insert(part);
        }
        let leaks = |i: &usize| images.examples[*i].part.is_some_and(|part| part > earliest[sides[*i]]);
        (0..sides.len()).filter(leaks).collect()
    }
}

/// Pairs of `distinct` images that look alike.
fn look_alikes(fingerprints: &[Fingerprint], distinct: &[usize]) -> Vec<(usize, usize)> {
    let looks: Vec<(usize, Look)> = distinct.iter().filter_map(|&i| Some((i, fingerprints[i].look?))).collect();
    looks
        .par_iter()
        .enumerate()
        .flat_map_iter(|(at, (one, look))| {
            let symmetries = look.symmetries();
            let alike = move |other: &Look| symmetries.iter().any(|symmetry| symmetry.distance(other) <= TOLERANCE);
            looks[at + 1..].iter().filter(move |(_, other)| alike(other)).map(|(other, _)| (*one, *other))
        })
        .collect()
}
