//! Small graphs of every kind: what becomes of them, and how near int8 stays to float.

use super::zoo::distance;
use ndarray::{ArrayD, IxDyn};
use vta_net::graph::{Builder, ConvSpec, Graph, Op, TensorId, Window};
use vta_net::quant::{
    Calibration, PerChannel, QNet, QOp, QType, QuantOptions, ShareResidual, Shift, check, float,
    quantise, reference,
};
use vta_tensor::host::{HostOp, Tensor};

/// A convolution of `kernel`, with the padding that keeps sizes.
fn spec(co: usize, kernel: usize) -> ConvSpec {
    ConvSpec::new(co, kernel).pad(kernel / 2)
}

fn values(dims: &[usize], f: impl Fn(usize) -> f32) -> ArrayD<f32> {
    let mut i = 0;
    ArrayD::from_shape_simple_fn(IxDyn(dims), || {
        i += 1;
        f(i - 1)
    })
}

/// Quantises on four samples, checks that each of them is near the float
/// network's, and gives the integer network.
fn near(graph: &Graph, options: &QuantOptions, most: f64) -> QNet {
    let noise = Calibration::noise(graph, 3, 4).expect("it can be observed");
    let calibration =
        Calibration::observe(graph, noise.samples().to_vec()).expect("it can be observed");
    let net = quantise(graph, &calibration, options).expect("it can be quantised");
    check(&net).expect("the network is sound");
    for inputs in calibration.samples() {
        let want = float::run(graph, inputs).expect("float runs");
        let got = reference::run(&net, inputs).expect("int8 runs");
        for (want, got) in want.iter().zip(&got) {
            let d = distance(want, got);
            assert!(d < most, "{}: {d}", graph.name);
        }
    }
    let names = |ts: &[TensorId]| -> Vec<_> { ts.iter().map(|t| graph.tensor(*t)).collect() };
    for (ids, want) in [
        (&net.inputs, names(&graph.inputs)),
        (&net.outputs, names(&graph.outputs)),
    ] {
        for (t, want) in ids.iter().zip(want) {
            let t = net.tensor(*t);
            assert_eq!((&t.name, &t.dims), (&want.name, &want.dims));
            assert_eq!(t.ty, QType::Float);
        }
    }
    net
}

fn default(graph: &Graph) -> QNet {
    near(graph, &QuantOptions::default(), 0.003)
}

/// The nodes between the conversions of inputs and outputs.
fn device(net: &QNet) -> Vec<&str> {
    let converts = ["QuantizeLinear", "DequantizeLinear"];
    let sources = net.nodes.iter().map(|n| n.source.as_str());
    sources.filter(|s| !converts.contains(s)).collect()
}

fn convs(net: &QNet) -> Vec<&vta_net::quant::QConv> {
    let ops = net.nodes.iter().map(|n| &n.op);
    ops.filter_map(|op| match op {
        QOp::Conv(c) => Some(c),
        _ => None,
    })
    .collect()
}

fn build(name: &str, dims: &[usize], f: impl FnOnce(&mut Builder, TensorId) -> TensorId) -> Graph {
    let mut b = Builder::new(name, 5);
    let x = b.input("x", dims);
    let y = f(&mut b, x);
    b.output(y);
    b.finish()
}

#[test]
fn a_sum_goes_to_the_first_convolution_that_can_have_it() {
    let graph = build("residual", &[1, 8, 6, 6], |b, x| {
        let stem = b.conv("stem", x, spec(8, 3));
        let a = b.conv("a", stem, spec(8, 3));
        let c = b.conv("c", stem, spec(8, 1));
        let y = b.add("sum", a, c);
        let y = b.leaky_relu("leaky", y, 0.1);
        // The same tensor twice.
        let y = b.add("twice", y, y);
        b.relu("relu", y)
    });
    let net = default(&graph);
    let want = ["Conv", "Conv", "Conv+Add", "LeakyRelu", "Add+Relu"];
    assert_eq!(device(&net), want);
    let sum = &convs(&net)[2];
    assert_eq!((sum.residual_shift, sum.post_shift), (0, 0));
    let twice = net
        .nodes
        .iter()
        .find(|n| n.name == "twice")
        .expect("a node");
    assert_eq!(twice.inputs[0], twice.inputs[1]);
}

