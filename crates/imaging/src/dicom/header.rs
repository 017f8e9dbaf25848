//! What identity and scope need of a DICOM header, and nothing else: no names, no dates, no free text.

use cspine_domain::Uid;

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
    /// Modality (0008,0060).
    pub modality: Option<String>,
    /// Body Part Examined (0018,0015).
    pub body_part: Option<String>,
    /// The code value of Anatomic Region Sequence (0008,2218).
    pub anatomic_region: Option<String>,
    /// View Position (0018,5101).
    pub view_position: Option<String>,
    /// The code value of View Code Sequence (0054,0220).
    pub view_code: Option<String>,
    /// The row direction of Patient Orientation (0020,0020): the first of its two values.
    pub row_orientation: Option<String>,
    /// What the descriptions say.
    pub text: TextEvidence,
}

/// What series description, protocol name and study description say; the texts themselves stay behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TextEvidence {
    /// One of the three names the cervical spine.
    pub cervical: bool,
    /// Series or protocol name a lateral view.
    pub lateral: bool,
    /// Series or protocol name a view that is not the plain lateral: swimmer's, odontoid, oblique, flexion, extension.
    pub other_view: bool,
}

impl Header {
    /// Whether the header carries exactly these three UIDs.
    pub fn identifies(&self, study: &Uid, series: &Uid, sop: &Uid) -> bool {
        self.study_instance_uid.as_ref() == Some(study)
            && self.series_instance_uid.as_ref() == Some(series)
            && self.sop_instance_uid.as_ref() == Some(sop)
    }
}
