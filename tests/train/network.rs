//! Networks against the float reference.

use crate::values::{distance, random, tensor};
use ndarray::ArrayD;
use vta::graph::{Graph, zoo};
use vta::host::Tensor as HostTensor;
use vta::quant::float;
use vta::train::backend::{Cpu, CpuGrad, floats};
use vta::train::{Exponents, Mask, Mode, Network, Value};

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
