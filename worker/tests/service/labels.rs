//! Labels on their way to the trainer.

use cspine_domain::{ConfirmationSource, Label, Reason, Sha256};
use cspine_wire::{Event, ImageConfirmed};
use time::OffsetDateTime;

use crate::away::{free_address, readyz, through_a_line};
use crate::site::{Site, arrival, eventually, png};

/// A label for an image that nobody has sent yet.
fn label(id: &str) -> Event<ImageConfirmed> {
    let image = arrival(&png(64, 64)).data;
    let now = OffsetDateTime::now_utc().replace_nanosecond(0).unwrap();
    let data = ImageConfirmed {
        sop_instance_uid: image.sop_instance_uid,
        content_sha256: image.image.sha256,
        label: Label::Unusable,
        reviewer: "reader-7".into(),
        source: ConfirmationSource::Radiologist,
        answer_seen: true,
        confirmed_at: now,
        supersedes: Some("before".into()),
    };
    Event { id: id.into(), source: "/qa".into(), subject: None, time: now, data }
}

type Row = (String, String, String, String, String, String, bool, OffsetDateTime, Option<String>);

async fn reviews(site: &Site) -> Vec<Row> {
    let rows = "select event_id, sop_instance_uid, content_sha256, label, reviewer, label_source, answer_seen,
                       confirmed_at, supersedes from reviews where source = '/qa' order by event_id";
    sqlx::query_as(rows).fetch_all(site.store().pool()).await.unwrap()
}

async fn recorded(site: &Site, count: usize) -> Vec<Row> {
    eventually("the labels are recorded", async || Some(reviews(site).await).filter(|rows| rows.len() == count)).await
}

#[tokio::test]
async fn a_label_is_recorded_once_word_for_word_before_its_image_has_come() {
    let site = Site::new().await;
    let worker = site.start(&[]);
    let events = [label("one"), label("two")];
    site.publisher.connect().await.unwrap();
    // Twice: the same event again is the same label.
    for event in [&events[0], &events[0], &events[1]] {
        site.send("image.confirmed", event.to_json()).await;
    }
    let rows = recorded(&site, 2).await;
    for (event, row) in events.iter().zip(rows) {
        let data = &event.data;
        let (sop, content) = (data.sop_instance_uid.to_string(), data.content_sha256.to_string());
        let said = ("unusable".into(), "reader-7".into(), "radiologist".into(), true);
        let expected = (event.id.clone(), sop, content, said.0, said.1, said.2, said.3, data.confirmed_at);
        let (id, sop, content, label, reviewer, source, seen, at, supersedes) = row;
        assert_eq!((id, sop, content, label, reviewer, source, seen, at), expected);
        assert_eq!(supersedes.as_deref(), Some("before"));
    }
    assert_eq!(site.store().parked_count().await.unwrap(), 0);
    site.assert_all_told(worker).await;
}

#[tokio::test]
async fn a_label_that_is_none_is_parked_with_what_is_wrong_with_it() {
    let site = Site::new().await;
    let worker = site.start(&[]);
    site.publisher.connect().await.unwrap();
    let body = |id: &str, change: &dyn Fn(&mut serde_json::Value)| {
        let mut event: serde_json::Value = serde_json::from_slice(&label(id).to_json()).unwrap();
        change(&mut event);
        event.to_string().into_bytes()
    };
    for (id, expected, body) in [
        ("word", Reason::BadSchema, body("word", &|e| e["data"]["label"] = "broken".into())),
        ("reviewer", Reason::BadSchema, body("reviewer", &|e| e["data"]["reviewer"] = "".into())),
        ("version", Reason::BadVersion, body("version", &|e| e["type"] = "org.cspine.image.confirmed.v2".into())),
        ("other", Reason::BadSchema, body("other", &|e| e["type"] = "org.cspine.study.status.v1".into())),
    ] {
        site.send("image.confirmed", body).await;
        let row = site.parked(id).await;
        assert_eq!((row.reason, row.attempts), (expected, 1), "{}", row.detail);
    }
    site.send("image.confirmed", b"not json".to_vec()).await;
    eventually("it is parked", async || {
        let rows = site.store().parked_list(true, 100).await.unwrap();
        rows.into_iter().find(|row| row.body_sha256 == Sha256::of(b"not json"))
    })
    .await;
    assert!(reviews(&site).await.is_empty());
    worker.stop().await;
    site.remove().await;
}

#[tokio::test]
async fn a_label_is_held_while_postgres_is_away() {
    let site = Site::new().await;
    let (url, cut) = through_a_line(&site.database.url).await;
    let address = free_address();
    let worker = site.start(&["--database-url", &url, "--admin-addr", &address]);
    eventually("it is ready", async || readyz(&address).await.filter(|(status, _)| *status == 200)).await;
    cut.send_replace(true);
    site.send("image.confirmed", label("held").to_json()).await;
    eventually("readyz says what is missing", async || {
        readyz(&address).await.filter(|(_, body)| body["missing"].get("postgres").is_some())
    })
    .await;
    assert!(reviews(&site).await.is_empty());
    cut.send_replace(false);
    recorded(&site, 1).await;
    assert_eq!(site.store().parked_count().await.unwrap(), 0);
    worker.stop().await;
    site.remove().await;
}
