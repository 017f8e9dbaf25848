//! The Mahalanobis distance of a feature vector (Lee et al. 2018, arXiv 1807.03888), taken of its direction alone, at length 1
//! (Mahalanobis++, Mueller and Hein 2025, arXiv 2505.18032): long and short vectors come of sharp and faint films, which
//! is no matter of scope. The covariance is that of probabilistic principal components (Tipping and Bishop 1999): the
//! largest components by their own variances, all that is left over, the residual, by its mean variance.

use candle_core::{DType, Device, Tensor};

use super::principal::principal_components;
use crate::ModelError;
use crate::layers::StateDict;

/// The names of its tensors.
const MEAN: &str = "gate.mean";
const COMPONENTS: &str = "gate.components";
const VARIANCES: &str = "gate.variances";
const RESIDUAL: &str = "gate.residual";

/// A mean and a covariance of features of length 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Mahalanobis {
    /// `[f]`.
    mean: Vec<f32>,
    /// `[k, f]`: orthonormal rows.
    components: Vec<f32>,
    /// `[k]`: along each component.
    variances: Vec<f32>,
    /// Along every direction that is left.
    residual: f32,
}

impl Mahalanobis {
    /// Fits it to feature vectors of one length.
    ///
    /// # Errors
    /// [`ModelError::TooFewImages`] where they span no more than `components` directions.
    pub fn fit(features: &[Vec<f32>], components: usize) -> Result<Self, ModelError> {
        let too_few = || ModelError::TooFewImages { components, images: features.len() };
        let length = features.first().map_or(0, Vec::len);
        if features.len() <= components + 1 || length <= components {
            return Err(too_few());
        }
        let directions: Vec<Vec<f32>> = features.iter().map(|features| direction(features)).collect();
        let found = principal_components(&directions, components)?;
        let left = found.total_variance - found.variances.iter().sum::<f64>();
        let residual = (left / (length - components) as f64) as f32;
        let variances: Vec<f32> = found.variances.iter().map(|v| *v as f32).collect();
        if !(residual > 0.0 && variances.iter().all(|v| *v > 0.0)) {
            return Err(too_few());
        }
        // As a file gives them back, so that thresholds are found on what will be used.
        let stored = Tensor::from_vec(found.components, components * length, &Device::Cpu)?.to_dtype(DType::F16)?;
        let components = stored.to_dtype(DType::F32)?.to_vec1()?;
        Ok(Self { mean: found.mean, components, variances, residual })
    }

    /// The squared distance over the number of features: about 1 on average over the images it was fitted to.
    pub fn score(&self, features: &[f32]) -> f32 {
        let centred: Vec<f32> = direction(features).iter().zip(&self.mean).map(|(x, m)| x - m).collect();
        let square = |v: f32| f64::from(v) * f64::from(v);
        let (mut along, mut explained) = (0.0, 0.0);
        for (component, variance) in self.components.chunks_exact(self.mean.len()).zip(&self.variances) {
            let projection = square(component.iter().zip(&centred).map(|(c, x)| c * x).sum());
            along += projection / f64::from(*variance);
            explained += projection;
        }
        let left = (centred.iter().map(|x| square(*x)).sum::<f64>() - explained).max(0.0);
        ((along + left / f64::from(self.residual)) / self.mean.len() as f64) as f32
    }

    /// How many components it has.
    pub fn components(&self) -> usize {
        self.variances.len()
    }

    /// Adds its tensors to a state dict.
    pub(super) fn write(&self, state: &mut StateDict) -> Result<(), ModelError> {
        let (k, f) = (self.variances.len(), self.mean.len());
        let vector = |values: &[f32]| Tensor::from_slice(values, values.len(), &Device::Cpu);
        state.insert(MEAN.into(), vector(&self.mean)?);
        state.insert(
            COMPONENTS.into(),
            Tensor::from_slice(&self.components, (k, f), &Device::Cpu)?.to_dtype(DType::F16)?,
        );
        state.insert(VARIANCES.into(), vector(&self.variances)?);
        state.insert(RESIDUAL.into(), vector(&[self.residual])?);
        Ok(())
    }

