//! Drift on films: a department that stays as it is, and two whose films are taken in another way.

use std::time::Instant;

use cspine_domain::{Class, Reason, Verdict};
use cspine_imaging::Radiograph;
use cspine_nets::{Classifier, Standing};
use cspine_phantom::{Case, Preset};
use cspine_trainer::drift::{Drift, Observed, Settings, State, What, drift};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rayon::prelude::*;

const STARTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/models/starter.safetensors");

/// Images of a window, as many as `--drift-images` is by default: a change must be found when a window is full of it, the
/// larger one when half as many are there.
const WINDOW: usize = 200;

/// Patients of a department, nine of ten without an injury, as the model sees them. No two seeds share one.
fn observed(model: &Classifier, seed: u64, count: usize, preset: Preset) -> Vec<Observed> {
    let one = |i: usize| {
        let class = match i % 20 {
            0 => Class::Dislocation,
            10 => Class::Fracture,
            _ => Class::Normal,
        };
        let film = Case::sample((seed << 24) + i as u64, class).render(448, preset);
        let film = Radiograph::grey(film.width, film.height, film.pixels);
        let inference = model.infer(&model.card().preprocessing.apply(&film), None).unwrap();
        let [dislocation, fracture, _] = inference.probabilities;
        let (verdict, reason) = match inference.standing {
            Standing::Typical => (inference.class.into(), None),
            Standing::Atypical => (inference.class.into(), Some(Reason::Atypical)),
            Standing::OutOfDistribution => (Verdict::NotAssessable, Some(Reason::OutOfDistribution)),
        };
        Observed {
            p_injury: inference.standing.is_answered().then_some(dislocation + fracture),
            verdict,
            reason,
            features: Some(inference.features),
            modality: Some("DX".to_owned()),
            site: None,
        }
    };
    (0..count).into_par_iter().with_max_len(1).map(one).collect()
}

fn sentence(name: &str, drift: &Drift) -> String {
    format!("{name}: {:?} by {:?}\n{}", drift.state, drift.drifted, serde_json::to_string_pretty(drift).unwrap())
}

#[test]
fn other_films_are_found_within_two_hundred_images_and_the_same_are_not() {
    let model = Classifier::load(&std::fs::read(STARTER).unwrap()).unwrap();
    let begin = Instant::now();
    let reference = observed(&model, 9101, 300, Preset::Reference);
    let same = observed(&model, 9102, 300, Preset::Reference);
    println!("600 films in {:?}", begin.elapsed());

    let begin = Instant::now();
    for seed in 0..5 {
        let window: Vec<Observed> = same.choose_multiple(&mut StdRng::seed_from_u64(seed), WINDOW).cloned().collect();
        let answer = drift(&reference, &window, &Settings { seed, ..Settings::default() });
        assert_eq!(answer.state, State::Steady, "{}", sentence("reference", &answer));
    }
    println!("a comparison in {:?}", begin.elapsed() / 5);

    for (preset, seed, images) in [(Preset::ShiftA, 9103, WINDOW), (Preset::ShiftB, 9104, WINDOW / 2)] {
        let window = observed(&model, seed, images, preset);
        let answer = drift(&reference, &window, &Settings::default());
        assert_eq!(answer.state, State::Drifted, "{}", sentence(&preset.to_string(), &answer));
        assert!(answer.drifted.contains(&What::Features), "{}", sentence(&preset.to_string(), &answer));
        println!("{preset}: {:?}", answer.drifted);
    }
}
