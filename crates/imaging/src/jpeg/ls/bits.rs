//! The bits of a JPEG-LS scan: behind a byte 0xff comes one of seven bits (T.87 A.1).

use crate::Fault;
use crate::jpeg::bits::has_ff;
use crate::jpeg::markers::Segments;

/// Reads bits up to the next marker. Where the data end it reads zeros, and [`Bits::check`] tells.
pub(super) struct Bits<'a> {
    stream: &'a [u8],
    at: usize,
    /// The next bits, from the highest on.
    buffer: u64,
    /// How many of them are valid.
    count: u32,
    /// How many of those are zeros that the stream does not hold.
    padding: u32,
    /// Whether the byte before was 0xff.
    stuffed: bool,
}

impl<'a> Bits<'a> {
    pub fn new(stream: &'a [u8], at: usize) -> Self {
        Self { stream, at, buffer: 0, count: 0, padding: 0, stuffed: false }
    }

    /// Makes at least 56 bits available.
    #[inline]
    fn refill(&mut self) {
        let next = self.stream.get(self.at..).and_then(<[u8]>::first_chunk).map(|&next| u64::from_be_bytes(next));
        match next {
            Some(next) if !self.stuffed && !has_ff(next) => {
                // The bits beyond the whole bytes taken are those that come next, so that they may stand there already.
                self.buffer |= next >> self.count;
                let bytes = (63 - self.count) / 8;
                self.at += bytes as usize;
                self.count += 8 * bytes;
            }
            _ => self.refill_bytewise(),
        }
    }

    #[cold]
    fn refill_bytewise(&mut self) {
        // What stands beyond the valid bits was read in advance and is read again.
        self.buffer &= !(u64::MAX >> self.count);
        while self.count <= 55 {
            let byte = match self.stream.get(self.at..) {
                None | Some([] | [0xff] | [0xff, 0x80..=0xff, ..]) => {
                    self.padding += 8;
                    self.stuffed = false;
                    0
                }
                Some([byte, ..]) => {
                    self.at += 1;
                    *byte
                }
            };
            let bits = 8 - u32::from(std::mem::replace(&mut self.stuffed, byte == 0xff));
            self.buffer |= (u64::from(byte) << 56 << (8 - bits)) >> self.count;
            self.count += bits;
        }
    }

    #[inline]
    fn skip(&mut self, count: u32) {
        self.buffer <<= count;
        self.count -= count;
    }

    /// Takes `count` bits, 0 to 31.
    #[inline]
    pub fn read(&mut self, count: u32) -> u32 {
        if count == 0 {
            return 0;
        }
        if self.count < count {
            self.refill();
        }
        let value = (self.buffer >> (64 - count)) as u32;
        self.skip(count);
        value
    }

    /// Takes a limited-length Golomb code (T.87 A.5.3): `k` low bits, or `escape_bits` behind `limit` zeros.
    #[inline]
    pub fn golomb(&mut self, k: u32, limit: u32, escape_bits: u32) -> Result<i32, Fault> {
        if self.count < 56 {
            self.refill();
        }
        let zeros = self.zeros();
        if zeros < limit {
            let value = u64::from(zeros) << k | u64::from(self.read(k));
            i32::try_from(value).map_err(|_| super::coder::IMPOSSIBLE)
        } else if zeros == limit {
            Ok(self.read(escape_bits) as i32 + 1)
        } else {
            Err(super::coder::IMPOSSIBLE)
        }
    }

    /// Takes the zeros before the next one, and the one; more zeros than any limit where there is none.
    #[inline]
    fn zeros(&mut self) -> u32 {
        let zeros = self.buffer.leading_zeros();
        if zeros >= self.count {
            return self.many_zeros();
        }
        self.skip(zeros + 1);
        zeros
    }

    /// The same where all available bits are zeros.
    #[cold]
    fn many_zeros(&mut self) -> u32 {
        let before = self.count;
        self.skip(before);
        self.refill();
        let zeros = self.buffer.leading_zeros();
        if zeros < self.count {
            self.skip(zeros + 1);
        }
        before + zeros
    }

    /// Whether every bit taken was in the stream.
    pub fn check(&self) -> Result<(), Fault> {
        if self.padding <= self.count {
            Ok(())
        } else {
            Err(Fault::Damaged("a JPEG-LS stream that ends within its pixels"))
        }
    }

    /// Goes on behind the restart marker of this number, 0 to 7.
    pub fn restart(&mut self, number: u8) -> Result<(), Fault> {
        *self = Self::new(self.stream, Segments::next_interval(self.stream, self.at, number)?);
        Ok(())
    }

    /// The markers behind the data.
    pub fn rest(&self) -> Segments<'a> {
        Segments::behind_data(self.stream, self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::Bits;

    #[test]
    fn a_code_of_as_many_zeros_as_bits_are_at_hand_is_read() {
        // 56 zeros, a one, and 7 bits of an escaped value; as it is, and with a byte 0xff ahead, which is read bytewise.
        let stream = [0, 0, 0, 0, 0, 0, 0, 0x80 | 42, 0x55, 0xaa, 0, 0, 0, 0, 0, 0];
        assert_eq!(Bits::new(&stream, 0).golomb(0, 56, 7), Ok(43));
        let stuffed = [&stream[..9], &[0xff]].concat();
        assert_eq!(Bits::new(&stuffed, 0).golomb(0, 56, 7), Ok(43));
        assert!(Bits::new(&[0; 40], 0).golomb(0, 56, 7).is_err());
        assert!(Bits::new(&[], 0).golomb(0, 56, 7).is_err());
    }
}
