//! `cspine-worker classify`: files in, answers out; no broker, no database.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use clap::Args;
use cspine_domain::{Pose, Verdict};
use cspine_imaging::{encode_png, overlay};
use cspine_nets::{Classifier, SaliencyMethod};
use cspine_service::config::LimitArgs;
use serde_json::{Value, json};

use super::{print_json, print_line};
use crate::assess::{Assessment, assess};
use crate::config::ScopeArgs;
use crate::model;
use crate::prepare::{Declared, Rules, prepare};

/// `cspine-worker classify`
#[derive(Debug, Clone, Args)]
pub struct ClassifyArgs {
    /// The model's file, safetensors with its card
    #[arg(long, env = "CSPINE_MODEL", default_value = "deploy/models/starter.safetensors")]
    pub model: PathBuf,
    #[command(flatten)]
    /// Limits on images
    pub limits: LimitArgs,
    #[command(flatten)]
    /// Scope
    pub scope: ScopeArgs,
    /// DICOM, PNG, JPEG or TIFF files
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// How decisions are explained: hirescam, gradient, smoothgrad, gradcam or integrated
    #[arg(long, env = "CSPINE_SALIENCY", default_value_t)]
    pub saliency: SaliencyMethod,
    /// Writes each heatmap and its overlay on the image into this folder
    #[arg(long)]
    pub saliency_dir: Option<PathBuf>,
    /// One JSON object a line instead of text
    #[arg(long)]
    pub json: bool,
}

