//! Which images are lateral cervical spines.

use cspine_imaging::{DeclaredScope, Header, Ruling, Scope, ScopeWords, TextEvidence};

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

fn judge(declared: &DeclaredScope, header: Option<&Header>, words: &ScopeWords) -> Ruling {
    let ruling = cspine_imaging::scope(declared, header, words);
    assert_eq!(ruling.rejection.is_some(), ruling.scope == Scope::Reject, "{ruling:?}");
    ruling
}

fn scope(declared: &DeclaredScope, header: Option<&Header>) -> Scope {
    judge(declared, header, &ScopeWords::default()).scope
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
    assert_eq!(of_header(|h| h.body_part = text("CHEST")), Scope::Reject);
    assert_eq!(scope(&event("", "CHEST", ""), Some(&Header { body_part: None, ..header() })), Scope::Reject);
    // One of them is wrong, and nobody knows which.
    assert_eq!(scope(&event("DX", "CHEST", "LL"), Some(&header())), Scope::Unknown);
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
    assert_eq!(of_class("1.2.840.10008.5.1.4.1.1.7.2"), Scope::Unknown);
    assert_eq!(of_class("1.2.840.10008.5.1.4.1.1.77.1.4"), Scope::Reject); // a photograph
    assert_eq!(of_header(|h| h.localizer = true), Scope::Reject);
}

#[test]
fn codes_come_before_words_and_words_before_texts() {
    assert_eq!(of_header(|h| (h.anatomic_region, h.body_part) = (text("122494005"), text("NECK"))), Scope::Accept);
    let thorax = |body_part| of_header(|h| (h.anatomic_region, h.body_part) = (text("51185008"), body_part));
    assert_eq!(thorax(None), Scope::Reject);
    assert_eq!(thorax(text("CSPINE")), Scope::Unknown); // they contradict each other
    assert_eq!(of_header(|h| h.anatomic_region = text("12345678901")), Scope::Accept); // a code of no scheme we know
    assert_eq!(of_header(|h| (h.view_code, h.view_position) = (text("399198007"), None)), Scope::Accept);
    let frontal = |position| of_header(|h| (h.view_code, h.view_position) = (text("399348003"), position));
    assert_eq!(frontal(None), Scope::Reject);
    assert_eq!(frontal(text("LL")), Scope::Unknown);
    assert_eq!(of_header(|h| h.view_code = text("R-99999")), Scope::Accept); // unknown scheme: the position decides
    let spoken = TextEvidence { cervical: true, lateral: true, ..TextEvidence::default() };
    assert_eq!(of_header(|h| (h.body_part, h.view_position, h.text) = (None, None, spoken)), Scope::Accept);
    // "Body part skull, description cervical spine" is a contradiction, as is "position AP, description lateral".
    assert_eq!(of_header(|h| (h.body_part, h.text) = (text("SKULL"), spoken)), Scope::Unknown);
    assert_eq!(of_header(|h| (h.view_position, h.text) = (text("AP"), spoken)), Scope::Unknown);
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
    for vague in ["AP/LAT", "LAT EXTENDED", "AP SMITH"] {
        assert_eq!(oriented("A", text(vague), false), Scope::Unknown, "{vague}: nor confirm it");
    }
    assert_eq!(oriented("A", text("ROUTINE"), false), Scope::Accept);
    // A frontal view contradicts a row that runs to the front, whichever attribute names it.
    assert_eq!(oriented("A", text("AP"), false), Scope::Unknown);
    let coded = |code| of_header(|h| (h.row_orientation, h.view_position, h.view_code) = (text("A"), None, text(code)));
    assert_eq!(coded("399348003"), Scope::Unknown);
    assert_eq!(coded("399033003"), Scope::Unknown);
    let described = |row: Option<String>| {
        let frontal = TextEvidence { other_view: true, frontal: true, ..TextEvidence::default() };
        of_header(|h| (h.row_orientation, h.view_position, h.text) = (row, None, frontal))
    };
    assert_eq!(described(text("P")), Scope::Unknown);
    assert_eq!(described(text("L")), Scope::Reject);
    assert_eq!(described(None), Scope::Reject);
}

