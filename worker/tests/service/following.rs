//! Workers without a model of their own: they serve the registry's champion, whichever it is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cspine_domain::{Class, Sha256};
use cspine_imaging::Limits;
use cspine_nets::{Classifier, init};
use cspine_wire::{Event, ImageArrived};

use crate::away::{free_address, page, readyz};
use crate::bucket::Bucket;
use crate::site::{Site, eventually, flagging, png, random};

/// What README promises, of a machine that has nothing else to do.
const FOLLOWS_WITHIN: Duration = Duration::from_secs(5);

/// Whether a worker says that it serves this model, and no other.
async fn serves(address: &str, model: Sha256) -> Option<()> {
    let (_, metrics) = page(address, "/metrics").await?;
    let serving: Vec<&str> = metrics.lines().filter(|line| line.starts_with("cspine_model_info{")).collect();
    (serving == [format!("cspine_model_info{{sha256=\"{model}\"}} 1")]).then_some(())
}

async fn taken_in_time(address: &str, model: Sha256) {
    cspine_tests::wait::until("the promotion is taken", FOLLOWS_WITHIN, async || serves(address, model).await).await;
}

/// What `/readyz` says is wrong with the model while the worker is ready.
async fn fault(address: &str, model: Sha256) -> String {
    eventually("readyz names the model", async || {
        let (status, body) = readyz(address).await?;
        assert_eq!((status, &body["ready"]), (200, &true.into()), "the old model serves: {body}");
        body["faults"]["model"].as_str().filter(|what| what.contains(&model.to_string())).map(str::to_owned)
    })
    .await
}

async fn mended(address: &str) {
    eventually("the fault is gone", async || {
        readyz(address).await.filter(|(status, body)| *status == 200 && body["faults"] == serde_json::json!({}))
    })
    .await;
}

/// Images one after the other, until told to stop.
async fn keep_arriving(site: &Site, stop: &AtomicBool) -> Vec<Event<ImageArrived>> {
    let mut events = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let event = site.image(&png(128, 128));
        site.publish(&event).await;
        // The next one once this one is on the list: they arrive as fast as they are taken, and no faster.
        eventually("it is registered", async || {
            let images = site.store().study_images(&event.data.study_instance_uid).await.unwrap();
            (!images.is_empty()).then_some(())
        })
        .await;
        events.push(event);
    }
    events
}

/// How many findings name a model.
async fn answered_by(site: &Site, model: Sha256) -> i64 {
    sqlx::query_scalar("select count(*) from findings where model_sha256 = $1")
        .bind(model.to_string())
        .fetch_one(site.store().pool())
        .await
        .unwrap()
}

/// A model that answers anything in its own way, by its head's bias, and sees images at its own size: what was prepared for
/// another one it refuses.
fn unlike(seed: u64, size: u32) -> Vec<u8> {
    let mut checkpoint = random(seed);
    checkpoint.card.preprocessing.size = size;
    let bias = init::normal_matrix(seed, (1, Class::COUNT), 1.0).unwrap().flatten_all().unwrap();
    checkpoint.state.insert("fc.bias".into(), bias);
    checkpoint.with_golden().unwrap().write().unwrap()
}

/// How far probabilities lie from what a model says of an image.
fn distance(probabilities: [f32; Class::COUNT], model: &Classifier, image: &[u8]) -> f32 {
    let radiograph = cspine_imaging::decode(image, None, &Limits::default()).unwrap();
    let said = model.infer(&model.card().preprocessing.apply(&radiograph), None).unwrap().probabilities;
    probabilities.iter().zip(said).fold(0.0, |most, (p, said)| (p - said).abs().max(most))
}

