//! Sound files whose pixel data or Image Pixel module are written in odd ways.

use cspine_domain::{Note, Reason};

use crate::form::{Form, read, refused};
use crate::writer::*;

const PLAIN: &str = "explicit.dcm";
const JPEG: &str = "jpeg-baseline.dcm";
const RLE: &str = "rle.dcm";
const JPEG2000: &str = "jpeg2000.dcm";
const ROWS: u32 = 0x0028_0010;

/// All forms.
pub fn forms() -> Vec<Form> {
    [pixel_data(), numbers(), bits()].into_iter().flatten().collect()
}

/// Pixel data in odd forms.
fn pixel_data() -> Vec<Form> {
    use Note::*;
    let plain = File::read(PLAIN);
    let (rle, jpeg, jpeg2000) = (File::read(RLE), File::read(JPEG), File::read(JPEG2000));
    let cut = |file: &File, size: usize| {
        let fragments: Vec<Vec<u8>> = file.fragments()[0].chunks(size).map(<[u8]>::to_vec).collect();
        file.clone().with_raw(PIXEL_DATA, encapsulated(&fragments)).bytes()
    };
    let pixels = plain.value(PIXEL_DATA).to_vec();
    let in_fragments = |parts: &[&[u8]]| {
        let parts: Vec<Vec<u8>> = parts.iter().map(|part| part.to_vec()).collect();
        plain.clone().with_raw(PIXEL_DATA, encapsulated(&parts))
    };
    let halves = pixels.split_at(pixels.len() / 2);
    let whole = || in_fragments(&[&pixels]);
    let of = |file: &File, word: &[u8]| file.clone().with(0x0028_0004, "CS", word).bytes();
    let three = |file: &File, word: &[u8]| {
        file.clone()
            .with(0x0028_0002, "US", &[3, 0])
            .with(0x0028_0006, "US", &[0, 0])
            .with(0x0028_0004, "CS", word)
            .bytes()
    };
    let mut forms = vec![
        read(RLE, "rle-many-fragments", cut(&rle, 1024), &[ManyFragments]),
        read(RLE, "rle-tiny-fragments", cut(&rle, 2), &[ManyFragments]),
        read(JPEG, "jpeg-many-fragments", cut(&jpeg, 128), &[]),
        read(JPEG2000, "jpeg2000-many-fragments", cut(&jpeg2000, 1000), &[]),
        read(PLAIN, "native-encapsulated", whole().bytes(), &[EncapsulatedNative]),
        read(PLAIN, "native-encapsulated-in-two", in_fragments(&[halves.0, halves.1]).bytes(), &[EncapsulatedNative]),
        read(PLAIN, "native-encapsulated-and-said-so", whole().with_syntax("1.2.840.10008.1.2.1.98").bytes(), &[]),
        refused(PLAIN, "native-encapsulated-short", in_fragments(&[halves.0]).bytes(), Reason::Undecodable),
        read(PLAIN, "photometric-lower-case", of(&plain, b"monochrome2 "), &[PhotometricInterpretation]),
        read(PLAIN, "photometric-mixed-case", of(&plain, b"Monochrome2 "), &[PhotometricInterpretation]),
        read(
            "monochrome1.dcm",
            "photometric-lower-case-inverted",
            of(&File::read("monochrome1.dcm"), b"monochrome1 "),
            &[PhotometricInterpretation],
        ),
        // Nothing says whether its lowest value is black or white.
        refused(PLAIN, "photometric-missing", plain.clone().without(0x0028_0004).bytes(), Reason::Undecodable),
        refused(PLAIN, "photometric-empty", of(&plain, b""), Reason::Undecodable),
        refused(PLAIN, "photometric-nuls", of(&plain, b"\0\0\0\0"), Reason::Undecodable),
        refused(PLAIN, "photometric-unknown", of(&plain, b"MONOCHROME3 "), Reason::UnsupportedTransferSyntax),
        refused(PLAIN, "three-samples-of-a-grey-native", three(&plain, b"RGB "), Reason::Undecodable),
    ];
    for word in ["YBR_FULL", "YBR_FULL_422", "RGB"] {
        let value = padded(word.as_bytes(), b' ');
        let name = word.to_ascii_lowercase().replace('_', "-");
        forms.push(read(PLAIN, &format!("{name}-of-one-sample"), of(&plain, &value), &[PhotometricInterpretation]));
        forms.push(read(JPEG, &format!("{name}-of-one-sample-jpeg"), of(&jpeg, &value), &[PhotometricInterpretation]));
        forms.push(read(JPEG, &format!("{name}-of-a-grey-jpeg"), three(&jpeg, &value), &[SamplesPerPixel]));
    }
    forms.push(read(
        JPEG,
        "monochrome2-of-three-samples-of-a-grey-jpeg",
        three(&jpeg, b"MONOCHROME2 "),
        &[SamplesPerPixel],
    ));
    forms.push(read(JPEG2000, "three-samples-of-a-grey-jpeg2000", three(&jpeg2000, b"RGB "), &[SamplesPerPixel]));
    forms
}

