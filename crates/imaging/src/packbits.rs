//! PackBits: runs and literals of bytes, as TIFF and RLE Lossless of DICOM have them.

/// Fills the plane; `None` if the segment ends before it is full. What follows is padding.
pub(crate) fn unpack(mut packed: &[u8], plane: &mut [u8]) -> Option<()> {
    let mut at = 0;
    while at < plane.len() {
        let (&control, rest) = packed.split_first()?;
        packed = rest;
        let room = plane.len() - at;
        let control = control.cast_signed();
        if control >= 0 {
            let length = control as usize + 1;
            let literal = packed.get(..length)?;
            packed = &packed[length..];
            let kept = length.min(room);
            plane[at..at + kept].copy_from_slice(&literal[..kept]);
            at += kept;
        } else if control != i8::MIN {
            let (&byte, rest) = packed.split_first()?;
            packed = rest;
            let kept = (1 - isize::from(control)).unsigned_abs().min(room);
            plane[at..at + kept].fill(byte);
            at += kept;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::unpack;

    #[test]
    fn packbits_unpacks_literals_and_runs_and_ignores_padding() {
        let mut plane = [0; 8];
        assert_eq!(unpack(&[2, 1, 2, 3, 0x80, 0xfc, 9, 0, 7], &mut plane), Some(()));
        assert_eq!(plane, [1, 2, 3, 9, 9, 9, 9, 9]);
        assert_eq!(unpack(&[2, 1, 2], &mut plane), None);
        assert_eq!(unpack(&[], &mut plane), None);
        assert_eq!(unpack(&[0x80], &mut plane), None);
    }
}
