//! What an operator, a bridge and a reading room do, through the same doors as they.

use std::time::Duration;

use cspine_domain::Reason;
use cspine_store::{Store, StudyState, WorklistRow};
use cspine_tests::database::Database;
use cspine_tests::python::Message;
use cspine_tests::tools::output_of;
use cspine_tests::wait;
use cspine_tests::worker::Site;
use serde_json::{Value, json};

use crate::accounting::{check_queues, check_tables, drained, outcomes, settled};
use crate::files::{Object, phantoms, pngs, read, store};
use crate::traffic::Traffic;

const SOON: Duration = Duration::from_secs(60);

#[tokio::test]
async fn what_is_submitted_is_scored_explained_and_drawn() {
    let (db, site) = site("submitted").await;
    let worker = site.start_worker("worker");
    worker.ready().await;
    let png = site.folder.path().join("bare.png");
    std::fs::write(&png, &pngs()[0]).expect("a file");
    let mut submit = site.command(&["submit", "--priority", "stat", "--times", "2"]);
    let submitted = output_of(submit.args(phantoms("dicom", 256, 1)).arg(&png));
    let submitted: Vec<Value> = submitted.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();

    for line in &submitted {
        let study = line["study_instance_uid"].as_str().expect("a study");
        let row = listed_as(&db.store, study, "scored").await;
        assert_eq!((row.level, row.images, row.images_assessed), (0, 1, 1), "{line}");
        let out = site.folder.path().join(study);
        output_of(site.command(&["overlay", study, "--out"]).arg(&out));
        let drawn: Vec<_> =
            std::fs::read_dir(&out).expect("overlays").map(|file| file.expect("a file").path()).collect();
        assert!(!drawn.is_empty(), "no overlay of {line}");
        let sizes = drawn.iter().map(|path| image::load_from_memory(&read(path)).expect("an image"));
        assert!(
            sizes.into_iter().any(|drawn| (drawn.width(), drawn.height()) == (256, 256)),
            "at the radiograph's own size"
        );
    }
    // sent twice each, answered once each
    drained(&site).await;
    worker.stop().await;
    assert_eq!(outcomes(&db.store).await, 4);
    check_queues(&site);
    site.clean_up();
}

#[tokio::test]
async fn a_parked_message_is_answered_once_its_object_is_there_and_it_is_sent_again() {
    let (db, site) = site("resent").await;
    let worker = site.start_worker("worker");
    worker.ready().await;
    let absent = store(site.folder.path(), "elsewhere.png", &pngs()[1]);
    let object = Object { key: "images/late.png".into(), ..absent };
    site.stranger.publish(&[arrived("late", "1.2.3", &object)]);
    let failed = listed_as(&db.store, "1.2.3", "failed").await;
    assert_eq!(failed.reason, Some(Reason::ObjectMissing));

    store(&site.objects(), "images/late.png", &pngs()[1]);
    let parked = &db.store.parked_list(false, 10).await.expect("parked")[0];
    assert!(output_of(&mut site.command(&["parked", "list"])).contains("object_missing"));
    let id = parked.id.to_string();
    output_of(&mut site.command(&["parked", "resend", &id, "--by", "qa-7", "--why", "object restored"]));
    listed_as(&db.store, "1.2.3", "scored").await;
    let resolved = db.store.parked_get(parked.id).await.expect("the row").expect("the row");
    assert_eq!((resolved.resolution.as_deref(), resolved.resolved_by.as_deref()), (Some("resent"), Some("qa-7")));
    drained(&site).await;
    worker.stop().await;
    check_queues(&site);
    site.clean_up();
}

#[tokio::test]
async fn status_events_move_a_study_through_the_reading_room() {
    let (db, site) = site("status").await;
    let worker = site.start_worker("worker");
    worker.ready().await;
    // the events of the reading room overtake the image's: they are tried again until the study is there
    let finished = status("s-2", "finished", "2026-11-23T03:00:02Z");
    let late = status("s-1", "reading", "2026-11-23T03:00:01Z");
    let object = store(&site.objects(), "images/1.png", &pngs()[2]);
    site.stranger.publish(&[finished.clone(), arrived("a-1", "1.2.3", &object), late, finished]);
    wait::until("the study is off the list", SOON, async || {
        let known: i64 = sqlx::query_scalar("select count(*) from studies where state = 'finished'")
            .fetch_one(db.store.pool())
            .await
            .ok()?;
        (known == 1 && db.store.worklist(10).await.ok()?.is_empty()).then_some(())
    })
    .await;

    site.stranger.publish(&[status("s-3", "open", "2026-11-23T03:00:03Z")]);
    assert_eq!(listed_as(&db.store, "1.2.3", "scored").await.state, StudyState::Open);
    output_of(&mut site.command(&["study", "reading", "1.2.3", "--by", "reader-1"]));
    assert_eq!(listed_as(&db.store, "1.2.3", "scored").await.state, StudyState::Reading);
    output_of(&mut site.command(&["study", "finish", "1.2.3"]));
    assert!(db.store.worklist(10).await.expect("the list").is_empty());
    drained(&site).await;
    worker.stop().await;
    check_queues(&site);
    site.clean_up();
}

