use std::time::Duration;

use cspine_tests::database::Database;
use cspine_tests::stack::Stack;
use cspine_tests::wait;
use cspine_tests::worker::{Site, Worker};

use crate::accounting::{RESULTS, check_queues, check_results, check_tables, drained, outcomes, settled};
use crate::traffic::Traffic;

/// Postgres killed, the broker killed, the broker stopped and started, with work in flight each time.
#[tokio::test]
async fn servers_that_die_in_the_middle_cost_nothing_but_time() {
    let mut stack = Stack::start("restarts");
    let db = Database::create_on(&stack.database_url).await.expect("a database");
    let site = Site::new("restarts-site", &db.url, &stack.amqp_url);
    let traffic = Traffic::generate(3, 120, &site.objects());
    let worker = site.start_worker("worker");
    worker.ready().await;
    site.stranger.listen(RESULTS, &["finding.created", "study.reprioritised"]);
    site.stranger.publish(&traffic.messages);

    outcomes_reach(&db, traffic.outcomes() / 5).await;
    stack.kill_postgres();
    not_ready(&worker).await;
    stack.up();
    worker.ready().await;

    outcomes_reach(&db, 2 * traffic.outcomes() / 5).await;
    stack.kill_rabbitmq();
    not_ready(&worker).await;
    stack.up();
    worker.ready().await;

    outcomes_reach(&db, 3 * traffic.outcomes() / 5).await;
    stack.rabbitmqctl(&["stop_app"]);
    stack.rabbitmqctl(&["start_app"]);
    settled(&db.store, &traffic, Duration::from_secs(240)).await;
    drained(&site).await;
    worker.stop().await;

    check_tables(&db.store, &traffic).await;
    check_results(&db.store, &site).await;
    check_queues(&site);
}

#[tokio::test]
async fn a_worker_started_before_its_servers_waits_and_goes_on_by_itself() {
    let mut stack = Stack::start("late");
    let db = Database::create_on(&stack.database_url).await.expect("a database");
    let site = Site::new("late-site", &db.url, &stack.amqp_url);
    stack.kill_postgres();
    stack.kill_rabbitmq();
    let worker = site.start_worker("worker");
    not_ready(&worker).await;
    stack.up();
    worker.ready().await;
    let traffic = Traffic::generate(4, 40, &site.objects());
    site.stranger.publish(&traffic.messages);
    settled(&db.store, &traffic, Duration::from_secs(120)).await;
    drained(&site).await;
    worker.stop().await;
    check_tables(&db.store, &traffic).await;
    check_queues(&site);
}

async fn outcomes_reach(db: &Database, count: usize) {
    let what = format!("{count} outcomes");
    wait::until(&what, Duration::from_secs(120), async || (outcomes(&db.store).await >= count).then_some(())).await;
}

/// It answers, and says that it is not ready.
async fn not_ready(worker: &Worker) {
    wait::until("the worker says that it is not ready", Duration::from_secs(60), async || {
        (worker.get("/readyz")?.0 == 503).then_some(())
    })
    .await;
}
