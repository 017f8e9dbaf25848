//! Postgres refuses for a reason that is no message's fault: nothing is given up, `/readyz` says so, and it goes on by itself.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::away::{free_address, page, ready, readyz};
use crate::site::{Site, eventually, png};

/// How long nothing may be given up. Given back once a second, a message would be dead after two.
const PATIENCE: Duration = Duration::from_secs(4);

async fn run(url: &str, statements: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    for statement in statements.split(';') {
        sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
}

/// The server as its superuser, who may end the sessions of others.
fn server() -> String {
    std::env::var("CSPINE_ADMIN_DATABASE_URL").or_else(|_| std::env::var("DATABASE_URL")).expect("a server")
}

#[tokio::test]
async fn passwords_rights_tables_and_names_that_are_missing_for_a_while_cost_no_image() {
    let site = Site::declared(|topology| topology.delivery_limit = 2).await;
    let name = site.database.url.rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
    let login = format!("test_worker_{}", std::process::id());
    let own = &site.database.url;
    run(own, &format!("drop role if exists {login}; create role {login} login password 'first'")).await;
    run(own, &format!("grant cspine_worker to {login}")).await;
    let url = format!("postgres://{login}:first@{}", own.rsplit_once('@').unwrap().1);
    let address = free_address();
    let worker = site.start(&["--database-url", &url, "--admin-addr", &address, "--delivery-limit", "2"]);
    let end_sessions = format!(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}' and usename = '{login}'"
    );
    // in the database, or from outside of it
    let (inside, outside) = (own.clone(), server());
    let table = [
        (
            "another password",
            &outside,
            format!("alter role {login} password 'second'"),
            format!("alter role {login} password 'first'"),
        ),
        ("no login", &outside, format!("alter role {login} nologin"), format!("alter role {login} login")),
        (
            "no right",
            &inside,
            "revoke insert on findings from cspine_worker".to_owned(),
            "grant insert on findings to cspine_worker".to_owned(),
        ),
        (
            "no table",
            &inside,
            "alter table findings rename to gone".to_owned(),
            "alter table gone rename to findings".to_owned(),
        ),
        (
            "another name",
            &outside,
            // it can be renamed when nobody is in it
            format!(
                "alter database {name} allow_connections false;
                 select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = '{name}';
                 alter database {name} rename to {name}_gone"
            ),
            format!("alter database {name}_gone rename to {name}; alter database {name} allow_connections true"),
        ),
    ];
    for (what, url, broken, mended) in &table {
        let first = site.image(&png(128, 128));
        site.publish(&first).await;
        site.finding(&first).await;
        run(url, broken).await;
        run(&outside, &end_sessions).await;
        let held = site.image(&png(128, 128));
        site.publish(&held).await;
        let not_ready = async || readyz(&address).await.filter(|(_, body)| body["missing"].get("postgres").is_some());
        let (status, _) = eventually(&format!("{what}: readyz names postgres"), not_ready).await;
        assert_eq!(status, 503, "{what}");
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            let (status, body) = readyz(&address).await.expect("its admin page");
            assert!(status == 503 && body["missing"].get("postgres").is_some(), "{what}: {status} {body}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        run(url, mended).await;
        let store = cspine_store::Store::connect(own, &cspine_store::StoreOptions::default()).await.unwrap();
        eventually(&format!("{what}: what was held is answered"), async || {
            store.study_images(&held.data.study_instance_uid).await.unwrap().into_iter().next()?.finding
        })
        .await;
        eventually("it is ready", async || readyz(&address).await.filter(|(status, _)| *status == 200)).await;
        assert!(store.parked_list(true, 10).await.unwrap().is_empty(), "{what}: nothing was given up");
    }
    worker.stop().await;
    run(&server(), &format!("{end_sessions}; drop role {login}")).await;
    site.remove().await;
}

#[tokio::test]
async fn a_row_that_somebody_holds_keeps_one_image_waiting_and_no_other() {
    // a ladder that does not end within the test
    let site = Site::declared(|topology| topology.retry_delays.push(Duration::from_secs(2))).await;
    let address = free_address();
    let worker = site.start(&["--admin-addr", &address, "--retry-delays", "300ms,600ms,2s,2s,2s,2s,2s,2s"]);
    ready(&address).await;
    let first = site.image(&png(128, 128));
    site.publish(&first).await;
    site.finding(&first).await;
    let mut holder = site.store().pool().begin().await.unwrap();
    // the server would end a session that holds it for long
    sqlx::query("set local idle_in_transaction_session_timeout = 0").execute(&mut *holder).await.unwrap();
    sqlx::query("select from studies for update").execute(&mut *holder).await.unwrap();
    let mut same_study = site.image(&png(128, 128));
    same_study.data.study_instance_uid = first.data.study_instance_uid.clone();
    let other = site.image(&png(128, 128));
    site.publish(&same_study).await;
    eventually("it is tried again later", async || {
        let (_, metrics) = page(&address, "/metrics").await?;
        metrics.lines().any(|line| line.contains("retries") && line.contains("\"locked\"")).then_some(())
    })
    .await;
    site.publish(&other).await;
    site.finding(&other).await;
    let (status, body) = readyz(&address).await.unwrap();
    assert_eq!(status, 200, "the server is well: {body}");
    holder.rollback().await.unwrap();
    site.finding(&same_study).await;
    assert_eq!(site.store().parked_count().await.unwrap(), 0);
    worker.stop().await;
    site.remove().await;
}

#[tokio::test]
async fn while_a_whole_table_is_locked_images_wait_and_the_worker_says_so() {
    let site = Site::new().await;
    let address = free_address();
    let worker = site.start(&["--admin-addr", &address, "--statement-timeout", "1500ms"]);
    let first = site.image(&png(128, 128));
    site.publish(&first).await;
    site.finding(&first).await;
    let mut maintenance = site.store().pool().begin().await.unwrap();
    sqlx::query("set local idle_in_transaction_session_timeout = 0").execute(&mut *maintenance).await.unwrap();
    sqlx::query("lock table findings in share mode").execute(&mut *maintenance).await.unwrap();
    let held = site.image(&png(128, 128));
    site.publish(&held).await;
    eventually("it says that a table is locked", async || {
        let (status, body) = readyz(&address).await?;
        (status == 503 && body["missing"]["postgres"].as_str()?.contains("locked")).then_some(())
    })
    .await;
    maintenance.rollback().await.unwrap();
    site.finding(&held).await;
    eventually("it is ready", async || readyz(&address).await.filter(|(status, _)| *status == 200)).await;
    assert_eq!(site.store().parked_count().await.unwrap(), 0);
    worker.stop().await;
    site.remove().await;
}
