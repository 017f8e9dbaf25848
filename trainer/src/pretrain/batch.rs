//! Batches of fresh phantoms: many injuries beside their counterfactuals, with the injury's place on a coarse grid.

use cspine_domain::Class;
use cspine_imaging::{Preprocessing, Radiograph, resize};
use cspine_nets::Architecture;
use cspine_nets::saliency::Grid;
use cspine_phantom::{Case, Film, Preset};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rayon::prelude::*;

use super::grid;
use crate::augment::Augmentation;

/// What one stage of pre-training shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Diet {
    /// The network that eats it.
    pub architecture: Architecture,
    /// Whether it is asked for the class too, not only for the place.
    pub classes: bool,
    /// Pictures a batch.
    pub batch: usize,
    /// Side of a rendered phantom, pixels.
    pub render: u32,
    /// Side of what the network sees: the whole film at this size, or a window of the film at `film` pixels.
    pub side: usize,
    /// Side of the whole film as the network would see it.
    pub film: usize,
    /// The share of injuries that are drawn again until they are clear.
    pub clear: f32,
}

/// Pictures, labels and where the injuries are.
pub struct Batch {
    /// `[n, 3, side, side]`, normalised.
    pub images: Vec<f32>,
    /// Class indices.
    pub labels: Vec<u32>,
    /// `[n, cells, cells, 2]`: 1 where a dislocation, a fracture is.
    pub places: Vec<f32>,
}

/// Makes the batch of a step; the same whatever the number of threads.
pub fn batch(seeds: &Seeds, step: u64, diet: &Diet, preprocessing: &Preprocessing) -> Batch {
    // Half of the pictures are injuries with their counterfactual, a half of those pairs kept whole.
    let groups = diet.batch / 4;
    let pictures: Vec<Picture> = (0..groups as u64)
        .into_par_iter()
        .flat_map_iter(|group| four(seeds, step * groups as u64 + group, diet, preprocessing))
        .collect();
    let mut batch = Batch { images: Vec::new(), labels: Vec::new(), places: Vec::new() };
    for picture in pictures {
        batch.images.extend(preprocessing.normalise(&picture.plane));
        batch.labels.push(picture.class.index() as u32);
        batch.places.extend(picture.places);
    }
    batch
}

/// The documented range of seeds that pre-training draws from.
#[derive(Debug, Clone, Copy)]
pub struct Seeds {
    /// The first.
    pub first: u64,
    /// How many.
    pub count: u64,
}

struct Picture {
    plane: Vec<f32>,
    class: Class,
    places: Vec<f32>,
}

/// An injury, its counterfactual, another injury and a normal.
fn four(seeds: &Seeds, group: u64, diet: &Diet, preprocessing: &Preprocessing) -> Vec<Picture> {
    let seed = |i: u64| seeds.first + (group * 4 + i) % seeds.count;
    let mut rng = StdRng::seed_from_u64(seed(0) ^ (group << 32) ^ 0xBA7C);
    let pair = injured(seed(0), 0.35, diet, &mut rng);
    let other = injured(seed(1), 0.45, diet, &mut rng);
    let normal = Case::sample(seed(2), Class::Normal);
    let film = pair.render(diet.render, Preset::Reference);
    let healed = pair.counterfactual().render(diet.render, Preset::Reference);
    let window = Window::around(&film.mask, film.width as usize, diet, &mut rng);
    let other_film = other.render(diet.render, Preset::Reference);
    let other_window = Window::around(&other_film.mask, other_film.width as usize, diet, &mut rng);
    let normal_film = normal.render(diet.render, Preset::Reference);
    // The normal is looked at where an injury of another film is, so that places say nothing.
    let somewhere = Window::around(&other_film.mask, other_film.width as usize, diet, &mut rng);
    [
        (film, pair.class, window),
        (healed, Class::Normal, window),
        (other_film, other.class, other_window),
        (normal_film, Class::Normal, somewhere),
    ]
    .into_iter()
    .map(|(film, class, window)| picture(film, class, window, diet, preprocessing, &mut rng))
    .collect()
}

