//! AUCs with their errors, and the difference of two readers' AUCs on the same images.
//!
//! DeLong, DeLong and Clarke-Pearson, Biometrics 1988, 44, 837: the variance of an AUC is that of its structural
//! components, a case's being the share of controls that it beats and a control's the share of cases that beat it.
//! Sun and Xu, IEEE Signal Processing Letters 2014, 21, 1389: the components are differences of midranks, so that sorting
//! does instead of comparing every case with every control.

use serde::Serialize;

use super::two_sided;
use super::wilson::Z;

/// An area under the ROC curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Area {
    /// From 0 to 1; as [`area`](super::area) has it.
    pub auc: f64,
    /// DeLong's. `None` with fewer than two cases or controls, and where it is 0 (every case above every control, or all
    /// scores alike), which says that the sample is too easy for it and not that the figure is certain.
    pub standard_error: Option<f64>,
    /// At 95 %, the area ± 1.96 standard errors, cut at 0 and 1.
    pub interval: Option<[f64; 2]>,
    /// Images that the score should put above.
    pub cases: usize,
    /// The other images.
    pub controls: usize,
}

/// The difference of two AUCs on the same images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DeLong {
    /// The first's and the second's.
    pub aucs: [f64; 2],
    /// The first's less the second's.
    pub difference: f64,
    /// Of the difference.
    pub standard_error: f64,
    /// Of the difference at 95 %, cut at −1 and 1.
    pub interval: [f64; 2],
    /// Difference over standard error. `None` if that is 0 and the difference is not: such a sample cannot be tested.
    pub z: Option<f64>,
    /// Two-sided, from the normal distribution: for large samples. `None` without `z`.
    pub p: Option<f64>,
    /// Images that the scores should put above.
    pub cases: usize,
    /// The other images.
    pub controls: usize,
}

/// How each image does against those of the other sort, a tie counting one half.
struct Wins {
    /// A case's: controls that it beats.
    cases: Vec<f64>,
    /// A control's: cases that beat it.
    controls: Vec<f64>,
}

impl Area {
    /// Of each image's score and whether it is a case; `None` without cases or without controls.
    pub fn of(images: &[(f64, bool)]) -> Option<Area> {
        let wins = Wins::of(images);
        let auc = wins.auc()?;
        let standard_error = wins.variance().map(f64::sqrt).filter(|error| *error > 0.0);
        let interval = standard_error.map(|error| [(auc - Z * error).max(0.0), (auc + Z * error).min(1.0)]);
        Some(Area { auc, standard_error, interval, cases: wins.cases.len(), controls: wins.controls.len() })
    }
}

/// Tests the first reader's AUC against the second's; each image is both scores and whether it is a case. `None` with
/// fewer than two cases or two controls.
pub fn delong(images: &[([f64; 2], bool)]) -> Option<DeLong> {
    let [first, second] =
        [0, 1].map(|reader| Wins::of(&images.iter().map(|(s, case)| (s[reader], *case)).collect::<Vec<_>>()));
    let aucs = [first.auc()?, second.auc()?];
    let difference = aucs[0] - aucs[1];
    // The variance of a difference is that of the components' differences: both covariances are in it.
    let wins = Wins { cases: minus(&first.cases, &second.cases), controls: minus(&first.controls, &second.controls) };
    let standard_error = wins.variance()?.sqrt();
    let z = match (difference, standard_error) {
        (0.0, _) => Some(0.0),
        (_, 0.0) => None,
        _ => Some(difference / standard_error),
    };
    let interval = [(difference - Z * standard_error).max(-1.0), (difference + Z * standard_error).min(1.0)];
    let (cases, controls) = (wins.cases.len(), wins.controls.len());
    Some(DeLong { aucs, difference, standard_error, interval, z, p: z.map(two_sided), cases, controls })
}

impl Wins {
    fn of(images: &[(f64, bool)]) -> Wins {
        let all: Vec<f64> = images.iter().map(|(score, _)| *score).collect();
        let among_all = midranks(&all);
        let of_sort = |sort: bool| -> Vec<f64> {
            let chosen = images.iter().zip(&among_all).filter(|((_, case), _)| *case == sort);
            let (scores, ranks): (Vec<f64>, Vec<f64>) = chosen.map(|((score, _), rank)| (*score, *rank)).unzip();
            // The rank among all less that among its own is the number of the others below it.
            minus(&ranks, &midranks(&scores))
        };
        let cases = of_sort(true);
        let controls = of_sort(false).into_iter().map(|below| cases.len() as f64 - below).collect();
        Wins { cases, controls }
    }

    fn auc(&self) -> Option<f64> {
        let pairs = (self.cases.len() * self.controls.len()) as f64;
        (pairs > 0.0).then(|| self.cases.iter().sum::<f64>() / pairs)
    }

    /// Of the AUC: the components' sample variances, each over its number. `None` with fewer than two of a sort.
    fn variance(&self) -> Option<f64> {
        let (cases, controls) = (self.cases.len() as f64, self.controls.len() as f64);
        let of_cases = sample_variance(&self.cases)? / (controls * controls);
        let of_controls = sample_variance(&self.controls)? / (cases * cases);
        Some(of_cases / cases + of_controls / controls)
    }
}

/// Ranks from 1, ties sharing their mean.
fn midranks(scores: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let (mut ranks, mut below) = (vec![0.0; scores.len()], 0);
    for tied in order.chunk_by(|a, b| scores[*a] == scores[*b]) {
        for image in tied {
            ranks[*image] = below as f64 + (tied.len() + 1) as f64 / 2.0;
        }
        below += tied.len();
    }
    ranks
}

/// `None` of fewer than two. Wins are halves of whole numbers, so that it is exactly 0 where they are all alike.
fn sample_variance(wins: &[f64]) -> Option<f64> {
    let (n, sum) = (wins.len() as f64, wins.iter().sum::<f64>());
    let squares = wins.iter().map(|w| (n * w - sum).powi(2)).sum::<f64>();
    (wins.len() > 1).then(|| squares / (n * n * (n - 1.0)))
}

fn minus(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

#[cfg(test)]
mod tests;
