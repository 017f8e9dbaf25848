//! Fresh weights by seed.

use candle_core::{Device, Result, Tensor};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::architecture::Architecture;
use crate::layers::{LayerShape, StateDict};

/// A network of `classes` classes: convolutions and matrices normal with variance 2 / fan-in (He et al. 2015), norms the
/// identity, biases zero, the head as by [`head`]. The same seed gives the same weights.
pub fn network(architecture: Architecture, seed: u64, classes: usize) -> Result<StateDict> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut state = StateDict::new();
    for (name, dims) in architecture.layers().iter().flat_map(LayerShape::tensors) {
        let tensor = if dims.len() > 1 {
            let fan_in: usize = dims[1..].iter().product();
            let weights = normals(&mut rng, dims.iter().product(), (2.0 / fan_in as f32).sqrt());
            Tensor::from_vec(weights, dims, &Device::Cpu)?
        } else {
            let is_one = name.ends_with("bn.weight") || name.ends_with("bn.running_var");
            Tensor::full(if is_one { 1.0f32 } else { 0.0 }, dims, &Device::Cpu)?
        };
        state.insert(name, tensor);
    }
    state.extend(head(architecture, seed, classes)?);
    Ok(state)
}

/// A fresh head: weights normal with deviation 0.01, biases zero.
pub fn head(architecture: Architecture, seed: u64, classes: usize) -> Result<StateDict> {
    let named = |part: &str| format!("{}.{part}", architecture.head());
    let dims = (classes, architecture.features());
    Ok(StateDict::from([
        (named("weight"), normal_matrix(seed ^ 0x4845_4144, dims, 0.01)?),
        (named("bias"), Tensor::zeros(classes, candle_core::DType::F32, &Device::Cpu)?),
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
pub fn normal(rng: &mut impl Rng) -> f32 {
    let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    ((-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()) as f32
}
