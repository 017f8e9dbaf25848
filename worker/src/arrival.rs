//! From the event to the row.

use cspine_store::Arrival;
use cspine_wire::{AnyEvent, Event, EventError, ImageArrived, ImageObject};

/// Reads an arrival out of a message's body.
///
/// # Errors
/// It is none.
pub fn read(body: &[u8]) -> Result<Event<ImageArrived>, EventError> {
    AnyEvent::parse(body)?.into_arrival()
}

/// The event of an arrival on record, to be published again.
///
/// # Errors
/// Its key is none any more.
pub fn event(row: &Arrival) -> Result<Event<ImageArrived>, EventError> {
    let image = ImageObject {
        key: row.object_key.parse()?,
        media_type: row.media_type.clone(),
        sha256: row.content,
        size_bytes: row.size_bytes,
    };
    let data = ImageArrived {
        study_instance_uid: row.study.clone(),
        series_instance_uid: row.series.clone(),
        sop_instance_uid: row.sop.clone(),
        accession_number: row.accession_number.clone(),
        patient_key: row.patient_key.clone(),
        site: row.site.clone(),
        order_priority: row.order_priority,
        acquired_at: row.acquired_at,
        modality: row.modality.clone(),
        body_part: row.body_part.clone(),
        view: row.view.clone(),
        image,
        notes: row.notes.clone(),
    };
    Ok(Event { id: row.event_id.clone(), source: row.source.clone(), subject: None, time: row.event_time, data })
}

/// The arrival as the store registers it.
pub fn row(event: &Event<ImageArrived>) -> Arrival {
    let data = &event.data;
    Arrival {
        source: event.source.clone(),
        event_id: event.id.clone(),
        event_time: event.time,
        study: data.study_instance_uid.clone(),
        series: data.series_instance_uid.clone(),
        sop: data.sop_instance_uid.clone(),
        content: data.image.sha256,
        accession_number: data.accession_number.clone(),
        patient_key: data.patient_key.clone(),
        site: data.site.clone(),
        order_priority: data.order_priority,
        acquired_at: data.acquired_at,
        modality: data.modality.clone(),
        body_part: data.body_part.clone(),
        view: data.view.clone(),
        object_key: data.image.key.to_string(),
        media_type: data.image.media_type.clone(),
        size_bytes: data.image.size_bytes,
        notes: data.notes.clone(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_arrival_published_again_says_what_the_first_said() {
        let whole = serde_json::json!({
            "specversion": "1.0", "type": "org.cspine.image.arrived.v1", "id": "e-1", "source": "/pacs",
            "time": "2026-11-30T09:30:00.25Z", "datacontenttype": "application/json",
            "data": {
                "study_instance_uid": "1.2.3", "series_instance_uid": "1.2.3.4", "sop_instance_uid": "1.2.3.4.5",
                "accession_number": "A1", "patient_key": "k", "site": "er", "order_priority": "urgent",
                "acquired_at": "2026-11-30T09:29:00Z", "modality": "DX", "body_part": "CSPINE", "view": "LL",
                "image": { "key": "a/b.dcm", "media_type": "application/dicom", "sha256": "ab".repeat(32),
                           "size_bytes": 12 },
            },
        });
        let mut least = whole.clone();
        for field in ["accession_number", "patient_key", "site", "acquired_at", "modality", "body_part", "view"] {
            least["data"].as_object_mut().unwrap().remove(field);
        }
        least["data"]["image"].as_object_mut().unwrap().remove("size_bytes");
        for event in [whole, least] {
            let read = super::read(event.to_string().as_bytes()).unwrap();
            let again = super::event(&super::row(&read)).unwrap();
            assert_eq!(serde_json::from_slice::<serde_json::Value>(&again.to_json()).unwrap(), event);
        }
    }
}
