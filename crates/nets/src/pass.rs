//! A pass that can be differentiated by what it went through.

use candle_core::{Tensor, Var};

use crate::ModelError;
use crate::layers::{Frozen, Mode};
use crate::network::Network;

/// What logits can be differentiated by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// The input images, `[n, 3, h, w]`.
    Images,
    /// The map in the middle, `[n, h, w, c]`.
    Middle,
    /// The last map, `[n, h, w, c]`.
    Last,
}

/// A pass from images to logits, cut at the two maps: Candle keeps gradients of variables only.
pub(crate) struct Pass {
    /// From each place to the next: images, middle map, last map, logits.
    links: [(Var, Tensor); 3],
    features: Tensor,
    from: Place,
}

impl Pass {
    /// Passes images `[n, 3, h, w]`, keeping what gradients by `from` and by the places after it need. `head` makes
    /// features `[n, f]` and logits `[n, classes]` of the last map.
    pub fn new(
        net: &Network<Frozen>,
        images: &Tensor,
        from: Place,
        head: impl FnOnce(&Tensor) -> candle_core::Result<(Tensor, Tensor)>,
    ) -> Result<Self, ModelError> {
        let mode = |place: Place| if place >= from { Mode::Differentiate } else { Mode::Infer };
        let images = Var::from_tensor(images)?;
        let to_middle = net.middle(images.as_tensor(), mode(Place::Images))?;
        let middle = Var::from_tensor(&to_middle.detach())?;
        let to_last = net.last(middle.as_tensor(), mode(Place::Middle))?;
        let last = Var::from_tensor(&to_last.detach())?;
        let (features, logits) = head(last.as_tensor())?;
        Ok(Self { links: [(images, to_middle), (middle, to_last), (last, logits)], features, from })
    }

    /// Features `[n, f]`: what the head sees.
    pub fn features(&self) -> &Tensor {
        &self.features
    }

    /// Logits `[n, classes]`.
    pub fn logits(&self) -> &Tensor {
        &self.links[2].1
    }

    /// What the pass had at a place.
    pub fn at(&self, place: Place) -> &Tensor {
        self.links[place as usize].0.as_tensor()
    }

    /// The gradient of `Σ logits · weights`, weights `[n, classes]`, by the place that was asked for.
    pub fn gradient(&self, weights: &Tensor) -> Result<Tensor, ModelError> {
        let mut gradient = weights.clone();
        for (input, output) in self.links[self.from as usize..].iter().rev() {
            let store = (output * &gradient)?.sum_all()?.backward()?;
            let Some(by_input) = store.get(input) else {
                return Err(candle_core::Error::Msg("the score does not depend on the images".into()).into());
            };
            gradient = by_input.clone();
        }
        Ok(gradient)
    }
}
