//! The lossless process (T.81 annex H): each sample is predicted from its neighbours, and the differences are coded.

use super::bits::Bits;
use super::decoder::{Scan, Settings, Sink};
use super::huffman::Table;
use super::markers::Header;
use crate::Fault;

/// The samples of all components, pixel by pixel.
pub(super) struct Samples {
    samples: Vec<u16>,
    width: usize,
    height: usize,
    count: usize,
    precision: u32,
}

/// One component's part of a scan.
struct Channel<'a> {
    /// Its place within a pixel.
    at: usize,
    table: &'a Table,
    above: Vec<i32>,
    line: Vec<i32>,
}

impl Samples {
    pub fn new(header: &Header) -> Result<Self, Fault> {
        let count = header.components.len();
        if !(2..=16).contains(&header.precision) {
            return Err(Fault::Damaged("a lossless JPEG stream of impossible precision"));
        }
        // Of larger factors a scan carries its samples block by block.
        if count > 1 && header.components.iter().any(|component| component.sampling != (1, 1)) {
            return Err(Fault::Unsupported("a lossless JPEG stream whose components are not sampled 1 by 1"));
        }
        Ok(Self {
            samples: vec![0; header.pixels() * count],
            width: header.width.into(),
            height: header.height.into(),
            count,
            precision: header.precision.into(),
        })
    }
}

impl Sink for Samples {
    fn scan(&mut self, bits: &mut Bits<'_>, scan: &Scan, settings: &Settings) -> Result<(), Fault> {
        let point_transform = u32::from(scan.approximation.1);
        if !(1..=7).contains(&scan.start) || point_transform >= self.precision {
            return Err(Fault::Damaged("a lossless JPEG scan of impossible predictor or point transform"));
        }
        if !settings.restart_interval.is_multiple_of(self.width) {
            return Err(Fault::Unsupported("a lossless JPEG stream that restarts within a line"));
        }
        let lines_between = settings.restart_interval / self.width;
        let mut channels = Vec::with_capacity(scan.components.len());
        for component in &scan.components {
            channels.push(Channel {
                at: component.index,
                table: settings.tables.dc(component.dc_table)?,
                above: vec![0; self.width],
                line: vec![0; self.width],
            });
        }
        let origin = 1 << (self.precision - point_transform - 1);
        for y in 0..self.height {
            let restarts = lines_between != 0 && y != 0 && y % lines_between == 0;
            if restarts {
                bits.restart(((y / lines_between - 1) % 8) as u8)?;
            }
            differences(bits, &mut channels)?;
            bits.check()?;
            let first = restarts || y == 0;
            for channel in &mut channels {
                let predictor = if first { 1 } else { scan.start };
                let start = if first { origin } else { channel.above[0] };
                predict(predictor, start, &channel.above, &mut channel.line);
                let line = self.samples[y * self.width * self.count + channel.at..].iter_mut().step_by(self.count);
                for (sample, &value) in line.zip(&channel.line) {
                    *sample = (value << point_transform) as u16;
                }
                std::mem::swap(&mut channel.above, &mut channel.line);
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Vec<u16> {
        self.samples
    }
}

/// Reads the differences of a line; those of the channels alternate.
fn differences(bits: &mut Bits<'_>, channels: &mut [Channel<'_>]) -> Result<(), Fault> {
    if let [channel] = channels {
        for value in &mut channel.line {
            *value = difference(bits, channel.table)?;
        }
        return Ok(());
    }
    for x in 0..channels[0].line.len() {
        for channel in &mut *channels {
            channel.line[x] = difference(bits, channel.table)?;
        }
    }
    Ok(())
}

/// T.81 H.1.2.2: a category, and as many bits; category 16 is 32768 and has none.
#[inline]
fn difference(bits: &mut Bits<'_>, table: &Table) -> Result<i32, Fault> {
    if bits.available() < 32 {
        bits.refill();
    }
    match table.symbol(bits)? {
        16 => Ok(32768),
        category @ 0..16 => Ok(bits.signed(category.into())),
        _ => Err(Fault::Damaged("a lossless JPEG difference of impossible size")),
    }
}

/// Turns a line's differences into samples modulo 2^16 (T.81 table H.1). `start` predicts the first of them.
fn predict(predictor: u8, start: i32, above: &[i32], line: &mut [i32]) {
    match predictor {
        1 => fill(start, above, line, |a, _, _| a),
        2 => fill(start, above, line, |_, b, _| b),
        3 => fill(start, above, line, |_, _, c| c),
        4 => fill(start, above, line, |a, b, c| a + b - c),
        5 => fill(start, above, line, |a, b, c| a + ((b - c) >> 1)),
        6 => fill(start, above, line, |a, b, c| b + ((a - c) >> 1)),
        _ => fill(start, above, line, |a, b, _| (a + b) >> 1),
    }
}

/// `predict` gets the samples to the left, above, and above to the left.
#[inline]
fn fill(start: i32, above: &[i32], line: &mut [i32], predict: impl Fn(i32, i32, i32) -> i32) {
    let Some((first, rest)) = line.split_first_mut() else { return };
    *first = (start + *first) & 0xffff;
    let mut left = *first;
    for (sample, neighbours) in rest.iter_mut().zip(above.windows(2)) {
        left = (predict(left, neighbours[1], neighbours[0]) + *sample) & 0xffff;
        *sample = left;
    }
}
