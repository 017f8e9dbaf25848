//! The images of a run: which, and their bytes out of the object store into a folder that keeps them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use cspine_domain::{Label, ObjectKey, Sha256};
use cspine_service::{ObjectError, Objects};
use cspine_store::{LabelledImage, LearningSet, ReferenceImage, Store};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use time::{Duration, OffsetDateTime};

use crate::snapshot::write_atomically;
use crate::tune::{Lesson, Role};

/// Objects fetched at once.
const AT_ONCE: usize = 8;

/// What a run goes by.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Reviews after this one are new to the network.
    pub after: i64,
    /// Reviews after this one came too late for this run.
    pub through: i64,
    /// How far back the newest period reaches.
    pub holdout: Duration,
}

/// An image that a run is to have.
#[derive(Debug, Clone)]
struct Wanted {
    lesson: Lesson,
    object_key: String,
}

/// Images that are labelled and not used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Unused {
    /// Two reviewers of equal weight differ.
    pub disputed: usize,
    /// Of a patient who would be on two sides.
    pub quarantined: usize,
    /// Not to be learned from, by their label.
    pub unusable: usize,
    /// Their object is gone.
    pub missing: usize,
}

/// Every image of a run in `folder`, named by its digest; `tell` hears of how many there are and how many are there.
///
/// # Errors
/// The database or the object store is away, an image of the frozen set is gone, or a disk is full.
pub async fn gather(
    store: &Store,
    objects: &Objects,
    span: Span,
    max_bytes: u64,
    folder: &Path,
    tell: impl Fn(usize, usize),
) -> Result<(Vec<Lesson>, Unused)> {
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    store.assign_sets().await?;
    let (labelled, reference) = (store.labelled_images(span.through).await?, store.reference_images().await?);
    let mut unused = Unused::default();
    let since = OffsetDateTime::now_utc() - span.holdout;
    let mut wanted: Vec<Wanted> = reference.iter().map(|image| of_reference(image, folder)).collect();
    wanted.extend(labelled.iter().filter_map(|image| of_label(image, span.after, since, folder, &mut unused)));
    // What came with the first champion keeps its role, should somebody label it again.
    wanted.sort_by_key(|wanted| wanted.lesson.content.0);
    wanted.dedup_by_key(|wanted| wanted.lesson.content);

    let of = wanted.len();
    let fetched = stream::iter(wanted.into_iter().enumerate()).map(|(i, wanted)| {
        let tell = &tell;
        async move {
            let there = fetch(objects, &wanted, max_bytes).await?;
            tell(i + 1, of);
            anyhow::Ok(there.then_some(wanted.lesson))
        }
    });
    let lessons: Vec<Option<Lesson>> = fetched.buffered(AT_ONCE).try_collect().await?;
    unused.missing = lessons.iter().filter(|lesson| lesson.is_none()).count();
    Ok((lessons.into_iter().flatten().collect(), unused))
}

fn of_reference(image: &ReferenceImage, folder: &Path) -> Wanted {
    let role = match image.set {
        LearningSet::Training => Role::Replay,
        LearningSet::Validation => Role::ReplayValidation,
        LearningSet::Evaluation => Role::Frozen,
    };
    let lesson = Lesson {
        content: image.content,
        path: path(folder, image.content),
        class: image.label,
        patient: image.patient.clone(),
        site: image.site.clone(),
        role,
    };
    Wanted { lesson, object_key: image.object_key.clone() }
}

fn of_label(
    image: &LabelledImage,
    after: i64,
    since: OffsetDateTime,
    folder: &Path,
    unused: &mut Unused,
) -> Option<Wanted> {
    let Label::Class(class) = image.label else {
        unused.unusable += 1;
        return None;
    };
    if image.quarantined || image.disputed {
        *if image.quarantined { &mut unused.quarantined } else { &mut unused.disputed } += 1;
        return None;
    }
    let new = image.review_id > after;
    let role = match image.set {
        LearningSet::Training if new => Role::New,
        LearningSet::Training => Role::Replay,
        LearningSet::Validation if new => Role::NewValidation,
        LearningSet::Validation => Role::ReplayValidation,
        // What is older than the newest period measured earlier runs.
        LearningSet::Evaluation if image.confirmed_at >= since => Role::Holdout,
        LearningSet::Evaluation => return None,
    };
    let lesson = Lesson {
        content: image.content,
        path: path(folder, image.content),
        class,
        patient: image.patient.clone(),
        site: image.site.clone(),
        role,
    };
    Some(Wanted { lesson, object_key: image.object_key.clone() })
}

fn path(folder: &Path, content: Sha256) -> PathBuf {
    folder.join(content.to_string())
}

/// Whether the image is in its place: it was there, or is fetched and has the bytes of its name.
async fn fetch(objects: &Objects, wanted: &Wanted, max_bytes: u64) -> Result<bool> {
    let Wanted { lesson: Lesson { content, path, role, .. }, object_key } = wanted;
    if tokio::fs::try_exists(path).await? {
        return Ok(true);
    }
    let key: ObjectKey = object_key.parse().with_context(|| format!("the object key of image {content}"))?;
    let bytes = match objects.get(&key, max_bytes, None).await {
        Ok(bytes) if Sha256::of(&bytes) == *content => bytes,
        Err(error @ ObjectError::Away(_)) => return Err(error).context("object store"),
        // A site may have deleted it, or written over it.
        Ok(_) | Err(_) => {
            ensure!(*role != Role::Frozen, "image {content} of the frozen set is gone from the object store");
            return Ok(false);
        }
    };
    let path = path.clone();
    tokio::task::spawn_blocking(move || write_atomically(&path, &bytes)).await??;
    Ok(true)
}
