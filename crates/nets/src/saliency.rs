//! What an answer rests on: the gradient by the input (Simonyan et al. 2013, arXiv 1312.6034; the paper's), SmoothGrad
//! (Smilkov et al. 2017, arXiv 1706.03825), Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391).

use candle_core::{Tensor, Var};
use cspine_imaging::{Heatmap, resize};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::ModelError;
use crate::init::normal;

/// The methods there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SaliencyMethod {
    /// |∂y/∂x|, the largest of the three channels: the paper's.
    #[default]
    Gradient,
    /// The mean of |∂y/∂x| over sixteen noisy copies of the input.
    SmoothGrad,
    /// Σ over channels of feature maps at `inception5b`, weighted by their mean gradient, clipped at zero.
    GradCam,
}

impl SaliencyMethod {
    /// Its word: `gradient`, `smoothgrad`, `gradcam`.
    pub fn as_str(self) -> &'static str {
        match self {
            SaliencyMethod::Gradient => "gradient",
            SaliencyMethod::SmoothGrad => "smoothgrad",
            SaliencyMethod::GradCam => "gradcam",
        }
    }
}

impl std::str::FromStr for SaliencyMethod {
    type Err = ModelError;
    fn from_str(word: &str) -> Result<Self, ModelError> {
        let all = [Self::Gradient, Self::SmoothGrad, Self::GradCam];
        all.into_iter().find(|method| method.as_str() == word).ok_or(ModelError::UnknownSaliency)
    }
}

/// Noisy copies that SmoothGrad averages over.
const SMOOTH_COPIES: usize = 16;
/// Their noise, as a share of the input's range.
const SMOOTH_NOISE: f32 = 0.1;

/// A square map of non-negative saliency.
#[derive(Debug, Clone)]
pub struct Map {
    /// Row-major values.
    pub values: Vec<f32>,
    /// Side in cells.
    pub side: usize,
}

impl Map {
    /// The map at the network's resolution, 8-bit.
    pub(crate) fn heatmap(&self, size: u32) -> Result<Heatmap, ModelError> {
        let side = size as usize;
        let full = if self.side == side {
            self.values.clone()
        } else {
            resize(&self.values, self.side, self.side, side, side)
        };
        Heatmap::from_saliency(size, size, &full).map_err(|_| ModelError::NotFinite)
    }
}

/// ∂score/∂images, `[3, size, size]`.
pub(crate) fn by_images(score: &Tensor, images: &Var) -> Result<Vec<f32>, ModelError> {
    let gradients = score.backward()?;
    let Some(gradient) = gradients.get(images) else {
        return Err(candle_core::Error::Msg("the score does not depend on the images".into()).into());
    };
    Ok(gradient.flatten_all()?.to_vec1()?)
}

/// The gradient map.
pub(crate) fn gradient(score: &Tensor, images: &Var) -> Result<Map, ModelError> {
    finite(largest_channel(&by_images(score, images)?))
}

/// The mean gradient map over noisy inputs; the noise has a fixed seed.
pub(crate) fn smooth_grad(
    input: &[f32],
    gradient: impl Fn(&[f32]) -> Result<Vec<f32>, ModelError>,
) -> Result<Map, ModelError> {
    let (low, high) = input.iter().fold((f32::MAX, f32::MIN), |(l, h), &v| (l.min(v), h.max(v)));
    let deviation = SMOOTH_NOISE * (high - low);
    let mut rng = StdRng::seed_from_u64(16);
    let mut sum = vec![0.0; input.len() / 3];
    for _ in 0..SMOOTH_COPIES {
        let noisy: Vec<f32> = input.iter().map(|v| v + deviation * normal(&mut rng)).collect();
        for (sum, value) in sum.iter_mut().zip(largest_channel(&gradient(&noisy)?)) {
            *sum += value / SMOOTH_COPIES as f32;
        }
    }
    finite(sum)
}

/// Grad-CAM of feature maps `[1, h, w, c]` and the score's gradient by them.
pub(crate) fn grad_cam(maps: &Tensor, gradient: &Tensor) -> Result<Map, ModelError> {
    let weights = gradient.mean((1, 2))?;
    let (_, side, _, channels) = maps.dims4()?;
    let cam = maps.reshape((side * side, channels))?.matmul(&weights.reshape((channels, 1))?)?.relu()?;
    Ok(Map { side, ..finite(cam.flatten_all()?.to_vec1()?)? })
}

fn largest_channel(gradient: &[f32]) -> Vec<f32> {
    let pixels = gradient.len() / 3;
    (0..pixels).map(|i| (0..3).map(|c| gradient[c * pixels + i].abs()).fold(0.0, nan_max)).collect()
}

fn nan_max(a: f32, b: f32) -> f32 {
    if b > a || b.is_nan() { b } else { a }
}

fn finite(values: Vec<f32>) -> Result<Map, ModelError> {
    let side = values.len().isqrt();
    if values.iter().all(|v| v.is_finite()) { Ok(Map { values, side }) } else { Err(ModelError::NotFinite) }
}
