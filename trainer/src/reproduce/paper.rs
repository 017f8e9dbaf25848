//! What Naguib et al. report (Diagnostics 2023, 13(7), 1273), and what its arithmetic makes of it.

use serde::Serialize;

/// A row of the paper's Table 1, percent. Its "accuracy" is the mean of the three one-vs-rest accuracies.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Row {
    /// The network.
    pub network: &'static str,
    /// Mean over the classes of the share of right one-vs-rest decisions.
    pub accuracy: f64,
    /// Mean over the classes.
    pub sensitivity: f64,
    /// Mean over the classes.
    pub specificity: f64,
    /// Mean over the classes.
    pub precision: f64,
    /// Mean over the classes; not in the abstract, from which GoogLeNet's row is.
    pub f1: Option<f64>,
    /// What that is in right answers of all: the plain accuracy.
    pub plain: f64,
    /// How it follows.
    pub decoded: &'static str,
}

/// Both networks.
pub const TABLE_1: [Row; 2] = [
    Row {
        network: "GoogLeNet",
        accuracy: 99.56,
        sensitivity: 99.33,
        specificity: 99.67,
        precision: 99.33,
        f1: None,
        plain: 99.34,
        decoded: "two wrong of 301: 299 right are 99.34 % plainly, and 1 − 4/903 = 99.56 % as the mean of one-vs-rest accuracies",
    },
    Row {
        network: "AlexNet",
        accuracy: 59.2,
        sensitivity: 33.33,
        specificity: 66.67,
        precision: 13.0,
        f1: Some(18.67),
        plain: 38.87,
        decoded: "the row of a network that calls every image a fracture: 117 right of 301 are 38.87 % plainly and 59.25 % \
                  as the mean of one-vs-rest accuracies; it had collapsed",
    },
];
