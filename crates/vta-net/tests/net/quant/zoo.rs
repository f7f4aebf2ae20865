//! Networks of the zoo: int8 stays near float.

use vta_net::graph::zoo;
use vta_net::quant::{Calibration, QuantOptions, check, float, quantise, reference};
use vta_tensor::host::Tensor;

/// Squared distance as part of the squares.
pub fn distance(want: &Tensor, got: &Tensor) -> f64 {
    let (want, got) = (want.as_f32().expect("float"), got.as_f32().expect("float"));
    assert_eq!(want.shape(), got.shape());
    let (mut d, mut w) = (0., 0.);
    for (a, b) in want.iter().zip(got) {
        d += f64::from(a - b).powi(2);
        w += f64::from(*a).powi(2);
    }
    d / w
}

#[test]
fn every_network_stays_near_float() {
    for name in zoo::NAMES {
        let graph = zoo::build(name, 7).expect("a network of the zoo");
        let calibration = Calibration::noise(&graph, 1, 1).expect("it can be observed");
        let net = quantise(&graph, &calibration, &QuantOptions::default()).expect(name);
        check(&net).expect("the network is sound");
        let inputs = &calibration.samples()[0];
        let want = float::run(&graph, inputs).expect("float runs");
        let got = reference::run(&net, inputs).expect("int8 runs");
        assert_eq!(want.len(), got.len());
        for (want, got) in want.iter().zip(&got) {
            let d = distance(want, got);
            assert!(d < 0.01, "{name}: {d}");
        }
    }
}

fn sources(name: &str) -> Vec<String> {
    let graph = zoo::build(name, 7).expect("a network of the zoo");
    let calibration = Calibration::noise(&graph, 1, 1).expect("it can be observed");
    let net = quantise(&graph, &calibration, &QuantOptions::default()).expect(name);
    net.nodes.iter().map(|n| n.source.clone()).collect()
}

#[test]
fn what_follows_a_convolution_is_in_it() {
    let residual = ["QuantizeLinear", "Conv+Relu", "Conv+Relu", "Conv+Add+Relu"];
    let stage = ["Conv+Relu", "Conv", "Conv+Add+Relu"];
    let end = ["AveragePool", "Gemm", "DequantizeLinear"];
    let want = [&residual[..], &stage, &stage, &end].concat();
    assert_eq!(sources("resnet8"), want);
    // A flattened map is read as it lies: no step of the host between pool and dense layer.
    let want = [
        "QuantizeLinear",
        "Conv+Relu",
        "MaxPool",
        "Conv+Relu",
        "MaxPool",
        "Gemm+Relu",
        "Gemm+Relu",
        "Gemm",
        "DequantizeLinear",
    ];
    assert_eq!(sources("lenet5"), want);
}
