//! The orientation of PNG, JPEG and TIFF files: tag 0x0112 of TIFF 6.0 and EXIF 2.32.
//!
//! An EXIF block is a small TIFF file, so one reader serves all three. It takes nothing on trust: an offset that leads
//! nowhere, and a field of another type, is no orientation.

use crate::MediaType;
use crate::tiff::{File, ORIENTATION};

/// What a file says of its orientation, EXIF's number or another; `None` where it says nothing. Of a TIFF file it is what
/// the page says whose number is `page`, from 0.
pub(crate) fn orientation(bytes: &[u8], media_type: MediaType, page: usize) -> Option<u16> {
    match media_type {
        MediaType::Tiff => in_tiff(bytes, page),
        MediaType::Jpeg => in_tiff(in_jpeg(bytes)?, 0),
        MediaType::Png => in_tiff(in_png(bytes)?, 0),
        MediaType::Dicom => None,
    }
}

/// The EXIF block of a JPEG stream: the first segment APP1 that is one, before the first scan.
fn in_jpeg(stream: &[u8]) -> Option<&[u8]> {
    let mut at = 2;
    loop {
        match *stream.get(at..at + 2)? {
            [0xff, 0xff] => at += 1, // fill byte
            [0xff, 0xda | 0xd9] => return None,
            [0xff, marker] => {
                let length = stream.get(at + 2..at + 4)?;
                let end = at + 2 + usize::from(u16::from_be_bytes([length[0], length[1]])).max(2);
                let segment = stream.get(at + 4..end)?;
                if let (0xe1, Some(block)) = (marker, segment.strip_prefix(b"Exif\0\0")) {
                    return Some(block);
                }
                at = end;
            }
            _ => return None,
        }
    }
}

/// The chunk eXIf of a PNG file, before or after its pixels.
fn in_png(file: &[u8]) -> Option<&[u8]> {
    let mut at = 8;
    loop {
        let header: &[u8; 8] = file.get(at..)?.first_chunk()?;
        let length = u32::from_be_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let content = file.get(at + 8..)?.get(..length)?;
        match &header[4..] {
            // Some writers keep the JPEG segment's name.
            b"eXIf" => return Some(content.strip_prefix(b"Exif\0\0").unwrap_or(content)),
            b"IEND" => return None,
            _ => at += 8 + length + 4, // its check sum
        }
    }
}

/// What the directory of this number says.
fn in_tiff(block: &[u8], page: usize) -> Option<u16> {
    let file = File::open(block)?;
    let directory = file.page(page)?;
    Some(file.first(&directory, ORIENTATION)?.try_into().unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::orientation;
    use crate::MediaType;

    /// A TIFF structure of two directories that say 6 and 8.
    fn two_pages(big_endian: bool, wide: bool, field: u16) -> Vec<u8> {
        let mut file = if big_endian { b"MM\0".to_vec() } else { b"II".to_vec() };
        let put = |file: &mut Vec<u8>, value: u64, size: usize| {
            let bytes = if big_endian {
                value.to_be_bytes()[8 - size..].to_vec()
            } else {
                value.to_le_bytes()[..size].to_vec()
            };
            file.extend(bytes);
        };
        file.push(if wide { 0x2b } else { 0x2a });
        file.extend((!big_endian).then_some(0));
        let (count, word, header) = if wide { (8, 8, 16) } else { (2, 4, 8) };
        if wide {
            put(&mut file, 8, 2);
            put(&mut file, 0, 2);
        }
        put(&mut file, header as u64, word);
        for value in [6, 8] {
            put(&mut file, 2, count);
            for (tag, value) in [(0x0100, 900), (0x0112, value)] {
                put(&mut file, tag, 2);
                put(&mut file, field.into(), 2);
                put(&mut file, 1, word);
                let size = if field == 4 { 4 } else { 2 };
                put(&mut file, value, size);
                put(&mut file, 0, word - size);
            }
            let end = file.len() + word;
            put(&mut file, if value == 6 { end as u64 } else { 0 }, word);
        }
        file
    }

    #[test]
    fn each_page_has_its_own_in_every_byte_order_and_width() {
        for (big_endian, wide) in [(false, false), (true, false), (false, true), (true, true)] {
            for field in [3, 4] {
                let file = two_pages(big_endian, wide, field);
                let said = [0, 1, 2].map(|page| orientation(&file, MediaType::Tiff, page));
                assert_eq!(said, [Some(6), Some(8), None], "{big_endian} {wide} {field}");
            }
        }
        assert_eq!(orientation(&two_pages(false, false, 5), MediaType::Tiff, 0), None, "a field of another type");
    }

    #[test]
    fn a_structure_cut_or_changed_anywhere_says_nothing_or_a_number_and_never_fails() {
        for (big_endian, wide) in [(false, false), (true, true)] {
            let file = two_pages(big_endian, wide, 3);
            for end in 0..file.len() {
                let _ = orientation(&file[..end], MediaType::Tiff, 1);
            }
            for at in 4..file.len() {
                for value in [0, 1, 0x7f, 0xff] {
                    let mut file = file.clone();
                    file[at] = value;
                    let _ = orientation(&file, MediaType::Tiff, 1);
                }
            }
        }
        assert_eq!(orientation(b"II", MediaType::Tiff, 0), None);
        for bytes in [&b""[..], b"\xff\xd8", b"\xff\xd8\xff\xe1\0\x02", b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffeXIf"] {
            assert_eq!(orientation(bytes, MediaType::Jpeg, 0), None);
            assert_eq!(orientation(bytes, MediaType::Png, 0), None);
        }
    }
}
