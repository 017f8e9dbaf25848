//! The temperature (Guo et al. 2017, arXiv 1706.04599) and the operating point, both on validation data.

use cspine_domain::Class;
use cspine_nets::ModelCard;

/// Logits with the right class.
#[derive(Debug, Clone, Copy)]
pub struct Scored {
    /// By class index.
    pub logits: [f32; Class::COUNT],
    /// What it is.
    pub class: Class,
}

/// The mean negative log-likelihood at a temperature, in nats.
pub fn nll(scored: &[Scored], temperature: f32) -> f64 {
    let loss = |s: &Scored| {
        let z = s.logits.map(|z| f64::from(z / temperature));
        let largest = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        largest + z.iter().map(|z| (z - largest).exp()).sum::<f64>().ln() - z[s.class.index()]
    };
    scored.iter().map(loss).sum::<f64>() / scored.len() as f64
}

/// The temperature of least loss between 1/20 and 20, by golden-section search; the loss has one minimum in 1/T.
pub fn temperature(scored: &[Scored]) -> f32 {
    let ratio = (5f64.sqrt() - 1.0) / 2.0;
    let loss = |ln: f64| nll(scored, ln.exp() as f32);
    let (mut low, mut high) = (-(20f64.ln()), 20f64.ln());
    for _ in 0..60 {
        let (a, b) = (high - ratio * (high - low), low + ratio * (high - low));
        if loss(a) < loss(b) { high = b } else { low = a }
    }
    ((low + high) / 2.0).exp() as f32
}

/// The highest threshold on p(dislocation) + p(fracture) at which at least `sensitivity` of the injuries are flagged.
/// Without injuries there is none.
pub fn operating_point(scored: &[Scored], card: &ModelCard, sensitivity: f64) -> Option<f32> {
    let injured = |s: &&Scored| s.class.is_injury();
    let mut scores: Vec<f32> = scored
        .iter()
        .filter(injured)
        .map(|s| {
            let [dislocation, fracture, _] = card.probabilities(s.logits);
            dislocation + fracture
        })
        .collect();
    scores.sort_by(|a, b| b.total_cmp(a));
    let needed = (sensitivity * scores.len() as f64).ceil() as usize;
    scores.get(needed.max(1) - 1).map(|score| score.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use cspine_imaging::Preprocessing;
    use cspine_nets::Architecture;

    use super::*;

    #[test]
    fn logits_that_are_three_times_too_sure_get_temperature_three() {
        // Of each ten answers with odds e^1 : 1 : 1 the share that is right is the softmax's own.
        let right = (1f64.exp() / (1f64.exp() + 2.0) * 1000.0).round() as usize;
        let scored: Vec<Scored> = (0..1000)
            .map(|i| Scored {
                logits: [3.0, 0.0, 0.0],
                class: if i < right { Class::Dislocation } else { Class::ALL[1 + i % 2] },
            })
            .collect();
        assert!((temperature(&scored) - 3.0).abs() < 0.02, "{}", temperature(&scored));
    }

    #[test]
    fn the_operating_point_flags_just_the_asked_share_of_the_injuries() {
        let card = ModelCard::uncalibrated(Architecture::GoogLeNet, Preprocessing::default(), "test");
        let scored: Vec<Scored> =
            (0..100).map(|i| Scored { logits: [i as f32 / 10.0, 0.0, 5.0], class: Class::ALL[i % 3] }).collect();
        let point = operating_point(&scored, &card, 0.9).unwrap();
        let flagged = |s: &Scored| {
            let [d, f, _] = card.probabilities(s.logits);
            d + f >= point
        };
        let injuries: Vec<&Scored> = scored.iter().filter(|s| s.class.is_injury()).collect();
        let found = injuries.iter().filter(|s| flagged(s)).count();
        assert_eq!(found, (0.9 * injuries.len() as f64).ceil() as usize);
        assert_eq!(operating_point(&[], &card, 0.9), None);
    }
}
