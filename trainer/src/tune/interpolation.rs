//! Weights between a champion's and those that it was fine-tuned to: on what the champion knows they stay closer to it, and on
//! what is new they often answer as well (Wortsman et al. 2022, arXiv 2109.01903).

use anyhow::{Context, Result};
use candle_core::DType;
use cspine_nets::layers::StateDict;

use crate::fit::calibrate::{Scored, nll};

/// Shares of the way from the champion's weights to the fine-tuned ones that are tried.
const SHARES: [f64; 3] = [0.5, 0.75, 1.0];

/// Weights somewhere on the way, with what they make of the validation set.
#[derive(Debug)]
pub struct Between {
    /// The weights.
    pub state: StateDict,
    /// The logits of its images.
    pub scored: Vec<Scored>,
    /// Their loss, uncalibrated.
    pub loss: f64,
    /// The share of the way: 1 are the fine-tuned weights themselves.
    pub share: f64,
}

impl Between {
    /// Of the shares tried that of the lowest loss.
    ///
    /// # Errors
    /// As `score`; weights of two architectures.
    pub fn best(old: &StateDict, new: &StateDict, score: impl Fn(&StateDict) -> Result<Vec<Scored>>) -> Result<Self> {
        let mut tried = Vec::new();
        for share in SHARES {
            let state = interpolated(old, new, share)?;
            let scored = score(&state)?;
            tried.push(Self { loss: nll(&scored, 1.0), state, scored, share });
        }
        tried.into_iter().min_by(|a, b| a.loss.total_cmp(&b.loss)).context("no share was tried")
    }
}

fn interpolated(old: &StateDict, new: &StateDict, share: f64) -> Result<StateDict> {
    let between = |(name, new): (&String, &candle_core::Tensor)| {
        let old = old.get(name).with_context(|| format!("the champion has no {name}"))?.to_dtype(DType::F32)?;
        let new = new.to_dtype(DType::F32)?;
        Ok((name.clone(), ((old * (1.0 - share))? + (new * share)?)?))
    };
    new.iter().map(between).collect()
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};
    use cspine_domain::Class;

    use super::*;

    fn state(value: f32) -> StateDict {
        [("fc.weight".to_owned(), Tensor::new(&[value, 2.0 * value], &Device::Cpu).unwrap())].into()
    }

    fn weights(state: &StateDict) -> Vec<f32> {
        state["fc.weight"].to_vec1().unwrap()
    }

    #[test]
    fn the_share_of_the_lowest_loss_is_taken() {
        for (wanted, share) in [(0.0, 0.5), (5.5, 0.5), (7.0, 0.75), (9.5, 1.0)] {
            // The further from the weights wanted, the less sure of the right class.
            let score = |state: &StateDict| {
                let logits = [-(weights(state)[0] - wanted).abs(), 0.0, 0.0];
                Ok(vec![Scored { logits, class: Class::ALL[0] }])
            };
            let best = Between::best(&state(0.0), &state(10.0), score).unwrap();
            assert_eq!((best.share, weights(&best.state)[1]), (share, 20.0 * share as f32), "{wanted}");
        }
    }

    #[test]
    fn weights_of_another_network_are_refused() {
        let other = [("classifier.weight".to_owned(), Tensor::new(&[1f32], &Device::Cpu).unwrap())].into();
        let refused = Between::best(&other, &state(1.0), |_| Ok(Vec::new())).unwrap_err();
        assert!(refused.to_string().contains("fc.weight"), "{refused}");
    }
}
