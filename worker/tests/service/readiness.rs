//! Readiness follows the dependency, never one message.

use crate::away::{free_address, readyz};
use crate::site::{Site, eventually, png};

#[tokio::test]
async fn a_study_that_another_session_has_locked_takes_neither_readiness_nor_other_images() {
    let site = Site::new().await;
    let address = free_address();
    let worker = site.start(&["--admin-addr", &address]);
    eventually("it is ready", async || readyz(&address).await.filter(|(status, _)| *status == 200)).await;
    let locked = site.image(&png(128, 128));
    site.publish(&locked).await;
    site.finding(&locked).await;
    let mut lock = site.store().pool().begin().await.unwrap();
    sqlx::query("select 1 from studies where study_instance_uid = $1 for update")
        .bind(locked.data.study_instance_uid.as_str())
        .execute(&mut *lock)
        .await
        .unwrap();
    // Another image of that study: its message meets the lock, again and again.
    let mut second = site.image(&png(128, 128));
    second.data.study_instance_uid = locked.data.study_instance_uid.clone();
    site.publish(&second).await;
    for _ in 0..3 {
        let other = site.image(&png(128, 128));
        site.publish(&other).await;
        site.finding(&other).await;
    }
    eventually("the lock was met", async || {
        let waiting = "select exists (select from pg_stat_activity where wait_event_type = 'Lock'
                                         and datname = current_database())";
        sqlx::query_scalar::<_, bool>(waiting).fetch_one(site.store().pool()).await.ok()?.then_some(())
    })
    .await;
    lock.rollback().await.unwrap();
    eventually("the study's second image has come to its end", async || {
        let ended = "select not exists (select from awaited_answers)";
        sqlx::query_scalar::<_, bool>(ended).fetch_one(site.store().pool()).await.ok()?.then_some(())
    })
    .await;
    eventually("it is ready", async || readyz(&address).await.filter(|(status, _)| *status == 200)).await;
    worker.stop().await;
    site.remove().await;
}
