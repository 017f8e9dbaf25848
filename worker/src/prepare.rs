//! From bytes to what the network sees, or why it shall not see it. Pure; the child process runs it too.

use cspine_domain::{Notes, Pose, Reason, Sha256, Uid};
use cspine_imaging::{DeclaredScope, Limits, MediaType, Preprocessing, Rejection, Scope, ScopeWords, decode, scope};
use cspine_store::Arrival;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// What is said of an image beside its bytes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Declared {
    /// The format; `None`: by the first bytes.
    pub media_type: Option<MediaType>,
    /// Study, series and SOP instance UID that a header must carry; `None`: any.
    pub uids: Option<(Uid, Uid, Uid)>,
    /// The digest that the bytes must have; `None`: any.
    pub sha256: Option<Sha256>,
    /// What it shows.
    pub scope: DeclaredScope,
    /// What was odd about who declares it.
    pub notes: Notes,
}

/// How images are prepared.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rules {
    /// The model's.
    pub preprocessing: Preprocessing,
    /// What a file may ask for.
    pub limits: Limits,
    /// Whether an image whose scope nothing confirms is left unscored.
    pub strict_scope: bool,
    /// A site's own words of scope.
    pub scope_words: ScopeWords,
}

/// An image on its way to the network.
#[derive(Debug, Clone, PartialEq)]
pub enum Prepared {
    /// To be scored.
    Input {
        /// `[3, size, size]`, plane by plane.
        values: Vec<f32>,
        /// What else is to be known of the answer.
        mark: Option<Reason>,
        /// What was odd about the file or its event.
        notes: Notes,
        /// How the stored image was made to stand.
        pose: Pose,
    },
    /// The image is sound, and the network has no business with it.
    NotAssessable {
        /// Why.
        reason: Reason,
        /// The value by which it is out of scope, where it is.
        rejection: Option<Rejection>,
        /// What was odd about the file or its event.
        notes: Notes,
    },
}

impl Declared {
    /// What its arrival says.
    pub fn of(arrival: &Arrival) -> Self {
        Self {
            media_type: arrival.media_type.parse().ok(),
            uids: Some((arrival.study.clone(), arrival.series.clone(), arrival.sop.clone())),
            sha256: Some(arrival.content),
            scope: DeclaredScope {
                modality: arrival.modality.clone(),
                body_part: arrival.body_part.clone(),
                view: arrival.view.clone(),
            },
            notes: arrival.notes.clone(),
        }
    }
}

/// Verifies, decodes, checks identity, scope and content, and preprocesses.
///
/// # Errors
/// [`Failure`]: another hash, undecodable, over a limit, another image than the event's.
pub fn prepare(bytes: &[u8], declared: &Declared, rules: &Rules) -> Result<Prepared, Failure> {
    if declared.sha256.is_some_and(|sha256| Sha256::of(bytes) != sha256) {
        return Err(Failure::HashMismatch);
    }
    let refused = |reason, rejection, notes| Ok(Prepared::NotAssessable { reason, rejection, notes });
    let radiograph = match decode(bytes, declared.media_type, &rules.limits) {
        Ok(radiograph) => radiograph,
        Err(error) if error.reason() == Reason::UnsupportedTransferSyntax => {
            return refused(error.reason(), None, declared.notes.clone());
        }
        Err(error) => return Err(error.into()),
    };
    let notes = &declared.notes | &radiograph.notes;
    let header = radiograph.header.as_ref();
    if let (Some((study, series, sop)), Some(header)) = (&declared.uids, header)
        && !header.identifies(study, series, sop)
    {
        return Err(Failure::IdentityMismatch);
    }
    let ruling = scope(&declared.scope, header, &rules.scope_words);
    let mark = match ruling.scope {
        Scope::Accept => None,
        Scope::Reject => return refused(Reason::OutOfScope, ruling.rejection, notes),
        Scope::Unknown if rules.strict_scope => return refused(Reason::ScopeUnknown, None, notes),
        Scope::Unknown => Some(Reason::ScopeUnconfirmed),
    };
    if let Err(reason) = radiograph.assessable() {
        return refused(reason, None, notes);
    }
    Ok(Prepared::Input { values: rules.preprocessing.apply(&radiograph), mark, notes, pose: radiograph.pose })
}
