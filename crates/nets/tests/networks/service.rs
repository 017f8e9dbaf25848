//! A model in service: files, batches, answers, saliency.

use cspine_domain::{Class, Orientation, Sha256};
use cspine_imaging::Preprocessing;
use cspine_nets::gate::{Gate, GateCard, Mahalanobis, Method, Score};
use cspine_nets::{
    Architecture, Checkpoint, Classifier, ModelCard, ModelError, SaliencyMethod, Standing, oriented_input,
};

use crate::close::assert_close;
use crate::uniform::{state, uniform};

fn checkpoint() -> Checkpoint {
    let card = ModelCard::uncalibrated(Architecture::GoogLeNet, Preprocessing::default(), "a formula");
    Checkpoint { card, state: state(Architecture::GoogLeNet) }
}

fn input(name: &str) -> Vec<f32> {
    uniform(name, 3 * 224 * 224).iter().map(|u| 2.0 * u - 1.0).collect()
}

/// Of the largest logit or feature, between two ways to the same: twenty-two layers one after another, each of which rounds
/// some 1e-7 otherwise when it adds in another order. On AVX-512, AVX2 and plain Rust up to 1e-6 was seen.
const ANOTHER_WAY: f64 = 1e-5;

#[test]
fn a_batch_of_eight_is_eight_singles() {
    let classifier = Classifier::new(&checkpoint(), Sha256([0; 32])).unwrap();
    let inputs: Vec<Vec<f32>> = (0..8).map(|i| input(&format!("input {i}"))).collect();
    let together = classifier.logits(&inputs).unwrap();
    for (input, together) in inputs.iter().zip(together) {
        let alone = classifier.logits(std::slice::from_ref(input)).unwrap()[0];
        assert_close(&together, &alone, ANOTHER_WAY);
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let classifier = Classifier::new(&checkpoint(), Sha256([0; 32])).unwrap();
    let input = input("input");
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| classifier.infer(&input, Some(SaliencyMethod::Gradient)).unwrap())
    };
    let (one, three) = (with(1), with(3));
    assert_eq!(one.logits, three.logits);
    assert_eq!(one.heatmap.unwrap().values, three.heatmap.unwrap().values);
}

#[test]
fn an_answer_comes_with_the_features_that_it_was_given_for() {
    let classifier = Classifier::new(&checkpoint(), Sha256([0; 32])).unwrap();
    let input = input("input");
    let observed = classifier.observe(std::slice::from_ref(&input)).unwrap().swap_remove(0).features;
    assert_eq!(observed.len(), 1024);
    assert_eq!(classifier.infer(&input, None).unwrap().features, observed);
    let explained = classifier.infer(&input, Some(SaliencyMethod::HiResCam)).unwrap().features;
    assert_close(&explained, &observed, ANOTHER_WAY);
}

#[test]
fn feature_maps_times_their_gradient_sum_to_the_logit_less_its_bias() {
    let classifier = Classifier::new(&checkpoint(), Sha256([0; 32])).unwrap();
    let input = input("input");
    let logits = classifier.logits(std::slice::from_ref(&input)).unwrap()[0];
    let bias = classifier.bias().unwrap();
    for class in Class::ALL {
        let (maps, gradient) = classifier.map_gradient(&input, *class, SaliencyMethod::GradCam).unwrap();
        let parts: Vec<f32> = (maps * gradient).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        let sum: f64 = parts.iter().map(|part| f64::from(*part)).sum();
        let size: f64 = parts.iter().map(|part| f64::from(part.abs())).sum();
        let expected = f64::from(logits[class.index()] - bias[class.index()]);
        // What is summed here is summed in f64: what differs is the rounding of the parts.
        assert!((sum - expected).abs() < 1e-6 * size, "{class}: {sum} against {expected}, of parts of {size}");
    }
}

#[test]
fn integrated_gradients_sum_to_the_logits_rise_over_a_black_films() {
    let classifier = Classifier::new(&checkpoint(), Sha256([0; 32])).unwrap();
    let input = input("input");
    let [from, to] = [classifier.black(), input.clone()].map(|x| classifier.logits(&[x]).unwrap()[0]);
    let rises: [f64; 3] = std::array::from_fn(|class| f64::from(to[class] - from[class]));
    // Random weights make a rugged way: 32 points are within a tenth of its largest rise.
    let tolerance = 0.1 * rises.iter().fold(0.0f64, |most, rise| most.max(rise.abs()));
    for class in Class::ALL {
        let sum: f64 = classifier.integrated_gradients(&input, *class).unwrap().iter().map(|v| f64::from(*v)).sum();
        let rise = rises[class.index()];
        assert!((sum - rise).abs() < tolerance, "{class}: {sum} against {rise}");
    }
}

