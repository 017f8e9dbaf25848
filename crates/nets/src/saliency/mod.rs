//! What an answer rests on: the gradient by the input (Simonyan et al. 2013, arXiv 1312.6034; the paper's), SmoothGrad
//! (Smilkov et al. 2017, arXiv 1706.03825), Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391), integrated gradients
//! (Sundararajan et al. 2017, arXiv 1703.01365), HiResCAM (Draelos and Carin 2020, arXiv 2011.08891) on a finer map. How
//! well each points at an injury: `docs/saliency.md`.

mod cam;
mod gradients;

use cspine_imaging::resize;

use crate::ModelError;

pub(crate) use cam::{grad_cam, hires_cam};
pub(crate) use gradients::{gradient, integrated, integrated_gradients, smooth_grad};

/// The methods there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SaliencyMethod {
    /// Σ over channels of the finest map that still knows classes, times its gradient, clipped at zero. That map has a
    /// value every 16 pixels: GoogLeNet's after `inception4e`, AlexNet's last.
    #[default]
    HiResCam,
    /// |∂y/∂x|, the largest of the three channels: the paper's.
    Gradient,
    /// The mean of |∂y/∂x| over sixteen noisy copies of the input.
    SmoothGrad,
    /// Σ over channels of the last map, weighted by their mean gradient, clipped at zero.
    GradCam,
    /// The mean gradient on the way from a black film to the input, times that way, summed over channels.
    IntegratedGradients,
}

impl SaliencyMethod {
    /// All of them.
    pub const ALL: [SaliencyMethod; 5] =
        [Self::HiResCam, Self::Gradient, Self::SmoothGrad, Self::GradCam, Self::IntegratedGradients];

    /// Its word: `hirescam`, `gradient`, `smoothgrad`, `gradcam`, `integrated`.
    pub fn as_str(self) -> &'static str {
        match self {
            SaliencyMethod::HiResCam => "hirescam",
            SaliencyMethod::Gradient => "gradient",
            SaliencyMethod::SmoothGrad => "smoothgrad",
            SaliencyMethod::GradCam => "gradcam",
            SaliencyMethod::IntegratedGradients => "integrated",
        }
    }

    /// How many passes through the network, forth and back, a map takes.
    pub fn passes(self) -> usize {
        match self {
            SaliencyMethod::SmoothGrad => gradients::SMOOTH_COPIES,
            SaliencyMethod::IntegratedGradients => gradients::INTEGRATED_STEPS,
            _ => 1,
        }
    }
}

impl std::str::FromStr for SaliencyMethod {
    type Err = ModelError;
    fn from_str(word: &str) -> Result<Self, ModelError> {
        Self::ALL.into_iter().find(|method| method.as_str() == word).ok_or(ModelError::UnknownSaliency)
    }
}

impl std::fmt::Display for SaliencyMethod {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A square map of saliency, 0 and more.
#[derive(Debug, Clone)]
pub(crate) struct Map {
    /// Row-major values, finite.
    pub values: Vec<f32>,
    /// Side in cells.
    pub side: usize,
}

impl Map {
    /// Of values that fill a square.
    fn of(values: Vec<f32>) -> Result<Self, ModelError> {
        let side = values.len().isqrt();
        if values.iter().all(|v| v.is_finite()) { Ok(Map { values, side }) } else { Err(ModelError::NotFinite) }
    }

    /// The map at the network's resolution, `size * size` values.
    pub fn enlarged(self, size: u32) -> Vec<f32> {
        let size = size as usize;
        if self.side == size { self.values } else { resize(&self.values, self.side, self.side, size, size) }
    }
}