#[test]
fn several_items_of_a_sequence_say_what_they_agree_on() {
    let region = |codes, body_part| of_header(|h| (h.anatomic_region, h.body_part) = (text(codes), body_part));
    assert_eq!(region("122494005/T-11501", None), Scope::Accept);
    assert_eq!(region("51185008/39607008", None), Scope::Reject);
    for several in ["89546000/122494005", "122494005/89546000", "89546000/?", "122494005/?"] {
        assert_eq!(region(several, None), Scope::Unknown, "{several}");
    }
    assert_eq!(region("89546000/122494005", text("SKULL")), Scope::Unknown, "one of them is the neck");
    assert_eq!(region("51185008", text("SKULL CSPINE")), Scope::Unknown, "one of them is the neck");
    let view = |codes| of_header(|h| (h.view_code, h.view_position) = (text(codes), None));
    assert_eq!(view("399067008/399198007"), Scope::Accept);
    assert_eq!(view("399348003/272479007"), Scope::Reject);
    for several in ["399348003/399067008", "399067008/399348003", "399348003/?"] {
        assert_eq!(view(several), Scope::Unknown, "{several}");
    }
}

#[test]
fn a_word_that_may_mean_the_lateral_view_contradicts_and_confirms_nothing() {
    let perhaps = TextEvidence { perhaps_lateral: true, ..TextEvidence::default() };
    let judged = |position| of_header(|h| (h.view_position, h.text) = (position, perhaps));
    assert_eq!(judged(None), Scope::Unknown);
    assert_eq!(judged(text("AP")), Scope::Unknown);
    assert_eq!(judged(text("LL")), Scope::Accept);
}

#[test]
fn a_list_of_views_leaves_the_view_unknown_whatever_the_orientation() {
    let several = TextEvidence { cervical: true, several_views: true, ..TextEvidence::default() };
    let listed = |position: Option<String>| {
        of_header(|h| (h.view_position, h.row_orientation, h.text) = (position, text("P"), several))
    };
    assert_eq!(listed(None), Scope::Unknown);
    assert_eq!(listed(text("LL")), Scope::Accept);
    assert_eq!(listed(text("AP/LAT")), Scope::Unknown);
    assert_eq!(listed(text("RPO")), Scope::Reject);
    let described = TextEvidence { lateral: true, ..TextEvidence::default() };
    assert_eq!(of_header(|h| (h.view_position, h.text) = (text("AP/LAT"), described)), Scope::Accept);
}

/// Values of Body Part Examined: `+` names the cervical spine, `-` surely another part, `?` neither.
const BODY_PARTS: &str = "
    + CSPINE|C-SPINE|c spine|CERV SPINE|CERVSPINE|CSPINE LAT|C-SPINE 2V|C SPINE TRAUMA|HWS LAT|HWS|HALSWIRBELSAULE
    + HALSWIRBELSÄULE|Halswirbelsaeule seitl.|COLONNE CERV|COLONNE CERVICALE|RACHIS CERVICAL|Rachis Cervical de Profil
    + COLUMNA CERVICAL|Columna vertebral cervical|RX CERVICAL LAT|COLONNA CERVICALE|RACHIDE CERVICALE|COLUNA CERVICAL
    + CERVICALE WERVELKOLOM|CWK|Nekwervels|HALSRYGG|kręgosłup szyjny|KRČNÍ PÁTEŘ|шейный отдел|颈椎|頸椎側面|CERVICAL
    + CERVICAL SPINE W/O OBLIQUES|CERVICAL_SPINE|XR CERVICAL SPINE 3 VIEWS|SPINE CERVICAL|C SP LAT|CERV|CSPINELAT
    ? SKULL CSPINE|TRAUMA|BODY|EXTREMITY|NECK|SPINE|WSPINE|WHOLESPINE|CTSPINE|HEAD|HEADNECK|VERTEBRA|OTHER|UNKNOWN
    ? UNDEFINED|NONE|CERVICOTHORACIC|CERVICO-THORACIC JUNCTION|CERVIX|TRAUMA SERIES|TRAUMA CHEST|CHEST TRAUMA SERIES
    ? POLYTRAUMA|BACK|HALS|COU|CUELLO|COLLO|NEK|PESCOÇO|WIRBELSÄULE|RACHIS|COLUMNA|CHEST / C-SPINE|HWS BWS|HWS/BWS
    ? CERVICAL AND LUMBAR SPINE|SPINE CHEST|C3|C1-C2|ATLAS|DENS|ODONTOID|LATERAL|AP|SOFT TISSUE NECK|BONE|SKELETON
    ? UPPER EXTREMITY|ROUTINE|WS|X12|CHEST 12345678|CHEST MUELLER HANS|FACE|MAIN|CHESTPA|THORAXWAND XY|?|-|.|0
    - CHEST|THORAX|CHEST PA|Chest AP portable|CHEST 2 VIEWS|Rx Tórax|TORACE|ABDOMEN|ABDOMEN AP SUPINE|PELVIS|BECKEN
    - LEFT KNEE|KNEE LT|KNIE RE|GENOU DROIT|RODILLA IZQUIERDA|HAND|MANO|FOOT AP|FUSS LI|VOET|SHOULDER|SCHULTER|EPAULE
    - SKULL|SCHÄDEL|SCHAEDEL|CRÂNE|CRÁNEO|LSPINE|L-SPINE|L SPINE|T SPINE LAT|TSPINE|THORACIC SPINE|LUMBAR SPINE
    - SPINE, LUMBAR|LWS|BWS|LWS 2 Ebenen|BRUSTWIRBELSÄULE|RACHIS LOMBAIRE|COLONNE DORSALE|COLUMNA LUMBAR|LUMBOSACRAL
    - COLUNA LOMBAR|SACRUM|COCCYX|HIP|HÜFTE|HUEFTE LI|HANCHE|WRIST|ANKLE|FINGER|RIBS|STERNUM|CLAVICLE|ELBOW|FEMUR
    - MANDIBLE|PARANASAL SINUS|NNH|BREAST|BOTH KNEES|TIBIA FIBULA|CHESTABDOMEN
