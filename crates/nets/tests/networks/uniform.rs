//! The formula behind the reference weights: FNV-1a of a name seeds splitmix64, the top 24 bits are the value.

use candle_core::{Device, Tensor};
use cspine_nets::Architecture;
use cspine_nets::layers::StateDict;

/// `count` values in [0, 1).
pub fn uniform(name: &str, count: usize) -> Vec<f32> {
    let seed = name.bytes().fold(0xCBF2_9CE4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01B3));
    (1..=count as u64)
        .map(|index| {
            let mut z = seed.wrapping_add(index.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((z ^ (z >> 31)) >> 40) as f32 / (1 << 24) as f32
        })
        .collect()
}

fn filled(name: &str, dims: &[usize]) -> Tensor {
    let u = uniform(name, dims.iter().product());
    let values: Vec<f32> = if name.contains(".bn.") && (name.ends_with("weight") || name.ends_with("running_var")) {
        u.iter().map(|u| 0.5 + u).collect()
    } else if name.ends_with("bias") || name.ends_with("running_mean") {
        u.iter().map(|u| 0.2 * u - 0.1).collect()
    } else {
        let fan_in: usize = dims[1..].iter().product();
        let scale = (6.0 / fan_in as f64).sqrt() as f32;
        u.iter().map(|u| (2.0 * u - 1.0) * scale).collect()
    };
    Tensor::from_vec(values, dims, &Device::Cpu).unwrap()
}

/// A network of three classes with the reference weights.
pub fn state(architecture: Architecture) -> StateDict {
    architecture.tensors(3).into_iter().map(|(name, dims)| (name.clone(), filled(&name, &dims))).collect()
}
