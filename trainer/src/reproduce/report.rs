//! `reproduction.json`: every figure of every network that is done.

use std::collections::BTreeMap;

use cspine_domain::{Class, Sha256};
use cspine_nets::{Architecture, Operating};
use serde::Serialize;

use super::paper::{Row, TABLE_1};
use super::recipe::Recipe;
use super::{Data, FreshSet, Outcome, ReproduceArgs};
use crate::compare::Contrast;
use crate::dataset::Survey;
use crate::evaluate::Block;
use crate::fit::Epoch;
use crate::metrics::{Area, Calibration, Confusion, Labelled, calibration, roc};
use crate::page::Made;

/// What was measured, beside what the paper reports. Proportions go from 0 to 1; intervals are Wilson's at 95 %.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Images by class index.
    pub images: [usize; Class::COUNT],
    /// Of whom they are, which come twice, which cannot be used.
    pub survey: Survey,
    /// How every network was to learn.
    pub recipe: Recipe,
    /// The paper's Table 1, percent.
    pub paper: [Row; 2],
    /// Networks that are to be done, with those that are.
    pub planned: usize,
    /// Those that are done.
    pub networks: Vec<Network>,
}

/// One network's figures on the test set and on fresh phantoms.
#[derive(Debug, Clone, Serialize)]
pub struct Network {
    /// `GoogLeNet, pre-trained`.
    pub name: String,
    /// The network.
    pub architecture: Architecture,
    /// Of the model file.
    pub model_sha256: Sha256,
    /// The model it was fitted from.
    pub parent: Option<Sha256>,
    /// Images that were learnt from, chosen and calibrated with, and measured on.
    pub split: [usize; 3],
    /// What logits were divided by.
    pub temperature: f32,
    /// Flagged is p(dislocation) + p(fracture) at or over this.
    pub threshold: f32,
    /// What is to be expected of it.
    pub operating: Option<Operating>,
    /// Why the network counts as collapsed on the validation set; `all` says it of the test set.
    pub collapsed: Option<String>,
    /// On all images of the test set.
    pub all: Block,
    /// On those that the data set does not call ambiguous.
    pub without_ambiguous: Block,
    /// Of the probabilities as answered.
    pub calibration: Option<Calibration>,
    /// Of what they would be without a temperature.
    pub uncalibrated: Option<Calibration>,
    /// Injuries against normals, and each class against the others.
    pub roc: BTreeMap<&'static str, Curve>,
    /// Means over fresh sets of phantoms.
    pub fresh: Vec<Fresh>,
    /// Every epoch of the fit.
    pub history: Vec<Epoch>,
    /// The run that ended the fit; none of a version that did not keep it.
    pub made: Option<Made>,
}

/// A receiver operating characteristic.
#[derive(Debug, Clone, Serialize)]
pub struct Curve {
    /// The area under it, with DeLong's interval.
    #[serde(flatten)]
    pub area: Area,
    /// Shares of controls and cases at or over a threshold; its corners.
    pub points: Vec<(f64, f64)>,
}

/// Figures over several sets of fresh phantoms of one kind.
#[derive(Debug, Clone, Serialize)]
pub struct Fresh {
    /// How the films are taken.
    pub preset: String,
    /// Seeds of the sets.
    pub seeds: Vec<u64>,
    /// Images of each set by class index.
    pub images: [usize; Class::COUNT],
    /// Plain accuracy.
    pub accuracy: Option<Spread>,
    /// Mean of the one-vs-rest accuracies.
    pub one_vs_rest: Option<Spread>,
    /// Plain accuracy without the ambiguous.
    pub accuracy_clear: Option<Spread>,
    /// Mean of the one-vs-rest accuracies without the ambiguous.
    pub one_vs_rest_clear: Option<Spread>,
    /// Plain accuracy of a simulated reader with half an input pixel of error.
    pub reader: Option<Spread>,
    /// The same without the ambiguous.
    pub reader_clear: Option<Spread>,
}

