use cspine_domain::{Class, Note, Notes, Orientation, Pose, Reason, Sha256, Verdict};
use cspine_store::{Answer, NewFinding, Purpose, Recorded, Saliency};
use cspine_tests::database::Database;

use crate::samples::{
    COLOUR, DISLOCATION, FRACTURE, NORMAL, arrival, changes, count, finding, listed, other_bytes, record, uid,
};

#[tokio::test]
async fn the_same_finding_from_eight_tasks_is_one() {
    let db = Database::create().await;
    let tasks: Vec<_> = (0..8u8)
        .map(|task| {
            let store = db.store.clone();
            // whatever model serves when the message comes again
            let finding = NewFinding { model: Sha256::of(&[task]), ..finding(arrival(1, 1), DISLOCATION) };
            tokio::spawn(async move { store.record_finding(&finding).await })
        })
        .collect();
    let mut created = 0;
    for task in tasks {
        created += u32::from(task.await.unwrap().unwrap() != Recorded::AlreadyThere);
    }
    assert_eq!(created, 1);
    assert_eq!(count(&db.store, "findings").await, 1);
    assert_eq!(changes(&db.store, 1).await, ["flagged_dislocation"]);
    assert_eq!(count(&db.store, "outbox").await, 2, "finding.created and study.reprioritised");
    assert!(db.store.already_answered(&arrival(1, 1).sop, arrival(1, 1).content).await.unwrap());
}

#[tokio::test]
async fn a_finding_that_overtakes_its_registration_registers() {
    let db = Database::create().await;
    record(&db.store, arrival(1, 1), NORMAL).await;
    assert!(!db.store.register_arrival(&arrival(1, 1)).await.unwrap().new_image);
    let row = listed(&db.store, 1).await;
    assert_eq!((row.status.as_str(), row.verdict, row.level), ("scored", Some(Verdict::Normal), 3));
}

#[tokio::test]
async fn the_study_has_the_answer_of_the_image_that_sets_its_level() {
    let db = Database::create().await;
    record(&db.store, arrival(1, 1), COLOUR).await;
    let row = listed(&db.store, 1).await;
    assert_eq!(
        (row.status.as_str(), row.verdict, row.reason),
        ("not_assessable", Some(Verdict::NotAssessable), Some(Reason::Colour))
    );

    record(&db.store, arrival(1, 2), NORMAL).await;
    let row = listed(&db.store, 1).await;
    assert_eq!((row.status.as_str(), row.verdict, row.reason), ("scored", Some(Verdict::Normal), None));
    assert_eq!((row.images, row.images_assessed), (2, 1));

    assert_eq!(record(&db.store, arrival(1, 3), FRACTURE).await, (1, true));
    assert_eq!(record(&db.store, arrival(1, 4), DISLOCATION).await, (0, true));
    assert_eq!(record(&db.store, arrival(1, 5), FRACTURE).await, (0, false));
    assert_eq!(record(&db.store, arrival(1, 6), NORMAL).await, (0, false));
    let row = listed(&db.store, 1).await;
    assert_eq!((row.verdict, row.flagged, row.level), (Some(Verdict::Dislocation), true, 0));
    assert_eq!((row.images, row.images_assessed), (6, 5));
}

#[tokio::test]
async fn a_flagged_image_counts_as_the_likelier_injury_whatever_its_verdict() {
    let db = Database::create().await;
    let unsure = Answer::Assessed { probabilities: [0.25, 0.125, 0.625], flagged: true, mark: None };
    assert_eq!(record(&db.store, arrival(1, 1), unsure.clone()).await, (0, true));
    assert_eq!(listed(&db.store, 1).await.verdict, Some(Verdict::Normal));
    // an injury's verdict under the operating point does not raise, and the study reads normal
    let under = Answer::Assessed { probabilities: [0.375, 0.3125, 0.3125], flagged: false, mark: None };
    assert_eq!(under.verdict(), Verdict::Dislocation);
    assert_eq!(record(&db.store, arrival(2, 2), under).await, (3, false));
    assert_eq!(listed(&db.store, 2).await.verdict, Some(Verdict::Normal));
}

