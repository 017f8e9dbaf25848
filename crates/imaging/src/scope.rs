//! Is it a lateral cervical-spine radiograph? Evidence from the event and from the DICOM header.

use crate::Header;

/// What event and header together say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Kind of image, region and view are all confirmed and nothing speaks against it.
    Accept,
    /// Event or header say that it is something else: not assessable.
    Reject,
    /// Neither: scored, and marked.
    Unknown,
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

/// Judges an image. Kind, region and view are judged each by its strongest evidence in each of the two sources: one
/// rejection anywhere rejects; all three confirmed, each by either source, accept.
pub fn scope(declared: &DeclaredScope, header: Option<&Header>) -> Scope {
    let event = Header {
        modality: declared.modality.clone(),
        body_part: declared.body_part.clone(),
        view_position: declared.view.clone(),
        ..Header::default()
    };
    let sources = [Some(&event), header];
    let facets = [kind, region, view].map(|facet| {
        let answers = sources.map(|source| source.map_or(Scope::Unknown, facet));
        strongest(&answers)
    });
    if facets.iter().all(|&facet| facet == Scope::Accept) {
        Scope::Accept
    } else if facets.contains(&Scope::Reject) {
        Scope::Reject
    } else {
        Scope::Unknown
    }
}

/// A rejection, else an acceptance, else unknown.
fn strongest(answers: &[Scope]) -> Scope {
    [Scope::Reject, Scope::Accept].into_iter().find(|answer| answers.contains(answer)).unwrap_or(Scope::Unknown)
}

/// The first of several pieces of evidence, strongest first, that says anything.
fn first(evidence: &[Scope]) -> Scope {
    evidence.iter().copied().find(|&answer| answer != Scope::Unknown).unwrap_or(Scope::Unknown)
}

/// A projection radiograph meant to be read.
fn kind(header: &Header) -> Scope {
    let class = header.sop_class.as_ref().map_or(Scope::Unknown, |class| match class.as_str() {
        // Computed Radiography; Digital X-Ray for presentation.
        "1.2.840.10008.5.1.4.1.1.1" | "1.2.840.10008.5.1.4.1.1.1.1" => Scope::Accept,
        // Secondary Capture may be a digitised film or a screenshot: only its modality can tell, and not for sure.
        class if class.starts_with("1.2.840.10008.5.1.4.1.1.7") => Scope::Unknown,
        _ => Scope::Reject,
    });
    let modality = word(header.modality.as_deref()).map_or(Scope::Unknown, |modality| match modality.as_str() {
        "CR" | "DX" | "RG" if is_secondary_capture(header) => Scope::Unknown,
        "CR" | "DX" | "RG" => Scope::Accept,
        _ => Scope::Reject,
    });
    let localizer = if header.localizer { Scope::Reject } else { Scope::Unknown };
    strongest(&[localizer, class, modality])
}

fn is_secondary_capture(header: &Header) -> bool {
    header.sop_class.as_ref().is_some_and(|class| class.as_str().starts_with("1.2.840.10008.5.1.4.1.1.7"))
}

/// The cervical spine.
fn region(header: &Header) -> Scope {
    let code = header.anatomic_region.as_deref().map_or(Scope::Unknown, |code| match code {
        "122494005" | "T-11501" => Scope::Accept,
        // Neck, spine, head and neck, cervico-thoracic spine: they contain it. Other schemes' codes we cannot judge.
        "45048000" | "421060004" | "774007" | "1217257000" => Scope::Unknown,
        code if code.bytes().all(|digit| digit.is_ascii_digit()) => Scope::Reject,
        _ => Scope::Unknown,
    });
    let body_part = word(header.body_part.as_deref()).map_or(Scope::Unknown, |part| match part.as_str() {
        "CSPINE" | "HWS" => Scope::Accept,
        part if part.contains("CERVICAL") => Scope::Accept,
        "NECK" | "SPINE" | "WSPINE" | "WHOLESPINE" | "CTSPINE" | "VERTEBRA" | "HEADNECK" => Scope::Unknown,
        "OTHER" | "UNKNOWN" | "UNDEFINED" | "NONE" => Scope::Unknown,
        _ => Scope::Reject,
    });
    let text = if header.text.cervical { Scope::Accept } else { Scope::Unknown };
    first(&[code, body_part, text])
}

/// The lateral view.
fn view(header: &Header) -> Scope {
    let code = header.view_code.as_deref().map_or(Scope::Unknown, |code| match code {
        "399067008" | "399173006" | "399198007" | "399352003" | "399260004" => Scope::Accept,
        // The frontal, oblique and axial ones of the same context group (CID 4010); others are left to weaker evidence.
        "399348003" | "272479007" | "399033003" | "399312000" | "399059000" | "399160007" | "399132005"
        | "399182000" | "399135007" | "399356000" | "399006002" | "399038007" | "399184004" | "399236003"
        | "260427002" | "399004004" | "399061009" | "399255003" | "399360002" => Scope::Reject,
        _ => Scope::Unknown,
    });
    let position = word(header.view_position.as_deref()).map_or(Scope::Unknown, |position| match position.as_str() {
        "LL" | "RL" | "LLD" | "RLD" => Scope::Accept,
        "AP" | "PA" | "LAO" | "RAO" | "LPO" | "RPO" | "LLO" | "RLO" | "AXIAL" | "ODONTOID" | "OPENMOUTH"
        | "SWIMMER" | "SWIMMERS" => Scope::Reject,
        position if position.contains("OBL") => Scope::Reject,
        position if position.starts_with("LAT") || position.ends_with("LAT") || position.ends_with("LATERAL") => {
            Scope::Accept
        }
        _ => Scope::Unknown,
    });
    // A row that runs to front or back lies in a sagittal plane. One that runs to the side suggests a frontal view, but
    // this attribute is so often left wrong that it does not reject.
    let orientation = match header.row_orientation.as_deref().and_then(|row| row.chars().next()) {
        Some('A' | 'P') => Scope::Accept,
        _ => Scope::Unknown,
    };
    let excluded = if header.text.other_view { Scope::Reject } else { Scope::Unknown };
    let text = if header.text.lateral { Scope::Accept } else { Scope::Unknown };
    // An oblique's row may run to the front too, so a description that excludes goes before the orientation.
    first(&[code, position, excluded, orientation, text])
}

/// Letters and digits in upper case; `None` when nothing is left.
fn word(text: Option<&str>) -> Option<String> {
    let word: String = text?.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase).collect();
    (!word.is_empty()).then_some(word)
}
