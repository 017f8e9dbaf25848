//! Each user of `deploy/rabbitmq-users` can do its work, and none of what it must not do.

use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use cspine_store::StudyState;
use cspine_tests::database::Database;
use cspine_tests::python::{Message, Stranger, peer};
use cspine_tests::stack::Stack;
use cspine_tests::wait;
use cspine_tests::worker::{Site, Worker};
use serde_json::{Value, json};

use crate::accounting::drained;
use crate::files::{pngs, store};
use crate::operations::{arrived, status};

const SOON: Duration = Duration::from_secs(60);

#[tokio::test]
async fn each_user_of_the_broker_does_its_work_and_nothing_else() {
    let stack = Stack::start("rights");
    let db = Database::create_on(&stack.database_url).await.expect("a database");
    let site = Site::new("rights-site", &db.url, &stack.amqp_url_of("worker")).with_prefix("cspine");
    let [sender, reader, listener] = ["sender", "reader", "listener"]
        .map(|user| Stranger { amqp_url: stack.amqp_url_of(user), prefix: "cspine".into() });
    let worker = site.start_worker("worker");
    worker.ready().await;

    // Their work. A sender's tool is ours too.
    let mine = Stranger { prefix: "cspine-listener".into(), ..listener.clone() };
    let bound = json!([listener.amqp_url, "bind", "cspine.results", "cspine-listener.mine", "#"]);
    let declared = json!([listener.amqp_url, "declare", "queue", "cspine-listener.mine"]);
    assert_eq!(attempts(&[declared, bound]), ["allowed", "allowed"]);
    let object = store(&site.objects(), "images/1.png", &pngs()[0]);
    sender.publish(&[arrived("a-1", "1.2.3", &object)]);
    wait::until("it is answered", SOON, async || {
        (db.store.worklist(10).await.ok()?.first()?.status == "scored").then_some(())
    })
    .await;
    reader.publish(&[status("s-1", "reading", "2026-11-23T03:00:01Z")]);
    wait::until("it is being read", SOON, async || {
        (db.store.worklist(10).await.ok()?.first()?.state == StudyState::Reading).then_some(())
    })
    .await;
    wait::until("the listener hears of it", SOON, async || {
        mine.drain("mine").iter().any(|message| message.routing_key == "finding.created").then_some(())
    })
    .await;

    refused(&stack);
    copies_by_header_change_nothing(&stack, &db, &worker).await;
    drained(&Site::new("rights-admin", &db.url, &stack.amqp_url).with_prefix("cspine")).await;
    worker.stop().await;
}

/// What each must not do.
fn refused(stack: &Stack) {
    let mut forbidden: Vec<Value> = Vec::new();
    let mut must_not = |user: &str, actions: &[Value]| {
        for action in actions {
            let mut line = vec![json!(stack.amqp_url_of(user))];
            line.extend(action.as_array().expect("a list").iter().cloned());
            forbidden.push(line.into());
        }
    };
    let forge = [
        json!(["publish", "cspine.results", "finding.created"]),
        json!(["publish", "cspine.results", "study.reprioritised"]),
        json!(["publish", "cspine.infer", "image.arrived.stat"]),
        json!(["publish", "cspine.infer", "study.status"]),
        json!(["publish", "cspine.retry.200", "image.arrived.stat"]),
        json!(["publish", "cspine.dead", ""]),
        json!(["publish", "cspine.unrouted", ""]),
        json!(["publish", "cspine.undeliverable", ""]),
        json!(["publish", "", "cspine.infer.stat"]),
        json!(["publish", "", "cspine-listener.mine"]),
        json!(["publish", "amq.topic", "finding.created"]),
    ];
    let take = [
        json!(["get", "cspine.arrivals.stat"]),
        json!(["get", "cspine.dead-letters"]),
        json!(["consume", "cspine.infer.stat"]),
        json!(["consume", "cspine.labels"]),
        json!(["bind", "cspine.events", "cspine.status", "#"]),
        json!(["declare", "queue", ""]),
        json!(["declare", "queue", "elsewhere"]),
    ];
    let spoil = [
        json!(["purge", "cspine.infer.stat"]),
        json!(["delete", "queue", "cspine.infer.stat"]),
        json!(["delete", "exchange", "cspine.results"]),
        json!(["unbind", "cspine.events", "cspine.arrivals.stat", "image.arrived.stat"]),
        json!(["declare", "exchange", "cspine.more"]),
    ];
    let keys = [
        ("sender", ["study.status", "image.confirmed", "finding.created"]),
        ("reader", ["image.arrived.stat", "image.confirmed", "study.reprioritised"]),
        ("labeller", ["image.arrived.routine", "study.status", "model.drifted"]),
        ("listener", ["image.arrived.stat", "image.confirmed", "study.status"]),
    ];
    for (user, keys) in keys {
        must_not(user, &forge[..if user == "listener" { 9 } else { 11 }]);
        must_not(user, &take);
        must_not(user, &spoil);
        must_not(user, &keys.map(|key| json!(["publish", "cspine.events", key])));
    }
    must_not("listener", &[json!(["bind", "cspine.events", "cspine-listener.mine", "#"])]);
    must_not("listener", &[json!(["dead-letter", "cspine-listener.letters", "cspine.infer"])]);
    must_not("sender", &[json!(["get", "cspine-listener.mine"])]);
    must_not("worker", &[json!(["get", "cspine-listener.mine"]), json!(["declare", "queue", "elsewhere"])]);
    must_not("worker", &[json!(["bind", "amq.topic", "cspine.status", "#"])]);

    let outcomes = attempts(&forbidden);
    assert_eq!(outcomes.len(), forbidden.len());
    for (action, outcome) in forbidden.iter().zip(&outcomes) {
        let action = &action.as_array().expect("a list")[1..];
        assert_eq!(outcome, "refused", "{action:?}");
    }
}

/// Brokers do not ask whether a sender may publish by the further routing keys in its headers CC and BCC.
async fn copies_by_header_change_nothing(stack: &Stack, db: &Database, worker: &Worker) {
    let sender = Stranger { amqp_url: stack.amqp_url_of("sender"), prefix: "cspine".into() };
    let finished = status("forged", "finished", "2026-11-23T04:00:00Z");
    let forged = Message { routing_key: "image.arrived.stat".into(), ..finished };
    let header = |place: usize| json!({"headers": {(["CC", "BCC"][place]): ["study.status", "image.confirmed"]}});
    sender.publish_with(&[forged.clone(), forged], header);
    // Two messages, each in three queues: as an arrival it is none, elsewhere it has no business.
    wait::until("all six are parked", SOON, async || (parked(worker)? == 6).then_some(())).await;
    let study = db.store.worklist(10).await.expect("the list");
    assert_eq!(study[0].state, StudyState::Reading, "nobody without the right has finished it");
}

fn parked(worker: &Worker) -> Option<u64> {
    let (_, page) = worker.get("/metrics")?;
    let line = page.lines().find_map(|line| line.strip_prefix("cspine_parked_total{reason=\"bad_schema\"} "));
    line.map_or(Some(0), |count| count.parse().ok())
}

fn attempts(actions: &[Value]) -> Vec<String> {
    let mut tries = peer("rights.py").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python runs");
    let mut stdin = tries.stdin.take().expect("a pipe");
    for action in actions {
        writeln!(stdin, "{action}").expect("it reads");
    }
    drop(stdin);
    let output = tries.wait_with_output().expect("it ends");
    String::from_utf8(output.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
}
