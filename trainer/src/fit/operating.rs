//! The operating point: where a flag begins, by the sensitivity asked for or by the alerts that a department bears.

use anyhow::{Context, Result};
use cspine_nets::{Estimate, ModelCard, Operating, Rule};

use super::calibrate::Scored;
use crate::metrics::{Proportion, ppv, ppv_interval};

/// What the flag is to achieve, and where.
#[derive(Debug, Clone, clap::Args)]
pub struct OperatingArgs {
    /// Share of the validation set's injuries that the operating point is to flag
    #[arg(long, default_value_t = 0.95, value_parser = share, conflicts_with = "alerts_a_day")]
    pub sensitivity: f64,
    /// Instead: at most so many flags a day, true and false, at --images-a-day and --prevalence
    #[arg(long, value_parser = positive, value_name = "FLAGS")]
    pub alerts_a_day: Option<f64>,
    /// Images a day of the department, for the expected flags
    #[arg(long, default_value_t = 40.0, value_parser = positive, value_name = "IMAGES")]
    pub images_a_day: f64,
    /// Share of injured images there, for the expected flags and their predictive value [of those that NEXUS imaged, 818 of
    /// 34,069 were: Hoffman et al. 2000, N Engl J Med 343:94]
    #[arg(long, default_value_t = 0.024, value_parser = share, value_name = "SHARE")]
    pub prevalence: f64,
}

impl Default for OperatingArgs {
    /// As the flags' own defaults.
    fn default() -> Self {
        Self { sensitivity: 0.95, alerts_a_day: None, images_a_day: 40.0, prevalence: 0.024 }
    }
}

fn share(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|share| *share > 0.0 && *share < 1.0).ok_or("not a share between 0 and 1".to_owned())
}

fn positive(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|n: &f64| *n > 0.0 && n.is_finite()).ok_or("not a number over 0".to_owned())
}

impl OperatingArgs {
    /// Sets a card's operating point on scored images, with what is to be expected of it. Where no budget is set, flags
    /// reach down to `reach` at least, a score of [`injury_score`].
    ///
    /// # Errors
    /// No injuries or no normals among the images; a budget below what the surest flags cost.
    pub(crate) fn apply(&self, card: &mut ModelCard, scored: &[Scored], reach: Option<f32>) -> Result<()> {
        let ranked = Ranked::new(scored, card);
        anyhow::ensure!(ranked.injuries > 0, "the validation set has no injuries to set the operating point on");
        anyhow::ensure!(ranked.normals > 0, "the validation set has no normals to set the operating point on");
        let flagged = match self.alerts_a_day {
            Some(budget) => self.within(budget, &ranked)?,
            None => ranked.at_sensitivity(self.sensitivity).max(reach.map_or(0, |score| ranked.reaching(score))),
        };
        card.operating_point = ranked.threshold(flagged);
        card.operating = Some(self.expected(&ranked, card.operating_point));
        Ok(())
    }

    /// The most that can be flagged at no more than `budget` flags a day.
    fn within(&self, budget: f64, ranked: &Ranked) -> Result<usize> {
        let cost = |flagged: usize| self.flags_a_day(ranked.flagged(flagged));
        ranked.cuts().filter(|flagged| cost(*flagged) <= budget).last().with_context(|| {
            let least = ranked.cuts().next().map_or(0.0, cost);
            format!(
                "{budget} flags a day are too few: the surest answer alone makes {least:.2} a day on the validation set"
            )
        })
    }

    /// n · (p · Se + (1 − p) · (1 − Sp)).
    fn flags_a_day(&self, [sensitivity, specificity]: [Proportion; 2]) -> f64 {
        let [se, sp] = [sensitivity, specificity].map(|p| p.value().unwrap_or_default());
        self.images_a_day * (self.prevalence * se + (1.0 - self.prevalence) * (1.0 - sp))
    }

    fn expected(&self, ranked: &Ranked, threshold: f32) -> Operating {
        let flagged = ranked.scores.iter().take_while(|(score, _)| *score >= threshold).count();
        let shares @ [sensitivity, specificity] = ranked.flagged(flagged);
        let estimate = |p: Proportion| Some(Estimate { value: p.value()?, interval: p.interval()? });
        let value = ppv(sensitivity, specificity, self.prevalence);
        let interval = ppv_interval(sensitivity, specificity, self.prevalence);
        Operating {
            rule: match self.alerts_a_day {
                Some(flags) => Rule::AlertsADay(flags),
                None => Rule::Sensitivity(self.sensitivity),
            },
            sensitivity: estimate(sensitivity),
            specificity: estimate(specificity),
            prevalence: self.prevalence,
            images_a_day: self.images_a_day,
            flags_a_day: self.flags_a_day(shares),
            ppv: value.zip(interval).map(|(value, interval)| Estimate { value, interval }),
        }
    }
}