#[test]
fn every_method_gives_a_heatmap_of_the_networks_size_for_the_explained_class() {
    let classifier = Classifier::new(&checkpoint(), Sha256([0; 32])).unwrap();
    let input = input("input");
    let plain = classifier.infer(&input, None).unwrap();
    assert!(plain.heatmap.is_none());
    for method in SaliencyMethod::ALL {
        let answer = classifier.infer(&input, Some(method)).unwrap();
        let heatmap = answer.heatmap.unwrap();
        assert_eq!((heatmap.width, heatmap.height, heatmap.values.len()), (224, 224, 224 * 224));
        assert_eq!(heatmap.values.iter().max(), Some(&255), "{}", method.as_str());
        assert_close(&answer.logits, &plain.logits, ANOTHER_WAY);
        assert_eq!(answer.class, plain.class);
        assert_eq!(
            answer.explained,
            if answer.flagged && answer.class == Class::Normal { Class::Fracture } else { answer.class }
        );
    }
}

#[test]
fn a_model_file_reads_back_as_it_was_written_in_sixteen_bits() {
    let checkpoint = checkpoint();
    let bytes = checkpoint.write().unwrap();
    assert!(bytes.len() < 12_000_000, "{} bytes", bytes.len());
    assert_eq!(bytes, checkpoint.write().unwrap());
    let read = Checkpoint::read(&bytes).unwrap();
    assert_eq!(read.card, checkpoint.card);
    let loaded = Classifier::load(&bytes).unwrap();
    assert_eq!(loaded.sha256(), Sha256::of(&bytes));
    let stored = Classifier::new(&checkpoint.as_stored().unwrap(), loaded.sha256()).unwrap();
    let input = [input("input")];
    assert_eq!(loaded.logits(&input).unwrap(), stored.logits(&input).unwrap());
}

#[test]
fn a_damaged_model_file_is_refused_by_name() {
    let checkpoint = checkpoint();
    let bytes = checkpoint.write().unwrap();
    for length in [0, 7, 100, bytes.len() / 2, bytes.len() - 1] {
        assert!(matches!(Checkpoint::read(&bytes[..length]), Err(ModelError::NotSafetensors)), "{length} bytes");
    }
    let mut missing = checkpoint.clone();
    missing.state.remove("inception4c.branch2.1.bn.weight");
    assert!(matches!(missing.write(), Err(ModelError::Missing(name)) if name.contains("inception4c")));
    let mut over = checkpoint.clone();
    over.state.insert("aux1.fc1.bias".into(), over.state["fc.bias"].clone());
    assert!(matches!(over.write(), Err(ModelError::Unexpected(name)) if name == "aux1.fc1.bias"));
    let mut turned = checkpoint.clone();
    turned.state.insert("fc.weight".into(), turned.state["fc.weight"].t().unwrap().contiguous().unwrap());
    assert!(matches!(turned.write(), Err(ModelError::Shape { .. })));
    let mut broken = checkpoint.clone();
    broken.state.insert("fc.bias".into(), (&broken.state["fc.bias"] / 0.0).unwrap());
    assert!(matches!(broken.write(), Err(ModelError::NotFiniteWeights(_))));
    let mut unmeasured = checkpoint.clone();
    unmeasured.card.evaluation.insert("test_accuracy".into(), f64::NAN);
    assert!(matches!(unmeasured.write(), Err(ModelError::BadCard(_))), "the file could not be read again");
    let mut cold = checkpoint;
    cold.card.temperature = 0.0;
    assert!(matches!(Checkpoint::read(&cold.write().unwrap()), Err(ModelError::CardFault(_))));
}

#[test]
fn an_input_of_the_wrong_length_or_not_finite_is_an_error() {
    let classifier = Classifier::new(&checkpoint(), Sha256([0; 32])).unwrap();
    assert!(matches!(classifier.infer(&[0.0; 5], None), Err(ModelError::Input { found: 5, .. })));
    let mut broken = input("input");
    broken[1000] = f32::NAN;
    assert!(matches!(classifier.infer(&broken, None), Err(ModelError::NotFinite)));
    assert!(matches!(classifier.infer(&broken, Some(SaliencyMethod::Gradient)), Err(ModelError::NotFinite)));
}

