//! The trainer's own quantised evaluation against the integer reference.

use ndarray::{ArrayD, IxDyn};
use vta::graph::{Graph, zoo};
use vta::host::Tensor;
use vta::quant::{
    Calibration, Exponents, PerChannel, QuantOptions, quantise, quantise_with, reference,
};
use vta::train::backend::{Cpu, floats};
use vta::train::{Network, Value};
use vta::tune::for_training;

/// How two evaluations compare over all outputs of all samples.
#[derive(Debug, Default)]
struct Apart {
    elements: usize,
    /// Elements that differ.
    differ: usize,
    /// The largest difference, in steps of the output.
    steps: f32,
    /// Samples whose largest element is another.
    top: usize,
}

fn largest(v: &[f32]) -> usize {
    (0..v.len()).fold(0, |a, b| if v[b] > v[a] { b } else { a })
}

/// Calibrates, quantises with the exponents that come out, trains nothing, compares.
fn compare(graph: &Graph, per_channel: PerChannel, n: usize) -> Apart {
    let calibration = Calibration::noise(graph, 3, 4).expect("it can be observed");
    let options = QuantOptions {
        per_channel,
        ..QuantOptions::default()
    };
    let chosen = quantise(graph, &calibration, &options).expect("it can be quantised");
    let exponents = Exponents::of(&chosen);
    let net = quantise_with(graph, &exponents, None).expect("the exponents fit");
    assert_eq!(Exponents::of(&net), exponents);
    let mut network = Network::<Cpu>::new(graph, &Default::default()).expect("a network");
    network.set_exponents(Some(for_training(&exponents, graph).expect("they fit")));
    let samples = Calibration::noise(graph, 8, n).expect("it can be observed");
    let mut apart = Apart::default();
    for sample in samples.samples() {
        let want = reference::run(&net, sample).expect("int8 runs");
        let Tensor::F32(x) = &sample[0] else {
            panic!("inputs are float")
        };
        let dims: [usize; 4] = x.shape().try_into().expect("a map");
        let data = burn::tensor::TensorData::new(x.iter().copied().collect(), dims);
        let x = burn::tensor::Tensor::<Cpu, 4>::from_data(data, &Default::default());
        let pass = network.predict(Value::from(x)).expect("it runs");
        for ((t, want), got) in graph.outputs.iter().zip(&want).zip(pass.outputs()) {
            let step = exponents.tensors[&graph.tensor(*t).name];
            let want: Vec<f32> = want.as_f32().expect("float").iter().copied().collect();
            let got = floats(got.flat());
            assert_eq!(want.len(), got.len());
            apart.elements += want.len();
            for (w, g) in want.iter().zip(&got) {
                let d = (w - g).abs() * 2_f32.powi(-step);
                apart.differ += usize::from(d > 0.);
                apart.steps = apart.steps.max(d);
            }
            apart.top += usize::from(largest(&want) != largest(&got));
        }
    }
    apart
}

#[test]
fn the_trainer_rounds_as_the_device_does() {
    for (name, n) in [
        ("lenet5", 20),
        ("resnet8", 20),
        ("resnet-tiny", 20),
        ("vgg11", 4),
        ("mobilenetv1-0.25", 8),
        ("yolo-tiny", 2),
    ] {
        let graph = zoo::build(name, 7).expect("a network of the zoo");
        for per_channel in [PerChannel::Never, PerChannel::Always] {
            let apart = compare(&graph, per_channel, n);
            println!("{name} {per_channel:?}: {apart:?}");
        }
    }
}
