//! Is it a lateral cervical-spine radiograph? Evidence from the event and from the DICOM header.
//!
//! Attributes of scope are free text in practice, and a radiograph that is wrongly rejected is never looked at. So only a
//! value that surely names something else rejects; what is not known, lists several things, or contradicts another
//! attribute is unknown: scored, marked, and left to the pixels.

mod site;
mod terms;
pub(crate) mod text;

pub use site::ScopeWords;

use cspine_domain::Uid;

use crate::Header;
use site::Answer;
use text::{Meaning, Own, View, read};

/// What event and header together say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Kind of image, region and view are all confirmed and nothing speaks against it.
    Accept,
    /// Event or header say that it is something else, and neither contradicts: not assessable.
    Reject,
    /// Neither: scored, and marked.
    Unknown,
}

/// The scope of an image, and what rejects it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// What event and header together say.
    pub scope: Scope,
    /// Why it is rejected; `None` unless it is.
    pub rejection: Option<Rejection>,
}

/// The value that rejects an image.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Rejection {
    /// Which attribute: `modality`, `sop_class`, `image_type`, `anatomic_region`, `body_part`, `view_code`, `view` or
    /// `description`.
    pub attribute: String,
    /// Its value as far as the vocabulary or the site's own words know it, which is all of it: never patient data.
    pub value: String,
}

/// What the event declares.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct DeclaredScope {
    /// `data.modality`.
    pub modality: Option<String>,
    /// `data.body_part`.
    pub body_part: Option<String>,
    /// `data.view`.
    pub view: Option<String>,
}

/// Judges an image by kind, region and view, each by all that event and header say of it: one rejected rejects; all three
/// confirmed accept.
pub fn scope(declared: &DeclaredScope, header: Option<&Header>, words: &ScopeWords) -> Ruling {
    let event = Header {
        modality: declared.modality.clone(),
        body_part: declared.body_part.clone(),
        view_position: declared.view.clone(),
        ..Header::default()
    };
    let sources: Vec<&Header> = std::iter::once(&event).chain(header).collect();
    let facets = [kind(&sources, words), region(&sources, words), view(&sources, words)];
    if facets.iter().all(|facet| *facet == Evidence::Accept) {
        return Ruling { scope: Scope::Accept, rejection: None };
    }
    let rejection = facets.into_iter().find_map(|facet| match facet {
        Evidence::Reject(rejection) => Some(rejection),
        _ => None,
    });
    Ruling { scope: if rejection.is_some() { Scope::Reject } else { Scope::Unknown }, rejection }
}

/// What is said of kind, region or view.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Evidence {
    Accept,
    Reject(Rejection),
    Silent,
}

impl Evidence {
    fn reject(attribute: &str, value: impl Into<String>) -> Self {
        Evidence::Reject(Rejection { attribute: attribute.to_owned(), value: value.into() })
    }

    /// Of equals: what they agree on. `None` where one accepts and another rejects.
    fn agreed(all: impl IntoIterator<Item = Self>) -> Option<Self> {
        let (mut accepts, mut rejection) = (false, None);
        for evidence in all {
            match evidence {
                Evidence::Accept => accepts = true,
                Evidence::Reject(_) => rejection = rejection.or(Some(evidence)),
                Evidence::Silent => {}
            }
        }
        match (accepts, rejection) {
            (true, Some(_)) => None,
            (true, None) => Some(Evidence::Accept),
            (false, rejection) => Some(rejection.unwrap_or(Evidence::Silent)),
        }
    }
}

fn is_in(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|known| known == word)
}

/// A projection radiograph meant to be read.
fn kind(sources: &[&Header], words: &ScopeWords) -> Evidence {
    if sources.iter().any(|source| source.localizer) {
        return Evidence::reject("image_type", "LOCALIZER");
    }
    let class = sources.iter().find_map(|source| source.sop_class.as_ref()).map(Uid::as_str);
    // Secondary Capture may be a digitised film or a screenshot: only its modality can tell, and not for sure.
    let captured = class.is_some_and(|class| class.starts_with("1.2.840.10008.5.1.4.1.1.7"));
    let of_class = match class {
        // Computed Radiography; Digital X-Ray for presentation.
        Some("1.2.840.10008.5.1.4.1.1.1" | "1.2.840.10008.5.1.4.1.1.1.1") => Evidence::Accept,
        Some(class) if class.starts_with("1.2.840.10008.") && !captured => {
            return Evidence::reject("sop_class", standard_class(class));
        }
        // None, or a vendor's own.
        _ => Evidence::Silent,
    };
    let modality = |source: &&Header| match source.modality.as_deref().map(|text| modality(text, words)) {
        Some(Evidence::Accept) if captured => Evidence::Silent,
        said => said.unwrap_or(Evidence::Silent),
    };
    match Evidence::agreed(sources.iter().map(modality)) {
        None => Evidence::Silent,
        Some(Evidence::Silent) => of_class,
        Some(said) => said,
    }
}

