//! A model in service: logits, the design's answer, and what it rests on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use candle_core::{Device, Tensor};
use cspine_domain::{Class, Orientation, Sha256};
use cspine_imaging::{Heatmap, oriented};

use crate::ModelError;
use crate::card::ModelCard;
use crate::checkpoint::Checkpoint;
use crate::gate::{Gate, Observation, Standing};
use crate::layers::{Frozen, Mode, get};
use crate::network::Network;
use crate::saliency::SaliencyMethod;

/// A network with its batch norm folded in and its weights packed. Shared by threads; runs on the calling rayon pool.
#[derive(Debug, Clone)]
pub struct Classifier {
    card: Arc<ModelCard>,
    sha256: Sha256,
    pub(crate) net: Arc<Network<Frozen>>,
    head_weight: Tensor,
    head_bias: Tensor,
    gate: Option<Arc<Gate>>,
}

/// The answer for one image.
#[derive(Debug, Clone)]
pub struct Inference {
    /// The network's outputs by class index.
    pub logits: [f32; Class::COUNT],
    /// Calibrated, by class index; they sum to 1.
    pub probabilities: [f32; Class::COUNT],
    /// The class of the highest probability.
    pub class: Class,
    /// Whether p(dislocation) + p(fracture) is at or over the operating point.
    pub flagged: bool,
    /// Whether the network was made for such an image; typical where the model has no gate.
    pub standing: Standing,
    /// The gate's score, larger for stranger images.
    pub atypicality: Option<f32>,
    /// What the head, and the gate if there is one, saw of the image.
    pub features: Vec<f32>,
    /// What the heatmap explains: the likelier injury when flagged, else the class.
    pub explained: Class,
    /// How the input was turned and mirrored when it was answered so.
    pub look: Orientation,
    /// The saliency map at the network's resolution, if one was asked for and the image is not out of distribution. It lies
    /// on the input turned by `look.turn()`: a person sees the image upright, and facing as it was given.
    pub heatmap: Option<Heatmap>,
    /// How long the pass to the logits took.
    pub forward_time: Duration,
    /// How long the saliency map took on top of that; zero when none was asked for.
    pub explain_time: Duration,
}

impl Inference {
    /// Whether it is answered without being turned; mirrored or not.
    pub fn is_answered_as_it_lies(&self) -> bool {
        self.standing.is_answered() && self.look.quarters() == 0
    }
}

impl Classifier {
    /// Reads, checks and packs a model file.
    pub fn load(bytes: &[u8]) -> Result<Self, ModelError> {
        Self::new(&Checkpoint::read(bytes)?, Sha256::of(bytes))
    }

    /// Packs a checkpoint; `sha256` is that of its file.
    pub fn new(checkpoint: &Checkpoint, sha256: Sha256) -> Result<Self, ModelError> {
        let (state, architecture) = (&checkpoint.state, checkpoint.card.architecture);
        let head = |part: &str| get(state, &format!("{}.{part}", architecture.head()));
        Ok(Self {
            card: Arc::new(checkpoint.card.clone()),
            sha256,
            net: Arc::new(Network::build(architecture, |shape| Frozen::new(shape, state))?),
            head_weight: head("weight")?,
            head_bias: head("bias")?,
            gate: Gate::of(checkpoint)?.map(Arc::new),
        })
    }

    /// The model card.
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// The model file's digest: its name.
    pub fn sha256(&self) -> Sha256 {
        self.sha256
    }

    /// The logits of inputs `[3, size, size]`, all in one batch.
    pub fn logits(&self, inputs: &[Vec<f32>]) -> Result<Vec<[f32; Class::COUNT]>, ModelError> {
        Ok(self.observe(inputs)?.into_iter().map(|observation| observation.logits).collect())
    }

    /// What the network makes of inputs `[3, size, size]`, all in one batch: features and logits.
    pub fn observe(&self, inputs: &[Vec<f32>]) -> Result<Vec<Observation>, ModelError> {
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        let mut values = Vec::with_capacity(inputs.len() * self.input_len());
        for input in inputs {
            self.check(input)?;
            values.extend_from_slice(input);
        }
        let maps = self.net.maps(&self.images(values, inputs.len())?, Mode::Infer)?;
        let features = self.features(&maps.last, Mode::Infer)?;
        observations(&features, &self.head(&features)?)
    }

    /// The answer for one input `[3, size, size]`. One that the gate knows nothing of is looked at once more with left for
    /// right: films face either way, a network may know one. One that it does not know then either is looked at in the six
    /// other orientations, and the one that the gate knows best counts, if it stands as [`Gate::turned`] asks.
    ///
    /// # Errors
    /// An input of another length; an output that is not finite.
    pub fn infer(&self, input: &[f32], method: Option<SaliencyMethod>) -> Result<Inference, ModelError> {
        let inference = self.infer_as_it_faces(input, method)?;
        if inference.standing.is_answered() {
            return Ok(inference);
        }
        let other = self.infer_looking(input, Orientation::MIRRORED, method)?;
        let forward_time = inference.forward_time + other.forward_time;
        if other.standing.is_answered() {
            return Ok(Inference { forward_time, ..other });
        }
        let begin = Instant::now();
        let turned = self.turned(input)?;
        let forward_time = forward_time + begin.elapsed();
        let answer = turned.map(|look| self.infer_looking(input, look, method)).transpose()?;
        Ok(answer.map_or(Inference { forward_time, ..inference }, |answer| Inference {
            forward_time: forward_time + answer.forward_time,
            ..answer
        }))
    }

