//! Full-size files as PyTorch before 1.6 and since wrote them, made here byte by byte, to models.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write as _};
use std::path::Path;

use candle_core::{Device, Tensor};
use clap::Parser;
use cspine_domain::Sha256;
use cspine_imaging::{Geometry, Intensity, Preprocessing};
use cspine_nets::layers::StateDict;
use cspine_nets::{Architecture, Checkpoint, Classifier, ModelCard, init};
use cspine_trainer::import::{ImportArgs, run};
use tempfile::tempdir;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: ImportArgs,
}

/// `cspine-trainer import FILE --out FOLDER/model.safetensors …`.
fn import(folder: &Path, bytes: &[u8], flags: &[&str]) -> Result<Checkpoint, String> {
    let (file, out) = (folder.join("weights"), folder.join("model.safetensors"));
    fs::write(&file, bytes).unwrap();
    let line = ["import", file.to_str().unwrap(), "--out", out.to_str().unwrap()];
    run(&Cli::parse_from(line.iter().chain(flags)).args).map_err(|error| format!("{error:#}"))?;
    Ok(Checkpoint::read(&fs::read(out).unwrap()).unwrap())
}

/// torchvision's GoogLeNet of so many classes, at random, with what inference does not need.
fn torchvision(classes: usize) -> StateDict {
    let mut state = init::network(Architecture::GoogLeNet, 3, classes).unwrap();
    let norms: Vec<String> =
        state.keys().filter_map(|name| name.strip_suffix("running_var").map(str::to_owned)).collect();
    for norm in norms {
        state.insert(format!("{norm}num_batches_tracked"), Tensor::new(100_i64, &Device::Cpu).unwrap());
    }
    for aux in ["aux1", "aux2"] {
        state.insert(format!("{aux}.fc2.bias"), Tensor::zeros(classes, candle_core::DType::F32, &Device::Cpu).unwrap());
    }
    state
}

/// A tensor's type in PyTorch, and its elements.
fn storage(tensor: &Tensor) -> (&'static str, Vec<u8>) {
    let flat = tensor.flatten_all().unwrap();
    match tensor.dtype() {
        candle_core::DType::I64 => {
            ("LongStorage", flat.to_vec1::<i64>().unwrap().iter().flat_map(|v| v.to_le_bytes()).collect())
        }
        _ => ("FloatStorage", flat.to_vec1::<f32>().unwrap().iter().flat_map(|v| v.to_le_bytes()).collect()),
    }
}

fn text(pickle: &mut Vec<u8>, text: &str) {
    pickle.push(b'X');
    pickle.extend((text.len() as u32).to_le_bytes());
    pickle.extend(text.as_bytes());
}

fn int(pickle: &mut Vec<u8>, value: usize) {
    pickle.push(b'J');
    pickle.extend((value as i32).to_le_bytes());
}

fn tuple(pickle: &mut Vec<u8>, values: &[usize]) {
    pickle.push(b'(');
    values.iter().for_each(|value| int(pickle, *value));
    pickle.push(b't');
}

/// The pickle of a state dict; the storages' keys are the tensors' places in it.
fn pickle(state: &StateDict, legacy: bool) -> Vec<u8> {
    let mut pickle = b"\x80\x02ccollections\nOrderedDict\n)R(".to_vec();
    for (key, (name, tensor)) in state.iter().enumerate() {
        text(&mut pickle, name);
        pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        text(&mut pickle, "storage");
        pickle.extend(format!("ctorch\n{}\n", storage(tensor).0).bytes());
        text(&mut pickle, &key.to_string());
        text(&mut pickle, "cpu");
        int(&mut pickle, tensor.elem_count());
        pickle.extend(if legacy { &b"Nt"[..] } else { b"t" });
        pickle.push(b'Q');
        int(&mut pickle, 0);
        tuple(&mut pickle, tensor.dims());
        tuple(&mut pickle, tensor.stride());
        pickle.extend(b"\x89ccollections\nOrderedDict\n)RtR");
    }
    pickle.extend(b"u.");
    pickle
}