#[tokio::test]
async fn stat_does_not_wait_behind_a_backlog() {
    let (db, site) = site("backlog").await;
    // It declares the queues; what waits in them for the next one is a backlog, however fast that is.
    let first = site.start_worker("first");
    first.ready().await;
    first.stop().await;
    let object = store(&site.objects(), "images/1.png", &pngs()[3]);
    let backlog: Vec<Message> = (0..120).map(|i| arrived(&format!("r-{i}"), &format!("1.2.{i}"), &object)).collect();
    site.stranger.publish(&backlog);
    let stat = arrived("stat", "1.3.1", &object);
    let body = String::from_utf8(stat.body).expect("JSON").replace("\"routine\"", "\"stat\"");
    site.stranger.publish(&[Message { routing_key: "image.arrived.stat".into(), body: body.into_bytes() }]);
    let worker = site.start_worker("worker");
    let stat_id = wait::until("the STAT is answered", SOON, async || {
        let id = sqlx::query_scalar::<_, i64>("select id from findings where sop_instance_uid = '1.3.1.2'");
        id.fetch_optional(db.store.pool()).await.ok()?
    })
    .await;
    let ahead: i64 = sqlx::query_scalar("select count(*) from findings where id < $1")
        .bind(stat_id)
        .fetch_one(db.store.pool())
        .await
        .expect("a count");
    assert!(ahead < 30, "{ahead} answers came before it");
    worker.stop().await;
    site.clean_up();
}

#[tokio::test]
async fn a_worker_told_to_stop_finishes_what_it_holds_and_the_next_one_the_rest() {
    let (db, site) = site("stopped").await;
    // Seconds of work, so that the middle of it is no moment.
    let traffic = Traffic::generate(5, 200, &site.objects());
    let first = site.start_worker("first");
    first.ready().await;
    site.stranger.publish(&traffic.messages);
    let some = traffic.outcomes() / 4;
    wait::until("some are answered", SOON, async || (outcomes(&db.store).await >= some).then_some(())).await;
    first.stop().await;
    assert!(outcomes(&db.store).await < traffic.outcomes(), "it was told too late");
    let second = site.start_worker("second");
    settled(&db.store, &traffic, 4 * SOON).await;
    drained(&site).await;
    second.stop().await;
    check_tables(&db.store, &traffic).await;
    check_queues(&site);
    site.clean_up();
}

pub async fn site(name: &str) -> (Database, Site) {
    let db = Database::create().await;
    let amqp_url = std::env::var("AMQP_URL").expect("deploy/test sets AMQP_URL");
    let site = Site::new(name, &db.url, &amqp_url);
    (db, site)
}

/// The study's row once its status is this.
async fn listed_as(store: &Store, study: &str, status: &str) -> WorklistRow {
    wait::until(&format!("{study} is {status}"), SOON, async || {
        let list = store.worklist(1000).await.ok()?;
        list.into_iter().find(|row| row.study.as_str() == study && row.status == status)
    })
    .await
}

pub fn arrived(id: &str, study: &str, object: &Object) -> Message {
    event(
        "image.arrived",
        "image.arrived.routine",
        id,
        "2026-11-23T02:25:21Z",
        json!({
            "study_instance_uid": study, "series_instance_uid": format!("{study}.1"), "sop_instance_uid": format!("{study}.2"),
            "order_priority": "routine", "modality": "DX", "body_part": "CSPINE", "view": "LL",
            "image": {"key": object.key, "media_type": "image/png", "sha256": object.sha256.to_string(), "size_bytes": object.size_bytes},
        }),
    )
}

pub fn status(id: &str, state: &str, time: &str) -> Message {
    event("study.status", "study.status", id, time, json!({"study_instance_uid": "1.2.3", "state": state}))
}

pub fn event(kind: &str, routing_key: &str, id: &str, time: &str, data: Value) -> Message {
    let event = json!({"specversion": "1.0", "type": format!("org.cspine.{kind}.v1"), "id": id, "source": "/stranger",
                       "time": time, "data": data});
    Message { routing_key: routing_key.into(), body: event.to_string().into_bytes() }
}