#[test]
fn residuals_with_steps_of_their_own_are_shifted() {
    let graph = build("shifted", &[1, 4, 6, 6], |b, x| {
        let stem = b.conv("stem", x, spec(4, 3).gain(8.));
        let small = b.conv("small", stem, spec(4, 3).gain(0.02));
        let small = b.relu("small.relu", small);
        let a = b.conv("a", small, spec(4, 3));
        let y = b.add("coarse", a, stem);
        // The residual is finer than the result.
        let c = b.conv("c", y, spec(4, 3));
        b.add("fine", c, small)
    });
    let options = QuantOptions {
        share_residual: ShareResidual::Never,
        ..QuantOptions::default()
    };
    let net = near(&graph, &options, 0.003);
    let shifts: Vec<_> = convs(&net)
        .iter()
        .map(|c| (c.residual_shift, c.post_shift))
        .collect();
    assert!(shifts.iter().any(|s| s.1 > 0), "{shifts:?}");
    let options = QuantOptions {
        share_residual: ShareResidual::Always,
        ..QuantOptions::default()
    };
    let shared = near(&graph, &options, 0.01);
    assert!(
        convs(&shared)
            .iter()
            .all(|c| c.residual_shift + c.post_shift == 0)
    );
}

#[test]
fn factors_and_summands_of_channels_are_weights() {
    let graph = build("fold", &[1, 3, 5, 5], |b, x| {
        let y = b.conv("conv", x, spec(4, 3));
        let y = b.mul_const("times", y, values(&[1, 4, 1, 1], |i| i as f32 - 1.5));
        let y = b.add_const("plus", y, values(&[4, 1, 1], |i| i as f32 * 0.3));
        let y = b.op(
            "scale",
            Op::Scale {
                scale: vec![1., -0.5, 2., 0.1].into(),
                shift: vec![0.1, 0.2, -0.3, 0.].into(),
            },
            &[y],
        );
        let y = b.leaky_relu("leaky", y, 0.2);
        b.clip("clip", y, -0.5, 6.)
    });
    let net = default(&graph);
    let want = "Conv+Mul+Add+BatchNormalization+LeakyRelu+Clip";
    assert_eq!(device(&net), [want]);
    let graph = build("alone", &[1, 3, 5, 5], |b, x| {
        let y = b.conv("conv", x, spec(4, 3));
        b.output(y);
        let z = b.mul_const("times", y, values(&[1, 4, 1, 1], |i| i as f32 - 1.5));
        let z = b.clip("clip", z, -1., 1.);
        let w = b.mul_const("map", y, values(&[5, 1], |i| i as f32));
        b.add("sum", z, w)
    });
    let net = default(&graph);
    assert_eq!(device(&net), ["Conv", "Mul+Clip", "Mul", "Add"]);
    assert_eq!(net.nodes[4].why, "the constant varies within a channel");
}

#[test]
fn limits_behind_a_max_pool_are_the_convolutions() {
    let graph = build("hoist", &[1, 3, 8, 8], |b, x| {
        let y = b.conv("conv", x, spec(8, 3));
        let y = b.max_pool("pool", y, Window::square(2, 2, 0));
        let y = b.relu("relu", y);
        // A pool that does nothing.
        let y = b.average_pool("one", y, Window::square(1, 1, 0));
        b.conv("last", y, spec(3, 3))
    });
    let net = default(&graph);
    assert_eq!(device(&net), ["Conv+Relu", "MaxPool", "Conv"]);
    assert_eq!(convs(&net)[0].clamp.0, 0);
}

#[test]
fn means_are_convolutions_unless_padding_must_not_count() {
    let graph = build("means", &[1, 20, 7, 7], |b, x| {
        let y = b.conv("conv", x, spec(20, 1));
        let a = b.average_pool("a", y, Window::square(3, 2, 0));
        let c = b.average_pool("c", a, Window::square(3, 1, 1));
        let d = b.op(
            "d",
            Op::AveragePool {
                window: Window::square(3, 1, 1),
                count_include_pad: true,
            },
            &[c],
        );
        let e = b.reduce_mean("e", d, &[2, 3], false);
        b.dense("dense", e, 20, 1.)
    });
    let net = near(&graph, &QuantOptions::default(), 0.01);
    assert_eq!(
        device(&net),
        [
            "Conv",
            "AveragePool",
            "AveragePool",
            "AveragePool",
            "ReduceMean",
            "Gemm"
        ]
    );
    let hosts = net
        .nodes
        .iter()
        .filter(|n| matches!(n.op, QOp::Host(HostOp::AveragePool { .. })));
    let hosts: Vec<_> = hosts.map(|n| (n.name.as_str(), n.why.as_str())).collect();
    assert_eq!(hosts, [("c", "padding must not count")]);
    let mean = convs(&net)[3];
    assert_eq!((mean.groups, mean.weight.dim()), (20, (20, 1, 3, 3)));
}

