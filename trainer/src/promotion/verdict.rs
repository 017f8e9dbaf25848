//! What came of a challenger.

use std::collections::BTreeSet;

use cspine_domain::Class;
use serde::{Deserialize, Serialize};

use super::check::Check;
use super::{Examined, Margins};

/// The verdict on a challenger, with all that it rests on. As text, sentences.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// What it comes to.
    pub decision: Decision,
    /// What was asked.
    pub margins: Margins,
    /// On images that no model was fitted to.
    pub frozen: Examination,
    /// On the newest ones.
    pub holdout: Examination,
    /// Of the new labels themselves, on those that nothing was learnt from.
    pub labels: Examination,
}

/// What a verdict comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Every check held, on enough images.
    Passed,
    /// Every check held, but a set is too small to promote by without a person.
    PassedButInsufficient,
    /// A check failed.
    Rejected,
}

/// The checks on a set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Examination {
    /// `frozen set`, `holdout` or `new labels`.
    pub set: String,
    /// How many.
    pub images: usize,
    /// Of them injuries.
    pub injuries: usize,
    /// Of them without.
    pub normals: usize,
    /// Whether it has enough of both for what it is to show.
    pub sufficient: bool,
    /// Each check.
    pub checks: Vec<Check>,
}

impl Verdict {
    /// Why it was rejected: a sentence for each check that failed, with the set's name.
    pub fn reasons(&self) -> Vec<String> {
        let of = |set: &Examination| -> Vec<String> {
            set.failed().map(|check| format!("{}: {}", set.set, check.sentence(&self.margins))).collect()
        };
        self.sets().map(of).concat()
    }

    /// All that was examined.
    pub fn sets(&self) -> [&Examination; 3] {
        [&self.frozen, &self.holdout, &self.labels]
    }
}

impl Examination {
    /// The frozen set must show what is asked, however large it is.
    pub(super) fn of_frozen(images: &[Examined], margins: &Margins) -> Examination {
        Examination::new("frozen set", images, true, margins)
    }

    /// A holdout must where it has enough.
    pub(super) fn of_holdout(images: &[Examined], margins: &Margins) -> Examination {
        Examination::new("holdout", images, false, margins)
    }

    /// Labels must agree with one that learnt from others of them; how few they are is in the interval.
    pub(super) fn of_labels<'a>(images: impl Iterator<Item = &'a Examined>, margins: &Margins) -> Examination {
        let images: Vec<&Examined> = images.collect();
        let checks = vec![Check::of_agreement(&images, margins.agreement)];
        let injuries = images.iter().filter(|image| image.label.is_injury()).count();
        let (images, normals) = (images.len(), images.len() - injuries);
        Examination { set: "new labels".to_owned(), images, injuries, normals, sufficient: true, checks }
    }

    /// Checks that did not hold.
    pub fn failed(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| !check.held)
    }

    fn new(set: &str, images: &[Examined], always_strict: bool, margins: &Margins) -> Examination {
        let (injuries, normals): (Vec<&Examined>, Vec<&Examined>) = images.iter().partition(|i| i.label.is_injury());
        let sufficient = [&injuries, &normals].iter().all(|images| images.len() >= margins.sufficient);
        let strict = always_strict || sufficient;
        let mut checks = vec![
            Check::of_flag("sensitivity", &injuries, margins.sensitivity, strict, margins),
            Check::of_flag("specificity", &normals, margins.specificity, strict, margins),
        ];
        for class in Class::ALL {
            let of_class: Vec<_> =
                images.iter().filter(|i| i.label == *class).map(|i| (i, i.called_rightly())).collect();
            let name = format!("recall of {class}");
            checks.push(Check::of_group(name, &of_class, margins.class_recall, strict, margins));
        }
        for site in injuries.iter().map(|image| image.site.as_deref()).collect::<BTreeSet<_>>() {
            let there = injuries.iter().filter(|image| image.site.as_deref() == site);
            let there: Vec<_> = there.map(|image| (*image, image.flagged_rightly())).collect();
            let name = site.map_or("sensitivity without a site".to_owned(), |site| format!("sensitivity at {site}"));
            checks.push(Check::of_group(name, &there, margins.site_sensitivity, strict, margins));
        }
        let models =
            [images.iter().map(Examined::of_champion).collect(), images.iter().map(Examined::of_challenger).collect()];
        checks.push(Check::of_calibration(&models, strict, margins.calibration));
        checks.push(Check::of_collapse(&models, strict));
        let (injuries, normals) = (injuries.len(), normals.len());
        Examination { set: set.to_owned(), images: images.len(), injuries, normals, sufficient, checks }
    }
}
