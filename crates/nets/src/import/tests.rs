//! Readers against files that PyTorch wrote, and against hostile ones.

use super::legacy::MAGIC;
use super::pickle::{self, Fault};
use super::{ImportError, Options, TRANSFORM_INPUT, fold_transform_input, import, read};
use cspine_imaging::Preprocessing;

const ZIP: &[u8] = include_bytes!("fixtures/state.pth");
const LEGACY: &[u8] = include_bytes!("fixtures/state-legacy.pth");

fn options() -> Options {
    Options { head: None, seed: 1, transform_input: None, size: None, preprocessing: Preprocessing::default() }
}

fn fault(pickle: &[u8]) -> Fault {
    pickle::read(pickle).unwrap_err().fault
}

/// The first of five pickles, then `rest`.
fn legacy(rest: &[u8]) -> Vec<u8> {
    [MAGIC, rest].concat()
}

#[test]
fn both_kinds_of_pth_file_give_the_tensors_pytorch_wrote() {
    for file in [ZIP, LEGACY] {
        let tensors = read(file).unwrap();
        let values = |name: &str| tensors[name].to_tensor().unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(values("whole"), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!((&tensors["turned"].shape[..], &values("turned")[..]), (&[3, 2][..], &[0., 3., 1., 4., 2., 5.][..]));
        assert_eq!(values("part"), [4.0, 5.0]);
        assert_eq!(values("half"), [0.5, -2.0]);
        assert_eq!((values("brain"), values("double"), values("parameter")), (vec![1.5], vec![0.25], vec![3.0]));
        assert_eq!((&tensors["count"].shape[..], values("count")), (&[][..], vec![7.0]));
        assert_eq!(tensors.len(), 8);
    }
}

#[test]
fn weights_of_something_else_are_refused_by_name() {
    let refusal = import(LEGACY, &options()).unwrap_err().to_string();
    assert_eq!(refusal, "tensor fc.weight is missing");
    assert!(matches!(import(b"GIF89a, or anything", &options()), Err(ImportError::UnknownFormat)));
}

#[test]
fn a_cut_file_is_an_error_wherever_it_is_cut() {
    for file in [ZIP, LEGACY] {
        for length in (0..file.len()).step_by(7) {
            assert!(read(&file[..length]).is_err(), "{length} bytes of {}", file.len());
        }
    }
}

#[test]
fn a_damaged_byte_never_panics() {
    for file in [ZIP, LEGACY] {
        for place in 0..file.len().min(2000) {
            let mut damaged = file.to_vec();
            damaged[place] ^= 0x15;
            if let Ok(tensors) = read(&damaged) {
                let small = tensors.values().filter(|tensor| tensor.shape.iter().product::<usize>() < 100);
                small.for_each(|tensor| drop(tensor.to_tensor()));
            }
        }
    }
}

#[test]
fn a_pickle_that_would_run_a_program_is_refused_by_the_programs_name() {
    let program = b"\x80\x02cposix\nsystem\nX\x02\x00\x00\x00ls\x85R.";
    assert_eq!(fault(program), Fault::Object("posix.system".into()));
    let model = b"\x80\x02ctorchvision.models.googlenet\nGoogLeNet\n)\x81.";
    assert_eq!(fault(model), Fault::Object("torchvision.models.googlenet.GoogLeNet".into()));
    let text = import(&legacy(program), &options()).unwrap_err().to_string();
    assert!(text.contains("posix.system") && text.contains("state_dict"), "{text}");
}

#[test]
fn instructions_that_no_state_dict_has_are_refused() {
    assert_eq!(fault(b"\x80\x02i"), Fault::Instruction(b'i'));
    assert_eq!(fault(b"\x80\x04\x95"), Fault::Protocol(4));
    assert_eq!(fault(b"\x80\x02\x8a\xff"), Fault::Structure("a number of more than eight bytes"));
    assert_eq!(fault(b"\x80\x02X\xff\xff\xff\xff"), Fault::Truncated);
    assert_eq!(fault(b"\x80\x02."), Fault::Structure("an instruction finds nothing on the stack"));
    assert_eq!(fault(b"\x80\x02K\x01(\x85."), Fault::Structure("an instruction finds nothing on the stack"));
    assert_eq!(fault(b"\x80\x02h\x00."), Fault::Structure("a reference to nothing that was remembered"));
    assert_eq!(fault(b"\x80\x02K\x01Q."), Fault::Structure("a persistent id that names no storage"));
    assert_eq!(
        fault(b"\x80\x02ccollections\nOrderedDict\nK\x01\x85R."),
        Fault::Structure("a call that makes no weights")
    );
}

#[test]
fn nesting_and_length_are_bounded() {
    let mut deep = b"\x80\x02)".to_vec();
    deep.extend([0x85; 100_000]);
    assert_eq!(fault(&deep), Fault::Structure("nested too deeply"));
    assert_eq!(fault(&[b'N'; 1_000_001]), Fault::Structure("too many instructions for a state dict"));
}

#[test]
fn a_tensor_outside_its_storage_is_refused() {
    // `part` begins at element 4 of 6: let it begin at 5.
    let place = LEGACY.windows(5).position(|bytes| bytes == b"QK\x04K\x02").unwrap();
    let mut moved = LEGACY.to_vec();
    moved[place + 2] = 5;
    let text = read(&moved).unwrap_err().to_string();
    assert_eq!(text, "tensor \"part\": it points outside its storage");
}

#[test]
fn transform_input_folds_into_a_mean_and_a_deviation_of_a_half() {
    let imagenet = Preprocessing::default();
    let mut folded = imagenet.clone();
    fold_transform_input(&mut folded);
    for value in folded.mean.iter().chain(&folded.std) {
        assert!((value - 0.5).abs() < 1e-6, "{folded:?}");
    }
    let grey = [0.0, 0.3, 1.0];
    let (before, after) = (imagenet.normalise(&grey), folded.normalise(&grey));
    for (i, (x, folded)) in before.iter().zip(after).enumerate() {
        let (a, b) = TRANSFORM_INPUT[i / 3];
        assert!((a * x + b - folded).abs() < 1e-6);
    }
    // The numbers as torchvision's source and the literature round them.
    for ((a, b), (rounded_a, rounded_b)) in
        TRANSFORM_INPUT.iter().zip([(0.458, -0.03), (0.448, -0.088), (0.45, -0.188)])
    {
        assert!((a - rounded_a).abs() < 1e-6 && (b - rounded_b).abs() < 1e-6);
    }
}
