//! `cspine-worker overlay`: composes the saliency of a study's images when someone looks.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use cspine_domain::{Sha256, Uid};
use cspine_imaging::{Heatmap, Preprocessing, decode, encode_png, overlay};
use cspine_nets::{Classifier, ModelCard};
use cspine_service::Objects;
use cspine_service::config::{DatabaseArgs, LimitArgs, ObjectArgs};
use cspine_store::{Saliency, Store, StudyImage};
use serde_json::json;

use super::print_json;
use crate::model;

/// `cspine-worker overlay`
#[derive(Debug, Clone, Args)]
pub struct OverlayArgs {
    #[command(flatten)]
    /// Postgres
    pub database: DatabaseArgs,
    #[command(flatten)]
    /// The object store
    pub objects: ObjectArgs,
    /// The file of the model that scored the study: its card says how heatmap and image lie on each other [default: what
    /// is on record of it]
    #[arg(long, env = "CSPINE_MODEL")]
    pub model: Option<PathBuf>,
    #[command(flatten)]
    /// Limits on images
    pub limits: LimitArgs,
    /// The study instance UID
    pub study: Uid,
    /// The folder for the overlays
    #[arg(long)]
    pub out: PathBuf,
}

/// Writes an overlay for each image of the study that has a heatmap, of the finding that sets its level, and prints a line of JSON for each.
///
/// # Errors
/// There is no such study, or nothing is known of the model that scored it, or something cannot be read or written.
pub async fn compose(args: &OverlayArgs) -> anyhow::Result<()> {
    let store = args.database.store()?;
    let images = store.study_images(&args.study).await?;
    anyhow::ensure!(!images.is_empty(), "no images of that study");
    let objects = args.objects.open()?;
    let file = match args.model.clone() {
        Some(file) => Some(tokio::task::spawn_blocking(move || model::read(&file)).await??),
        None => None,
    };
    let drawn = |image: &StudyImage| image.finding.as_ref().is_some_and(|finding| finding.saliency.is_some());
    anyhow::ensure!(images.iter().any(drawn), "no image of that study has a heatmap");
    std::fs::create_dir_all(&args.out)?;
    for image in &images {
        let Some(finding) = &image.finding else { continue };
        let Some(saliency) = &finding.saliency else { continue };
        let what = || format!("image {}", image.sop);
        let preprocessing = preprocessing(&store, file.as_ref(), finding.model).await.with_context(what)?;
        let png = draw(args, &objects, image, saliency, &preprocessing).await.with_context(what)?;
        let file = args.out.join(format!("{}.{}.png", image.sop, finding.verdict));
        std::fs::write(&file, png).with_context(|| file.display().to_string())?;
        print_json(&json!({
            "file": file,
            "sop_instance_uid": image.sop,
            "model_sha256": finding.model,
            "purpose": finding.purpose,
            "verdict": finding.verdict,
            "flagged": finding.flagged,
            "saliency": { "class": saliency.class, "method": saliency.method },
            "orientation": saliency.pose.orientation,
            "pixel_aspect": saliency.pose.pixel_aspect,
            "notes": finding.notes,
        }))?;
    }
    Ok(())
}

/// How a model saw its images.
async fn preprocessing(store: &Store, file: Option<&Classifier>, model: Sha256) -> anyhow::Result<Preprocessing> {
    if let Some(classifier) = file.filter(|classifier| classifier.sha256() == model) {
        return Ok(classifier.card().preprocessing.clone());
    }
    let on_record = store.model_named(&model.to_string()).await?.into_iter().next();
    let unknown = || format!("scored by the model {model}, which is not on record: give its file by --model");
    let card: ModelCard = serde_json::from_value(on_record.with_context(unknown)?.model.card)?;
    Ok(card.preprocessing)
}

async fn draw(
    args: &OverlayArgs,
    objects: &Objects,
    image: &StudyImage,
    saliency: &Saliency,
    preprocessing: &Preprocessing,
) -> anyhow::Result<Vec<u8>> {
    let bytes = objects.get(&image.object_key.parse()?, args.limits.max_bytes, None).await?;
    anyhow::ensure!(Sha256::of(&bytes) == image.content, "the object is not the one that was scored");
    let radiograph = decode(&bytes, None, &args.limits.limits())?.posed(saliency.pose);
    Ok(encode_png(&overlay(&radiograph, &Heatmap::from_png(&saliency.heatmap_png)?, preprocessing)?)?)
}
