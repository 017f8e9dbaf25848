//! Years of studies make nothing slower: a million finished ones and five thousand on the list, every statement of the
//! store run against them, and the server's own account of what it read for each.
//!
//! `CSPINE_TEST_FINISHED_STUDIES` makes it another number.

mod calls;
mod plans;
mod statements;

use std::time::Instant;

use cspine_domain::{Sha256, Uid};
use cspine_store::{Arrival, Recorded, Store, StoreOptions};
use cspine_tests::database::Database;

use self::plans::{EXPLAIN, Plan, Plans};
use crate::samples::{DISLOCATION, arrival, finding};

const OPEN: i64 = 5_000;
/// Tables that get rows with every image, event or label.
const GROWING: [&str; 8] =
    ["studies", "images", "findings", "priority_changes", "outbox", "parked_messages", "reviews", "status_events"];
/// Rows that a statement may look at in one table: those of the open studies, and some.
const ROWS_MAX: u64 = 6_000;
/// Pages of 8 KiB that the first page of the list, and a commit, may look at. On an idle core of 2019 a page in memory
/// takes some 2 µs: 50 ms and 20 ms are far away.
const LIST_BUFFERS_MAX: u64 = 2_000;
const COMMIT_BUFFERS_MAX: u64 = 400;

/// Statements that may look at more rows, by their keys; which table they may read as a whole; and why.
const ALLOWED: [(&str, &str, &str); 4] = [
    ("from labelled_through(", "reviews", "a run learns from every label there is; labels are few beside images"),
    ("from labelled_images", "reviews", "the same, to count what is new, and to deal sides"),
    ("count(distinct (r.sop_instance_uid", "reviews", "labels without an image are counted by a person's command"),
    ("s.purpose = 'shadow') as pairs", "none", "a trial is judged by all of its images"),
];

fn finished() -> i64 {
    std::env::var("CSPINE_TEST_FINISHED_STUDIES").map_or(1_000_000, |number| number.parse().expect("a number"))
}

/// Image number `n` of those that were loaded.
fn loaded(n: i64) -> Arrival {
    let uid = |kind: u32| Uid::parse(&format!("1.2.826.0.1.3680043.8.498.{kind}.{n}")).expect("a UID");
    Arrival { study: uid(1), series: uid(2), sop: uid(3), content: sha256(n), ..arrival(1, 1) }
}

fn sha256(n: i64) -> Sha256 {
    Sha256::of(&n.to_be_bytes())
}

#[tokio::test]
async fn no_statement_reads_a_table_that_grows_and_list_and_commit_stay_fast() {
    let db = Database::create_as_admin().await;
    load(&db).await;
    explain(&db, "on").await;
    let (plans, _listening) = Plans::listen();
    let store = Store::connect(&db.url, &StoreOptions::default()).await.expect("the store");
    the_first_page_is_near(&store, &plans).await;
    a_commit_touches_little(&store, &plans).await;
    calls::everything(&store, &db).await;
    // a function of theirs asks a table of one row, for each label
    explain(&db, "off").await;
    let store = Store::connect(&db.url, &StoreOptions::default()).await.expect("the store");
    calls::labels(&store).await;
    let seen = plans.take();
    let wrong: Vec<String> = seen.iter().flat_map(reads_too_much).collect();
    assert!(wrong.is_empty(), "{} of {} statements:\n{}", wrong.len(), seen.len(), wrong.join("\n"));
    every_statement_was_seen(&seen);
}

async fn the_first_page_is_near(store: &Store, plans: &Plans) {
    let mut fastest = f64::INFINITY;
    for _ in 0..5 {
        assert_eq!(store.worklist(50).await.expect("the list").len(), 50);
        let seen = plans.take();
        let page = seen.iter().find(|plan| plan.query.contains("from worklist")).expect("the list's plan");
        assert!(page.buffers() <= LIST_BUFFERS_MAX, "{} pages for the first page: {:#}", page.buffers(), page.root);
        assert!(reads_too_much(page).is_empty());
        fastest = fastest.min(page.duration_ms);
    }
    println!("history: first page of the list: {fastest:.1} ms");
}

