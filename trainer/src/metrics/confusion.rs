//! Labels against verdicts.

use cspine_domain::Class;

use super::{Labelled, Proportion};

/// How often which label got which verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Confusion {
    /// `counts[label][verdict]`, by class index.
    pub counts: [[usize; Class::COUNT]; Class::COUNT],
    /// Images of each label without an answer.
    pub abstained: [usize; Class::COUNT],
}

/// One class against the other two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binary {
    /// Of the class, and said to be.
    pub true_positives: usize,
    /// Of another, and said to be of the class.
    pub false_positives: usize,
    /// Of another, and said to be of another.
    pub true_negatives: usize,
    /// Images of the class.
    pub positives: usize,
    /// Images of the others.
    pub negatives: usize,
}

/// Means over the classes, as the paper's tables have them; from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct OneVsRest {
    /// Of [`Binary::accuracy`]: the paper's "accuracy", which is kinder than the plain one.
    pub accuracy: Option<f64>,
    /// Of [`Binary::sensitivity`].
    pub sensitivity: Option<f64>,
    /// Of [`Binary::specificity`].
    pub specificity: Option<f64>,
    /// Of [`Binary::precision`]; a class that is never said counts 0.
    pub precision: Option<f64>,
    /// Of [`Binary::f1`].
    pub f1: Option<f64>,
}

impl Confusion {
    /// Counts.
    pub fn of(images: &[Labelled]) -> Confusion {
        Confusion::count(images.iter().map(|image| (image.label, image.answer.as_ref().map(|answer| answer.verdict))))
    }

    /// Counts labels with their verdicts; `None` is no answer.
    pub fn count(calls: impl IntoIterator<Item = (Class, Option<Class>)>) -> Confusion {
        let mut confusion = Confusion::default();
        for (label, verdict) in calls {
            match verdict {
                Some(verdict) => confusion.counts[label.index()][verdict.index()] += 1,
                None => confusion.abstained[label.index()] += 1,
            }
        }
        confusion
    }

    /// Images of a label.
    pub fn images(&self, label: Class) -> usize {
        self.counts[label.index()].iter().sum::<usize>() + self.abstained[label.index()]
    }

    /// Right verdicts of all images: the plain accuracy.
    pub fn accuracy(&self) -> Proportion {
        let of = Class::ALL.iter().map(|class| self.images(*class)).sum();
        Proportion { count: (0..Class::COUNT).map(|i| self.counts[i][i]).sum(), of }
    }

    /// One class against the others.
    pub fn binary(&self, class: Class) -> Binary {
        let column = class.index();
        let others = || Class::ALL.iter().copied().filter(move |other| *other != class);
        let false_positives = others().map(|other| self.counts[other.index()][column]).sum::<usize>();
        let answered = others().map(|other| self.counts[other.index()].iter().sum::<usize>()).sum::<usize>();
        Binary {
            true_positives: self.counts[column][column],
            false_positives,
            true_negatives: answered - false_positives,
            positives: self.images(class),
            negatives: others().map(|other| self.images(other)).sum(),
        }
    }

    /// Means over the classes for which a figure is defined; `None` where it is for none.
    pub fn one_vs_rest(&self) -> OneVsRest {
        let mean = |figure: fn(&Binary) -> Option<f64>| {
            let values: Vec<f64> = Class::ALL.iter().filter_map(|class| figure(&self.binary(*class))).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        OneVsRest {
            accuracy: mean(|b| b.accuracy().value()),
            sensitivity: mean(|b| b.sensitivity().value()),
            specificity: mean(|b| b.specificity().value()),
            // As in the paper's row for the collapsed AlexNet: what is never said has a precision of 0.
            precision: mean(|b| b.precision().value().or((b.positives > 0).then_some(0.0))),
            f1: mean(Binary::f1),
        }
    }

    /// A 95 % interval of [`OneVsRest::accuracy`]; `None` without images.
    ///
    /// The three decisions on an image are no independent trials: a wrong call is wrong in exactly two of them, so that
    /// Wilson's interval of 3n pooled decisions would be too narrow. Images are independent, and the mean is
    /// 2/3 of the share of right calls + 1/3 of the share of answered images. So the interval is Wilson's of the plain
    /// accuracy on that scale: exactly as good as that one for a reader who answers always. For one who abstains, the
    /// share of answered images has an interval too, and the ends are added, which errs on the wide side.
    pub fn one_vs_rest_accuracy_interval(&self) -> Option<[f64; 2]> {
        let right = self.accuracy();
        let answered = Proportion { count: right.of - self.abstained.iter().sum::<usize>(), of: right.of };
        let answered = if answered.count == answered.of { [1.0; 2] } else { answered.interval()? };
        let right = right.interval()?;
        Some([0, 1].map(|end| (2.0 * right[end] + answered[end]) / 3.0))
    }
}

impl Binary {
    /// Right of all.
    pub fn accuracy(&self) -> Proportion {
        Proportion { count: self.true_positives + self.true_negatives, of: self.positives + self.negatives }
    }

    /// Found of those there are; also called recall.
    pub fn sensitivity(&self) -> Proportion {
        Proportion { count: self.true_positives, of: self.positives }
    }

    /// Left alone of those to be left alone.
    pub fn specificity(&self) -> Proportion {
        Proportion { count: self.true_negatives, of: self.negatives }
    }

    /// Right of those said to be of the class; of nothing if none was.
    pub fn precision(&self) -> Proportion {
        Proportion { count: self.true_positives, of: self.true_positives + self.false_positives }
    }

