//! What became of one network: fitted, asked about the test set, and kept in a file.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use cspine_domain::{Class, Sha256};
use cspine_imaging::Limits;
use cspine_nets::{Architecture, ModelCard};
use serde::{Deserialize, Serialize};

use super::fresh::{self, FreshSet};
use super::plan::Planned;
use super::samples::{self, Sample};
use super::{Data, ReproduceArgs};
use crate::dataset::{Dataset, Subjects};
use crate::evaluate::{Prediction, load_model, predict};
use crate::fit::{Epoch, FitArgs, Fitted, fit};
use crate::metrics::{Answer, Labelled};
use crate::page::Made;
use crate::snapshot::write_atomically;

/// All that a report needs of a network: its model file may be gone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    /// `GoogLeNet, pre-trained`.
    pub name: String,
    /// SHA-256 of images, recipe, first weights and what else the figures depend on.
    pub identity: Sha256,
    /// The network.
    pub architecture: Architecture,
    /// Of the model file.
    pub model_sha256: Sha256,
    /// Its card.
    pub card: ModelCard,
    /// Every epoch.
    pub history: Vec<Epoch>,
    /// Images that were learnt from, chosen and calibrated with, and measured on.
    pub split: [usize; 3],
    /// The test set's images and what was said of each.
    pub test: Vec<Call>,
    /// What came of phantoms that nobody saw before.
    pub fresh: Vec<FreshSet>,
    /// Some images with what the answer rests on.
    pub samples: Vec<Sample>,
    /// The run that ended the fit; none of a version that did not keep it.
    #[serde(default)]
    pub made: Option<Made>,
}

/// An image and what a network says of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Its name in the data set.
    pub file: String,
    /// What it shows.
    pub label: Class,
    /// Whether the data set calls it ambiguous.
    pub ambiguous: bool,
    /// By class index; none without an answer.
    pub probabilities: Option<[f32; Class::COUNT]>,
    /// The class of the highest; none without an answer.
    pub verdict: Option<Class>,
    /// Whether it was flagged.
    pub flagged: bool,
}

/// The outcome in `--out`, if there is one yet.
pub(super) fn kept(network: &Planned, args: &ReproduceArgs) -> Result<Option<Outcome>> {
    let file = file(&args.out, &network.slug);
    if !file.exists() {
        return Ok(None);
    }
    let outcome = read(&file)?;
    ensure!(
        outcome.identity == network.identity,
        "{} is of other images, another recipe or other first weights; use another --out, or remove it",
        file.display()
    );
    println!("\n{}\ndone before: {}", network.name, file.display());
    Ok(Some(outcome))
}

/// Fits the network and keeps what came of it.
pub(super) fn make(network: &Planned, args: &ReproduceArgs, data: &Data) -> Result<Outcome> {
    let folder = args.out.join("networks").join(&network.slug);
    let fitted = fit(&fit_args(network, args, data, &folder), &data.dataset)?;
    let outcome = measure(network, args, data, &fitted)?;
    write_atomically(&file(&args.out, &network.slug), &serde_json::to_vec(&outcome)?)?;
    // What is done needs nothing to go on from.
    let checkpoint = folder.join("checkpoint.safetensors");
    std::fs::remove_file(&checkpoint).with_context(|| format!("removing {}", checkpoint.display()))?;
    Ok(outcome)
}

/// The first weights of a network that is done, if there is one of that name.
pub(super) fn parent(out: &Path, slug: &str) -> Result<Option<Sha256>> {
    let file = file(out, slug);
    Ok(if file.exists() { read(&file)?.card.training.parent } else { None })
}

fn file(out: &Path, slug: &str) -> PathBuf {
    out.join("networks").join(format!("{slug}.json"))
}

fn read(file: &Path) -> Result<Outcome> {
    let bytes = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is no outcome of a network", file.display()))
}

fn fit_args(network: &Planned, args: &ReproduceArgs, data: &Data, out: &Path) -> FitArgs {
    let what = match data.survey.subjects {
        Subjects::Phantoms => "phantoms only, no patient",
        Subjects::Patients => "radiographs of an own data set",
        Subjects::Untold => "an own data set, which does not tell whether of patients or synthetic",
    };
    FitArgs {
        data: args.data.clone(),
        init: network.init.clone(),
        architecture: Some(network.architecture),
        out: out.to_owned(),
        size: None,
        recipe: args.recipe.clone(),
        operating: args.operating.clone(),
        data_note: format!("{what}: the paper's recipe, from {}", network.name),
    }
}

fn measure(network: &Planned, args: &ReproduceArgs, data: &Data, fitted: &Fitted) -> Result<Outcome> {
    let model = load_model(&fitted.model)?;
    let examples: Vec<_> = fitted.split.test.iter().map(|&i| data.dataset.examples[i].clone()).collect();
    let test = Dataset { examples, ..data.dataset.clone() };
    let limits = Limits::default();
    let calls: Vec<Call> = predict(&model, &test, &limits)?.into_iter().map(Call::from).collect();
    Ok(Outcome {
        name: network.name.clone(),
        identity: network.identity,
        architecture: network.architecture,
        model_sha256: fitted.sha256,
        card: fitted.card.clone(),
        history: fitted.history.clone(),
        split: [&fitted.split.training, &fitted.split.validation, &fitted.split.test].map(Vec::len),
        samples: samples::of(&model, &test, &calls, &limits)?,
        test: calls,
        fresh: fresh::measure(&args.fresh, &model)?,
        made: Some(Made::now()?),
    })
}

impl From<Prediction> for Call {
    fn from(prediction: Prediction) -> Self {
        let Prediction { name, image, ambiguous, .. } = prediction;
        Self {
            file: name,
            label: image.label,
            ambiguous,
            flagged: image.answer.as_ref().is_some_and(|answer| answer.flagged),
            probabilities: image.answer.as_ref().map(|answer| answer.probabilities),
            verdict: image.answer.map(|answer| answer.verdict),
        }
    }
}

impl Call {
    /// As metrics take it.
    pub fn labelled(&self) -> Labelled {
        let answer = self.probabilities.zip(self.verdict);
        let answer = answer.map(|(probabilities, verdict)| Answer { probabilities, verdict, flagged: self.flagged });
        Labelled { label: self.label, answer }
    }
}
