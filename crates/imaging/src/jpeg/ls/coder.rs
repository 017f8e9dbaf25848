//! Contexts and errors of JPEG-LS (T.87 annex A): what a scan has learnt, and how it codes a prediction error.

use super::bits::Bits;
use super::parameters::Parameters;
use crate::Fault;

pub(super) const IMPOSSIBLE: Fault = Fault::Damaged("a JPEG-LS stream of impossible codes");

/// J: how long the runs are that one bit stands for, as an exponent of two.
const RUN_LENGTHS: [u32; 32] =
    [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15];

pub(super) struct Coder<'a> {
    pub parameters: &'a Parameters,
    contexts: Vec<Context>,
    /// By whether the samples to the left and above are alike.
    run_contexts: [RunContext; 2],
}

/// A, B, C and N of a regular context.
#[derive(Clone, Copy)]
struct Context {
    magnitude: i32,
    bias: i32,
    correction: i32,
    count: i32,
}

/// A, N and Nn of a context of the sample that ends a run.
#[derive(Clone, Copy)]
struct RunContext {
    magnitude: i32,
    count: i32,
    negative: i32,
}

impl<'a> Coder<'a> {
    pub fn new(parameters: &'a Parameters) -> Self {
        let magnitude = ((parameters.range + 32) / 64).max(2);
        Self {
            parameters,
            contexts: vec![Context { magnitude, bias: 0, correction: 0, count: 1 }; 365],
            run_contexts: [RunContext { magnitude, count: 1, negative: 0 }; 2],
        }
    }

    /// The context of three gradients: −364 to 364, and 0 where all are flat.
    #[inline]
    pub fn context(&self, gradients: [i32; 3]) -> i32 {
        let [first, second, third] = gradients.map(|gradient| self.parameters.level(gradient));
        81 * first + 9 * second + third
    }

    /// A sample of the regular mode from its neighbours to the left, above, and above to the left.
    #[inline]
    pub fn regular(&mut self, bits: &mut Bits<'_>, context: i32, [a, b, c]: [i32; 3]) -> Result<i32, Fault> {
        let parameters = self.parameters;
        let sign = if context < 0 { -1 } else { 1 };
        let context = &mut self.contexts[context.unsigned_abs() as usize];
        let predicted = if c >= a.max(b) {
            a.min(b)
        } else if c <= a.min(b) {
            a.max(b)
        } else {
            a + b - c
        };
        let predicted = (predicted + sign * context.correction).clamp(0, parameters.maximum);
        let k = golomb_parameter(context.count, context.magnitude);
        let coded = bits.golomb(k, parameters.limit - parameters.error_bits - 1, parameters.error_bits)?;
        let error = (coded >> 1) ^ -(coded & 1);
        let turned = k == 0 && parameters.near == 0 && 2 * context.bias <= -context.count;
        let error = if turned { -error - 1 } else { error };
        if error.abs() > 0xffff {
            return Err(IMPOSSIBLE);
        }
        context.learn(error, parameters);
        Ok(parameters.reconstruct(predicted, sign * error))
    }

    /// Reads how many of the `left` samples of a line repeat.
    pub fn run(&self, bits: &mut Bits<'_>, index: &mut usize, left: usize) -> Result<usize, Fault> {
        let mut length = 0;
        while bits.read(1) == 1 {
            let whole = 1 << RUN_LENGTHS[*index];
            if whole <= left - length {
                *index = (*index + 1).min(RUN_LENGTHS.len() - 1);
            }
            length += whole.min(left - length);
            if length == left {
                return Ok(left);
            }
        }
        length += bits.read(RUN_LENGTHS[*index]) as usize;
        if length < left { Ok(length) } else { Err(IMPOSSIBLE) }
    }

    /// The sample that ends a run, from its neighbours to the left and above. `alike` says whether those count as equal.
    pub fn run_end(&mut self, bits: &mut Bits<'_>, index: usize, [a, b]: [i32; 2], alike: bool) -> Result<i32, Fault> {
        let parameters = self.parameters;
        let context = &mut self.run_contexts[usize::from(alike)];
        let kind = i32::from(alike);
        let magnitude = context.magnitude + if alike { context.count >> 1 } else { 0 };
        let k = golomb_parameter(context.count, magnitude);
        let limit = (parameters.limit - RUN_LENGTHS[index] - 1).checked_sub(parameters.error_bits + 1);
        let coded = bits.golomb(k, limit.ok_or(IMPOSSIBLE)?, parameters.error_bits)?;
        let (size, odd) = ((coded + kind + 1) >> 1, (coded + kind) & 1 == 1);
        let negative = odd == (k != 0 || 2 * context.negative >= context.count);
        let error = if negative { -size } else { size };
        if size > 0xffff {
            return Err(IMPOSSIBLE);
        }
        context.learn(error, (coded + 1 - kind) >> 1, parameters);
        Ok(if alike {
            parameters.reconstruct(a, error)
        } else {
            parameters.reconstruct(b, if a > b { -error } else { error })
        })
    }
}

impl Context {
    /// T.87 A.6.
    #[inline]
    fn learn(&mut self, error: i32, parameters: &Parameters) {
        self.bias += error * (2 * parameters.near + 1);
        self.magnitude = self.magnitude.saturating_add(error.abs());
        if self.count == parameters.reset {
            self.magnitude >>= 1;
            self.bias >>= 1;
            self.count >>= 1;
        }
        self.count += 1;
        if self.bias <= -self.count {
            self.bias = (self.bias + self.count).max(1 - self.count);
            self.correction = (self.correction - 1).max(-128);
        } else if self.bias > 0 {
            self.bias = (self.bias - self.count).min(0);
            self.correction = (self.correction + 1).min(127);
        }
    }
}

impl RunContext {
    fn learn(&mut self, error: i32, magnitude: i32, parameters: &Parameters) {
        self.negative += i32::from(error < 0);
        self.magnitude = self.magnitude.saturating_add(magnitude);
        if self.count == parameters.reset {
            self.magnitude >>= 1;
            self.count >>= 1;
            self.negative >>= 1;
        }
        self.count += 1;
    }
}

impl Parameters {
    /// A sample from its prediction and error, which wrap around the range.
    #[inline]
    fn reconstruct(&self, predicted: i32, error: i32) -> i32 {
        let step = 2 * self.near + 1;
        let mut sample = predicted + error * step;
        if sample < -self.near {
            sample += self.range * step;
        } else if sample > self.maximum + self.near {
            sample -= self.range * step;
        }
        sample.clamp(0, self.maximum)
    }
}

/// k: how many low bits of an error are written as they are.
#[inline]
fn golomb_parameter(count: i32, magnitude: i32) -> u32 {
    (0..31).find(|&k| i64::from(count) << k >= magnitude.into()).unwrap_or(31)
}
