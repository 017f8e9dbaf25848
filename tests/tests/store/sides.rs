//! On which side a patient is, for ever; and what is on two.

use std::collections::BTreeMap;

use cspine_domain::{Class, Sha256};
use cspine_store::{Arrival, LearningSet, Patient, ReferenceImage, Store};
use cspine_tests::database::Database;

use crate::samples::{arrival, deal, labelled, of_patient, refused_by, review};

/// Registers an image and labels it as normal.
async fn label(store: &Store, image: &Arrival) {
    store.register_arrival(image).await.unwrap();
    store.record_review(&review(image.sop.as_str(), image, Class::Normal, "reader-1", 1)).await.unwrap();
}

/// The side of an image, and whether it is quarantined.
async fn side(store: &Store, image: &Arrival) -> (LearningSet, bool) {
    let image = labelled(store, image).await.expect("a labelled image");
    (image.set, image.quarantined)
}

/// An image that came with a champion.
fn reference(content: Sha256, patient: &str, set: LearningSet) -> ReferenceImage {
    ReferenceImage {
        content,
        object_key: format!("reference/{content}"),
        media_type: "image/png".into(),
        label: Class::Normal,
        patient: patient.into(),
        site: None,
        set,
    }
}

/// The sides of all labelled images by patient.
async fn sides(store: &Store) -> BTreeMap<String, LearningSet> {
    let images = store.labelled_images(i64::MAX).await.unwrap();
    images.into_iter().map(|image| (image.patient, image.set)).collect()
}

#[tokio::test]
async fn a_patient_stays_on_its_side_for_ever_also_when_another_key_would_draw_otherwise() {
    let db = Database::create().await;
    for number in 0..60 {
        label(&db.store, &of_patient(&format!("patient-{number}"), arrival(number, number))).await;
    }
    let before = sides(&db.store).await;
    assert_eq!(db.store.assign_sets().await.unwrap(), 120, "60 patients and their studies");
    assert_eq!(sides(&db.store).await, before, "what is going to be dealt is what is dealt");

    sqlx::query("update split_key set key = '\\x00'").execute(db.store.pool()).await.unwrap();
    let drawn_otherwise: i64 = sqlx::query_scalar("select count(*) from patient_sets where set <> drawn_set(patient)")
        .fetch_one(db.store.pool())
        .await
        .unwrap();
    assert!(drawn_otherwise > 10, "{drawn_otherwise}");
    for number in 0..60 {
        label(&db.store, &of_patient(&format!("patient-{number}"), arrival(100 + number, 100 + number))).await;
    }
    db.store.assign_sets().await.unwrap();
    assert_eq!(sides(&db.store).await, before);
    assert_eq!(db.store.label_tally().await.unwrap().quarantined, 0);
}

#[tokio::test]
async fn seventy_fifteen_and_fifteen_of_a_hundred_patients_are_dealt_each_side() {
    let db = Database::create().await;
    let drawn: Vec<(String, i64)> = sqlx::query_as(
        "select drawn_set('patient-' || number), count(*) from generate_series(1, 4000) as number group by 1 order by 1",
    )
    .fetch_all(db.store.pool())
    .await
    .unwrap();
    let [(_, evaluation), (_, training), (_, validation)] = &drawn[..] else { panic!("three sides: {drawn:?}") };
    // six standard deviations of a fair draw
    assert!((training - 2800).abs() < 174 && (validation - 600).abs() < 136 && (evaluation - 600).abs() < 136);
}

#[tokio::test]
async fn without_a_patient_key_a_study_never_measures() {
    let db = Database::create().await;
    for number in 0..60 {
        label(&db.store, &arrival(number, number)).await;
    }
    db.store.assign_sets().await.unwrap();
    let sides = sides(&db.store).await;
    assert_eq!(sides.len(), 60);
    assert!(sides.values().all(|set| *set != LearningSet::Evaluation));
    let drawn: i64 = sqlx::query_scalar(
        "select count(*) from generate_series(1, 4000) as number where drawn_set('study:1.2.' || number) = 'evaluation'",
    )
    .fetch_one(db.store.pool())
    .await
    .unwrap();
    assert_eq!(drawn, 0);
}

