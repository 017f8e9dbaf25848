//! What people say of images, and the one label that follows from it.

use cspine_domain::{Class, ConfirmationSource, Label, Orientation, Pose};
use cspine_store::{Arrival, Fault, NewFinding, NewReview, Saliency, Store, StoreError};
use cspine_tests::database::Database;
use time::{Duration, OffsetDateTime};

use crate::samples::{self, arrival, by, correcting, count, finding, labelled, other_bytes, refused_by, review};

const DISLOCATION: Label = Label::Class(Class::Dislocation);
const FRACTURE: Label = Label::Class(Class::Fracture);
const NORMAL: Label = Label::Class(Class::Normal);

/// An image that is here.
async fn arrived(store: &Store, image: u32) -> Arrival {
    let arrival = arrival(image, image);
    store.register_arrival(&arrival).await.unwrap();
    arrival
}

async fn say(store: &Store, reviews: &[NewReview]) {
    for review in reviews {
        assert!(store.record_review(review).await.unwrap(), "{} is new", review.event_id);
    }
}

/// The image's label, and whether it is in dispute.
async fn verdict(store: &Store, image: &Arrival) -> (Label, bool) {
    let image = labelled(store, image).await.expect("a labelled image");
    (image.label, image.disputed)
}

#[tokio::test]
async fn a_word_is_recorded_once() {
    let db = Database::create().await;
    let image = arrived(&db.store, 1).await;
    let word = review("a", &image, FRACTURE, "reader-1", 1);
    assert!(db.store.record_review(&word).await.unwrap());
    assert!(!db.store.record_review(&word).await.unwrap());
    // another word under its id is no duplicate: it must not get lost
    let other = db.store.record_review(&NewReview { label: NORMAL, ..word.clone() }).await.unwrap_err();
    assert!(matches!(other, StoreError::OtherEvent) && matches!(other.fault(), Fault::Message(_)), "{other}");
    let elsewhere = NewReview { source: "/elsewhere".into(), ..word.clone() };
    let news = [word.clone(), elsewhere, review("b", &image, FRACTURE, "reader-2", 1), word];
    assert_eq!(db.store.record_reviews(&news).await.unwrap(), 2);
    assert_eq!(count(&db.store, "reviews").await, 3);
    assert_eq!(verdict(&db.store, &image).await, (FRACTURE, false));
}

#[tokio::test]
async fn many_words_are_recorded_all_or_none_and_in_their_order() {
    let db = Database::create().await;
    let image = arrived(&db.store, 1).await;
    let mut words: Vec<_> =
        (0..2500).map(|n| review(&format!("{n}"), &image, NORMAL, &format!("reader-{n}"), 1)).collect();
    let broken = NewReview { reviewer: String::new(), ..review("broken", &image, NORMAL, "nobody", 1) };
    words.push(broken);
    let refused = db.store.record_reviews(&words).await.unwrap_err();
    assert!(matches!(refused.fault(), Fault::Message(_)) && !refused.is_transient(), "{refused}");
    assert_eq!(count(&db.store, "reviews").await, 0);
    words.pop();
    assert_eq!(db.store.record_reviews(&words).await.unwrap(), 2500);
    let in_order = sqlx::query_scalar("select event_id from reviews order by id").fetch_all(db.store.pool()).await;
    let in_order: Vec<String> = in_order.unwrap();
    assert!(in_order.iter().zip(&words).all(|(written, said)| *written == said.event_id));
}

#[tokio::test]
async fn a_correction_takes_the_place_of_what_it_corrects() {
    let db = Database::create().await;
    let image = arrived(&db.store, 1).await;
    // said by another person, and at an earlier time by that person's clock
    let wrong = review("a", &image, FRACTURE, "reader-1", 5);
    let right = correcting("a", review("b", &image, NORMAL, "reader-2", 4));
    say(&db.store, &[wrong, right]).await;
    assert_eq!(verdict(&db.store, &image).await, (NORMAL, false));
    // what was corrected stays so when its correction is corrected
    say(&db.store, &[correcting("b", review("c", &image, DISLOCATION, "reader-3", 3))]).await;
    assert_eq!(verdict(&db.store, &image).await, (DISLOCATION, false));
}

#[tokio::test]
async fn a_correction_may_come_before_what_it_corrects() {
    let db = Database::create().await;
    let image = arrived(&db.store, 1).await;
    let right = correcting("a", review("b", &image, NORMAL, "reader-2", 4));
    say(&db.store, &[right, review("a", &image, FRACTURE, "reader-1", 5)]).await;
    assert_eq!(verdict(&db.store, &image).await, (NORMAL, false));
}

