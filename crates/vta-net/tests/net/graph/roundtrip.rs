//! What is written is read back.

use ndarray::{Array, Array1, Array2, Array4, ArrayD};
use std::fs;
use vta_net::graph::{Builder, ConvSpec, Dense, Graph, HostOp, Op, Window, onnx, zoo};

/// Says where two graphs differ.
fn assert_same(a: &Graph, b: &Graph) {
    assert_eq!(a.tensors(), b.tensors());
    for (a, b) in a.nodes().zip(b.nodes()) {
        assert!(
            a == b,
            "{} ({}) and {} ({})",
            a.name,
            a.op.name(),
            b.name,
            b.op.name()
        );
    }
    assert!(a == b, "names, inputs or outputs");
}

fn assert_returns(g: &Graph) {
    let bytes = onnx::export(g);
    let again = onnx::import(&bytes, "again.onnx").unwrap_or_else(|e| panic!("{e}"));
    assert_same(g, &again);
}

#[test]
fn zoo_networks() {
    for name in zoo::NAMES {
        assert_returns(&zoo::build(name, 3).expect("a network of the zoo"));
    }
}

#[test]
fn real_models() {
    let Some(folder) = vta_test_support::shared("models") else {
        return;
    };
    for file in fs::read_dir(folder).expect("the folder can be read") {
        let path = file.expect("a folder's entry").path();
        if path.extension().is_some_and(|e| e == "onnx") {
            let bytes = fs::read(&path).expect("the model can be read");
            let g = onnx::import(&bytes, "model.onnx").unwrap_or_else(|e| panic!("{e}"));
            assert_returns(&g);
        }
    }
}

fn ramp(dims: &[usize]) -> ArrayD<f32> {
    let n = dims.iter().product::<usize>();
    Array::from_iter((0..n).map(|i| i as f32 - 3.5))
        .into_shape_with_order(dims)
        .expect("as many values as the dimensions say")
}

/// Every operator that a graph can hold, in forms that import leaves alone.
#[test]
fn every_operator() {
    let mut b = Builder::new("all", 1);
    let x = b.input("x", &[1, 4, 8, 9]);
    let v = b.input("v", &[5, 6]);
    let pads = [(0, 0), (0, 0), (1, 2), (0, 3)];
    let padded = b.pad("pad", x, &pads, 0.5);
    let spec = ConvSpec::new(6, 3).kernel(2, 3).groups(2).stride(2);
    let conv = b.conv("conv", padded, spec.dilation(2).pads([0, 1, 2, 3]));
    let leaky = b.leaky_relu("leaky", conv, 0.125);
    let scale = Array1::linspace(0.5, 3.0, 6);
    let shift = Array1::linspace(-1.0, 1.0, 6);
    let scaled = b.op("scale", Op::Scale { scale, shift }, &[leaky]);
    let clip = b.clip("clip", scaled, -1.0, 6.0);
    let low = b.clip("low", clip, f32::MIN, 2.0);
    let max = b.max_pool("max", low, Window::square(3, 1, 1));
    let sum = b.add("sum", max, low);
    let product = b.mul("product", sum, clip);
    let plus = b.add_const("plus", product, ramp(&[6, 1, 1]));
    let times = b.mul_const("times", plus, ramp(&[]));
    let up = b.resize("up", times, 3);
    let between = |factor, half_pixel| Op::Host(HostOp::ResizeLinear { factor, half_pixel });
    let up = b.op("between", between([2, 1], true), &[up]);
    let up = b.op("between2", between([1, 3], false), &[up]);
    let mut window = Window::square(3, 2, 1);
    window.pads = [0, 1, 2, 1];
    let count_include_pad = true;
    let op = Op::AveragePool {
        window,
        count_include_pad,
    };
    let mean = b.op("mean", op, &[up]);
    let cut = b.slice("cut", mean, 2, 1, 3, 2);
    let joined = b.concat("joined", &[cut, cut], 1);
    let turned = b.transpose("turned", joined, &[0, 2, 3, 1]);
    let dense = b.dense("dense", turned, 7, 1.0);
    let weight = Array2::from_shape_fn((4, 7), |(i, j)| (i + 2 * j) as f32);
    let op = Op::Dense(Dense {
        weight_name: "w2".to_owned(),
        weight: weight.into(),
        transposed: true,
        bias: Array1::zeros(4),
    });
    let dense2 = b.op("dense2", op, &[dense]);
    let gate = b.sigmoid("gate", dense2);
    let average = b.reduce_mean("average", gate, &[1], true);
    let average2 = b.reduce_mean("average2", average, &[1, 3], false);
    let n = b.dims(average2).iter().product();
    let flat = b.reshape("flat", average2, &[n]);
    let soft = b.softmax("soft", flat, 0);
    b.output(soft);
    let rows = b.dense("rows", v, 3, 1.0);
    let rows_t = b.transpose("rows_t", rows, &[1, 0]);
    let square = b.op("square", Op::MatMul, &[rows, rows_t]);
    let relu = b.relu("relu", square);
    b.output(relu);
    b.output(rows);
    assert_returns(&b.finish());
}

#[test]
fn dilated_average_pool_needs_a_newer_opset() {
    let mut b = Builder::new("g", 1);
    let x = b.input("x", &[1, 2, 8, 8]);
    let mut window = Window::square(3, 1, 0);
    window.dilation = [2, 2];
    let y = b.average_pool("pool", x, window);
    let y = b.reduce_mean("mean", y, &[1], true);
    b.output(y);
    assert_returns(&b.finish());
}

#[test]
fn equal_weights_are_written_once_and_different_ones_apart() {
    let network = |factor: f32| {
        let mut b = Builder::new("g", 1);
        let x = b.input("x", &[1, 2, 4, 4]);
        let weight = Array4::from_elem((2, 2, 1, 1), 1.5);
        let window = Window::square(1, 1, 0);
        let bias = Array1::zeros(2);
        let y = b.conv_with("c", x, weight.clone(), bias.clone(), window, 1);
        let y = b.conv_with("d", y, weight * factor, bias, window, 1);
        b.output(y);
        let mut g = b.finish();
        for n in g.nodes_mut() {
            if let Op::Conv(c) = &mut n.op {
                c.weight_name = "shared".to_owned();
            }
        }
        g
    };
    let names = |g: &Graph| -> Vec<String> {
        let again = onnx::import(&onnx::export(g), "g.onnx").unwrap_or_else(|e| panic!("{e}"));
        let name = |n: &vta_net::graph::Node| match &n.op {
            Op::Conv(c) => c.weight_name.clone(),
            other => panic!("{}", other.name()),
        };
        again.nodes().map(name).collect()
    };
    assert_eq!(names(&network(1.0)), ["shared", "shared"]);
    assert_eq!(names(&network(2.0)), ["shared", "shared:1"]);
}