/// A checkpoint with a gate of four components, and thresholds on either side of the scores of its input.
fn gated(place: f32) -> (Checkpoint, f32) {
    let mut checkpoint = checkpoint();
    let features: Vec<Vec<f32>> = (0..40).map(|i| uniform(&format!("features {i}"), 1024)).collect();
    let distance = Mahalanobis::fit(&features, 4).unwrap();
    let classifier = Classifier::new(&checkpoint, Sha256([0; 32])).unwrap();
    let score = distance.score(&classifier.observe(&[input("input")]).unwrap()[0].features);
    let thresholds = [place * score, 1.1 * place * score];
    Gate::new(Score::Mahalanobis(distance), thresholds, "a formula").install(&mut checkpoint).unwrap();
    (checkpoint, score)
}

#[test]
fn a_gate_in_a_file_gives_the_score_it_was_fitted_to_give_with_and_without_a_heatmap() {
    for (place, standing) in [(2.0, Standing::Typical), (0.95, Standing::Atypical), (0.5, Standing::OutOfDistribution)]
    {
        let (checkpoint, score) = gated(place);
        let classifier = Classifier::load(&checkpoint.write().unwrap()).unwrap();
        assert_eq!(classifier.card().gate, checkpoint.card.gate);
        for method in [None, Some(SaliencyMethod::Gradient)] {
            let answer = classifier.infer(&input("input"), method).unwrap();
            let found = answer.atypicality.unwrap();
            // Weights lose digits in the file, the gate none.
            assert!((found / score - 1.0).abs() < 0.02, "{found} against {score}");
            assert_eq!(answer.standing, standing);
            assert_eq!(answer.heatmap.is_some(), method.is_some() && standing != Standing::OutOfDistribution);
        }
    }
    let answer = Classifier::new(&checkpoint(), Sha256([0; 32])).unwrap().infer(&input("input"), None).unwrap();
    assert_eq!((answer.standing, answer.atypicality), (Standing::Typical, None), "without a gate all is let in");
}

/// A gate's network, the input that it knows best in the orientations of one, and the two lowest of their scores.
fn knows_one_orientation() -> (Checkpoint, Vec<f32>, [f32; 2]) {
    let (checkpoint, _) = gated(1e6);
    let open = Classifier::new(&checkpoint, Sha256([0; 32])).unwrap();
    let scored = Orientation::ALL.map(|orientation| {
        let input = oriented_input(&input("input"), 224, orientation);
        (open.infer(&input, None).unwrap().atypicality.unwrap(), input)
    });
    let mut scored = scored.to_vec();
    scored.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let lowest = [scored[0].0, scored[1].0];
    assert!(lowest[0] < lowest[1], "no two orientations look alike");
    (checkpoint, scored.swap_remove(0).1, lowest)
}

fn with_thresholds(checkpoint: &Checkpoint, [inner, outer]: [f32; 2]) -> Classifier {
    let mut checkpoint = checkpoint.clone();
    let card = checkpoint.card.gate.as_mut().unwrap();
    (card.inner, card.outer) = (inner, outer);
    Classifier::new(&checkpoint, Sha256([0; 32])).unwrap()
}

#[test]
fn an_image_is_answered_in_the_one_of_eight_orientations_that_the_network_knows() {
    let (checkpoint, known, [lowest, next]) = knows_one_orientation();
    let between = lowest.midpoint(next);
    let classifier = with_thresholds(&checkpoint, [between, between]);
    for method in [None, Some(SaliencyMethod::HiResCam)] {
        let twin = classifier.infer(&known, method).unwrap();
        assert_eq!((twin.look, twin.standing), (Orientation::AS_IT_IS, Standing::Typical));
        for orientation in Orientation::ALL {
            let answer = classifier.infer(&oriented_input(&known, 224, orientation), method).unwrap();
            assert_eq!(answer.look, orientation.inverse());
            assert_eq!((answer.logits, answer.standing), (twin.logits, Standing::Typical), "{orientation:?}");
            assert_eq!(answer.is_answered_as_it_lies(), orientation.quarters() == 0);
            // Upright, and facing as the image was given.
            let facing = Orientation::new(0, answer.look.is_mirrored());
            let expected = twin.heatmap.clone().map(|heatmap| heatmap.oriented(facing));
            assert_eq!(answer.heatmap, expected, "{orientation:?}");
        }
    }
}