#[tokio::test]
async fn a_correction_may_say_that_another_image_was_meant() {
    let db = Database::create().await;
    let (image, other) = (arrived(&db.store, 1).await, arrived(&db.store, 2).await);
    let wrong = review("a", &image, FRACTURE, "reader-1", 1);
    say(&db.store, &[wrong, correcting("a", review("b", &other, FRACTURE, "reader-1", 2))]).await;
    assert_eq!(labelled(&db.store, &image).await, None, "nobody says anything of it any more");
    assert_eq!(verdict(&db.store, &other).await, (FRACTURE, false));
}

#[tokio::test]
async fn a_correction_reaches_no_other_source_and_not_itself() {
    let db = Database::create().await;
    let image = arrived(&db.store, 1).await;
    let elsewhere = NewReview { source: "/elsewhere".into(), ..review("b", &image, NORMAL, "reader-2", 1) };
    say(&db.store, &[review("a", &image, FRACTURE, "reader-1", 1), correcting("a", elsewhere)]).await;
    assert!(verdict(&db.store, &image).await.1, "both words stand");
    let itself = correcting("d", review("d", &image, NORMAL, "reader-4", 1));
    let refused = db.store.record_review(&itself).await.unwrap_err();
    assert!(refused.to_string().contains("nothing_corrects_itself"), "{refused}");
}

#[tokio::test]
async fn a_reviewers_later_word_counts_by_its_time_not_by_its_coming() {
    let db = Database::create().await;
    let image = arrived(&db.store, 1).await;
    let (earlier, later) = (review("a", &image, FRACTURE, "reader-1", 1), review("b", &image, NORMAL, "reader-1", 2));
    say(&db.store, &[later, earlier]).await;
    assert_eq!(verdict(&db.store, &image).await, (NORMAL, false));
    // also a less weighty one: it is what this reviewer says now
    let on_second_thoughts = review("c", &image, DISLOCATION, "reader-1", 3);
    say(&db.store, &[by(ConfirmationSource::Qa, on_second_thoughts)]).await;
    assert_eq!(verdict(&db.store, &image).await, (DISLOCATION, false));
}

#[tokio::test]
async fn a_label_from_the_future_does_not_outlast_what_its_reader_says_next() {
    let db = Database::create().await;
    let image = arrived(&db.store, 1).await;
    let ahead = OffsetDateTime::now_utc() + Duration::days(400);
    let dated = |event_id, label| NewReview { confirmed_at: ahead, ..review(event_id, &image, label, "reader-1", 1) };
    say(&db.store, &[dated("a", FRACTURE)]).await;
    let came = labelled(&db.store, &image).await.unwrap().confirmed_at;
    assert!(came < ahead, "it counts as of when it came");
    let honest = NewReview { confirmed_at: came + Duration::MICROSECOND, ..dated("b", NORMAL) };
    say(&db.store, &[honest]).await;
    assert_eq!(verdict(&db.store, &image).await, (NORMAL, false));
    say(&db.store, &[dated("c", DISLOCATION)]).await;
    assert_eq!(verdict(&db.store, &image).await, (DISLOCATION, false));
}

#[tokio::test]
async fn two_people_of_one_source_who_differ_are_in_dispute_until_one_thinks_again() {
    let db = Database::create().await;
    let image = arrived(&db.store, 1).await;
    let (one, two) = (review("a", &image, FRACTURE, "reader-1", 1), review("b", &image, NORMAL, "reader-2", 2));
    say(&db.store, &[one, two]).await;
    assert_eq!(verdict(&db.store, &image).await, (NORMAL, true), "the latest word");
    say(&db.store, &[review("c", &image, FRACTURE, "reader-2", 3)]).await;
    assert_eq!(verdict(&db.store, &image).await, (FRACTURE, false));
    say(&db.store, &[review("d", &image, Label::Unusable, "reader-3", 4)]).await;
    assert_eq!(verdict(&db.store, &image).await, (Label::Unusable, true), "of use or not can be in dispute too");
}

