//! What came of a challenger.

use std::collections::BTreeSet;

use cspine_domain::Class;
use serde::{Deserialize, Serialize};

use super::check::{Check, Outcome};
use super::{Examined, Margins};
use crate::metrics::Proportion;

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
    /// No check failed, but a set is too small or a check left a doubt: insufficient to promote by without a person.
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
            set.that(Outcome::Failed).map(|check| format!("{}: {}", set.set, check.sentence(&self.margins))).collect()
        };
        self.sets().map(of).concat()
    }

    /// Why a person must decide, where it was not rejected: sets that are too small, and checks that left a doubt.
    pub fn doubts(&self) -> Vec<String> {
        let of = |set: &Examination| -> Vec<String> {
            let small = (!set.sufficient).then(|| format!("the {} is too small", set.set));
            let doubtful = set.that(Outcome::Doubtful);
            small.into_iter().chain(doubtful.map(|check| format!("{} ({}) is in doubt", check.name, set.set))).collect()
        };
        self.sets().map(of).concat()
    }

    /// All that was examined.
    pub fn sets(&self) -> [&Examination; 3] {
        [&self.frozen, &self.holdout, &self.labels]
    }

    pub(super) fn new(margins: Margins, [frozen, holdout, labels]: [Examination; 3]) -> Verdict {
        let mut verdict = Verdict { decision: Decision::Passed, margins, frozen, holdout, labels };
        if verdict.sets().iter().any(|set| set.that(Outcome::Failed).next().is_some()) {
            verdict.decision = Decision::Rejected;
        } else if !verdict.doubts().is_empty() {
            verdict.decision = Decision::PassedButInsufficient;
        }
        verdict
    }
}

impl Examination {
    /// Checks of which this came.
    pub fn that(&self, outcome: Outcome) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(move |check| check.outcome == outcome)
    }

    /// The frozen set must show what is asked, however large it is.
    pub(super) fn of_frozen(images: &[Examined], kept_out: Option<[Proportion; 2]>, margins: &Margins) -> Examination {
        let mut examination = Examination::of_models("frozen set", images, true, margins);
        examination.checks.extend(kept_out.map(|kept_out| Check::of_scope(kept_out, margins)));
        examination
    }

    /// A holdout must where it has enough.
    pub(super) fn of_holdout(images: &[Examined], margins: &Margins) -> Examination {
        Examination::of_models("holdout", images, false, margins)
    }

    /// Labels must agree with one that learnt from others of them; how few they are is in the test.
    pub(super) fn of_labels(images: &[&Examined], margins: &Margins) -> Examination {
        let injuries = images.iter().filter(|image| image.label.is_injury()).count();
        let checks = vec![Check::of_agreement(images, margins)];
        Examination::new("new labels", [injuries, images.len() - injuries], true, checks)
    }

    fn of_models(set: &str, images: &[Examined], always_strict: bool, margins: &Margins) -> Examination {
        let (injuries, normals): (Vec<&Examined>, Vec<&Examined>) = images.iter().partition(|i| i.label.is_injury());
        let [enough_injuries, enough_normals] = [&injuries, &normals].map(|images| images.len() >= margins.sufficient);
        let sufficient = enough_injuries && enough_normals;
        // It is injuries that make a set one to judge by; what is asked of normals takes enough of them too.
        let (strict, strict_of_normals) = (always_strict || enough_injuries, always_strict || sufficient);
        let flags = [
            ("sensitivity", &injuries, margins.sensitivity, strict),
            ("specificity", &normals, margins.specificity, strict_of_normals),
        ];
        let mut checks: Vec<Check> = (flags.iter())
            .map(|(name, images, margin, strict)| Check::of_flag(name, images, *margin, *strict, margins))
            .collect();
        for class in Class::ALL {
            let of_class: Vec<_> =
                images.iter().filter(|i| i.label == *class).map(|i| (i, i.called_rightly())).collect();
            let strict = if class.is_injury() { strict } else { strict_of_normals };
            checks.push(Check::of_group(
                format!("recall of {class}"),
                &of_class,
                margins.class_recall,
                strict,
                margins,
            ));
        }
        for (name, images, _, strict) in flags {
            for site in images.iter().map(|image| image.site.as_deref()).collect::<BTreeSet<_>>() {
                let there = images.iter().filter(|image| image.site.as_deref() == site);
                let there: Vec<_> = there.map(|image| (*image, image.flagged_rightly())).collect();
                let name = site.map_or(format!("{name} without a site"), |site| format!("{name} at {site}"));
                checks.push(Check::of_group(name, &there, margins.site, strict, margins));
            }
        }
        checks.push(Check::of_calibration(images, strict, margins));
        checks.push(Check::of_collapse(images, strict));
        Examination::new(set, [injuries.len(), normals.len()], sufficient, checks)
    }

    fn new(set: &str, [injuries, normals]: [usize; 2], sufficient: bool, checks: Vec<Check>) -> Examination {
        Examination { set: set.to_owned(), images: injuries + normals, injuries, normals, sufficient, checks }
    }
}