async fn a_commit_touches_little(store: &Store, plans: &Plans) {
    let mut fastest = f64::INFINITY;
    for n in 0..5 {
        // another image of a study on the list, flagged: the whole way, with a move and two events
        let image = Arrival { study: loaded(finished() + 10 + n).study, ..arrival(1, 9_000 + n as u32) };
        let started = Instant::now();
        let recorded = store.record_finding(&finding(image, DISLOCATION)).await.expect("recorded");
        fastest = fastest.min(started.elapsed().as_secs_f64() * 1000.0);
        assert!(matches!(recorded, Recorded::Created { .. }));
        let seen = plans.take();
        let buffers: u64 = seen.iter().map(Plan::buffers).sum();
        assert!(buffers <= COMMIT_BUFFERS_MAX, "{buffers} pages for a commit: {seen:#?}");
    }
    println!("history: a commit: {fastest:.1} ms");
}

/// What a plan reads that it should not.
fn reads_too_much(plan: &Plan) -> Vec<String> {
    let entry = ALLOWED.iter().find(|(fragment, ..)| plan.query.contains(fragment));
    let growing = plan.reads().into_iter().filter(|read| GROWING.contains(&read.table.as_str()));
    let wrong = growing.filter(|read| match entry {
        Some((_, whole, _)) => read.node.contains("Seq Scan") && read.table != *whole,
        None => read.node.contains("Seq Scan") || read.rows > ROWS_MAX,
    });
    wrong.map(|read| format!("{read:?} in {:.0} ms: {}", plan.duration_ms, plan.query)).collect()
}

fn every_statement_was_seen(seen: &[Plan]) {
    let missed: Vec<String> = statements::in_the_source()
        .into_iter()
        .filter(|statement| !seen.iter().any(|plan| plan.query.starts_with(statement.text.trim_end())))
        .map(|statement| format!("{}: {}", statement.file, statement.text))
        .collect();
    assert!(missed.is_empty(), "statements that history/calls.rs does not run:\n{}", missed.join("\n"));
}

async fn load(db: &Database) {
    let tables = GROWING.iter().chain(&["awaited_answers"]).map(|table| format!("'{table}'"));
    let tables = tables.collect::<Vec<_>>().join(", ");
    let bare = include_str!("history/bare.sql").replace("$tables", &format!("array[{tables}]"));
    let rows = include_str!("history/load.sql")
        .replace("$finished", &finished().to_string())
        .replace("$open", &OPEN.to_string());
    let started = Instant::now();
    let script = format!("set statement_timeout = 0; {bare} {rows} {}", include_str!("history/dress.sql"));
    run(db, script).await;
    // where autovacuum would have come by
    run(db, "vacuum analyze".to_owned()).await;
    println!("history: {} studies loaded in {:.0} s", finished() + OPEN, started.elapsed().as_secs_f64());
    print_sizes(db).await;
}

async fn print_sizes(db: &Database) {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "select relname::text, pg_total_relation_size(oid), reltuples::bigint from pg_class
          where relname = any($1) and relkind = 'r' order by 2 desc",
    )
    .bind(GROWING.map(str::to_owned).to_vec())
    .fetch_all(db.store.pool())
    .await
    .expect("sizes");
    for (table, bytes, rows) in rows {
        println!("history: {table}: {rows} rows, {} bytes a row with its indexes", bytes / rows.max(1));
    }
}

/// From now on each new session explains what it does, and what its functions and triggers do if `nested`.
async fn explain(db: &Database, nested: &str) {
    for (name, value) in EXPLAIN.into_iter().chain([("auto_explain.log_nested_statements", nested)]) {
        run(
            db,
            format!(
                "do $$ begin execute format('alter database %I set {name} = ''{value}''', current_database()); end $$"
            ),
        )
        .await;
    }
}

async fn run(db: &Database, script: String) {
    let mut session = db.store.pool().acquire().await.expect("a session");
    sqlx::raw_sql("set statement_timeout = 0").execute(&mut *session).await.expect("patience");
    sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&mut *session).await.expect("the script runs");
    session.close().await.expect("closed");
}
