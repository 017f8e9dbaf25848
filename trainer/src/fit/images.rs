//! Decoded images, kept in memory at the network's resolution.

use anyhow::Result;
use cspine_domain::{Class, Sha256};
use cspine_imaging::{Limits, Preprocessing};
use rayon::prelude::*;

use crate::dataset::{Dataset, digest, grey, read};

/// Every image of a data set as 16-bit grey planes, two bytes a pixel.
pub struct Images {
    preprocessing: Preprocessing,
    planes: Vec<Vec<u16>>,
    classes: Vec<Class>,
    digests: Vec<Sha256>,
}

impl Images {
    /// Reads and decodes every image; `tell` hears of each. The first that cannot be used is an error that names it.
    pub fn load(
        dataset: &Dataset,
        preprocessing: &Preprocessing,
        limits: &Limits,
        tell: impl Fn() + Sync,
    ) -> Result<Self> {
        let loaded = dataset
            .examples
            .par_iter()
            .map(|example| {
                let bytes = read(example, limits)?;
                let plane = grey(example, &bytes, preprocessing, limits)?;
                tell();
                Ok((stored(&plane), Sha256::of(&bytes)))
            })
            .collect::<Result<Vec<(Vec<u16>, Sha256)>>>()?;
        let (planes, digests) = loaded.into_iter().unzip();
        let classes = dataset.examples.iter().map(|example| example.class).collect();
        Ok(Self { preprocessing: preprocessing.clone(), planes, classes, digests })
    }

    /// Of images that were decoded elsewhere, each as [`Preprocessing::grey`] gives it.
    pub fn of(preprocessing: &Preprocessing, decoded: Vec<(Vec<f32>, Class, Sha256)>) -> Self {
        let mut images =
            Self { preprocessing: preprocessing.clone(), planes: Vec::new(), classes: Vec::new(), digests: Vec::new() };
        for (grey, class, digest) in decoded {
            images.planes.push(stored(&grey));
            images.classes.push(class);
            images.digests.push(digest);
        }
        images
    }

    /// One image, `side * side` values from 0 to 1.
    pub fn grey(&self, index: usize) -> Vec<f32> {
        self.planes[index].iter().map(|&v| f32::from(v) / 65535.0).collect()
    }

    /// Its class.
    pub fn class(&self, index: usize) -> Class {
        self.classes[index]
    }

    /// Pixels a side.
    pub fn side(&self) -> usize {
        self.preprocessing.size as usize
    }

    /// How they were made, and how they become the network's input.
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    /// What names these images as a set, whatever their files are called.
    pub fn digest(&self, chosen: &[usize]) -> Sha256 {
        digest(chosen.iter().map(|&i| self.digests[i]))
    }
}

/// Grey values from 0 to 1 in 16 bits.
fn stored(grey: &[f32]) -> Vec<u16> {
    grey.iter().map(|v| (v * 65535.0).round() as u16).collect()
}
