//! What a seed draws.

use cspine_domain::Class;
use cspine_phantom::{Case, Kind, Mimic, Preset};
use std::collections::BTreeMap;

const DRAWS: u64 = 4000;

fn cases(class: Class) -> impl Iterator<Item = Case> {
    (0..DRAWS).map(move |seed| Case::sample(seed, class))
}

#[test]
fn anatomy_and_acquisition_do_not_depend_on_the_class() {
    for seed in 0..200 {
        let normal = Case::sample(seed, Class::Normal);
        for class in [Class::Dislocation, Class::Fracture] {
            let injured = Case::sample(seed, class);
            assert_eq!(injured.class, class);
            assert_eq!(injured.anatomy, normal.anatomy);
            assert_eq!(injured.acquisition, normal.acquisition);
            assert_eq!(injured.patient_key, normal.patient_key);
            assert_eq!(injured.counterfactual(), normal);
        }
    }
}

#[test]
fn every_injury_exceeds_its_threshold_and_is_ambiguous_within_a_millimetre_of_it() {
    for case in cases(Class::Fracture).chain(cases(Class::Dislocation)) {
        let margin = case.severity_mm - case.kind.threshold_mm();
        assert!(margin > 0.0, "{case:?}");
        assert_eq!(case.ambiguous, margin < 1.0, "{case:?}");
        let (_, high) = case.kind.clear_mm();
        assert!(case.severity_mm <= high, "{case:?}");
        assert!(!case.level.is_empty() && case.kind != Kind::None);
    }
}

#[test]
fn ambiguous_cases_keep_their_shares() {
    let share = |class| cases(class).filter(|c| c.ambiguous).count() as f64 / DRAWS as f64;
    for class in [Class::Fracture, Class::Dislocation] {
        assert!((0.16..0.20).contains(&share(class)), "{class}: {}", share(class));
    }
    assert!((0.22..0.28).contains(&share(Class::Normal)), "normal: {}", share(Class::Normal));
}

#[test]
fn a_clear_normal_stays_below_every_threshold() {
    for case in cases(Class::Normal) {
        let a = &case.anatomy;
        assert_eq!(case.ambiguous, a.mimic.is_some());
        let step = a.steps.iter().fold(0.0f32, |m, s| m.max(s.abs()));
        let wedging = a.wedging.iter().copied().fold(0.0f32, f32::max);
        let (steps, wedges) = if case.ambiguous { (3.5, 3.0) } else { (2.0, 2.0) };
        assert!(step < steps && wedging < wedges, "{a:?}");
        if let Some(Mimic::Step(level, mm)) = a.mimic {
            assert!(a.steps[level] == mm && (2.0..3.5).contains(&mm.abs()));
        }
    }
}

#[test]
fn a_third_of_the_fractures_is_at_c2_and_half_at_c6_and_c7() {
    let mut levels = BTreeMap::<String, u32>::new();
    for case in cases(Class::Fracture) {
        *levels.entry(case.level).or_default() += 1;
    }
    let share = |level: &str| f64::from(levels[level]) / DRAWS as f64;
    assert!((share("C2") - 1.0 / 3.0).abs() < 0.04, "{levels:?}");
    assert!((share("C6") + share("C7") - 0.5).abs() < 0.05, "{levels:?}");
}

#[test]
fn every_kind_occurs_in_its_own_class() {
    let mut kinds = BTreeMap::<(&str, &str), u32>::new();
    for case in Class::ALL.iter().flat_map(|class| cases(*class)) {
        *kinds.entry((case.class.as_str(), case.kind.as_str())).or_default() += 1;
    }
    assert_eq!(kinds.len(), Kind::ALL.len(), "{kinds:?}");
    assert!(kinds.values().all(|n| *n > 300), "{kinds:?}");
}

#[test]
fn an_injury_keeps_away_from_the_mimic() {
    let overlapping = cases(Class::Fracture).filter(|c| match (c.anatomy.mimic, &c.lesion) {
        (Some(Mimic::Step(level, _)), Some(lesion)) => (level..=level + 1).contains(&lesion.vertebra),
        _ => false,
    });
    assert_eq!(overlapping.count(), 0);
}

#[test]
fn presets_read_their_own_words_and_no_others() {
    for preset in Preset::ALL {
        assert_eq!(preset.as_str().parse(), Ok(preset));
    }
    assert!("shift-c".parse::<Preset>().is_err());
}
