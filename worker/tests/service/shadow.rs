//! A challenger in the shadow: it scores its share, and nobody's place depends on it.

use std::collections::BTreeSet;

use cspine_domain::{Sha256, Uid};

use crate::away::{free_address, page, readyz};
use crate::site::{Site, eventually, flagging, png, random};

/// The SOP instance UIDs of the findings of a purpose.
async fn found(site: &Site, purpose: &str) -> BTreeSet<String> {
    sqlx::query_scalar("select sop_instance_uid from findings where purpose = $1")
        .bind(purpose)
        .fetch_all(site.store().pool())
        .await
        .unwrap()
        .into_iter()
        .collect()
}

/// Half of the images, as the README says: those whose UID's SHA-256 begins with a bit of 0.
fn is_of_the_half(sop: &Uid) -> bool {
    Sha256::of(sop.as_str().as_bytes()).0[0] < 0x80
}

#[tokio::test]
async fn a_shadow_scores_its_share_of_two_workers_images_and_the_list_does_not_move() {
    let site = Site::new().await;
    let (champion, shadow) = (site.register(&flagging(1, false)).await, site.register(&flagging(2, true)).await);
    site.promote(champion).await;
    site.set_shadow(shadow, 0.5).await;
    let addresses = [free_address(), free_address()];
    let workers = addresses.each_ref().map(|address| site.start_following(&["--admin-addr", address]));
    for address in &addresses {
        eventually("both models are there", async || {
            let (_, metrics) = page(address, "/metrics").await?;
            metrics.contains(&format!("cspine_shadow_info{{sha256=\"{shadow}\"}} 1")).then_some(())
        })
        .await;
    }
    // Whoever has nothing to do with a spine is no less a live image.
    let events: Vec<_> = (0..16).map(|n| site.image(&if n % 8 == 7 { png(63, 100) } else { png(128, 128) })).collect();
    for event in &events {
        site.publish(event).await;
    }
    for event in &events {
        assert_eq!(site.finding(event).await.model, champion);
    }
    let expected: BTreeSet<String> = events
        .iter()
        .map(|event| &event.data.sop_instance_uid)
        .filter(|sop| is_of_the_half(sop))
        .map(ToString::to_string)
        .collect();
    eventually("the share is scored", async || (found(&site, "shadow").await == expected).then_some(())).await;
    let tally = site.store().shadow_tally(shadow, champion).await.unwrap();
    assert_eq!((tally.images, tally.flagged_primary), (expected.len() as i64, 0));
    for row in site.store().worklist(100).await.unwrap() {
        assert!(!row.flagged && row.level == 3, "{row:?}");
    }
    let told = "select count(*) from outbox where payload->>'type' like '%finding.created%'";
    let told: i64 = sqlx::query_scalar(told).fetch_one(site.store().pool()).await.unwrap();
    assert_eq!(told, events.len() as i64, "the shadow's findings are told to nobody");
    for worker in workers {
        worker.stop().await;
    }
    site.remove().await;
}

#[tokio::test]
async fn a_shadow_that_cannot_be_served_harms_nothing_and_is_named() {
    let site = Site::new().await;
    let (champion, shadow) =
        (site.register(&flagging(1, false)).await, site.register(&random(2).write().unwrap()).await);
    site.promote(champion).await;
    site.set_shadow(shadow, 1.0).await;
    let address = free_address();
    let worker = site.start_following(&["--admin-addr", &address]);
    eventually("readyz names the shadow", async || {
        let (status, body) = readyz(&address).await?;
        (status == 200 && body["faults"]["shadow"].as_str()?.contains(&shadow.to_string())).then_some(())
    })
    .await;
    let event = site.image(&png(128, 128));
    site.publish(&event).await;
    assert_eq!(site.finding(&event).await.model, champion);
    worker.stop().await;
    assert!(found(&site, "shadow").await.is_empty());
    site.remove().await;
}