/// As `torch.save(state, file, _use_new_zipfile_serialization=False)` writes it.
fn legacy_pth(state: &StateDict) -> Vec<u8> {
    let mut file = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.".to_vec();
    file.extend(b"\x80\x02}(X\x0d\x00\x00\x00little_endian\x88u.");
    file.extend(pickle(state, true));
    file.extend(b"\x80\x02](");
    (0..state.len()).for_each(|key| text(&mut file, &key.to_string()));
    file.extend(b"e.");
    for tensor in state.values() {
        file.extend((tensor.elem_count() as u64).to_le_bytes());
        file.extend(storage(tensor).1);
    }
    file
}

/// As `torch.save(state, file)` writes it.
fn zip_pth(state: &StateDict) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(vec![]));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut add = |name: String, bytes: &[u8]| {
        zip.start_file(name, stored).unwrap();
        zip.write_all(bytes).unwrap();
    };
    add("archive/data.pkl".into(), &pickle(state, false));
    add("archive/byteorder".into(), b"little");
    for (key, tensor) in state.values().enumerate() {
        add(format!("archive/data/{key}"), &storage(tensor).1);
    }
    zip.finish().unwrap().into_inner()
}

fn safetensors(state: &StateDict) -> Vec<u8> {
    safetensors::serialize(state.iter(), None).unwrap()
}

fn differences(a: &StateDict, b: &StateDict) -> Vec<String> {
    let same = |name: &String| a[name].to_dtype(b[name].dtype()).unwrap().ne(&b[name]).unwrap().sum_all().unwrap();
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    let float = |tensor: Tensor| tensor.to_dtype(candle_core::DType::F32).unwrap().to_scalar::<f32>().unwrap();
    a.keys().filter(|name| float(same(name)) > 0.0).cloned().collect()
}

#[test]
fn every_format_gives_the_same_model() {
    let folder = tempdir().unwrap();
    let state = torchvision(3);
    let files = [safetensors(&state), zip_pth(&state), legacy_pth(&state)];
    let models = files.map(|file| import(folder.path(), &file, &[]).unwrap());
    assert_eq!(models[0].card, models[1].card);
    assert_eq!(models[0].card, models[2].card);
    let own = init::network(Architecture::GoogLeNet, 3, 3).unwrap();
    for model in &models {
        assert_eq!(differences(&own, &model.state), [""; 0]);
    }
}

#[test]
fn an_imported_model_is_marked_uncalibrated_and_sees_images_as_the_paper_did() {
    let folder = tempdir().unwrap();
    let card = import(folder.path(), &safetensors(&torchvision(3)), &[]).unwrap().card;
    assert!(!card.calibrated && card.temperature == 1.0 && card.operating_point == 0.5);
    let preprocessing = card.preprocessing;
    assert_eq!((preprocessing.geometry, preprocessing.intensity), (Geometry::Stretch, Intensity::FullRange));
    assert_eq!(preprocessing.mean, Preprocessing::default().mean);
    let flags = ["--geometry", "pad", "--intensity", "percentile", "--transform-input", "true"];
    let card = import(folder.path(), &safetensors(&torchvision(3)), &flags).unwrap().card;
    assert_eq!((card.preprocessing.geometry, card.preprocessing.intensity), (Geometry::Pad, Intensity::Percentile));
    assert!(card.preprocessing.mean.iter().all(|mean| (mean - 0.5).abs() < 1e-6));
}

#[test]
fn torchvisions_alexnet_keeps_all_but_its_head_and_sees_227_pixels_untransformed() {
    let folder = tempdir().unwrap();
    let theirs = init::network(Architecture::AlexNet, 3, 1000).unwrap();
    let model = import(folder.path(), &zip_pth(&theirs), &["--seed", "7"]).unwrap();
    let own: StateDict = theirs.into_iter().chain(init::head(Architecture::AlexNet, 7, 3).unwrap()).collect();
    assert_eq!(differences(&own, &model.state), [""; 0]);
    assert_eq!((model.card.architecture, model.card.preprocessing.size), (Architecture::AlexNet, 227));
    assert_eq!(model.card.preprocessing.mean, Preprocessing::default().mean);
    let refused = import(folder.path(), &zip_pth(&own), &["--size", "320"]).unwrap_err();
    assert!(refused.contains("does not take inputs of this size"), "{refused}");
}

