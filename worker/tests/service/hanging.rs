//! A store that hangs instead of failing, and a pipe in the place of an object.

use std::process::Command;

use cspine_domain::Reason;
use cspine_wire::Queue;

use crate::away::{free_address, ready, readyz};
use crate::bucket::Bucket;
use crate::site::{Site, eventually, png};

#[tokio::test]
async fn while_the_store_hangs_the_worker_says_so_holds_the_image_and_answers_it_once_the_store_does() {
    let site = Site::new().await;
    let (bucket, address) = (Bucket::of(&site).await, free_address());
    bucket.hang(true);
    let worker = bucket.start_worker(site.flags(&["--fetch-timeout", "1s", "--admin-addr", &address]));
    let event = site.image(&png(128, 128));
    eventually("the topology is there", async || site.publisher.connect().await.ok()).await;
    site.publish(&event).await;
    eventually("readyz names the object store", async || {
        readyz(&address).await.filter(|(status, body)| *status == 503 && body["missing"].get("object_store").is_some())
    })
    .await;
    assert_eq!(site.store().parked_count().await.unwrap(), 0);
    bucket.hang(false);
    site.finding(&event).await;
    eventually("it is ready", async || readyz(&address).await.filter(|(status, _)| *status == 200)).await;
    assert_eq!(site.store().parked_count().await.unwrap(), 0);
    site.told().await;
    assert_eq!(worker.terminated().await, Some(0));
    site.assert_drained().await;
}

#[tokio::test]
async fn on_sigterm_while_the_store_hangs_it_leaves_the_image_unacknowledged_and_ends_well() {
    let site = Site::new().await;
    let bucket = Bucket::of(&site).await;
    bucket.hang(true);
    // A fetch that would outlive the shutdown.
    let worker = bucket.start_worker(site.flags(&["--fetch-timeout", "10m", "--shutdown-timeout", "20s"]));
    let event = site.image(&png(128, 128));
    eventually("the topology is there", async || site.publisher.connect().await.ok()).await;
    site.publish(&event).await;
    let lane = Queue::Lane(cspine_wire::Lane::Routine);
    eventually("the worker has taken the image", async || {
        let registered = site.store().worklist(1).await.ok()?.len() == 1;
        (registered && site.publisher.ensure_topology().await.ok()?.get(lane) == 0).then_some(())
    })
    .await;
    assert_eq!(worker.terminated().await, Some(0));
    // It comes again to a worker whose store answers.
    let other = site.start(&[]);
    site.finding(&event).await;
    site.assert_all_told(other).await;
}

#[tokio::test]
async fn an_object_that_hangs_while_the_store_answers_is_parked_after_the_ladder_and_takes_no_readiness() {
    let site = Site::new().await;
    let (bucket, address) = (Bucket::of(&site).await, free_address());
    let worker = bucket.start_worker(site.flags(&["--fetch-timeout", "1s", "--admin-addr", &address]));
    ready(&address).await;
    eventually("the topology is there", async || site.publisher.connect().await.ok()).await;
    let stuck = site.image(&png(128, 128));
    bucket.hang_on(stuck.data.image.key.as_str(), true);
    site.publish(&stuck).await;
    let sound = site.image(&png(128, 128));
    site.publish(&sound).await;
    site.finding(&sound).await;
    let row = site.parked(&stuck.id).await;
    assert_eq!((row.reason, row.attempts), (Reason::ObjectMissing, 3), "{}", row.detail);
    assert!(row.detail.contains("not read within 1s"), "{}", row.detail);
    let (status, body) = readyz(&address).await.unwrap();
    assert_eq!(status, 200, "{body}");
    site.told().await;
    assert_eq!(worker.terminated().await, Some(0));
    site.assert_drained().await;
}

#[tokio::test]
async fn pipes_in_the_place_of_objects_are_parked_and_others_are_answered_meanwhile() {
    let site = Site::new().await;
    let address = free_address();
    let worker = site.start(&["--admin-addr", &address]);
    ready(&address).await;
    let pipes = [site.image(&png(128, 128)), site.image(&png(128, 128)), site.image(&png(128, 128))];
    eventually("the topology is there", async || site.publisher.connect().await.ok()).await;
    for event in &pipes {
        let file = site.objects().join(event.data.image.key.as_str());
        std::fs::remove_file(&file).unwrap();
        assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
        site.publish(event).await;
    }
    let sound = site.image(&png(128, 128));
    site.publish(&sound).await;
    site.finding(&sound).await;
    for event in &pipes {
        assert_eq!(site.parked(&event.id).await.reason, Reason::ObjectMissing);
    }
    let (status, body) = readyz(&address).await.unwrap();
    assert_eq!(status, 200, "{body}");
    worker.stop().await;
    site.remove().await;
}
