//! Notes: what was odd about an image or its event, and was tolerated.

use std::collections::BTreeSet;

/// A code of `findings.notes`. Stable: a site finds the device that writes such files by it. A note never changes an answer
/// and never stands in its way; what does has a [`Reason`](crate::Reason).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Note {
    // The structure of a DICOM file.
    /// The 128 bytes and `DICM` before the meta header are missing.
    MissingPreamble,
    /// No meta header names the transfer syntax: the data set itself shows how it is written.
    MissingMeta,
    /// The meta header is written without value representations.
    ImplicitMeta,
    /// The data set is not written as its transfer syntax says: explicit for implicit, not deflated, or deflated as
    /// zlib does.
    OtherTransferSyntax,
    /// Items of a sequence are written with value representations where they must have none, or the reverse.
    MixedEncoding,
    /// An element has no value representation, or none that exists: what follows it shows its length.
    InvalidVr,
    /// The end of an item, of a sequence or of the compressed pixels is not marked.
    MissingDelimiter,
    /// The end of an item or sequence is marked where none is open.
    StrayDelimiter,
    /// Attributes that we use stand after the pixels, where none of them belongs: they were used.
    AttributesAfterPixels,

    // The grey values of a DICOM file.
    /// The number of frames is 0, or written as no whole number is: `1.0`.
    FrameCount,
    /// It has more than one frame: the first was read.
    FurtherFrames,
    /// The high bit contradicts the bits stored or the words: the sample was taken from the lowest bits.
    HighBit,
    /// Words use bits over the bits stored, where no value continues: they were left out. Or a compressed stream says more
    /// bits itself: they were kept.
    UnusedBits,
    /// The photometric interpretation is not in capitals, or a colour of one sample, which was taken for grey.
    PhotometricInterpretation,
    /// Three samples a pixel are said of a compressed stream that has one.
    SamplesPerPixel,
    /// A frame of RLE lies in several fragments: they were joined.
    ManyFragments,
    /// Pixels that are not compressed lie in fragments as compressed ones do.
    EncapsulatedNative,
    /// The pixel padding value lies outside the range of the stored values.
    PaddingOutOfRange,
    /// A decimal string has a comma for its point, or zero bytes for spaces.
    DecimalString,
    /// A rescale slope of 0: left out.
    ZeroSlope,
    /// A window that cannot be read or cannot be one: the stored range is shown.
    WindowIgnored,
    /// The VOI LUT function is not in capitals, or unknown, and was taken for LINEAR.
    VoiLutFunction,
    /// The presentation LUT shape contradicts the photometric interpretation, which was followed, or is unknown.
    PresentationLutShape,
    /// A lookup table contradicts its descriptor: its bits, its length or the sign of its first value.
    LutDescriptor,

    // The compressed stream of a frame, and what PNG, JPEG and TIFF files hold.
    /// It holds every pixel, but not its end marker.
    MissingEndMarker,
    /// The colour space of the stream is not the one that the header says: the stream's was taken.
    StreamColour,
    /// The sign of the samples, or the bit that holds it, is not the same in the stream and in the header.
    StreamDepth,
    /// A TIFF file whose largest page is not its first: the largest was taken.
    LargestPage,
    /// Transparent pixels, which count as padding.
    TransparentPixels,

    // Orientation and shape.
    /// The file says to turn it by 90 degrees clockwise, which was done.
    Turned90,
    /// The file says to turn it by 180 degrees, which was done.
    Turned180,
    /// The file says to turn it by 270 degrees clockwise, which was done.
    Turned270,
    /// The file says to show it left for right, which was done, after any turn.
    Mirrored,
    /// What the file says of its orientation cannot be followed: a number or letters of no meaning.
    OrientationIgnored,
    /// The scope gate knew it only when turned by 90 degrees clockwise, after what the file says: so it was answered.
    FoundTurned90,
    /// The same by 180 degrees.
    FoundTurned180,
    /// The same by 270 degrees.
    FoundTurned270,
    /// The scope gate knew it only with left for right, after any turn: so it was answered; it is shown as it is.
    FoundMirrored,
    /// Its pixels are not square: it was stretched to its true proportions.
    Stretched,
    /// What the file says of its pixels' shape cannot be true or read: they were taken for square.
    AspectIgnored,
    /// The file says two things of its pixels' shape: the first by rank was taken.
    AspectContradicted,

    // The arrival event. What is empty, padded, or in capitals is no note: its meaning is plain.
    /// `time` is absent or none that can be used: the time of receipt stands in.
    EventTime,
    /// `id` is absent or none: the body's SHA-256 stands in.
    EventId,
    /// `source` is absent or none: `/unknown` stands in.
    EventSource,
    /// `subject` is no text of at most 255 characters: left out.
    EventSubject,
    /// `datacontenttype` says something else than JSON, and the data are JSON all the same.
    EventDataContentType,
    /// `accession_number` is a number, which was read as a text, or none that can be kept, and left out.
    EventAccessionNumber,
    /// `patient_key` is a number, which was read as a text, or none that can be kept, and left out.
    EventPatientKey,
    /// `site` is a number, which was read as a text, or none that can be kept, and left out.
    EventSite,
    /// `order_priority` is no word that is known: taken as routine.
    EventOrderPriority,
    /// `acquired_at` is no moment: left out.
    EventAcquiredAt,
    /// `modality` is none that can be kept: left out.
    EventModality,
    /// `body_part` is none that can be kept: left out.
    EventBodyPart,
    /// `view` is none that can be kept: left out.
    EventView,
    /// `media_type` is absent, none of ours, or not what the bytes are: the bytes tell the format.
    EventMediaType,
    /// `size_bytes` is a text, which was read as a number, or no size, and left out.
    EventSizeBytes,
}

