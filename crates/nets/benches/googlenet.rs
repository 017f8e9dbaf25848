//! `cargo bench -p cspine-nets`: GoogLeNet at 224 × 224, on as many threads as there are cores.
//!
//! The same work as `tests/peers/networks.py --torch` times: compare only figures of one hour on an idle machine.

use std::time::{Duration, Instant};

use candle_core::{DType, Device, Tensor};
use criterion::{Criterion, Throughput, criterion_group};
use cspine_domain::{Class, Sha256};
use cspine_imaging::Preprocessing;
use cspine_nets::layers::Mode;
use cspine_nets::optimiser::Sgd;
use cspine_nets::{Checkpoint, Classifier, Learner, ModelCard, SaliencyMethod, init};
use rayon::prelude::*;

fn classifier() -> Classifier {
    let state = init::googlenet(1, Class::COUNT).expect("fresh weights");
    let card = ModelCard::uncalibrated(Preprocessing::default(), "fresh weights");
    Classifier::new(&Checkpoint { card, state }, Sha256([0; 32])).expect("a sound checkpoint")
}

fn picture(i: usize) -> Vec<f32> {
    (0..3 * 224 * 224).map(|p| ((p * 31 + i * 17) % 255) as f32 / 127.5 - 1.0).collect()
}

/// One image on all cores; then many images on all cores, one thread an image; then an image with its saliency map.
fn inference(c: &mut Criterion) {
    let classifier = classifier();
    let one = [picture(0)];
    c.bench_function("one image, all cores", |b| b.iter(|| classifier.logits(&one).expect("logits")));
    let methods = [SaliencyMethod::Gradient, SaliencyMethod::GradCam, SaliencyMethod::SmoothGrad];
    for method in methods {
        c.bench_function(&format!("one image with {}, all cores", method.as_str()), |b| {
            b.iter(|| classifier.infer(&one[0], Some(method)).expect("an answer"));
        });
    }
    let many: Vec<Vec<f32>> = (0..16).map(picture).collect();
    let single = || rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
    let slots: Vec<rayon::ThreadPool> = (0..rayon::current_num_threads()).map(|_| single()).collect();
    let mut group = c.benchmark_group("many images");
    group.throughput(Throughput::Elements(many.len() as u64));
    group.bench_function("all cores, one thread an image", |b| {
        b.iter(|| {
            std::thread::scope(|scope| {
                for (i, slot) in slots.iter().enumerate() {
                    let (classifier, many, step) = (&classifier, &many, slots.len());
                    scope.spawn(move || {
                        slot.install(|| {
                            for image in many.iter().skip(i).step_by(step) {
                                classifier.logits(std::slice::from_ref(image)).expect("logits");
                            }
                        });
                    });
                }
            });
        });
    });
    group.bench_function("all cores, batches of 8", |b| {
        b.iter(|| many.chunks(8).for_each(|chunk| drop(classifier.logits(chunk).expect("logits"))));
    });
    group.finish();
}

/// A training step of batch 10.
fn training(c: &mut Criterion) {
    let learner = Learner::new(&init::googlenet(1, Class::COUNT).expect("fresh weights")).expect("a learner");
    let mut sgd = Sgd::new(learner.parameters(), 0.95, 0.0).expect("an optimiser");
    let pixels: Vec<f32> = (0..10).into_par_iter().flat_map_iter(picture).collect();
    let images = Tensor::from_vec(pixels, (10, 3, 224, 224), &Device::Cpu).expect("a tensor");
    let labels = Tensor::zeros(10, DType::U32, &Device::Cpu).expect("a tensor");
    let mut group = c.benchmark_group("training");
    group.throughput(Throughput::Elements(10));
    group.bench_function("step, batch 10", |b| {
        b.iter_custom(|rounds| {
            let start = Instant::now();
            for _ in 0..rounds {
                let logits = learner.logits(&images, Mode::Train { input: false }).expect("logits");
                let loss = candle_nn::loss::cross_entropy(&logits, &labels).expect("a loss");
                sgd.step(&learner.backward(&loss).expect("gradients"), 1e-4).expect("a step");
            }
            start.elapsed()
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(15).measurement_time(Duration::from_secs(6)).warm_up_time(Duration::from_secs(1));
    targets = inference, training
}

fn main() {
    // SAFETY: this is the only thread.
    unsafe { cspine_nets::keep_candle_to_one_thread() };
    benches();
    Criterion::default().configure_from_args().final_summary();
}
