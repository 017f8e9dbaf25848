use std::time::Duration;

use cspine_tests::database::Database;
use cspine_tests::worker::Site;

use crate::accounting::{RESULTS, check_queues, check_results, check_tables, drained, settled};
use crate::traffic::Traffic;

#[tokio::test]
async fn three_hundred_events_of_a_stranger_are_all_accounted_for() {
    let db = Database::create().await;
    let amqp_url = std::env::var("AMQP_URL").expect("deploy/test sets AMQP_URL");
    let site = Site::new("stranger", &db.url, &amqp_url);
    let traffic = Traffic::generate(1, 300, &site.objects());
    assert_eq!(traffic.messages.len(), 300);

    let worker = site.start_worker("worker");
    worker.ready().await;
    site.stranger.listen(RESULTS, &["finding.created", "study.reprioritised"]);
    site.stranger.publish(&traffic.messages);
    settled(&db.store, &traffic, Duration::from_secs(240)).await;
    drained(&site).await;
    worker.stop().await;

    check_tables(&db.store, &traffic).await;
    check_results(&db.store, &site).await;
    check_queues(&site);
    site.stranger.delete("queue", &[RESULTS]);
    site.clean_up();
}