#[tokio::test]
async fn a_promotion_is_taken_while_images_keep_arriving_and_none_is_lost_or_answered_by_another() {
    let site = Site::new().await;
    let files = [unlike(1, 96), unlike(2, 64)];
    let (first, second) = (site.register(&files[0]).await, site.register(&files[1]).await);
    site.promote(first).await;
    let address = free_address();
    let worker = site.start_following(&["--admin-addr", &address]);
    let stop = AtomicBool::new(false);
    let promotions = async {
        for model in [second, first] {
            let other = if model == first { second } else { first };
            let before = answered_by(&site, other).await;
            eventually("images are answered", async || (answered_by(&site, other).await > before + 3).then_some(()))
                .await;
            site.promote(model).await;
            taken_in_time(&address, model).await;
        }
        let before = answered_by(&site, first).await;
        eventually("images are answered", async || (answered_by(&site, first).await > before + 3).then_some(())).await;
        stop.store(true, Ordering::SeqCst);
    };
    let (events, ()) = tokio::join!(keep_arriving(&site, &stop), promotions);
    let models = files.map(|file| Classifier::load(&file).unwrap());
    for event in &events {
        let finding = site.finding(event).await;
        let image = std::fs::read(site.objects().join(event.data.image.key.as_str())).unwrap();
        for model in &models {
            let off = distance(finding.probabilities.unwrap(), model, &image);
            let is_its_answer = model.sha256() == finding.model;
            assert_eq!(off < 1e-3, is_its_answer, "{off} from {}, the answer is {}'s", model.sha256(), finding.model);
        }
    }
    assert_eq!(answered_by(&site, first).await + answered_by(&site, second).await, events.len() as i64);
    assert_eq!(site.store().parked_count().await.unwrap(), 0);
    // What comes after a swap is the new model's.
    let after = site.image(&png(128, 128));
    site.publish(&after).await;
    assert_eq!(site.finding(&after).await.model, first);
    let features = "select bool_and(octet_length(features) = 2 * 1024) from findings";
    assert!(sqlx::query_scalar::<_, bool>(features).fetch_one(site.store().pool()).await.unwrap());
    worker.stop().await;
    site.remove().await;
}

#[tokio::test]
async fn two_workers_follow_by_the_hint_alone_and_by_polling_alone() {
    let site = Site::new().await;
    let models = [site.register(&flagging(1, false)).await, site.register(&flagging(2, false)).await];
    site.promote(models[0]).await;
    let addresses = [free_address(), free_address()];
    let hinted = site.start_following(&["--admin-addr", &addresses[0], "--model-poll", "1h"]);
    let polling = site.start_following(&["--admin-addr", &addresses[1]]);
    for address in &addresses {
        eventually("it serves", async || serves(address, models[0]).await).await;
    }
    site.promote(models[1]).await;
    for address in &addresses {
        taken_in_time(address, models[1]).await;
    }
    // As if the notification were lost.
    let silent = "alter table serving disable trigger serving_is_told";
    sqlx::query(silent).execute(site.store().pool()).await.unwrap();
    site.promote(models[0]).await;
    taken_in_time(&addresses[1], models[0]).await;
    hinted.stop().await;
    polling.stop().await;
    site.remove().await;
}

#[tokio::test]
async fn without_a_champion_a_worker_waits_keeps_what_arrives_and_says_why() {
    let site = Site::new().await;
    let address = free_address();
    let worker = site.start_following(&["--admin-addr", &address]);
    let event = site.image(&png(128, 128));
    site.publisher.connect().await.unwrap();
    site.publish(&event).await;
    eventually("readyz says that there is no champion", async || {
        let (status, body) = readyz(&address).await?;
        (status == 503 && body["missing"]["model"].as_str()?.contains("no champion")).then_some(())
    })
    .await;
    eventually("the study is on the list", async || {
        let list = site.store().worklist(10).await.unwrap();
        list.first().filter(|row| row.status == "waiting").map(|_| ())
    })
    .await;
    let model = site.register(&flagging(1, false)).await;
    site.promote(model).await;
    taken_in_time(&address, model).await;
    assert_eq!(site.finding(&event).await.model, model);
    eventually("it is ready", async || readyz(&address).await.filter(|(status, _)| *status == 200)).await;
    worker.stop().await;
    site.remove().await;
}