/// A figure over several sets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Their mean.
    pub mean: f64,
    /// Of the worst set.
    pub lowest: f64,
    /// Of the best set.
    pub highest: f64,
}

impl Report {
    /// Computes every figure.
    pub(super) fn new(args: &ReproduceArgs, data: &Data, outcomes: &[&Outcome], planned: usize) -> Self {
        Self {
            images: data.dataset.counts(),
            survey: data.survey.clone(),
            recipe: Recipe::of(&args.recipe),
            paper: TABLE_1,
            planned,
            networks: outcomes.iter().copied().map(Network::new).collect(),
        }
    }
}

impl Network {
    /// On which sets it has collapsed, each with how.
    pub(super) fn collapses(&self) -> Vec<(&'static str, String)> {
        let validation = self.collapsed.clone().map(|how| ("validation", how));
        let test = self.all.collapsed.as_ref().map(|how| ("test", how.to_string()));
        validation.into_iter().chain(test).collect()
    }

    fn new(outcome: &Outcome) -> Self {
        let images = |ambiguous_too: bool| -> Vec<Labelled> {
            let chosen = outcome.test.iter().filter(|call| ambiguous_too || !call.ambiguous);
            chosen.map(super::Call::labelled).collect()
        };
        let (all, card) = (images(true), &outcome.card);
        Self {
            name: outcome.name.clone(),
            architecture: outcome.architecture,
            model_sha256: outcome.model_sha256,
            parent: card.training.parent,
            split: outcome.split,
            temperature: card.temperature,
            threshold: card.operating_point,
            operating: card.operating.clone(),
            collapsed: card.collapsed.clone(),
            calibration: calibration(&all, 1.0),
            uncalibrated: calibration(&all, f64::from(card.temperature)),
            roc: Contrast::ALL
                .iter()
                .filter_map(|contrast| Some((contrast.as_str(), curve(&all, *contrast)?)))
                .collect(),
            all: Block::new(&all),
            without_ambiguous: Block::new(&images(false)),
            fresh: fresh(&outcome.fresh),
            history: outcome.history.clone(),
            made: outcome.made.clone(),
        }
    }
}

fn curve(images: &[Labelled], contrast: Contrast) -> Option<Curve> {
    let scored: Vec<(f64, bool)> = images
        .iter()
        .filter_map(|image| {
            let probabilities = image.answer.as_ref()?.probabilities.map(f64::from);
            Some((contrast.score(&probabilities), contrast.is_case(image.label)))
        })
        .collect();
    Some(Curve { area: Area::of(&scored)?, points: roc(scored)? })
}

/// Sets of one preset and size belong together.
fn fresh(sets: &[FreshSet]) -> Vec<Fresh> {
    let alike = sets.chunk_by(|a, b| a.preset == b.preset && a.draw == b.draw);
    alike
        .map(|sets| {
            let accuracy = |c: &Confusion| c.accuracy().value();
            let one_vs_rest = |c: &Confusion| c.one_vs_rest().accuracy;
            Fresh {
                preset: sets[0].preset.clone(),
                seeds: sets.iter().map(|set| set.seed).collect(),
                images: [0, 1, 2].map(|class| sets[0].all.images(Class::ALL[class])),
                accuracy: Spread::of(sets.iter().map(|set| accuracy(&set.all))),
                one_vs_rest: Spread::of(sets.iter().map(|set| one_vs_rest(&set.all))),
                accuracy_clear: Spread::of(sets.iter().map(|set| accuracy(&set.clear))),
                one_vs_rest_clear: Spread::of(sets.iter().map(|set| one_vs_rest(&set.clear))),
                reader: Spread::of(sets.iter().map(|set| Some(set.reader))),
                reader_clear: Spread::of(sets.iter().map(|set| Some(set.reader_clear))),
            }
        })
        .collect()
}

