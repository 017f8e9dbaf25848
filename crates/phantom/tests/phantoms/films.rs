//! What is rendered.

use cspine_domain::Class;
use cspine_phantom::{Case, Film, Preset};

/// Sides of pixels and greys are relative to the picture, so one size serves.
const SIZE: u32 = 320;

/// The mask grown by `mm`.
fn grown(film: &Film, mm: f32) -> Vec<bool> {
    let (n, reach) = (film.width as usize, (mm / film.spacing_mm).ceil() as isize);
    let mut out = vec![false; n * n];
    for (i, _) in film.mask.iter().enumerate().filter(|(_, m)| **m == 255) {
        let (x, y) = ((i % n) as isize, (i / n) as isize);
        for yy in (y - reach).max(0)..=(y + reach).min(n as isize - 1) {
            for xx in (x - reach).max(0)..=(x + reach).min(n as isize - 1) {
                out[yy as usize * n + xx as usize] = true;
            }
        }
    }
    out
}

/// Changes of grey between two films, 0 to 1.
fn changes(a: &Film, b: &Film) -> Vec<f32> {
    a.pixels.iter().zip(&b.pixels).map(|(a, b)| (f32::from(*a) - f32::from(*b)).abs() / 65535.0).collect()
}

/// The mean over squares of `by` pixels.
fn reduced(film: &Film, by: usize) -> Vec<f32> {
    let n = film.width as usize;
    let mut out = vec![0.0f32; (n / by).pow(2)];
    for (i, p) in film.pixels.iter().enumerate() {
        out[i / n / by * (n / by) + i % n / by] += f32::from(*p) / 65535.0 / (by * by) as f32;
    }
    out
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    for preset in Preset::ALL {
        let case = Case::sample(11, Class::Fracture);
        assert_eq!(case.render(SIZE, preset), case.clone().render(SIZE, preset));
        assert_ne!(case.render(SIZE, preset), Case::sample(12, Class::Fracture).render(SIZE, preset));
    }
}

#[test]
fn injuries_have_a_mask_and_normals_have_none() {
    for seed in 0..24 {
        for class in Class::ALL {
            let film = Case::sample(seed, *class).render(SIZE, Preset::Reference);
            let marked = film.mask.iter().filter(|m| **m == 255).count();
            let mm2 = marked as f32 * film.spacing_mm * film.spacing_mm;
            if class.is_injury() {
                assert!((60.0..2500.0).contains(&mm2), "seed {seed} {class}: {mm2} mm²");
            } else {
                assert_eq!(marked, 0);
            }
            assert!(film.mask.iter().all(|m| *m == 0 || *m == 255));
        }
    }
}

#[test]
fn a_fracture_changes_nothing_away_from_its_mask() {
    for seed in 0..40 {
        let case = Case::sample(seed, Class::Fracture);
        let film = case.render(SIZE, Preset::Reference);
        let without = case.counterfactual().render(SIZE, Preset::Reference);
        let near = grown(&film, 2.0);
        let worst =
            changes(&film, &without).iter().zip(&near).filter(|(_, n)| !**n).fold(0.0f32, |m, (c, _)| m.max(*c));
        assert!(worst < 0.02, "seed {seed} {} {}: {worst}", case.kind.as_str(), case.level);
    }
}

#[test]
fn a_dislocation_moves_the_bones_above_its_level_and_none_below() {
    for seed in 0..24 {
        let case = Case::sample(seed, Class::Dislocation);
        let film = case.render(SIZE, Preset::Reference);
        let without = case.counterfactual().render(SIZE, Preset::Reference);
        let n = film.width as usize;
        let marked: Vec<usize> = (0..n * n).filter(|i| film.mask[*i] == 255).collect();
        // In the columns of the spine: before it the jaw comes down as the head tips.
        let left = marked.iter().map(|i| i % n).min().expect("a dislocation has a mask");
        let right = marked.iter().map(|i| i % n).max().expect("a dislocation has a mask");
        let (top, bottom) = (marked[0] / n, marked[marked.len() - 1] / n + (6.0 / film.spacing_mm) as usize);
        // Skin and the display's slow part change softly, a moved bone has edges.
        let change = |i: usize| (f32::from(film.pixels[i]) - f32::from(without.pixels[i])) / 65535.0;
        let edge = |from: usize, to: usize| {
            let places = (from.min(n)..to.min(n)).flat_map(|y| (left..right - 2).map(move |x| y * n + x));
            places.map(|i| (change(i) - change(i + 2)).abs()).fold(0.0f32, f32::max)
        };
        let (above, below) = (edge(0, top), edge(bottom, n));
        assert!(above > 0.12 && below < 0.06, "seed {seed} {}: above {above}, below {below}", case.level);
    }
}

