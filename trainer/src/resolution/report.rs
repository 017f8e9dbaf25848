//! Figures by input size.

use std::fmt::Write as _;

use cspine_domain::{Class, Sha256};
use cspine_nets::{Architecture, Classifier};
use cspine_phantom::Case;
use serde::Serialize;

use super::cases::Bin;
use super::reader;
use crate::metrics::{McNemar, Proportion, holm};

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// How the films are taken.
    pub preset: String,
    /// Pixels a side of the films.
    pub film_size: u32,
    /// One a model.
    pub readings: Vec<Reading>,
    /// Each two models of one architecture and different input sizes.
    pub pairs: Vec<Pair>,
}

/// Two networks of different input sizes on the same films, the set as it comes.
#[derive(Debug, Clone, Serialize)]
pub struct Pair {
    /// Sides of the smaller and of the larger input, pixels.
    pub input_sizes: [u32; 2],
    /// The larger's share of right classes less the smaller's.
    pub difference: f64,
    /// Of these shares; the first is the smaller's.
    pub mcnemar: McNemar,
    /// Its p, corrected by Holm for all pairs.
    pub mcnemar_p_holm: f64,
    /// The larger's time of a pass over the smaller's.
    pub times: f64,
}

/// A network, and the simulated reader at its resolution.
#[derive(Debug, Clone, Serialize)]
pub struct Reading {
    /// The model file.
    pub model_sha256: Sha256,
    /// The network.
    pub architecture: Architecture,
    /// Side of its input, pixels.
    pub input_size: u32,
    /// Half a pixel in the patient, mm, the mean over the set: the reader's error.
    pub error_mm: f64,
    /// Median time of one pass on this machine, ms.
    pub milliseconds: f64,
    /// Images of the set as it comes.
    pub images: usize,
    /// Share of right classes on it, by the network, with Wilson's interval.
    pub accuracy: f64,
    /// The interval.
    pub accuracy_interval: [f64; 2],
    /// The same without ambiguous cases.
    pub accuracy_clear: f64,
    /// Share of right classes, by the simulated reader.
    pub reader_accuracy: f64,
    /// The same without ambiguous cases.
    pub reader_accuracy_clear: f64,
    /// By size of the injury.
    pub sizes: Vec<Sized>,
    /// Whether the class is right, by film of the set as it comes.
    #[serde(skip)]
    rights: Vec<bool>,
}

/// Injuries of one class and like size.
#[derive(Debug, Clone, Serialize)]
pub struct Sized {
    /// Dislocation or fracture.
    pub class: Class,
    /// From and to, mm.
    pub mm: [f32; 2],
    /// How many.
    pub injuries: usize,
    /// Share called an injury by the network.
    pub called: f64,
    /// Its 95 % interval, Wilson's.
    pub called_interval: [f64; 2],
    /// Share at or over the model's operating point.
    pub flagged: f64,
    /// Share called an injury by the simulated reader.
    pub reader: f64,
}

/// What is said of one film: shares of the readings, by class index; none where there is no answer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Calls {
    /// Of each class.
    pub shares: [f64; Class::COUNT],
    /// Flagged.
    pub flagged: f64,
}

impl Calls {
    /// A network's single call.
    pub fn of((class, flagged): (Class, bool)) -> Self {
        let mut calls = Self { flagged: f64::from(u8::from(flagged)), ..Self::default() };
        calls.shares[class.index()] = 1.0;
        calls
    }

    /// Whether a network's single call is the class.
    fn is(&self, class: Class) -> bool {
        self.shares[class.index()] > 0.5
    }

    fn injury(&self) -> f64 {
        self.shares[Class::Dislocation.index()] + self.shares[Class::Fracture.index()]
    }
}

impl Reading {
    /// From the calls on the natural set, then on the bins, in order.
    pub fn new(
        model: &Classifier,
        milliseconds: f64,
        natural: &[Case],
        bins: &[Bin],
        network: &[Calls],
        reader: &[Calls],
    ) -> Self {
        let input_size = model.card().preprocessing.size;
        let right = |calls: &[Calls], ambiguous_too: bool| {
            let of = natural.iter().zip(calls).filter(|(case, _)| ambiguous_too || !case.ambiguous);
            mean(of.map(|(case, calls)| calls.shares[case.class.index()]))
        };
        let mut begin = natural.len();
        let sizes = bins.iter().map(|bin| {
            let range = begin..begin + bin.cases.len();
            begin = range.end;
            let share = |calls: &[Calls], of: fn(&Calls) -> f64| mean(calls[range.clone()].iter().map(of));
            let called = share(network, Calls::injury);
            Sized {
                class: bin.class,
                mm: bin.mm,
                injuries: bin.cases.len(),
                called,
                called_interval: interval(called, bin.cases.len()),
                flagged: share(network, |calls| calls.flagged),
                reader: share(reader, Calls::injury),
            }
        });
        let accuracy = right(network, true);
        Self {
            model_sha256: model.sha256(),
            architecture: model.card().architecture,
            input_size,
            error_mm: mean(natural.iter().map(|case| f64::from(reader::error_mm(case, input_size)))),
            milliseconds,
            images: natural.len(),
            accuracy,
            accuracy_interval: interval(accuracy, natural.len()),
            accuracy_clear: right(network, false),
            reader_accuracy: right(reader, true),
            reader_accuracy_clear: right(reader, false),
            sizes: sizes.collect(),
            rights: natural.iter().zip(network).map(|(case, calls)| calls.is(case.class)).collect(),
        }
    }
}

