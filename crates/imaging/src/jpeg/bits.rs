//! The entropy-coded bits of a scan.

use super::markers::Segments;
use crate::Fault;

/// Reads the bits of one restart interval after the other, and stops at markers.
///
/// Where the data end it reads zeros; [`Bits::check`] tells whether any of them were used.
pub(super) struct Bits<'a> {
    stream: &'a [u8],
    /// The first byte not yet in `buffer`.
    at: usize,
    /// The next bits, from the highest on.
    buffer: u64,
    /// How many of them are valid.
    count: u32,
    /// How many of those are zeros that the stream does not hold; they are the last ones.
    padding: u32,
}

impl<'a> Bits<'a> {
    pub fn new(stream: &'a [u8], at: usize) -> Self {
        Self { stream, at, buffer: 0, count: 0, padding: 0 }
    }

    /// Makes at least 56 bits available.
    #[inline]
    pub fn refill(&mut self) {
        if let Some(&next) = self.stream.get(self.at..).and_then(<[u8]>::first_chunk) {
            let next = u64::from_be_bytes(next);
            if !has_ff(next) {
                // The bits beyond the whole bytes taken are those that come next, so that they may stand there already.
                self.buffer |= next >> self.count;
                let bytes = (63 - self.count) / 8;
                self.at += bytes as usize;
                self.count += 8 * bytes;
                return;
            }
        }
        self.refill_bytewise();
    }

    #[cold]
    fn refill_bytewise(&mut self) {
        // What stands beyond the valid bits was read in advance and is read again.
        if self.count < 64 {
            self.buffer &= !(u64::MAX >> self.count);
        }
        while self.count <= 55 {
            let byte = match self.stream.get(self.at..) {
                Some([0xff, 0, ..]) => {
                    self.at += 2;
                    0xff
                }
                None | Some([] | [0xff, ..]) => {
                    self.padding += 8;
                    0
                }
                Some([byte, ..]) => {
                    self.at += 1;
                    *byte
                }
            };
            self.buffer |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    /// Bits available after the last refill.
    #[inline]
    pub fn available(&self) -> u32 {
        self.count
    }

    /// The next `count` bits, 1 to 16, without taking them.
    #[inline]
    pub fn peek(&self, count: u32) -> usize {
        (self.buffer >> (64 - count)) as usize
    }

    /// Takes `count` available bits.
    #[inline]
    pub fn skip(&mut self, count: u32) {
        self.buffer <<= count;
        self.count -= count;
    }

    /// Takes `count` bits, 0 to 16, as an unsigned number.
    #[inline]
    pub fn unsigned(&mut self, count: u32) -> u32 {
        if count == 0 {
            return 0;
        }
        if self.count < count {
            self.refill();
        }
        let value = self.peek(count) as u32;
        self.skip(count);
        value
    }

    /// Takes `size` bits, 0 to 16, as a signed number (T.81 F.2.2.1, EXTEND).
    #[inline]
    pub fn signed(&mut self, size: u32) -> i32 {
        if size == 0 {
            return 0;
        }
        let value = (self.buffer >> (64 - size)) as i32;
        self.skip(size);
        // Below half of the range lie the negative numbers.
        let negative = (value >> (size - 1)) - 1;
        value + (negative & (1 - (1 << size)))
    }

    /// Whether every bit taken was in the stream.
    pub fn check(&self) -> Result<(), Fault> {
        if self.padding <= self.count {
            Ok(())
        } else {
            Err(Fault::Damaged("a JPEG stream that ends within its pixels"))
        }
    }

    /// Goes on behind the restart marker of this number, 0 to 7.
    pub fn restart(&mut self, number: u8) -> Result<(), Fault> {
        self.check()?;
        *self = Self::new(self.stream, Segments::next_interval(self.stream, self.at, number)?);
        Ok(())
    }

    /// The markers behind the data: the reader never goes beyond the first.
    pub fn rest(&self) -> Segments<'a> {
        Segments::behind_data(self.stream, self.at)
    }
}

/// Whether one of the eight bytes is 0xff.
pub(super) fn has_ff(bytes: u64) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let inverted = !bytes;
    inverted.wrapping_sub(ONES) & bytes & (ONES << 7) != 0
}
