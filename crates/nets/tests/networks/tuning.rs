//! Fine-tuning with the norms as they are.

use candle_core::{Device, Tensor};
use cspine_nets::layers::{Mode, StateDict};
use cspine_nets::{Architecture, Learner};

use crate::close::assert_close;
use crate::uniform::{state, uniform};

const TUNE: Mode = Mode::Tune { input: false };

fn images() -> Tensor {
    let values: Vec<f32> = uniform("input", 2 * 3 * 64 * 64).iter().map(|u| 2.0 * u - 1.0).collect();
    Tensor::from_vec(values, (2, 3, 64, 64), &Device::Cpu).unwrap()
}

fn loss(learner: &Learner, mode: Mode) -> Tensor {
    let labels = Tensor::new(&[0u32, 1], &Device::Cpu).unwrap();
    candle_nn::loss::cross_entropy(&learner.logits(&images(), mode).unwrap(), &labels).unwrap()
}

fn value(loss: &Tensor) -> f64 {
    f64::from(loss.to_scalar::<f32>().unwrap())
}

fn same(a: &StateDict, b: &StateDict) -> bool {
    let values = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    a.iter().all(|(name, tensor)| values(tensor) == values(&b[name]))
}

#[test]
fn a_tuning_pass_answers_as_in_service_and_moves_no_statistic() {
    let learner = Learner::new(Architecture::GoogLeNet, &state(Architecture::GoogLeNet)).unwrap();
    let before = learner.state().unwrap();
    let tuned = loss(&learner, TUNE);
    // The same layers, folded and not: a loss is near 1, its logits near 10.
    assert_close(&[value(&tuned)], &[value(&loss(&learner, Mode::Infer))], 1e-5);
    learner.backward(&tuned).unwrap();
    assert!(same(&before, &learner.state().unwrap()));
    learner.backward(&loss(&learner, Mode::Train { input: false })).unwrap();
    assert!(!same(&before, &learner.state().unwrap()), "a fitting pass moves them");
}

#[test]
fn a_tuning_passs_gradients_are_the_losss_slope() {
    let learner = Learner::new(Architecture::GoogLeNet, &state(Architecture::GoogLeNet)).unwrap();
    let gradients = learner.backward(&loss(&learner, TUNE)).unwrap();
    for name in ["conv1.conv.weight", "inception3a.branch2.1.conv.weight", "inception5b.branch1.bn.weight", "fc.weight"]
    {
        let (_, var) = learner.parameters().into_iter().find(|(found, _)| found == name).unwrap();
        let (start, gradient) = (var.as_tensor().copy().unwrap(), gradients.get(&var).unwrap().clone());
        let squared = value(&gradient.sqr().unwrap().sum_all().unwrap());
        // Along the gradient the slope is its length; a step that changes the loss by about a thousandth.
        let h = 1e-3 / squared;
        let at = |h: f64| {
            var.set(&(&start + (&gradient * h).unwrap()).unwrap()).unwrap();
            value(&loss(&learner, Mode::Infer))
        };
        let slope = (at(h) - at(-h)) / (2.0 * h);
        var.set(&start).unwrap();
        assert!((slope / squared - 1.0).abs() < 0.03, "{name}: {slope} along, {squared} expected");
    }
}
