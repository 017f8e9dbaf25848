//! What free text says of scope: the last evidence, where coded attributes are silent.

use crate::scope::text::{Reading, View, read};

/// What series description, protocol name and study description say; the texts themselves stay behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TextEvidence {
    /// One of the three names the cervical spine.
    pub cervical: bool,
    /// Series or protocol names the lateral view, and no other.
    pub lateral: bool,
    /// Series or protocol names one view that is not the plain lateral: swimmer's, odontoid, oblique, flexion, frontal.
    pub other_view: bool,
    /// Series or protocol lists several views of the examination, or the two differ: they do not tell which one this is.
    pub several_views: bool,
}

/// Reads the evidence from texts in any character set that contains ASCII. The study's description lists what was asked
/// for, often several views, so it only speaks for the region.
pub(super) fn evidence(series: &[u8], protocol: &[u8], study: &[u8]) -> TextEvidence {
    let [series, protocol, study] = [series, protocol, study].map(reading);
    let views = [series.view(), protocol.view()];
    let lateral = views.contains(&Some(View::Lateral));
    let other_view = views.iter().flatten().any(|view| *view != View::Lateral);
    let lists = [&series, &protocol].iter().any(|text| !text.views.is_empty() && text.view().is_none());
    TextEvidence {
        cervical: series.cervical || protocol.cervical || study.cervical,
        lateral: lateral && !other_view,
        other_view: other_view && !lateral,
        several_views: (lists && !lateral && !other_view) || (lateral && other_view),
    }
}

fn reading(text: &[u8]) -> Reading {
    let mut reading = read(&String::from_utf8_lossy(text), None);
    let contains = |term: &[u8]| text.windows(term.len()).any(|window| window == term);
    // Chinese for cervical spine and for lateral view in GB 18030; other vocabulary is UTF-8 or ASCII.
    reading.cervical |= contains(b"\xbe\xb1\xd7\xb5");
    if contains(b"\xb2\xe0\xce\xbb") {
        reading.views.insert(View::Lateral);
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
        assert_eq!(evidence(b"LAT", b"AP", b""), several, "they differ");
        assert!(evidence(b"LAT", b"AP/LAT/OBL", b"").lateral, "the series says which of the protocol's");
        assert!(evidence(b"OBLIQUE", b"AP/LAT/OBL", b"").other_view);
    }
}