";

fn body_parts() -> impl Iterator<Item = (Scope, &'static str)> {
    BODY_PARTS.lines().filter_map(|line| line.trim().split_once(' ')).flat_map(|(sign, values)| {
        let expected = match sign {
            "+" => Scope::Accept,
            "-" => Scope::Reject,
            _ => Scope::Unknown,
        };
        values.split('|').map(move |value| (expected, value))
    })
}

#[test]
fn only_a_value_that_surely_names_another_part_rejects() {
    assert!(body_parts().count() > 164);
    for (expected, value) in body_parts() {
        for value in [value.to_owned(), value.to_lowercase(), value.to_uppercase(), format!("  {value} ")] {
            assert_eq!(scope(&event("DX", &value, "LL"), None), expected, "{value}");
            let header = Header { body_part: Some(value.clone()), ..header() };
            assert_eq!(scope(&DeclaredScope::default(), Some(&header)), expected, "{value}");
        }
    }
}

#[test]
fn a_value_that_rejects_is_told_by_words_of_the_vocabulary_alone() {
    let rejection = |value: &str| judge(&event("DX", value, "LL"), None, &ScopeWords::default()).rejection.unwrap();
    assert_eq!(rejection("Chest  p.a. 2V").value, "CHEST P A 2V");
    assert_eq!(rejection("LUMBAR/spine").attribute, "body_part");
    let all = body_parts().filter(|(expected, _)| *expected == Scope::Reject).map(|(_, value)| rejection(value).value);
    assert!(
        all.into_iter().all(|value| value.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == ' '))
    );
    let view = judge(&event("DX", "CSPINE", "l obl."), None, &ScopeWords::default()).rejection.unwrap();
    assert_eq!((view.attribute.as_str(), view.value.as_str()), ("view", "L OBL"));
}

#[test]
fn only_a_value_that_surely_names_one_other_view_rejects() {
    let cases = [
        (
            Scope::Accept,
            "LL|RL|LLD|LAT|Lateral|LEFT LATERAL|R LAT|CROSS TABLE LATERAL|X-TABLE LAT|seitlich|HWS seitl.|PROFIL|Perfil|侧位|\
             颈椎侧位",
        ),
        (
            Scope::Unknown,
            "AP/LAT|AP LAT|LAT AP|AP LAT ODONTOID|AP/LAT/OBL|LAT OBL|LAT/OBLIQUE|LAT, FLEXION|FLEX EXTENSION|2 EBENEN|\
             ROUTINE|TRAUMA|AP TRAUMA|?|BILATERAL|L|FACE ET PROFIL|AP SMITH|正位侧位|颈椎正侧位|矫正位|OBLMUELLER|\
             LAT EXTENDED|FLEXIBLE|SWIMMING|LAT AND FLEXION|LAT UND FLEXION|LAT ET FLEXION|LAT Y FLEXION|LAT-FLEX|\
             LAT - FLEXION|LAT – FLEXION|LAT (FLEXION)|LAT\\FLEXION|AP \u{1b}$B",
        ),
        (
            Scope::Reject,
            "AP|PA|a.p.|FRONTAL|AP SUPINE|LAO|RPO|OBL|OBLIQUE|LEFT OBLIQUE|LAT OBLIQUE|ODONTOID|OPEN MOUTH|Dens|\
             BOUCHE OUVERTE|SWIMMERS|SWIMMER'S|FLEXION|LAT FLEXION|LATERAL EXTENSION|AXIAL|schräg|正位|颈椎正位|\
             C-SPINE FLEXION|C-SPINE LAT FLEXION|CERVICAL SPINE OBLIQUE|X-TABLE LAT EXTENSION",
        ),
    ];
    for (expected, values) in cases {
        for value in values.split('|') {
            assert_eq!(scope(&event("DX", "CSPINE", value), None), expected, "{value}");
            let header = Header { view_position: text(value), ..header() };
            assert_eq!(scope(&DeclaredScope::default(), Some(&header)), expected, "{value}");
        }
    }
}