#[test]
fn a_clear_injury_shows_at_the_networks_resolution() {
    for seed in 0..60 {
        for class in [Class::Fracture, Class::Dislocation] {
            let case = Case::sample(seed, class);
            if case.ambiguous {
                continue;
            }
            let film = case.render(224, Preset::Reference);
            let without = case.counterfactual().render(224, Preset::Reference);
            let changed = changes(&film, &without)
                .iter()
                .zip(&film.mask)
                .filter(|(change, mask)| **mask == 255 && **change > 0.05)
                .count();
            assert!(changed >= 12, "seed {seed} {} {}: {changed} pixels", case.kind.as_str(), case.level);
        }
    }
}

#[test]
fn the_lesion_lies_in_the_collimated_field() {
    for seed in 0..150 {
        for class in [Class::Fracture, Class::Dislocation] {
            let case = Case::sample(seed, class);
            let film = case.render(128, Preset::Reference);
            let a = &case.acquisition;
            let (sin, cos) = a.field_angle.sin_cos();
            let inside = |i: usize| {
                let mm = |p: usize, offset: f32| (p as f32 + 0.5) * film.spacing_mm - 0.5 * a.canvas_mm - offset;
                let (x, y) = (mm(i % 128, a.field_offset_mm[0]), mm(i / 128, a.field_offset_mm[1]));
                (x * cos + y * sin).abs() < 0.5 * a.field_mm[0] && (y * cos - x * sin).abs() < 0.5 * a.field_mm[1]
            };
            let marked: Vec<usize> = (0..film.mask.len()).filter(|i| film.mask[*i] == 255).collect();
            let seen = marked.iter().filter(|i| inside(**i)).count();
            let share = seen as f32 / marked.len() as f32;
            assert!(share > 0.9, "seed {seed} {} {}: {share}", case.kind.as_str(), case.level);
        }
    }
}

#[test]
fn a_small_film_is_the_large_one_reduced() {
    for (seed, class) in [(1, Class::Normal), (2, Class::Fracture), (3, Class::Dislocation), (4, Class::Normal)] {
        let case = Case::sample(seed, class);
        let large = reduced(&case.render(1024, Preset::Reference), 4);
        let small = reduced(&case.render(256, Preset::Reference), 1);
        let n = small.len() as f32;
        let mean = small.iter().zip(&large).map(|(a, b)| (a - b).abs()).sum::<f32>() / n;
        let bias = small.iter().zip(&large).map(|(a, b)| a - b).sum::<f32>() / n;
        assert!(mean < 0.012 && bias.abs() < 0.003, "seed {seed}: mean {mean}, bias {bias}");
    }
}

#[test]
fn noise_falls_with_the_pixels_side_alike_at_every_size() {
    // The same film under two noise draws would need two seeds; a smooth corner outside the bones serves.
    let case = Case::sample(21, Class::Normal);
    let spread = |values: &[f32], n: usize| {
        // Differences of neighbours in a patch of air-free soft tissue: the high frequencies are noise.
        let (mut sum, mut count) = (0.0f64, 0.0f64);
        for y in n / 3..n / 2 {
            for x in n * 55 / 100..n * 70 / 100 {
                let d = f64::from(values[y * n + x] - values[y * n + x + 1]);
                sum += d * d;
                count += 1.0;
            }
        }
        (sum / count).sqrt()
    };
    let reference = spread(&reduced(&case.render(1024, Preset::Reference), 2), 512);
    let small = spread(&reduced(&case.render(512, Preset::Reference), 1), 512);
    assert!((0.6..1.6).contains(&(reference / small)), "{reference} {small}");
}

#[test]
fn blanking_hides_the_lesion_alike_on_both_of_a_pair() {
    let case = Case::sample(5, Class::Fracture);
    let mut film = case.render(SIZE, Preset::Reference);
    let mut without = case.counterfactual().render(SIZE, Preset::Reference);
    let mask = film.mask.clone();
    let before = changes(&film, &without).iter().copied().fold(0.0f32, f32::max);
    film.blank(&mask);
    without.blank(&mask);
    let after = changes(&film, &without).iter().copied().fold(0.0f32, f32::max);
    assert!(before > 0.1 && after < 0.02, "{before} {after}");
    let untouched = without.clone();
    without.blank(&vec![0; mask.len()]);
    assert_eq!(without, untouched);
}
