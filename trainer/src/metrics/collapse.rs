//! Whether a network has collapsed: learnt nothing but how often its training images had which label.

use std::fmt;

use cspine_domain::Class;
use serde::{Deserialize, Serialize};

use super::{Confusion, Proportion};

/// Answered images from which on an accuracy at the majority's share says something: of fewer, a good network's may be
/// there by chance.
const IMAGES_MIN: usize = 30;

/// The 95 % point of the normal distribution.
const Z_ONE_SIDED: f64 = 1.644_853_626_951_472_7;

/// How a network has collapsed. As text, a sentence that goes on after its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Collapse {
    /// It gives one answer to images of several classes.
    ConstantAnswer {
        /// The answer.
        class: Class,
        /// Images for which that is right.
        right: usize,
        /// Answered images.
        of: usize,
    },
    /// It never gives the answer of classes that are there.
    NeverPredicted {
        /// The classes.
        classes: Vec<Class>,
        /// Images of these classes.
        images: usize,
        /// Answered images.
        of: usize,
    },
    /// It is not significantly more often right than the answer of the commonest class to everything, and its answers do
    /// not follow the labels.
    MajorityShare {
        /// The commonest class.
        majority: Class,
        /// Its images.
        images: usize,
        /// Right answers.
        right: usize,
        /// Answered images.
        of: usize,
        /// Cohen's kappa of answers and labels: 0 by chance, 1 at best.
        kappa: f64,
    },
}

/// Whether a network has collapsed, by its answers on images of several classes; images without an answer do not count.
///
/// The third kind needs two conditions, each at 5 % one-sided, and at least 30 images: accuracy not above the majority's
/// share (by Wilson's score interval, 1927), and Cohen's kappa not above 0 (its deviation without agreement by Fleiss,
/// Cohen and Everitt, Psychological Bulletin 72, 323, 1969). The first alone would name good networks too: with 61 normals
/// among 68 images, the paper's own is right less often than "normal" to everything.
pub fn collapse(confusion: &Confusion) -> Option<Collapse> {
    let labels = Class::ALL.iter().map(|class| confusion.counts[class.index()].iter().sum()).collect::<Vec<usize>>();
    let answers = (0..Class::COUNT).map(|i| confusion.counts.iter().map(|row| row[i]).sum()).collect::<Vec<usize>>();
    let of: usize = labels.iter().sum();
    let right = (0..Class::COUNT).map(|i| confusion.counts[i][i]).sum();
    if labels.iter().filter(|count| **count > 0).count() < 2 {
        return None;
    }
    if let Some(class) = Class::ALL.iter().find(|class| answers[class.index()] == of) {
        return Some(Collapse::ConstantAnswer { class: *class, right, of });
    }
    let unsaid = |class: &&Class| answers[class.index()] == 0 && labels[class.index()] > 0;
    let classes: Vec<Class> = Class::ALL.iter().filter(unsaid).copied().collect();
    if !classes.is_empty() {
        let images = classes.iter().map(|class| labels[class.index()]).sum();
        return Some(Collapse::NeverPredicted { classes, images, of });
    }
    let majority = *Class::ALL.iter().max_by_key(|class| labels[class.index()])?;
    let images = labels[majority.index()];
    let (kappa, deviation) = kappa(right, &labels, &answers);
    let at_the_share = !above(right, images, of) && kappa <= Z_ONE_SIDED * deviation;
    (of >= IMAGES_MIN && at_the_share).then_some(Collapse::MajorityShare { majority, images, right, of, kappa })
}

/// Whether `right` of `of` is significantly over `share` of `of`: the share lies below Wilson's one-sided interval.
fn above(right: usize, share: usize, of: usize) -> bool {
    let (n, p) = (of as f64, share as f64 / of as f64);
    right as f64 / n - p > Z_ONE_SIDED * (p * (1.0 - p) / n).sqrt()
}

/// Cohen's kappa, and its standard deviation were there no agreement but by chance.
fn kappa(right: usize, labels: &[usize], answers: &[usize]) -> (f64, f64) {
    let n = labels.iter().sum::<usize>() as f64;
    let shares = labels.iter().zip(answers).map(|(label, answer)| (*label as f64 / n, *answer as f64 / n));
    let by_chance: f64 = shares.clone().map(|(label, answer)| label * answer).sum();
    let cubes: f64 = shares.map(|(label, answer)| label * answer * (label + answer)).sum();
    let kappa = (right as f64 / n - by_chance) / (1.0 - by_chance);
    let variance = (by_chance + by_chance * by_chance - cubes) / n;
    (kappa, variance.max(0.0).sqrt() / (1.0 - by_chance))
}

