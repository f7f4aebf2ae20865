//! The trainer's own quantised evaluation against the integer reference.

use std::collections::BTreeMap;
use vta_net::graph::{Graph, zoo};
use vta_net::quant::{
    Calibration, Exponents, PerChannel, QuantOptions, quantise, quantise_with, reference,
};
use vta_tensor::host::Tensor;
use vta_train::backend::{Cpu, floats};
use vta_train::pruning_aware::for_training;
use vta_train::{Network, Running, Value};

/// How two evaluations compare over all outputs of all samples.
#[derive(Debug, Default)]
struct Apart {
    elements: usize,
    /// Elements that differ by more than rounding of single precision.
    differ: usize,
    /// Sum of the differences, and of the magnitudes.
    sums: [f64; 2],
    /// Outputs whose largest element is another.
    top: usize,
}

fn largest(v: &[f32]) -> usize {
    (0..v.len()).fold(0, |a, b| if v[b] > v[a] { b } else { a })
}

fn exponents(graph: &Graph, per_channel: PerChannel) -> Exponents {
    let calibration = Calibration::noise(graph, 3, 4).expect("it can be observed");
    let options = QuantOptions {
        per_channel,
        ..QuantOptions::default()
    };
    Exponents::of(&quantise(graph, &calibration, &options).expect("it can be quantised"))
}

/// A network with exponents, against the reference of its graph with the same.
fn compare(mut network: Network<Cpu>, exponents: &Exponents, n: usize) -> Apart {
    let graph = &network.to_graph();
    let net = quantise_with(graph, exponents, None).expect("the exponents fit");
    assert_eq!(&Exponents::of(&net), exponents);
    network.set_exponents(Some(for_training(exponents, graph).expect("they fit")));
    let samples = Calibration::noise(graph, 8, n).expect("it can be observed");
    let mut apart = Apart::default();
    for sample in samples.samples() {
        let want = reference::run(&net, sample).expect("int8 runs");
        let Tensor::F32(x) = &sample[0] else {
            panic!("inputs are float")
        };
        let dims: [usize; 4] = x.shape().try_into().expect("a map");
        let data = burn_tensor::TensorData::new(x.iter().copied().collect(), dims);
        let x = burn_tensor::Tensor::<Cpu, 4>::from_data(data, &Default::default());
        let pass = network.predict(Value::from(x)).expect("it runs");
        for (want, got) in want.iter().zip(pass.outputs()) {
            let want: Vec<f32> = want.as_f32().expect("float").iter().copied().collect();
            let got = floats(got.flat());
            assert_eq!(want.len(), got.len());
            apart.elements += want.len();
            for (w, g) in want.iter().zip(&got) {
                let d = (w - g).abs();
                apart.differ += usize::from(d > 1e-5 * w.abs().max(1.));
                apart.sums[0] += f64::from(d);
                apart.sums[1] += f64::from(w.abs());
            }
            apart.top += usize::from(largest(&want) != largest(&got));
        }
    }
    apart
}

fn zoo(name: &str) -> Graph {
    zoo::build(name, 7).expect("a network of the zoo")
}

#[test]
fn the_trainer_rounds_as_the_device_does_to_the_bit() {
    for (name, n) in [
        ("lenet5", 12),
        ("resnet8", 12),
        ("vgg11", 3),
        ("mobilenetv1-0.25", 4),
    ] {
        let graph = zoo(name);
        for per_channel in [PerChannel::Never, PerChannel::Always] {
            let network = Network::new(&graph, &Default::default()).expect("a network");
            let apart = compare(network, &exponents(&graph, per_channel), n);
            assert!(apart.sums[1] > 0., "{name}: outputs say something");
            assert_eq!(apart.differ, 0, "{name}, {per_channel:?}: {apart:?}");
        }
    }
}

/// As it is while it trains: normalisations are folded in on the fly, and weights
/// have moved since the exponents were chosen, some of them beyond their ends.
#[test]
fn a_network_in_training_is_exported_with_the_rounding_it_had() {
    let graph = zoo("resnet8");
    let mut network = Network::<Cpu>::normalised(&graph, &Default::default()).expect("a network");
    let mut seed = 1_u32;
    let mut random = |low: f32, high: f32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        low + (high - low) * (seed >> 8) as f32 / (1 << 24) as f32
    };
    for r in network.running().to_vec() {
        let mean = r.mean.iter().map(|_| random(-0.5, 0.5)).collect();
        let var = r.var.iter().map(|_| random(0.3, 1.7)).collect();
        let r = Running { mean, var, ..r };
        network.set_running(r).expect("as many channels");
    }
    let exponents = exponents(&network.to_graph(), PerChannel::Auto);
    let all: Vec<_> = network.params().to_vec();
    for p in &all {
        let moved = p.values().iter().map(|w| w * random(0.5, 2.)).collect();
        network.set(&p.name, moved).expect("as many values");
    }
    let net = quantise_with(&network.to_graph(), &exponents, None).expect("they fit");
    let ends = net.nodes.iter().filter_map(|n| match &n.op {
        vta_net::quant::QOp::Conv(c) => Some(c.weight.iter().filter(|w| w.abs() == 127).count()),
        _ => None,
    });
    assert!(ends.sum::<usize>() > 10, "weights end at 127 steps");
    let apart = compare(network, &exponents, 12);
    assert_eq!(apart.differ, 0, "{apart:?}");
}

/// The device rounds each of the shifted sums below zero down, the trainer does not.
#[test]
fn leaky_relus_are_near() {
    let graph = zoo("yolo-tiny");
    let network = Network::new(&graph, &Default::default()).expect("a network");
    let apart = compare(network, &exponents(&graph, PerChannel::Auto), 1);
    let part = apart.sums[0] / apart.sums[1];
    assert!(part < 0.1, "{part}: {apart:?}");
}

/// Only what the device has in int8 is rounded: nothing between the operators of one step.
#[test]
fn nothing_between_fused_operators_is_rounded() {
    let graph = zoo("resnet8");
    let exponents = for_training(&exponents(&graph, PerChannel::Auto), &graph).expect("they fit");
    let rounded: BTreeMap<&str, bool> = graph
        .tensors()
        .iter()
        .enumerate()
        .map(|(t, info)| {
            let t = vta_net::graph::TensorId(t);
            (info.name.as_str(), exponents.tensors.contains_key(&t))
        })
        .collect();
    let outputs = |op: &str| {
        let nodes = graph.nodes().filter(|n| n.op.name() == op);
        nodes
            .map(|n| &graph.tensor(n.output).name)
            .collect::<Vec<_>>()
    };
    assert!(rounded["input"]);
    for name in outputs("Relu").into_iter().chain(outputs("Gemm")) {
        assert!(rounded[name.as_str()], "{name}");
    }
    for name in outputs("Add") {
        assert!(!rounded[name.as_str()], "{name}");
    }
}
