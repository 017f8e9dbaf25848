//! Drift, measured by a trainer that comes up after some days.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use cspine_domain::Sha256;
use cspine_store::{Move, Moved, NewModel};
use cspine_tests::wait;
use serde_json::json;
use time::{Date, OffsetDateTime};

use crate::site::{SOON, Site, Trainer};

/// Studies that the champion scored on a day, all of one site, with scores in turns of ten.
async fn scored(site: &Site, day: Date, count: u32, at: &str) {
    let (model, uid) = (site.champion, format!("2.25.{}", day.to_julian_day()));
    let statements = format!(
        "insert into studies (study_instance_uid, site, order_priority, listed_level)
             select '{uid}.1.' || n, '{at}', 'routine', 3 from generate_series(1, {count}) n;
         insert into images (sop_instance_uid, content_sha256, study_instance_uid, series_instance_uid, object_key,
                             media_type, event_source, event_id, event_time)
             select '{uid}.3.' || n, '{model}', '{uid}.1.' || n, '{uid}.2.' || n, n || '.png', 'image/png',
                    '/test', n::text, now()
               from generate_series(1, {count}) n;
         insert into findings (sop_instance_uid, content_sha256, model_sha256, purpose, verdict, flagged, p_dislocation,
                               p_fracture, p_normal, created_at)
             select '{uid}.3.' || n, '{model}', '{model}', 'primary', 'normal', false, 0, n % 10 / 32.0,
                    1 - n % 10 / 32.0, '{day} 00:00+00'::timestamptz + n * interval '1 minute'
               from generate_series(1, {count}) n"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(site.db.store.pool()).await.unwrap();
}

/// What the trainer's `/metrics` says of drift, once it is as asked.
async fn metrics(trainer: &Trainer, what: &str, is: impl Fn(&str) -> bool) -> String {
    let log = trainer.log();
    let address = log.split("\"admin_addr\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let read = async || {
        let mut stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        write!(stream, "GET /metrics HTTP/1.1\r\nhost: trainer\r\nconnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        is(&answer).then_some(answer)
    };
    wait::until(what, SOON, read).await
}

#[tokio::test]
async fn days_that_were_missed_are_measured_and_a_drift_is_told_until_another_model_serves() {
    let site = Site::create().await;
    let today = OffsetDateTime::now_utc().date();
    let [first, steady, drifted] = [6, 3, 1].map(|ago| today - time::Duration::days(ago));
    for (day, count, at) in [(first, 100, "ed-1"), (steady, 50, "ed-1"), (drifted, 50, "ed-2")] {
        scored(&site, day, count, at).await;
    }
    let trainer = site.start("trainer", "work", &["--drift-reference", "100", "--drift-images", "50"]);
    let reports = async || {
        let reports = site.db.store.drift_reports(9).await.unwrap();
        (reports.len() == 2).then_some(reports)
    };
    let reports = wait::until("two days are measured", SOON, reports).await;
    for (report, day, drifted) in [(&reports[0], drifted, true), (&reports[1], steady, false)] {
        assert_eq!((report.day, report.drifted, report.champion), (day, drifted, site.champion), "{report:?}");
        assert_eq!((report.reference, report.images), (100, 50));
    }
    assert_eq!(reports[0].drifted_statistics(), ["site"]);
    let told = site.db.store.outbox_claim(10, Duration::from_secs(60)).await.unwrap();
    let [event] = &told[..] else { panic!("one event: {told:?}") };
    assert_eq!(event.routing_key, "model.drifted");

    let known = |said: &str| said.contains("cspine_trainer_drifted 1\n");
    let said = metrics(&trainer, "the drift is in the metrics", known).await;
    for line in ["drift_p{statistic=\"site\"}", "drift_reference_images 100\n", "drift_images 50\n"] {
        assert!(said.contains(&format!("cspine_trainer_{line}")), "{line}: {said}");
    }
    promote_another(&site).await;
    let unknown = |said: &str| said.contains("cspine_trainer_drifted 0\n") && !said.contains("statistic=");
    metrics(&trainer, "of the new model nothing is known", unknown).await;
    trainer.stop().await;
}

/// A model on record only: the trainer needs no more of it until a run is due.
async fn promote_another(site: &Site) {
    let sha256 = Sha256::of(b"another");
    let model = NewModel {
        sha256,
        architecture: "alexnet".into(),
        size_bytes: 7,
        card: json!({"architecture": "alexnet"}),
        object_key: Some("models/another.safetensors".into()),
        registered_by: "test".into(),
        forced_reason: Some("a test: no file is behind it".into()),
    };
    site.db.store.register_model(&model).await.unwrap();
    let epoch = site.db.store.serving().await.unwrap().epoch;
    let wish = Move { model: sha256, epoch, by: "test", why: "the next", fence: None };
    assert!(matches!(site.db.store.promote(&wish).await.unwrap(), Moved::Done { .. }));
}
