//! Why calls cannot be compared.

use std::fmt;

use cspine_domain::Class;

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file's name.
    pub file: String,
    /// From 1; the header is a line.
    pub line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}", self.file, self.line)
    }
}

/// Why calls cannot be compared.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say it; fields are the words in them")]
pub enum CallsError {
    #[error("{file} cannot be read: {source}")]
    Read { file: String, source: std::io::Error },
    #[error("{file} is larger than {mib_max} MiB")]
    TooLarge { file: String, mib_max: u64 },
    #[error("{place} is no sound CSV: {what}")]
    Csv { place: Place, what: String },
    #[error("{file} has no column '{column}'")]
    MissingColumn { file: String, column: &'static str },
    #[error("{file} has two columns '{column}'")]
    RepeatedColumn { file: String, column: &'static str },
    #[error("{file} holds no rows")]
    NoRows { file: String },
    #[error("{place}: the {column} is empty")]
    Unnamed { place: Place, column: &'static str },
    #[error("{place}, image {image}: the {column} '{word}' is none of dislocation, fracture, normal")]
    UnknownClass { place: Place, image: String, column: &'static str, word: String },
    #[error("{place}, image {image}: '{word}' is no probability for {class}: it must be a number from 0 to 1")]
    NoProbability { place: Place, image: String, class: Class, word: String },
    #[error("{place}, image {image}: probabilities sum to {sum}, not to 1")]
    Sum { place: Place, image: String, sum: f64 },
    #[error("{place}, image {image}: probabilities without a call; an abstention has neither")]
    AbstainedWithProbabilities { place: Place, image: String },
    #[error("{place}, image {image}: {reader} gives no probabilities here, but does for other images")]
    SomeProbabilities { place: Place, image: String, reader: String },
    #[error("{place}, image {image}: {reader} has called it before, at {first}")]
    CalledTwice { place: Place, image: String, reader: String, first: Place },
    #[error("{reader} has no call for image {image} ({place}); an abstention needs a line with an empty call")]
    NotCalled { place: Place, image: String, reader: String },
    #[error("{place}, image {image}: no truth says what it shows")]
    NoLabel { place: Place, image: String },
    #[error("{place}, image {image}: labelled {label}, but {first_label} at {first}")]
    Contradiction { place: Place, image: String, label: Class, first_label: Class, first: Place },
}