/// Answers each file on its own line. False when one of them was bad.
///
/// # Errors
/// The model cannot be loaded, or a heatmap cannot be written.
pub fn classify(args: &ClassifyArgs) -> anyhow::Result<bool> {
    let classifier = model::read(&args.model)?;
    if classifier.card().gate.is_none() {
        tracing::warn!("the model has no scope gate: it answers every image with a class, also one that is no neck");
    }
    if let Some(folder) = &args.saliency_dir {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let rules = Rules {
        preprocessing: classifier.card().preprocessing.clone(),
        limits: args.limits.limits(),
        strict_scope: args.scope.strict(),
        scope_words: args.scope.words()?,
    };
    let mut all_well = true;
    for (number, file) in args.files.iter().enumerate() {
        let answer = match answer(args, &classifier, &rules, file, number) {
            Ok(answer) => answer,
            Err(Problem::File { reason, error }) => {
                all_well = false;
                json!({ "file": file, "error": error, "reason": reason })
            }
            Err(Problem::Ours(error)) => return Err(error),
        };
        if args.json { print_json(&answer)? } else { print_line(&as_text(&answer))? }
    }
    Ok(all_well)
}

enum Problem {
    /// The file is at fault: the others get their answers.
    File { reason: Option<&'static str>, error: String },
    /// We cannot go on.
    Ours(anyhow::Error),
}

impl From<crate::failure::Failure> for Problem {
    fn from(failure: crate::failure::Failure) -> Self {
        let reason = match failure.disposition() {
            crate::failure::Disposition::Park(reason) => Some(reason.as_str()),
            _ => None,
        };
        Problem::File { reason, error: failure.to_string() }
    }
}

fn answer(
    args: &ClassifyArgs,
    classifier: &Classifier,
    rules: &Rules,
    file: &Path,
    number: usize,
) -> Result<Value, Problem> {
    let begin = Instant::now();
    let bytes = std::fs::read(file).map_err(|error| Problem::File { reason: None, error: error.to_string() })?;
    let fetched = begin.elapsed();
    let begin = Instant::now();
    let prepared = prepare(&bytes, &Declared::default(), rules)?;
    let decoded = begin.elapsed();
    let milliseconds = |took: std::time::Duration| (took.as_secs_f64() * 1e4).round() / 10.0;
    let mut answer = json!({
        "file": file,
        "model_sha256": classifier.sha256(),
        "timings_ms": { "fetch": milliseconds(fetched), "decode": milliseconds(decoded) },
    });
    let method = args.saliency_dir.as_ref().map(|_| args.saliency);
    match assess(classifier, prepared, method)? {
        Assessment::NotAssessable { reason, rejection, notes, .. } => {
            answer["verdict"] = json!(Verdict::NotAssessable);
            answer["reason"] = json!(reason);
            answer["rejected_by"] = json!(rejection);
            answer["notes"] = json!(notes);
            answer["flagged"] = json!(false);
            answer["probabilities"] = Value::Null;
            answer["saliency"] = Value::Null;
        }
        Assessment::Scored { inference, mark, notes, pose } => {
            let [dislocation, fracture, normal] = inference.probabilities;
            answer["verdict"] = json!(Verdict::from(inference.class));
            answer["reason"] = json!(mark);
            answer["notes"] = json!(notes);
            answer["flagged"] = json!(inference.flagged);
            answer["atypicality"] = json!(inference.atypicality);
            answer["mirrored"] = json!(inference.look.is_mirrored());
            answer["orientation"] = json!(pose.orientation);
            answer["pixel_aspect"] = json!(pose.pixel_aspect);
            answer["probabilities"] = json!({ "dislocation": dislocation, "fracture": fracture, "normal": normal });
            answer["timings_ms"]["infer"] = json!(milliseconds(inference.forward_time));
            answer["timings_ms"]["explain"] = json!(milliseconds(inference.explain_time));
            answer["saliency"] = match (&args.saliency_dir, inference.heatmap) {
                (Some(folder), Some(heatmap)) => {
                    let written = Written { folder, name: name(file, number) };
                    let paths = written.write(&bytes, &heatmap, pose, rules).map_err(Problem::Ours)?;
                    json!({ "class": inference.explained, "method": args.saliency.as_str(), "heatmap": paths.0, "overlay": paths.1 })
                }
                _ => Value::Null,
            };
        }
    }
    Ok(answer)
}

/// Files of the same name from several folders must not overwrite each other.
fn name(file: &Path, number: usize) -> String {
    let stem = file.file_stem().map_or_else(|| "image".into(), |stem| stem.to_string_lossy());
    format!("{:04}-{stem}", number + 1)
}

struct Written<'a> {
    folder: &'a Path,
    name: String,
}

impl Written<'_> {
    fn write(
        &self,
        bytes: &[u8],
        heatmap: &cspine_imaging::Heatmap,
        pose: Pose,
        rules: &Rules,
    ) -> anyhow::Result<(PathBuf, PathBuf)> {
        let radiograph = cspine_imaging::decode(bytes, None, &rules.limits)?.posed(pose);
        let composed = overlay(&radiograph, heatmap, &rules.preprocessing)?;
        let paths = ["heatmap", "overlay"].map(|what| self.folder.join(format!("{}.{what}.png", self.name)));
        for (path, png) in paths.iter().zip([heatmap.to_png()?, encode_png(&composed)?]) {
            std::fs::write(path, png).with_context(|| path.display().to_string())?;
        }
        let [heatmap, overlay] = paths;
        Ok((heatmap, overlay))
    }
}

fn as_text(answer: &Value) -> String {
    let file = answer["file"].as_str().unwrap_or_default();
    if let Some(error) = answer["error"].as_str() {
        return format!("{file}: {error}");
    }
    let verdict = answer["verdict"].as_str().unwrap_or_default();
    let reason = answer["reason"].as_str().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let flag = if answer["flagged"] == true { " FLAGGED" } else { "" };
    let probabilities = answer["probabilities"].as_object().map(|all| {
        let each = all.iter().map(|(class, p)| format!("{class} {:.3}", p.as_f64().unwrap_or(f64::NAN)));
        format!("  {}", each.collect::<Vec<_>>().join(", "))
    });
    format!("{file}: {verdict}{reason}{flag}{}", probabilities.unwrap_or_default())
}
