//! Saliency maps against what defines them, on both networks.

use candle_core::{Device, Tensor, Var};
use cspine_domain::{Class, Sha256};
use cspine_imaging::{Heatmap, Preprocessing};
use cspine_nets::layers::{Mode, StateDict};
use cspine_nets::{Architecture, Checkpoint, Classifier, Learner, ModelCard, SaliencyMethod};

use crate::close::assert_close;
use crate::uniform::{state, uniform};

/// Of a map's largest value: gradients go back through tiles of 4 × 4, whose rounding is larger (`kernels/winograd`).
const MAPS: f64 = 1e-3;

fn classifier(architecture: Architecture, state: StateDict) -> Classifier {
    let preprocessing = Preprocessing { size: architecture.input_size(), ..Preprocessing::default() };
    let card = ModelCard::uncalibrated(architecture, preprocessing, "a formula");
    Classifier::new(&Checkpoint { card, state }, Sha256([0; 32])).unwrap()
}

fn input(architecture: Architecture) -> Vec<f32> {
    let side = architecture.input_size() as usize;
    uniform("input", 3 * side * side).iter().map(|u| 2.0 * u - 1.0).collect()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// A map of `side` cells at `size` pixels, by the definition: linear between the middles of its cells.
fn drawn(cam: &[f32], side: usize, size: usize) -> Vec<f32> {
    // Pixel of the first cell's middle, and pixels from middle to middle.
    let (first, step) = match side {
        7 => (15.5, 32.0),
        14 => (7.5, 16.0),
        13 => (14.5, 16.0),
        _ => panic!("no map has {side} cells a side"),
    };
    let at = |x: f64, y: f64| {
        let [x, y] = [x, y].map(|pixel| ((pixel - first) / step).clamp(0.0, (side - 1) as f64));
        let weight = |i: usize| {
            let [dx, dy] = [(i % side) as f64 - x, (i / side) as f64 - y].map(|d| (1.0 - d.abs()).max(0.0));
            dx * dy
        };
        cam.iter().enumerate().map(|(i, value)| weight(i) * f64::from(*value)).sum::<f64>() as f32
    };
    (0..size * size).map(|i| at((i % size) as f64, (i / size) as f64)).collect()
}

/// A method's map computed by `cell` from a map's channels and its gradient's, plain loops over `[side, side, channels]`.
fn assert_map(
    architecture: Architecture,
    method: SaliencyMethod,
    [side, channels]: [usize; 2],
    cam: impl Fn(&[f32], &[f32]) -> Vec<f32>,
) {
    let (classifier, input) = (classifier(architecture, state(architecture)), input(architecture));
    let size = architecture.input_size() as usize;
    for class in Class::ALL {
        let (maps, gradient) = classifier.map_gradient(&input, *class, method).unwrap();
        let dims = [1, side, side, channels];
        assert_eq!((maps.dims(), gradient.dims()), (dims.as_slice(), dims.as_slice()));
        let expected = drawn(&cam(&values(&maps), &values(&gradient)), side, size);
        let map = classifier.explain(&input, *class, method).unwrap();
        assert_close(&map, &expected, MAPS);
    }
}

fn clipped_dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>().max(0.0)
}

#[test]
fn grad_cam_is_its_definition_on_the_last_map() {
    for (architecture, shape) in [(Architecture::GoogLeNet, [7, 1024]), (Architecture::AlexNet, [13, 256])] {
        let [side, channels] = shape;
        assert_map(architecture, SaliencyMethod::GradCam, shape, |maps, gradient| {
            let weight = |c: usize| gradient.iter().skip(c).step_by(channels).sum::<f32>() / (side * side) as f32;
            let weights: Vec<f32> = (0..channels).map(weight).collect();
            maps.chunks(channels).map(|pixel| clipped_dot(pixel, &weights)).collect()
        });
    }
}

#[test]
fn hires_cam_is_its_definition_on_the_map_with_a_value_every_sixteen_pixels() {
    for (architecture, shape) in [(Architecture::GoogLeNet, [14, 832]), (Architecture::AlexNet, [13, 256])] {
        let [_, channels] = shape;
        assert_map(architecture, SaliencyMethod::HiResCam, shape, |maps, gradient| {
            maps.chunks(channels).zip(gradient.chunks(channels)).map(|(a, g)| clipped_dot(a, g)).collect()
        });
    }
}

/// A network whose every output is the mean of what its window covers: only its windows tell one place from another.
fn averaging(architecture: Architecture) -> Classifier {
    let tensor = |(name, dims): (String, Vec<usize>)| {
        let value = match name.rsplit_once('.').unwrap().1 {
            "bias" | "running_mean" => 0.0,
            "running_var" => 1.0,
            _ if name.contains(".bn.") => 1.0,
            _ => 1.0 / dims[1..].iter().product::<usize>() as f32,
        };
        (name, Tensor::full(value, dims, &Device::Cpu).unwrap())
    };
    classifier(architecture, architecture.tensors(3).into_iter().map(tensor).collect())
}