#[tokio::test]
async fn a_merge_across_sides_quarantines_both() {
    let db = Database::create().await;
    let (one, two) = (of_patient("one", arrival(1, 1)), of_patient("two", arrival(2, 2)));
    let bystander = of_patient("three", arrival(3, 3));
    deal(&db.store, "one", LearningSet::Training).await;
    deal(&db.store, "two", LearningSet::Evaluation).await;
    for image in [&one, &two, &bystander] {
        label(&db.store, image).await;
    }
    assert!(db.store.merge_patients("one", "two", "registry").await.unwrap());
    assert!(!db.store.merge_patients("one", "two", "registry").await.unwrap(), "once");
    assert_eq!(side(&db.store, &one).await, (LearningSet::Training, true));
    assert_eq!(side(&db.store, &two).await, (LearningSet::Evaluation, true));
    assert!(!side(&db.store, &bystander).await.1);
    assert_eq!(db.store.new_labels().await.unwrap().by_class, [0, 0, 1]);
    assert_eq!(db.store.label_tally().await.unwrap().quarantined, 2);
}

#[tokio::test]
async fn a_merge_on_one_side_quarantines_nothing() {
    let db = Database::create().await;
    for (number, patient) in ["one", "two"].into_iter().enumerate() {
        deal(&db.store, patient, LearningSet::Validation).await;
        let number = number as u32;
        label(&db.store, &of_patient(patient, arrival(number, number))).await;
    }
    db.store.merge_patients("two", "one", "registry").await.unwrap();
    assert_eq!(db.store.label_tally().await.unwrap().quarantined, 0);
}

#[tokio::test]
async fn a_merge_reaches_over_those_between() {
    let db = Database::create().await;
    let (one, five) = (of_patient("one", arrival(1, 1)), of_patient("five", arrival(5, 5)));
    deal(&db.store, "one", LearningSet::Training).await;
    deal(&db.store, "five", LearningSet::Validation).await;
    for image in [&one, &five] {
        label(&db.store, image).await;
    }
    // in every direction, and in a circle
    for (from, into) in [("one", "two"), ("three", "two"), ("three", "four"), ("two", "one")] {
        db.store.merge_patients(from, into, "registry").await.unwrap();
    }
    assert!(!side(&db.store, &one).await.1);
    db.store.merge_patients("five", "four", "registry").await.unwrap();
    assert!(side(&db.store, &one).await.1 && side(&db.store, &five).await.1);
}

#[tokio::test]
async fn whoever_has_no_side_yet_follows_those_he_was_merged_with() {
    let db = Database::create().await;
    for set in [LearningSet::Training, LearningSet::Validation, LearningSet::Evaluation] {
        let (old, new) = (format!("old {set}"), format!("new {set}"));
        deal(&db.store, &old, set).await;
        db.store.merge_patients(&old, &new, "registry").await.unwrap();
        let number = set.index() as u32;
        let image = of_patient(&new, arrival(number, number));
        label(&db.store, &image).await;
        db.store.assign_sets().await.unwrap();
        assert_eq!(side(&db.store, &image).await, (set, false));
    }
    // and two who are dealt at once are dealt alike
    for number in 10..40 {
        let (one, two) = (format!("one {number}"), format!("two {number}"));
        label(&db.store, &of_patient(&one, arrival(number, number))).await;
        label(&db.store, &of_patient(&two, arrival(100 + number, 100 + number))).await;
        db.store.merge_patients(&one, &two, "registry").await.unwrap();
    }
    db.store.assign_sets().await.unwrap();
    assert_eq!(db.store.label_tally().await.unwrap().quarantined, 0);
}

#[tokio::test]
async fn a_pseudonym_that_comes_late_from_another_side_quarantines() {
    let db = Database::create().await;
    let study = arrival(1, 1);
    label(&db.store, &study).await;
    db.store.assign_sets().await.unwrap();
    let (dealt, quarantined) = side(&db.store, &study).await;
    assert!(!quarantined && dealt != LearningSet::Evaluation);
    deal(&db.store, "measured", LearningSet::Evaluation).await;
    db.store.register_arrival(&of_patient("measured", study.clone())).await.unwrap();
    assert_eq!(side(&db.store, &study).await, (LearningSet::Evaluation, true));
}

#[tokio::test]
async fn a_pseudonym_that_comes_late_from_the_same_side_is_welcome() {
    let db = Database::create().await;
    let study = arrival(1, 1);
    label(&db.store, &study).await;
    db.store.assign_sets().await.unwrap();
    let (dealt, _) = side(&db.store, &study).await;
    deal(&db.store, "neighbour", dealt).await;
    db.store.register_arrival(&of_patient("neighbour", study.clone())).await.unwrap();
    assert_eq!(side(&db.store, &study).await, (dealt, false));
}

#[tokio::test]
async fn a_study_that_was_dealt_and_becomes_another_patients_is_quarantined() {
    let db = Database::create().await;
    deal(&db.store, "second", LearningSet::Training).await;
    deal(&db.store, "first", LearningSet::Evaluation).await;
    let study = of_patient("second", arrival(1, 1));
    label(&db.store, &study).await;
    db.store.assign_sets().await.unwrap();
    // events that contradict each other: the alphabetically first pseudonym stays
    db.store.register_arrival(&of_patient("first", study.clone())).await.unwrap();
    assert_eq!(side(&db.store, &study).await, (LearningSet::Evaluation, true));
}

