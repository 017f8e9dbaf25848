//! Films that pre-training never sees, to see how it goes.

use anyhow::Result;
use candle_core::{D, Device, Tensor};
use cspine_domain::Class;
use cspine_imaging::{Preprocessing, Radiograph};
use cspine_nets::layers::{Mode, StateDict};
use cspine_nets::{Architecture, Learner};
use cspine_phantom::{Case, Preset};
use rayon::prelude::*;

/// The films: input, class, whether it is ambiguous.
pub fn films(preprocessing: &Preprocessing) -> Vec<(Vec<f32>, Class, bool)> {
    (0..300u64)
        .into_par_iter()
        .map(|i| {
            let class = Class::ALL[i as usize % 3];
            let case = Case::sample(900_000_000 + i, class);
            let film = case.render(448, Preset::Reference);
            let radiograph = Radiograph::grey(film.width, film.height, film.pixels);
            (preprocessing.apply(&radiograph), class, case.ambiguous)
        })
        .collect()
}

/// Accuracy on all cases and on the clear ones, and how often each class was answered right.
pub fn look(
    architecture: Architecture,
    state: &StateDict,
    films: &[(Vec<f32>, Class, bool)],
    side: usize,
) -> Result<String> {
    let learner = Learner::new(architecture, state)?;
    let (mut right, mut clear, mut clear_right, mut by_class) = (0, 0, 0, [0; 3]);
    for chunk in films.chunks(20) {
        let values: Vec<f32> = chunk.iter().flat_map(|(x, _, _)| x).copied().collect();
        let images = Tensor::from_vec(values, (chunk.len(), 3, side, side), &Device::Cpu)?;
        let answers = learner.logits(&images, Mode::Infer)?.argmax(D::Minus1)?.to_vec1::<u32>()?;
        for (answer, (_, class, ambiguous)) in answers.iter().zip(chunk) {
            let hit = usize::from(*answer as usize == class.index());
            right += hit;
            by_class[class.index()] += hit;
            clear += usize::from(!ambiguous);
            clear_right += if *ambiguous { 0 } else { hit };
        }
    }
    let share = |a: usize, b: usize| 100.0 * a as f32 / b.max(1) as f32;
    let of = films.len() / 3;
    Ok(format!(
        "all {:.1} %, clear {:.1} %; dislocation {:.0} %, fracture {:.0} %, normal {:.0} %",
        share(right, films.len()),
        share(clear_right, clear),
        share(by_class[0], of),
        share(by_class[1], of),
        share(by_class[2], of)
    ))
}