impl Spread {
    /// `None` if a set has no such figure.
    fn of(values: impl Iterator<Item = Option<f64>>) -> Option<Self> {
        let values: Vec<f64> = values.collect::<Option<_>>()?;
        let lowest = values.iter().copied().reduce(f64::min)?;
        let highest = values.iter().copied().reduce(f64::max)?;
        Some(Self { mean: values.iter().sum::<f64>() / values.len() as f64, lowest, highest })
    }
}

#[cfg(test)]
mod tests {
    use cspine_imaging::Preprocessing;
    use cspine_nets::ModelCard;

    use super::super::Call;
    use super::*;

    /// An outcome as the first version wrote it, whose network calls every test image a fracture.
    fn outcome() -> Outcome {
        let card = ModelCard::uncalibrated(Architecture::GoogLeNet, Preprocessing::default(), "test");
        let call = |i: usize| Call {
            file: format!("{i}.png"),
            label: Class::ALL[i % 3],
            ambiguous: false,
            probabilities: Some([0.1, 0.9 - 0.01 * i as f32, 0.01 * i as f32]),
            verdict: Some(Class::Fracture),
            flagged: true,
        };
        let outcome = serde_json::json!({
            "name": "GoogLeNet, fresh weights",
            "identity": Sha256([1; 32]),
            "architecture": Architecture::GoogLeNet,
            "model_sha256": Sha256([2; 32]),
            "card": card,
            "history": [],
            "split": [70, 15, 15],
            "test": (0..15).map(call).collect::<Vec<_>>(),
            "fresh": [],
            "samples": [],
        });
        serde_json::from_value(outcome).unwrap()
    }

    #[test]
    fn a_collapse_on_the_test_set_is_told_though_the_validation_set_did_not_show_it() {
        let mut outcome = outcome();
        let network = Network::new(&outcome);
        let [(set, how)] = &network.collapses()[..] else { panic!("{:?}", network.collapses()) };
        assert!(*set == "test" && how.contains("it answers fracture to every one of 15 images"), "{how}");
        outcome.card.collapsed = Some("it is".to_owned());
        assert_eq!(Network::new(&outcome).collapses()[0], ("validation", "it is".to_owned()));
    }

    #[test]
    fn an_outcome_without_its_maker_is_read_and_its_areas_have_intervals() {
        let network = Network::new(&outcome());
        assert_eq!(network.made, None);
        let json = serde_json::to_value(&network).unwrap();
        let area = &json["roc"]["injury"];
        assert!(area["auc"].as_f64() < Some(1.0) && area["interval"][0].as_f64() < area["auc"].as_f64(), "{area}");
        assert!(area["points"].is_array());
    }

    #[test]
    fn draws_and_sets_of_one_preset_are_kept_apart_and_averaged() {
        let set = |preset: &str, draw, seed, right| FreshSet {
            preset: preset.to_owned(),
            draw,
            seed,
            all: Confusion { counts: [[right, 10 - right, 0], [0, 10, 0], [0, 0, 10]], abstained: [0; 3] },
            clear: Confusion { counts: [[5, 0, 0], [0, 5, 0], [0, 0, 5]], abstained: [0; 3] },
            reader: 0.9,
            reader_clear: 1.0,
        };
        let sets = [
            set("reference", false, 1, 10),
            set("reference", false, 2, 7),
            set("shift-a", false, 3, 4),
            set("shift-a", true, 4, 1),
        ];
        let fresh = fresh(&sets);
        assert_eq!(fresh.iter().map(|f| f.seeds.clone()).collect::<Vec<_>>(), [vec![1, 2], vec![3], vec![4]]);
        let accuracy = fresh[0].accuracy.unwrap();
        assert!((accuracy.mean - 28.5 / 30.0).abs() < 1e-12);
        assert_eq!((accuracy.lowest, accuracy.highest), (0.9, 1.0));
        assert_eq!(fresh[1].accuracy_clear.unwrap().mean, 1.0);
        assert_eq!(fresh[0].images, [10, 10, 10]);
    }
}