#[tokio::test]
async fn one_image_of_two_patients_on_two_sides_is_quarantined_with_both() {
    let db = Database::create().await;
    for (patient, set) in
        [("one", LearningSet::Training), ("two", LearningSet::Evaluation), ("three", LearningSet::Training)]
    {
        deal(&db.store, patient, set).await;
    }
    let one = of_patient("one", arrival(1, 1));
    let two = Arrival { content: one.content, ..of_patient("two", arrival(2, 2)) };
    let three = Arrival { content: one.content, ..of_patient("three", arrival(3, 3)) };
    label(&db.store, &one).await;
    label(&db.store, &three).await;
    assert_eq!(side(&db.store, &one).await, (LearningSet::Training, false), "on one side it may come twice");
    label(&db.store, &two).await;
    for image in [one, two, three] {
        assert!(side(&db.store, &image).await.1);
    }
}

#[tokio::test]
async fn an_image_that_came_with_the_champion_on_another_side_is_quarantined() {
    let db = Database::create().await;
    deal(&db.store, "one", LearningSet::Training).await;
    let image = of_patient("one", arrival(1, 1));
    label(&db.store, &image).await;
    let another = reference(Sha256::of(b"another"), "phantom", LearningSet::Evaluation);
    db.store.add_reference(&[another], "qa-7").await.unwrap();
    assert!(!side(&db.store, &image).await.1);
    let same = reference(image.content, "phantom", LearningSet::Evaluation);
    db.store.add_reference(&[same], "qa-7").await.unwrap();
    assert_eq!(side(&db.store, &image).await, (LearningSet::Training, true));
}

#[tokio::test]
async fn patients_on_two_sides_are_those_whom_merges_connect_with_another_side() {
    let db = Database::create().await;
    let replayed = reference(Sha256::of(b"replayed"), "replayed", LearningSet::Training);
    let frozen = reference(Sha256::of(b"frozen"), "frozen", LearningSet::Evaluation);
    let neighbour = reference(Sha256::of(b"neighbour"), "neighbour", LearningSet::Training);
    db.store.add_reference(&[replayed, frozen, neighbour], "qa-7").await.unwrap();
    for (from, into) in [("neighbour", "nobody"), ("replayed", "between")] {
        db.store.merge_patients(from, into, "registry").await.unwrap();
    }
    assert!(db.store.patients_on_two_sides().await.unwrap().is_empty());
    db.store.merge_patients("frozen", "between", "registry").await.unwrap();
    let on_two_sides = db.store.patients_on_two_sides().await.unwrap();
    assert_eq!(on_two_sides.into_iter().collect::<Vec<_>>(), ["frozen", "replayed"]);
}

#[tokio::test]
async fn a_pseudonym_is_known_by_its_images_and_its_side() {
    let db = Database::create().await;
    let image = reference(Sha256::of(b"reference"), "one", LearningSet::Validation);
    db.store.add_reference(&[image], "qa-7").await.unwrap();
    for (patient, number) in [("one", 1), ("one", 2), ("two", 3)] {
        db.store.register_arrival(&of_patient(patient, arrival(number, number))).await.unwrap();
    }
    for (name, images, set) in [("one", 3, Some(LearningSet::Validation)), ("two", 1, None), ("three", 0, None)] {
        assert_eq!(db.store.patient(name).await.unwrap(), Patient { images, set }, "{name}");
    }
}

#[tokio::test]
async fn sides_cannot_be_changed_and_studies_not_be_merged_by_anybody() {
    let db = Database::create().await;
    deal(&db.store, "one", LearningSet::Training).await;
    for statement in [
        "update patient_sets set set = 'evaluation'",
        "delete from patient_sets",
        "truncate patient_sets cascade",
        "insert into patient_sets (patient, set) values ('one', 'evaluation')
             on conflict (patient) do update set set = excluded.set",
    ] {
        let refused = refused_by(&db, statement.into()).await;
        assert!(refused.ends_with("keeps what it has"), "{statement}: {refused}");
    }
    for (from, into, constraint) in [
        ("one", "one", "nobody_is_merged_into_himself"),
        ("study:1.2", "one", "only_pseudonyms_are_merged"),
        ("one", "study:1.2", "only_pseudonyms_are_merged"),
    ] {
        let refused = db.store.merge_patients(from, into, "registry").await.unwrap_err();
        assert!(refused.to_string().contains(constraint), "{refused}");
    }
}