fn injured(seed: u64, dislocations: f64, diet: &Diet, rng: &mut StdRng) -> Case {
    let class = if rng.random_bool(dislocations) { Class::Dislocation } else { Class::Fracture };
    let case = Case::sample(seed, class);
    if case.ambiguous && rng.random::<f32>() < diet.clear {
        return (1..)
            .map(|i| Case::sample(seed ^ (i << 40), class))
            .find(|case| !case.ambiguous)
            .expect("most are clear");
    }
    case
}

/// The part of a film that is shown, in pixels of the film at `diet.film`.
#[derive(Clone, Copy)]
struct Window {
    x: usize,
    y: usize,
}

impl Window {
    /// A window that has the mask's middle somewhere in its inner part.
    fn around(mask: &[u8], width: usize, diet: &Diet, rng: &mut StdRng) -> Self {
        let room = diet.film - diet.side;
        if room == 0 {
            return Self { x: 0, y: 0 };
        }
        let (mut sum, mut count) = ([0usize; 2], 0usize);
        for (i, _) in mask.iter().enumerate().filter(|(_, m)| **m != 0) {
            sum = [sum[0] + i % width, sum[1] + i / width];
            count += 1;
        }
        let mut start = |sum: usize| {
            let middle = if count == 0 { 0.5 } else { sum as f32 / (count * width) as f32 } * diet.film as f32;
            let jitter = diet.side as f32 * 0.3 * (2.0 * rng.random::<f32>() - 1.0);
            (middle + jitter - diet.side as f32 / 2.0).clamp(0.0, room as f32) as usize
        };
        Self { x: start(sum[0]), y: start(sum[1]) }
    }

    fn cut(self, plane: &[f32], diet: &Diet) -> Vec<f32> {
        (self.y..self.y + diet.side).flat_map(|y| &plane[y * diet.film + self.x..][..diet.side]).copied().collect()
    }
}

fn picture(
    film: Film,
    class: Class,
    window: Window,
    diet: &Diet,
    preprocessing: &Preprocessing,
    rng: &mut StdRng,
) -> Picture {
    let mask: Vec<f32> = film.mask.iter().map(|&m| f32::from(m) / 255.0).collect();
    let side = film.width as usize;
    let radiograph = Radiograph::grey(film.width, film.height, film.pixels);
    let mut plane = window.cut(&preprocessing.grey(&radiograph), diet);
    let mask = if mask.iter().any(|&m| m > 0.0) {
        window.cut(&resize(&mask, side, side, diet.film, diet.film), diet)
    } else {
        vec![0.0; plane.len()]
    };
    if rng.random_bool(0.7) {
        Augmentation::DEFAULT.expose(&mut plane, rng);
    }
    Picture { plane, class, places: places(&mask, diet, class) }
}

/// Where a cell of the network's map is covered by the mask to an eighth or more.
fn places(mask: &[f32], diet: &Diet, class: Class) -> Vec<f32> {
    let (cells, Grid { first, step }) = (grid::cells(diet.architecture, diet.side), Grid::fine(diet.architecture));
    let mut places = vec![0.0; cells * cells * 2];
    if class == Class::Normal {
        return places;
    }
    let cell = |pixel: usize| pixel.checked_sub(first).map(|p| p / step).filter(|&cell| cell < cells);
    let mut cover = vec![0.0f32; cells * cells];
    for (i, m) in mask.iter().enumerate() {
        if let (Some(x), Some(y)) = (cell(i % diet.side), cell(i / diet.side)) {
            cover[y * cells + x] += m / (step * step) as f32;
        }
    }
    for (cell, cover) in cover.iter().enumerate() {
        places[cell * 2 + class.index()] = f32::from(u8::from(*cover > 0.125));
    }
    places
}