/// p(dislocation) + p(fracture), which is flagged at the operating point or over it.
pub(crate) fn injury_score(card: &ModelCard, scored: &Scored) -> f32 {
    let [dislocation, fracture, _] = card.probabilities(scored.logits);
    // Rounding may leave a trace over 1.
    (dislocation + fracture).min(1.0)
}

/// Injuries and normals that a card's point flags.
#[cfg(test)]
pub(crate) fn flagged(card: &ModelCard, scored: &[Scored]) -> [usize; 2] {
    let flag = |s: &&Scored| injury_score(card, s) >= card.operating_point;
    [true, false].map(|injuries| scored.iter().filter(|s| s.class.is_injury() == injuries).filter(flag).count())
}

/// Scored images from the surest injury down.
struct Ranked {
    /// [`injury_score`], and whether it is an injury. Of equal scores the injuries first.
    scores: Vec<(f32, bool)>,
    injuries: usize,
    normals: usize,
}

impl Ranked {
    fn new(scored: &[Scored], card: &ModelCard) -> Self {
        let mut scores: Vec<(f32, bool)> =
            scored.iter().map(|s| (injury_score(card, s), s.class.is_injury())).collect();
        scores.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)));
        let injuries = scores.iter().filter(|(_, injury)| *injury).count();
        Self { normals: scores.len() - injuries, injuries, scores }
    }

    /// How many may be flagged: a threshold tells equal scores not apart.
    fn cuts(&self) -> impl Iterator<Item = usize> {
        (1..=self.scores.len()).filter(|&n| n == self.scores.len() || self.scores[n - 1].0 > self.scores[n].0)
    }

    /// The fewest that hold a share of the injuries, and as many injuries more as cost no further normal.
    fn at_sensitivity(&self, sensitivity: f64) -> usize {
        let needed = ((sensitivity * self.injuries as f64).ceil() as usize).clamp(1, self.injuries);
        let injuries = self.scores.iter().enumerate().filter(|(_, (_, injury))| *injury);
        let last = injuries.map(|(i, _)| i).nth(needed - 1).unwrap_or(0);
        self.without_a_further_normal(last + 1)
    }

    /// All of a score or over it, and as many injuries more as cost no further normal.
    fn reaching(&self, score: f32) -> usize {
        self.without_a_further_normal(self.scores.partition_point(|(other, _)| *other >= score))
    }

    fn without_a_further_normal(&self, n: usize) -> usize {
        n + self.scores[n..].iter().take_while(|(_, injury)| *injury).count()
    }

    /// Sensitivity and specificity when the first `n` are flagged.
    fn flagged(&self, n: usize) -> [Proportion; 2] {
        let hits = self.scores[..n].iter().filter(|(_, injury)| *injury).count();
        let passed = self.normals - (n - hits);
        [Proportion { count: hits, of: self.injuries }, Proportion { count: passed, of: self.normals }]
    }

    /// What flags the first `n`, at least one: the middle, in log-odds, between the last of them and the next; above
    /// the next and never above the last that is to be flagged, however close they are.
    fn threshold(&self, n: usize) -> f32 {
        let last = self.scores[n - 1].0;
        let next = self.scores.get(n).map_or(0.0, |(score, _)| *score);
        let odds = |p: f32| (f64::from(p) / (1.0 - f64::from(p))).ln().clamp(-15.0, 15.0);
        let middle = 1.0 / (1.0 + (-(odds(last) + odds(next)) / 2.0).exp());
        (middle as f32).max(next.next_up()).min(last)
    }
}

#[cfg(test)]
mod tests {
    use cspine_domain::Class;
    use cspine_imaging::Preprocessing;
    use cspine_nets::Architecture;

    use super::*;

    fn card() -> ModelCard {
        ModelCard::uncalibrated(Architecture::GoogLeNet, Preprocessing::default(), "test")
    }

    fn at_sensitivity(sensitivity: f64) -> OperatingArgs {
        OperatingArgs { sensitivity, alerts_a_day: None, images_a_day: 100.0, prevalence: 0.1 }
    }

    /// From the surest: injuries, with a normal after every four, and another between the last two. 39 injuries, 11 normals.
    fn fifty() -> Vec<Scored> {
        let class = |i: usize| if i % 5 == 4 || i == 48 { Class::Normal } else { Class::Fracture };
        (0..50).map(|i| Scored { logits: [10.0 - 0.2 * i as f32, 0.0, 5.0], class: class(i) }).collect()
    }

