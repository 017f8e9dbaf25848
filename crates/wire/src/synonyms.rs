//! Words of an arrival that senders write in several ways: read without regard to case.

use cspine_domain::OrderPriority;

/// Our media types, with what else they are called.
const MEDIA_TYPES: [(&str, &[&str]); 4] = [
    ("application/dicom", &["application/x-dicom", "application/dicom+octet-stream", "image/dicom", "image/x-dicom"]),
    ("image/png", &["image/x-png"]),
    ("image/jpeg", &["image/jpg", "image/pjpeg", "image/x-jpeg"]),
    ("image/tiff", &["image/tif", "image/x-tif", "image/x-tiff"]),
];

/// A media type of ours, whatever its parameters.
pub(crate) fn media_type(text: &str) -> Option<&'static str> {
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let ours = MEDIA_TYPES.iter().find(|(name, others)| *name == essence || others.contains(&essence.as_str()));
    ours.map(|(name, _)| *name)
}

/// An order's priority as events, HL7 (tables 0485 and 0065: S, A, R), DICOM (0040,1003: STAT, HIGH, MEDIUM, LOW) and FHIR
/// (stat, asap, urgent, routine) write it, also with HL7's components: `S^Stat^HL70485`, `^^^^^S`.
///
/// Not read: HL7's P, C, T and PRN, which say when, not how soon, and numbers, which every system counts in its own way.
pub(crate) fn order_priority(text: &str) -> Option<OrderPriority> {
    let one = |word: &str| match word.trim().to_ascii_lowercase().as_str() {
        "stat" | "s" | "st" | "emergency" | "em" | "immediate" => Some(OrderPriority::Stat),
        "urgent" | "u" | "ur" | "asap" | "a" | "high" => Some(OrderPriority::Urgent),
        "routine" | "r" | "medium" | "low" | "normal" | "elective" | "el" => Some(OrderPriority::Routine),
        _ => None,
    };
    text.split('^').find_map(one)
}

#[cfg(test)]
mod tests {
    use cspine_domain::OrderPriority::{Routine, Stat, Urgent};

    use super::{media_type, order_priority};

    #[test]
    fn priorities_are_read_as_hl7_dicom_and_fhir_write_them() {
        let table = [
            (Some(Stat), "stat STAT Stat S s ST EMERGENCY ^^^^^S S^Stat^HL70485"),
            (Some(Urgent), "urgent URGENT U A ASAP HIGH"),
            (Some(Routine), "routine ROUTINE R LOW MEDIUM Normal"),
            (None, "P C PRN T5 1 0 soon ^ statt"),
        ];
        for (expected, texts) in table {
            for text in texts.split(' ') {
                assert_eq!(order_priority(text), expected, "{text}");
            }
        }
    }

    #[test]
    fn media_types_are_read_whatever_their_case_and_parameters() {
        for (expected, texts) in [
            (Some("image/png"), "image/png|IMAGE/PNG|image/png; charset=binary|image/x-png"),
            (Some("image/jpeg"), "image/jpg|Image/JPEG;q=1|image/pjpeg"),
            (Some("application/dicom"), "application/dicom; transfer-syntax=1.2.840.10008.1.2.1|application/x-dicom"),
            (Some("image/tiff"), "image/tif|IMAGE/TIFF"),
            (None, "image/webp|application/octet-stream|png|;image/png|"),
        ] {
            for text in texts.split('|') {
                assert_eq!(media_type(text), expected, "{text}");
            }
        }
    }
}
