//! From channels to luminance and a judgement on colour.

/// Luminance over 0..=65535, and whether the picture is coloured.
pub(crate) struct Grey {
    pub luminance: Vec<u16>,
    pub colour: bool,
}

/// The chroma a pixel of a grey picture may have: 8/255 of the range, in steps of 1/65535.
const CHROMA_MAX: u16 = 8 * 257;

impl Grey {
    /// One channel that is already over 0..=65535.
    pub fn of_grey(luminance: Vec<u16>) -> Self {
        Self { luminance, colour: false }
    }

    /// Pixels of red, green and blue over 0..=65535.
    pub fn of_rgb(pixels: impl Iterator<Item = [u16; 3]>) -> Self {
        let mut coloured = 0_u64;
        let luminance: Vec<u16> = pixels
            .map(|rgb| {
                coloured += u64::from(chroma(rgb) > CHROMA_MAX);
                rec601(rgb)
            })
            .collect();
        let colour = coloured * 200 > luminance.len() as u64; // more than 0.5 %
        Self { luminance, colour }
    }
}

impl Grey {
    /// Makes padding black, which it is where `covered`; gives how much there is.
    pub fn blacken(&mut self, covered: impl Iterator<Item = bool>) -> u64 {
        let mut padding = 0;
        for (value, _) in self.luminance.iter_mut().zip(covered).filter(|(_, covered)| *covered) {
            *value = 0;
            padding += 1;
        }
        padding
    }
}

/// For each sample of so many bits, 1 to 16, its value stretched over 16 bits.
pub(crate) fn stretch_table(bits: u32) -> Vec<u16> {
    let max = (1_u32 << bits) - 1;
    (0..=max).map(|value| ((value * 65535 + max / 2) / max) as u16).collect()
}

/// PS3.3 C.7.6.3.1.2, YBR_FULL, and JFIF, over 0..=65535.
pub(crate) fn rgb_of_ybr([y, b, r]: [u16; 3]) -> [u16; 3] {
    let [y, b, r] = [f32::from(y), f32::from(b) - 32896.0, f32::from(r) - 32896.0]; // 128 of 255
    // The cast saturates.
    [y + 1.402 * r, y - 0.344_136 * b - 0.714_136 * r, y + 1.772 * b].map(|value| value.round() as u16)
}

/// Stretches an 8-bit value over 16 bits.
pub(crate) fn widen(value: u8) -> u16 {
    u16::from(value) * 257
}

fn chroma([r, g, b]: [u16; 3]) -> u16 {
    r.max(g).max(b) - r.min(g).min(b)
}

/// Rec. 601's luma in 16-bit fixed point; the weights add up to 65536, as in Pillow's `convert("L")`.
fn rec601([r, g, b]: [u16; 3]) -> u16 {
    let sum = 19595 * u32::from(r) + 38470 * u32::from(g) + 7471 * u32::from(b);
    ((sum + 0x8000) >> 16) as u16
}

#[cfg(test)]
mod tests {
    use super::{Grey, rec601};

    #[test]
    fn equal_channels_keep_their_value() {
        for value in [0, 1, 4095, 65534, 65535] {
            assert_eq!(rec601([value; 3]), value);
        }
    }

    #[test]
    fn colour_needs_more_than_half_a_percent_of_the_pixels() {
        let picture = |coloured: usize, chroma: u16| {
            Grey::of_rgb((0..1000).map(move |i| if i < coloured { [chroma, 0, 0] } else { [9000; 3] })).colour
        };
        assert!(!picture(5, 60000));
        assert!(picture(6, 60000));
        assert!(!picture(1000, 8 * 257));
        assert!(picture(1000, 8 * 257 + 1));
    }
}
