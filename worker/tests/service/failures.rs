//! The design's table of failures, row by row.

use cspine_domain::{OrderPriority, Reason, Sha256};
use cspine_wire::{Event, Lane, Queue, StudyState, StudyStatus};
use time::OffsetDateTime;

use crate::site::{Site, dicom, eventually, png};

#[tokio::test]
async fn what_can_never_succeed_is_parked_at_once_with_its_reason() {
    let site = Site::new().await;
    let worker = site.start(&["--max-width", "1000"]);

    let wide = site.image(&png(1001, 64));
    let mut other_hash = site.image(&png(128, 128));
    other_hash.data.image.sha256 = Sha256::of(b"something else");
    let broken = site.image(&png(128, 128)[..2000]);
    let text = site.image(b"this is no picture at all");
    for (event, expected) in [
        (&wide, Reason::OverLimit),
        (&other_hash, Reason::HashMismatch),
        (&broken, Reason::Undecodable),
        (&text, Reason::Undecodable),
    ] {
        site.publish(event).await;
        let row = site.parked(&event.id).await;
        assert_eq!((row.reason, row.attempts), (expected, 1), "{}", row.detail);
        assert_eq!(row.study.as_ref(), Some(&event.data.study_instance_uid));
    }
    let failed = site.store().worklist(10).await.unwrap();
    assert_eq!(failed.iter().filter(|row| row.status == "failed").count(), 4, "each study stays on the list");
    worker.stop().await;
    site.remove().await;
}

#[tokio::test]
async fn an_event_that_is_none_is_parked_with_what_is_wrong_with_it() {
    let site = Site::new().await;
    let worker = site.start(&[]);
    let good = site.image(&png(128, 128));
    let body = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut event: serde_json::Value = serde_json::from_slice(&good.to_json()).unwrap();
        change(&mut event);
        event.to_string().into_bytes()
    };
    let cases = [
        ("v2", Reason::BadVersion, body(&|e| e["type"] = "org.cspine.image.arrived.v2".into())),
        ("key", Reason::BadKey, body(&|e| e["data"]["image"]["key"] = "../../etc/passwd".into())),
        ("uid", Reason::BadSchema, body(&|e| e["data"]["study_instance_uid"] = "1..2".into())),
        ("other", Reason::BadSchema, body(&|e| e["type"] = "org.cspine.study.status.v1".into())),
    ];
    for (id, expected, body) in cases {
        let mut event: serde_json::Value = serde_json::from_slice(&body).unwrap();
        event["id"] = id.into();
        site.send("image.arrived.routine", event.to_string().into_bytes()).await;
        let row = site.parked(id).await;
        assert_eq!(row.reason, expected, "{}", row.detail);
    }
    // Without an id the body's hash is the key: however often it comes, in both queues, it is one row.
    for body in [b"not json".to_vec(), vec![b' '; 70_000]] {
        site.send("image.arrived.routine", body.clone()).await;
        let row = eventually("the row", async || {
            let rows = site.store().parked_list(true, 100).await.unwrap();
            rows.into_iter().find(|row| row.body_sha256 == Sha256::of(&body))
        })
        .await;
        assert_eq!((row.reason, row.event_id), (Reason::BadSchema, None));
    }
    worker.stop().await;
    assert_eq!(site.store().parked_count().await.unwrap(), 6);
    site.remove().await;
}

