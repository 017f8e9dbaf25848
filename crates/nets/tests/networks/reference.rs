//! The network against PyTorch's float64 values (`tests/data`, made by torchvision 0.29 and torch 2.15).

use std::collections::HashMap;

use candle_core::{Device, Tensor, Var};
use cspine_nets::layers::Mode;
use cspine_nets::optimiser::Sgd;
use cspine_nets::{Architecture, Learner};

use crate::close::assert_close;
use crate::uniform::{state, uniform};

/// A network's own figures, and how far from them PyTorch's float32 lies, or the project asks it to stay.
struct Reference {
    architecture: Architecture,
    expected: HashMap<String, Tensor>,
    rate: f32,
}

impl Reference {
    fn of(architecture: Architecture) -> Self {
        let (bytes, rate): (&[u8], f32) = match architecture {
            Architecture::GoogLeNet => (include_bytes!("../data/googlenet.safetensors"), 1e-3),
            Architecture::AlexNet => (include_bytes!("../data/alexnet.safetensors"), 1e-4),
        };
        Self { architecture, expected: candle_core::safetensors::load_buffer(bytes, &Device::Cpu).unwrap(), rate }
    }

    fn input(&self) -> Tensor {
        let side = self.architecture.input_size() as usize;
        let values: Vec<f32> = uniform("input", 4 * 3 * side * side).iter().map(|u| 2.0 * u - 1.0).collect();
        Tensor::from_vec(values, (4, 3, side, side), &Device::Cpu).unwrap()
    }

    fn learner(&self) -> Learner {
        Learner::new(self.architecture, &state(self.architecture)).unwrap()
    }
}

fn values(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

fn off(a: &Tensor, b: &Tensor) -> f32 {
    let largest = |x: &Tensor| values(x).iter().fold(0.0f32, |most, x| most.max(x.abs()));
    largest(&(a - b).unwrap()) / largest(b)
}

fn l2(x: &Tensor) -> f32 {
    x.sqr().unwrap().sum_all().unwrap().sqrt().unwrap().to_scalar().unwrap()
}

#[test]
fn googlenets_logits_and_input_gradient_are_pytorchs() {
    logits_and_input_gradient_are_pytorchs(&Reference::of(Architecture::GoogLeNet));
}

#[test]
fn alexnets_logits_and_input_gradient_are_pytorchs() {
    logits_and_input_gradient_are_pytorchs(&Reference::of(Architecture::AlexNet));
}

#[test]
fn five_training_steps_of_googlenet_are_pytorchs() {
    five_training_steps_are_pytorchs(&Reference::of(Architecture::GoogLeNet));
}

#[test]
fn five_training_steps_of_alexnet_are_pytorchs() {
    five_training_steps_are_pytorchs(&Reference::of(Architecture::AlexNet));
}

fn logits_and_input_gradient_are_pytorchs(reference: &Reference) {
    let (expected, net) = (&reference.expected, reference.learner());
    let images = Var::from_tensor(&reference.input()).unwrap();
    let logits = net.logits(images.as_tensor(), Mode::Differentiate).unwrap();
    println!("logits differ by {:.1e} of the largest", off(&logits, &expected["eval.logits"]));
    assert_close(&values(&logits), &values(&expected["eval.logits"]), 1e-5);

    let top = logits.argmax_keepdim(1).unwrap();
    let score = logits.gather(&top, 1).unwrap().sum_all().unwrap();
    let gradients = score.backward().unwrap();
    let gradient = gradients.get(&images).unwrap();
    let (gradient_of_first, expected_of_first) = (gradient.get(0).unwrap(), &expected["eval.input_gradient"]);
    println!("the input gradient differs by {:.1e} of the largest", off(&gradient_of_first, expected_of_first));
    assert_close(&values(&gradient_of_first), &values(expected_of_first), 2e-5);
    for (image, &expected) in expected["eval.input_gradient_l2"].to_vec1::<f32>().unwrap().iter().enumerate() {
        let norm = l2(&gradient.get(image).unwrap());
        assert!((norm / expected - 1.0).abs() < 1e-3, "image {image}: {norm} against {expected}");
    }
}

fn five_training_steps_are_pytorchs(reference: &Reference) {
    let (expected, net) = (&reference.expected, reference.learner());
    let images = reference.input();
    let labels = Tensor::new(&[0u32, 1, 2, 1], &Device::Cpu).unwrap();
    let mut sgd = Sgd::new(net.parameters(), 0.95, 0.0).unwrap();
    let expected_losses = expected["train.losses"].to_vec1::<f32>().unwrap();
    for (step, expected_loss) in expected_losses.iter().enumerate() {
        let logits = net.logits(&images, Mode::Train { input: false }).unwrap();
        let loss = candle_nn::loss::cross_entropy(&logits, &labels).unwrap();
        let gradients = net.backward(&loss).unwrap();
        if step == 0 {
            for (name, var) in net.parameters() {
                let expected = expected[&format!("step0.grad_l2.{name}")].to_vec1::<f32>().unwrap()[0];
                let norm = l2(gradients.get(&var).unwrap());
                assert!((norm / expected - 1.0).abs() < 0.01, "{name}: {norm} against {expected}");
            }
        }
        sgd.step(&gradients, reference.rate).unwrap();
        let loss = loss.to_scalar::<f32>().unwrap();
        println!("loss {step}: {loss} against {expected_loss}");
        assert!((loss - expected_loss).abs() < 5e-3);
    }
    let logits = net.logits(&images, Mode::Infer).unwrap();
    println!("final logits differ by {:.1e} of the largest", off(&logits, &expected["train.final_logits"]));
    assert_close(&values(&logits), &values(&expected["train.final_logits"]), 0.02);
}
