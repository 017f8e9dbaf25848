//! What free text says of scope: the last evidence, where coded attributes are silent.

use crate::scope::text::{BYTES_MAX, Reading, View, read};

/// What series description, protocol name and study description say; the texts themselves stay behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TextEvidence {
    /// One of the three names the cervical spine.
    pub cervical: bool,
    /// Series or protocol names the lateral view, and no other.
    pub lateral: bool,
    /// Series or protocol may mean the lateral view by a word such as "profile", and names no other. That contradicts
    /// another view, and confirms nothing.
    pub perhaps_lateral: bool,
    /// Series or protocol names one view that is not the plain lateral: swimmer's, odontoid, oblique, flexion, frontal. All
    /// its words are known.
    pub other_view: bool,
    /// That other view is the frontal one.
    pub frontal: bool,
    /// Series or protocol lists several views of the examination, names another view beside unknown words, or the two
    /// differ: they do not tell which one this is.
    pub several_views: bool,
}

/// Reads the evidence from texts in any character set that contains ASCII. The study's description lists what was asked
/// for, often several views, so it only speaks for the region.
pub(super) fn evidence(series: &[u8], protocol: &[u8], study: &[u8]) -> TextEvidence {
    let [series, protocol, study] = [series, protocol, study].map(reading);
    let views = [series.sure_view(), protocol.sure_view()];
    let lateral = views.contains(&Some(View::Lateral));
    let other_view = views.iter().flatten().any(|view| *view != View::Lateral);
    let lists = [&series, &protocol].iter().any(|text| !text.views.is_empty() && text.sure_view().is_none());
    let sure = [&series, &protocol].into_iter().any(is_lateral);
    TextEvidence {
        cervical: series.cervical || protocol.cervical || study.cervical,
        lateral: lateral && !other_view && sure,
        perhaps_lateral: lateral && !other_view && !sure,
        other_view: other_view && !lateral,
        frontal: other_view && views.iter().flatten().all(|view| *view == View::Frontal),
        several_views: (lists && !lateral && !other_view) || (lateral && other_view),
    }
}

/// Whether it confirms the lateral view. A doubtful word does if all others are known and name the cervical spine.
fn is_lateral(text: &Reading) -> bool {
    text.sure_view() == Some(View::Lateral) && (text.surely_lateral || text.cervical && !text.unlisted)
}

fn reading(text: &[u8]) -> Reading {
    // One byte over the limit is left, so that the reader sees that it does not read all.
    let text = text.trim_ascii_end();
    let text = &text[..text.len().min(BYTES_MAX + 1)];
    let mut reading = read(&String::from_utf8_lossy(text), None);
    let contains = |term: &[u8]| text.windows(term.len()).any(|window| window == term);
    // Chinese for cervical spine and for lateral view in GB 18030; other vocabulary is UTF-8 or ASCII.
    reading.cervical |= contains(b"\xbe\xb1\xd7\xb5");
    if contains(b"\xb2\xe0\xce\xbb") {
        reading.views.insert(View::Lateral);
        reading.surely_lateral = true;
    }
    reading
}

#[cfg(test)]
mod tests {
    use super::{TextEvidence, evidence};

    #[test]
    fn the_cervical_spine_is_found_in_its_spellings_and_not_in_the_thoracic_spine() {
        let gb18030: &[u8] = b"\xbe\xb1\xd7\xb5\xb2\xe0\xce\xbb";
        for text in [b"C-Spine lat".as_slice(), b"c spine", b"CSPINE 2V", b"XR Cervical", b"HWS seitl.", gb18030] {
            assert!(evidence(b"", b"", text).cervical);
        }
        for text in [b"Thoracic spine".as_slice(), b"Pelvic spine", b"lumbar spine", b"chest", b"cervix", b""] {
            assert!(!evidence(text, text, text).cervical);
        }
    }

    #[test]
    fn views_are_read_from_series_and_protocol_only() {
        assert!(evidence(b"Lateral", b"", b"").lateral && evidence(b"", b"C-SPINE LAT", b"").lateral);
        assert!(evidence("颈椎侧位".as_bytes(), b"", b"").lateral);
        assert!(!evidence(b"flat panel", b"", b"lateral oblique").lateral);
        assert!(!evidence(b"", b"", b"lateral oblique").other_view);
        for text in ["Swimmer's", "odontoid", "LAT OBLIQUE", "lat flexion", "AP"] {
            assert!(evidence(text.as_bytes(), b"", b"").other_view, "{text}");
        }
        assert!(!evidence(b"AP/LAT", b"", b"").other_view);
    }

