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
/// A trainer keeps a link's hash right after the transaction that wrote the link: whoever looks in between looks again.
const KEPT_WITHIN: Duration = Duration::from_secs(5);
/// How often.
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

/// Holds the chain against what the object store keeps.
///
/// # Errors
/// What is wrong with it, or the store is away.
pub async fn compare(objects: &Objects, links: &[Link]) -> Result<()> {
    for (i, link) in links.iter().enumerate() {
        let newest = i + 1 == links.len();
        let hash = if newest { kept_soon(objects, link).await? } else { kept(objects, link.previous_hash).await? };
        match hash {
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

/// The newest link's hash; `None` if it is not kept in time either.
async fn kept_soon(objects: &Objects, link: &Link) -> Result<Option<Sha256>> {
    let deadline = Instant::now() + KEPT_WITHIN;
    loop {
        let hash = kept(objects, link.previous_hash).await?;
        if hash.is_some() || Instant::now() > deadline {
            return Ok(hash);
        }
        tokio::time::sleep(LOOK_EVERY).await;
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
    use super::*;

    #[tokio::test]
    async fn a_link_that_its_trainer_is_about_to_keep_is_waited_for_and_one_that_nobody_keeps_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let objects = Objects::open(&format!("file://{}", folder.path().display())).unwrap();
        let link = Link {
            id: 7,
            run: 1,
            kind: "run".into(),
            content: "{}".into(),
            previous_hash: Link::NONE_BEFORE,
            hash: Sha256::of(b"{}"),
            recorded_at: time::OffsetDateTime::UNIX_EPOCH,
        };
        let refused = compare(&objects, std::slice::from_ref(&link)).await.unwrap_err();
        assert!(refused.to_string().starts_with("link 7 is not kept"), "{refused}");

        let (compared, kept) = tokio::join!(compare(&objects, std::slice::from_ref(&link)), async {
            tokio::time::sleep(2 * LOOK_EVERY).await;
            keep(&objects, &link).await
        });
        assert!(kept.is_ok() && compared.is_ok(), "{compared:?}");
    }
}
