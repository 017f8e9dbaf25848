//! From what the network sees to the answer.

use cspine_domain::{Notes, Pose, Reason};
use cspine_imaging::Rejection;
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
        /// What was odd about the file or its event, and how the gate knew it.
        notes: Notes,
        /// How the stored image stands where its heatmap lies on it.
        pose: Pose,
    },
    /// No answer, and why. Never to be read as normal.
    NotAssessable {
        /// Why.
        reason: Reason,
        /// The value by which it is out of scope, where it is.
        rejection: Option<Rejection>,
        /// What the network made of it, where it was asked and its gate refused.
        features: Option<Vec<f32>>,
        /// What was odd about the file or its event.
        notes: Notes,
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
    /// What was odd about the file or its event.
    pub notes: Notes,
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
    let (values, mark, mut notes, pose) = match prepared {
        Prepared::Input { values, mark, notes, pose } => (values, mark, notes, pose),
        Prepared::NotAssessable { reason, rejection, notes } => {
            return Ok(Assessment::NotAssessable { reason, rejection, features: None, notes });
        }
    };
    let inference = classifier.infer(&values, saliency)?;
    notes.extend(inference.look.found());
    let pose = pose.then(inference.look.turn());
    Ok(match inference.standing {
        Standing::Typical => Assessment::Scored { inference, mark, notes, pose },
        // What the pixels say outweighs what nobody said.
        Standing::Atypical => Assessment::Scored { inference, mark: Some(Reason::Atypical), notes, pose },
        Standing::OutOfDistribution => Assessment::NotAssessable {
            reason: Reason::OutOfDistribution,
            rejection: None,
            features: Some(inference.features),
            notes,
        },
    })
}

impl Assessment {
    /// The value by which it is out of scope, where it is.
    pub fn rejection(&self) -> Option<&Rejection> {
        match self {
            Assessment::NotAssessable { rejection, .. } => rejection.as_ref(),
            Assessment::Scored { .. } => None,
        }
    }

    /// As it is stored; `method` made the heatmap, if there is one.
    pub fn into_rows(self, method: SaliencyMethod) -> Rows {
        match self {
            Assessment::NotAssessable { reason, features, notes, rejection: _ } => {
                Rows { answer: Answer::NotAssessable(reason), saliency: None, features, notes }
            }
            Assessment::Scored { inference, mark, notes, pose } => {
                let Inference { probabilities, flagged, explained, heatmap, features, .. } = inference;
                let png = heatmap.map(|heatmap| heatmap.to_png().expect("a heatmap fills its width and height"));
                let saliency = png.map(|heatmap_png| Saliency {
                    class: explained,
                    method: method.as_str().to_owned(),
                    heatmap_png,
                    pose,
                });
                let answer = Answer::Assessed { probabilities, flagged, mark };
                Rows { answer, saliency, features: Some(features), notes }
            }
        }
    }
}
