use std::time::Duration;

use cspine_tests::database::Database;
use cspine_tests::wait;
use cspine_tests::worker::Site;

use crate::accounting::{RESULTS, check_queues, check_results, check_tables, drained, outcomes, settled};
use crate::traffic::Traffic;

#[tokio::test]
async fn a_worker_killed_in_the_middle_five_times_loses_and_repeats_nothing() {
    let db = Database::create().await;
    let amqp_url = std::env::var("AMQP_URL").expect("deploy/test sets AMQP_URL");
    let site = Site::new("killed", &db.url, &amqp_url);
    let traffic = Traffic::generate(2, 300, &site.objects());

    let survivor = site.start_worker("survivor");
    let mut victim = site.start_worker("victim-0");
    survivor.ready().await;
    victim.ready().await;
    site.stranger.listen(RESULTS, &["finding.created", "study.reprioritised"]);
    // A part before each kill, so that there is work to die in, however long a new victim takes to be ready.
    for (kill, part) in traffic.messages.chunks(traffic.messages.len() / 5).enumerate() {
        let done = outcomes(&db.store).await + part.len() / 7;
        site.stranger.publish(part);
        let what = format!("{done} outcomes, then the victim dies");
        wait::until(&what, Duration::from_secs(120), async || (outcomes(&db.store).await >= done).then_some(())).await;
        victim.kill();
        let left = traffic.outcomes() - outcomes(&db.store).await;
        assert!(left > 0, "kill {kill} came too late to be in the middle");
        victim = site.start_worker(&format!("victim-{kill}"));
        victim.ready().await;
    }
    settled(&db.store, &traffic, Duration::from_secs(240)).await;
    drained(&site).await;
    survivor.stop().await;
    victim.stop().await;

    check_tables(&db.store, &traffic).await;
    check_results(&db.store, &site).await;
    check_queues(&site);
    site.stranger.delete("queue", &[RESULTS]);
    site.clean_up();
}
