//! The Image Pixel module (PS3.3 C.7.6.3), checked.

use cspine_domain::{Note, Notes};

use super::dataset::{Dataset, malformed};
use super::stream::Stream;
use super::tags;
use crate::DecodeError;

/// How the samples of a frame lie and what they mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub rows: u16,
    pub columns: u16,
    pub frames: u64,
    /// 1 or 3.
    pub samples: u16,
    pub photometric: Photometric,
    /// A colour was said of one sample, which was taken for grey.
    pub said_colour: bool,
    /// Three samples lie plane by plane.
    pub planar: bool,
    /// 8 or 16.
    pub bits_allocated: u16,
    /// 1 to `bits_allocated`.
    pub bits_stored: u16,
    /// How far a sample lies above its word's lowest bit.
    shift: u16,
    pub signed: bool,
    /// Bits of a sample in a stream that counts before the bits stored, where it has more; else 0.
    stream_bits: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Photometric {
    /// The lowest value is white when inverted (MONOCHROME1), else black.
    Monochrome {
        inverted: bool,
    },
    Palette,
    Rgb,
    /// Luminance and two colour differences over the full range.
    Ybr {
        /// Where it is not compressed, two pixels share their differences.
        shared: bool,
    },
}

impl Layout {
    pub fn read(dataset: &Dataset<'_>, notes: &mut Notes) -> Result<Self, DecodeError> {
        let needed = |tag, what| dataset.u16(tag, what)?.ok_or(malformed(what));
        let rows = needed(tags::ROWS, "no rows")?;
        let columns = needed(tags::COLUMNS, "no columns")?;
        if rows == 0 || columns == 0 {
            return Err(malformed("an image without pixels"));
        }
        let samples = dataset.u16(tags::SAMPLES_PER_PIXEL, "samples per pixel that are no number")?.unwrap_or(1);
        let bits_allocated = needed(tags::BITS_ALLOCATED, "no bits allocated")?;
        let bits_stored = dataset.u16(tags::BITS_STORED, "bits stored that are no number")?.unwrap_or(bits_allocated);
        if bits_allocated != 8 && bits_allocated != 16 {
            return Err(DecodeError::Unsupported("bits allocated other than 8 and 16"));
        }
        if bits_stored == 0 || bits_stored > bits_allocated {
            return Err(malformed("bits stored and bits allocated contradict each other"));
        }
        const SIGN: &str = "a pixel representation other than 0 and 1";
        let signed = match dataset.u16(tags::PIXEL_REPRESENTATION, SIGN)? {
            None | Some(0) => false,
            Some(1) => true,
            Some(_) => return Err(malformed(SIGN)),
        };
        let planes = dataset.u16(tags::PLANAR_CONFIGURATION, "a planar configuration that is no number")?;
        let (photometric, said_colour) = Photometric::read(dataset, samples, notes)?;
        Ok(Self {
            rows,
            columns,
            frames: frames(dataset, notes)?,
            samples,
            photometric,
            said_colour,
            planar: planes == Some(1),
            bits_allocated,
            bits_stored,
            shift: shift(dataset, bits_allocated, bits_stored, notes),
            signed,
            stream_bits: 0,
        })
    }

    /// The layout of a compressed stream, where its own header surely says otherwise than the data set: one component and
    /// not three.
    pub fn of_stream(mut self, stream: Option<Stream>, notes: &mut Notes) -> Result<Self, DecodeError> {
        let grey = self.photometric.is_monochrome();
        if let Some(stream) = stream {
            if self.samples == 3 && stream.components == 1 {
                notes.insert(Note::SamplesPerPixel);
                self.samples = 1;
                if !grey {
                    self.photometric = Photometric::Monochrome { inverted: false };
                }
            }
            if stream.counts && (self.bits_stored + 1..=self.bits_allocated).contains(&stream.precision) {
                self.stream_bits = stream.precision;
            }
        }
        if self.samples == 3 && grey { Err(DecodeError::Unsupported("a photometric interpretation")) } else { Ok(self) }
    }

    /// The layout of a stream's samples: as many bits as it has, if any sample needs them. Many writers code 12 bits as 16.
    pub fn of_stream_samples(mut self, samples: &[u16], notes: &mut Notes) -> Self {
        let beyond = |&sample: &u16| {
            let above = self.above(sample);
            above != 0 && !(self.signed && above == self.sign_above(sample))
        };
        if self.stream_bits > self.bits_stored && samples.iter().any(beyond) {
            notes.insert(Note::UnusedBits);
            (self.bits_stored, self.shift) = (self.stream_bits, 0);
        }
        self
    }

    /// The layout of samples that together use these bits. Where they use those under the high bit's place and none over
    /// that of the lowest, the high bit is wrong.
    pub fn of_samples(mut self, used: u16, notes: &mut Notes) -> Self {
        let (under, over) = (used & ((1 << self.shift) - 1), u32::from(used) >> self.bits_stored);
        if under != 0 && over == 0 {
            notes.insert(Note::HighBit);
            self.shift = 0;
        }
        self
    }

    /// Pixels of a frame.
    pub fn pixels(&self) -> usize {
        usize::from(self.rows) * usize::from(self.columns)
    }

