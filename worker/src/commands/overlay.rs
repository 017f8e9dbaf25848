//! `cspine-worker overlay`: composes the saliency of a study's images when someone looks.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use cspine_domain::{Sha256, Uid};
use cspine_imaging::{Heatmap, Preprocessing, decode, encode_png, overlay};
use cspine_service::Objects;
use cspine_service::config::{DatabaseArgs, LimitArgs, ObjectArgs};
use cspine_store::StudyImage;
use serde_json::json;

use super::print_json;
use crate::assess;
use crate::config::ModelArgs;

/// `cspine-worker overlay`
#[derive(Debug, Clone, Args)]
pub struct OverlayArgs {
    #[command(flatten)]
    /// Postgres
    pub database: DatabaseArgs,
    #[command(flatten)]
    /// The object store
    pub objects: ObjectArgs,
    #[command(flatten)]
    /// The model that scored the study: its card says how heatmap and image lie on each other
    pub model: ModelArgs,
    #[command(flatten)]
    /// Limits on images
    pub limits: LimitArgs,
    /// The study instance UID
    pub study: Uid,
    /// The folder for the overlays
    #[arg(long)]
    pub out: PathBuf,
}

/// Writes an overlay for each image of the study that has a heatmap, and prints a line of JSON for each.
///
/// # Errors
/// There is no such study, or an image was scored by another model, or something cannot be read or written.
pub async fn compose(args: &OverlayArgs) -> anyhow::Result<()> {
    let images = args.database.store()?.study_images(&args.study).await?;
    anyhow::ensure!(!images.is_empty(), "no images of that study");
    let (objects, model) = (args.objects.open()?, args.model.model.clone());
    let classifier = tokio::task::spawn_blocking(move || assess::load(&model)).await??;
    std::fs::create_dir_all(&args.out)?;
    for image in &images {
        let Some(finding) = &image.finding else { continue };
        let Some(saliency) = &finding.saliency else { continue };
        anyhow::ensure!(
            finding.model == classifier.sha256(),
            "image {} was scored by the model {}: give that file by --model",
            image.sop,
            finding.model
        );
        let png = draw(args, &objects, image, &saliency.heatmap_png, &classifier.card().preprocessing)
            .await
            .with_context(|| format!("image {}", image.sop))?;
        let file = args.out.join(format!("{}.{}.png", image.sop, finding.verdict));
        std::fs::write(&file, png).with_context(|| file.display().to_string())?;
        print_json(&json!({
            "file": file,
            "sop_instance_uid": image.sop,
            "verdict": finding.verdict,
            "flagged": finding.flagged,
            "saliency": { "class": saliency.class, "method": saliency.method },
        }))?;
    }
    Ok(())
}

async fn draw(
    args: &OverlayArgs,
    objects: &Objects,
    image: &StudyImage,
    heatmap: &[u8],
    preprocessing: &Preprocessing,
) -> anyhow::Result<Vec<u8>> {
    let bytes = objects.get(&image.object_key.parse()?, args.limits.max_bytes, None).await?;
    anyhow::ensure!(Sha256::of(&bytes) == image.content, "the object is not the one that was scored");
    let radiograph = decode(&bytes, None, &args.limits.limits())?;
    Ok(encode_png(&overlay(&radiograph, &Heatmap::from_png(heatmap)?, preprocessing)?)?)
}
