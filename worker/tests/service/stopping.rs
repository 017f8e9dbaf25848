//! SIGTERM, as an orchestrator sends it.

use std::process::{Command, Stdio};

use crate::site::{PROGRAM, Site, eventually, png};

#[tokio::test]
async fn on_sigterm_it_finishes_what_it_holds_and_leaves_the_rest_to_others() {
    let site = Site::new().await;
    site.publisher.connect().await.unwrap();
    let events: Vec<_> = (0..12).map(|_| site.image(&png(400, 400))).collect();
    for event in &events {
        site.publish(event).await;
    }
    let mut worker = Command::new(PROGRAM).arg("run").args(site.flags(&[])).stderr(Stdio::null()).spawn().unwrap();
    site.finding(&events[0]).await;
    let told = Command::new("kill").args(["-TERM", &worker.id().to_string()]).status().unwrap();
    assert!(told.success());
    let status = eventually("it ends", async || worker.try_wait().unwrap()).await;
    assert_eq!(status.code(), Some(0));

    let other = site.start(&[]);
    for event in &events {
        site.finding(event).await;
    }
    assert_eq!(site.store().parked_count().await.unwrap(), 0);
    site.assert_all_told(other).await;
}