/// Numbers of the Image Pixel module that contradict each other or are written oddly.
fn numbers() -> Vec<Form> {
    use Note::*;
    let plain = File::read(PLAIN);
    let frames = |text: &str| plain.clone().with(0x0028_0008, "IS", &padded(text.as_bytes(), b' ')).bytes();
    let high = |bit: u16| plain.clone().with(0x0028_0102, "US", &bit.to_le_bytes()).bytes();
    let full = File::read("jpeg2000-16bit.dcm");
    let mut forms = vec![
        read(PLAIN, "frames-1", frames("1"), &[]),
        read(PLAIN, "frames-empty", frames(""), &[]),
        read(PLAIN, "frames-blank", frames("  "), &[]),
        read(PLAIN, "frames-nul", frames("1\0"), &[DecimalString]),
        read("jpeg2000-16bit.dcm", "high-bit-11-of-16", full.with(0x0028_0102, "US", &[11, 0]).bytes(), &[HighBit]),
        read(PLAIN, "rows-is", plain.clone().with(ROWS, "IS", b"72").bytes(), &[]),
        read(PLAIN, "rows-ul", plain.clone().with(ROWS, "UL", &[72, 0, 0, 0]).bytes(), &[]),
        read(PLAIN, "rows-un", plain.clone().with(ROWS, "UN", &[72, 0]).bytes(), &[]),
        refused(PLAIN, "rows-text", plain.clone().with(ROWS, "IS", b"many").bytes(), Reason::Undecodable),
        refused(
            PLAIN,
            "rows-over-16-bits",
            plain.clone().with(ROWS, "UL", &[72, 0, 1, 0]).bytes(),
            Reason::Undecodable,
        ),
        // What is there and cannot be read is not absent.
        refused(PLAIN, "samples-text", plain.clone().with(0x0028_0002, "IS", b"one ").bytes(), Reason::Undecodable),
        refused(PLAIN, "samples-negative", plain.clone().with(0x0028_0002, "IS", b"-1").bytes(), Reason::Undecodable),
        refused(
            PLAIN,
            "bits-stored-double",
            plain.clone().with(0x0028_0101, "FD", &[0; 8]).bytes(),
            Reason::Undecodable,
        ),
        refused(PLAIN, "sign-short", plain.clone().with(0x0028_0103, "US", &[1]).bytes(), Reason::Undecodable),
        read(PLAIN, "high-bit-text", plain.clone().with(0x0028_0102, "IS", b"high").bytes(), &[HighBit]),
        read(PLAIN, "high-bit-missing", plain.clone().without(0x0028_0102).bytes(), &[]),
        refused(
            PLAIN,
            "pixel-representation-2",
            plain.clone().with(0x0028_0103, "US", &[2, 0]).bytes(),
            Reason::Undecodable,
        ),
    ];
    for text in ["0", "1.0", "0.0", "1.", "1,0", "+1", "01"] {
        let notes: &[Note] = match text {
            "1,0" => &[FrameCount, DecimalString],
            "01" | "+1" => &[],
            _ => &[FrameCount],
        };
        forms.push(read(PLAIN, &format!("frames-{text}"), frames(text), notes));
    }
    for text in ["-1", "1.5", "one", "1 1", "\\1"] {
        forms.push(refused(
            PLAIN,
            &format!("frames-{}", text.replace('\\', "first-empty")),
            frames(text),
            Reason::Undecodable,
        ));
    }
    for bit in [0, 3, 10, 16, 255] {
        forms.push(read(PLAIN, &format!("high-bit-{bit}-of-12"), high(bit), &[HighBit]));
    }
    forms
}

