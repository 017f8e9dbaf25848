//! Decoded images, kept in memory at the network's resolution.

use anyhow::Result;
use cspine_domain::{Class, Sha256};
use cspine_imaging::{Limits, Preprocessing};
use rayon::prelude::*;

use crate::dataset::{Dataset, digest, grey, read};

/// Every image of a data set as 16-bit grey planes, two bytes a pixel.
pub struct Images {
    preprocessing: Preprocessing,
    /// None where an image cannot be decoded or assessed.
    planes: Vec<Option<Vec<u16>>>,
    classes: Vec<Class>,
    digests: Vec<Sha256>,
}

impl Images {
    /// Reads and decodes every image; `tell` hears of each.
    ///
    /// # Errors
    /// A file that cannot be read, or is too large to be. One that cannot be decoded or assessed is an image that is
    /// not [`Images::usable`].
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
                let plane = grey(example, &bytes, preprocessing, limits).ok();
                tell();
                Ok((plane.as_deref().map(stored), Sha256::of(&bytes)))
            })
            .collect::<Result<Vec<(Option<Vec<u16>>, Sha256)>>>()?;
        let (planes, digests) = loaded.into_iter().unzip();
        let classes = dataset.examples.iter().map(|example| example.class).collect();
        Ok(Self { preprocessing: preprocessing.clone(), planes, classes, digests })
    }

    /// Of images that were decoded elsewhere, each as [`Preprocessing::grey`] gives it.
    pub fn of(preprocessing: &Preprocessing, decoded: Vec<(Vec<f32>, Class, Sha256)>) -> Self {
        let mut images =
            Self { preprocessing: preprocessing.clone(), planes: Vec::new(), classes: Vec::new(), digests: Vec::new() };
        for (grey, class, digest) in decoded {
            images.planes.push(Some(stored(&grey)));
            images.classes.push(class);
            images.digests.push(digest);
        }
        images
    }

    /// Whether an image could be decoded and assessed.
    pub fn usable(&self, index: usize) -> bool {
        self.planes[index].is_some()
    }

    /// One image, `side * side` values from 0 to 1.
    ///
    /// # Panics
    /// If it is not [`Images::usable`].
    pub fn grey(&self, index: usize) -> Vec<f32> {
        let plane = self.planes[index].as_ref().expect("only usable images are looked at");
        plane.iter().map(|&v| f32::from(v) / 65535.0).collect()
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use image::codecs::jpeg::JpegEncoder;
    use image::{GrayImage, Luma, RgbImage};

    use super::*;

    fn load(folder: &Path) -> Result<Images> {
        let preprocessing = Preprocessing { size: 64, ..Preprocessing::default() };
        Images::load(&Dataset::open(folder).unwrap(), &preprocessing, &Limits::default(), || ())
    }

    #[test]
    fn an_image_that_cannot_be_decoded_or_assessed_is_not_usable_and_one_that_cannot_be_read_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let normal = folder.path().join("normal");
        std::fs::create_dir(&normal).unwrap();
        let picture = GrayImage::from_fn(90, 80, |x, y| Luma([(x * 2 + y) as u8]));
        picture.save(normal.join("a good.png")).unwrap();
        RgbImage::from_fn(90, 80, |x, _| image::Rgb([x as u8 * 2, 0, 128])).save(normal.join("coloured.png")).unwrap();
        GrayImage::from_fn(90, 63, |x, y| Luma([(x + y) as u8])).save(normal.join("tiny.png")).unwrap();
        let mut jpeg = vec![];
        JpegEncoder::new(&mut jpeg).encode_image(&picture).unwrap();
        std::fs::write(normal.join("truncated.jpg"), &jpeg[..jpeg.len() / 2]).unwrap();
        let images = load(folder.path()).unwrap();
        assert_eq!([0, 1, 2, 3].map(|i| images.usable(i)), [true, false, false, false]);
        assert_eq!(images.grey(0).len(), 64 * 64);
        std::fs::create_dir(normal.join("other")).unwrap();
        std::os::unix::fs::symlink("nowhere", normal.join("other/gone.png")).unwrap();
        let refused = load(folder.path()).err().unwrap().to_string();
        assert!(refused.contains("normal/other/gone.png cannot be read"), "{refused}");
    }
}
