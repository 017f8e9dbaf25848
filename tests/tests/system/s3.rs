//! Images and models in a bucket of an S3 server, moto's, and a server that fails in the middle.

use std::path::Path;
use std::time::Duration;

use cspine_domain::Sha256;
use cspine_tests::database::Database;
use cspine_tests::python::Message;
use cspine_tests::s3::{Mode, S3};
use cspine_tests::tools::{binary, model, output_of};
use cspine_tests::wait;
use cspine_tests::worker::{Site, Worker};
use serde_json::{Value, json};

use crate::accounting::{check_queues, drained, outcomes};
use crate::files::{phantoms, read};

/// What the time limits of a fetch and of a look at the store add up to, with room.
const NOTICED: Duration = Duration::from_secs(120);
const SOON: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_bucket_holds_images_and_models_as_a_folder_does() {
    let (db, site, _s3) = site("bucket").await;
    let trainer = |arguments: &[&str]| {
        let mut command = std::process::Command::new(binary("cspine-trainer"));
        command.args(arguments).env("DATABASE_URL", &db.url).envs(site.environment.iter().cloned());
        command
    };
    let champion = Sha256::of(&read(&model())).to_string();
    output_of(trainer(&["models", "register", "--by", "test", "--model"]).arg(model()));
    output_of(&mut trainer(&["models", "promote", &champion, "--by", "test", "--why", "the first"]));
    let worker = site.start_following_worker("worker");
    worker.ready().await;

    let files = phantoms("dicom", 256, 1);
    let submitted = output_of(site.command(&["submit"]).args(&files));
    let studies: Vec<Value> = submitted.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    wait::until("all are answered", SOON, async || (outcomes(&db.store).await == files.len()).then_some(())).await;
    let models = sqlx::query_scalar("select distinct model_sha256::text from findings");
    let models: Vec<String> = models.fetch_all(db.store.pool()).await.expect("findings");
    assert_eq!(models, [champion], "the model came out of the bucket too");
    assert_eq!(db.store.parked_count().await.expect("a count"), 0);
    let out = site.folder.path().join("overlays");
    let study = studies[0]["study_instance_uid"].as_str().expect("a study");
    output_of(site.command(&["overlay", study, "--out"]).arg(&out));
    assert!(std::fs::read_dir(&out).expect("overlays").next().is_some());
    drained(&site).await;
    worker.stop().await;
    check_queues(&site);
    site.clean_up();
}

#[tokio::test]
async fn whatever_way_a_bucket_fails_in_the_middle_its_images_wait_and_are_answered() {
    let (db, site, mut s3) = site("bucket-fails").await;
    let files = phantoms("png", 256, 2);
    let worker = site.start_worker("worker");
    worker.ready().await;
    s3.put("0.png", &files[0]);
    site.stranger.publish(&[event(0, &files[0])]);
    answered(&db, 1).await;
    for (number, mode) in (1..).zip([Mode::Refuse, Mode::Cut, Mode::Hang]) {
        let file = &files[number];
        s3.put(&format!("{number}.png"), file);
        s3.set(mode);
        site.stranger.publish(&[event(number, file)]);
        is_away(&worker, &format!("{mode:?}")).await;
        s3.set(Mode::Serve);
        answered(&db, number + 1).await;
        worker.ready().await;
    }
    // Its process dies; it comes back empty. That the bucket is not there is the store's matter, not the images'.
    s3.kill();
    site.stranger.publish(&[event(4, &files[4])]);
    is_away(&worker, "the server is gone").await;
    s3.start_again();
    is_away(&worker, "the bucket is gone").await;
    s3.set(Mode::Refuse);
    s3.make_bucket();
    s3.put("4.png", &files[4]);
    s3.set(Mode::Serve);
    answered(&db, 5).await;
    worker.ready().await;
    drained(&site).await;
    worker.stop().await;
    assert_eq!(db.store.parked_count().await.expect("a count"), 0, "no failure of the store is an image's");
    check_queues(&site);
    site.clean_up();
}

async fn site(name: &str) -> (Database, Site, S3) {
    let (db, s3) = (Database::create().await, S3::start());
    let amqp_url = std::env::var("AMQP_URL").expect("deploy/test sets AMQP_URL");
    let site = Site { environment: s3.environment(), ..Site::new(name, &db.url, &amqp_url) };
    (db, site, s3)
}

async fn answered(db: &Database, images: usize) {
    let what = format!("{images} images are answered");
    wait::until(&what, NOTICED, async || (outcomes(&db.store).await == images).then_some(())).await;
}

/// Waits until the worker says that it misses the store.
async fn is_away(worker: &Worker, how: &str) {
    wait::until(&format!("readyz names the object store: {how}"), NOTICED, async || {
        let (status, body) = worker.get("/readyz")?;
        let body: Value = serde_json::from_str(&body).ok()?;
        (status == 503 && body["missing"].get("object_store").is_some()).then_some(())
    })
    .await;
}

/// An arrival of a file that lies in the bucket under its number.
fn event(number: usize, file: &Path) -> Message {
    let content = read(file);
    let uid = |part: u32| format!("1.2.826.0.1.3680043.8.498.{number}.{part}");
    let event = json!({
        "specversion": "1.0",
        "type": "org.cspine.image.arrived.v1",
        "id": format!("in-a-bucket-{number}"),
        "source": "/test",
        "time": "2026-11-25T12:00:00Z",
        "data": {
            "study_instance_uid": uid(1),
            "series_instance_uid": uid(2),
            "sop_instance_uid": uid(3),
            "modality": "DX",
            "body_part": "CSPINE",
            "view": "LL",
            "image": {
                "key": format!("{number}.png"),
                "media_type": "image/png",
                "sha256": Sha256::of(&content),
                "size_bytes": content.len(),
            },
        },
    });
    Message { routing_key: "image.arrived.routine".into(), body: event.to_string().into_bytes() }
}
