//! The images of a run: which, and their bytes out of the object store into a folder that keeps them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use cspine_domain::{Class, Label, ObjectKey, Sha256};
use cspine_service::{ObjectError, Objects};
use cspine_store::{Fence, LabelledImage, LearningSet, ReferenceImage, Run, Store};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::snapshot::write_atomically;
use crate::tune::{Lesson, NothingNew, Role};

/// Objects fetched at once.
const AT_ONCE: usize = 8;

/// What a run goes by.
#[derive(Debug, Clone, Copy)]
pub struct Basis<'a> {
    /// The run, with its champion; reviews after its last one came too late for it.
    pub run: &'a Run,
    /// Of its trainer's lease.
    pub fence: Fence,
    /// How far back the newest period reaches.
    pub holdout: Duration,
}

/// The images of a run, as they were when it began: whoever goes on with it must not see others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Which, and what each is for.
    pub images: Vec<Chosen>,
    /// How many are not used.
    pub unused: Unused,
}

/// An image that a run is to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    #[serde(flatten)]
    lesson: Lesson,
    object_key: String,
}

/// Images that are labelled and not used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unused {
    /// Two reviewers of equal weight differ.
    pub disputed: usize,
    /// Of a patient who is on two sides.
    pub quarantined: usize,
    /// Not to be learned from, by their label.
    pub unusable: usize,
    /// Their object is gone.
    pub missing: usize,
}

/// Chooses the images of a run. Which labels are new to the champion is put on record with it.
///
/// # Errors
/// The database is away, or the lease is lost.
pub async fn choose(store: &Store, basis: Basis<'_>) -> Result<Choice> {
    let mut unused = Unused::default();
    let mut images = of_references(store, &mut unused).await?;
    images.extend(of_labels(store, basis, &mut unused).await?);
    // Of one content that of the first champion comes first. Copies are told apart when all are decoded.
    images.sort_by_key(|chosen| chosen.lesson.content);
    Ok(Choice { images, unused })
}

/// Has the files of a choice in `folder`, each named by its digest; without those whose object is gone.
///
/// # Errors
/// [`NothingNew`]; the object store is away, an image of the frozen set is gone, or a disk is full.
pub async fn fetch(objects: &Objects, choice: Choice, max_bytes: u64, folder: &Path) -> Result<(Vec<Lesson>, Unused)> {
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let Choice { mut images, mut unused } = choice;
    let mut distinct = images.clone();
    distinct.dedup_by_key(|chosen| chosen.lesson.content);
    let fetched = stream::iter(distinct).map(|chosen| async move {
        let content = chosen.lesson.content;
        anyhow::Ok(has(objects, &chosen, max_bytes, folder.join(content.to_string())).await?.then_some(content))
    });
    let there: Vec<Option<Sha256>> = fetched.buffered(AT_ONCE).try_collect().await?;
    let there: HashSet<Sha256> = there.into_iter().flatten().collect();
    let of = images.len();
    images.retain(|chosen| there.contains(&chosen.lesson.content));
    unused.missing = of - images.len();
    let lessons: Vec<Lesson> = images.into_iter().map(|chosen| chosen.lesson).collect();
    ensure!(lessons.iter().any(|lesson| lesson.role == Role::New), NothingNew);
    Ok((lessons, unused))
}

/// The images that came with a champion; the frozen set is whole whatever is known of its patients since.
async fn of_references(store: &Store, unused: &mut Unused) -> Result<Vec<Chosen>> {
    let on_two_sides = store.patients_on_two_sides().await?;
    let (used, quarantined): (Vec<_>, Vec<_>) = store
        .reference_images()
        .await?
        .into_iter()
        .partition(|image| image.set == LearningSet::Evaluation || !on_two_sides.contains(&image.patient));
    unused.quarantined += quarantined.len();
    Ok(used.iter().map(of_reference).collect())
}

