//! The parameters of a JPEG-LS scan, and their defaults (T.87 C.2.4.1.1 and A.2.1).

use crate::Fault;

/// A preset of an LSE segment; 0 stands for the default.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Preset {
    maximum: i32,
    thresholds: [i32; 3],
    reset: i32,
}

/// What a coder goes by.
#[derive(Debug)]
pub(super) struct Parameters {
    /// MAXVAL: the largest sample.
    pub maximum: i32,
    /// NEAR: how far a sample may be from the one coded.
    pub near: i32,
    /// By gradient, from −MAXVAL on: its level.
    levels: Vec<i8>,
    /// RESET: how often a context is used before its counts are halved.
    pub reset: i32,
    /// RANGE: of the prediction errors.
    pub range: i32,
    /// qbpp: bits of an error that is written as it is.
    pub error_bits: u32,
    /// LIMIT: bits of the longest code.
    pub limit: u32,
}

impl Preset {
    /// Reads an LSE segment; `None` where it is a mapping table, which only matters to a scan that names it.
    pub fn read(segment: &[u8]) -> Result<Option<Self>, Fault> {
        match segment {
            [1, values @ ..] if values.len() >= 10 => {
                let values: Vec<i32> =
                    values.as_chunks().0.iter().take(5).map(|&value| u16::from_be_bytes(value).into()).collect();
                Ok(Some(Self { maximum: values[0], thresholds: [values[1], values[2], values[3]], reset: values[4] }))
            }
            [2 | 3, ..] => Ok(None),
            [4, ..] => Err(Fault::Unsupported("a JPEG-LS stream with a size of its own")),
            _ => Err(Fault::Damaged("a JPEG-LS preset that is too short")),
        }
    }
}

impl Parameters {
    pub fn new(preset: &Preset, precision: u8, near: i32) -> Result<Self, Fault> {
        const IMPOSSIBLE: Fault = Fault::Damaged("a JPEG-LS stream of impossible parameters");
        let largest = (1 << precision) - 1;
        let or = |value: i32, default: i32| if value == 0 { default } else { value };
        let maximum = or(preset.maximum, largest);
        if maximum > largest || near > maximum / 2 {
            return Err(IMPOSSIBLE);
        }
        let defaults = thresholds(maximum, near);
        let thresholds: [i32; 3] = std::array::from_fn(|at| or(preset.thresholds[at], defaults[at]));
        let reset = or(preset.reset, 64);
        let ordered = near < thresholds[0] && thresholds.is_sorted() && thresholds[2] <= maximum;
        // A maximum below 3 leaves no room for three thresholds; the defaults are then what the standard makes of them.
        if (!ordered && thresholds != defaults) || reset < 3 {
            return Err(IMPOSSIBLE);
        }
        let range = (maximum + 2 * near) / (2 * near + 1) + 1;
        let bits = |count: i32| 32 - (count - 1).leading_zeros();
        let sample_bits = bits(maximum + 1).max(2);
        let limit = 2 * (sample_bits + sample_bits.max(8));
        let levels = (-maximum..=maximum).map(|gradient| level(gradient, near, thresholds)).collect();
        Ok(Self { maximum, near, levels, reset, range, error_bits: bits(range), limit })
    }

    /// The level of a difference of two samples.
    #[inline]
    pub fn level(&self, gradient: i32) -> i32 {
        self.levels[(gradient + self.maximum) as usize].into()
    }
}

/// The level of a gradient, −4 to 4, by the thresholds T1, T2 and T3 (T.87 A.3.3).
fn level(gradient: i32, near: i32, [t1, t2, t3]: [i32; 3]) -> i8 {
    let size = gradient.abs();
    let level = match () {
        () if size <= near => 0,
        () if size < t1 => 1,
        () if size < t2 => 2,
        () if size < t3 => 3,
        () => 4,
    };
    if gradient < 0 { -level } else { level }
}

/// The default thresholds.
fn thresholds(maximum: i32, near: i32) -> [i32; 3] {
    let wanted = if maximum >= 128 {
        let factor = (maximum.min(4095) + 128) / 256;
        [factor + 2 + 3 * near, 4 * factor + 3 + 5 * near, 17 * factor + 4 + 7 * near]
    } else {
        let factor = 256 / (maximum + 1);
        [2.max(3 / factor + 3 * near), 3.max(7 / factor + 5 * near), 4.max(21 / factor + 7 * near)]
    };
    let mut least = near + 1;
    wanted.map(|threshold| {
        least = if threshold > maximum || threshold < least { least } else { threshold };
        least
    })
}
