//! The lines of a JPEG-LS component, and how one follows from that above (T.87 A.3 and A.7).

use super::bits::Bits;
use super::coder::Coder;
use crate::Fault;

/// The line being read and that above, each with a sample more at both ends.
#[derive(Clone)]
pub(super) struct Lines {
    above: Vec<i32>,
    line: Vec<i32>,
    /// RUNindex: how long runs have been.
    run_index: usize,
}

impl Lines {
    pub fn new(width: usize) -> Self {
        Self { above: vec![0; width + 2], line: vec![0; width + 2], run_index: 0 }
    }

    /// Goes on to the next line. Beyond the ends stand the first sample and the last sample above.
    pub fn advance(&mut self) {
        std::mem::swap(&mut self.above, &mut self.line);
        let width = self.above.len() - 2;
        self.above[width + 1] = self.above[width];
        self.line[0] = self.above[1];
    }

    /// The samples of the line.
    pub fn samples(&self) -> &[i32] {
        &self.line[1..self.line.len() - 1]
    }

    fn gradients(&self, x: usize) -> [i32; 3] {
        let (a, b, c, d) = (self.line[x], self.above[x + 1], self.above[x], self.above[x + 2]);
        [d - b, b - c, c - a]
    }

    /// The neighbours to the left, above, and above to the left.
    fn neighbours(&self, x: usize) -> [i32; 3] {
        [self.line[x], self.above[x + 1], self.above[x]]
    }
}

/// Reads one line of one component.
pub(super) fn decode(coder: &mut Coder<'_>, bits: &mut Bits<'_>, lines: &mut Lines) -> Result<(), Fault> {
    let width = lines.samples().len();
    let mut x = 0;
    while x < width {
        let context = coder.context(lines.gradients(x));
        if context != 0 {
            lines.line[x + 1] = coder.regular(bits, context, lines.neighbours(x))?;
            x += 1;
            continue;
        }
        let left = lines.line[x];
        let length = coder.run(bits, &mut lines.run_index, width - x)?;
        lines.line[x + 1..=x + length].fill(left);
        x += length;
        if x < width {
            let above = lines.above[x + 1];
            let alike = (left - above).abs() <= coder.parameters.near;
            lines.line[x + 1] = coder.run_end(bits, lines.run_index, [left, above], alike)?;
            lines.run_index = lines.run_index.saturating_sub(1);
            x += 1;
        }
    }
    Ok(())
}

/// Reads one line of several components, sample by sample: a run is one of all.
pub(super) fn decode_together(coder: &mut Coder<'_>, bits: &mut Bits<'_>, all: &mut [Lines]) -> Result<(), Fault> {
    let width = all[0].samples().len();
    let mut run_index = all[0].run_index;
    let mut x = 0;
    while x < width {
        let mut contexts = [0; 4];
        for (context, lines) in contexts.iter_mut().zip(&*all) {
            *context = coder.context(lines.gradients(x));
        }
        if contexts != [0; 4] {
            for (context, lines) in contexts.into_iter().zip(&mut *all) {
                lines.line[x + 1] = coder.regular(bits, context, lines.neighbours(x))?;
            }
            x += 1;
            continue;
        }
        let length = coder.run(bits, &mut run_index, width - x)?;
        for lines in &mut *all {
            let left = lines.line[x];
            lines.line[x + 1..=x + length].fill(left);
        }
        x += length;
        if x < width {
            for lines in &mut *all {
                // Here the samples to the left and above never count as alike.
                lines.line[x + 1] = coder.run_end(bits, run_index, [lines.line[x], lines.above[x + 1]], false)?;
            }
            run_index = run_index.saturating_sub(1);
            x += 1;
        }
    }
    all[0].run_index = run_index;
    Ok(())
}
