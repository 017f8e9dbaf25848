//! The attributes we read (PS3.6), as group << 16 | element.

pub(super) type Tag = u32;

pub(super) const TRANSFER_SYNTAX_UID: Tag = 0x0002_0010;
pub(super) const IMAGE_TYPE: Tag = 0x0008_0008;
pub(super) const SOP_CLASS_UID: Tag = 0x0008_0016;
pub(super) const SOP_INSTANCE_UID: Tag = 0x0008_0018;
pub(super) const MODALITY: Tag = 0x0008_0060;
pub(super) const CODE_VALUE: Tag = 0x0008_0100;
pub(super) const STUDY_DESCRIPTION: Tag = 0x0008_1030;
pub(super) const SERIES_DESCRIPTION: Tag = 0x0008_103e;
pub(super) const ANATOMIC_REGION_SEQUENCE: Tag = 0x0008_2218;
pub(super) const BODY_PART_EXAMINED: Tag = 0x0018_0015;
pub(super) const PROTOCOL_NAME: Tag = 0x0018_1030;
pub(super) const IMAGER_PIXEL_SPACING: Tag = 0x0018_1164;
pub(super) const NOMINAL_SCANNED_PIXEL_SPACING: Tag = 0x0018_2010;
pub(super) const VIEW_POSITION: Tag = 0x0018_5101;
pub(super) const STUDY_INSTANCE_UID: Tag = 0x0020_000d;
pub(super) const SERIES_INSTANCE_UID: Tag = 0x0020_000e;
pub(super) const PATIENT_ORIENTATION: Tag = 0x0020_0020;
pub(super) const SAMPLES_PER_PIXEL: Tag = 0x0028_0002;
pub(super) const PHOTOMETRIC_INTERPRETATION: Tag = 0x0028_0004;
pub(super) const PLANAR_CONFIGURATION: Tag = 0x0028_0006;
pub(super) const NUMBER_OF_FRAMES: Tag = 0x0028_0008;
pub(super) const ROWS: Tag = 0x0028_0010;
pub(super) const COLUMNS: Tag = 0x0028_0011;
pub(super) const PIXEL_SPACING: Tag = 0x0028_0030;
pub(super) const PIXEL_ASPECT_RATIO: Tag = 0x0028_0034;
pub(super) const BITS_ALLOCATED: Tag = 0x0028_0100;
pub(super) const BITS_STORED: Tag = 0x0028_0101;
pub(super) const HIGH_BIT: Tag = 0x0028_0102;
pub(super) const PIXEL_REPRESENTATION: Tag = 0x0028_0103;
pub(super) const PIXEL_PADDING_VALUE: Tag = 0x0028_0120;
pub(super) const PIXEL_PADDING_RANGE_LIMIT: Tag = 0x0028_0121;
pub(super) const WINDOW_CENTER: Tag = 0x0028_1050;
pub(super) const WINDOW_WIDTH: Tag = 0x0028_1051;
pub(super) const RESCALE_INTERCEPT: Tag = 0x0028_1052;
pub(super) const RESCALE_SLOPE: Tag = 0x0028_1053;
pub(super) const VOI_LUT_FUNCTION: Tag = 0x0028_1056;
pub(super) const RED_PALETTE_DESCRIPTOR: Tag = 0x0028_1101;
pub(super) const GREEN_PALETTE_DESCRIPTOR: Tag = 0x0028_1102;
pub(super) const BLUE_PALETTE_DESCRIPTOR: Tag = 0x0028_1103;
pub(super) const RED_PALETTE: Tag = 0x0028_1201;
pub(super) const GREEN_PALETTE: Tag = 0x0028_1202;
pub(super) const BLUE_PALETTE: Tag = 0x0028_1203;
pub(super) const MODALITY_LUT_SEQUENCE: Tag = 0x0028_3000;
pub(super) const LUT_DESCRIPTOR: Tag = 0x0028_3002;
pub(super) const LUT_DATA: Tag = 0x0028_3006;
pub(super) const VOI_LUT_SEQUENCE: Tag = 0x0028_3010;
pub(super) const VIEW_CODE_SEQUENCE: Tag = 0x0054_0220;
pub(super) const PRESENTATION_LUT_SHAPE: Tag = 0x2050_0020;
/// Of the first overlay; the others lie in the even groups up to 601e.
pub(super) const OVERLAY_BIT_POSITION: Tag = 0x6000_0102;
pub(super) const PIXEL_DATA: Tag = 0x7fe0_0010;
pub(super) const ITEM: Tag = 0xfffe_e000;
pub(super) const ITEM_END: Tag = 0xfffe_e00d;
pub(super) const SEQUENCE_END: Tag = 0xfffe_e0dd;
/// The first tag that a data set may have, beside the lengths of groups.
pub(super) const FIRST: Tag = 0x0008_0000;
/// The last tag that a data set may have: trailing padding.
pub(super) const LAST: Tag = 0xfffc_fffc;

/// Whether an attribute is kept; `sequence` is 0 for those of the data set itself.
pub(super) fn is_wanted(sequence: Tag, tag: Tag) -> bool {
    match sequence {
        0 if tag & 0xffe1_ffff == OVERLAY_BIT_POSITION => true,
        0 => matches!(
            tag,
            TRANSFER_SYNTAX_UID
                | IMAGE_TYPE
                | SOP_CLASS_UID
                | SOP_INSTANCE_UID
                | MODALITY
                | STUDY_DESCRIPTION
                | SERIES_DESCRIPTION
                | BODY_PART_EXAMINED
                | PROTOCOL_NAME
                | IMAGER_PIXEL_SPACING
                | NOMINAL_SCANNED_PIXEL_SPACING
                | VIEW_POSITION
                | STUDY_INSTANCE_UID
                | SERIES_INSTANCE_UID
                | PATIENT_ORIENTATION
                | SAMPLES_PER_PIXEL
                | PHOTOMETRIC_INTERPRETATION
                | PLANAR_CONFIGURATION
                | NUMBER_OF_FRAMES
                | ROWS
                | COLUMNS
                | PIXEL_SPACING
                | PIXEL_ASPECT_RATIO
                | BITS_ALLOCATED
                | BITS_STORED
                | HIGH_BIT
                | PIXEL_REPRESENTATION
                | PIXEL_PADDING_VALUE
                | PIXEL_PADDING_RANGE_LIMIT
                | WINDOW_CENTER
                | WINDOW_WIDTH
                | RESCALE_INTERCEPT
                | RESCALE_SLOPE
                | VOI_LUT_FUNCTION
                | RED_PALETTE_DESCRIPTOR..=BLUE_PALETTE_DESCRIPTOR
                | RED_PALETTE..=BLUE_PALETTE
                | PRESENTATION_LUT_SHAPE
        ),
        ANATOMIC_REGION_SEQUENCE | VIEW_CODE_SEQUENCE => tag == CODE_VALUE,
        MODALITY_LUT_SEQUENCE | VOI_LUT_SEQUENCE => matches!(tag, LUT_DESCRIPTOR | LUT_DATA),
        _ => false,
    }
}

/// Whether more items of a sequence are read than the first.
pub(super) fn is_code_sequence(tag: Tag) -> bool {
    matches!(tag, ANATOMIC_REGION_SEQUENCE | VIEW_CODE_SEQUENCE)
}

/// Whether a sequence is read even where its length would let us skip it.
pub(super) fn is_wanted_sequence(tag: Tag) -> bool {
    matches!(tag, ANATOMIC_REGION_SEQUENCE | VIEW_CODE_SEQUENCE | MODALITY_LUT_SEQUENCE | VOI_LUT_SEQUENCE)
}
