//! From the bytes of a strip or tile to its samples.

/// `count` samples of 1 to 16 bits from each row of bytes.
pub(super) fn read(bytes: &[u8], row_bytes: usize, count: usize, bits: u32, big_endian: bool) -> Vec<u16> {
    let rows = bytes.chunks_exact(row_bytes);
    match bits {
        8 => bytes.iter().map(|&byte| byte.into()).collect(),
        16 if big_endian => bytes.as_chunks().0.iter().map(|&word| u16::from_be_bytes(word)).collect(),
        16 => bytes.as_chunks().0.iter().map(|&word| u16::from_le_bytes(word)).collect(),
        _ => rows.flat_map(|row| packed(row, count, bits)).collect(),
    }
}

/// Samples that follow each other without a gap, the highest bit first, whatever the file's byte order.
fn packed(row: &[u8], count: usize, bits: u32) -> impl Iterator<Item = u16> {
    (0..count).map(move |index| {
        let start = index * bits as usize;
        let byte = |at: usize| u32::from(row.get(start / 8 + at).copied().unwrap_or(0));
        let window = byte(0) << 16 | byte(1) << 8 | byte(2);
        (window << (8 + start as u32 % 8) >> (32 - bits)) as u16
    })
}

/// Turns each sample from its difference to that of the pixel on the left (TIFF 6.0 section 14).
pub(super) fn undo_prediction(values: &mut [u16], row: usize, samples: usize, bits: u32) {
    let mask = u16::MAX >> (16 - bits);
    for row in values.chunks_exact_mut(row) {
        for at in samples..row.len() {
            row[at] = row[at].wrapping_add(row[at - samples]) & mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{read, undo_prediction};

    #[test]
    fn packed_samples_begin_with_the_highest_bit_of_each_row() {
        assert_eq!(read(&[0xab, 0xcd, 0xef, 0x12, 0x34, 0x56], 3, 2, 12, false), [0xabc, 0xdef, 0x123, 0x456]);
        assert_eq!(read(&[0b1010_0000], 1, 3, 1, true), [1, 0, 1]);
        assert_eq!(read(&[0xff, 0xfe, 0x00], 3, 1, 15, true), [0x7fff]);
        assert_eq!(read(&[1, 2], 2, 1, 16, true), [0x102]);
        assert_eq!(read(&[1, 2], 2, 1, 16, false), [0x201]);
    }

    #[test]
    fn a_prediction_is_undone_row_by_row_and_sample_by_sample() {
        let mut values = [1, 10, 2, 20, 5, 50, 0xfff, 0xfff];
        undo_prediction(&mut values, 4, 2, 12);
        assert_eq!(values, [1, 10, 3, 30, 5, 50, 4, 49]);
    }
}
