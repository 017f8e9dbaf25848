//! Independent random streams from one seed: a nuisance stream never sees how many draws the lesion took.

/// SplitMix64 (Steele, Lea & Flood 2014): tiny, and any two seeds give unrelated streams.
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

/// What a stream is for. Each has its own constant, so adding draws to one never shifts another.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    Anatomy = 1,
    Posture = 2,
    Degeneration = 3,
    Acquisition = 4,
    Hardware = 5,
    Lesion = 6,
    Texture = 7,
    Noise = 8,
    Patient = 9,
    Shift = 10,
}

impl Rng {
    pub(crate) fn new(seed: u64, stream: Stream) -> Self {
        let mut rng = Rng(seed ^ (stream as u64).wrapping_mul(0xd605_1d1b_5c3b_1a57));
        rng.next();
        Rng(rng.next() ^ seed.rotate_left(32))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }

    pub(crate) fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    pub(crate) fn chance(&mut self, p: f32) -> bool {
        self.unit() < p
    }

    /// Normal by the sum of twelve uniforms, cut at `limit` standard deviations.
    pub(crate) fn normal(&mut self, mean: f32, sd: f32, limit: f32) -> f32 {
        let sum: f32 = (0..12).map(|_| self.unit()).sum();
        mean + sd * (sum - 6.0).clamp(-limit, limit)
    }

    /// One of `weights.len()` indices, with these odds.
    pub(crate) fn pick(&mut self, weights: &[f32]) -> usize {
        let mut left = self.unit() * weights.iter().sum::<f32>();
        for (i, w) in weights.iter().enumerate() {
            left -= w;
            if left < 0.0 {
                return i;
            }
        }
        weights.len() - 1
    }

    pub(crate) fn sign(&mut self) -> f32 {
        if self.chance(0.5) { 1.0 } else { -1.0 }
    }
}