/// A class of the standard by its UID, if it can be one: nothing longer goes into a metric.
fn standard_class(class: &str) -> &str {
    let short = class.split('.').skip(3).all(|part| part.len() <= 5) && class.split('.').count() <= 12;
    if short { class } else { "other" }
}

fn modality(text: &str, words: &ScopeWords) -> Evidence {
    let word = text::words(text).concat();
    match words.modality.0.get(&word) {
        Some(Answer::Accept) => Evidence::Accept,
        Some(Answer::Reject) => Evidence::reject("modality", word),
        Some(Answer::Unknown) => Evidence::Silent,
        None if is_in(terms::RADIOGRAPHY, &word) => Evidence::Accept,
        None if is_in(terms::OTHER_MODALITIES, &word) => Evidence::reject("modality", word),
        None => Evidence::Silent,
    }
}

/// The cervical spine. A description confirms where codes and words are silent, and contradicts where they reject.
fn region(sources: &[&Header], words: &ScopeWords) -> Evidence {
    let code = |code: &str| match code {
        code if is_in(terms::CERVICAL_CODES, code) => Evidence::Accept,
        code if is_in(terms::ELSEWHERE_CODES, code) => Evidence::reject("anatomic_region", code),
        _ => Evidence::Silent,
    };
    let said = sources.iter().flat_map(|source| {
        let coded = source.anatomic_region.as_deref().map(code);
        let named = source.body_part.as_deref().map(|text| body_part(text, words));
        [coded, named].into_iter().flatten()
    });
    let described = sources.iter().any(|source| source.text.cervical);
    match Evidence::agreed(said) {
        Some(Evidence::Reject(_)) if described => Evidence::Silent,
        Some(Evidence::Silent) if described => Evidence::Accept,
        said => said.unwrap_or(Evidence::Silent),
    }
}

fn body_part(text: &str, words: &ScopeWords) -> Evidence {
    let own = Own { words: &words.body_part.0, accepted: Meaning::Cervical, rejected: Meaning::Elsewhere };
    let reading = read(text, Some(own));
    match (reading.cervical, reading.elsewhere) {
        (true, false) => Evidence::Accept,
        // Not where a word may say that it is the neck after all.
        (false, true) if !reading.unlisted => Evidence::reject("body_part", reading.understood.join(" ")),
        _ => Evidence::Silent,
    }
}

/// The lateral view.
fn view(sources: &[&Header], words: &ScopeWords) -> Evidence {
    let mut frontal = true;
    let mut judged = |view: View, attribute: &str, value: String| {
        if view == View::Lateral {
            return Evidence::Accept;
        }
        frontal &= view == View::Frontal;
        Evidence::reject(attribute, value)
    };
    let mut said = Vec::new();
    for source in sources {
        if let Some((code, view)) = source.view_code.as_deref().and_then(|code| Some((code, coded_view(code)?))) {
            said.push(judged(view, "view_code", code.to_owned()));
        }
        let own =
            Own { words: &words.view.0, accepted: Meaning::View(View::Lateral), rejected: Meaning::View(View::Other) };
        let position = source.view_position.as_deref().map(|text| read(text, Some(own)));
        if let Some((position, view)) = position.and_then(|position| position.view().map(|view| (position, view)))
            && (view == View::Lateral || !position.unlisted)
        {
            said.push(judged(view, "view", position.understood.join(" ")));
        }
    }
    let text = |of: fn(&Header) -> bool| sources.iter().any(|source| of(source));
    // A row that runs to front or back lies in a sagittal plane. One that runs to the side suggests a frontal view, but
    // this attribute is so often left wrong that it does not reject.
    let sagittal = text(|h| h.row_orientation.as_deref().is_some_and(|row| row.starts_with(['A', 'P'])));
    match Evidence::agreed(said) {
        None => Evidence::Silent,
        Some(Evidence::Reject(_)) if text(|h| h.text.lateral) => Evidence::Silent,
        // An oblique's row may run to the front too.
        Some(Evidence::Reject(_)) if sagittal && frontal => Evidence::Silent,
        Some(Evidence::Silent) if text(|h| h.text.other_view) => Evidence::reject("description", "other_view"),
        Some(Evidence::Silent) if text(|h| h.text.several_views) => Evidence::Silent,
        Some(Evidence::Silent) if sagittal || text(|h| h.text.lateral) => Evidence::Accept,
        Some(said) => said,
    }
}

fn coded_view(code: &str) -> Option<View> {
    let lists = [
        (View::Lateral, terms::LATERAL_CODES),
        (View::Frontal, terms::FRONTAL_CODES),
        // Others of the same context group (CID 4010); what is not in it is left to weaker evidence.
        (View::Other, terms::OTHER_VIEW_CODES),
    ];
    lists.into_iter().find(|(_, list)| is_in(list, code)).map(|(view, _)| view)
}
