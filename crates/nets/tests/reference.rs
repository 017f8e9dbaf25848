//! The network against PyTorch's float64 values (`tests/data`, made by torchvision 0.29 and torch 2.15).

mod uniform;

use std::collections::HashMap;

use candle_core::{Device, Tensor, Var};
use cspine_nets::Learner;
use cspine_nets::layers::Mode;
use cspine_nets::optimiser::Sgd;

use uniform::{googlenet_state, uniform};

fn expected() -> HashMap<String, Tensor> {
    candle_core::safetensors::load_buffer(include_bytes!("data/googlenet.safetensors"), &Device::Cpu).unwrap()
}

fn input() -> Tensor {
    let values: Vec<f32> = uniform("input", 4 * 3 * 224 * 224).iter().map(|u| 2.0 * u - 1.0).collect();
    Tensor::from_vec(values, (4, 3, 224, 224), &Device::Cpu).unwrap()
}

fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
    (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
}

fn l2(x: &Tensor) -> f32 {
    x.sqr().unwrap().sum_all().unwrap().sqrt().unwrap().to_scalar().unwrap()
}

#[test]
fn logits_and_input_gradient_are_pytorchs() {
    let expected = expected();
    let net = Learner::new(&googlenet_state()).unwrap();
    let images = Var::from_tensor(&input()).unwrap();
    let logits = net.logits(images.as_tensor(), Mode::Differentiate).unwrap();
    let difference = largest_difference(&logits, &expected["eval.logits"]);
    println!("logits differ by at most {difference:e}");
    assert!(difference < 1e-4);

    let top = logits.argmax_keepdim(1).unwrap();
    let score = logits.gather(&top, 1).unwrap().sum_all().unwrap();
    let gradients = score.backward().unwrap();
    let gradient = gradients.get(&images).unwrap();
    let difference = largest_difference(&gradient.get(0).unwrap(), &expected["eval.input_gradient"]);
    println!("the input gradient differs by at most {difference:e}");
    assert!(difference < 1e-6);
    for (image, &expected) in expected["eval.input_gradient_l2"].to_vec1::<f32>().unwrap().iter().enumerate() {
        let norm = l2(&gradient.get(image).unwrap());
        assert!((norm / expected - 1.0).abs() < 1e-3, "image {image}: {norm} against {expected}");
    }
}

#[test]
fn five_training_steps_are_pytorchs() {
    let expected = expected();
    let net = Learner::new(&googlenet_state()).unwrap();
    let images = input();
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
        sgd.step(&gradients, 1e-3).unwrap();
        let loss = loss.to_scalar::<f32>().unwrap();
        println!("loss {step}: {loss} against {expected_loss}");
        assert!((loss - expected_loss).abs() < 5e-3);
    }
    let difference = largest_difference(&net.logits(&images, Mode::Infer).unwrap(), &expected["train.final_logits"]);
    println!("final logits differ by at most {difference:e}");
    assert!(difference < 0.1);
}
