//! Golden inferences: what must be noticed, and what must not.

use std::path::PathBuf;
use std::process::Command;

use cspine_domain::Sha256;
use cspine_imaging::Preprocessing;
use cspine_nets::kernels::simd::Isa;
use cspine_nets::{Architecture, Checkpoint, Classifier, ModelCard, ModelError};
use safetensors::SafeTensors;

/// The model file to check, in a process of its own.
const FILE: &str = "CSPINE_GOLDEN_FILE";

/// Both networks: GoogLeNet with real weights, AlexNet with those of a formula.
fn files() -> [Vec<u8>; 2] {
    let starter = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/models/starter.safetensors");
    let starter = Checkpoint::read(&std::fs::read(starter).unwrap()).unwrap();
    let preprocessing = Preprocessing { size: Architecture::AlexNet.input_size(), ..Preprocessing::default() };
    let card = ModelCard::uncalibrated(Architecture::AlexNet, preprocessing, "a formula");
    let alexnet = Checkpoint { card, state: crate::uniform::state(Architecture::AlexNet) };
    [starter, alexnet].map(|checkpoint| checkpoint.with_golden().unwrap().write().unwrap())
}

/// How far the logits lie from the card's, in tolerances.
fn distance(classifier: &Classifier) -> f32 {
    let golden = classifier.card().golden.unwrap();
    let preprocessing = &classifier.card().preprocessing;
    let input = preprocessing.normalise(&cspine_nets::golden::image(preprocessing.size));
    let logits = classifier.logits(&[input]).unwrap()[0];
    logits.iter().zip(golden.logits).fold(0.0f32, |most, (z, expected)| most.max((z - expected).abs()))
        / golden.tolerance
}

#[test]
fn a_file_passes_its_golden_inference_on_any_number_of_threads() {
    for file in files() {
        let classifier = Classifier::load(&file).unwrap();
        for threads in 1..=3 {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| classifier.check_golden()).unwrap();
        }
        // The card is in the file: reading and writing it changes nothing.
        assert_eq!(Checkpoint::read(&file).unwrap().write().unwrap(), file);
    }
}

#[test]
fn a_file_passes_on_every_instruction_set_there_are_kernels_for() {
    for (number, file) in files().into_iter().enumerate() {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("golden-{}-{number}", std::process::id()));
        std::fs::write(&path, file).unwrap();
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()).map(Isa::as_str) {
            // The instruction set is chosen once a process.
            let mut child = Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", "golden::the_file_of_the_environment_passes", "--ignored", "--nocapture"]);
            let output = child.env("CSPINE_ISA", isa).env(FILE, &path).output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && said.contains("1 passed"), "{isa}: {said}");
            println!("{isa}: {said}");
        }
        std::fs::remove_file(path).unwrap();
    }
}

/// So that a run of these tests by another instruction set is one.
#[test]
fn these_tests_run_on_the_instruction_set_that_is_asked_for() {
    let used = Isa::detect().as_str();
    println!("instruction set: {used}");
    assert_eq!(std::env::var("CSPINE_ISA").unwrap_or_else(|_| used.to_owned()), used);
}

#[test]
#[ignore = "needs a file in the environment: run by the test above"]
fn the_file_of_the_environment_passes() {
    let path = std::env::var_os(FILE).expect("the file to check");
    let classifier = Classifier::load(&std::fs::read(path).unwrap()).unwrap();
    println!("{} tolerances off", distance(&classifier));
    classifier.check_golden().unwrap();
}

/// The place in the file of a tensor's largest 16-bit weight.
fn largest(file: &[u8], name: &str) -> usize {
    let tensors = SafeTensors::deserialize(file).unwrap();
    let data = tensors.tensor(name).unwrap().data();
    let place = data.as_ptr() as usize - file.as_ptr() as usize;
    // Without the sign, the bits of positive floats are in the floats' order.
    let magnitude = |pair: &[u8]| u16::from_le_bytes([pair[0], pair[1]]) & 0x7fff;
    let weights = data.chunks_exact(2).enumerate();
    place + 2 * weights.max_by_key(|(_, pair)| magnitude(pair)).unwrap().0
}

#[test]
fn a_weight_flipped_in_any_layer_is_noticed_although_the_digest_is_right() {
    let [starter, _] = files();
    let tensors = Architecture::GoogLeNet.tensors(3);
    let weights = tensors.iter().filter(|(_, shape)| shape.len() > 1);
    let mut layers = 0;
    for (name, _) in weights {
        let mut flipped = starter.clone();
        flipped[largest(&starter, name) + 1] ^= 0x80;
        let classifier = Classifier::load(&flipped).unwrap();
        assert_eq!(classifier.sha256(), Sha256::of(&flipped));
        let noticed = classifier.check_golden();
        println!("{name}: {} tolerances off", distance(&classifier));
        assert!(matches!(noticed, Err(ModelError::GoldenDiffers { .. })), "{name}: {noticed:?}");
        layers += 1;
    }
    assert_eq!(layers, 58);
}

#[test]
fn a_card_without_a_golden_inference_or_with_anothers_does_not_pass() {
    let [starter, _] = files();
    let golden = Checkpoint::read(&starter).unwrap();
    let mut without = golden.clone();
    without.card.golden = None;
    let without = Classifier::new(&without, Sha256([0; 32])).unwrap();
    assert!(matches!(without.check_golden(), Err(ModelError::NoGolden)));
    let mut anothers = golden;
    anothers.state = crate::uniform::state(Architecture::GoogLeNet);
    anothers.card.gate = None;
    let anothers = Classifier::new(&anothers, Sha256([0; 32])).unwrap();
    assert!(matches!(anothers.check_golden(), Err(ModelError::GoldenDiffers { .. })));
}

#[test]
fn a_card_whose_tolerance_lets_nothing_or_anything_pass_is_refused() {
    let [starter, _] = files();
    let sound = Checkpoint::read(&starter).unwrap();
    let with_tolerance = |share: f32| {
        let mut card = sound.clone();
        card.card.golden.as_mut().unwrap().tolerance *= share;
        Checkpoint::read(&card.write().unwrap())
    };
    for share in [0.5, 1.0, 1.9] {
        assert!(with_tolerance(share).is_ok(), "{share}");
    }
    for share in [-1.0, 0.0, 2.1, 1e3, 1e9] {
        assert!(matches!(with_tolerance(share), Err(ModelError::CardFault(_))), "{share}");
    }
}