#[test]
fn dense_layers_read_maps_as_they_lie() {
    for hwc in [false, true] {
        let graph = build("flat", &[1, 8, 4, 4], |b, x| {
            let y = b.conv("conv", x, spec(10, 3));
            let y = b.max_pool("pool", y, Window::square(2, 2, 0));
            let y = if hwc {
                b.transpose("hwc", y, &[0, 2, 3, 1])
            } else {
                y
            };
            let y = b.flatten("flat", y);
            b.dense("dense", y, 6, 1.)
        });
        let net = default(&graph);
        assert_eq!(device(&net), ["Conv", "MaxPool", "Gemm"]);
        assert_eq!(convs(&net)[1].weight.dim(), (6, 10, 2, 2));
    }
    // With few channels a vector of the device would be mostly empty.
    let graph = build("narrow", &[1, 2, 4, 4], |b, x| {
        let y = b.conv("conv", x, spec(3, 3));
        let y = b.flatten("flat", y);
        b.dense("dense", y, 6, 1.)
    });
    assert_eq!(device(&default(&graph)), ["Conv", "Reshape", "Gemm"]);
}

#[test]
fn rows_of_a_dense_layer_become_pixels() {
    let graph = build("rows", &[1, 5, 12], |b, x| {
        let y = b.dense("first", x, 16, 1.);
        let y = b.relu("relu", y);
        let y = b.dense("second", y, 3, 1.);
        b.softmax("softmax", y, 2)
    });
    let net = near(&graph, &QuantOptions::default(), 0.003);
    let dims: Vec<_> = convs(&net).iter().map(|c| c.weight.dim()).collect();
    assert_eq!(dims, [(16, 12, 1, 1), (3, 16, 1, 1)]);
    let sources = device(&net);
    assert!(sources.contains(&"Gemm+Relu"), "{sources:?}");
}

#[test]
fn padding_with_zeros_is_the_convolutions() {
    let graph = build("pad", &[1, 3, 5, 5], |b, x| {
        let y = b.pad("zeros", x, &[(0, 0), (0, 0), (1, 0), (2, 1)], 0.);
        let y = b.conv("conv", y, ConvSpec::new(4, 3));
        let y = b.pad("ones", y, &[(0, 0), (0, 0), (1, 1), (1, 1)], 1.);
        b.conv("last", y, ConvSpec::new(4, 3).dilation(2).stride(2))
    });
    let net = default(&graph);
    assert_eq!(device(&net), ["Conv", "Pad", "Conv"]);
    assert_eq!(convs(&net)[0].window.pads, [1, 2, 0, 1]);
}

#[test]
fn joined_tensors_share_a_step_only_for_the_device() {
    let graph = build("join", &[1, 4, 4, 4], |b, x| {
        let a = b.conv("a", x, spec(4, 3).gain(4.));
        let c = b.conv("c", x, spec(4, 3));
        let up = b.resize("up", c, 2);
        let even = b.slice("even", up, 3, 0, 4, 2);
        let even = b.slice("rows", even, 2, 1, 4, 2);
        let joined = b.concat("joined", &[a, even], 1);
        let y = b.conv("last", joined, spec(2, 1));
        let z = b.concat("apart", &[a, c], 1);
        b.output(z);
        y
    });
    let net = near(&graph, &QuantOptions::default(), 0.004);
    let exponent = |name: &str| {
        let t = net.tensors.iter().find(|t| t.name == name);
        match t.expect("a tensor").ty {
            QType::Int8 { exponent } => Some(exponent),
            QType::Float => None,
        }
    };
    assert_eq!(exponent("a"), exponent("joined"));
    assert_eq!(exponent("a"), exponent("c"));
    assert_eq!(exponent("apart"), None);
}

