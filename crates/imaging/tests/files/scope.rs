//! Which images are lateral cervical spines.

use cspine_imaging::{DeclaredScope, Header, Scope, TextEvidence, scope};

fn event(modality: &str, body_part: &str, view: &str) -> DeclaredScope {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    DeclaredScope { modality: given(modality), body_part: given(body_part), view: given(view) }
}

fn header() -> Header {
    Header {
        sop_class: Some("1.2.840.10008.5.1.4.1.1.1.1".parse().unwrap()),
        modality: Some("DX".to_owned()),
        body_part: Some("CSPINE".to_owned()),
        view_position: Some("LL".to_owned()),
        ..Header::default()
    }
}

fn of_header(change: impl FnOnce(&mut Header)) -> Scope {
    let mut header = header();
    change(&mut header);
    scope(&DeclaredScope::default(), Some(&header))
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn an_event_alone_can_confirm_or_reject() {
    assert_eq!(scope(&event("DX", "CSPINE", "LL"), None), Scope::Accept);
    assert_eq!(scope(&event("cr", "c-spine", "lateral"), None), Scope::Accept);
    assert_eq!(scope(&event("DX", "CHEST", "LL"), None), Scope::Reject);
    assert_eq!(scope(&event("DX", "CSPINE", "AP"), None), Scope::Reject);
    assert_eq!(scope(&event("CT", "CSPINE", "LL"), None), Scope::Reject);
    assert_eq!(scope(&event("DX", "", "LL"), None), Scope::Unknown);
    assert_eq!(scope(&event("DX", "SPINE", "LL"), None), Scope::Unknown);
    assert_eq!(scope(&DeclaredScope::default(), None), Scope::Unknown);
}

#[test]
fn either_source_rejects_and_together_they_confirm() {
    assert_eq!(scope(&event("DX", "CSPINE", "LL"), Some(&header())), Scope::Accept);
    assert_eq!(scope(&event("DX", "CHEST", "LL"), Some(&header())), Scope::Reject);
    assert_eq!(of_header(|h| h.body_part = text("CHEST")), Scope::Reject);
    let mut silent = header();
    silent.body_part = None;
    assert_eq!(scope(&DeclaredScope::default(), Some(&silent)), Scope::Unknown);
    assert_eq!(scope(&event("", "CSPINE", ""), Some(&silent)), Scope::Accept);
}

#[test]
fn only_projection_radiographs_for_presentation_are_in_scope() {
    let of_class = |class: &str| of_header(|h| h.sop_class = Some(class.parse().unwrap()));
    assert_eq!(of_class("1.2.840.10008.5.1.4.1.1.1"), Scope::Accept);
    assert_eq!(of_class("1.2.840.10008.5.1.4.1.1.1.1.1"), Scope::Reject); // for processing
    assert_eq!(of_class("1.2.840.10008.5.1.4.1.1.2"), Scope::Reject); // CT
    assert_eq!(of_class("1.2.840.10008.5.1.4.1.1.7"), Scope::Unknown); // secondary capture: film or screenshot
    assert_eq!(of_header(|h| h.localizer = true), Scope::Reject);
    assert_eq!(of_header(|h| h.modality = text("OT")), Scope::Reject);
}

#[test]
fn codes_come_before_words_and_words_before_texts() {
    assert_eq!(of_header(|h| (h.anatomic_region, h.body_part) = (text("122494005"), text("NECK"))), Scope::Accept);
    assert_eq!(of_header(|h| h.anatomic_region = text("51185008")), Scope::Reject); // thorax
    assert_eq!(of_header(|h| (h.view_code, h.view_position) = (text("399198007"), None)), Scope::Accept);
    assert_eq!(of_header(|h| h.view_code = text("399348003")), Scope::Reject); // antero-posterior
    assert_eq!(of_header(|h| h.view_code = text("R-99999")), Scope::Accept); // unknown scheme: the position decides
    let spoken = TextEvidence { cervical: true, lateral: true, other_view: false };
    assert_eq!(of_header(|h| (h.body_part, h.view_position, h.text) = (None, None, spoken)), Scope::Accept);
    assert_eq!(of_header(|h| (h.body_part, h.text) = (text("CHEST"), spoken)), Scope::Reject);
}

#[test]
fn orientation_may_confirm_a_view_but_not_reject_it() {
    let oriented = |row: &str, position: Option<String>, other_view: bool| {
        of_header(|h| {
            (h.row_orientation, h.view_position) = (text(row), position);
            h.text.other_view = other_view;
        })
    };
    assert_eq!(oriented("A", None, false), Scope::Accept);
    assert_eq!(oriented("P", None, false), Scope::Accept);
    assert_eq!(oriented("L", None, false), Scope::Unknown);
    assert_eq!(oriented("L", text("LL"), false), Scope::Accept); // as real files say
    assert_eq!(oriented("A", None, true), Scope::Reject); // an oblique, by its description
    assert_eq!(oriented("A", text("LL"), true), Scope::Accept); // a description does not outweigh the view
    assert_eq!(oriented("A", text("RPO"), false), Scope::Reject);
}
