//! What the head of the network saw, as it is kept: 16-bit floats, little endian. Half the room, and drift is measured on
//! far coarser differences.

use half::f16;

pub(crate) fn written(features: &[f32]) -> Vec<u8> {
    features.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect()
}

pub(crate) fn read(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(2).map(|pair| f16::from_le_bytes([pair[0], pair[1]]).to_f32()).collect()
}

#[cfg(test)]
mod tests {
    use super::{read, written};

    #[test]
    fn features_read_back_within_a_halfs_precision() {
        let features = [0.0, 1.0, -2.5, 0.1, 1234.5, 65504.0];
        assert_eq!(written(&features)[2..4], [0x00, 0x3c], "1 is 0x3c00, low byte first");
        for (before, after) in features.iter().zip(read(&written(&features))) {
            assert!((before - after).abs() <= before.abs() / 2048.0, "{before} became {after}");
        }
    }
}