#[tokio::test]
async fn a_corrupt_or_missing_file_leaves_the_old_model_serving_until_it_is_whole_or_another_is_promoted() {
    let site = Site::new().await;
    let bytes = flagging(2, false);
    let (old, corrupt) = (site.register(&flagging(1, false)).await, site.register(&bytes).await);
    let (missing, good) = (site.register(&flagging(3, false)).await, site.register(&flagging(4, false)).await);
    site.promote(old).await;
    let address = free_address();
    let worker = site.start_following(&["--admin-addr", &address, "--model-poll", "200ms"]);
    eventually("it serves", async || serves(&address, old).await).await;
    eventually("it is ready", async || readyz(&address).await.filter(|(status, _)| *status == 200)).await;

    let mut damaged = bytes.clone();
    damaged[bytes.len() / 2] ^= 1;
    std::fs::write(site.model_file(corrupt), &damaged).unwrap();
    site.promote(corrupt).await;
    let what = fault(&address, corrupt).await;
    assert!(what.contains(&Sha256::of(&damaged).to_string()) && what.contains(&old.to_string()), "{what}");
    let (_, metrics) = page(&address, "/metrics").await.unwrap();
    let failures = metrics.lines().find_map(|l| l.strip_prefix("cspine_model_load_failures_total{role=\"champion\"} "));
    assert!(failures.unwrap().parse::<u32>().unwrap() >= 1, "{metrics}");
    let event = site.image(&png(128, 128));
    site.publish(&event).await;
    assert_eq!(site.finding(&event).await.model, old);
    // Somebody puts the right bytes there: it needs no new promotion.
    std::fs::write(site.model_file(corrupt), &bytes).unwrap();
    eventually("it is tried again", async || serves(&address, corrupt).await).await;
    mended(&address).await;

    std::fs::remove_file(site.model_file(missing)).unwrap();
    site.promote(missing).await;
    assert!(fault(&address, missing).await.contains("no object"));
    site.promote(good).await;
    taken_in_time(&address, good).await;
    mended(&address).await;
    let event = site.image(&png(128, 128));
    site.publish(&event).await;
    assert_eq!(site.finding(&event).await.model, good);
    worker.stop().await;
    site.remove().await;
}

/// A model's key in the bucket.
fn key(model: Sha256) -> String {
    format!("models/{model}.safetensors")
}

#[tokio::test]
async fn a_fetch_that_hangs_hides_no_change_and_keeps_neither_role_from_its_model() {
    let site = Site::new().await;
    let mut models = Vec::new();
    for seed in 1..=5 {
        models.push(site.register(&flagging(seed, false)).await);
    }
    let [first, second, shadow, stuck, stuck_too] = models[..] else { panic!("five models") };
    site.promote(first).await;
    let (bucket, address) = (Bucket::of(&site).await, free_address());
    let worker = bucket.start_worker(site.following_flags(&["--admin-addr", &address]));
    eventually("it serves", async || serves(&address, first).await).await;

    bucket.hang_on(&key(stuck), true);
    site.promote(stuck).await;
    site.set_shadow(shadow, 1.0).await;
    // Both stand in one row: whoever has seen the shadow has seen the promotion.
    eventually("the shadow is taken while the champion is fetched", async || {
        let (_, metrics) = page(&address, "/metrics").await?;
        metrics.contains(&format!("cspine_shadow_info{{sha256=\"{shadow}\"}} 1")).then_some(())
    })
    .await;
    assert!(serves(&address, first).await.is_some(), "the old one goes on");
    site.promote(second).await;
    taken_in_time(&address, second).await;

    bucket.hang_on(&key(stuck_too), true);
    site.set_shadow(stuck_too, 1.0).await;
    for model in [first, second] {
        site.promote(model).await;
        taken_in_time(&address, model).await;
    }
    assert_eq!(worker.terminated().await, Some(0));
    site.remove().await;
}