    /// The orientation, of the six that turn an input, in which the gate knows it.
    fn turned(&self, input: &[f32]) -> Result<Option<Orientation>, ModelError> {
        let Some(gate) = &self.gate else { return Ok(None) };
        let looks = Orientation::ALL.into_iter().filter(|look| look.quarters() > 0);
        let looks: Vec<Orientation> = looks.collect();
        let inputs: Vec<Vec<f32>> = looks.iter().map(|&look| self.looking(input, look)).collect();
        let scores = self.observe(&inputs)?.iter().map(|observation| gate.score(observation)).collect::<Vec<f32>>();
        Ok(gate.turned(looks.into_iter().zip(scores)))
    }

    /// The answer for an input as it faces once turned and mirrored. Its heatmap has its turn, and is not mirrored.
    fn infer_looking(
        &self,
        input: &[f32],
        look: Orientation,
        method: Option<SaliencyMethod>,
    ) -> Result<Inference, ModelError> {
        self.check(input)?;
        let answer = self.infer_as_it_faces(&self.looking(input, look), method)?;
        let unmirrored = Orientation::new(0, look.is_mirrored());
        Ok(Inference { look, heatmap: answer.heatmap.map(|map| map.oriented(unmirrored)), ..answer })
    }

    /// An input turned and mirrored.
    fn looking(&self, input: &[f32], look: Orientation) -> Vec<f32> {
        oriented_input(input, self.card.preprocessing.size as usize, look)
    }

    /// The answer for one input `[3, size, size]` as it faces, whatever the gate says of its other orientations.
    ///
    /// # Errors
    /// As [`infer`](Self::infer).
    pub fn infer_as_it_faces(&self, input: &[f32], method: Option<SaliencyMethod>) -> Result<Inference, ModelError> {
        self.check(input)?;
        let begin = Instant::now();
        let Some(method) = method else {
            let observation = self.observe(&[input.to_vec()])?.swap_remove(0);
            return Ok(self.answer(&observation, begin.elapsed()));
        };
        let pass = self.pass(input.to_vec(), self.place(method))?;
        let observation = observations(pass.features(), pass.logits())?.swap_remove(0);
        let mut answer = self.answer(&observation, begin.elapsed());
        if !answer.standing.is_answered() {
            return Ok(answer);
        }
        let map = self.map(&pass, input, answer.explained, method)?;
        let size = self.card.preprocessing.size;
        let heatmap = Heatmap::from_saliency(size, size, &map.enlarged(size));
        answer.heatmap = Some(heatmap.map_err(|_| ModelError::NotFinite)?);
        answer.explain_time = begin.elapsed() - answer.forward_time;
        Ok(answer)
    }

    /// The head's bias, by class index.
    pub fn bias(&self) -> Result<Vec<f32>, ModelError> {
        Ok(self.head_bias.to_vec1()?)
    }

    fn answer(&self, observation: &Observation, forward_time: Duration) -> Inference {
        let logits = observation.logits;
        let probabilities = self.card.probabilities(logits);
        let [dislocation, fracture, normal] = probabilities;
        let flagged = dislocation + fracture >= self.card.operating_point;
        let injury = if dislocation >= fracture { Class::Dislocation } else { Class::Fracture };
        let class = if normal > dislocation.max(fracture) { Class::Normal } else { injury };
        let atypicality = self.gate.as_ref().map(|gate| gate.score(observation));
        let standing =
            self.gate.as_ref().zip(atypicality).map_or(Standing::Typical, |(gate, score)| gate.standing(score));
        Inference {
            features: observation.features.clone(),
            logits,
            probabilities,
            class,
            flagged,
            standing,
            atypicality,
            explained: if flagged { injury } else { class },
            look: Orientation::AS_IT_IS,
            heatmap: None,
            forward_time,
            explain_time: Duration::ZERO,
        }
    }

    pub(crate) fn features(&self, last: &Tensor, mode: Mode) -> candle_core::Result<Tensor> {
        self.net.features(last, mode, Ok)
    }

    pub(crate) fn head(&self, features: &Tensor) -> candle_core::Result<Tensor> {
        features.matmul(&self.head_weight.t()?)?.broadcast_add(&self.head_bias)
    }

    pub(crate) fn images(&self, values: Vec<f32>, count: usize) -> candle_core::Result<Tensor> {
        let size = self.card.preprocessing.size as usize;
        Tensor::from_vec(values, (count, 3, size, size), &Device::Cpu)
    }

    pub(crate) fn input_len(&self) -> usize {
        3 * (self.card.preprocessing.size as usize).pow(2)
    }

    pub(crate) fn check(&self, input: &[f32]) -> Result<(), ModelError> {
        let (found, expected) = (input.len(), self.input_len());
        if found == expected { Ok(()) } else { Err(ModelError::Input { found, expected }) }
    }
}

/// Planes of `side * side` values, one after the other, each turned and mirrored.
pub fn oriented_input(planes: &[f32], side: usize, orientation: Orientation) -> Vec<f32> {
    planes.chunks_exact(side * side).flat_map(|plane| oriented(plane, side, orientation)).collect()
}

/// Features `[n, f]` and outputs `[n, 3]`, image by image.
fn observations(features: &Tensor, outputs: &Tensor) -> Result<Vec<Observation>, ModelError> {
    let rows = outputs.to_vec2::<f32>()?.into_iter().zip(features.to_vec2::<f32>()?);
    rows.map(|(row, features)| Ok(Observation { logits: finite([row[0], row[1], row[2]])?, features })).collect()
}

fn finite(logits: [f32; Class::COUNT]) -> Result<[f32; Class::COUNT], ModelError> {
    if logits.iter().all(|z| z.is_finite()) { Ok(logits) } else { Err(ModelError::NotFinite) }
}
