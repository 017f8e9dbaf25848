//! What a run's link in the chain of evidence says of its labels, and where else the chain is kept.
//!
//! A chain shows by itself that a link was changed or left out, but not that its end was cut off. So the object store has
//! an object `runs/evidence/HASH` for each link, named by the link before it, and nothing ever writes over one.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use cspine_domain::{ObjectKey, Sha256};
use cspine_service::{ObjectError, Objects};
use cspine_store::{Link, Store};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::tune::Lesson;

/// Bytes of a hash and a line feed, with room.
const HASH_BYTES_MAX: u64 = 1024;
/// How long chain and object store may differ: a trainer writes a link, and keeps its hash right after that transaction.
const SETTLES_WITHIN: Duration = Duration::from_secs(5);
/// How often both are read meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Keeps a link's hash in the object store.
///
/// # Errors
/// The store does not take it.
pub async fn keep(objects: &Objects, link: &Link) -> Result<()> {
    let hash = format!("{}\n", link.hash).into_bytes();
    objects.put(&after(link.previous_hash)?, hash).await.context("keeping the link of evidence")
}

/// Keeps the last link's hash, should a trainer have died before it did.
///
/// # Errors
/// The database or the object store is away.
pub async fn make_up(store: &Store, objects: &Objects) -> Result<()> {
    let Some(link) = store.last_evidence().await? else { return Ok(()) };
    if kept(objects, link.previous_hash).await?.is_none() {
        tracing::warn!(
            link = link.id,
            run = link.run,
            "a link of evidence was not kept in the object store; it is now"
        );
        keep(objects, &link).await?;
    }
    Ok(())
}

/// The chain, which is what the object store keeps. Runs end meanwhile, and the two are not read at once: while they
/// differ, both are read again for some seconds.
///
/// # Errors
/// What is wrong with it, or one of the two is away.
pub async fn settled(objects: &Objects, read: impl AsyncFn() -> Result<Vec<Link>>) -> Result<Vec<Link>> {
    let deadline = Instant::now() + SETTLES_WITHIN;
    loop {
        let links = read().await?;
        match compare(objects, &links).await {
            Ok(()) => return Ok(links),
            Err(difference) if Instant::now() > deadline => return Err(difference),
            Err(_) => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

async fn compare(objects: &Objects, links: &[Link]) -> Result<()> {
    for link in links {
        match kept(objects, link.previous_hash).await? {
            Some(hash) if hash == link.hash => {}
            Some(hash) => bail!("link {} is another than the object store keeps, whose hash is {hash}", link.id),
            None => bail!(
                "link {} is not kept in the object store: it was added by hand, or its trainer died before it kept it",
                link.id
            ),
        }
    }
    let last = links.last().map_or(Link::NONE_BEFORE, |link| link.hash);
    match kept(objects, last).await? {
        Some(hash) => {
            bail!("the chain's end was cut off: after its {} links the object store keeps {hash}", links.len())
        }
        None => Ok(()),
    }
}

/// The hash of the link after this one; `None` if none was kept.
async fn kept(objects: &Objects, previous: Sha256) -> Result<Option<Sha256>> {
    match objects.get(&after(previous)?, HASH_BYTES_MAX, None).await {
        Ok(bytes) => {
            let hash = String::from_utf8_lossy(&bytes).trim().parse();
            Ok(Some(hash.with_context(|| format!("runs/evidence/{previous} in the object store"))?))
        }
        Err(ObjectError::Missing) => Ok(None),
        Err(error) => Err(error).context("reading what the object store keeps of the evidence"),
    }
}

fn after(previous: Sha256) -> Result<ObjectKey> {
    Ok(format!("runs/evidence/{previous}").parse()?)
}

/// Something that the object store keeps.
#[derive(Debug, Clone, Serialize)]
pub struct Kept {
    /// Where.
    pub key: String,
    /// Of its bytes.
    pub sha256: Sha256,
}

/// The labels that a run was given: where their list is kept, and how many there are of each.
pub fn labels(lessons: &[Lesson], list: &Kept) -> Value {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for lesson in lessons {
        *counts.entry(format!("{:?} {}", lesson.role, lesson.class)).or_default() += 1;
    }
    json!({ "list": list, "images": lessons.len(), "by_role_and_class": counts })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn link() -> Link {
        Link {
            id: 7,
            run: 1,
            kind: "run".into(),
            content: "{}".into(),
            previous_hash: Link::NONE_BEFORE,
            hash: Sha256::of(b"{}"),
            recorded_at: time::OffsetDateTime::UNIX_EPOCH,
        }
    }

    fn objects() -> (tempfile::TempDir, Objects) {
        let folder = tempfile::tempdir().unwrap();
        let objects = Objects::open(&format!("file://{}", folder.path().display())).unwrap();
        (folder, objects)
    }

    #[tokio::test]
    async fn a_link_that_its_trainer_is_about_to_keep_is_waited_for_and_one_that_nobody_keeps_is_named() {
        let (_folder, objects) = objects();
        let refused = settled(&objects, async || Ok(vec![link()])).await.unwrap_err();
        assert!(refused.to_string().starts_with("link 7 is not kept"), "{refused}");

        let (whole, kept) = tokio::join!(settled(&objects, async || Ok(vec![link()])), async {
            tokio::time::sleep(2 * LOOK_EVERY).await;
            keep(&objects, &link()).await
        });
        assert!(kept.is_ok() && whole.is_ok(), "{whole:?}");
    }

    #[tokio::test]
    async fn a_run_that_ends_between_the_two_readings_is_no_end_cut_off_and_a_link_that_stays_away_is() {
        let (_folder, objects) = objects();
        keep(&objects, &link()).await.unwrap();
        let cut = settled(&objects, async || Ok(Vec::new())).await.unwrap_err();
        assert!(cut.to_string().starts_with("the chain's end was cut off"), "{cut}");

        let readings = Cell::new(0);
        let whole = settled(&objects, async || {
            readings.set(readings.get() + 1);
            Ok(if readings.get() == 1 { Vec::new() } else { vec![link()] })
        });
        assert_eq!(whole.await.unwrap().len(), 1);
        assert_eq!(readings.get(), 2);
    }
}
