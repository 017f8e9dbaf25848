//! From what the network sees to the answer.

use cspine_domain::Reason;
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
    NotAssessable {
        /// Why.
        reason: Reason,
        /// What the network made of it, where it was asked and its gate refused.
        features: Option<Vec<f32>>,
    },
}

/// An assessment as it is stored.
#[derive(Debug)]
pub struct Rows {
    /// The answer.
    pub answer: Answer,
    /// Its explanation.
    pub saliency: Option<Saliency>,
    /// What the network's head saw.
    pub features: Option<Vec<f32>>,
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
        Prepared::NotAssessable(reason) => return Ok(Assessment::NotAssessable { reason, features: None }),
    };
    let inference = classifier.infer(&values, saliency)?;
    Ok(match inference.standing {
        Standing::Typical => Assessment::Scored { inference, mark },
        // What the pixels say outweighs what nobody said.
        Standing::Atypical => Assessment::Scored { inference, mark: Some(Reason::Atypical) },
        Standing::OutOfDistribution => {
            Assessment::NotAssessable { reason: Reason::OutOfDistribution, features: Some(inference.features) }
        }
    })
}

impl Assessment {
    /// As it is stored; `method` made the heatmap, if there is one.
    pub fn into_rows(self, method: SaliencyMethod) -> Rows {
        match self {
            Assessment::NotAssessable { reason, features } => {
                Rows { answer: Answer::NotAssessable(reason), saliency: None, features }
            }
            Assessment::Scored { inference, mark } => {
                let Inference { probabilities, flagged, explained, heatmap, features, .. } = inference;
                let png = heatmap.map(|heatmap| heatmap.to_png().expect("a heatmap fills its width and height"));
                let saliency = png.map(|heatmap_png| Saliency {
                    class: explained,
                    method: method.as_str().to_owned(),
                    heatmap_png,
                });
                Rows { answer: Answer::Assessed { probabilities, flagged, mark }, saliency, features: Some(features) }
            }
        }
    }
}
