//! Verdicts as sentences with their numbers.

use std::fmt::{self, Display, Formatter};

use super::check::{Agreement, Basis, Calibrated, Check, Collapses, Measured, Share, Shares};
use super::{Decision, Examination, Margins, Verdict};

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let sets = self.sets();
        let failed: usize = sets.iter().map(|set| set.failed().count()).sum();
        let checks: usize = sets.iter().map(|set| set.checks.len()).sum();
        match self.decision {
            Decision::Passed => writeln!(f, "Passed: all {checks} checks held.")?,
            Decision::PassedButInsufficient => writeln!(
                f,
                "Passed, but insufficient: all {checks} checks held, on too few images to promote by without a person."
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
            let held = if check.held { "held  " } else { "FAILED" };
            writeln!(f, "  {held}  {}", check.sentence(&self.margins))?;
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
            Measured::Calibration(errors) => format!("{name}: {}.", errors.clauses(self.basis)),
            Measured::Collapse(collapses) => format!("{name}: {}.", collapses.clauses(self.basis)),
            Measured::Agreement(agreement) => format!("{name}: {}.", agreement.clauses()),
        }
    }
}

impl Shares {
    fn clauses(&self, basis: Basis, margins: &Margins) -> String {
        let Some((difference, [low, high])) = self.difference.zip(self.bounds) else {
            return "there is no image to measure it by".to_owned();
        };
        let Shares { champion, challenger, lost, gained, patients, p, margin, .. } = self;
        let confidence = format!("{:.0} %", 100.0 * margins.confidence);
        let figures = format!(
            "{} by the champion, {} by the challenger; {lost} images lost and {gained} gained, a difference of {} points",
            share(champion),
            share(challenger),
            points(difference)
        );
        let margin = points(-margin);
        let judged = match basis {
            Basis::NonInferior => {
                format!("with {confidence} confidence at least {}, where {margin} is the least allowed", points(low))
            }
            Basis::NotSignificantlyWorse => format!(
                "with {confidence} confidence at most {}, where only what is surely below 0 counts in so small a set",
                points(high)
            ),
            Basis::TooFewToTell => format!(
                "which {patients} patients are too few to tell from {margin}: only a significant fall counts (McNemar's exact \
                 p = {p:.4}, where {:.4} is the least allowed)",
                1.0 - margins.confidence
            ),
            Basis::Fall | Basis::Sound | Basis::Shown | Basis::Agreement => {
                format!("where {margin} is the least allowed")
            }
        };
        format!("{figures}, {judged}")
    }
}

impl Calibrated {
    fn clauses(&self, basis: Basis) -> String {
        if self.answered == [0, 0] {
            return "there is no answer to measure it by".to_owned();
        }
        let error = |error: Option<f64>, answered: usize| match error {
            Some(error) => format!("{error:.4} ({answered} answers)"),
            None => "unknown (no answer)".to_owned(),
        };
        let [champion, challenger] =
            [(self.champion, self.answered[0]), (self.challenger, self.answered[1])].map(|(e, n)| error(e, n));
        let rise = self.rise.map_or("unknown".to_owned(), |rise| format!("{rise:+.4}"));
        let judged = match basis {
            Basis::Shown => "not judged in so small a set".to_owned(),
            _ => format!("where {:+.4} is the most allowed", self.margin),
        };
        format!(
            "the expected calibration error is {champion} of the champion, {challenger} of the challenger; a change of {rise}, \
             {judged}"
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
    fn clauses(&self) -> String {
        if self.challenger.of == 0 {
            return "there is no answer to measure it by".to_owned();
        }
        format!(
            "of new labels that nothing was learnt from the champion calls {} as they say, the challenger {}, where its \
             interval must reach {:.1} %; wrong labels cannot be learnt",
            share(&self.champion),
            share(&self.challenger),
            100.0 * self.least
        )
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
