//! What an answer rests on: the gradient by the input (Simonyan et al. 2013, arXiv 1312.6034; the paper's), SmoothGrad
//! (Smilkov et al. 2017, arXiv 1706.03825), Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391), integrated gradients
//! (Sundararajan et al. 2017, arXiv 1703.01365).

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
    /// The mean gradient on the way from a black film to the input, times that way, summed over channels.
    IntegratedGradients,
}

impl SaliencyMethod {
    /// All of them.
    pub const ALL: [SaliencyMethod; 4] = [Self::Gradient, Self::SmoothGrad, Self::GradCam, Self::IntegratedGradients];

    /// Its word: `gradient`, `smoothgrad`, `gradcam`, `integrated`.
    pub fn as_str(self) -> &'static str {
        match self {
            SaliencyMethod::Gradient => "gradient",
            SaliencyMethod::SmoothGrad => "smoothgrad",
            SaliencyMethod::GradCam => "gradcam",
            SaliencyMethod::IntegratedGradients => "integrated",
        }
    }
}

impl std::str::FromStr for SaliencyMethod {
    type Err = ModelError;
    fn from_str(word: &str) -> Result<Self, ModelError> {
        Self::ALL.into_iter().find(|method| method.as_str() == word).ok_or(ModelError::UnknownSaliency)
    }
}

/// Noisy copies that SmoothGrad averages over.
const SMOOTH_COPIES: usize = 16;
/// Their noise, as a share of the input's range.
const SMOOTH_NOISE: f32 = 0.1;
/// Points of the way that integrated gradients average over, each the middle of its part.
const INTEGRATED_STEPS: usize = 32;
/// Inputs whose gradients are computed together: enough to fill the kernels, few enough for a worker's memory.
const TOGETHER: usize = 4;

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

/// Gradients of a class's logit by several inputs.
type Gradients<'a> = &'a dyn Fn(&[Vec<f32>]) -> Result<Vec<Vec<f32>>, ModelError>;

/// The mean gradient map over noisy inputs; the noise has a fixed seed.
pub(crate) fn smooth_grad(input: &[f32], gradients: Gradients<'_>) -> Result<Map, ModelError> {
    let (low, high) = input.iter().fold((f32::MAX, f32::MIN), |(l, h), &v| (l.min(v), h.max(v)));
    let deviation = SMOOTH_NOISE * (high - low);
    let mut rng = StdRng::seed_from_u64(16);
    let noisy = |_| input.iter().map(|v| v + deviation * normal(&mut rng)).collect();
    finite(mean_gradient((0..SMOOTH_COPIES).map(noisy), gradients, largest_channel)?)
}

/// For each value of the input its share of the logit's rise over that of `baseline`: `(x − x₀) · mean of ∂y/∂x` on the
/// straight way between them. The shares sum to the rise, as nearly as the mean is the integral.
pub(crate) fn integrated_gradients(
    input: &[f32],
    baseline: &[f32],
    gradients: Gradients<'_>,
) -> Result<Vec<f32>, ModelError> {
    let on_the_way = |step: usize| {
        let share = (step as f32 + 0.5) / INTEGRATED_STEPS as f32;
        input.iter().zip(baseline).map(|(x, x0)| x0 + share * (x - x0)).collect()
    };
    let mean = mean_gradient((0..INTEGRATED_STEPS).map(on_the_way), gradients, <[f32]>::to_vec)?;
    Ok(mean.iter().zip(input).zip(baseline).map(|((mean, x), x0)| mean * (x - x0)).collect())
}

/// The map of [`integrated_gradients`]: the size of each pixel's sum over channels.
pub(crate) fn integrated(shares: &[f32]) -> Result<Map, ModelError> {
    let pixels = shares.len() / 3;
    finite((0..pixels).map(|i| (0..3).map(|c| shares[c * pixels + i]).sum::<f32>().abs()).collect())
}

/// The mean of what `read` makes of each input's gradient.
fn mean_gradient(
    inputs: impl ExactSizeIterator<Item = Vec<f32>>,
    gradients: Gradients<'_>,
    read: impl Fn(&[f32]) -> Vec<f32>,
) -> Result<Vec<f32>, ModelError> {
    let count = inputs.len() as f32;
    let mut mean = Vec::new();
    let mut inputs = inputs.peekable();
    while inputs.peek().is_some() {
        let together: Vec<Vec<f32>> = inputs.by_ref().take(TOGETHER).collect();
        for gradient in gradients(&together)? {
            let values = read(&gradient);
            mean.resize(values.len(), 0.0);
            mean.iter_mut().zip(values).for_each(|(mean, value)| *mean += value / count);
        }
    }
    Ok(mean)
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
