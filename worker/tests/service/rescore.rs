//! `cspine-worker rescore`: another model's answers, which may only raise.

use std::process::{Command, Output};

use cspine_domain::Sha256;
use serde_json::Value;

use crate::site::{PROGRAM, Site, flagging, png};

/// A command with the site's database and objects.
fn run(site: &Site, words: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(words).args(["--database-url", &site.database.url, "--store-url"]);
    command.arg(format!("file://{}", site.objects().display())).env_remove("CSPINE_MODEL").output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    output.stdout.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// Asks the champion: its lines.
fn rescore(site: &Site, more: &[&str]) -> Vec<Value> {
    let output = run(site, &[&["rescore", "--json"], more].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    lines(&output)
}

async fn levels(site: &Site) -> Vec<(i16, bool)> {
    site.store().worklist(10).await.unwrap().iter().map(|row| (row.level, row.flagged)).collect()
}

async fn findings(site: &Site, model: Sha256, purpose: &str) -> i64 {
    sqlx::query_scalar("select count(*) from findings where model_sha256 = $1 and purpose = $2")
        .bind(model.to_string())
        .bind(purpose)
        .fetch_one(site.store().pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_rescore_raises_what_the_new_model_flags_and_never_lowers() {
    let site = Site::new().await;
    let (silent, flags) = (site.register(&flagging(1, false)).await, site.register(&flagging(2, true)).await);
    let later = site.register(&flagging(3, false)).await;
    site.promote(silent).await;
    let worker = site.start_following(&[]);
    let events: Vec<_> = (0..3).map(|_| site.image(&png(128, 128))).collect();
    for event in &events {
        site.publish(event).await;
        assert_eq!(site.finding(event).await.model, silent);
    }
    worker.stop().await;
    assert_eq!(levels(&site).await, [(3, false); 3]);
    assert!(rescore(&site, &[]).is_empty(), "it has answered them itself");

    site.promote(flags).await;
    // It decodes each image in a process of its own: this one cannot even begin in so little memory.
    let died = run(&site, &["rescore", "--json", "--limit", "1", "--alone-memory", "1048576"]);
    assert_eq!(died.status.code(), Some(1));
    assert!(lines(&died)[0]["error"].as_str().unwrap().contains("decoded alone"), "{died:?}");

    let study = events[1].data.study_instance_uid.to_string();
    let [line] = &rescore(&site, &["--study", &study])[..] else { panic!("one image") };
    assert_eq!(
        (&line["study_instance_uid"], &line["flagged"], &line["raised"]),
        (&study.as_str().into(), &true.into(), &true.into())
    );
    assert_eq!(line["model_sha256"], flags.to_string());
    let overlays = site.folder.join("overlays");
    let drawn = run(&site, &["overlay", &study, "--out", overlays.to_str().unwrap()]);
    let [shown] = &lines(&drawn)[..] else { panic!("{drawn:?}") };
    assert_eq!(
        (&shown["model_sha256"], &shown["purpose"], &shown["flagged"]),
        (&flags.to_string().into(), &"rescore".into(), &true.into()),
        "what raised it is shown"
    );
    let one = run(&site, &["rescore", "--json", "--limit", "1"]);
    assert_eq!(lines(&one).len(), 1);
    assert!(String::from_utf8_lossy(&one.stderr).contains("left=1"), "{one:?}");
    assert_eq!(rescore(&site, &[]).len(), 1);
    assert!(rescore(&site, &[]).is_empty(), "once a model");
    let raised = levels(&site).await;
    assert!(raised.iter().all(|(level, flagged)| *level <= 1 && *flagged), "{raised:?}");
    assert_eq!((findings(&site, flags, "rescore").await, findings(&site, flags, "primary").await), (3, 0));

    site.promote(later).await;
    let lines = rescore(&site, &[]);
    assert!(
        lines.len() == 3 && lines.iter().all(|line| line["raised"] == false && line["flagged"] == false),
        "{lines:?}"
    );
    assert_eq!(levels(&site).await, raised);
    site.remove().await;
}
