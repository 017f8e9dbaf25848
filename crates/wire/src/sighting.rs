//! Studies that are named in a body which cannot be taken as an arrival: they go on the list all the same.

use cspine_domain::{Note, OrderPriority, Uid};
use serde_json::Value;
use time::OffsetDateTime;

use crate::fields::Fields;
use crate::incoming::{ACCESSION_NUMBER, PATIENT_KEY, SITE};
use crate::synonyms;
use crate::tolerant::Receipt;

/// The longest body that is looked into, bytes.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Studies of one body.
const STUDIES_MAX: usize = 100;

/// A study, and what else can be read of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The study.
    pub study_instance_uid: Uid,
    /// The order's number.
    pub accession_number: Option<String>,
    /// A keyed hash of the patient's identity.
    pub patient_key: Option<String>,
    /// Where it was taken.
    pub site: Option<String>,
    /// What the order asked for; routine when absent.
    pub order_priority: OrderPriority,
}

/// The studies that a body names, whatever else is wrong with it: a byte-order mark, UTF-16, a batch of events, data as a
/// text, no envelope, another version. None of a body that is another event than an arrival.
pub fn studies_in(body: &[u8]) -> Vec<Sighting> {
    let Some(value) = text(body).and_then(|text| serde_json::from_str::<Value>(&text).ok()) else { return Vec::new() };
    let mut studies: Vec<Sighting> = Vec::new();
    let events = value.as_array().map_or(std::slice::from_ref(&value), Vec::as_slice);
    for study in events.iter().filter_map(sighting) {
        if studies.len() < STUDIES_MAX
            && !studies.iter().any(|seen| seen.study_instance_uid == study.study_instance_uid)
        {
            studies.push(study);
        }
    }
    studies
}

fn text(body: &[u8]) -> Option<String> {
    if body.len() > BODY_BYTES_MAX {
        return None;
    }
    let units = |of: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = body.as_chunks().0.iter().map(|unit| of(*unit)).collect();
        String::from_utf16(&units).ok()
    };
    let text = match body {
        [0xfe, 0xff, ..] | [0, _, ..] => units(u16::from_be_bytes),
        [0xff, 0xfe, ..] | [_, 0, ..] => units(u16::from_le_bytes),
        _ => std::str::from_utf8(body).ok().map(str::to_owned),
    };
    text.map(|text| text.trim_start_matches('\u{feff}').to_owned())
}

fn sighting(event: &Value) -> Option<Sighting> {
    let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
    if kind.starts_with("org.cspine.") && !kind.starts_with("org.cspine.image.arrived") {
        return None;
    }
    let receipt = Receipt::new(&[], OffsetDateTime::UNIX_EPOCH);
    let data = event.get("data").unwrap_or(event);
    let parsed = data.as_str().and_then(|text| serde_json::from_str(text).ok());
    let data = Fields::of(parsed.as_ref().unwrap_or(data), "data.", &receipt)?;
    Some(Sighting {
        study_instance_uid: data.parsed("study_instance_uid").ok()?,
        accession_number: data.lenient_text("accession_number", ACCESSION_NUMBER),
        patient_key: data.lenient_text("patient_key", PATIENT_KEY),
        site: data.lenient_text("site", SITE),
        order_priority: data
            .noted("order_priority", Note::EventOrderPriority, synonyms::order_priority)
            .unwrap_or_default(),
    })
}