    /// Reads it out of a state dict whose shapes are checked.
    pub(super) fn read(state: &StateDict) -> Result<Self, ModelError> {
        let vector = |name: &str| -> Result<Vec<f32>, ModelError> {
            let tensor = state.get(name).ok_or_else(|| ModelError::Missing(name.to_owned()))?;
            Ok(tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
        };
        let positive = |name: &'static str| {
            let values = vector(name)?;
            if values.iter().all(|v| *v > 0.0) { Ok(values) } else { Err(ModelError::NotPositive(name)) }
        };
        let (variances, residual) = (positive(VARIANCES)?, positive(RESIDUAL)?);
        let residual = *residual.first().ok_or_else(|| ModelError::Missing(RESIDUAL.to_owned()))?;
        Ok(Self { mean: vector(MEAN)?, components: vector(COMPONENTS)?, variances, residual })
    }
}

/// At length 1; a vector of zeros stays one.
fn direction(features: &[f32]) -> Vec<f32> {
    let length = features.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt() as f32;
    features.iter().map(|x| x / length.max(f32::MIN_POSITIVE)).collect()
}

/// The name and shape of each tensor.
pub(super) fn tensors(features: usize, components: usize) -> Vec<(String, Vec<usize>)> {
    vec![
        (MEAN.into(), vec![features]),
        (COMPONENTS.into(), vec![components, features]),
        (VARIANCES.into(), vec![components]),
        (RESIDUAL.into(), vec![1]),
    ]
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::Mahalanobis;
    use crate::close::assert_close;
    use crate::init::normal;

    /// Deviations across a long axis, in thousandths of it: 5, 3 and 2 along three others, 0.1 along the rest.
    const DEVIATIONS: [f32; 8] = [3.0, 5.0, 0.1, 2.0, 0.1, 0.1, 0.1, 0.1];

    /// A vector of length about 7, off its axis by some deviations: so near to it the sphere is flat.
    fn off_axis(deviations: [f32; 8]) -> Vec<f32> {
        let off = deviations.iter().zip(DEVIATIONS).map(|(z, d)| 7.0 * 1e-3 * z * d);
        std::iter::once(7.0).chain(off).collect()
    }

    fn gaussian(images: usize) -> Vec<Vec<f32>> {
        let mut rng = StdRng::seed_from_u64(3);
        (0..images).map(|_| off_axis(std::array::from_fn(|_| normal(&mut rng)))).collect()
    }

    #[test]
    fn a_gaussians_score_is_the_squared_distance_in_its_deviations_over_the_dimensions() {
        let fitted = Mahalanobis::fit(&gaussian(20_000), 3).unwrap();
        for (deviations, expected) in [
            ([0.0; 8], 0.0),
            // Two along the largest component, one along the least: (4 + 1) / 9.
            ([0.0, 2.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0], 5.0 / 9.0),
            // Five where no component reaches. Of six directions left, that of the length itself has no variance.
            ([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 5.0], 25.0 / 9.0 * 6.0 / 5.0),
        ] {
            let score = fitted.score(&off_axis(deviations));
            assert!((score - expected).abs() < 0.03 * expected.max(0.3), "{score} against {expected}");
        }
        let mean = gaussian(2_000).iter().map(|x| fitted.score(x)).sum::<f32>() / 2_000.0;
        assert!((mean - 1.0).abs() < 0.05, "mean score {mean}");
    }

    #[test]
    fn a_longer_vector_of_the_same_direction_has_the_same_score() {
        let fitted = Mahalanobis::fit(&gaussian(1_000), 3).unwrap();
        let far = off_axis([1.0, -1.0, 3.0, 0.0, 0.0, 2.0, 0.0, 0.0]);
        let longer: Vec<f32> = far.iter().map(|x| 4.0 * x).collect();
        assert_close(&[fitted.score(&longer)], &[fitted.score(&far)], 1e-4);
        assert!(fitted.score(&[0.0; 9]) > 1e3, "no features at all are strange");
    }

    #[test]
    fn fewer_images_than_components_or_none_that_differ_are_refused() {
        for images in [vec![], gaussian(4), vec![vec![1.0; 8]; 100]] {
            let error = Mahalanobis::fit(&images, 3).unwrap_err();
            assert!(error.to_string().contains("3 components"), "{error}");
        }
    }
}
