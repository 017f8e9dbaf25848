//! Where a challenger's flag begins: by the champion's own rule, and on images that the champion knows no later than where
//! as many injuries are flagged as by the champion.
//!
//! A champion may flag more than its rule asks for: the starter's asks for 95 % and it flags 99. A point found anew by the
//! rule alone, on harder images among others, may give away what is above.

use anyhow::Result;
use cspine_nets::{ModelCard, Rule};

use crate::fit::OperatingArgs;
use crate::fit::calibrate::Scored;
use crate::fit::operating::injury_score;

/// An image that the champion knows, as both score it.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// By the champion.
    pub by_champion: Scored,
    /// By the challenger.
    pub by_challenger: Scored,
}

/// Sets the operating point of a challenger's card, whose temperature is found, on all images that it was scored on.
///
/// # Errors
/// As [`OperatingArgs::apply`].
pub fn set(card: &mut ModelCard, champion: &ModelCard, scored: &[Scored], known: &[Known]) -> Result<()> {
    let reach = reach(card, champion, known);
    rule(champion).apply(card, scored, reach)
}

/// The challenger's score of the least sure known injury that is to be flagged: of as many as the champion flags, without
/// flagging more of the known normals than the champion does.
fn reach(card: &ModelCard, champion: &ModelCard, known: &[Known]) -> Option<f32> {
    let of = |injuries: bool| known.iter().filter(move |image| image.by_champion.class.is_injury() == injuries);
    let flagged = |injuries| {
        let flagged = |image: &&Known| injury_score(champion, &image.by_champion) >= champion.operating_point;
        of(injuries).filter(flagged).count()
    };
    let surest_first = |injuries| {
        let mut scores: Vec<f32> = of(injuries).map(|image| injury_score(card, &image.by_challenger)).collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        scores
    };
    let spared = surest_first(false).get(flagged(false)).copied().unwrap_or(f32::NEG_INFINITY);
    surest_first(true).into_iter().take(flagged(true)).take_while(|score| *score > spared).last()
}

fn rule(champion: &ModelCard) -> OperatingArgs {
    let mut args = OperatingArgs::default();
    let Some(operating) = &champion.operating else { return args };
    (args.images_a_day, args.prevalence) = (operating.images_a_day, operating.prevalence);
    match operating.rule {
        Rule::Sensitivity(share) => args.sensitivity = share,
        Rule::AlertsADay(flags) => args.alerts_a_day = Some(flags),
    }
    args
}

#[cfg(test)]
mod tests {
    use cspine_domain::Class;
    use cspine_imaging::Preprocessing;
    use cspine_nets::Architecture;

    use super::*;
    use crate::fit::operating;

    const SURE: f32 = 8.0;
    const UNSURE: f32 = 1.0;
    const NO: f32 = -1.0;
    const SURELY_NOT: f32 = -8.0;

    fn card() -> ModelCard {
        ModelCard::uncalibrated(Architecture::GoogLeNet, Preprocessing::default(), "test")
    }

    /// Log-odds of an injury are `odds`.
    fn scored(class: Class, odds: f32) -> Scored {
        Scored { logits: [f32::NEG_INFINITY, odds, 0.0], class }
    }

    fn known(class: Class, by_champion: f32, by_challenger: f32) -> Known {
        Known { by_champion: scored(class, by_champion), by_challenger: scored(class, by_challenger) }
    }

    /// Injuries and normals that a challenger flags, of the known images and a new normal, which lies above the least sure
    /// injuries and ends what costs no further normal.
    fn flagged(known: &[Known]) -> [usize; 2] {
        flagged_of(known, known)
    }

    fn flagged_of(images: &[Known], known: &[Known]) -> [usize; 2] {
        let mut scores: Vec<Scored> = images.iter().map(|image| image.by_challenger).collect();
        scores.push(scored(Class::Normal, 2.0));
        let mut challenger = card();
        set(&mut challenger, &card(), &scores, known).unwrap();
        operating::flagged(&challenger, &scores)
    }

    /// Nineteen that both are sure of, which is what the rule asks for of twenty.
    fn nineteen() -> Vec<Known> {
        vec![known(Class::Fracture, SURE, SURE); 19]
    }

    #[test]
    fn what_the_champion_flags_beyond_its_rule_the_challenger_flags_too() {
        let normal = known(Class::Normal, SURELY_NOT, SURELY_NOT);
        let by_both = [nineteen(), vec![known(Class::Fracture, UNSURE, UNSURE), normal]].concat();
        assert_eq!(flagged(&by_both), [20, 1], "for one normal of the new images");
        assert_eq!(flagged_of(&by_both, &[]), [19, 0], "new to the champion: the rule alone");
        let by_neither = [nineteen(), vec![known(Class::Fracture, NO, UNSURE), normal]].concat();
        assert_eq!(flagged(&by_neither), [19, 0], "nor did the champion flag it");
    }

    #[test]
    fn one_injury_that_was_forgotten_does_not_have_known_normals_flagged() {
        let normal = known(Class::Normal, SURELY_NOT, NO);
        let forgotten = [nineteen(), vec![known(Class::Fracture, UNSURE, SURELY_NOT), normal]].concat();
        assert_eq!(flagged(&forgotten), [19, 0]);
        let a_normal_that_the_champion_flags = known(Class::Normal, UNSURE, NO);
        let forgotten =
            [nineteen(), vec![known(Class::Fracture, UNSURE, -2.0), a_normal_that_the_champion_flags]].concat();
        assert_eq!(flagged(&forgotten), [20, 2], "as many as the champion's");
    }
}