/// The images that people labelled.
async fn of_labels(store: &Store, basis: Basis<'_>, unused: &mut Unused) -> Result<Vec<Chosen>> {
    store.assign_sets().await?;
    let labelled = store.labelled_images(basis.run.reviews_through).await?;
    let labels: Vec<_> = labelled.iter().filter_map(|image| Some((image, usable(image, unused)?))).collect();
    let given: Vec<_> = labels.iter().map(|(image, class)| (image.content, *class)).collect();
    let new = store.use_labels(basis.fence, basis.run, &given).await?.context("the lease is lost")?;
    let since = OffsetDateTime::now_utc() - basis.holdout;
    let chosen = labels.into_iter().filter_map(|(image, class)| {
        let lesson = Lesson {
            content: image.content,
            class,
            patient: image.patient.clone(),
            site: image.site.clone(),
            orientation: image.orientation,
            role: role(image, new.contains(&(image.content, class)), since)?,
        };
        Some(Chosen { lesson, object_key: image.object_key.clone() })
    });
    Ok(chosen.collect())
}

/// What it shows, if it may be used.
fn usable(image: &LabelledImage, unused: &mut Unused) -> Option<Class> {
    let why = match image.label {
        Label::Unusable => &mut unused.unusable,
        _ if image.quarantined => &mut unused.quarantined,
        _ if image.disputed => &mut unused.disputed,
        Label::Class(class) => return Some(class),
    };
    *why += 1;
    None
}

fn role(image: &LabelledImage, new: bool, since: OffsetDateTime) -> Option<Role> {
    Some(match image.set {
        LearningSet::Training if new => Role::New,
        LearningSet::Training => Role::Replay,
        LearningSet::Validation if new => Role::NewValidation,
        LearningSet::Validation => Role::ReplayValidation,
        // What is older than the newest period measured earlier runs.
        LearningSet::Evaluation if image.confirmed_at >= since => Role::Holdout,
        LearningSet::Evaluation => return None,
    })
}

fn of_reference(image: &ReferenceImage) -> Chosen {
    let role = match image.set {
        LearningSet::Training => Role::Replay,
        LearningSet::Validation => Role::ReplayValidation,
        LearningSet::Evaluation => Role::Frozen,
    };
    let lesson = Lesson {
        content: image.content,
        class: image.label,
        patient: image.patient.clone(),
        site: image.site.clone(),
        orientation: None,
        role,
    };
    Chosen { lesson, object_key: image.object_key.clone() }
}

/// Whether the image is in its place: it was there and is sound, or is fetched and has the bytes of its name.
async fn has(objects: &Objects, chosen: &Chosen, max_bytes: u64, path: PathBuf) -> Result<bool> {
    let Chosen { lesson: Lesson { content, role, .. }, object_key } = chosen;
    if is_sound(path.clone(), *content).await? {
        return Ok(true);
    }
    let key: ObjectKey = object_key.parse().with_context(|| format!("the object key of image {content}"))?;
    let bytes = match objects.get(&key, max_bytes, None).await {
        Ok(bytes) if Sha256::of(&bytes) == *content => bytes,
        // Slow is not gone: waiting may heal it.
        Err(error @ (ObjectError::Away(_) | ObjectError::Slow(_))) => return Err(error).context("object store"),
        // A site may have deleted it, or written over it.
        Ok(_) | Err(_) => {
            ensure!(*role != Role::Frozen, "image {content} of the frozen set is gone from the object store");
            return Ok(false);
        }
    };
    tokio::task::spawn_blocking(move || write_atomically(&path, &bytes)).await??;
    Ok(true)
}

/// Whether a file is there and has these bytes: a disk may have damaged it since.
async fn is_sound(path: PathBuf, content: Sha256) -> Result<bool> {
    let read = move || std::fs::read(path).is_ok_and(|bytes| Sha256::of(&bytes) == content);
    Ok(tokio::task::spawn_blocking(read).await?)
}