/// Words that use more bits than are stored.
fn bits() -> Vec<Form> {
    use Note::*;
    let plain = File::read(PLAIN);
    let words: Vec<u16> = plain.value(PIXEL_DATA).as_chunks().0.iter().map(|&word| u16::from_le_bytes(word)).collect();
    let (signed, high) = (File::read("signed.dcm"), File::read("high-bit.dcm"));
    let stored = |file: &File, bits: u16| {
        let file = file.clone().with(0x0028_0101, "US", &bits.to_le_bytes());
        file.with(0x0028_0102, "US", &(bits - 1).to_le_bytes())
    };
    let changed = |change: &dyn Fn(usize, u16) -> u16| {
        let words = words.iter().enumerate().flat_map(|(i, &word)| change(i, word).to_le_bytes());
        plain.clone().with(PIXEL_DATA, "OW", &words.collect::<Vec<u8>>())
    };
    let overlay = |bit: u16| changed(&|i, word| word | u16::from(i % 7 == 0) << bit);
    let says = |file: File, tag, bit: u16| file.with(tag, "US", &bit.to_le_bytes()).bytes();
    let unextended: Vec<u8> = words.iter().flat_map(|word| (word.wrapping_sub(2048) & 0xfff).to_le_bytes()).collect();
    vec![
        refused(PLAIN, "bits-11-of-12", stored(&plain, 11).bytes(), Reason::Undecodable),
        refused(PLAIN, "bits-8-of-12", stored(&plain, 8).bytes(), Reason::Undecodable),
        refused("signed.dcm", "bits-11-of-12-signed", stored(&signed, 11).bytes(), Reason::Undecodable),
        read("signed.dcm", "sign-not-repeated", signed.clone().with(PIXEL_DATA, "OW", &unextended).bytes(), &[]),
        read(PLAIN, "overlay-in-bit-15", overlay(15).bytes(), &[UnusedBits]),
        read(PLAIN, "overlay-in-bit-13", overlay(13).bytes(), &[UnusedBits]),
        refused(PLAIN, "overlay-in-bit-12-unsaid", overlay(12).bytes(), Reason::Undecodable),
        read(PLAIN, "overlay-in-bit-12", says(overlay(12), 0x6000_0102, 12), &[UnusedBits]),
        read(PLAIN, "overlay-in-bit-12-of-the-last-group", says(overlay(12), 0x601e_0102, 12), &[UnusedBits]),
        refused(PLAIN, "overlay-in-another-bit", says(overlay(12), 0x6000_0102, 13), Reason::Undecodable),
        read(PLAIN, "all-bits-set", changed(&|_, word| word | 0xf000).bytes(), &[UnusedBits]),
        // In the high bits of its words, and in the low ones though the high bit says otherwise.
        read(PLAIN, "high-bit-15-of-12", high.bytes(), &[]),
        read(PLAIN, "high-bit-15-of-12-in-the-low-bits", says(plain.clone(), 0x0028_0102, 15), &[HighBit]),
        read(PLAIN, "high-bit-13-of-12-in-the-low-bits", says(plain.clone(), 0x0028_0102, 13), &[HighBit]),
    ]
}
