//! A model's answers on a data set.

use anyhow::{Context, Result};
use cspine_domain::{Class, Reason, Sha256};
use cspine_imaging::Limits;
use cspine_nets::{Classifier, ModelError, Standing};
use rayon::prelude::*;

use crate::dataset::{Dataset, Example, LoadError, grey, read};
use crate::metrics::{Answer, Labelled};
use crate::progress::bar;

/// One image and what the model says of it.
#[derive(Debug, Clone)]
pub struct Prediction {
    /// Its name in the data set.
    pub name: String,
    /// Label and answer.
    pub image: Labelled,
    /// Whether the data set calls it ambiguous.
    pub ambiguous: bool,
    /// SHA-256 of the file; `None` if it could not be read.
    pub sha256: Option<Sha256>,
    /// What the model's gate says of it; `None` if it was not asked, for there was nothing to look at.
    pub standing: Option<Standing>,
    /// Why there is no answer: a sentence that names the file. `None` if there is one.
    pub failure: Option<String>,
}

/// The model's answers in the data set's order, on rayon's current pool, a thread an image.
///
/// # Errors
/// If the network itself fails. An image that cannot be used is a [`Prediction`] without an answer.
pub fn predict(model: &Classifier, dataset: &Dataset, limits: &Limits) -> Result<Vec<Prediction>> {
    let progress = bar(dataset.examples.len(), "evaluate {bar:30} {pos}/{len} images, {per_sec}, {eta} left");
    let predictions = dataset
        .examples
        .par_iter()
        .with_max_len(1)
        .map(|example| {
            let prediction = predict_one(model, example, limits).with_context(|| example.name.clone());
            progress.inc(1);
            prediction
        })
        .collect();
    progress.finish_and_clear();
    predictions
}

fn predict_one(model: &Classifier, example: &Example, limits: &Limits) -> Result<Prediction> {
    let mut prediction = Prediction {
        name: example.name.clone(),
        image: Labelled { label: example.class, answer: None },
        ambiguous: example.ambiguous,
        sha256: None,
        standing: None,
        failure: None,
    };
    let preprocessing = &model.card().preprocessing;
    let input = read(example, limits).and_then(|bytes| {
        prediction.sha256 = Some(Sha256::of(&bytes));
        grey(example, &bytes, preprocessing, limits)
    });
    match input.map(|grey| model.infer(&preprocessing.normalise(&grey), None)) {
        Ok(Ok(inference)) => {
            let cspine_nets::Inference { probabilities, class, flagged, standing, .. } = inference;
            prediction.standing = Some(standing);
            if standing.is_answered() {
                prediction.image.answer = Some(Answer { probabilities, verdict: class, flagged });
            } else {
                let refusal =
                    LoadError::NotAssessable { name: example.name.clone(), reason: Reason::OutOfDistribution };
                prediction.failure = Some(refusal.to_string());
            }
        }
        Ok(Err(ModelError::NotFinite)) => {
            prediction.failure = Some(format!("{}: the network's output is not finite", example.name));
        }
        Ok(Err(error)) => return Err(error.into()),
        Err(error) => prediction.failure = Some(error.to_string()),
    }
    Ok(prediction)
}

/// `predictions.csv`. Probabilities have all their digits, so that every figure can be computed again; without an answer
/// they and the verdict are empty.
pub(crate) fn csv(predictions: &[Prediction]) -> Result<String> {
    let mut writer = csv::Writer::from_writer(vec![]);
    let [dislocation, fracture, normal] = [Class::Dislocation, Class::Fracture, Class::Normal].map(Class::as_str);
    writer.write_record([
        "file",
        "label",
        dislocation,
        fracture,
        normal,
        "flagged",
        "verdict",
        "ambiguous",
        "standing",
        "failure",
    ])?;
    for prediction in predictions {
        let answer = prediction.image.answer.as_ref();
        let probability =
            |class: Class| answer.map(|answer| answer.probabilities[class.index()].to_string()).unwrap_or_default();
        writer.write_record([
            prediction.name.as_str(),
            prediction.image.label.as_str(),
            &probability(Class::Dislocation),
            &probability(Class::Fracture),
            &probability(Class::Normal),
            &answer.is_some_and(|answer| answer.flagged).to_string(),
            answer.map_or("", |answer| answer.verdict.as_str()),
            &prediction.ambiguous.to_string(),
            prediction.standing.map_or("", Standing::as_str),
            prediction.failure.as_deref().unwrap_or_default(),
        ])?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}
