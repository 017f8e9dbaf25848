//! From what the network sees to the answer.

use cspine_domain::{Reason, Sha256};
use cspine_nets::{Classifier, Inference, SaliencyMethod, Standing};
use cspine_store::{Answer, Saliency};

use crate::failure::Failure;
use crate::prepare::Prepared;

/// What is said of an image.
#[derive(Debug)]
pub enum Assessment {
    /// The network's answer.
    Scored {
        /// What it said, and why.
        inference: Inference,
        /// What else is to be known.
        mark: Option<Reason>,
    },
    /// No answer, and why. Never to be read as normal.
    NotAssessable(Reason),
}

/// Asks the network and its scope gate, on the calling thread's pool.
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
    let inference = classifier.infer(&values, saliency)?;
    Ok(match inference.standing {
        Standing::Typical => Assessment::Scored { inference, mark },
        // What the pixels say outweighs what nobody said.
        Standing::Atypical => Assessment::Scored { inference, mark: Some(Reason::Atypical) },
        Standing::OutOfDistribution => Assessment::NotAssessable(Reason::OutOfDistribution),
    })
}

impl Assessment {
    /// The answer and its explanation as they are stored.
    pub fn into_rows(self, method: SaliencyMethod) -> (Answer, Option<Saliency>) {
        match self {
            Assessment::NotAssessable(reason) => (Answer::NotAssessable(reason), None),
            Assessment::Scored { inference, mark } => {
                let Inference { probabilities, flagged, explained, heatmap, .. } = inference;
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