#[test]
fn what_the_host_does_has_a_reason() {
    let graph = build("host", &[1, 6, 4, 4], |b, x| {
        let x = b.add_const("centre", x, values(&[], |_| -0.5));
        let y = b.conv("conv", x, spec(6, 3));
        let s = b.global_average_pool("squeeze", y);
        let s = b.conv("gate", s, spec(6, 1));
        let s = b.sigmoid("sigmoid", s);
        let y = b.mul("excite", y, s);
        let y = b.conv("last", y, spec(2, 1));
        let y = b.reshape("shape", y, &[1, 2, 16]);
        b.softmax("softmax", y, 2)
    });
    let net = near(&graph, &QuantOptions::default(), 0.003);
    for node in &net.nodes {
        let host = matches!(node.op, QOp::Host(_));
        assert_eq!(host, !node.why.is_empty(), "{}", node.name);
    }
    let want = [
        "Add",
        "Conv",
        "AveragePool",
        "Conv",
        "Sigmoid",
        "Mul",
        "Conv",
        "Reshape",
        "Softmax",
    ];
    assert_eq!(device(&net), want);
    let mut names: Vec<_> = net.nodes.iter().map(|n| &n.name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), net.nodes.len());
}

#[test]
fn channels_have_shifts_where_that_pays() {
    let graph = |spread: i32| {
        build("spread", &[1, 8, 6, 6], |b, x| {
            let y = b.conv("conv", x, spec(8, 3));
            let each = values(&[1, 8, 1, 1], |i| 2_f32.powi(-(i as i32 * spread)));
            let y = b.mul_const("spread", y, each);
            // What follows cares for every channel alike.
            let back = values(&[1, 8, 1, 1], |i| 2_f32.powi(i as i32 * spread));
            b.output(y);
            b.mul_const("back", y, back)
        })
    };
    let shift = |graph: &Graph, per_channel| {
        let options = QuantOptions {
            per_channel,
            ..QuantOptions::default()
        };
        let net = near(graph, &options, 2.);
        matches!(convs(&net)[0].shift, Shift::Channel(_))
    };
    let (even, uneven) = (graph(0), graph(1));
    assert!(!shift(&even, PerChannel::Auto));
    assert!(shift(&even, PerChannel::Always) || shift(&uneven, PerChannel::Always));
    assert!(!shift(&uneven, PerChannel::Never));
}

#[test]
fn layers_of_zeros_are_fine() {
    let graph = build("zeros", &[1, 3, 4, 4], |b, x| {
        let window = Window::square(3, 1, 1);
        let weight = ndarray::Array4::zeros((5, 3, 3, 3));
        let bias = vec![0., 1., -1., 1e-6, 40.].into();
        let y = b.conv_with("zeros", x, weight, bias, window, 1);
        let weight = ndarray::Array4::zeros((4, 5, 3, 3));
        let y = b.conv_with("again", y, weight, vec![0.; 4].into(), window, 1);
        let z = b.conv("conv", y, spec(2, 1));
        b.output(z);
        y
    });
    let calibration = Calibration::noise(&graph, 1, 2).expect("it can be observed");
    for per_channel in [PerChannel::Auto, PerChannel::Always] {
        let options = QuantOptions {
            per_channel,
            ..QuantOptions::default()
        };
        let net = quantise(&graph, &calibration, &options).expect("it can be quantised");
        assert!(convs(&net)[0].weight.iter().all(|w| *w == 0));
        let got = reference::run(&net, &calibration.samples()[0]).expect("it runs");
        let Tensor::F32(zeros) = &got[1] else {
            panic!("float")
        };
        assert!(zeros.iter().all(|y| *y == 0.));
    }
}

/// Between layers a linear upsampling takes int8; for who reads it in single precision
/// it is not rounded.
#[test]
fn linear_upsampling_is_rounded_for_layers_only() {
    let op = || {
        Op::Host(HostOp::ResizeLinear {
            factor: [2, 2],
            half_pixel: true,
        })
    };
    let mut b = Builder::new("up", 1);
    let x = b.input("x", &[1, 4, 6, 6]);
    let x = b.conv("a", x, spec(8, 3));
    let x = b.op("between", op(), &[x]);
    let x = b.conv("b", x, spec(4, 3));
    let y = b.op("last", op(), &[x]);
    b.output(y);
    let net = default(&b.finish());
    let node = |source: &str| {
        let found = net.nodes.iter().find(|n| n.name == source);
        found.unwrap_or_else(|| panic!("{:?}", device(&net)))
    };
    let between = node("between");
    assert!(matches!(between.op, QOp::Host(HostOp::ResizeLinear { .. })));
    let types = [between.inputs[0], between.output].map(|t| net.tensor(t).ty);
    assert!(matches!(types[0], QType::Int8 { .. }), "{types:?}");
    assert_eq!(types[0], types[1]);
    assert_eq!(net.tensor(node("last").output).ty, QType::Float);
}
