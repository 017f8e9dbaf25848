//! Cascading randomisation (Adebayo et al. 2018, arXiv 1810.03292): a map that stays as it was when the network forgets,
//! from the head downwards, all that it learnt, does not show what it learnt.

use anyhow::{Context, Result};
use cspine_domain::Class;
use cspine_nets::layers::StateDict;
use cspine_nets::{Architecture, Checkpoint, Classifier, SaliencyMethod, init};
use rayon::prelude::*;
use serde::Serialize;

use super::explainer::{Explainer, Scene};
use super::pointing::mean;
use crate::metrics::spearman;

/// What became of the maps.
#[derive(Debug, Clone, Serialize)]
pub struct Randomisation {
    /// Images measured on, with the class that the model itself explained.
    pub images: usize,
    /// What was randomised, one after the other, what came before it staying random.
    pub stages: Vec<String>,
    /// One a method.
    pub rows: Vec<Cascade>,
}

/// One method.
#[derive(Debug, Clone, Serialize)]
pub struct Cascade {
    /// Its word.
    pub name: String,
    /// Mean rank correlation with the map of the whole network after each stage; a flat map counts as 0.
    pub rho: Vec<f64>,
}

/// Randomises the network stage by stage with weights of a seed; `tell` hears of each map.
pub fn measure(
    scene: &Scene<'_>,
    checkpoint: &Checkpoint,
    chosen: &[usize],
    methods: &[SaliencyMethod],
    seed: u64,
    tell: impl Fn() + Sync,
) -> Result<Randomisation> {
    let architecture = checkpoint.card.architecture;
    let stages = stages(architecture);
    let fresh = init::network(architecture, seed, Class::COUNT)?;
    let map = |model: &Classifier, method: SaliencyMethod, i: usize| {
        let sample = &scene.samples[i];
        tell();
        model.explain(&sample.input, sample.explained, method).with_context(|| format!("explaining {}", sample.name))
    };
    let pairs: Vec<(SaliencyMethod, usize)> =
        methods.iter().flat_map(|method| chosen.iter().map(move |&i| (*method, i))).collect();
    let whole = pairs.par_iter().with_max_len(1).map(|&(method, i)| map(scene.model, method, i));
    let whole = whole.collect::<Result<Vec<Vec<f32>>>>()?;
    let mut rows: Vec<Cascade> = methods
        .iter()
        .map(|method| Cascade { name: Explainer::Method(*method).to_string(), rho: Vec::new() })
        .collect();
    let mut randomised = checkpoint.clone();
    for stage in &stages {
        forget(&mut randomised.state, stage, &fresh);
        let model = Classifier::new(&randomised, scene.model.sha256())?;
        let rho = pairs
            .par_iter()
            .zip(&whole)
            .with_max_len(1)
            .map(|(&(method, i), whole)| Ok(spearman(whole, &map(&model, method, i)?).unwrap_or(0.0)));
        let rho = rho.collect::<Result<Vec<f64>>>()?;
        for (row, rho) in rows.iter_mut().zip(rho.chunks(chosen.len())) {
            row.rho.push(mean(rho.iter().copied()));
        }
    }
    Ok(Randomisation { images: chosen.len(), stages, rows })
}

/// Puts fresh weights in the place of a block's.
fn forget(state: &mut StateDict, stage: &str, fresh: &StateDict) {
    let of_stage = |name: &str| name.strip_prefix(stage).is_some_and(|rest| rest.starts_with('.'));
    state.extend(fresh.iter().filter(|(name, _)| of_stage(name)).map(|(name, tensor)| (name.clone(), tensor.clone())));
}

/// The blocks of an architecture from the head downwards.
fn stages(architecture: Architecture) -> Vec<String> {
    let block = |name: &str| match architecture {
        Architecture::GoogLeNet => name.split('.').next().unwrap_or(name).to_owned(),
        Architecture::AlexNet => name.to_owned(),
    };
    let mut stages: Vec<String> = architecture.layers().iter().map(|layer| block(&layer.name)).collect();
    stages.dedup();
    stages.push(architecture.head().to_owned());
    stages.reverse();
    stages
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};
    use cspine_nets::Architecture;
    use cspine_nets::layers::StateDict;

    use super::{forget, stages};

    #[test]
    fn the_cascade_runs_from_the_head_to_the_first_convolution_and_leaves_nothing_out() {
        let googlenet = stages(Architecture::GoogLeNet);
        assert_eq!(googlenet.len(), 13);
        assert_eq!(googlenet[..3], ["fc", "inception5b", "inception5a"]);
        let alexnet = stages(Architecture::AlexNet);
        assert_eq!(
            alexnet,
            "classifier.6 classifier.4 classifier.1 features.10 features.8 features.6 features.3 features.0"
                .split(' ')
                .collect::<Vec<_>>()
        );
        for (architecture, stages) in [(Architecture::GoogLeNet, googlenet), (Architecture::AlexNet, alexnet)] {
            for (name, _) in architecture.tensors(3) {
                assert_eq!(stages.iter().filter(|stage| name.starts_with(&format!("{stage}."))).count(), 1, "{name}");
            }
        }
    }

    #[test]
    fn what_is_forgotten_is_fresh_and_what_is_not_stays() {
        let of = |value: f32| -> StateDict {
            let tensor = |(name, _)| (name, Tensor::new(&[value], &Device::Cpu).unwrap());
            Architecture::GoogLeNet.tensors(3).into_iter().map(tensor).collect()
        };
        let (mut state, fresh, mut forgotten) = (of(0.0), of(1.0), Vec::new());
        for stage in stages(Architecture::GoogLeNet) {
            forget(&mut state, &stage, &fresh);
            forgotten.push(stage);
            for (name, tensor) in &state {
                let gone = forgotten.iter().any(|stage| name.split('.').next() == Some(stage));
                assert_eq!(tensor.to_vec1::<f32>().unwrap(), [f32::from(u8::from(gone))], "{name} after {forgotten:?}");
            }
        }
        assert_eq!(forgotten.len(), 13);
    }
}