    /// Bytes of a sample.
    pub fn bytes(&self) -> usize {
        usize::from(self.bits_allocated / 8)
    }

    /// The largest unsigned sample.
    pub fn max(&self) -> u16 {
        u16::MAX >> (16 - self.bits_stored)
    }

    /// The bits of a sample over its stored ones.
    pub fn above(&self, sample: u16) -> u32 {
        // A codec may have repeated the sign of a sample of 8 bits in its word.
        let word = if self.bits_allocated == 8 { sample & 0xff } else { sample };
        u32::from(word) >> (self.shift + self.bits_stored)
    }

    /// What these bits are if they repeat its sign.
    pub fn sign_above(&self, sample: u16) -> u32 {
        let negative = self.signed && self.meaning(self.index(sample) as u16) < 0;
        if negative { (1 << (self.bits_allocated - self.bits_stored - self.shift)) - 1 } else { 0 }
    }

    /// The stored bits of a sample as a number from 0 to `max`; overlays in the other bits fall away.
    pub fn index(&self, sample: u16) -> usize {
        usize::from(sample >> self.shift & self.max())
    }

    /// The whole word of a sample as a number.
    pub fn full(&self, sample: u16) -> i32 {
        match (self.bits_allocated, self.signed) {
            (8, false) => i32::from(sample & 0xff),
            (8, true) => i32::from((sample & 0xff) as i8),
            (_, false) => i32::from(sample),
            (_, true) => i32::from(sample.cast_signed()),
        }
    }

    /// The smallest and the largest stored value.
    pub fn range(&self) -> (i32, i32) {
        let max = i32::from(self.max());
        if self.signed { (-(max / 2) - 1, max / 2) } else { (0, max) }
    }

    /// What those bits mean.
    pub fn meaning(&self, index: u16) -> i32 {
        let half = 1 << (self.bits_stored - 1);
        let index = i32::from(index);
        if self.signed && index >= half { index - 2 * half } else { index }
    }
}

/// How far a sample lies above its word's lowest bit. A high bit that leaves it no room counts for nothing, as for other
/// readers.
fn shift(dataset: &Dataset<'_>, bits_allocated: u16, bits_stored: u16, notes: &mut Notes) -> u16 {
    let high_bit = dataset.u16(tags::HIGH_BIT, "").map(|bit| bit.unwrap_or(bits_stored - 1));
    if let Ok(high_bit) = high_bit
        && (bits_stored - 1..bits_allocated).contains(&high_bit)
    {
        return high_bit + 1 - bits_stored;
    }
    notes.insert(Note::HighBit);
    0
}

impl Photometric {
    /// What it is, and whether it is grey though a colour was said.
    fn read(dataset: &Dataset<'_>, samples: u16, notes: &mut Notes) -> Result<(Self, bool), DecodeError> {
        let word = dataset.code(tags::PHOTOMETRIC_INTERPRETATION).ok_or(malformed("no photometric interpretation"))?;
        let capitals = word.to_ascii_uppercase();
        let (photometric, said_colour) = match (&capitals[..], samples) {
            ("MONOCHROME1", 1 | 3) => (Photometric::Monochrome { inverted: true }, false),
            ("MONOCHROME2", 1 | 3) => (Photometric::Monochrome { inverted: false }, false),
            ("PALETTE COLOR", 1) => (Photometric::Palette, false),
            // The codec of JPEG 2000 undoes its own transformations, ICT and RCT.
            ("RGB" | "YBR_ICT" | "YBR_RCT", 3) => (Photometric::Rgb, false),
            ("YBR_FULL", 3) => (Photometric::Ybr { shared: false }, false),
            ("YBR_FULL_422", 3) => (Photometric::Ybr { shared: true }, false),
            // One sample has no colour, whatever is said; each of these colours is lightest where its samples are highest.
            ("RGB" | "YBR_ICT" | "YBR_RCT" | "YBR_FULL" | "YBR_FULL_422", 1) => {
                (Photometric::Monochrome { inverted: false }, true)
            }
            (_, 1 | 3) => return Err(DecodeError::Unsupported("a photometric interpretation")),
            _ => return Err(malformed("samples per pixel other than 1 and 3")),
        };
        if said_colour || capitals != word {
            notes.insert(Note::PhotometricInterpretation);
        }
        Ok((photometric, said_colour))
    }

    fn is_monochrome(self) -> bool {
        matches!(self, Photometric::Monochrome { .. })
    }
}

/// The number of frames; 0 is one frame, as for other readers.
fn frames(dataset: &Dataset<'_>, notes: &mut Notes) -> Result<u64, DecodeError> {
    const NONE: &str = "a number of frames that is none";
    let Some(number) = dataset.decimal(tags::NUMBER_OF_FRAMES).sure(NONE, notes)? else { return Ok(1) };
    if number < 0.0 || number.fract() != 0.0 || number > f64::from(u32::MAX) {
        return Err(malformed(NONE));
    }
    let digits = dataset.code(tags::NUMBER_OF_FRAMES).is_some_and(|text| text.parse::<u64>().is_ok());
    if number == 0.0 || !digits {
        notes.insert(Note::FrameCount);
    }
    Ok((number as u64).max(1))
}
