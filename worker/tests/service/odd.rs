//! Odd events and odd words of scope, through a whole worker.

use cspine_domain::Reason;
use cspine_wire::{Event, ImageArrived, Lane, Message};
use serde_json::{Value, json};

use crate::site::{PROGRAM, Site, eventually, png};

/// The event's body with some fields replaced; null takes one away.
fn body(event: &Event<ImageArrived>, fields: &[(&str, Value)]) -> Vec<u8> {
    let mut body: Value = serde_json::from_slice(&event.to_json()).unwrap();
    for (pointer, value) in fields {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[field] = value.clone();
    }
    body.to_string().into_bytes()
}

async fn told_notes(site: &Site, event: &Event<ImageArrived>) -> Value {
    let told = "select payload->'data'->'notes' from outbox where payload->'data'->>'sop_instance_uid' = $1";
    let notes: Option<Value> = sqlx::query_scalar(told)
        .bind(event.data.sop_instance_uid.as_str())
        .fetch_one(site.store().pool())
        .await
        .unwrap();
    notes.unwrap_or_default()
}

#[tokio::test]
async fn an_arrival_that_is_odd_where_it_does_not_matter_is_answered_with_notes() {
    let site = Site::new().await;
    let worker = site.start(&[]);
    let cases = [
        (
            vec![
                ("/data/accession_number", json!("")),
                ("/data/patient_key", json!("\0")),
                ("/data/view", json!("LL ")),
            ],
            vec![],
        ),
        (vec![("/data/order_priority", json!("STAT")), ("/data/image/media_type", json!("IMAGE/PNG; q=1"))], vec![]),
        (vec![("/data/accession_number", json!("7".repeat(65)))], vec![]),
        (vec![("/data/accession_number", json!(1234567))], vec!["event_accession_number"]),
        (
            vec![("/data/acquired_at", json!("20261123022458")), ("/data/site", json!([]))],
            vec!["event_site", "event_acquired_at"],
        ),
        (
            vec![
                ("/time", json!("9999-12-31T23:59:59-01:00")),
                ("/data/acquired_at", json!("9999-12-31T23:59:59-01:00")),
            ],
            vec!["event_time", "event_acquired_at"],
        ),
        (vec![("/data/image/media_type", json!("image/webp"))], vec!["event_media_type"]),
        (vec![("/data/image/media_type", json!("application/dicom"))], vec!["event_media_type"]),
        (
            vec![("/id", Value::Null), ("/source", Value::Null), ("/time", Value::Null)],
            vec!["event_time", "event_id", "event_source"],
        ),
        (vec![("/data/order_priority", json!("soon"))], vec!["event_order_priority"]),
    ];
    for (fields, notes) in cases {
        let event = site.image(&png(128, 128));
        let mut fields = fields;
        fields.push(("/data/image/size_bytes", json!(event.data.image.size_bytes.unwrap() as f64)));
        site.send("image.arrived.routine", body(&event, &fields)).await;
        let finding = site.finding(&event).await;
        assert_eq!(finding.notes, notes, "{fields:?}");
        assert!(finding.probabilities.is_some(), "{fields:?}: {:?}", finding.reason);
        let told = if notes.is_empty() { Value::Null } else { json!(notes) };
        assert_eq!(told_notes(&site, &event).await, told);
    }
    assert_eq!(site.store().parked_count().await.unwrap(), 0);
    site.assert_all_told(worker).await;
}

#[tokio::test]
async fn a_third_delivery_keeps_its_notes_on_the_way_through_the_child_process() {
    let site = Site::new().await;
    let event = site.image(&png(128, 128));
    let out_of_scope = site.image(&png(128, 128));
    let odd = ("/data/site", json!(7));
    let knee = [odd.clone(), ("/data/body_part", json!("Knie li"))];
    // As registration hands them on.
    for body in [body(&event, &[odd]), body(&out_of_scope, &knee)] {
        let message = Message::to_lane(&site.broker.topology, event.data.order_priority, body);
        site.publisher.publish(&message).await.unwrap();
    }
    let mut lane = site.consume(&[cspine_wire::Queue::Lane(Lane::Routine)]);
    for _ in 0..4 {
        lane.next().await.unwrap().requeue().await.unwrap();
    }
    drop(lane);
    let worker = site.start(&[]);
    for event in [&event, &out_of_scope] {
        assert_eq!(site.finding(event).await.notes, ["event_site"]);
    }
    assert_eq!(site.finding(&out_of_scope).await.reason, Some(Reason::OutOfScope));
    worker.stop().await;
    site.remove().await;
}