#[tokio::test]
async fn an_object_that_comes_late_is_waited_for_and_one_that_never_comes_is_parked() {
    let site = Site::new().await;
    let worker = site.start(&[]);
    let (late, never, short) = (site.image(&png(128, 128)), site.image(&png(128, 128)), site.image(&png(128, 128)));
    let path = |event: &Event<cspine_wire::ImageArrived>| site.objects().join(event.data.image.key.as_str());
    let whole = std::fs::read(path(&late)).unwrap();
    std::fs::write(path(&late), &whole[..whole.len() / 2]).unwrap();
    std::fs::remove_file(path(&never)).unwrap();
    let bytes = std::fs::read(path(&short)).unwrap();
    std::fs::write(path(&short), &bytes[..bytes.len() - 1]).unwrap();
    for event in [&late, &never, &short] {
        site.publish(event).await;
    }
    let listed = async || (site.store().worklist(10).await.unwrap().len() == 3).then_some(());
    eventually("all three are on the list before any was inferred", listed).await;
    std::fs::write(path(&late), whole).unwrap();
    site.finding(&late).await;
    for (event, expected) in [(&never, Reason::ObjectMissing), (&short, Reason::ObjectShort)] {
        let row = site.parked(&event.id).await;
        assert_eq!((row.reason, row.attempts), (expected, 3), "the first attempt and the ladder's two");
    }
    worker.stop().await;
    site.remove().await;
}

#[tokio::test]
async fn a_header_with_other_uids_than_the_event_is_parked() {
    let site = Site::new().await;
    let worker = site.start(&[]);
    let mut event = site.image(&dicom());
    event.data.image.media_type = "application/dicom".into();
    site.publish(&event).await;
    assert_eq!(site.parked(&event.id).await.reason, Reason::IdentityMismatch);
    worker.stop().await;
    site.remove().await;
}

#[tokio::test]
async fn an_image_whose_decoder_dies_alone_is_poison() {
    let site = Site::new().await;
    let event = site.image(&png(128, 128));
    site.to_lane(&event).await;
    let mut lane = site.consume(&[Queue::Lane(Lane::Routine)]);
    for _ in 0..2 {
        lane.next().await.unwrap().requeue().await.unwrap();
    }
    drop(lane);
    // A megabyte of address space: the child cannot even begin.
    let worker = site.start(&["--alone-memory", "1048576"]);
    let row = site.parked(&event.id).await;
    assert_eq!(row.reason, Reason::Poison, "{}", row.detail);
    worker.stop().await;
    site.remove().await;
}

#[tokio::test]
async fn what_the_broker_gives_up_or_cannot_route_is_parked_too() {
    let site = Site::new().await;
    let given_up = site.image(&png(128, 128));
    site.to_lane(&given_up).await;
    let mut lane = site.consume(&[Queue::Lane(Lane::Routine)]);
    for _ in 0..=site.broker.topology.delivery_limit {
        lane.next().await.unwrap().requeue().await.unwrap();
    }
    drop(lane);
    let mut unrouted = site.image(&png(128, 128));
    unrouted.data.order_priority = OrderPriority::Stat;
    site.send("image.arrived.immediately", unrouted.to_json()).await;
    let worker = site.start(&[]);
    for event in [&given_up, &unrouted] {
        let row = site.parked(&event.id).await;
        assert_eq!(row.reason, Reason::DeadLettered, "{}", row.detail);
        assert_eq!(row.study.as_ref(), Some(&event.data.study_instance_uid));
    }
    // A person looks, and sends it again: now it is answered.
    let row = site.parked(&given_up.id).await;
    site.store().parked_resend(row.id, "tester", "the worker is there now").await.unwrap();
    site.finding(&given_up).await;
    worker.stop().await;
    site.remove().await;
}

#[tokio::test]
async fn a_status_event_of_a_study_that_never_came_is_parked_after_the_ladder() {
    let site = Site::new().await;
    let worker = site.start(&[]);
    let study_instance_uid = site.image(&png(64, 64)).data.study_instance_uid;
    let data = StudyStatus { study_instance_uid, state: StudyState::Finished, by: None };
    let event =
        Event { id: "lonely".into(), source: "/ris".into(), subject: None, time: OffsetDateTime::now_utc(), data };
    site.send("study.status", event.to_json()).await;
    let row = site.parked("lonely").await;
    assert_eq!((row.reason, row.attempts), (Reason::UnknownStudy, 3));
    worker.stop().await;
    site.remove().await;
}
