//! DICOM in odd forms has the pixels of its plain form, or is refused by name.

use cspine_imaging::{MediaType, sniff};

use crate::hostile::{Random, check};
use crate::{colour_forms, form, grey_forms, late_forms, odd_forms, odd_pixels};

#[test]
fn every_odd_structure_is_read_as_its_plain_form_or_refused_by_name() {
    form::check(&odd_forms::forms());
}

#[test]
fn every_odd_image_is_read_as_its_plain_form_or_refused_by_name() {
    form::check(&odd_pixels::forms());
}

#[test]
fn every_odd_lookup_table_and_number_gives_the_plain_forms_grey_values_or_is_refused_by_name() {
    form::check(&grey_forms::forms());
}

#[test]
fn every_attribute_after_the_pixels_is_used_and_two_values_of_one_are_refused_by_name() {
    form::check(&late_forms::forms());
}

#[test]
fn every_odd_colour_is_read_by_the_rules_of_grey_or_refused_by_name() {
    form::check(&colour_forms::forms());
}

#[test]
fn odd_forms_cut_or_damaged_never_escape_as_a_panic() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let grey = [odd_forms::forms(), odd_pixels::forms(), grey_forms::forms()];
    let forms = grey.into_iter().chain([late_forms::forms(), colour_forms::forms()]).collect::<Vec<_>>();
    for form in forms.iter().flatten() {
        for round in 0..40 {
            let mut damaged = form.bytes.clone();
            let reach = damaged.len().min(if round % 2 == 0 { 900 } else { usize::MAX });
            match round % 4 {
                0 => damaged.truncate(random.below(damaged.len())),
                // What delimiters, lengths and representations are made of.
                1 => {
                    let at = random.below(reach.saturating_sub(12).max(1));
                    let piece = PIECES[random.below(PIECES.len())];
                    damaged.splice(at..at + [0, piece.len()][random.below(2)], piece.iter().copied());
                }
                _ => {
                    for _ in 0..=random.below(4) {
                        damaged[random.below(reach)] = [0, 0xff, 0x7f, random.below(256) as u8][random.below(4)];
                    }
                }
            }
            let media_type = sniff(&damaged).filter(|&known| known == MediaType::Dicom);
            let _ = check(&damaged, media_type, &form.name);
        }
    }
}

const PIECES: [&[u8]; 10] = [
    b"\xfe\xff\x00\xe0\xff\xff\xff\xff",
    b"\xfe\xff\x00\xe0\x00\x00\x00\x00",
    b"\xfe\xff\x00\xe0\xf0\xff\xff\xff",
    b"\xfe\xff\x0d\xe0\x00\x00\x00\x00",
    b"\xfe\xff\xdd\xe0\x00\x00\x00\x00",
    b"\x28\x00\x10\x30SQ\x00\x00\xff\xff\xff\xff",
    b"\x29\x00\x10\x10UN\x00\x00\xff\xff\xff\xff",
    b"\xff\xff\xff\xff",
    b"--",
    b"\x00\x00\x00\x00",
];
