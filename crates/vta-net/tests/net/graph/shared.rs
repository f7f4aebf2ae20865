//! Real models, where they are at hand.

use vta_net::graph::{Graph, Op};
use vta_test_support::models::model;

/// How many nodes of each kind there are, most important ones only.
fn counts<const N: usize>(g: &Graph, names: [&str; N]) -> [usize; N] {
    names.map(|name| g.nodes().filter(|n| n.op.name() == name).count())
}

fn outputs(g: &Graph) -> Vec<&[usize]> {
    g.outputs.iter().map(|t| &g.tensor(*t).dims[..]).collect()
}

#[test]
fn resnet8() {
    let Some(g) = model("resnet8_cifar10") else {
        return;
    };
    assert_eq!(g.tensor(g.inputs[0]).dims, [1, 32, 32, 3]);
    assert_eq!(outputs(&g), [[1, 10]]);
    let kinds = [
        "Conv",
        "Add",
        "Relu",
        "AveragePool",
        "Gemm",
        "Softmax",
        "Transpose",
    ];
    assert_eq!(counts(&g, kinds), [9, 3, 7, 1, 1, 1, 1]);
    assert_eq!(g.nodes().count(), 24);
}

#[test]
fn keyword_spotting() {
    let Some(g) = model("dscnn_kws") else {
        return;
    };
    assert_eq!(g.tensor(g.inputs[0]).dims, [1, 49, 10, 1]);
    assert_eq!(outputs(&g), [[1, 12]]);
    let kinds = [
        "Conv",
        "Relu",
        "AveragePool",
        "Gemm",
        "Softmax",
        "Transpose",
    ];
    // The leading Transpose moves only a one.
    assert_eq!(counts(&g, kinds), [9, 9, 1, 1, 1, 0]);
    let depthwise = |n: &&vta_net::graph::Node| matches!(&n.op, Op::Conv(c) if c.groups == 64);
    assert_eq!(g.nodes().filter(depthwise).count(), 4);
}

#[test]
fn autoencoder() {
    let Some(g) = model("autoencoder_toycar") else {
        return;
    };
    assert_eq!(outputs(&g), [[1, 640]]);
    assert_eq!(counts(&g, ["Gemm", "Relu"]), [10, 9]);
    assert_eq!(g.nodes().count(), 19);
    for n in g.nodes() {
        if let Op::Dense(d) = &n.op {
            assert!(
                d.transposed && d.bias.iter().any(|b| *b != 0.0),
                "{}",
                n.name
            );
        }
    }
}

#[test]
fn face_detection() {
    let Some(g) = model("ultraface_rfb_320") else {
        return;
    };
    assert_eq!(outputs(&g), [[1, 4420, 2], [1, 4420, 4]]);
    let names: Vec<_> = g.outputs.iter().map(|t| &g.tensor(*t).name).collect();
    assert_eq!(names, ["scores", "boxes"]);
    let kinds = [
        "BatchNormalization",
        "Concat",
        "Transpose",
        "Reshape",
        "Softmax",
    ];
    assert_eq!(counts(&g, kinds), [0, 3, 8, 8, 1]);
}

#[test]
fn digits() {
    let Some(g) = model("mnist") else {
        return;
    };
    assert_eq!(outputs(&g), [[1, 10]]);
    assert_eq!(counts(&g, ["Conv", "MaxPool", "Gemm"]), [2, 2, 1]);
    let names: Vec<&str> = g
        .nodes()
        .filter_map(|n| match &n.op {
            Op::Conv(c) => Some(c.weight_name.as_str()),
            Op::Dense(d) => Some(d.weight_name.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(
        names,
        ["Parameter5", "Parameter87", "Parameter193_reshape1"]
    );
}
