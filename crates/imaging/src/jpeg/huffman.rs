//! Huffman tables (T.81 annex C and F.2.2.3).

use super::bits::Bits;
use crate::Fault;

/// Codes of up to this many bits are found in one look-up.
const LOOK_UP: u32 = 10;

/// A table of codes of 1 to 16 bits.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// By the next bits: the code's length << 8 | its symbol; 0 where the code is longer.
    short: Vec<u16>,
    /// By length: the first 16-bit pattern that lies beyond the codes of this length.
    limit: [u32; 17],
    /// By length: what to add to a code for its place among the symbols.
    offset: [i32; 17],
    symbols: Vec<u8>,
}

impl Table {
    /// Reads one table: the number of codes of each length, and their symbols. Gives the bytes behind it.
    pub fn read(segment: &[u8]) -> Result<(Self, &[u8]), Fault> {
        const SHORT: Fault = Fault::Damaged("a Huffman table that is too short");
        let (counts, rest) = segment.split_first_chunk::<16>().ok_or(SHORT)?;
        let total = counts.iter().map(|&count| usize::from(count)).sum();
        let (symbols, rest) = rest.split_at_checked(total).ok_or(SHORT)?;
        let mut table =
            Self { short: vec![0; 1 << LOOK_UP], limit: [0; 17], offset: [0; 17], symbols: symbols.to_vec() };
        let mut code = 0_u32;
        let mut at = 0;
        for length in 1..=16 {
            table.offset[length as usize] = at as i32 - code as i32;
            for _ in 0..counts[length as usize - 1] {
                if code >= 1 << length {
                    return Err(Fault::Damaged("a Huffman table of more codes than there are"));
                }
                if length <= LOOK_UP {
                    let first = (code << (LOOK_UP - length)) as usize;
                    let entry = (length as u16) << 8 | u16::from(symbols[at]);
                    table.short[first..first + (1 << (LOOK_UP - length))].fill(entry);
                }
                code += 1;
                at += 1;
            }
            table.limit[length as usize] = code << (16 - length);
            code <<= 1;
        }
        Ok((table, rest))
    }

    /// Takes one symbol; 16 bits must be available.
    #[inline]
    pub fn symbol(&self, bits: &mut Bits<'_>) -> Result<u8, Fault> {
        let entry = self.short[bits.peek(LOOK_UP)];
        if entry != 0 {
            bits.skip((entry >> 8).into());
            return Ok(entry as u8);
        }
        self.long_symbol(bits)
    }

    #[cold]
    fn long_symbol(&self, bits: &mut Bits<'_>) -> Result<u8, Fault> {
        let pattern = bits.peek(16) as u32;
        let length = (LOOK_UP + 1..=16).find(|&length| pattern < self.limit[length as usize]);
        let length = length.ok_or(Fault::Damaged("a code that is in no Huffman table"))?;
        bits.skip(length);
        let at = (pattern >> (16 - length)) as i32 + self.offset[length as usize];
        Ok(self.symbols[at as usize])
    }
}

/// The four tables of a class that a stream may define.
#[derive(Debug, Clone, Default)]
pub(super) struct Tables {
    /// Of DC coefficients and lossless differences.
    dc: [Option<Table>; 4],
    ac: [Option<Table>; 4],
}

impl Tables {
    /// Reads a DHT segment.
    pub fn define(&mut self, mut segment: &[u8]) -> Result<(), Fault> {
        while let Some((&kind, rest)) = segment.split_first() {
            let class = if kind & 0xf0 == 0 { &mut self.dc } else { &mut self.ac };
            let (table, rest) = Table::read(rest)?;
            *class.get_mut(usize::from(kind & 0xf)).ok_or(MISSING)? = Some(table);
            segment = rest;
        }
        Ok(())
    }

    pub fn dc(&self, number: u8) -> Result<&Table, Fault> {
        self.dc.get(usize::from(number)).and_then(Option::as_ref).ok_or(MISSING)
    }

    pub fn ac(&self, number: u8) -> Result<&Table, Fault> {
        self.ac.get(usize::from(number)).and_then(Option::as_ref).ok_or(MISSING)
    }
}

const MISSING: Fault = Fault::Damaged("a Huffman table that is missing");

#[cfg(test)]
mod tests {
    use super::{Bits, Table};

    #[test]
    fn short_and_long_codes_give_their_symbols() {
        // One code of each length: 0, 10, 110, … of 1 to 16 bits.
        let segment: Vec<u8> = [1; 16].into_iter().chain(1..=16).collect();
        let (table, rest) = Table::read(&segment).unwrap();
        assert!(rest.is_empty());
        for length in 1..=16_u32 {
            let code = (!(u32::MAX >> (length - 1))).to_be_bytes();
            let stream: Vec<u8> =
                code.iter().flat_map(|&byte| [byte, 0].into_iter().take(1 + usize::from(byte == 0xff))).collect();
            let mut bits = Bits::new(&stream, 0);
            bits.refill();
            assert_eq!(table.symbol(&mut bits), Ok(length as u8));
        }
    }

    #[test]
    fn tables_of_too_many_codes_are_refused() {
        let mut segment = vec![0; 16];
        segment[0] = 3;
        segment.extend([1, 2, 3]);
        assert!(Table::read(&segment).is_err());
        assert!(Table::read(&[0; 15]).is_err());
    }
}