#[tokio::test]
async fn the_weightiest_source_decides_and_only_there_is_dispute() {
    let db = Database::create().await;
    let image = arrived(&db.store, 1).await;
    let word = |event_id: &str, label, source| by(source, review(event_id, &image, label, event_id, 9));
    say(&db.store, &[word("a", FRACTURE, ConfirmationSource::Qa), word("b", NORMAL, ConfirmationSource::Qa)]).await;
    assert!(verdict(&db.store, &image).await.1);
    for (event_id, label, source) in [
        ("c", DISLOCATION, ConfirmationSource::Radiologist),
        ("d", NORMAL, ConfirmationSource::Consensus),
        ("e", FRACTURE, ConfirmationSource::Ct),
    ] {
        let earlier = NewReview { confirmed_at: time::OffsetDateTime::UNIX_EPOCH, ..word(event_id, label, source) };
        say(&db.store, &[earlier]).await;
        let image = labelled(&db.store, &image).await.unwrap();
        assert_eq!((image.label, image.label_source, image.disputed), (label, source, false));
    }
    say(&db.store, &[word("f", NORMAL, ConfirmationSource::Consensus)]).await;
    assert_eq!(verdict(&db.store, &image).await, (FRACTURE, false), "lighter ones may differ");
    say(&db.store, &[word("g", NORMAL, ConfirmationSource::Ct)]).await;
    assert_eq!(verdict(&db.store, &image).await, (NORMAL, true));
}

#[tokio::test]
async fn whether_the_answer_had_been_seen_is_asked_of_those_who_decide() {
    let db = Database::create().await;
    let image = arrived(&db.store, 1).await;
    let seen = |review| NewReview { answer_seen: true, ..review };
    say(&db.store, &[seen(review("a", &image, FRACTURE, "reader-1", 1))]).await;
    assert!(labelled(&db.store, &image).await.unwrap().answer_seen);
    say(&db.store, &[by(ConfirmationSource::Ct, review("b", &image, FRACTURE, "scanner", 1))]).await;
    assert!(!labelled(&db.store, &image).await.unwrap().answer_seen);
    say(&db.store, &[seen(by(ConfirmationSource::Ct, review("c", &image, FRACTURE, "reader-2", 1)))]).await;
    assert!(labelled(&db.store, &image).await.unwrap().answer_seen);
}

#[tokio::test]
async fn a_label_that_comes_before_its_image_counts_once_the_image_is_there() {
    let db = Database::create().await;
    let late = arrival(1, 1);
    say(&db.store, &[review("a", &late, FRACTURE, "reader-1", 1)]).await;
    assert_eq!(labelled(&db.store, &late).await, None);
    assert_eq!(db.store.label_tally().await.unwrap().without_image, 1);
    assert_eq!(db.store.new_labels().await.unwrap().by_class, [0, 0, 0]);

    db.store.register_arrival(&other_bytes(late.clone())).await.unwrap();
    assert_eq!(labelled(&db.store, &late).await, None, "other bytes are another image");
    db.store.register_arrival(&late).await.unwrap();
    assert_eq!(verdict(&db.store, &late).await, (FRACTURE, false));
    assert_eq!(db.store.label_tally().await.unwrap().without_image, 0);
    assert_eq!(db.store.new_labels().await.unwrap().by_class, [0, 1, 0]);
}

#[tokio::test]
async fn a_labelled_image_is_what_its_study_and_its_arrival_say() {
    let db = Database::create().await;
    let arrival = Arrival { site: Some("ed-1".into()), modality: Some("DX".into()), ..arrival(1, 1) };
    db.store.register_arrival(&arrival).await.unwrap();
    say(&db.store, &[review("a", &arrival, FRACTURE, "reader-1", 7), review("b", &arrival, FRACTURE, "reader-2", 3)])
        .await;
    let image = labelled(&db.store, &arrival).await.unwrap();
    assert_eq!((image.site, image.modality), (arrival.site, arrival.modality));
    assert_eq!((image.object_key, image.media_type), (arrival.object_key, arrival.media_type));
    assert_eq!(image.confirmed_at.unix_timestamp(), 7 * 60);
    assert_eq!(image.patient, format!("study:{}", arrival.study));
    assert_eq!(image.review_id, db.store.new_labels().await.unwrap().through);
}

