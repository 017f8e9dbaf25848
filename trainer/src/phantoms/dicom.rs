//! A phantom as a DICOM Computed Radiography image, as a modality would send it: 12 of 16 bits, little endian.

use anyhow::Context;
use cspine_phantom::{Case, Film, Preset};
use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, Tag, VR, dicom_value};
use dicom_dictionary_std::{tags, uids};
use dicom_object::mem::InMemElement;
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use sha2::{Digest, Sha256};

/// The Part 10 file. Half of the seeds give MONOCHROME1, where 0 is white.
pub(super) fn encode(case: &Case, film: &Film, preset: Preset) -> anyhow::Result<Vec<u8>> {
    let uid = |what: &str| uid(case, film, preset, what);
    let inverted = uid("photometric").ends_with(['1', '3', '5', '7', '9']);
    let mut elements = identity(case, &uid);
    elements.extend(picture(film, inverted));
    let object = InMemDicomObject::from_element_iter(elements);
    let meta = FileMetaTableBuilder::new().transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN);
    let mut bytes = vec![];
    object
        .with_meta(meta)
        .context("cannot build the file meta information")?
        .write_all(&mut bytes)
        .context("cannot write the data set")?;
    Ok(bytes)
}

/// A UID under 2.25 from what makes the image: no two phantoms share one, and the same phantom always has the same.
fn uid(case: &Case, film: &Film, preset: Preset, what: &str) -> String {
    let name = format!("cspine-phantom {what} {} {} {} {preset}", case.seed, case.class, film.width);
    let digest: [u8; 32] = Sha256::digest(name.as_bytes()).into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    // The form of a UUID of version 8, variant 1.
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    format!("2.25.{}", u128::from_be_bytes(bytes))
}

fn text(tag: Tag, vr: VR, value: impl Into<String>) -> InMemElement {
    DataElement::new(tag, vr, PrimitiveValue::from(value.into()))
}

fn number(tag: Tag, value: u16) -> InMemElement {
    DataElement::new(tag, VR::US, PrimitiveValue::from(value))
}

/// Patient, study, series, equipment and SOP. Nobody's name and no date: it is a phantom.
fn identity(case: &Case, uid: &impl Fn(&str) -> String) -> Vec<InMemElement> {
    let empty = |tag, vr| DataElement::new(tag, vr, PrimitiveValue::Empty);
    vec![
        text(tags::SOP_CLASS_UID, VR::UI, uids::COMPUTED_RADIOGRAPHY_IMAGE_STORAGE),
        text(tags::SOP_INSTANCE_UID, VR::UI, uid("instance")),
        empty(tags::STUDY_DATE, VR::DA),
        empty(tags::STUDY_TIME, VR::TM),
        text(tags::ACCESSION_NUMBER, VR::SH, &case.patient_key[1..]),
        text(tags::MODALITY, VR::CS, "CR"),
        text(tags::MANUFACTURER, VR::LO, "cspine-phantom"),
        empty(tags::REFERRING_PHYSICIAN_NAME, VR::PN),
        text(tags::STUDY_DESCRIPTION, VR::LO, "Synthetic cervical spine"),
        text(tags::SERIES_DESCRIPTION, VR::LO, "C-spine lateral"),
        text(tags::PATIENT_NAME, VR::PN, format!("Phantom^{}", case.patient_key)),
        text(tags::PATIENT_ID, VR::LO, case.patient_key.clone()),
        empty(tags::PATIENT_BIRTH_DATE, VR::DA),
        empty(tags::PATIENT_SEX, VR::CS),
        text(tags::BODY_PART_EXAMINED, VR::CS, "CSPINE"),
        // Left side against the cassette.
        text(tags::VIEW_POSITION, VR::CS, "LL"),
        text(tags::STUDY_INSTANCE_UID, VR::UI, uid("study")),
        text(tags::SERIES_INSTANCE_UID, VR::UI, uid("series")),
        empty(tags::STUDY_ID, VR::SH),
        text(tags::SERIES_NUMBER, VR::IS, "1"),
        text(tags::INSTANCE_NUMBER, VR::IS, "1"),
    ]
}

/// The image, as displayed through a window of the whole range.
fn picture(film: &Film, inverted: bool) -> Vec<InMemElement> {
    let samples: Vec<u16> = film.pixels.iter().map(|p| if inverted { 4095 - (p >> 4) } else { p >> 4 }).collect();
    let side = |pixels: u32| u16::try_from(pixels).expect("a phantom has at most 2048 pixels a side");
    let spacing = format!("{:.6}", film.spacing_mm);
    vec![
        DataElement::new(tags::IMAGE_TYPE, VR::CS, dicom_value!(Strs, ["ORIGINAL", "PRIMARY"])),
        // Rows run to the back, columns to the feet.
        DataElement::new(tags::PATIENT_ORIENTATION, VR::CS, dicom_value!(Strs, ["P", "F"])),
        DataElement::new(tags::IMAGER_PIXEL_SPACING, VR::DS, dicom_value!(Strs, [spacing.clone(), spacing])),
        number(tags::SAMPLES_PER_PIXEL, 1),
        text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, if inverted { "MONOCHROME1" } else { "MONOCHROME2" }),
        number(tags::ROWS, side(film.height)),
        number(tags::COLUMNS, side(film.width)),
        number(tags::BITS_ALLOCATED, 16),
        number(tags::BITS_STORED, 12),
        number(tags::HIGH_BIT, 11),
        number(tags::PIXEL_REPRESENTATION, 0),
        text(tags::BURNED_IN_ANNOTATION, VR::CS, "NO"),
        text(tags::WINDOW_CENTER, VR::DS, "2048"),
        text(tags::WINDOW_WIDTH, VR::DS, "4096"),
        text(tags::RESCALE_INTERCEPT, VR::DS, "0"),
        text(tags::RESCALE_SLOPE, VR::DS, "1"),
        text(tags::RESCALE_TYPE, VR::LO, "US"),
        DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(samples.into())),
    ]
}