    fn applied(args: &OperatingArgs) -> ModelCard {
        let mut card = card();
        args.apply(&mut card, &fifty(), None).unwrap();
        card
    }

    #[test]
    fn the_operating_point_flags_the_asked_share_of_the_injuries_and_those_that_cost_no_normal_more() {
        // 20 are asked for, and the 20th is the last of its four; of 21 three more cost no normal.
        for (sensitivity, expected) in [(0.5, [20, 4]), (0.53, [24, 5]), (0.999, [39, 9])] {
            assert_eq!(flagged(&applied(&at_sensitivity(sensitivity)), &fifty()), expected, "{sensitivity}");
        }
    }

    #[test]
    fn flags_reach_down_to_a_score_that_is_asked_for_unless_a_budget_is_set_or_the_sensitivity_asks_for_more() {
        let score = |i: usize| injury_score(&card(), &fifty()[i]);
        let reached = |args: &OperatingArgs, i: usize| {
            let mut card = card();
            args.apply(&mut card, &fifty(), Some(score(i))).unwrap();
            flagged(&card, &fifty())
        };
        assert_eq!(reached(&at_sensitivity(0.5), 26), [24, 5], "the 22nd injury, and two that cost no normal more");
        assert_eq!(reached(&at_sensitivity(0.5), 3), [20, 4], "reached anyway");
        let budget = OperatingArgs { alerts_a_day: Some(47.0), ..at_sensitivity(0.95) };
        assert_eq!(reached(&budget, 40), [23, 5]);
    }

    #[test]
    fn an_alert_budget_is_used_and_not_exceeded() {
        // 23 of 39 injuries and 5 of 11 normals make 100 · (0.1 · 23/39 + 0.9 · 5/11) = 46.8 flags a day; the next injury
        // would be 0.26 more.
        let card = applied(&OperatingArgs { alerts_a_day: Some(47.0), ..at_sensitivity(0.95) });
        assert_eq!(flagged(&card, &fifty()), [23, 5]);
        let operating = card.operating.unwrap();
        assert!((operating.flags_a_day - 100.0 * (0.1 * 23.0 / 39.0 + 0.9 * 5.0 / 11.0)).abs() < 1e-9);
        assert_eq!(operating.rule, Rule::AlertsADay(47.0));
    }

    #[test]
    fn scores_next_to_each_other_are_told_apart_and_equal_ones_are_flagged_together() {
        let below = |p: f32| p.next_down();
        for last in [1.0, below(1.0), 0.7, 0.5, 1e-7, 1e-30] {
            let ranked = Ranked { scores: vec![(last, true), (below(last), false)], injuries: 1, normals: 1 };
            let threshold = ranked.threshold(1);
            assert!(below(last) < threshold && threshold <= last, "{last}: {threshold}");
            assert!((0.0..=below(last)).contains(&ranked.threshold(2)), "{last}");
            let tied = Ranked { scores: vec![(last, true), (last, false)], injuries: 1, normals: 1 };
            assert_eq!(tied.threshold(1), last);
        }
    }

    #[test]
    fn the_card_says_what_is_to_be_expected_of_its_flag() {
        let operating = applied(&at_sensitivity(0.5)).operating.unwrap();
        let ppv = operating.ppv.unwrap();
        let expected = 0.1 * 20.0 / 39.0 / (0.1 * 20.0 / 39.0 + 0.9 * 4.0 / 11.0);
        assert!((ppv.value - expected).abs() < 1e-9);
        assert!(ppv.interval[0] < ppv.value && ppv.value < ppv.interval[1]);
        assert!((operating.sensitivity.unwrap().value - 20.0 / 39.0).abs() < 1e-9);
    }

    #[test]
    fn what_cannot_be_set_is_said_in_words() {
        let refused =
            |args: &OperatingArgs, scored: &[Scored]| args.apply(&mut card(), scored, None).unwrap_err().to_string();
        let args = at_sensitivity(0.9);
        assert!(refused(&args, &[]).contains("no injuries"));
        assert!(refused(&args, &fifty()[..4]).contains("no normals"));
        assert!(refused(&args, &fifty()[4..5]).contains("no injuries"));
        let tight = OperatingArgs { alerts_a_day: Some(0.1), ..args };
        assert!(refused(&tight, &fifty()).contains("too few"), "the surest alone is 100 · 0.1 / 39 a day");
    }
}
