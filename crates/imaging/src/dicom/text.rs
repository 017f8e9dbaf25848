//! What free text says of scope: the last evidence, where coded attributes are silent.

/// What series description, protocol name and study description say; the texts themselves stay behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TextEvidence {
    /// One of the three names the cervical spine.
    pub cervical: bool,
    /// Series or protocol names a lateral view.
    pub lateral: bool,
    /// Series or protocol names a view that is not the plain lateral: swimmer's, odontoid, oblique, flexion, frontal.
    pub other_view: bool,
}

/// Reads the evidence from texts in any character set that contains ASCII. The study's description lists what was asked
/// for, often several views, so it only speaks for the region.
pub(super) fn evidence(series: &[u8], protocol: &[u8], study: &[u8]) -> TextEvidence {
    let image = [series, protocol];
    let lateral = image.iter().any(|text| is_lateral(text));
    TextEvidence {
        cervical: [series, protocol, study].iter().any(|text| is_cervical(text)),
        lateral,
        other_view: image.iter().any(|text| {
            words(text).any(|word| {
                let special = ["swim", "odont", "obl", "flex", "exten"].iter().any(|start| word.starts_with(start));
                // "AP/LAT" names a protocol; "AP" alone names a view.
                special || (!lateral && ["ap", "pa", "frontal"].contains(&word.as_str()))
            })
        }),
    }
}

fn is_cervical(text: &[u8]) -> bool {
    let words: Vec<String> = words(text).collect();
    let named = |word: &String| ["cspine", "cervic", "hws"].iter().any(|start| word.starts_with(start));
    // Whole words: "thoracic spine" contains "c spine" too.
    words.iter().any(named)
        || words.windows(2).any(|pair| pair[0] == "c" && pair[1].starts_with("spine"))
        || contains(text, CERVICAL_SPINE)
}

fn is_lateral(text: &[u8]) -> bool {
    words(text).any(|word| ["lat", "seitl", "profil"].iter().any(|start| word.starts_with(start)))
        || contains(text, SIDE_VIEW)
}

/// Chinese for cervical spine and for lateral view, in UTF-8 and GB 18030.
const CERVICAL_SPINE: [&[u8]; 2] = ["颈椎".as_bytes(), b"\xbe\xb1\xd7\xb5"];
const SIDE_VIEW: [&[u8]; 2] = ["侧位".as_bytes(), b"\xb2\xe0\xce\xbb"];

fn contains(text: &[u8], terms: [&[u8]; 2]) -> bool {
    terms.iter().any(|term| text.windows(term.len()).any(|window| window == *term))
}

/// Runs of ASCII letters and digits, in lower case.
fn words(text: &[u8]) -> impl Iterator<Item = String> {
    text.split(|byte| !byte.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| String::from_utf8_lossy(word).to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::evidence;

    #[test]
    fn the_cervical_spine_is_found_in_its_spellings_and_not_in_the_thoracic_spine() {
        let gb18030: &[u8] = b"\xbe\xb1\xd7\xb5\xb2\xe0\xce\xbb";
        for text in [b"C-Spine lat".as_slice(), b"c spine", b"CSPINE 2V", b"XR Cervical", b"HWS seitl.", gb18030] {
            assert!(evidence(b"", b"", text).cervical);
        }
        for text in [b"Thoracic spine".as_slice(), b"Pelvic spine", b"lumbar spine", b"chest", b""] {
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
}
