//! From what the network sees to the answer.

use std::time::{Duration, Instant};

use cspine_domain::{Class, Reason, Sha256};
use cspine_imaging::Heatmap;
use cspine_nets::{Classifier, SaliencyMethod};
use cspine_store::{Answer, Saliency};

use crate::failure::Failure;
use crate::prepare::Prepared;

/// What is said of an image.
#[derive(Debug)]
pub enum Assessment {
    /// The network's answer.
    Scored {
        /// Calibrated, by class index.
        probabilities: [f32; 3],
        /// The class of the highest.
        class: Class,
        /// Whether the study is to be read sooner.
        flagged: bool,
        /// The class that the heatmap explains.
        explained: Class,
        /// None when not asked for.
        heatmap: Option<Heatmap>,
        /// What else is to be known.
        mark: Option<Reason>,
        /// Time in the network and, where it is known apart, in explaining.
        took: (Duration, Duration),
    },
    /// No answer, and why. Never to be read as normal.
    NotAssessable(Reason),
}

/// Asks the network, on the calling thread's pool.
///
/// # Errors
/// [`Failure::Model`], such as an output that is not finite.
pub fn assess(
    classifier: &Classifier,
    prepared: Prepared,
    saliency: Option<SaliencyMethod>,
) -> Result<Assessment, Failure> {
    let (values, mark) = match prepared {
        Prepared::Input { values, mark } => (values, mark),
        Prepared::NotAssessable(reason) => return Ok(Assessment::NotAssessable(reason)),
    };
    let begin = Instant::now();
    let inference = classifier.infer(&values, saliency)?;
    Ok(Assessment::Scored {
        probabilities: inference.probabilities,
        class: inference.class,
        flagged: inference.flagged,
        explained: inference.explained,
        heatmap: inference.heatmap,
        mark,
        took: (begin.elapsed(), Duration::ZERO),
    })
}

impl Assessment {
    /// The answer and its explanation as they are stored.
    pub fn into_rows(self, method: SaliencyMethod) -> (Answer, Option<Saliency>) {
        match self {
            Assessment::NotAssessable(reason) => (Answer::NotAssessable(reason), None),
            Assessment::Scored { probabilities, flagged, explained, heatmap, mark, .. } => {
                let png = heatmap.map(|heatmap| heatmap.to_png().expect("a heatmap fills its width and height"));
                let saliency = png.map(|heatmap_png| Saliency {
                    class: explained,
                    method: method.as_str().to_owned(),
                    heatmap_png,
                });
                (Answer::Assessed { probabilities, flagged, mark }, saliency)
            }
        }
    }
}

/// Reads a model's file.
///
/// # Errors
/// The file cannot be read or is no model of ours.
pub fn load(path: &std::path::Path) -> anyhow::Result<Classifier> {
    use anyhow::Context as _;
    let bytes = std::fs::read(path).with_context(|| format!("reading the model {}", path.display()))?;
    let digest = Sha256::of(&bytes);
    Classifier::load(&bytes).with_context(|| format!("the model {} (SHA-256 {digest})", path.display()))
}