#[tokio::test]
async fn what_is_said_later_changes_nothing_of_what_had_been_said() {
    let db = Database::create().await;
    let (image, other) = (arrived(&db.store, 1).await, arrived(&db.store, 2).await);
    say(&db.store, &[review("a", &image, FRACTURE, "reader-1", 1)]).await;
    let through = db.store.new_labels().await.unwrap().through;
    let then = db.store.labelled_images(through).await.unwrap();
    say(
        &db.store,
        &[
            correcting("a", review("b", &image, NORMAL, "reader-1", 2)),
            by(ConfirmationSource::Ct, review("c", &image, DISLOCATION, "scanner", 3)),
            review("d", &other, NORMAL, "reader-1", 4),
        ],
    )
    .await;
    assert_eq!(db.store.labelled_images(through).await.unwrap(), then);
    assert_eq!(then[0].label, FRACTURE);
    assert_eq!(db.store.labelled_images(i64::MAX).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_labelled_image_says_how_it_stood_when_it_was_answered() {
    let db = Database::create().await;
    let (turned, unanswered) = (arrived(&db.store, 1).await, arrived(&db.store, 2).await);
    for (id, image) in [("a", &turned), ("b", &unanswered)] {
        say(&db.store, &[review(id, image, NORMAL, "reader-1", 1)]).await;
    }
    let (class, method, heatmap_png) = (Class::Normal, "gradient".to_owned(), vec![1]);
    let pose = Pose { orientation: Orientation::new(1, false), pixel_aspect: 1.0 };
    let saliency = Some(Saliency { class, method, heatmap_png, pose });
    let answered = NewFinding { saliency, ..finding(turned.clone(), samples::NORMAL) };
    db.store.record_finding(&answered).await.unwrap();
    assert_eq!(labelled(&db.store, &turned).await.unwrap().orientation, Some(pose.orientation));
    assert_eq!(labelled(&db.store, &unanswered).await.unwrap().orientation, None);
}

#[tokio::test]
async fn images_are_listed_by_content() {
    let db = Database::create().await;
    for number in 1..=20 {
        let image = arrived(&db.store, number).await;
        say(&db.store, &[review(&format!("{number}"), &image, NORMAL, "reader-1", 1)]).await;
    }
    let images = db.store.labelled_images(i64::MAX).await.unwrap();
    assert!(images.len() == 20 && images.is_sorted_by_key(|image| image.content));
}

#[tokio::test]
async fn labels_are_tallied_by_whether_they_are_used() {
    let db = Database::create().await;
    let mut images = Vec::new();
    for number in 0..6 {
        images.push(arrived(&db.store, number).await);
    }
    let word = |event_id: &str, image: usize, label: Label| review(event_id, &images[image], label, event_id, 1);
    say(
        &db.store,
        &[
            word("a", 0, FRACTURE),
            word("b", 1, DISLOCATION),
            word("c", 2, NORMAL),
            word("d", 3, Label::Unusable),
            word("e", 4, NORMAL),
            word("f", 4, FRACTURE),
            // of an image that was labelled before
            word("g", 0, FRACTURE),
        ],
    )
    .await;
    let tally = db.store.label_tally().await.unwrap();
    assert_eq!((tally.unusable, tally.disputed, tally.quarantined, tally.without_image), (1, 1, 0, 0));
    let usable = tally.usable.iter().fold([0; 3], |sum, set| [sum[0] + set[0], sum[1] + set[1], sum[2] + set[2]]);
    assert_eq!(usable, [1, 1, 1]);
    assert_eq!(db.store.new_labels().await.unwrap().by_class, usable);
}

#[tokio::test]
async fn words_are_found_by_source_and_id_as_they_were_said() {
    let db = Database::create().await;
    let image = arrived(&db.store, 1).await;
    let words = [
        NewReview { answer_seen: true, ..correcting("z", review("a", &image, Label::Unusable, "reader-1", 1)) },
        by(ConfirmationSource::Ct, review("b", &image, FRACTURE, "reader-2", 2)),
        NewReview { source: "/elsewhere".into(), ..review("a", &image, NORMAL, "reader-3", 3) },
    ];
    say(&db.store, &words).await;
    let ids = ["a".to_owned(), "b".to_owned(), "z".to_owned()];
    let mut found = db.store.reviews_named("/reading-room", &ids).await.unwrap();
    found.sort_by(|one, other| one.event_id.cmp(&other.event_id));
    assert_eq!(found, words[..2]);
    assert_eq!(db.store.reviews_named("/elsewhere", &ids[1..]).await.unwrap(), []);
}

#[tokio::test]
async fn what_was_said_cannot_be_changed_by_anybody() {
    let db = Database::create().await;
    let image = arrived(&db.store, 1).await;
    say(&db.store, &[review("a", &image, FRACTURE, "reader-1", 1)]).await;
    for statement in ["update reviews set label = 'normal'", "delete from reviews", "truncate reviews"] {
        assert_eq!(refused_by(&db, statement.into()).await, "reviews keeps what it has", "{statement}");
    }
}
