//! What a run's link in the chain of evidence says of its labels, and where else the chain's end is kept.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use cspine_domain::{ObjectKey, Sha256};
use cspine_service::{ObjectError, Objects};
use serde_json::{Value, json};

use crate::tune::Lesson;

/// The chain's last hash: the end of a chain can be cut off unseen unless it is kept elsewhere too.
const LATEST: &str = "runs/evidence.txt";

/// Bytes of a hash and a line feed, with room.
const LATEST_MAX: u64 = 1024;

/// Keeps the hash of the last link in the object store.
///
/// # Errors
/// The store does not take it.
pub async fn keep_latest(objects: &Objects, hash: Sha256) -> Result<()> {
    objects.put(&latest_key()?, format!("{hash}\n").into_bytes()).await
}

/// The hash that was kept; `None` if none ever was.
///
/// # Errors
/// The store is away, or what was kept is no hash.
pub async fn latest(objects: &Objects) -> Result<Option<Sha256>> {
    match objects.get(&latest_key()?, LATEST_MAX, None).await {
        Ok(bytes) => {
            let kept = String::from_utf8_lossy(&bytes).trim().parse();
            Ok(Some(kept.with_context(|| format!("{LATEST} in the object store"))?))
        }
        Err(ObjectError::Missing) => Ok(None),
        Err(error) => Err(error).context(LATEST),
    }
}

fn latest_key() -> Result<ObjectKey> {
    Ok(LATEST.parse()?)
}

/// Digest and counts of the labels that a run was given: with the reviews in the database it can be computed again.
pub fn labels(lessons: &[Lesson]) -> Value {
    let mut lines: Vec<String> =
        lessons.iter().map(|lesson| format!("{} {} {:?}\n", lesson.content, lesson.class, lesson.role)).collect();
    lines.sort_unstable();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for lesson in lessons {
        *counts.entry(format!("{:?} {}", lesson.role, lesson.class)).or_default() += 1;
    }
    json!({ "digest": Sha256::of(lines.concat().as_bytes()), "images": lessons.len(), "by_role_and_class": counts })
}
