//! From the event to the row.

use cspine_store::Arrival;
use cspine_wire::{AnyEvent, Event, EventError, ImageArrived};

/// Reads an arrival out of a message's body.
///
/// # Errors
/// It is none.
pub fn read(body: &[u8]) -> Result<Event<ImageArrived>, EventError> {
    AnyEvent::parse(body)?.into_arrival()
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
    }
}
