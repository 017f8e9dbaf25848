//! `cargo bench -p cspine-nets`: GoogLeNet at 224 × 224 and AlexNet at 227 × 227, on as many threads as there are cores.
//!
//! The same work as `tests/peers/networks.py --torch` times: compare only figures of one hour on an idle machine.

use std::time::{Duration, Instant};

use candle_core::{DType, Device, Tensor};
use criterion::{Criterion, Throughput, criterion_group};
use cspine_domain::{Class, Sha256};
use cspine_imaging::Preprocessing;
use cspine_nets::layers::Mode;
use cspine_nets::optimiser::Sgd;
use cspine_nets::{Architecture, Checkpoint, Classifier, Learner, ModelCard, SaliencyMethod, init};

fn classifier(architecture: Architecture) -> Classifier {
    let state = init::network(architecture, 1, Class::COUNT).expect("fresh weights");
    let preprocessing = Preprocessing { size: architecture.input_size(), ..Preprocessing::default() };
    let card = ModelCard::uncalibrated(architecture, preprocessing, "fresh weights");
    Classifier::new(&Checkpoint { card, state }, Sha256([0; 32])).expect("a sound checkpoint")
}

fn picture(architecture: Architecture, i: usize) -> Vec<f32> {
    let values = 3 * (architecture.input_size() as usize).pow(2);
    (0..values).map(|p| ((p * 31 + i * 17) % 255) as f32 / 127.5 - 1.0).collect()
}

/// One image on all cores, without and with its saliency map.
fn one_image(c: &mut Criterion) {
    for architecture in Architecture::ALL {
        let (classifier, one) = (classifier(architecture), [picture(architecture, 0)]);
        let mut group = c.benchmark_group(format!("{}, one image, all cores", architecture.as_str()));
        group.bench_function("logits", |b| b.iter(|| classifier.logits(&one).expect("logits")));
        for method in SaliencyMethod::ALL {
            group.bench_function(method.as_str(), |b| {
                b.iter(|| classifier.infer(&one[0], Some(method)).expect("an answer"));
            });
        }
        group.finish();
    }
}

/// Many images on all cores.
fn many_images(c: &mut Criterion) {
    let single = || rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
    let slots: Vec<rayon::ThreadPool> = (0..rayon::current_num_threads()).map(|_| single()).collect();
    for architecture in Architecture::ALL {
        let classifier = classifier(architecture);
        let many: Vec<Vec<f32>> = (0..16).map(|i| picture(architecture, i)).collect();
        let mut group = c.benchmark_group(format!("{}, 16 images, all cores", architecture.as_str()));
        group.throughput(Throughput::Elements(many.len() as u64));
        group.bench_function("one thread an image", |b| b.iter(|| one_thread_an_image(&slots, &classifier, &many)));
        group.bench_function("batches of 8", |b| {
            b.iter(|| many.chunks(8).for_each(|chunk| drop(classifier.logits(chunk).expect("logits"))));
        });
        group.finish();
    }
}

fn one_thread_an_image(slots: &[rayon::ThreadPool], classifier: &Classifier, many: &[Vec<f32>]) {
    std::thread::scope(|scope| {
        for (i, slot) in slots.iter().enumerate() {
            scope.spawn(move || {
                slot.install(|| {
                    for image in many.iter().skip(i).step_by(slots.len()) {
                        classifier.logits(std::slice::from_ref(image)).expect("logits");
                    }
                });
            });
        }
    });
}

/// A training step of batch 10.
fn training(c: &mut Criterion) {
    for architecture in Architecture::ALL {
        let state = init::network(architecture, 1, Class::COUNT).expect("fresh weights");
        let learner = Learner::new(architecture, &state).expect("a learner");
        let mut sgd = Sgd::new(learner.parameters(), 0.95, 0.0).expect("an optimiser");
        let side = architecture.input_size() as usize;
        let pixels: Vec<f32> = (0..10).flat_map(|i| picture(architecture, i)).collect();
        let images = Tensor::from_vec(pixels, (10, 3, side, side), &Device::Cpu).expect("a tensor");
        let labels = Tensor::zeros(10, DType::U32, &Device::Cpu).expect("a tensor");
        let mut group = c.benchmark_group(format!("{}, training", architecture.as_str()));
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
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(15).measurement_time(Duration::from_secs(6)).warm_up_time(Duration::from_secs(1));
    targets = one_image, many_images, training
}

fn main() {
    // SAFETY: this is the only thread.
    unsafe { cspine_nets::keep_candle_to_one_thread() };
    benches();
    Criterion::default().configure_from_args().final_summary();
}
