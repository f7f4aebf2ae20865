//! What cannot be quantised is refused, with the place.

use vta_net::graph::{Builder, Conv, Graph, Node, Op, Window};
use vta_net::quant::{Calibration, QOp, QuantOptions, check, quantise};
use vta_tensor::host::Tensor;

fn conv(weight: f32, bias: f32) -> Graph {
    let mut b = Builder::new("one", 1);
    let x = b.input("x", &[1, 1, 2, 2]);
    let weight = ndarray::Array4::from_elem((1, 1, 1, 1), weight);
    let y = b.conv_with(
        "conv",
        x,
        weight,
        vec![bias].into(),
        Window::square(1, 1, 0),
        1,
    );
    b.output(y);
    b.finish()
}

fn sample(x: f32) -> Vec<Vec<Tensor>> {
    let x = ndarray::ArrayD::from_elem(ndarray::IxDyn(&[1, 1, 2, 2]), x);
    vec![vec![Tensor::F32(x)]]
}

fn error(graph: &Graph, calibration: &Calibration) -> String {
    let result = quantise(graph, calibration, &QuantOptions::default());
    result.expect_err("it is refused").to_string()
}

#[test]
fn numbers_that_are_none() {
    let calibration = Calibration::observe(&conv(1., 0.), sample(1.)).expect("a sample");
    for (weight, bias) in [
        (f32::NAN, 0.),
        (f32::INFINITY, 0.),
        (1., f32::NAN),
        (1e38, 0.),
    ] {
        let error = error(&conv(weight, bias), &calibration);
        assert!(
            error.contains("`conv`") && error.contains("channel 0"),
            "{error}"
        );
    }
    let error = Calibration::observe(&conv(1., 0.), sample(f32::NAN)).expect_err("no number");
    let error = error.to_string();
    assert!(
        error.contains("`x`") && error.contains("sample 0"),
        "{error}"
    );
    let error = Calibration::observe(&conv(1e30, 0.), sample(1e30)).expect_err("too large");
    assert!(error.to_string().contains("`conv`"), "{error}");
}

#[test]
fn samples_that_do_not_fit() {
    let graph = conv(1., 0.);
    let none = Calibration::observe(&graph, vec![]).expect_err("nothing");
    assert!(none.to_string().contains("no sample"), "{none}");
    let few = Calibration::observe(&graph, vec![vec![]]).expect_err("no input");
    assert!(few.to_string().contains("1 inputs, 0"), "{few}");
    let x = ndarray::ArrayD::zeros(ndarray::IxDyn(&[1, 1, 2, 3]));
    let shape = Calibration::observe(&graph, vec![vec![Tensor::F32(x)]]).expect_err("dimensions");
    assert!(shape.to_string().contains("[1, 1, 2, 2]"), "{shape}");
    let mut b = Builder::new("other", 1);
    let x = b.input("x", &[1, 4]);
    let y = b.dense("dense", x, 2, 1.);
    let y = b.relu("relu", y);
    b.output(y);
    let other = Calibration::noise(&b.finish(), 1, 1).expect("noise");
    assert!(error(&graph, &other).contains("another network"));
}

#[test]
fn steps_beyond_single_precision() {
    let graph = conv(1., 0.);
    let calibration = Calibration::observe(&graph, sample(1e35)).expect("a sample");
    let error = error(&graph, &calibration);
    assert!(error.contains("`x`") && error.contains("2^"), "{error}");
}

#[test]
fn batches() {
    let mut graph = Graph::new("batch");
    let x = graph.add_tensor("x", &[2, 3, 4, 4]);
    let y = graph.add_tensor("y", &[2, 2, 4, 4]);
    graph.inputs.push(x);
    graph.outputs.push(y);
    graph.add_node(Node {
        name: "two".into(),
        op: Op::Conv(Conv {
            weight_name: "w".into(),
            weight: ndarray::Array4::zeros((2, 3, 1, 1)).into(),
            bias: vec![0.; 2].into(),
            window: Window::square(1, 1, 0),
            groups: 1,
        }),
        inputs: vec![x],
        output: y,
    });
    let error = Calibration::noise(&graph, 1, 1).expect_err("two samples at once");
    assert!(error.to_string().contains("`two`"), "{error}");
}

#[test]
fn extreme_values_stay_in_int32() {
    // Tiny and huge weights, biases far from the sums, and a step of the output
    // that is finer than the sums': all must end in a network that is proven.
    for weight in [1e-20, 1e-9, 1e-3, 1., 1e4, 1e9] {
        for bias in [0., 1e-12, 1., -1e6, 1e12] {
            for x in [1e-6, 1., 1e6] {
                let graph = conv(weight, bias);
                let calibration = Calibration::observe(&graph, sample(x)).expect("a sample");
                let net = quantise(&graph, &calibration, &QuantOptions::default())
                    .unwrap_or_else(|e| panic!("{weight} {bias} {x}: {e}"));
                check(&net).unwrap_or_else(|e| panic!("{weight} {bias} {x}: {e}"));
            }
        }
    }
}

#[test]
fn sums_of_large_layers_are_proven() {
    // Every weight at its limit: 128 * 127 * 200,000 is beyond int32.
    let mut b = Builder::new("large", 1);
    let x = b.input("x", &[1, 200_000]);
    let y = b.dense_with(
        "dense",
        x,
        ndarray::Array2::from_elem((1, 200_000), 1.),
        vec![0.].into(),
    );
    b.output(y);
    let graph = b.finish();
    let calibration = Calibration::noise(&graph, 1, 1).expect("a sample");
    let net = quantise(&graph, &calibration, &QuantOptions::default()).expect("steps are coarser");
    check(&net).expect("sums fit");
    let QOp::Conv(conv) = &net.nodes[1].op else {
        panic!("a dense layer")
    };
    let weight = conv.weight[[0, 0, 0, 0]];
    assert!(
        weight > 0 && i64::from(weight) * 128 * 200_000 < i64::from(i32::MAX),
        "{weight}"
    );
}
