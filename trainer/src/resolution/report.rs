//! Figures by input size.

use std::fmt::Write as _;

use cspine_domain::{Class, Sha256};
use cspine_nets::Classifier;
use cspine_phantom::Case;
use serde::Serialize;

use super::cases::Bin;
use super::reader;
use crate::metrics::Proportion;

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// How the films are taken.
    pub preset: String,
    /// Pixels a side of the films.
    pub film_size: u32,
    /// One a model.
    pub readings: Vec<Reading>,
}

/// A network, and the simulated reader at its resolution.
#[derive(Debug, Clone, Serialize)]
pub struct Reading {
    /// The model file.
    pub model_sha256: Sha256,
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
        }
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
