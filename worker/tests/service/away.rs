//! What others provide is away: the worker says so, waits, and goes on by itself.

use cspine_store::{Store, StoreOptions};
use cspine_tests::database::with_database;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::site::{Site, eventually, png};

/// Waits until everything that the worker needs is there.
pub async fn ready(address: &str) {
    eventually("it is ready", async || readyz(address).await.filter(|(status, _)| *status == 200)).await;
}

/// `/readyz`: its status and body.
pub async fn readyz(address: &str) -> Option<(u16, serde_json::Value)> {
    let (status, body) = page(address, "/readyz").await?;
    Some((status, serde_json::from_str(&body).ok()?))
}

/// A page of the admin address: its status and body.
pub async fn page(address: &str, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: worker\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

pub fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// The URL through a line that can be cut: every connection over it ends, and new ones are refused.
pub async fn through_a_line(url: &str) -> (String, watch::Sender<bool>) {
    let (before, rest) = url.rsplit_once('@').unwrap();
    let (address, path) = rest.split_once('/').unwrap();
    let (listener, address) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), address.to_owned());
    let through = format!("{before}@{}/{path}", listener.local_addr().unwrap());
    let (cut, is_cut) = watch::channel(false);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (address, mut is_cut) = (address.clone(), is_cut.clone());
            tokio::spawn(async move {
                if *is_cut.borrow() {
                    return;
                }
                let mut server = TcpStream::connect(address).await.unwrap();
                tokio::select! {
                    _ = copy_bidirectional(&mut client, &mut server) => {}
                    _ = is_cut.wait_for(|cut| *cut) => {}
                }
            });
        }
    });
    (through, cut)
}

/// A line to Postgres or RabbitMQ is cut, an image arrives or is held, and the line is mended.
async fn survives(site: Site, flags: &[&str], url: &str, missing: &str) {
    let (through, cut) = through_a_line(url).await;
    let address = free_address();
    let more = [flags, &[&through, "--admin-addr", &address]].concat();
    let worker = site.start(&more);
    let first = site.image(&png(128, 128));
    site.publish(&first).await;
    site.finding(&first).await;
    cut.send_replace(true);
    let held = site.image(&png(128, 128));
    site.publish(&held).await;
    eventually("readyz says what is missing", async || {
        let (_, body) = readyz(&address).await?;
        body["missing"].as_object()?.keys().any(|part| part.starts_with(missing)).then_some(())
    })
    .await;
    cut.send_replace(false);
    site.finding(&held).await;
    eventually("it is ready", async || readyz(&address).await.filter(|(status, _)| *status == 200)).await;
    assert_eq!(site.store().parked_count().await.unwrap(), 0);
    worker.stop().await;
    site.remove().await;
}

#[tokio::test]
async fn without_a_schema_the_worker_waits_keeps_what_arrives_and_says_what_is_missing() {
    let site = Site::new().await;
    // As before `migrate`: a database in which nobody has made anything.
    let name = format!("test_worker_empty_{}", std::process::id());
    let create = sqlx::AssertSqlSafe(format!("create database {name}"));
    sqlx::query(create).execute(site.store().pool()).await.unwrap();
    let url = with_database(&site.database.url, &name);
    let empty = Store::connect_lazy(&url, &StoreOptions::default()).unwrap();
    let address = free_address();
    let worker = site.start(&["--database-url", &url, "--admin-addr", &address]);
    let (status, body) = eventually("readyz names Postgres", async || {
        readyz(&address)
            .await
            .filter(|(_, body)| body["missing"]["postgres"].as_str().is_some_and(|why| why.contains("migrate")))
    })
    .await;
    assert_eq!((status, &body["ready"]), (503, &serde_json::Value::Bool(false)));
    // Queues exist before there is a schema or a model, so that nothing published now is lost.
    let event = site.image(&png(128, 128));
    site.publish(&event).await;
    empty.migrate().await.unwrap();
    eventually("it is ready", async || readyz(&address).await.filter(|(status, _)| *status == 200)).await;
    eventually("the image is answered", async || {
        let images = empty.study_images(&event.data.study_instance_uid).await.unwrap();
        images.into_iter().next()?.finding
    })
    .await;
    worker.stop().await;
    let drop = sqlx::AssertSqlSafe(format!("drop database {name} with (force)"));
    sqlx::query(drop).execute(site.store().pool()).await.unwrap();
    site.remove().await;
}

#[tokio::test]
async fn while_the_object_store_is_away_nothing_is_retried_or_parked() {
    let site = Site::new().await;
    let address = free_address();
    let worker = site.start(&["--admin-addr", &address]);
    let event = site.image(&png(128, 128));
    let unmounted = site.folder.join("unmounted");
    std::fs::rename(site.objects(), &unmounted).unwrap();
    site.publish(&event).await;
    eventually("readyz names the object store", async || {
        readyz(&address).await.filter(|(_, body)| body["missing"].get("object_store").is_some())
    })
    .await;
    std::fs::rename(unmounted, site.objects()).unwrap();
    site.finding(&event).await;
    eventually("it is ready", async || readyz(&address).await.filter(|(status, _)| *status == 200)).await;
    assert_eq!(site.store().parked_count().await.unwrap(), 0);
    worker.stop().await;
    site.remove().await;
}

#[tokio::test]
async fn with_the_database_cut_off_what_is_held_is_answered_once_it_is_back() {
    let site = Site::new().await;
    let url = site.database.url.clone();
    survives(site, &["--database-url"], &url, "postgres").await;
}

#[tokio::test]
async fn what_is_held_for_long_is_published_anew_and_answered_all_the_same() {
    let site = Site::new().await;
    let url = site.database.url.clone();
    survives(site, &["--hold-max", "100ms", "--database-url"], &url, "postgres").await;
}

#[tokio::test]
async fn with_the_broker_cut_off_it_goes_on_once_it_is_back() {
    let site = Site::new().await;
    let url = std::env::var("AMQP_URL").unwrap();
    survives(site, &["--amqp-url"], &url, "rabbitmq").await;
}