#[tokio::test]
async fn equal_probabilities_count_as_the_more_urgent_class() {
    let db = Database::create().await;
    let equal = Answer::Assessed { probabilities: [0.375, 0.375, 0.25], flagged: true, mark: None };
    assert_eq!((equal.verdict(), equal.injury()), (Verdict::Dislocation, Some(Class::Dislocation)));
    assert_eq!(record(&db.store, arrival(1, 1), equal).await, (0, true));
}

#[tokio::test]
async fn other_bytes_under_one_uid_are_scored_beside_the_first_and_may_raise() {
    let db = Database::create().await;
    record(&db.store, arrival(1, 1), NORMAL).await;
    assert_eq!(record(&db.store, other_bytes(arrival(1, 1)), FRACTURE).await, (1, true));
    let row = listed(&db.store, 1).await;
    assert_eq!((row.images_assessed, row.conflict, row.reason), (2, true, Some(Reason::Conflict)));
}

#[tokio::test]
async fn a_mark_on_the_answer_is_the_reason_on_the_list() {
    let db = Database::create().await;
    let mark = Some(Reason::ScopeUnconfirmed);
    let marked = Answer::Assessed { probabilities: [0.125, 0.125, 0.75], flagged: false, mark };
    record(&db.store, arrival(1, 1), marked).await;
    let row = listed(&db.store, 1).await;
    assert_eq!((row.status.as_str(), row.reason), ("scored", mark));
}

#[tokio::test]
async fn a_shadow_touches_neither_list_nor_outbox() {
    let db = Database::create().await;
    record(&db.store, arrival(1, 1), NORMAL).await;
    let told = count(&db.store, "outbox").await;
    let shadow = NewFinding { purpose: Purpose::Shadow, ..finding(arrival(1, 1), DISLOCATION) };
    db.store.record_finding(&shadow).await.unwrap();
    assert_eq!(db.store.record_finding(&shadow).await.unwrap(), Recorded::AlreadyThere);
    let row = listed(&db.store, 1).await;
    assert_eq!((row.level, row.flagged, row.verdict), (3, false, Some(Verdict::Normal)));
    assert_eq!(count(&db.store, "outbox").await, told);
}

#[tokio::test]
async fn a_rescore_may_only_raise() {
    let db = Database::create().await;
    record(&db.store, arrival(1, 1), FRACTURE).await;
    let rescore = |answer, model: &[u8]| NewFinding {
        purpose: Purpose::Rescore,
        model: Sha256::of(model),
        ..finding(arrival(1, 1), answer)
    };
    db.store.record_finding(&rescore(NORMAL, b"second")).await.unwrap();
    let row = listed(&db.store, 1).await;
    assert_eq!((row.level, row.verdict), (1, Some(Verdict::Fracture)));
    db.store.record_finding(&rescore(DISLOCATION, b"third")).await.unwrap();
    let row = listed(&db.store, 1).await;
    assert_eq!((row.level, row.verdict, row.images_assessed), (0, Some(Verdict::Dislocation), 1));
}

#[tokio::test]
async fn heatmap_and_answer_are_read_back_for_the_overlay() {
    let db = Database::create().await;
    let pose = Pose { orientation: Orientation::new(3, true), pixel_aspect: 0.75 };
    let saliency = Saliency { class: Class::Fracture, method: "gradient".into(), heatmap_png: vec![1, 2, 3], pose };
    let written = NewFinding { saliency: Some(saliency.clone()), ..finding(arrival(1, 1), FRACTURE) };
    db.store.record_finding(&written).await.unwrap();
    db.store.register_arrival(&arrival(1, 2)).await.unwrap();
    let images = db.store.study_images(&arrival(1, 1).study).await.unwrap();
    assert_eq!(images.len(), 2);
    let found = images[0].finding.as_ref().unwrap();
    assert_eq!(found.saliency, Some(saliency));
    assert_eq!((found.verdict, found.flagged, found.model), (Verdict::Fracture, true, written.model));
    assert_eq!(found.probabilities, Some([0.125, 0.75, 0.125]));
    assert_eq!(
        (images[0].object_key.as_str(), images[0].content),
        (written.arrival.object_key.as_str(), written.arrival.content)
    );
    assert!(images[1].finding.is_none());
}