#[test]
fn a_bright_dot_is_shown_where_it_lies() {
    for (architecture, method, dots) in [
        (Architecture::AlexNet, SaliencyMethod::GradCam, [[15 + 16 * 2, 15 + 16 * 10], [15 + 16 * 9, 15 + 16 * 4]]),
        (Architecture::AlexNet, SaliencyMethod::HiResCam, [[15 + 16 * 2, 15 + 16 * 10], [15 + 16 * 9, 15 + 16 * 4]]),
        // The middle of the pixels that a cell speaks of.
        (Architecture::GoogLeNet, SaliencyMethod::HiResCam, [[8 + 16 * 4, 8 + 16 * 10], [8 + 16 * 9, 8 + 16 * 4]]),
        (Architecture::GoogLeNet, SaliencyMethod::GradCam, [[16 + 32 * 2, 16 + 32 * 3], [16 + 32 * 4, 16 + 32 * 2]]),
    ] {
        let (classifier, side) = (averaging(architecture), architecture.input_size() as usize);
        for [x, y] in dots {
            let mut input = vec![0.0; 3 * side * side];
            (0..3).for_each(|channel| input[(channel * side + y) * side + x] = 1.0);
            let map = classifier.explain(&input, Class::Fracture, method).unwrap();
            let most = (0..map.len()).max_by(|&i, &j| map[i].total_cmp(&map[j])).unwrap();
            let found = [most % side, most / side];
            assert!(
                found[0].abs_diff(x) <= 1 && found[1].abs_diff(y) <= 1,
                "{} {method}: a dot at {x}, {y} is shown at {found:?}",
                architecture.as_str()
            );
        }
    }
}

/// Without shifts what follows a map scales with it, so the map times its gradient is all of the logit.
#[test]
fn a_map_times_its_gradient_sums_to_the_logit_less_its_bias_where_no_layer_after_it_shifts() {
    for (architecture, after) in [
        (Architecture::AlexNet, ["classifier.1.", "classifier.4."]),
        (Architecture::GoogLeNet, ["inception5a.", "inception5b."]),
    ] {
        let mut state = state(architecture);
        for (name, tensor) in &mut state {
            let shifts = name.ends_with("bias") || name.ends_with("running_mean");
            if shifts && after.iter().any(|layer| name.starts_with(layer)) {
                *tensor = tensor.zeros_like().unwrap();
            }
        }
        let (classifier, input) = (classifier(architecture, state), input(architecture));
        let logits = classifier.logits(std::slice::from_ref(&input)).unwrap()[0];
        let bias = classifier.bias().unwrap();
        for method in [SaliencyMethod::GradCam, SaliencyMethod::HiResCam] {
            for class in Class::ALL {
                let (maps, gradient) = classifier.map_gradient(&input, *class, method).unwrap();
                let (maps, gradient) = (values(&maps), values(&gradient));
                let parts = maps.iter().zip(&gradient).map(|(a, g)| f64::from(a * g));
                let (sum, size) = parts.fold((0.0, 0.0), |(sum, size), part| (sum + part, size + part.abs()));
                let expected = f64::from(logits[class.index()] - bias[class.index()]);
                assert!((sum - expected).abs() < 1e-5 * size, "{class}: {sum} against {expected}, of parts of {size}");
            }
        }
    }
}

#[test]
fn the_gradient_by_the_image_is_the_same_through_the_cut_pass_as_through_the_whole_learner() {
    for architecture in Architecture::ALL {
        let (state, input) = (state(architecture), input(architecture));
        let side = architecture.input_size() as usize;
        let images = Tensor::from_slice(&input, (1, 3, side, side), &Device::Cpu).unwrap();
        let images = Var::from_tensor(&images).unwrap();
        let learner = Learner::new(architecture, &state).unwrap();
        let score = learner.logits(images.as_tensor(), Mode::Differentiate).unwrap().get(0).unwrap().get(1).unwrap();
        let expected = values(score.backward().unwrap().get(&images).unwrap());
        let gradient = &classifier(architecture, state).input_gradients(&[input], Class::Fracture).unwrap()[0];
        // A few rectifiers of millions lie so near zero that two orders of adding put them on different sides; each moves
        // the gradient of what it sees. 0.2 % was seen; a path left out would be tens of percent.
        assert_close_as_a_whole(gradient, &expected, 1e-2);
    }
}

#[test]
fn the_heatmap_of_an_answer_is_the_map_of_the_class_it_explains() {
    for architecture in Architecture::ALL {
        let (classifier, input) = (classifier(architecture, state(architecture)), input(architecture));
        let size = architecture.input_size();
        for method in SaliencyMethod::ALL.into_iter().filter(|method| method.passes() == 1) {
            let answer = classifier.infer(&input, Some(method)).unwrap();
            let map = classifier.explain(&input, answer.explained, method).unwrap();
            assert_eq!(answer.heatmap, Some(Heatmap::from_saliency(size, size, &map).unwrap()), "{method}");
            assert_eq!(answer.heatmap.unwrap().values.iter().max(), Some(&255), "{method}");
        }
    }
}

/// Holds `‖actual − expected‖₂ ≤ relative · ‖expected‖₂`: for gradients of a whole network, where a rectifier or a maximum
/// that rounds to the other side moves single values by more than rounding does.
#[track_caller]
fn assert_close_as_a_whole(actual: &[f32], expected: &[f32], relative: f64) {
    assert_eq!(actual.len(), expected.len(), "as many values");
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    let size = norm(&mut expected.iter().map(|value| f64::from(*value)));
    let off = norm(&mut actual.iter().zip(expected).map(|(a, b)| f64::from(a - b)));
    assert!(off <= relative * size, "{off} apart: {:.1e} of {size}, over {relative:.0e}", off / size);
}
