//! The oracle: accepted = findings + parked, one finding an image, every study in its place, nothing left in a queue.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cspine_domain::{OrderPriority, Reason};
use cspine_store::Store;
use cspine_tests::order::{Answer, Place, Study, expected};
use cspine_tests::wait;
use cspine_tests::worker::{QUEUES, Site};
use cspine_wire::AnyEvent;
use sqlx::Row as _;
use time::OffsetDateTime;

use crate::traffic::{Image, Traffic};

/// The stranger's own queue, in which the results arrive.
pub const RESULTS: &str = "results-of-the-test";

/// Primary findings and parked rows so far.
pub async fn outcomes(store: &Store) -> usize {
    let count: i64 = sqlx::query_scalar(
        "select (select count(*) from findings where purpose = 'primary') + (select count(*) from parked_messages)",
    )
    .fetch_one(store.pool())
    .await
    .unwrap_or(0); // away for a moment
    count as usize
}

/// Waits until every message has its outcome and its study, and everything was told.
pub async fn settled(store: &Store, traffic: &Traffic, deadline: Duration) {
    let (outcomes_due, studies_due) = (traffic.outcomes(), traffic.studies.len() as i64);
    wait::until("every event has its outcome", deadline, async || {
        (outcomes(store).await >= outcomes_due && count(store, "studies").await >= studies_due).then_some(())
    })
    .await;
    wait::until("the outbox is empty", Duration::from_secs(60), async || {
        (count(store, "outbox where sent_at is null").await == 0).then_some(())
    })
    .await;
}

async fn count(store: &Store, what: &'static str) -> i64 {
    let count = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from {what}")));
    count.fetch_one(store.pool()).await.unwrap_or(-1)
}

/// Holds what the tables say against what was published.
pub async fn check_tables(store: &Store, traffic: &Traffic) {
    assert_eq!(findings(store).await, traffic.answered, "one primary finding an image, and no other");
    assert_eq!(parked(store).await, traffic.parked, "one parked row a message, and no other");
    let conflicts = strings(store, "select study_instance_uid from studies where conflict").await;
    assert_eq!(conflicts, traffic.conflicts.iter().cloned().collect(), "studies in conflict");
    check_list(store, traffic).await;
}

/// Each primary finding: none when it was scored, else the reason. A duplicate key would panic here.
async fn findings(store: &Store) -> BTreeMap<Image, Option<Reason>> {
    let rows =
        sqlx::query("select sop_instance_uid, content_sha256, verdict, reason from findings where purpose = 'primary'")
            .fetch_all(store.pool())
            .await
            .expect("findings");
    let mut findings = BTreeMap::new();
    for row in rows {
        let reason: Option<&str> = row.get("reason");
        let reason = reason.filter(|_| row.get::<&str, _>("verdict") == "not_assessable");
        let image = (row.get("sop_instance_uid"), row.get("content_sha256"));
        let before = findings.insert(image, reason.map(|word| word.parse().expect("a reason")));
        assert!(before.is_none(), "two primary findings of one image");
    }
    findings
}

async fn parked(store: &Store) -> BTreeMap<String, Reason> {
    let rows = sqlx::query("select coalesce(event_id, body_sha256) as key, reason from parked_messages")
        .fetch_all(store.pool())
        .await
        .expect("parked messages");
    let count = rows.len();
    let parked: BTreeMap<_, _> =
        rows.iter().map(|row| (row.get("key"), row.get::<&str, _>("reason").parse().expect("a reason"))).collect();
    assert_eq!(parked.len(), count, "two parked rows of one message");
    parked
}

async fn strings(store: &Store, query: &'static str) -> BTreeSet<String> {
    sqlx::query_scalar(query).fetch_all(store.pool()).await.expect("rows").into_iter().collect()
}

/// The list against the design's order, computed here from the orders sent and the probabilities found.
async fn check_list(store: &Store, traffic: &Traffic) {
    let mut studies = Vec::new();
    for (uid, order_priority) in &traffic.studies {
        studies.push(study(store, uid, *order_priority).await);
    }
    let rows = sqlx::query("select study_instance_uid, level, flagged, position from worklist order by position")
        .fetch_all(store.pool())
        .await
        .expect("the list");
    let list: Vec<Place> = rows
        .iter()
        .map(|row| Place { uid: row.get("study_instance_uid"), level: row.get("level"), flagged: row.get("flagged") })
        .collect();
    assert_eq!(list, expected(&studies, OffsetDateTime::now_utc()), "the list is in the design's order");
    let positions: Vec<i64> = rows.iter().map(|row| row.get("position")).collect();
    assert_eq!(positions, (1..=positions.len() as i64).collect::<Vec<_>>());
}

async fn study(store: &Store, uid: &str, order_priority: OrderPriority) -> Study {
    let arrived_at: OffsetDateTime = sqlx::query_scalar("select arrived_at from studies where study_instance_uid = $1")
        .bind(uid)
        .fetch_optional(store.pool())
        .await
        .expect("the study")
        .unwrap_or_else(|| panic!("study {uid} was not registered"));
    let answers = sqlx::query(
        "select verdict, flagged, coalesce(p_dislocation, 0) as dislocation, coalesce(p_fracture, 0) as fracture
           from findings join images using (sop_instance_uid, content_sha256)
          where study_instance_uid = $1 and purpose = 'primary'",
    )
    .bind(uid)
    .fetch_all(store.pool())
    .await
    .expect("its findings");
    let answers = answers.iter().map(|row| Answer {
        verdict: row.get::<&str, _>("verdict").parse().expect("a verdict"),
        flagged: row.get("flagged"),
        dislocation: row.get("dislocation"),
        fracture: row.get("fracture"),
    });
    Study { uid: uid.into(), order_priority, arrived_at, answers: answers.collect() }
}

/// Holds what went out against the tables: each finding and each move was told, by events a subscriber can read.
pub async fn check_results(store: &Store, site: &Site) {
    let (mut findings, mut moves) = (BTreeSet::new(), BTreeSet::new());
    for message in site.stranger.drain(RESULTS) {
        // at least once: the same event may have come twice, under the same id
        match AnyEvent::parse(&message.body).expect("an event of ours") {
            AnyEvent::FindingCreated(event) => findings.insert((event.id, event.data.sop_instance_uid.to_string())),
            AnyEvent::StudyReprioritised(event) => moves.insert((event.id, event.data.study_instance_uid.to_string())),
            other => panic!("no result: {other:?}"),
        };
    }
    assert_eq!(findings.len() as i64, count(store, "findings").await, "each finding was told of");
    let found: BTreeSet<String> = findings.into_iter().map(|(_, sop)| sop).collect();
    assert_eq!(found, strings(store, "select distinct sop_instance_uid::text from findings").await);
    assert_eq!(moves.len() as i64, count(store, "priority_changes").await, "each move was told of");
}

/// Waits until nothing waits anywhere, the retry ladder included.
pub async fn drained(site: &Site) {
    wait::until("the queues are empty", Duration::from_secs(60), async || (waiting(site) == 0).then_some(())).await;
}

/// Nothing waits anywhere. Only after the workers have stopped: what they hold is not counted.
pub fn check_queues(site: &Site) {
    assert_eq!(waiting(site), 0, "messages left in the queues");
}

fn waiting(site: &Site) -> u64 {
    let rest = ["undeliverable", "retry.200", "retry.500", "retry.1000"];
    site.stranger.depth(&[&QUEUES[..], &rest].concat())
}