#[test]
fn a_head_of_1000_classes_is_replaced_and_transform_input_folded() {
    let folder = tempdir().unwrap();
    let file = legacy_pth(&torchvision(1000));
    let model = import(folder.path(), &file, &["--seed", "7"]).unwrap();
    let mut own = init::network(Architecture::GoogLeNet, 3, 1000).unwrap();
    own.extend(init::head(Architecture::GoogLeNet, 7, 3).unwrap());
    assert_eq!(differences(&own, &model.state), [""; 0]);
    assert!(model.card.training.data.contains("head of 1000 classes is replaced by a fresh one (seed 7)"));

    // The same network on torchvision's own input, transformed as torchvision does, says the same.
    let imagenet = Preprocessing::default();
    let plain = Checkpoint {
        card: ModelCard::uncalibrated(Architecture::GoogLeNet, imagenet.clone(), "a test"),
        state: model.state.clone(),
    };
    let (plain, folded) = (classifier(&plain), classifier(&model));
    let grey: Vec<f32> = (0..224 * 224).map(|i| ((i * 7919) % 1000) as f32 / 999.0).collect();
    let mut transformed = imagenet.normalise(&grey);
    for (plane, (a, b)) in
        transformed.chunks_exact_mut(224 * 224).zip([(0.458, -0.03), (0.448, -0.088), (0.45, -0.188)])
    {
        plane.iter_mut().for_each(|x| *x = a * *x + b);
    }
    let expected = plain.logits(&[transformed]).unwrap()[0];
    let found = folded.logits(&[model.card.preprocessing.normalise(&grey)]).unwrap()[0];
    let untransformed = plain.logits(&[imagenet.normalise(&grey)]).unwrap()[0];
    let apart = |a: [f32; 3], b: [f32; 3]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart(found, expected) < 1e-4, "{found:?} {expected:?}");
    assert!(apart(untransformed, expected) > 1e-3, "{untransformed:?} {expected:?}");
}

fn classifier(checkpoint: &Checkpoint) -> Classifier {
    Classifier::new(checkpoint, Sha256::of(b"a test")).unwrap()
}

#[test]
fn what_cannot_be_imported_is_refused_in_words() {
    let folder = tempdir().unwrap();
    let refusal = |state: &StateDict, flags: &[&str]| import(folder.path(), &safetensors(state), flags).unwrap_err();
    let whole = torchvision(3);
    let mut missing = whole.clone();
    missing.remove("inception4a.branch2.1.bn.bias");
    assert!(refusal(&missing, &[]).contains("tensor inception4a.branch2.1.bn.bias is missing"));
    let mut over = whole.clone();
    over.insert("inception6a.weight".into(), whole["fc.bias"].clone());
    assert!(refusal(&over, &[]).contains("tensor inception6a.weight does not belong to this network"));
    let mut shape = whole.clone();
    shape.insert("conv1.bn.bias".into(), whole["fc.bias"].clone());
    assert!(refusal(&shape, &[]).contains("tensor conv1.bn.bias has shape [3], the network needs [64]"));
    let mut broken = whole.clone();
    broken.insert("fc.bias".into(), Tensor::new(&[0.0, f32::NAN, 0.0], &Device::Cpu).unwrap());
    assert!(refusal(&broken, &[]).contains("tensor fc.bias has values that are not finite"));
    assert!(refusal(&torchvision(5), &["--classes-head", "keep"]).contains("head has 5 classes and cannot be kept"));
    let tensor = &whole["fc.bias"];
    let alexnet =
        BTreeMap::from(["features.0.weight", "classifier.6.weight"].map(|name| (name.to_owned(), tensor.clone())));
    assert!(refusal(&alexnet, &[]).contains("classifier.6.bias is missing"));
    assert!(import(folder.path(), b"<html>404</html>", &[]).unwrap_err().contains("neither a .pth file"));
    let model = import(folder.path(), &safetensors(&whole), &[]).unwrap().write().unwrap();
    assert!(import(folder.path(), &model, &[]).unwrap_err().contains("it is a model already"));
}