#[tokio::test]
async fn a_study_is_on_the_list_whatever_else_of_its_event_cannot_be_read() {
    let site = Site::new().await;
    let worker = site.start(&[]);
    let cases = [
        (Reason::BadSchema, vec![("/data/sop_instance_uid", json!("1..2"))]),
        (Reason::BadSchema, vec![("/data/image", Value::Null)]),
        (Reason::BadKey, vec![("/data/image/key", json!("../../etc/passwd"))]),
        (Reason::BadVersion, vec![("/type", json!("org.cspine.image.arrived.v2"))]),
        (Reason::BadSchema, vec![("/data/image/sha256", json!("9f86")), ("/data/order_priority", json!("stat"))]),
    ];
    for (reason, fields) in &cases {
        let event = site.image(&png(128, 128));
        site.send("image.arrived.routine", body(&event, fields)).await;
        let row = site.parked(&event.id).await;
        assert_eq!((row.reason, row.study.as_ref()), (*reason, Some(&event.data.study_instance_uid)), "{fields:?}");
        let list = site.store().worklist(100).await.unwrap();
        let study = list.iter().find(|row| row.study == event.data.study_instance_uid).expect("it is on the list");
        assert_eq!((study.status.as_str(), study.reason), ("failed", Some(*reason)), "{fields:?}");
        assert_eq!(study.level == 0, fields.iter().any(|(_, value)| *value == "stat"), "{fields:?}");
    }
    let event = site.image(&png(128, 128));
    let batch = [b"\xef\xbb\xbf[".as_slice(), &event.to_json(), b"]"].concat();
    site.send("image.arrived.stat", batch).await;
    eventually("a study of a batch on the list", async || {
        let list = site.store().worklist(100).await.unwrap();
        list.into_iter().find(|row| row.study == event.data.study_instance_uid && row.status == "failed")
    })
    .await;
    worker.stop().await;
    site.remove().await;
}

#[tokio::test]
async fn a_routing_key_in_another_case_or_with_a_suffix_belongs_to_a_lane() {
    let site = Site::new().await;
    let worker = site.start(&[]);
    for key in [
        "image.arrived.STAT",
        "image.arrived.stat.x",
        "image.arrived.routine.site1",
        "image.arrived.ROUTINE.site1.room.2",
        "image.arrived.URGENT",
    ] {
        let event = site.image(&png(128, 128));
        site.send(key, event.to_json()).await;
        site.finding(&event).await;
    }
    assert_eq!(site.store().parked_count().await.unwrap(), 0);
    site.assert_all_told(worker).await;
}

#[tokio::test]
async fn body_parts_in_a_sites_own_words_are_scored_or_counted_by_value() {
    let site = Site::new().await;
    let words = site.folder.join("words.json");
    std::fs::write(&words, r#"{"body_part": {"WS ROUTINE": "accept", "Genue": "reject"}}"#).unwrap();
    let worker = site.start(&["--scope-words", words.to_str().unwrap()]);
    for (body_part, reason) in [
        ("CERV SPINE", None),
        ("HWS LAT", None),
        ("ws routine", None),
        ("TRAUMA", Some(Reason::ScopeUnconfirmed)),
        ("Skull C-Spine", Some(Reason::ScopeUnconfirmed)),
        ("CHEST", Some(Reason::OutOfScope)),
        ("GENUE", Some(Reason::OutOfScope)),
    ] {
        let mut event = site.image(&png(128, 128));
        event.data.body_part = Some(body_part.into());
        site.publish(&event).await;
        assert_eq!(site.finding(&event).await.reason, reason, "{body_part}");
    }
    worker.stop().await;
    site.remove().await;
}

#[tokio::test]
async fn a_worker_with_a_bad_file_of_words_ends_before_it_takes_anything() {
    let site = Site::new().await;
    let words = site.folder.join("words.json");
    std::fs::write(&words, r#"{"view": {"A B": "accept", "a-b": "reject"}}"#).unwrap();
    let error = site.start(&["--scope-words", words.to_str().unwrap()]).ended().await.unwrap_err();
    let text = format!("{error:#}");
    assert!(text.contains("--scope-words") && text.contains("\"a-b\" is there twice and means two things"), "{text}");
    std::fs::remove_dir_all(&site.folder).unwrap();
}

#[test]
fn a_bad_file_of_words_stops_a_command_at_its_start_with_one_clear_line() {
    let folder = std::env::temp_dir().join(format!("cspine-words-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("words.json");
    for (text, problem) in [
        (Some("{"), "line 1 column 1"),
        (Some("[]"), "not a JSON object"),
        (Some(r#"{"body_part": {"X": "perhaps"}}"#), "unknown variant `perhaps`"),
        (Some(r#"{"bodypart": {}}"#), "unknown field `bodypart`"),
        (None, "No such file"),
    ] {
        let _ = std::fs::remove_file(&file);
        if let Some(text) = text {
            std::fs::write(&file, text).unwrap();
        }
        let output = std::process::Command::new(PROGRAM)
            .args(["classify", "--model"])
            .arg(crate::site::model())
            .arg("--scope-words")
            .args([&file, &folder.join("none.png")])
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains("--scope-words") && error.contains(problem), "{error}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}