#[tokio::test]
async fn a_heatmap_older_than_poses_lies_on_the_image_as_it_is_stored() {
    let db = Database::create().await;
    let pose = Pose { orientation: Orientation::MIRRORED, pixel_aspect: 2.0 };
    let saliency = Saliency { class: Class::Fracture, method: "gradient".into(), heatmap_png: vec![1], pose };
    let written = NewFinding { saliency: Some(saliency), ..finding(arrival(1, 1), FRACTURE) };
    db.store.record_finding(&written).await.unwrap();
    sqlx::query("update findings set orientation = null, pixel_aspect = null").execute(db.store.pool()).await.unwrap();
    let images = db.store.study_images(&arrival(1, 1).study).await.unwrap();
    let found = images[0].finding.as_ref().unwrap().saliency.as_ref().unwrap();
    assert_eq!(found.pose, Pose::default());
}

#[tokio::test]
async fn notes_are_kept_with_the_finding_and_told_in_its_event() {
    let db = Database::create().await;
    let notes = Notes::from([Note::EventAcquiredAt, Note::MissingPreamble]);
    let noted = NewFinding { notes, ..finding(arrival(1, 1), FRACTURE) };
    db.store.record_finding(&noted).await.unwrap();
    db.store.record_finding(&finding(arrival(2, 2), COLOUR)).await.unwrap();
    let kept = async |study| db.store.study_images(&uid(study)).await.unwrap().remove(0).finding.unwrap().notes;
    assert_eq!(kept(1).await, ["missing_preamble", "event_acquired_at"]);
    assert!(kept(2).await.is_empty());
    let told: Vec<Option<serde_json::Value>> =
        sqlx::query_scalar("select payload->'data'->'notes' from outbox where event_type like '%finding%' order by id")
            .fetch_all(db.store.pool())
            .await
            .unwrap();
    assert_eq!(told, [Some(serde_json::json!(["missing_preamble", "event_acquired_at"])), None]);
}

#[tokio::test]
async fn the_finding_that_is_shown_of_an_image_is_the_one_that_sets_its_level() {
    let db = Database::create().await;
    let add = async |purpose, model: &[u8], answer, heat: u8| {
        let (class, method, pose) = (Class::Fracture, "gradient".to_owned(), Pose::default());
        let saliency = Some(Saliency { class, method, heatmap_png: vec![heat], pose });
        let found = NewFinding { purpose, model: Sha256::of(model), saliency, ..finding(arrival(1, 1), answer) };
        db.store.record_finding(&found).await.unwrap();
    };
    let shown = async || {
        let image = db.store.study_images(&arrival(1, 1).study).await.unwrap().remove(0);
        let found = image.finding.unwrap();
        (found.purpose, found.flagged, found.verdict, found.saliency.unwrap().heatmap_png)
    };
    add(Purpose::Primary, b"first", NORMAL, 1).await;
    add(Purpose::Shadow, b"shadow", DISLOCATION, 2).await;
    assert_eq!(shown().await, (Purpose::Primary, false, Verdict::Normal, vec![1]));
    add(Purpose::Rescore, b"second", FRACTURE, 3).await;
    assert_eq!(shown().await, (Purpose::Rescore, true, Verdict::Fracture, vec![3]));
    add(Purpose::Rescore, b"third", NORMAL, 4).await;
    assert_eq!(shown().await, (Purpose::Rescore, true, Verdict::Fracture, vec![3]));
    add(Purpose::Rescore, b"fourth", DISLOCATION, 5).await;
    assert_eq!(shown().await, (Purpose::Rescore, true, Verdict::Dislocation, vec![5]));
    let row = listed(&db.store, 1).await;
    assert_eq!((row.level, row.verdict), (0, Some(Verdict::Dislocation)), "as the list says");
}