impl fmt::Display for Collapse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |count: &usize, of: &usize| {
            let share = Proportion { count: *count, of: *of }.value().unwrap_or_default();
            format!("{:.1} %", 100.0 * share)
        };
        match self {
            Collapse::ConstantAnswer { class, right, of } => {
                let right = percent(right, of);
                write!(f, "it answers {class} to every one of {of} images ({right} right: the share of {class})")
            }
            Collapse::NeverPredicted { classes, images, of } => {
                let classes: Vec<&str> = classes.iter().map(|class| class.as_str()).collect();
                write!(f, "it never answers {}, which {images} of {of} images show", classes.join(" or "))
            }
            Collapse::MajorityShare { majority, images, right, of, kappa } => write!(
                f,
                "it is right on {} of {of} images, where {majority} to every image is on {}, and its answers do not follow \
                 the labels (kappa {kappa:.3})",
                percent(right, of),
                percent(images, of)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Class, Collapse, Confusion, collapse, kappa};

    fn of(counts: [[usize; 3]; 3]) -> Option<Collapse> {
        collapse(&Confusion { counts, abstained: [0; 3] })
    }

    #[test]
    fn the_papers_alexnet_answers_fracture_to_everything() {
        let alexnet = of([[0, 80, 0], [0, 117, 0], [0, 104, 0]]).unwrap();
        assert_eq!(alexnet, Collapse::ConstantAnswer { class: Class::Fracture, right: 117, of: 301 });
        let sentence = "it answers fracture to every one of 301 images (38.9 % right: the share of fracture)";
        assert_eq!(alexnet.to_string(), sentence);
        let json = serde_json::json!({"kind": "constant_answer", "class": "fracture", "right": 117, "of": 301});
        assert_eq!(serde_json::to_value(&alexnet).unwrap(), json);
    }

    #[test]
    fn a_class_that_is_there_and_never_answered_is_named() {
        let sentence = of([[0, 8, 2], [0, 19, 1], [0, 0, 30]]).unwrap().to_string();
        assert_eq!(sentence, "it never answers dislocation, which 10 of 60 images show");
        assert_eq!(of([[0, 0, 0], [0, 19, 1], [0, 0, 30]]), None);
    }

    #[test]
    fn answers_at_the_majoritys_share_that_do_not_follow_the_labels_are_a_collapse() {
        let random = of([[2, 76, 2], [3, 111, 3], [2, 100, 2]]).unwrap();
        let Collapse::MajorityShare { majority, images, right, of: all, .. } = &random else { panic!("{random:?}") };
        assert_eq!((*majority, *images, *right, *all), (Class::Fracture, 117, 115, 301));
        let sentence = "it is right on 38.2 % of 301 images, where fracture to every image is on 38.9 %, \
                        and its answers do not follow the labels (kappa -0.005)";
        assert_eq!(random.to_string(), sentence);
    }

    #[test]
    fn a_good_network_on_a_set_of_mostly_one_class_has_not_collapsed() {
        // As often right as the paper's on its 61 normals, 3 dislocations and 4 fractures.
        assert_eq!(of([[2, 1, 0], [0, 3, 1], [2, 4, 55]]), None);
        assert_eq!(of([[79, 1, 0], [0, 116, 0], [0, 1, 104]]), None);
    }

    #[test]
    fn few_images_and_one_class_alone_say_nothing() {
        assert_eq!(of([[1, 1, 1], [1, 1, 1], [1, 1, 1]]), None);
        assert_eq!(of([[0, 0, 0], [0, 50, 0], [0, 0, 0]]), None);
        assert_eq!(of([[0; 3]; 3]), None);
        // Its only dislocations had no answer: that it never answers so is not held against it.
        let silent = Confusion { counts: [[0, 0, 0], [0, 9, 0], [0, 0, 9]], abstained: [4, 0, 0] };
        assert_eq!(collapse(&silent), None);
    }

    #[test]
    fn kappa_and_its_deviation_are_those_of_the_literature() {
        // Fleiss, Levin and Paik, Statistical Methods for Rates and Proportions, 3rd edition, table 18.1: 100 patients.
        let (kappa, deviation) = kappa(75 + 4 + 10, &[80, 10, 10], &[80, 5, 15]);
        assert!((kappa - 0.676_470_588).abs() < 1e-8, "{kappa}");
        assert!((deviation - 0.076).abs() < 5e-4, "{deviation}");
    }
}