#[tokio::test]
async fn a_fetch_that_takes_too_long_is_a_fault_and_is_tried_again() {
    let site = Site::new().await;
    let (old, stuck) = (site.register(&flagging(1, false)).await, site.register(&flagging(2, false)).await);
    site.promote(old).await;
    let (bucket, address) = (Bucket::of(&site).await, free_address());
    let flags = ["--admin-addr", &address, "--model-poll", "200ms", "--model-fetch-timeout", "2s"];
    let worker = bucket.start_worker(site.following_flags(&flags));
    eventually("it serves", async || serves(&address, old).await).await;
    eventually("it is ready", async || readyz(&address).await.filter(|(status, _)| *status == 200)).await;
    bucket.hang_on(&key(stuck), true);
    site.promote(stuck).await;
    let what = fault(&address, stuck).await;
    assert!(what.contains("longer than 2s"), "{what}");
    bucket.hang_on(&key(stuck), false);
    eventually("it is tried again", async || serves(&address, stuck).await).await;
    mended(&address).await;
    assert_eq!(worker.terminated().await, Some(0));
    site.remove().await;
}

#[tokio::test]
async fn a_registry_that_cannot_be_read_is_a_fault_and_what_serves_goes_on() {
    let site = Site::new().await;
    let model = site.register(&flagging(1, false)).await;
    site.promote(model).await;
    let address = free_address();
    let worker = site.start_following(&["--admin-addr", &address, "--model-poll", "200ms"]);
    eventually("it serves", async || serves(&address, model).await).await;
    let change = "alter table serving rename column shadow_share to share";
    sqlx::query(change).execute(site.store().pool()).await.unwrap();
    eventually("readyz names the registry", async || {
        let (_, body) = readyz(&address).await?;
        body["faults"]["registry"].as_str().filter(|what| what.contains("42703")).map(|_| ())
    })
    .await;
    let (_, metrics) = page(&address, "/metrics").await.unwrap();
    let failures = metrics.lines().find_map(|line| line.strip_prefix("cspine_registry_failures_total "));
    assert!(failures.unwrap().parse::<u32>().unwrap() >= 1, "{metrics}");
    let event = site.image(&png(128, 128));
    site.publish(&event).await;
    assert_eq!(site.finding(&event).await.model, model);
    let back = "alter table serving rename column share to shadow_share";
    sqlx::query(back).execute(site.store().pool()).await.unwrap();
    mended(&address).await;
    worker.stop().await;
    site.remove().await;
}

#[tokio::test]
async fn a_model_whose_golden_inference_differs_or_that_has_none_is_refused() {
    let site = Site::new().await;
    let old = site.register(&flagging(1, false)).await;
    let mut differs = random(2).with_golden().unwrap();
    differs.card.golden.as_mut().unwrap().logits[0] += 0.01;
    let differs = site.register(&differs.write().unwrap()).await;
    let without = site.register(&random(2).write().unwrap()).await;
    site.promote(old).await;
    let address = free_address();
    let worker = site.start_following(&["--admin-addr", &address, "--model-poll", "200ms"]);
    eventually("it serves", async || serves(&address, old).await).await;
    eventually("it is ready", async || readyz(&address).await.filter(|(status, _)| *status == 200)).await;
    for (model, what) in [(differs, "the golden inference differs"), (without, "no golden inference")] {
        site.promote(model).await;
        let said = fault(&address, model).await;
        assert!(said.contains(what), "{said}");
        let event = site.image(&png(128, 128));
        site.publish(&event).await;
        assert_eq!(site.finding(&event).await.model, old);
    }
    // Back to what serves already: nothing is to be loaded, and nothing is wrong.
    site.promote(old).await;
    mended(&address).await;
    worker.stop().await;
    site.remove().await;
}
