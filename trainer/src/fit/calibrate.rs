//! The temperature, on validation data (Guo et al. 2017, arXiv 1706.04599).

use cspine_domain::Class;

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
    let loss = |ln: f64| smoothed_nll(scored, ln.exp() as f32);
    let (mut low, mut high) = (-(20f64.ln()), 20f64.ln());
    for _ in 0..60 {
        let (a, b) = (high - ratio * (high - low), low + ratio * (high - low));
        if loss(a) < loss(b) { high = b } else { low = a }
    }
    ((low + high) / 2.0).exp() as f32
}

/// [`nll`] against labels that are believed as far as their number warrants: by Laplace's rule of succession each is right
/// with (n + 1)/(n + K). A network without an error would else be told to be infinitely sure (Platt 1999, on his targets).
fn smoothed_nll(scored: &[Scored], temperature: f32) -> f64 {
    let doubt = 1.0 / (scored.len() + Class::COUNT) as f64;
    let wrong = |s: &Scored| {
        let sum: f32 = s.logits.iter().sum();
        f64::from(s.logits[s.class.index()] * Class::COUNT as f32 - sum) / f64::from(temperature)
    };
    nll(scored, temperature) + doubt * scored.iter().map(wrong).sum::<f64>() / scored.len() as f64
}

#[cfg(test)]
mod tests {
    use cspine_imaging::Preprocessing;
    use cspine_nets::{Architecture, ModelCard};

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
    fn a_network_without_an_error_is_not_told_to_be_infinitely_sure() {
        let scored: Vec<Scored> = (0..300)
            .map(|i| {
                let mut logits = [0.0; 3];
                logits[i % 3] = 8.0 + (i % 7) as f32;
                Scored { logits, class: Class::ALL[i % 3] }
            })
            .collect();
        let card = ModelCard {
            temperature: temperature(&scored),
            ..ModelCard::uncalibrated(Architecture::GoogLeNet, Preprocessing::default(), "test")
        };
        // As sure as three hundred right answers warrant: about 301 in 303.
        let mean = scored.iter().map(|s| card.probabilities(s.logits)[s.class.index()]).sum::<f32>() / 300.0;
        assert!((mean - 301.0 / 303.0).abs() < 2e-3, "{mean} at temperature {}", card.temperature);
    }
}
