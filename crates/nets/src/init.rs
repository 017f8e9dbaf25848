//! Fresh weights by seed.

use candle_core::{Device, Result, Tensor};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::googlenet::{FEATURES, layer_shapes};
use crate::layers::StateDict;

/// A GoogLeNet of `classes` classes: convolutions normal with variance 2 / fan-in (He et al. 2015), norms the identity,
/// the head as by [`head`]. The same seed gives the same weights.
pub fn googlenet(seed: u64, classes: usize) -> Result<StateDict> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut state = StateDict::new();
    for layer in layer_shapes() {
        let kernel = layer.window.kernel;
        let fan_in = layer.ins * kernel * kernel;
        let weights = normals(&mut rng, layer.outs * fan_in, (2.0 / fan_in as f32).sqrt());
        let dims = (layer.outs, layer.ins, kernel, kernel);
        state.insert(format!("{}.conv.weight", layer.name), Tensor::from_vec(weights, dims, &Device::Cpu)?);
        for (part, value) in [("weight", 1.0f32), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)] {
            state.insert(format!("{}.bn.{part}", layer.name), Tensor::full(value, layer.outs, &Device::Cpu)?);
        }
    }
    state.extend(head(seed, classes)?);
    Ok(state)
}

/// A fresh head: `fc.weight` normal with deviation 0.01, `fc.bias` zero.
pub fn head(seed: u64, classes: usize) -> Result<StateDict> {
    Ok(StateDict::from([
        ("fc.weight".to_owned(), normal_matrix(seed ^ 0x4845_4144, (classes, FEATURES), 0.01)?),
        ("fc.bias".to_owned(), Tensor::zeros(classes, candle_core::DType::F32, &Device::Cpu)?),
    ]))
}

/// A matrix of independent normal values of mean zero. The same seed gives the same values.
pub fn normal_matrix(seed: u64, dims: (usize, usize), deviation: f32) -> Result<Tensor> {
    let mut rng = StdRng::seed_from_u64(seed);
    Tensor::from_vec(normals(&mut rng, dims.0 * dims.1, deviation), dims, &Device::Cpu)
}

fn normals(rng: &mut StdRng, count: usize, deviation: f32) -> Vec<f32> {
    (0..count).map(|_| deviation * normal(rng)).collect()
}

/// A standard normal value by the Box–Muller transform.
pub(crate) fn normal(rng: &mut StdRng) -> f32 {
    let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    ((-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()) as f32
}