impl Pair {
    /// Each two readings that differ in nothing but the input's size and what was learnt at it.
    pub fn all(readings: &[Reading]) -> Vec<Pair> {
        let mut sorted: Vec<&Reading> = readings.iter().collect();
        sorted.sort_by_key(|reading| reading.input_size);
        let mut pairs = Vec::new();
        for (i, small) in sorted.iter().enumerate() {
            let larger =
                |large: &&&Reading| large.architecture == small.architecture && large.input_size > small.input_size;
            pairs.extend(sorted[i + 1..].iter().filter(larger).map(|large| Pair::of(small, large)));
        }
        let corrected = holm(&pairs.iter().map(|pair| pair.mcnemar.p).collect::<Vec<_>>());
        for (pair, p) in pairs.iter_mut().zip(corrected) {
            pair.mcnemar_p_holm = p;
        }
        pairs
    }

    fn of(small: &Reading, large: &Reading) -> Pair {
        let mcnemar = McNemar::of(small.rights.iter().zip(&large.rights).map(|(&small, &large)| [small, large]));
        Pair {
            input_sizes: [small.input_size, large.input_size],
            difference: large.accuracy - small.accuracy,
            mcnemar,
            mcnemar_p_holm: mcnemar.p,
            times: large.milliseconds / small.milliseconds,
        }
    }
}

impl std::fmt::Display for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [small, large] = self.input_sizes;
        write!(
            f,
            "{large} pixels instead of {small}: {:+.2} points (p {:.4}), {:.1} times the time",
            100.0 * self.difference,
            self.mcnemar_p_holm,
            self.times
        )
    }
}

impl Report {
    /// The tables for a terminal.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for reading in &self.readings {
            let _ = writeln!(
                text,
                "{} pixels: {:.2} % right of {} films ({:.2} % without ambiguous), {:.1} ms an image; a reader with an error \
                 of {:.2} mm {:.2} % ({:.2} %)",
                reading.input_size,
                100.0 * reading.accuracy,
                reading.images,
                100.0 * reading.accuracy_clear,
                reading.milliseconds,
                reading.error_mm,
                100.0 * reading.reader_accuracy,
                100.0 * reading.reader_accuracy_clear
            );
            for size in &reading.sizes {
                let [from, to] = size.mm;
                let _ = writeln!(
                    text,
                    "  {:11} {from:>4.1} to {to:>4.1} mm: called {:6.2} %, flagged {:6.2} %, reader {:6.2} % of {}",
                    size.class.as_str(),
                    100.0 * size.called,
                    100.0 * size.flagged,
                    100.0 * size.reader,
                    size.injuries
                );
            }
        }
        for pair in &self.pairs {
            let _ = writeln!(text, "{pair}");
        }
        text
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0usize), |(sum, count), value| (sum + value, count + 1));
    sum / count.max(1) as f64
}

fn interval(share: f64, of: usize) -> [f64; 2] {
    Proportion { count: (share * of as f64).round() as usize, of }.interval().unwrap_or([0.0, 1.0])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(architecture: Architecture, input_size: u32, milliseconds: f64, rights: &[bool]) -> Reading {
        Reading {
            model_sha256: Sha256([input_size as u8; 32]),
            architecture,
            input_size,
            error_mm: 0.5,
            milliseconds,
            images: rights.len(),
            accuracy: rights.iter().filter(|right| **right).count() as f64 / rights.len() as f64,
            accuracy_interval: [0.0, 1.0],
            accuracy_clear: 1.0,
            reader_accuracy: 1.0,
            reader_accuracy_clear: 1.0,
            sizes: vec![],
            rights: rights.to_vec(),
        }
    }

    #[test]
    fn two_sizes_of_one_network_are_compared_on_the_films_that_only_one_has_right() {
        let [mut coarse, mut fine] = [[true; 20]; 2];
        coarse[..8].fill(false);
        fine[7..9].fill(false);
        let readings = [
            reading(Architecture::GoogLeNet, 448, 39.0, &fine),
            reading(Architecture::AlexNet, 227, 3.0, &coarse),
            reading(Architecture::GoogLeNet, 224, 10.0, &coarse),
            reading(Architecture::GoogLeNet, 224, 10.0, &fine),
        ];
        let pairs = Pair::all(&readings);
        assert_eq!(pairs.iter().map(|pair| pair.input_sizes).collect::<Vec<_>>(), [[224, 448]; 2]);
        let pair = &pairs[0];
        // 0 to 6 only the fine one has right, 8 only the coarse one: 2 · (1 + 8) / 2^8, and twice that by Holm.
        assert_eq!((pair.mcnemar.only_first, pair.mcnemar.only_second), (1, 7));
        assert_eq!(pair.to_string(), "448 pixels instead of 224: +30.00 points (p 0.1406), 3.9 times the time");
        assert_eq!(pairs[1].mcnemar.p, 1.0);
    }
}