#[test]
fn a_turned_look_counts_only_where_it_is_typical_and_a_mirrored_one_where_it_is_not_beyond() {
    let (checkpoint, known, [lowest, next]) = knows_one_orientation();
    let atypical = with_thresholds(&checkpoint, [0.99 * lowest, lowest.midpoint(next)]);
    let beyond = with_thresholds(&checkpoint, [0.98 * lowest, 0.99 * lowest]);
    for orientation in Orientation::ALL {
        let input = oriented_input(&known, 224, orientation);
        let answer = atypical.infer(&input, None).unwrap();
        if orientation.quarters() == 0 {
            assert_eq!((answer.standing, answer.look), (Standing::Atypical, orientation.inverse()));
        } else {
            assert_eq!((answer.standing, answer.look), (Standing::OutOfDistribution, Orientation::AS_IT_IS));
        }
        let method = Some(SaliencyMethod::Gradient);
        let refused = beyond.infer(&input, method).unwrap();
        assert_eq!((refused.standing, refused.look), (Standing::OutOfDistribution, Orientation::AS_IT_IS));
        assert!(refused.heatmap.is_none());
        // What it says of itself is of the image as it lies.
        assert_eq!(refused.logits, beyond.infer_as_it_faces(&input, method).unwrap().logits);
    }
}

#[test]
fn a_gate_that_cannot_be_used_is_refused_by_name() {
    let (sound, _) = gated(1.0);
    let refused = |change: &dyn Fn(&mut Checkpoint)| {
        let mut checkpoint = sound.clone();
        change(&mut checkpoint);
        // What `write` refuses, `read` refuses too: both hold the same check.
        checkpoint.write().map(|bytes| Checkpoint::read(&bytes)).and_then(|read| read).unwrap_err().to_string()
    };
    let card = |checkpoint: &mut Checkpoint| checkpoint.card.gate.clone().unwrap();
    for (change, part) in [
        (&(|c: &mut Checkpoint| drop(c.state.remove("gate.mean"))) as &dyn Fn(&mut Checkpoint), "gate.mean is missing"),
        (&|c| c.card.gate = None, "gate.components does not belong"),
        (
            &|c| drop(c.state.insert("gate.variances".into(), c.state["gate.variances"].affine(-1.0, 0.0).unwrap())),
            "gate.variances has values that are not positive",
        ),
        (
            &|c| drop(c.state.insert("gate.residual".into(), c.state["gate.residual"].affine(0.0, 0.0).unwrap())),
            "gate.residual has values that are not positive",
        ),
        (
            &|c| drop(c.state.insert("gate.mean".into(), (&c.state["gate.mean"] / 0.0).unwrap())),
            "gate.mean has values that are not finite",
        ),
        (
            &|c| c.card.gate = Some(GateCard { components: 5, ..card(c) }),
            "gate.components has shape [4, 1024], the network needs [5, 1024]",
        ),
        (
            &|c| {
                c.state.retain(|name, _| !name.starts_with("gate."));
                c.card.gate = Some(GateCard { method: Method::Energy, ..card(c) });
            },
            "number of components",
        ),
        (&|c| c.card.gate = Some(GateCard { inner: 9.0, outer: 1.0, ..card(c) }), "the gate's thresholds"),
    ] {
        let error = refused(change);
        assert!(error.contains(part), "{error} instead of {part}");
    }
}

#[test]
fn a_gates_card_names_the_figures_that_were_taken_without_it_and_forgets_those_of_the_gate_before() {
    let (mut checkpoint, _) = gated(1.0);
    checkpoint.card.evaluation = [("test_accuracy".to_owned(), 0.9), ("gate_beyond_shift_a".to_owned(), 0.1)].into();
    Gate::new(Score::Energy, [0.0, 1.0], "a formula").install(&mut checkpoint).unwrap();
    let card = Checkpoint::read(&checkpoint.write().unwrap()).unwrap().card;
    assert_eq!(card.evaluation.into_keys().collect::<Vec<_>>(), ["test_accuracy"]);
    assert_eq!(card.gate.unwrap().figures_without, ["test_accuracy"]);
}

#[test]
fn a_gate_takes_no_more_than_half_a_megabyte_of_the_file() {
    for architecture in Architecture::ALL {
        let (components, features) = (GateCard::components_of(architecture), architecture.features());
        let bytes = 2 * components * features + 4 * (features + components + 1);
        assert!(components <= 128 && bytes <= 500_000, "{components} components, {bytes} bytes");
        assert!(components == 128 || bytes + 2 * features > 498_000, "room for more than {components}");
    }
    let (plain, gated) = (checkpoint().write().unwrap().len(), gated(1.0).0.write().unwrap().len());
    assert!((8 * 1024 + 4 * 1024..20_000).contains(&(gated - plain)), "{} bytes", gated - plain);
}