crate::words!(Note, "note", {
    MissingPreamble => "missing_preamble",
    MissingMeta => "missing_meta",
    ImplicitMeta => "implicit_meta",
    OtherTransferSyntax => "other_transfer_syntax",
    MixedEncoding => "mixed_encoding",
    InvalidVr => "invalid_vr",
    MissingDelimiter => "missing_delimiter",
    StrayDelimiter => "stray_delimiter",
    AttributesAfterPixels => "attributes_after_pixels",
    FrameCount => "frame_count",
    FurtherFrames => "further_frames",
    HighBit => "high_bit",
    UnusedBits => "unused_bits",
    PhotometricInterpretation => "photometric_interpretation",
    SamplesPerPixel => "samples_per_pixel",
    ManyFragments => "many_fragments",
    EncapsulatedNative => "encapsulated_native",
    PaddingOutOfRange => "padding_out_of_range",
    DecimalString => "decimal_string",
    ZeroSlope => "zero_slope",
    WindowIgnored => "window_ignored",
    VoiLutFunction => "voi_lut_function",
    PresentationLutShape => "presentation_lut_shape",
    LutDescriptor => "lut_descriptor",
    MissingEndMarker => "missing_end_marker",
    StreamColour => "stream_colour",
    StreamDepth => "stream_depth",
    LargestPage => "largest_page",
    TransparentPixels => "transparent_pixels",
    Turned90 => "turned_90",
    Turned180 => "turned_180",
    Turned270 => "turned_270",
    Mirrored => "mirrored",
    OrientationIgnored => "orientation_ignored",
    FoundTurned90 => "found_turned_90",
    FoundTurned180 => "found_turned_180",
    FoundTurned270 => "found_turned_270",
    FoundMirrored => "found_mirrored",
    Stretched => "stretched",
    AspectIgnored => "aspect_ignored",
    AspectContradicted => "aspect_contradicted",
    EventTime => "event_time",
    EventId => "event_id",
    EventSource => "event_source",
    EventSubject => "event_subject",
    EventDataContentType => "event_data_content_type",
    EventAccessionNumber => "event_accession_number",
    EventPatientKey => "event_patient_key",
    EventSite => "event_site",
    EventOrderPriority => "event_order_priority",
    EventAcquiredAt => "event_acquired_at",
    EventModality => "event_modality",
    EventBodyPart => "event_body_part",
    EventView => "event_view",
    EventMediaType => "event_media_type",
    EventSizeBytes => "event_size_bytes",
});

/// The notes of one image, each once, in the order of declaration.
pub type Notes = BTreeSet<Note>;
