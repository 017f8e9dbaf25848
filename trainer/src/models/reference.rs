//! The reference images of a first champion: to replay, to validate with, and the frozen set.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use cspine_domain::{ObjectKey, Sha256};
use cspine_imaging::{Limits, sniff};
use cspine_service::Objects;
use cspine_store::{LearningSet, ReferenceImage, Store};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::dataset::{Dataset, Example, radiograph, read};

/// Images stored at once.
const AT_ONCE: usize = 4;

/// Stores every image under its digest and puts them on record; a sentence on what came of it.
pub(super) async fn bring(store: &Store, objects: &Objects, manifest: &Path, by: &str) -> Result<String> {
    let dataset = if manifest.is_dir() { Dataset::open(manifest) } else { Dataset::of_manifest(manifest) }?;
    let images = stream::iter(dataset.examples.iter().map(|example| bring_one(store, objects, example)));
    let images: Vec<ReferenceImage> = images.buffered(AT_ONCE).try_collect().await?;
    let distinct: BTreeMap<[u8; 32], &ReferenceImage> = images.iter().map(|image| (image.content.0, image)).collect();
    ensure!(
        distinct.len() == images.len(),
        "{} images come twice: one picture cannot be of two patients",
        images.len() - distinct.len()
    );
    let added = store.add_reference(&images, by).await?;
    let count = |set: LearningSet, injured: bool| {
        images.iter().filter(|image| image.set == set && image.label.is_injury() == injured).count()
    };
    let sets = [LearningSet::Training, LearningSet::Validation, LearningSet::Evaluation];
    let words = ["to replay", "to validate with", "frozen, to measure challengers with"];
    let said = sets
        .iter()
        .zip(words)
        .map(|(&set, word)| format!("{} injuries and {} normals {word}", count(set, true), count(set, false)));
    Ok(format!(
        "reference images: {} ({} new, {} were there)",
        said.collect::<Vec<_>>().join("; "),
        added.added,
        added.there
    ))
}

async fn bring_one(store: &Store, objects: &Objects, example: &Example) -> Result<ReferenceImage> {
    let patient = example.patient_key.clone().with_context(|| {
        format!("{} has no patient_key: it could not be kept from its patient's other images", example.name)
    })?;
    let decoded = example.clone();
    let bytes = tokio::task::spawn_blocking(move || {
        let limits = Limits::default();
        let bytes = read(&decoded, &limits)?;
        // What cannot be assessed now cannot measure a challenger later.
        radiograph(&decoded, &bytes, &limits)?;
        anyhow::Ok(bytes)
    })
    .await??;
    let (content, media_type) = (Sha256::of(&bytes), sniff(&bytes));
    let media_type = media_type.with_context(|| format!("{} is of no known format", example.name))?;
    let key: ObjectKey = format!("reference/{content}").parse().expect("a relative path of plain characters");
    let set = match &example.set {
        Some(word) => word.parse().ok().with_context(|| format!("{}: '{word}' is no set", example.name))?,
        None => store.set_of(&patient).await?,
    };
    objects.put(&key, bytes).await?;
    Ok(ReferenceImage {
        content,
        object_key: key.to_string(),
        media_type: media_type.to_string(),
        label: example.class,
        patient,
        site: example.site.clone(),
        set,
    })
}
