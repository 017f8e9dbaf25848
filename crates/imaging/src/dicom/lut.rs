//! Lookup tables (PS3.3 C.11.1.1), also those whose descriptor contradicts their data.

use cspine_domain::{Note, Notes};

use super::dataset::{Dataset, Value, malformed};
use super::tags::{self, Tag};
use crate::DecodeError;

/// The most entries that a descriptor can say.
const COUNT_MAX: usize = 1 << 16;

/// From the first value mapped on, clamped at both ends.
pub(super) struct Lut {
    first: f64,
    entries: Vec<u16>,
    /// The largest value of its bit depth.
    pub max: f64,
}

impl Lut {
    /// The table in the first item of a sequence; `None` without one. `input` is the range of values it is asked for.
    pub fn read(
        dataset: &Dataset<'_>,
        sequence: Tag,
        input: (f64, f64),
        notes: &mut Notes,
    ) -> Result<Option<Self>, DecodeError> {
        let Some(descriptor) = dataset.value_in(sequence, tags::LUT_DESCRIPTOR) else { return Ok(None) };
        let data = dataset.value_in(sequence, tags::LUT_DATA).ok_or(malformed("a lookup table without data"))?;
        Self::of(dataset, (descriptor, data), input, notes).map(Some)
    }

    /// The table of a descriptor and its data.
    pub fn of(
        dataset: &Dataset<'_>,
        (descriptor, data): (Value<'_>, Value<'_>),
        input: (f64, f64),
        notes: &mut Notes,
    ) -> Result<Self, DecodeError> {
        let numbers: Vec<u16> = dataset.u16s(descriptor).take(3).collect();
        let &[count, first, bits] = &numbers[..] else {
            return Err(malformed("a lookup table whose descriptor is too short"));
        };
        if !(1..=16).contains(&bits) {
            return Err(malformed("a lookup table of no bit depth that is one"));
        }
        let count = if count == 0 { COUNT_MAX } else { usize::from(count) };
        let entries = entries(dataset, data, count, bits)?;
        let said = u16::MAX >> (16 - bits);
        // Entries over the bits said are no smaller for it: the table has as many bits as its largest entry.
        let largest = entries.iter().copied().max().unwrap_or(0);
        let max = if largest > said { u16::MAX >> largest.leading_zeros() } else { said };
        let signed = is_signed(first, &descriptor, entries.len(), input);
        let first = if signed { f64::from(first.cast_signed()) } else { f64::from(first) };
        let unsaid = signed && first < 0.0 && descriptor.vr.is_some_and(|vr| vr != *b"SS");
        if max != said || entries.len() != count || unsaid {
            notes.insert(Note::LutDescriptor);
        }
        Ok(Self { first, entries, max: max.into() })
    }

    /// The entry of a value.
    pub fn at(&self, value: f64) -> f64 {
        // The cast saturates below the first entry.
        let index = (value - self.first) as usize;
        self.entries[index.min(self.entries.len() - 1)].into()
    }

    /// The largest entry.
    pub fn largest(&self) -> u16 {
        self.entries.iter().copied().max().unwrap_or(0)
    }

    /// The entry of a value as a share of the largest.
    pub fn share(&self, value: f64) -> f64 {
        self.at(value) / self.max
    }
}

/// The entries, one in two bytes; in one where there are not enough bytes and the depth allows it. More entries than the
/// descriptor says are all taken, up to the most it can say, unless they might be in one byte each.
fn entries(dataset: &Dataset<'_>, data: Value<'_>, count: usize, bits: u16) -> Result<Vec<u16>, DecodeError> {
    match data.bytes.len() / 2 {
        words if words == count || (words > count && bits > 8) => Ok(dataset.u16s(data).take(COUNT_MAX).collect()),
        words if words < count && data.bytes.len() >= count && bits <= 8 => {
            Ok(data.bytes.iter().map(|&byte| byte.into()).take(count).collect())
        }
        _ => Err(malformed("a lookup table of another length than its descriptor says")),
    }
}

/// Whether the first value mapped is signed. Where its input may be negative it is, which writers forget to say, if the
/// table then meets its input.
fn is_signed(first: u16, descriptor: &Value<'_>, count: usize, (min, max): (f64, f64)) -> bool {
    let first = f64::from(first.cast_signed());
    descriptor.vr == Some(*b"SS") || (min < 0.0 && first <= max && first + count as f64 > min)
}
