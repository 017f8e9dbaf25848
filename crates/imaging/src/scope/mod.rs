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
    /// It names what is wanted among others: it confirms nothing, and no other may reject.
    Several,
}

impl Evidence {
    fn reject(attribute: &str, value: impl Into<String>) -> Self {
        Evidence::Reject(Rejection { attribute: attribute.to_owned(), value: value.into() })
    }

    /// Of equals: what they agree on. `None` where one rejects and another names what is wanted.
    fn agreed(all: impl IntoIterator<Item = Self>) -> Option<Self> {
        let (mut accepts, mut several, mut rejection) = (false, false, None);
        for evidence in all {
            match evidence {
                Evidence::Accept => accepts = true,
                Evidence::Reject(_) => rejection = rejection.or(Some(evidence)),
                Evidence::Silent => {}
                Evidence::Several => several = true,
            }
        }
        match (accepts, rejection) {
            (false, Some(_)) if several => None,
            (true, Some(_)) => None,
            (true, None) => Some(Evidence::Accept),
            (false, rejection) => Some(rejection.unwrap_or(Evidence::Silent)),
        }
    }
}

/// Whether a word stands in a list with blanks between its words.
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
    let captured = class.is_some_and(|class| is_or_is_under(class, "1.2.840.10008.5.1.4.1.1.7"));
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
        // A radiograph by its class, and something else by its modality.
        Some(Evidence::Reject(_)) if of_class == Evidence::Accept => Evidence::Silent,
        Some(said) => said,
    }
}

fn is_or_is_under(uid: &str, root: &str) -> bool {
    uid.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
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
        let coded = source.anatomic_region.as_deref().map(|codes| of_items(codes.split('/').map(code).collect()));
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

/// What the items of a sequence say: what all agree on.
fn of_items(items: Vec<Evidence>) -> Evidence {
    let accepts = items.iter().filter(|item| **item == Evidence::Accept).count();
    match accepts {
        0 if items.contains(&Evidence::Silent) => Evidence::Silent,
        0 => items.into_iter().next().unwrap_or(Evidence::Silent),
        _ if accepts == items.len() => Evidence::Accept,
        _ => Evidence::Several,
    }
}

fn body_part(text: &str, words: &ScopeWords) -> Evidence {
    let own = Own { words: &words.body_part.0, accepted: Meaning::Cervical, rejected: Meaning::Elsewhere };
    let reading = read(text, Some(own));
    match (reading.cervical, reading.elsewhere) {
        (true, false) => Evidence::Accept,
        // Not where a word may say that it is the neck after all.
        (false, true) if !reading.unlisted => Evidence::reject("body_part", reading.understood.join(" ")),
        (true, true) => Evidence::Several,
        _ => Evidence::Silent,
    }
}

/// The lateral view.
fn view(sources: &[&Header], words: &ScopeWords) -> Evidence {
    let named: Vec<_> = sources.iter().flat_map(|source| named_views(source, words)).collect();
    let frontal = named.iter().flatten().all(|(view, _)| matches!(view, View::Frontal | View::Lateral));
    let vague = named.contains(&None);
    let said = named.into_iter().flatten().map(|(view, rejection)| match view {
        View::Lateral => Evidence::Accept,
        _ => Evidence::Reject(rejection),
    });
    let text = |of: fn(&Header) -> bool| sources.iter().any(|source| of(source));
    // A row that runs to front or back lies in a sagittal plane. One that runs to the side suggests a frontal view, but
    // this attribute is so often left wrong that it does not reject.
    let sagittal = text(|h| h.row_orientation.as_deref().is_some_and(|row| row.starts_with(['A', 'P'])));
    match Evidence::agreed(said) {
        None => Evidence::Silent,
        Some(Evidence::Reject(_)) if text(|h| h.text.lateral || h.text.perhaps_lateral) => Evidence::Silent,
        // An oblique's row may run to the front too.
        Some(Evidence::Reject(_)) if sagittal && frontal => Evidence::Silent,
        Some(Evidence::Silent) if sagittal && text(|h| h.text.frontal) => Evidence::Silent,
        Some(Evidence::Silent) if text(|h| h.text.other_view) => Evidence::reject("description", "other_view"),
        // The description says which of a list it is.
        Some(Evidence::Silent) if text(|h| h.text.lateral) => Evidence::Accept,
        Some(Evidence::Silent) if vague || text(|h| h.text.several_views) => Evidence::Silent,
        Some(Evidence::Silent) if sagittal => Evidence::Accept,
        Some(said) => said,
    }
}

/// The views that View Code Sequence and View Position name, each with what it rejects by if it is not the lateral one.
/// `None` stands for views that do not tell which one this is: several, or another one beside unknown words.
fn named_views(source: &Header, words: &ScopeWords) -> Vec<Option<(View, Rejection)>> {
    let rejection = |attribute: &str, value| Rejection { attribute: attribute.to_owned(), value };
    let coded = source.view_code.as_deref().filter(|codes| codes.split('/').any(|code| view_of(code).is_some()));
    let coded =
        coded.map(|codes| coded_view(codes).map(|(code, view)| (view, rejection("view_code", code.to_owned()))));
    let own =
        Own { words: &words.view.0, accepted: Meaning::View(View::Lateral), rejected: Meaning::View(View::Other) };
    let position = source.view_position.as_deref().map(|text| read(text, Some(own)));
    let positioned = position.filter(|position| !position.views.is_empty()).map(|position| {
        let view = position.sure_view()?;
        Some((view, rejection("view", position.understood.join(" "))))
    });
    coded.into_iter().chain(positioned).collect()
}

/// The view that all items of a sequence name, and the first one's code.
fn coded_view(codes: &str) -> Option<(&str, View)> {
    let mut items = codes.split('/');
    let first = items.next()?;
    let view = view_of(first)?;
    items.all(|code| view_of(code) == Some(view)).then_some((first, view))
}

fn view_of(code: &str) -> Option<View> {
    let lists = [
        (View::Lateral, terms::LATERAL_CODES),
        (View::Frontal, terms::FRONTAL_CODES),
        // Others of the same context group (CID 4010); what is not in it is left to weaker evidence.
        (View::Other, terms::OTHER_VIEW_CODES),
    ];
    lists.into_iter().find(|(_, list)| is_in(list, code)).map(|(view, _)| view)
}