    /// The harmonic mean of precision and sensitivity; `None` for a class that neither is nor is said to be there.
    pub fn f1(&self) -> Option<f64> {
        let sum = self.positives + self.true_positives + self.false_positives;
        (sum > 0).then(|| 2.0 * self.true_positives as f64 / sum as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Answer, Labelled};
    use super::{Class, Confusion, Proportion};

    fn confusion(counts: [[usize; 3]; 3]) -> Confusion {
        Confusion { counts, abstained: [0; 3] }
    }

    fn percent(value: Option<f64>) -> f64 {
        (value.unwrap() * 1e4).round() / 100.0
    }

    #[test]
    fn two_errors_in_301_are_the_papers_99_56_and_plainly_99_34() {
        let paper = confusion([[79, 1, 0], [0, 116, 0], [0, 1, 104]]);
        assert_eq!(percent(paper.accuracy().value()), 99.34);
        assert_eq!(percent(paper.one_vs_rest().accuracy), 99.56);
    }

    #[test]
    fn eight_errors_in_68_are_the_papers_92_16_and_plainly_88_24() {
        let paper = confusion([[17, 1, 1], [1, 22, 1], [2, 2, 21]]);
        assert_eq!(percent(paper.accuracy().value()), 88.24);
        assert_eq!(percent(paper.one_vs_rest().accuracy), 92.16);
    }

    #[test]
    fn a_constant_answer_gives_the_papers_row_for_alexnet() {
        let collapsed = confusion([[0, 80, 0], [0, 117, 0], [0, 104, 0]]).one_vs_rest();
        // The paper rounds the first up from 59.25.
        assert_eq!(percent(collapsed.accuracy), 59.25);
        assert_eq!((percent(collapsed.sensitivity), percent(collapsed.specificity)), (33.33, 66.67));
        assert_eq!((percent(collapsed.precision), percent(collapsed.f1)), (12.96, 18.66));
    }

    #[test]
    fn figures_of_a_class_are_those_of_its_two_by_two_table() {
        let binary = confusion([[5, 2, 1], [3, 6, 0], [0, 1, 9]]).binary(Class::Dislocation);
        assert_eq!(binary.sensitivity(), Proportion { count: 5, of: 8 });
        assert_eq!(binary.specificity(), Proportion { count: 16, of: 19 });
        assert_eq!(binary.precision(), Proportion { count: 5, of: 8 });
        assert_eq!(binary.accuracy(), Proportion { count: 21, of: 27 });
        assert_eq!(binary.f1(), Some(10.0 / 16.0));
    }

    #[test]
    fn an_image_without_an_answer_is_an_error_everywhere() {
        let answer = |verdict| Some(Answer { probabilities: [0.0; 3], verdict, flagged: false });
        let images = [
            Labelled { label: Class::Normal, answer: answer(Class::Normal) },
            Labelled { label: Class::Normal, answer: None },
            Labelled { label: Class::Fracture, answer: answer(Class::Fracture) },
        ];
        let confusion = Confusion::of(&images);
        assert_eq!(confusion.abstained, [0, 0, 1]);
        assert_eq!(confusion.accuracy(), Proportion { count: 2, of: 3 });
        assert_eq!(confusion.binary(Class::Normal).sensitivity(), Proportion { count: 1, of: 2 });
        assert_eq!(confusion.binary(Class::Fracture).specificity(), Proportion { count: 1, of: 2 });
        assert_eq!(confusion.binary(Class::Dislocation).accuracy(), Proportion { count: 2, of: 3 });
    }

    #[test]
    fn the_one_vs_rest_means_interval_is_the_plain_accuracys_on_its_scale() {
        let paper = confusion([[17, 1, 1], [1, 22, 1], [2, 2, 21]]);
        let [low, high] = paper.one_vs_rest_accuracy_interval().unwrap();
        let plain = paper.accuracy().interval().unwrap();
        assert!((low - (1.0 - (1.0 - plain[0]) * 2.0 / 3.0)).abs() < 1e-12, "{low}");
        assert!((high - (1.0 - (1.0 - plain[1]) * 2.0 / 3.0)).abs() < 1e-12, "{high}");
        // 188 of 204 pooled decisions would claim more than 68 images can tell.
        let pooled = Proportion { count: 188, of: 204 }.interval().unwrap();
        assert!(low < pooled[0] && pooled[1] < high);
        assert_eq!(confusion([[0; 3]; 3]).one_vs_rest_accuracy_interval(), None);
    }

    #[test]
    fn a_reader_who_abstains_has_a_wider_one_vs_rest_interval_around_a_lower_mean() {
        let wrong = confusion([[8, 2, 0], [0, 10, 0], [0, 0, 10]]);
        let silent = Confusion { counts: [[8, 0, 0], [0, 10, 0], [0, 0, 10]], abstained: [2, 0, 0] };
        assert_eq!(wrong.accuracy(), silent.accuracy());
        let mean = silent.one_vs_rest().accuracy.unwrap();
        assert!((mean - (2.0 * 28.0 + 28.0) / 90.0).abs() < 1e-12 && mean < wrong.one_vs_rest().accuracy.unwrap());
        let ([low, high], [other_low, other_high]) =
            (silent.one_vs_rest_accuracy_interval().unwrap(), wrong.one_vs_rest_accuracy_interval().unwrap());
        assert!(low < mean && mean < high && high - low > other_high - other_low);
    }

    #[test]
    fn a_class_that_is_not_there_takes_no_part_in_the_means() {
        let two = confusion([[0, 0, 0], [0, 3, 1], [0, 0, 4]]).one_vs_rest();
        assert_eq!(two.sensitivity, Some((0.75 + 1.0) / 2.0));
        assert_eq!(two.precision, Some((1.0 + 0.8) / 2.0));
        assert_eq!(confusion([[0; 3]; 3]).one_vs_rest().accuracy, None);
    }
}
