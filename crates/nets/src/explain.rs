//! What a model's answer rests on.

use candle_core::{Device, Tensor};
use cspine_domain::Class;

use crate::ModelError;
use crate::architecture::Architecture;
use crate::classifier::Classifier;
use crate::layers::Mode;
use crate::pass::{Pass, Place};
use crate::saliency::{self, Grid, Map, SaliencyMethod};

impl Classifier {
    /// The saliency of an input `[3, size, size]` for a class, whatever the answer: `size * size` values, 0 and more.
    ///
    /// # Errors
    /// An input of another length; values that are not finite.
    pub fn explain(&self, input: &[f32], class: Class, method: SaliencyMethod) -> Result<Vec<f32>, ModelError> {
        self.check(input)?;
        let pass = self.pass(input.to_vec(), self.place(method))?;
        Ok(self.map(&pass, input, class, method)?.enlarged(self.card().preprocessing.size))
    }

    /// The gradients of a class's logit by each of some inputs `[3, size, size]`, all in one batch.
    pub fn input_gradients(&self, inputs: &[Vec<f32>], class: Class) -> Result<Vec<Vec<f32>>, ModelError> {
        inputs.iter().try_for_each(|input| self.check(input))?;
        let pass = self.pass(inputs.concat(), Place::Images)?;
        let by_images = pass.gradient(&logit(class, inputs.len())?)?.flatten_all()?.to_vec1::<f32>()?;
        Ok(by_images.chunks(self.input_len()).map(<[f32]>::to_vec).collect())
    }

    /// What each value of an input `[3, size, size]` adds to a class's logit over that of a black film.
    pub fn integrated_gradients(&self, input: &[f32], class: Class) -> Result<Vec<f32>, ModelError> {
        self.check(input)?;
        let baseline = self.black();
        saliency::integrated_gradients(input, &baseline, &|inputs| self.input_gradients(inputs, class))
    }

    /// The input of a black film.
    pub fn black(&self) -> Vec<f32> {
        self.card().preprocessing.normalise(&vec![0.0; self.input_len() / 3])
    }

    /// What a method differentiates one input's logit by, and the class's gradient by it: feature maps `[1, h, w, c]`, for
    /// [`SaliencyMethod::Gradient`] the image `[1, 3, size, size]`.
    pub fn map_gradient(
        &self,
        input: &[f32],
        class: Class,
        method: SaliencyMethod,
    ) -> Result<(Tensor, Tensor), ModelError> {
        self.check(input)?;
        let pass = self.pass(input.to_vec(), self.place(method))?;
        let gradient = pass.gradient(&logit(class, 1)?)?;
        Ok((pass.at(self.place(method)).clone(), gradient))
    }

    /// A pass of inputs one after the other in `values`.
    pub(crate) fn pass(&self, values: Vec<f32>, from: Place) -> Result<Pass, ModelError> {
        let count = values.len() / self.input_len();
        Pass::new(&self.net, &self.images(values, count)?, from, |last| {
            let features = self.features(last, Mode::Differentiate)?;
            let logits = self.head(&features)?;
            Ok((features, logits))
        })
    }

    /// What a method's own pass is to be differentiated by.
    pub(crate) fn place(&self, method: SaliencyMethod) -> Place {
        match (method, self.card().architecture) {
            (SaliencyMethod::Gradient, _) => Place::Images,
            (SaliencyMethod::HiResCam, Architecture::GoogLeNet) => Place::Middle,
            // AlexNet's last map is as fine as the one in its middle. Those of many passes begin with one for the answer.
            _ => Place::Last,
        }
    }

    /// The map of a pass of one input from the method's place.
    pub(crate) fn map(
        &self,
        pass: &Pass,
        input: &[f32],
        class: Class,
        method: SaliencyMethod,
    ) -> Result<Map, ModelError> {
        let place = self.place(method);
        let gradient = || pass.gradient(&logit(class, 1)?);
        let grid = Grid::of(self.card().architecture, place);
        match method {
            SaliencyMethod::Gradient => saliency::gradient(&gradient()?.flatten_all()?.to_vec1::<f32>()?),
            SaliencyMethod::GradCam => saliency::grad_cam(pass.at(place), &gradient()?, grid),
            SaliencyMethod::HiResCam => saliency::hires_cam(pass.at(place), &gradient()?, grid),
            SaliencyMethod::SmoothGrad => saliency::smooth_grad(input, &|noisy| self.input_gradients(noisy, class)),
            SaliencyMethod::IntegratedGradients => saliency::integrated(&self.integrated_gradients(input, class)?),
        }
    }
}

/// Weights `[images, classes]` under which a row's sum of logits is a class's own.
fn logit(class: Class, images: usize) -> Result<Tensor, ModelError> {
    let mut weights = [0f32; Class::COUNT];
    weights[class.index()] = 1.0;
    Ok(Tensor::from_vec(weights.repeat(images), (images, Class::COUNT), &Device::Cpu)?)
}