#[test]
fn a_modality_rejects_where_it_is_another_one_and_not_where_it_is_unheard_of() {
    for (expected, values) in [
        (Scope::Accept, "DX|dx|CR|RG|DR|XR|X-Ray|Digital Radiography"),
        (Scope::Unknown, "RAD|PLAIN FILM|X|ROE|OT|SC|HC|RF|OT/CR"),
        (Scope::Reject, "CT|ct|MR|MRI|US|MG|XA|SR|PR"),
    ] {
        for value in values.split('|') {
            assert_eq!(scope(&event(value, "CSPINE", "LL"), None), expected, "{value}");
        }
    }
    // What header and event say of the kind contradicts: it is a radiograph by one of them.
    assert_eq!(scope(&event("CT", "", ""), Some(&header())), Scope::Unknown);
    assert_eq!(of_header(|h| h.modality = text("MR")), Scope::Unknown, "its class is a radiograph's");
    assert_eq!(of_header(|h| h.modality = text("OT")), Scope::Accept, "its class confirms it");
    // A vendor's own class says nothing; the modality does.
    assert_eq!(of_header(|h| h.sop_class = Some("1.3.46.670589.2.3.1.1".parse().unwrap())), Scope::Accept);
}

fn words(json: &str) -> ScopeWords {
    serde_json::from_str(json).unwrap()
}

#[test]
fn a_sites_own_words_come_before_the_vocabulary() {
    let own = words(
        r#"{"body_part": {"ws routine": "accept", "Genue": "reject", "Skull": "unknown", "C SPINE OLD": "reject"},
            "view": {"Aufn. 2": "accept", "Aufn. 1": "reject", "PA": "unknown"}, "modality": {"OT": "accept"}}"#,
    );
    assert_eq!(own.len(), 8);
    let judged = |body_part: &str, view: &str| judge(&event("OT", body_part, view), None, &own);
    assert_eq!(judged("WS-Routine", "LL").scope, Scope::Accept);
    assert_eq!(judged("WS ROUTINE", "aufn 2").scope, Scope::Accept);
    assert_eq!(judged("WS ROUTINE", "aufn 1").rejection.unwrap().value, "AUFN 1");
    assert_eq!(judged("genue", "LL").rejection.unwrap().value, "GENUE");
    assert_eq!(judged("GENUE AP", "LL").scope, Scope::Reject, "within a longer text too");
    assert_eq!(judged("SKULL", "LL").scope, Scope::Unknown);
    assert_eq!(judged("C-SPINE OLD", "LL").scope, Scope::Reject);
    assert_eq!(judged("CSPINE", "PA").scope, Scope::Unknown);
}

#[test]
fn a_file_of_words_that_is_none_says_what_is_wrong_with_it() {
    for (json, problem) in [
        ("{", "EOF"),
        (r#""x""#, "expected struct ScopeWords"),
        (r#"{"bodypart": {}}"#, "unknown field `bodypart`"),
        (r#"{"body_part": []}"#, "words, each with accept, reject or unknown"),
        (r#"{"body_part": {"A": "maybe"}}"#, "unknown variant `maybe`, expected one of `accept`, `reject`, `unknown`"),
        (r#"{"view": {"--": "accept"}}"#, "\"--\" is no word"),
        (r#"{"view": {"A B": "accept", "a-b": "reject"}}"#, "\"a-b\" is there twice and means two things"),
    ] {
        let error = serde_json::from_str::<ScopeWords>(json).unwrap_err().to_string();
        assert!(error.contains(problem), "{json}: {error}");
    }
    assert!(words("{}").is_empty());
}