    #[test]
    fn another_view_beside_an_unknown_word_tells_none() {
        for text in [
            "FLEXI DR CSPINE",
            "FLEXIBLE DETECTOR LAT",
            "C-SPINE EXTENDED LAT",
            "CSPINE TRAUMA EXTENDED",
            "EXTENSIVE TRAUMA CSPINE",
            "C-SPINE INCL. OBLIQUES",
            "CERV FLEX-EXT",
            "FRONT OFFICE CSPINE",
            "C SPINE PA VIEW TUBE",
            "HIGH DENS",
            "FLEXI DR",
        ] {
            for said in [evidence(text.as_bytes(), b"", b""), evidence(b"", text.as_bytes(), b"")] {
                assert!(said.several_views && !said.other_view && !said.lateral, "{text}");
            }
        }
        for text in ["C-SPINE FLEXION", "CSPINE OBLIQUE", "CERVICAL SPINE OBLIQUE", "HWS Schräg", "C-SPINE AP 1V"] {
            assert!(evidence(text.as_bytes(), b"", b"").other_view, "{text}");
        }
    }

    #[test]
    fn only_a_frontal_view_is_told_as_one() {
        assert!(evidence(b"C-SPINE AP", b"", b"").frontal && evidence(b"", b"HWS AP", b"").frontal);
        assert!(!evidence(b"CSPINE OBLIQUE", b"", b"").frontal);
        assert!(!evidence(b"AP", b"OBLIQUE", b"").frontal);
        assert!(!evidence(b"AP", b"LAT", b"").frontal);
    }

    #[test]
    fn a_profile_is_a_lateral_view_only_beside_the_cervical_spine() {
        for text in ["Default Profile", "Seite 1", "PROFIL", "HWS Standardprofil", "HWS Profil Meier"] {
            assert!(!evidence(text.as_bytes(), b"", b"").lateral, "{text}");
        }
        assert!(evidence(b"Seite 1", b"", b"").perhaps_lateral);
        assert!(evidence(b"Seite 1", b"LAT", b"").lateral);
        assert!(evidence(b"RACHIS CERVICAL DE PROFIL", b"", b"").lateral);
    }

    #[test]
    fn letters_of_other_character_sets_name_no_other_view() {
        let iso_2022 = b"\x1b$B\x4b\x4b\x44\x47\x1b(B \x1b$B%A%P\x1b(B"; // ends in "chiba"
        let shift_jis = b"\x83A\x83P"; // the second halves are A and P
        for text in [&iso_2022[..], shift_jis] {
            assert!(!evidence(text, text, text).other_view, "{text:?}");
        }
        assert_eq!(evidence(iso_2022, b"", b""), TextEvidence::default());
        assert!(evidence(b"C-SPINE \x1b$BLAT", b"", b"").cervical, "what stands before is read");
    }

    #[test]
    fn only_the_beginning_of_a_long_text_is_read() {
        let long = [&b"AP "[..], &b"L ".repeat(1000), b"CSPINE"].concat();
        assert_eq!(evidence(&long, b"", b""), TextEvidence { several_views: true, ..TextEvidence::default() });
        let blanks = [&b"AP"[..], &b" ".repeat(2000)].concat();
        assert!(evidence(&blanks, b"", b"").other_view, "padding is no text");
    }

    #[test]
    fn a_list_of_views_tells_none_of_them() {
        let several = TextEvidence { several_views: true, ..TextEvidence::default() };
        let lists = [
            "AP/LAT",
            "AP/LAT/OBL",
            "AP LAT ODONTOID",
            "LAT FLEX EXT EXTENSION",
            "LAT/OBLIQUE",
            "lat, flexion",
            "AP OBL",
            "AP + LAT",
            "Swimmer, lateral",
            "ap seitl. dens",
            "FACE ET PROFIL",
            "正位侧位",
        ];
        for list in lists {
            assert_eq!(evidence(list.as_bytes(), b"", b""), several, "{list}");
            assert_eq!(evidence(b"", list.as_bytes(), b""), several, "{list}");
        }
        for list in ["LAT AND FLEXION", "LAT UND FLEXION", "LAT-FLEX", "LAT (FLEXION)", "LAT\\FLEXION"] {
            assert_eq!(evidence(list.as_bytes(), b"", b""), several, "{list}");
        }
        assert_eq!(evidence(b"LAT", b"AP", b""), several, "they differ");
        assert!(evidence(b"LAT", b"AP/LAT/OBL", b"").lateral, "the series says which of the protocol's");
        assert!(evidence(b"OBLIQUE", b"AP/LAT/OBL", b"").other_view);
    }
}
