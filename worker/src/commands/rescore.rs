//! `cspine-worker rescore`: asks the current model about the images of open studies that an earlier one answered.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use cspine_domain::Uid;
use cspine_nets::{Classifier, SaliencyMethod};
use cspine_service::Objects;
use cspine_service::config::{DatabaseArgs, LimitArgs, ObjectArgs};
use cspine_store::{Arrival, NewFinding, Purpose, Recorded, Store, ToRescore};
use serde_json::{Value, json};

use super::{print_json, print_line};
use crate::alone::prepare_alone;
use crate::assess::{Rows, assess};
use crate::config::{AloneArgs, ModelArgs, ScopeArgs};
use crate::failure::Failure;
use crate::model;
use crate::network::{Network, Usage};
use crate::prepare::Declared;
use crate::slots::Slots;

/// Longer than any image takes.
const LONGEST: Duration = Duration::from_secs(300);

/// `cspine-worker rescore`
#[derive(Debug, Clone, Args)]
pub struct RescoreArgs {
    #[command(flatten)]
    /// Postgres
    pub database: DatabaseArgs,
    #[command(flatten)]
    /// The object store
    pub objects: ObjectArgs,
    #[command(flatten)]
    /// The model
    pub model: ModelArgs,
    #[command(flatten)]
    /// Limits on images
    pub limits: LimitArgs,
    #[command(flatten)]
    /// Scope
    pub scope: ScopeArgs,
    #[command(flatten)]
    /// Decoding: every image here is decoded alone
    pub alone: AloneArgs,
    /// Only the images of this study
    #[arg(long)]
    pub study: Option<Uid>,
    /// At most so many images
    #[arg(long, default_value_t = 1000)]
    pub limit: u32,
    /// Threads that work on an image
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: u16,
    /// How decisions are explained: hirescam, gradient, smoothgrad, gradcam or integrated
    #[arg(long, env = "CSPINE_SALIENCY", default_value_t)]
    pub saliency: SaliencyMethod,
    /// One JSON object a line instead of text
    #[arg(long)]
    pub json: bool,
}

/// Answers each image once more and prints what came of it. False when one of them could not be answered.
///
/// # Errors
/// There is no champion, the model cannot be used, the network does not end with an image, or the database is away.
pub async fn rescore(args: &RescoreArgs) -> anyhow::Result<bool> {
    let asked = Asked::start(args).await?;
    let model = asked.network.sha256();
    let ToRescore { images, left } = asked.store.to_rescore(model, args.study.as_ref(), args.limit).await?;
    let (mut raised, mut failed) = (0, 0);
    for image in &images {
        let mut line = json!({
            "study_instance_uid": image.study,
            "sop_instance_uid": image.sop,
            "model_sha256": model,
        });
        match asked.answer(image).await {
            Ok((finding, recorded)) => {
                raised += u32::from(matches!(recorded, Recorded::Created { raised: true, .. }));
                tell(&mut line, &finding, recorded);
            }
            Err(Failure::Database(error)) => return Err(error.into()),
            // Its thread is lost, and there is no other.
            Err(Failure::Stuck) => {
                bail!("{} {}: {}; no image after it was asked", image.study, image.sop, Failure::Stuck)
            }
            Err(failure) => {
                failed += 1;
                line["error"] = json!(failure.to_string());
            }
        }
        if args.json { print_json(&line)? } else { print_line(&as_text(&line))? }
    }
    if !args.json {
        print_line(&format!("{} images asked of {model}: {raised} studies raised, {failed} failed", images.len()))?;
    }
    if left > 0 {
        tracing::warn!(left, "images over --limit were not asked: say it again for them");
    }
    Ok(failed == 0)
}

/// What answers.
struct Asked {
    network: Arc<Network>,
    slots: Slots,
    store: Store,
    objects: Objects,
}

impl Asked {
    async fn start(args: &RescoreArgs) -> anyhow::Result<Self> {
        let (store, objects) = (args.database.store()?, args.objects.open()?);
        let usage = Usage {
            limits: args.limits.limits(),
            strict_scope: args.scope.strict(),
            scope_words: args.scope.words()?,
            saliency: args.saliency,
            program: args.alone.program()?,
            alone: args.alone.limits(),
        };
        let classifier = classifier(&args.model, &store, &objects).await?;
        let network = Arc::new(Network::new(classifier, usage));
        Ok(Self { network, slots: Slots::start("rescore", 1, args.threads.into(), LONGEST)?, store, objects })
    }

    async fn answer(&self, image: &Arrival) -> Result<(NewFinding, Recorded), Failure> {
        let (network, usage, rules) = (self.network.clone(), &self.network.usage, &self.network.rules);
        // The store has no other keys than those it was given.
        let key = image.object_key.parse().map_err(|_| Failure::ObjectMissing)?;
        let bytes = self.objects.get(&key, rules.limits.max_bytes, image.size_bytes).await?;
        // It may be one that only a child process survived.
        let prepared = prepare_alone(&usage.program, &bytes, &Declared::of(image), rules, usage.alone).await?;
        let work = move || assess(&network.classifier, prepared, Some(network.usage.saliency));
        let Rows { answer, saliency, features, notes } = self.slots.run(work).await??.into_rows(usage.saliency);
        let (arrival, model) = (image.clone(), self.network.sha256());
        let finding = NewFinding { arrival, purpose: Purpose::Rescore, model, answer, saliency, features, notes };
        let recorded = self.store.record_finding(&finding).await?;
        Ok((finding, recorded))
    }
}

async fn classifier(args: &ModelArgs, store: &Store, objects: &Objects) -> anyhow::Result<Classifier> {
    if let Some(file) = args.model.clone() {
        let allow_ungated = args.allow_ungated;
        return tokio::task::spawn_blocking(move || model::read_to_serve(&file, allow_ungated)).await?;
    }
    let champion = store.serving().await?.champion.context("the registry has no champion: give a file by --model")?;
    let name = || format!("the champion {}", champion.sha256);
    let fetched = model::fetch(objects, &champion, args.max_model_bytes, args.model_fetch_timeout).await;
    model::verify(fetched.with_context(name)?, champion.sha256).await.with_context(name)
}

fn tell(line: &mut Value, finding: &NewFinding, recorded: Recorded) {
    line["verdict"] = json!(finding.answer.verdict());
    line["flagged"] = json!(finding.answer.injury().is_some());
    if let Recorded::Created { level, raised, reopened, .. } = recorded {
        line["level"] = json!(level);
        line["raised"] = json!(raised);
        line["reopened"] = json!(reopened);
    }
}

fn as_text(line: &Value) -> String {
    let [study, sop] = ["study_instance_uid", "sop_instance_uid"].map(|uid| line[uid].as_str().unwrap_or_default());
    if let Some(error) = line["error"].as_str() {
        return format!("{study} {sop}: {error}");
    }
    let verdict = line["verdict"].as_str().unwrap_or_default();
    let flag = if line["flagged"] == true { " FLAGGED" } else { "" };
    let outcome = match (&line["raised"], line["level"].as_i64()) {
        (Value::Bool(true), Some(level)) => format!("raised to level {level}"),
        (_, Some(level)) => format!("stays at level {level}"),
        _ => "answered by this model before".to_owned(),
    };
    format!("{study} {sop}: {verdict}{flag}, {outcome}")
}
