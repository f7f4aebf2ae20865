//! Networks against the float reference.

use crate::values::{distance, random, tensor};
use ndarray::ArrayD;
use vta_net::graph::{Graph, zoo};
use vta_net::quant::float;
use vta_tensor::host::Tensor as HostTensor;
use vta_train::backend::{Cpu, floats};
use vta_train::{Mask, Mode, Network, Value};

/// Images within ±1 for a network, and the reference's outputs, sample by sample.
fn reference(graph: &Graph, n: usize) -> (Vec<f32>, Vec<Vec<f32>>) {
    let dims = &graph.tensor(graph.inputs[0]).dims;
    let one: usize = dims.iter().product();
    let all = random(n * one, 9);
    let outputs = all.chunks(one).map(|x| {
        let x = ArrayD::from_shape_vec(dims.clone(), x.to_vec()).expect("as many values");
        let y = float::run(graph, &[HostTensor::F32(x)]).expect("the reference runs");
        let flat = y.iter().flat_map(|t| match t {
            HostTensor::F32(a) => a.iter().copied().collect::<Vec<_>>(),
            HostTensor::I8(_) => unreachable!("the reference is in float"),
        });
        flat.collect()
    });
    let outputs = outputs.collect();
    (all, outputs)
}

fn images(graph: &Graph, all: Vec<f32>, n: usize) -> Value<Cpu> {
    let dims = &graph.tensor(graph.inputs[0]).dims;
    tensor::<Cpu, 4>(all, [n, dims[1], dims[2], dims[3]]).into()
}

/// Outputs of each sample, all outputs after another.
fn outputs(network: &Network<Cpu>, x: Value<Cpu>, n: usize) -> Vec<Vec<f32>> {
    let pass = network.predict(x).expect("the images fit");
    let rows: Vec<Vec<f32>> = pass.outputs().iter().map(|v| floats(v.flat())).collect();
    let sample = |i: usize| {
        let parts = rows
            .iter()
            .map(|r| &r[i * r.len() / n..(i + 1) * r.len() / n]);
        parts.flatten().copied().collect()
    };
    (0..n).map(sample).collect()
}

fn network(graph: &Graph) -> Network<Cpu> {
    Network::new(graph, &Default::default()).expect("it can be trained")
}

#[test]
fn zoo_networks_equal_the_reference() {
    for name in zoo::NAMES {
        let graph = zoo::build(name, 3).expect("it is of the zoo");
        let n = if graph.tensor(graph.inputs[0]).dims[2] > 100 {
            1
        } else {
            2
        };
        let (x, want) = reference(&graph, n);
        let network = network(&graph);
        assert_eq!(network.to_graph(), graph, "{name}");
        let got = outputs(&network, images(&graph, x, n), n);
        for (got, want) in got.iter().zip(&want) {
            let d = distance(got, want);
            assert!(d < 1e-4, "{name}: {d}");
        }
    }
}

/// All outputs of each sample are near.
fn near(a: &[Vec<f32>], b: &[Vec<f32>], what: &str) {
    for (a, b) in a.iter().zip(b) {
        let d = distance(a, b);
        assert!(d < 1e-3, "{what}: {d}");
    }
}

#[test]
fn normalisations_fold_into_what_they_did() {
    let n = 4;
    for name in ["resnet8", "vgg11", "mobilenetv1-0.25"] {
        let graph = zoo::build(name, 3).expect("it is of the zoo");
        let (x, _) = reference(&graph, n);
        let mut network =
            Network::<Cpu>::normalised(&graph, &Default::default()).expect("it can be trained");
        let x = images(&graph, x, n);
        let pass = network
            .forward::<Cpu>(&network.plain(), x.clone(), Mode::Batch)
            .expect("the images fit");
        let batch: Vec<f32> = floats(pass.outputs()[0].flat());
        let rows =
            |v: &[f32]| -> Vec<Vec<f32>> { v.chunks(v.len() / n).map(<[f32]>::to_vec).collect() };
        // With momentum 1 the statistics are those of this batch: the same result.
        network.follow(&pass, 1.0);
        let folded = outputs(&network, x.clone(), n);
        near(&folded, &rows(&batch), name);
        // The exported graph does the same in the reference.
        let (_, want) = reference(&network.to_graph(), n);
        near(&folded, &want, name);
        // And what had its normalisations folded in gets them back.
        let trained = network.to_graph();
        let again =
            Network::<Cpu>::renormalised(&trained, std::slice::from_ref(&x), &Default::default())
                .expect("it can be trained");
        near(&outputs(&again, x.clone(), n), &want, name);
        let pass = again
            .forward::<Cpu>(&again.plain(), x, Mode::Batch)
            .expect("the images fit");
        near(&rows(&floats(pass.outputs()[0].flat())), &want, name);
    }
}

#[test]
fn masks_fade_weights() {
    let graph = zoo::build("resnet8", 3).expect("it is of the zoo");
    let mut network = network(&graph);
    let weight = network.params()[0].clone();
    let keep: Vec<f32> = (0..weight.values().len()).map(|i| (i % 2) as f32).collect();
    let mask = Mask { keep, eta: 0.25 };
    network.set_mask(&weight.name, Some(mask)).expect("it fits");
    let (x, want) = reference(&network.to_graph(), 2);
    near(&outputs(&network, images(&graph, x, 2), 2), &want, "masked");
    let faded = network.to_graph();
    let first = Network::<Cpu>::new(&faded, &Default::default()).expect("it can be trained");
    for (i, (a, b)) in first.params()[0]
        .values()
        .iter()
        .zip(weight.values())
        .enumerate()
    {
        assert_eq!(*a, b * [0.75, 1.0][i % 2]);
    }
    let short = Mask {
        keep: vec![1.0; 3],
        eta: 1.0,
    };
    assert!(network.set_mask(&weight.name, Some(short)).is_err());
}
