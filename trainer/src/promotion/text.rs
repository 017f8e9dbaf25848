//! Verdicts as sentences with their numbers.

use std::fmt::{self, Display, Formatter};

use super::check::{Basis, Check, Outcome};
use super::measured::{Agreement, Calibrated, Collapses, Distances, KeptOut, Measured, Share, Shares};
use super::{Decision, Examination, Margins, Verdict};

/// New labels from which on their check refuses nearly all that are wrong three times in ten.
const TELLING_LABELS: usize = 100;

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let sets = self.sets();
        let failed: usize = sets.iter().map(|set| set.that(Outcome::Failed).count()).sum();
        let checks: usize = sets.iter().map(|set| set.checks.len()).sum();
        match self.decision {
            Decision::Passed => writeln!(f, "Passed: all {checks} checks held.")?,
            Decision::PassedButInsufficient => writeln!(
                f,
                "Passed, but insufficient: of {checks} checks none failed, but a person must decide: {}.",
                self.doubts().join("; ")
            )?,
            Decision::Rejected => writeln!(f, "Rejected: {failed} of {checks} checks failed.")?,
        }
        sets.iter().try_for_each(|set| self.write_set(f, set))
    }
}

impl Verdict {
    fn write_set(&self, f: &mut Formatter<'_>, set: &Examination) -> fmt::Result {
        let Examination { set: name, images, injuries, normals, .. } = set;
        write!(f, "\nThe {name}: {images} images, {injuries} injuries and {normals} normals")?;
        if !set.sufficient {
            write!(f, "; insufficient, which takes {} of each", self.margins.sufficient)?;
        }
        writeln!(f, ".")?;
        for check in &set.checks {
            writeln!(f, "  {:8}  {}", check.outcome, check.sentence(&self.margins))?;
        }
        Ok(())
    }
}

impl Check {
    /// What was measured, and what came of it.
    pub fn sentence(&self, margins: &Margins) -> String {
        let name = &self.name;
        match &self.measured {
            Measured::Shares(shares) => format!("{name}: {}.", shares.clauses(self.basis, margins)),
            Measured::Calibration(calibrated) => format!("{name}: {}.", calibrated.clauses(self.basis, margins)),
            Measured::Collapse(collapses) => format!("{name}: {}.", collapses.clauses(self.basis)),
            Measured::Agreement(agreement) => format!("{name}: {}.", agreement.clauses(margins)),
            Measured::KeptOut(kept_out) => format!("{name}: {}.", kept_out.clauses()),
        }
    }
}

impl Shares {
    fn clauses(&self, basis: Basis, margins: &Margins) -> String {
        let Some(difference) = self.difference else {
            return "there is no image to measure it by".to_owned();
        };
        let Shares { champion, challenger, lost, gained, patients, bound, p, margin, .. } = self;
        let figures = format!(
            "{} by the champion, {} by the challenger; {lost} images lost and {gained} gained, a difference of {} points",
            share(champion),
            share(challenger),
            points(difference)
        );
        let least = points(-margin);
        let exact = format!("McNemar's exact p = {}", margins.against(*p));
        let judged = match (basis, bound) {
            (Basis::NonInferior, Some(bound)) => {
                format!("{} at least {}, where {least} is the least allowed", margins.surely(), points(*bound))
            }
            (Basis::NotSignificantlyWorse, _) => {
                format!("where in so small a set only a significant fall counts ({exact})")
            }
            (Basis::TooFewToTell, _) => format!(
                "where {patients} patients are too few to tell from {least}: a fall below that is left to a person, a \
                 significant one fails ({exact})"
            ),
            _ => format!("where {least} is the least allowed"),
        };
        format!("{figures}, {judged}")
    }
}

impl Calibrated {
    fn clauses(&self, basis: Basis, margins: &Margins) -> String {
        let Some(Distances { overconfidence: [champion, challenger], ece, rise, bound }) = self.distances else {
            return "there is no image that both answered to measure it by".to_owned();
        };
        let judged = match basis {
            Basis::Shown => "not judged in so small a set".to_owned(),
            _ => format!(
                "{} at least {bound:+.4}, where a sure rise by more than {:.4} fails",
                margins.surely(),
                self.margin
            ),
        };
        format!(
            "on {} images that both answered the champion's mean confidence is {champion:+.4} off its accuracy, the \
             challenger's {challenger:+.4} (expected calibration errors {:.4} and {:.4}); a rise of {rise:+.4}, {judged}",
            self.images, ece[0], ece[1]
        )
    }
}

impl Collapses {
    fn clauses(&self, basis: Basis) -> String {
        let challenger = match &self.challenger {
            None if basis == Basis::Shown => "not judged in so small a set".to_owned(),
            None => "the challenger's answers follow the labels".to_owned(),
            Some(collapse) => format!("the challenger has collapsed: {collapse}"),
        };
        match &self.champion {
            None => challenger,
            Some(collapse) => format!("{challenger}; the champion has collapsed: {collapse}"),
        }
    }
}

impl Agreement {
    fn clauses(&self, margins: &Margins) -> String {
        if self.challenger.of == 0 {
            return "there is no answer to measure it by".to_owned();
        }
        let few = if self.challenger.of < TELLING_LABELS { "; so few labels say little" } else { "" };
        format!(
            "of new labels that nothing was learnt from the champion calls {} as they say, the challenger {}, where it must \
             reach {:.1} % (exact binomial p = {}); of the half that it is surer of, {}: wrong labels cannot be learnt, and \
             images that are merely hard are left to a person{few}",
            share(&self.champion),
            share(&self.challenger),
            100.0 * self.least,
            margins.against(self.p),
            share(&self.surer)
        )
    }
}

impl KeptOut {
    fn clauses(&self) -> String {
        format!(
            "of frozen films that were spoilt the champion leaves {} without an answer, the challenger {}, where {:.0} %, or \
             as many as the champion's, are asked",
            share(&self.champion),
            share(&self.challenger),
            100.0 * self.least
        )
    }
}

impl Margins {
    /// Of a bound.
    fn surely(&self) -> String {
        format!("with {:.0} % confidence", 100.0 * self.confidence)
    }

    /// A p beside what it is held against.
    fn against(&self, p: f64) -> String {
        format!("{p:.4}, where {:.4} or less fails", 1.0 - self.confidence)
    }
}

/// `285 of 300 (95.0 %, 91.9–96.9)`.
fn share(share: &Share) -> String {
    let Share { count, of, value, interval } = share;
    let percent = value.map_or("-".to_owned(), |value| format!("{:.1} %", 100.0 * value));
    let interval = interval.map(|[low, high]| format!(", {:.1}–{:.1}", 100.0 * low, 100.0 * high));
    format!("{count} of {of} ({percent}{})", interval.unwrap_or_default())
}

/// Of a share, in hundredths, with its sign.
fn points(difference: f64) -> String {
    let points = 100.0 * difference;
    // No -0.0.
    if points.abs() < 0.05 { "0.0".to_owned() } else { format!("{points:+.1}") }
}
