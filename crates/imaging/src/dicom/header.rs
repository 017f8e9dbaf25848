//! What identity and scope need of a DICOM header, and nothing else: no names, no dates, no free text.

use cspine_domain::Uid;

use super::dataset::Dataset;
use super::text::{self, TextEvidence};
use super::{shape, tags};

/// The part of a DICOM header that leaves the decoder. Absent, empty and unreadable attributes are `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// Study Instance UID (0020,000D).
    pub study_instance_uid: Option<Uid>,
    /// Series Instance UID (0020,000E).
    pub series_instance_uid: Option<Uid>,
    /// SOP Instance UID (0008,0018).
    pub sop_instance_uid: Option<Uid>,
    /// SOP Class UID (0008,0016).
    pub sop_class: Option<Uid>,
    /// Whether Image Type (0008,0008) calls it a localiser.
    pub localizer: bool,
    /// Modality (0008,0060); several values stand with `/` between them, here and in the other texts and codes.
    pub modality: Option<String>,
    /// Body Part Examined (0018,0015).
    pub body_part: Option<String>,
    /// The code values of Anatomic Region Sequence (0008,2218), `?` for an item without one.
    pub anatomic_region: Option<String>,
    /// View Position (0018,5101).
    pub view_position: Option<String>,
    /// The code values of View Code Sequence (0054,0220).
    pub view_code: Option<String>,
    /// The row direction of Patient Orientation (0020,0020), once the image stands upright: the first of its two values.
    pub row_orientation: Option<String>,
    /// What the descriptions say.
    pub text: TextEvidence,
}

impl Header {
    /// Whether the header carries these three UIDs, leading zeros aside.
    pub fn identifies(&self, study: &Uid, series: &Uid, sop: &Uid) -> bool {
        let same = |ours: &Option<Uid>, theirs: &Uid| ours.as_ref().is_some_and(|uid| uid.has_numbers_of(theirs));
        same(&self.study_instance_uid, study)
            && same(&self.series_instance_uid, series)
            && same(&self.sop_instance_uid, sop)
    }
}

impl Header {
    pub(super) fn read(dataset: &Dataset<'_>) -> Self {
        let uid = |tag| dataset.code(tag).and_then(|text| Uid::parse(text).ok());
        let text = |tag| dataset.value(tag).map_or(&[][..], |value| value.bytes);
        let image_type = dataset.value(tags::IMAGE_TYPE);
        Self {
            study_instance_uid: uid(tags::STUDY_INSTANCE_UID),
            series_instance_uid: uid(tags::SERIES_INSTANCE_UID),
            sop_instance_uid: uid(tags::SOP_INSTANCE_UID),
            sop_class: uid(tags::SOP_CLASS_UID),
            localizer: image_type.is_some_and(|value| value.parts().any(|part| part == "LOCALIZER")),
            modality: dataset.text(tags::MODALITY),
            body_part: dataset.text(tags::BODY_PART_EXAMINED),
            anatomic_region: dataset.codes(tags::ANATOMIC_REGION_SEQUENCE),
            view_position: dataset.text(tags::VIEW_POSITION),
            view_code: dataset.codes(tags::VIEW_CODE_SEQUENCE),
            row_orientation: shape::row(dataset),
            text: text::evidence(
                text(tags::SERIES_DESCRIPTION),
                text(tags::PROTOCOL_NAME),
                text(tags::STUDY_DESCRIPTION),
            ),
        }
    }
}
