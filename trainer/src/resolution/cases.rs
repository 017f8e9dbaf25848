//! The phantoms that are read: a set as it comes, and injuries of every size alike.

use cspine_domain::Class;
use cspine_imaging::Radiograph;
use cspine_phantom::{Case, Preset};

use crate::phantoms::Counts;

/// Lesion sizes from each border to the next, mm.
pub const FRACTURE_BORDERS: [f32; 7] = [2.1, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0];
/// The same of dislocations.
pub const DISLOCATION_BORDERS: [f32; 6] = [3.6, 4.0, 4.5, 6.0, 8.0, 10.0];

/// Injuries of one class and like size.
#[derive(Debug, Clone)]
pub struct Bin {
    /// Dislocation or fracture.
    pub class: Class,
    /// Smallest and largest severity, mm.
    pub mm: [f32; 2],
    /// The injuries.
    pub cases: Vec<Case>,
}

/// A set with the phantoms' own shares of kinds and sizes.
pub fn natural(counts: Counts, seed: u64) -> Vec<Case> {
    let classes = Class::ALL.iter().zip(counts.0).flat_map(|(class, n)| std::iter::repeat_n(*class, n as usize));
    classes.enumerate().map(|(i, class)| Case::sample(first(seed) + i as u64, class)).collect()
}

/// `each` injuries a bin, the first that fall into it.
pub fn by_size(each: usize, seed: u64) -> Vec<Bin> {
    let bins = |class: Class, borders: &[f32]| -> Vec<Bin> {
        let bin = |pair: &[f32]| Bin { class, mm: [pair[0], pair[1]], cases: Vec::new() };
        let mut bins: Vec<Bin> = borders.windows(2).map(bin).collect();
        // The second half of the seed's room: none of them is in the natural set.
        for i in (1 << 23)..(1 << 24) {
            let case = Case::sample(first(seed) + i, class);
            let inside = |bin: &&mut Bin| (bin.mm[0]..bin.mm[1]).contains(&case.severity_mm) && bin.cases.len() < each;
            if let Some(bin) = bins.iter_mut().find(inside) {
                bin.cases.push(case);
            }
            if bins.iter().all(|bin| bin.cases.len() == each) {
                break;
            }
        }
        bins
    };
    let dislocations = bins(Class::Dislocation, &DISLOCATION_BORDERS);
    dislocations.into_iter().chain(bins(Class::Fracture, &FRACTURE_BORDERS)).collect()
}

/// The film as the networks are given it.
pub fn film(case: &Case, size: u32, preset: Preset) -> Radiograph {
    let film = case.render(size, preset);
    Radiograph::grey(film.width, film.height, film.pixels)
}

/// A seed's first case, as data sets of `cspine-trainer phantoms` have it.
pub fn first(seed: u64) -> u64 {
    seed << 24
}

#[cfg(test)]
mod tests {
    use super::{by_size, natural};

    #[test]
    fn every_bin_is_full_of_injuries_of_its_size_and_none_is_in_the_natural_set() {
        let set = natural("dislocation=20,fracture=20,normal=20".parse().unwrap(), 9);
        assert_eq!(set.len(), 60);
        for bin in by_size(5, 9) {
            assert_eq!(bin.cases.len(), 5, "{:?}", bin.mm);
            for case in bin.cases {
                assert!(case.class == bin.class && (bin.mm[0]..bin.mm[1]).contains(&case.severity_mm));
                assert!(set.iter().all(|other| other.seed != case.seed));
            }
        }
    }
}
